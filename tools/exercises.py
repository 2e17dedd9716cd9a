"""Write the students' notebooks from the solutions: notebooks/exercises/solutions/*.ipynb -> notebooks/exercises/*.ipynb.

python tools/exercises.py            write them, and notebooks/exercises/README.md, a list of all exercises
python tools/exercises.py --check    say which are out of date, write nothing

A solution notebook is one of nbgrader's: `### BEGIN SOLUTION` to `### END SOLUTION` and `### BEGIN HIDDEN TESTS` to
`### END HIDDEN TESTS` are what a student does not get. Nor a cell with the tag `solution`, which answers in words.
"""

import argparse
import copy
import re
import sys
from pathlib import Path

import nbformat

ROOT = Path(__file__).resolve().parents[1]
if __name__ == "__main__":
    sys.path[0] = str(ROOT)

from tools.fold import Problem  # noqa: E402
from tools.lessons import clean  # noqa: E402

STUDENTS = ROOT / "notebooks" / "exercises"
SOLUTIONS = STUDENTS / "solutions"
REGION = r"^( *)### BEGIN {0}\n.*?^ *### END {0}(?:\n|\Z)"
SOLUTION = re.compile(REGION.format("SOLUTION"), re.M | re.S)
HIDDEN = re.compile(REGION.format("HIDDEN TESTS"), re.M | re.S)
HEADING = re.compile(r"## (\d\d\.\d) ([\w ]+): (.+)\n\n\*(easy|medium|hard), (\d+) minutes\.\*")
LIST = """\
# All exercises

Each checks itself and counts two points. The minutes are estimates. `make exercises` writes this page and the notebooks of
this folder from those in `solutions/`.

| exercise | kind | about | level | minutes |
|---|---|---|---|---|
"""


def stub(region: re.Match) -> str:
    """What stands in the place of a solution: inside a function an error, at the top of a cell nothing."""
    return f"{region[1]}raise NotImplementedError\n" if region[1] else ""


def student(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """A solution notebook without its solutions and hidden tests.

    Raises:
        Problem: a region has a beginning without an end, or an end without a beginning.
    """
    notebook = copy.deepcopy(notebook)
    notebook.cells = [cell for cell in notebook.cells if "solution" not in cell.metadata.get("tags", [])]
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.source = HIDDEN.sub("", SOLUTION.sub(stub, cell.source))
            if cell.metadata.get("nbgrader", {}).get("grade"):
                cell.source = cell.source.rstrip("\n;") + ";"  # the line that check prints is enough
            cell.outputs, cell.execution_count = [], None
        if left := re.search(r"### (?:BEGIN|END) .+", cell.source):
            raise Problem(f"{left[0]!r} is without its other half, in a cell that begins {cell.source[:40]!r}")
    return clean(notebook)


def rows(name: str, notebook: nbformat.NotebookNode) -> list[str]:
    """A line of the list for each exercise of the notebook called `name`."""
    found = [heading.groups() for cell in notebook.cells if (heading := HEADING.match(cell.source))]
    return [f"| [{n}]({name}) | {kind} | {about} | {level} | {minutes} |" for n, kind, about, level, minutes in found]


def texts() -> dict[str, str]:
    """What stands in each file that is written."""
    solutions = {path.name: nbformat.read(path, as_version=4) for path in sorted(SOLUTIONS.glob("[0-9][0-9]_*.ipynb"))}
    written = {name: nbformat.writes(student(notebook)) + "\n" for name, notebook in solutions.items()}
    lines = [row for name, notebook in solutions.items() for row in rows(name, notebook)]
    return written | {"README.md": LIST + "\n".join(lines) + "\n"}


def write(check: bool = False) -> list[str]:
    """Write the students' notebooks and the list, or with `check` only name those that differ. Returns their names."""
    different = []
    for name, text in texts().items():
        target = STUDENTS / name
        if not target.exists() or target.read_text(encoding="utf-8") != text:
            different.append(target.name)
            if not check:
                target.write_text(text, encoding="utf-8", newline="\n")
        state = "out of date" if check and target.name in different else "ok"
        print(f"{state}  {target.relative_to(ROOT).as_posix()}")
    return different


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing, fail where a notebook is out of date")
    given = parser.parse_args()
    try:
        return 1 if write(given.check) and given.check else 0
    except Problem as problem:
        sys.exit(f"exercises: {problem}")


if __name__ == "__main__":
    sys.exit(main())
