"""Mark a class's notebooks: make grade SUBMISSIONS=folder, where the folder holds STUDENT/02_irmb.ipynb and so on.

nbgrader keeps the marks, puts the hidden tests back and writes the feedback. The cells run in a sandbox (see
tools/sandbox.py), each notebook with a time, a memory and a scratch folder of its own. What comes back from there is
taken for text: outputs, and nothing else.
"""

import argparse
import csv
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import warnings
from collections import defaultdict
from pathlib import Path

import nbformat

ROOT = Path(__file__).resolve().parents[1]
if __name__ == "__main__":
    sys.path[0] = str(ROOT)

from tools import sandbox  # noqa: E402
from tools.exercises import SOLUTIONS  # noqa: E402
from tools.exercises import student as as_given  # noqa: E402

try:
    from nbgrader.api import Gradebook
    from nbgrader.apps.api import NbGraderAPI
    from nbgrader.coursedir import CourseDirectory
    from nbgrader.preprocessors import (
        CheckCellMetadata,
        IgnorePattern,
        LimitOutput,
        NbGraderPreprocessor,
        SaveAutoGrades,
    )
    from traitlets.config import Config
except ImportError:
    sys.exit("grade: nbgrader is missing. Run `make grade`, which installs it, or: pip install -e '.[teach]'")

NOT_RUN = "not reached: the notebook's time ran out before, or its cells ended their runner"

WARM_UP = "import torch, modules.course.exercises"  # takes seconds that are not the student's


class Problem(Exception):
    """What is wrong, in one line."""


# --------------------------------------------------------------------------------------------------------- running
def run(notebook: nbformat.NotebookNode, settings: argparse.Namespace) -> dict[int, dict]:
    """Run a notebook in the sandbox. Returns {place of a code cell: {"outputs": [...], "why": ""}} for those it reached."""
    cells = [sys.executable, "-c", (ROOT / "tools" / "run_cells.py").read_text(encoding="utf-8")]
    command = [*cells, str(settings.seconds), str(settings.gigabytes), WARM_UP]
    with tempfile.TemporaryDirectory() as scratch, tempfile.TemporaryFile() as answers:
        process = subprocess.Popen(
            command if settings.unsafe else sandbox.KINDS[sandbox.best()](command),
            env=sandbox.environment() | ({"TMPDIR": scratch, "HOME": scratch} if settings.unsafe else {}),
            cwd=scratch,
            stdin=subprocess.PIPE,
            stdout=answers,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            process.communicate(nbformat.writes(notebook).encode(), timeout=settings.total)
        except subprocess.TimeoutExpired:
            process.kill()  # the sandbox ends with it, and all that runs there
            process.wait()
        except BrokenPipeError:
            pass
        answers.seek(0)
        return dict(found for line in answers if (found := answer(line, notebook)))


def answer(line: bytes, notebook: nbformat.NotebookNode) -> tuple[int, dict] | None:
    """(place, its outputs and what stopped it) of a line from the sandbox; None where it is no such line."""
    try:
        found = json.loads(line)
        place, outputs, why = found["cell"], found["outputs"], found["why"]
        cell = nbformat.v4.new_code_cell(outputs=[nbformat.from_dict(output) for output in outputs])
        nbformat.validate(nbformat.v4.new_notebook(cells=[cell]))
        if isinstance(why, str) and notebook.cells[place].cell_type == "code":
            return place, {"outputs": cell.outputs, "why": why}
    except (ValueError, LookupError, TypeError, AttributeError, nbformat.ValidationError):
        pass
    return None


class InSandbox(NbGraderPreprocessor):
    """The place of nbgrader's own Execute: run the cells elsewhere, keep their outputs."""

    settings = None  # from the command line
    why = {}  # of the last notebook: {"check-02-3": what the check or the error said}

    def preprocess(self, notebook, resources):
        answers = run(notebook, self.settings)
        self.why.clear()
        for place, cell in enumerate(notebook.cells):
            if cell.cell_type != "code":
                continue
            found = answers.get(place) or {"outputs": [error(NOT_RUN)], "why": NOT_RUN}
            cell.outputs = found["outputs"]
            if cell.metadata.get("nbgrader", {}).get("grade"):
                cell.outputs = marked(found)
                self.why[cell.metadata.nbgrader.grade_id] = said(found)
        return notebook, resources


def error(why: str) -> nbformat.NotebookNode:
    return nbformat.v4.new_output("error", ename="Error", evalue=why, traceback=[why])


def marked(found: dict) -> list:
    """The outputs of a cell that checks, so that for nbgrader an error is no mark and anything else the full one.

    By itself it would also take a warning on stderr for a failure, and a number as a part of the marks.
    """
    kept = [output for output in found["outputs"] if output.output_type in ("error", "stream")]
    for output in kept:
        if output.output_type == "stream":
            output.name = "stdout"
    failed = any(output.output_type == "error" for output in kept)
    return kept if failed or not found["why"] else [*kept, error(found["why"])]


def said(found: dict) -> str:
    """What a check said against an answer, or else the error; an empty text where there is neither."""
    text = "".join(output.text for output in found["outputs"] if output.output_type == "stream")
    lines = re.findall(r"^\S+ not yet: (.*)$", text, re.M)
    return lines[-1] if lines else found["why"]


# --------------------------------------------------------------------------------------------------------- handing in
def handed_in(folder: Path) -> tuple[dict[tuple[str, str], Path], list[str]]:
    """{(student, name of a notebook): file}, and a line for each file that is not understood.

    Raises:
        Problem: there is no such folder, or no student's folder in it.
    """
    if not folder.name:
        raise Problem(
            "where are the notebooks? Give a folder that holds one for each student, as SUBMISSIONS=handed_in"
        )
    if not folder.is_dir():
        raise Problem(f"no folder {folder}: give one that holds a folder for each student, as SUBMISSIONS=handed_in")
    known = {path.stem for path in SOLUTIONS.glob("*.ipynb")}
    found, strange = {}, [f"{path.name}: lies in no student's folder" for path in sorted(folder.glob("*.ipynb"))]
    for path in sorted(folder.glob("*/**/*.ipynb")):
        name, place = path.stem, path.relative_to(folder)
        if ".ipynb_checkpoints" in place.parts:
            continue
        if name not in known:
            strange.append(f"{place}: no exercise of this course has this name")
        elif (place.parts[0], name) in found:
            strange.append(f"{place}: a second {name} of this student, left out")
        else:
            found[place.parts[0], name] = path
    if not found:
        raise Problem(f"no STUDENT/NN_name.ipynb in {folder}; names are {', '.join(sorted(known))}")
    return found, strange


def bare(cell: nbformat.NotebookNode) -> str:
    """A cell's text without what editors add or take away at its ends, such as the semicolon that silences a value."""
    return cell.source.strip("\n ;")


def restored(path: Path) -> nbformat.NotebookNode:
    """A student's notebook with the cells that check, where an editor lost their marks or a student the cells.

    Raises:
        Problem: the file is no notebook.
    """
    try:
        notebook = nbformat.read(path, as_version=4)
        nbformat.validate(notebook)
    except Exception as error:  # nbformat raises a dozen kinds on files that are none
        raise Problem(f"is no notebook ({type(error).__name__})")
    given = as_given(nbformat.read(SOLUTIONS / path.name, as_version=4))
    checks = {bare(cell): cell for cell in given.cells if cell.metadata.get("nbgrader", {}).get("grade")}
    for cell in notebook.cells:
        if bare(cell) in checks:
            cell.metadata.nbgrader = checks[bare(cell)].metadata.nbgrader
    there = {cell.metadata.get("nbgrader", {}).get("grade_id") for cell in notebook.cells}
    notebook.cells += [cell for cell in checks.values() if cell.metadata.nbgrader.grade_id not in there]
    notebook.nbformat_minor = max(notebook.nbformat_minor, 5)
    return notebook


# --------------------------------------------------------------------------------------------------------- marking
class Course:
    """A folder of nbgrader's: source/, submitted/, autograded/, feedback/ and gradebook.db."""

    def __init__(self, folder: Path, settings: argparse.Namespace):
        self.folder = folder
        InSandbox.settings = settings
        # nbgrader calls alembic by its bare name, also from an environment that is not activated
        os.environ["PATH"] = os.pathsep.join([sysconfig.get_path("scripts"), os.environ["PATH"]])
        config = Config()
        config.CourseDirectory.root = str(folder.resolve())
        config.Autograde.autograde_preprocessors = [
            *(InSandbox, IgnorePattern, LimitOutput, SaveAutoGrades, CheckCellMetadata)
        ]
        self.directory = CourseDirectory(config=config)
        self.api = NbGraderAPI(self.directory, config=config)

    def source(self, name: str) -> None:
        """Tell nbgrader of the exercises of one notebook, anew where they are known."""
        (self.folder / "source" / name).mkdir(parents=True, exist_ok=True)
        shutil.copy(SOLUTIONS / f"{name}.ipynb", self.folder / "source" / name)
        result = self.api.generate_assignment(name)
        if not result["success"]:
            raise Problem(f"nbgrader does not take {name}.ipynb: {reason(result)}")

    def mark(self, student: str, name: str, path: Path) -> list[dict]:
        """A row for each exercise: student, notebook, exercise, points, of, note."""
        target = self.folder / "submitted" / student / name / f"{name}.ipynb"
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            nbformat.write(restored(path), target)
            result = self.api.autograde(name, student)
            problem = "" if result["success"] else f"could not be graded: {reason(result)}"
        except Problem as fault:
            problem = str(fault)
        if problem:
            InSandbox.why.clear()
        else:
            self.api.generate_feedback(name, student)
        return self.rows(student, name, problem)

    def rows(self, student: str, name: str, problem: str) -> list[dict]:
        with Gradebook(self.directory.db_url) as book:
            cells = book.find_notebook(name, name).grade_cells
            points = {}
            if not problem:
                grades = book.find_submission_notebook(name, name, student).grades
                points = {grade.name: grade.auto_score or 0 for grade in grades}
            return [
                {
                    "student": student,
                    "notebook": name,
                    "exercise": cell.name.removeprefix("check-").replace("-", "."),
                    "points": points.get(cell.name, 0),
                    "of": cell.max_score,
                    "note": problem or InSandbox.why.get(cell.name, ""),
                }
                for cell in sorted(cells, key=lambda cell: cell.name)
            ]


def reason(result: dict) -> str:
    """The line of nbgrader's log that names the error."""
    lines = f"{result.get('error')}\n{result.get('log')}".splitlines()
    return next((line.strip() for line in reversed(lines) if re.search(r"^\s+\w+(Error|Exception): ", line)), lines[0])


# --------------------------------------------------------------------------------------------------------- the table
def sums(rows: list[dict]) -> tuple[list[str], list[list[str]]]:
    """Heading and lines of the table: a student's points in each notebook, and all of them."""
    names = sorted({row["notebook"] for row in rows})
    points, full = defaultdict(float), {}
    for row in rows:
        points[row["student"], row["notebook"]] += row["points"]
    for name in names:
        one = next(row["student"] for row in rows if row["notebook"] == name)
        full[name] = sum(row["of"] for row in rows if (row["student"], row["notebook"]) == (one, name))
    table = []
    for student in sorted({row["student"] for row in rows}):
        mine = [points.get((student, name)) for name in names]
        table.append([student, *("" if p is None else f"{p:g}" for p in mine), f"{sum(p or 0 for p in mine):g}"])
    heading = ["student", *(f"{name} (of {full[name]:g})" for name in names), f"sum (of {sum(full.values()):g})"]
    return heading, table


def write(rows: list[dict], out: Path) -> None:
    """out/grades.csv has a row for each student, out/details.csv one for each exercise; print the former."""
    heading, table = sums(rows)
    with open(out / "grades.csv", "w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([heading, *table])
    with open(out / "details.csv", "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    widths = [max(map(len, column)) for column in zip(heading, *table)]
    print()
    for line in [heading, *table]:
        print("  ".join(f"{word:{width}}" for word, width in zip(line, widths)).rstrip())
    print(f"\n{out}/grades.csv: these sums. {out}/details.csv: each exercise with what its check said.")
    print(f"{out}/feedback: a page for each notebook. To mark by hand, start JupyterLab in {out}: Nbgrader > Formgrader.")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("submissions", type=Path, help="a folder that holds a folder for each student")
    parser.add_argument("--out", type=Path, default=Path("grades"), help="nbgrader's folder and the tables (grades)")
    parser.add_argument("--seconds", type=int, default=60, help="a cell may run (60)")
    parser.add_argument("--total", type=int, default=600, help="seconds a notebook may run (600)")
    parser.add_argument("--gigabytes", type=float, default=4, help="of memory a notebook may take (4)")
    parser.add_argument("--unsafe", action="store_true", help="without a sandbox: answers can do what you can")
    return parser.parse_args()


def main() -> None:
    settings = arguments()
    warnings.filterwarnings("ignore", module="nbgrader")  # SQLAlchemy's, of no use to who grades
    if not settings.unsafe and not sandbox.best():
        raise Problem(
            "students' code runs in a sandbox only, and neither bwrap nor unshare works here. On Debian and Ubuntu: "
            "sudo apt install bubblewrap. With --unsafe it runs without one, and can read and delete what you can."
        )
    found, strange = handed_in(settings.submissions)
    print("without a sandbox" if settings.unsafe else f"sandbox: {sandbox.best()}")
    for line in strange:
        print(f"left out  {line}")
    settings.out.mkdir(parents=True, exist_ok=True)
    course = Course(settings.out, settings)
    for name in sorted({name for _, name in found}):
        course.source(name)
    rows = []
    for (student, name), path in found.items():
        mine = course.mark(student, name, path)
        print(
            f"{student}  {name}  {sum(row['points'] for row in mine):g} of {sum(row['of'] for row in mine):g}",
            flush=True,
        )
        rows += mine
    write(rows, settings.out)


if __name__ == "__main__":
    try:
        main()
    except Problem as problem:
        sys.exit(f"grade: {problem}")
