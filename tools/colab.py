"""Run lessons and exercises as Colab does, as far as a machine without Colab can: `make test-colab`.

python tools/colab.py                  each Python of KINDS: 3.12 runs everything, 3.13 the lessons with sliders
python tools/colab.py 00 05            these lessons and their exercises, on each Python
python tools/colab.py --python 3.13    this Python alone
python tools/colab.py --again          also those that have passed at this commit

A Python of its own holds torch, the Jupyter packages of KINDS and a package google.colab. Each notebook then runs from top
to bottom under the smoke preset, in a fresh /content: its set-up cell clones this checkout, as last committed, in place of
the public address. A student's notebook runs untouched, where every check says what is missing, and solved, where each says
"right". A table at the end says which notebooks passed, and the seconds. Stopped, it goes on where it was, as long as the
commit is the same. What the imitation lacks: Colab's GPU, its browser, and all else that Colab has installed.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellControlSignal, DeadKernelError

ROOT = Path(__file__).resolve().parents[1]
if __name__ == "__main__":
    sys.path[0] = str(ROOT)

from tools import lessons  # noqa: E402
from tools.exercises import SOLUTIONS, STUDENTS  # noqa: E402
from tools.fold import Problem  # noqa: E402

CONTENT = Path("/content")
PASSED = ROOT / ".colab.json"  # a commit, and the seconds of each notebook that passed there
# What Jupyter is in each Python: first as Colab ships it, then with the next ipywidgets.
KINDS = {
    "3.12": ["ipykernel==6.17.1", "ipywidgets==7.7.1", "ipython<8", "jupyter-client<8"],
    "3.13": ["ipykernel", "ipywidgets==8.*"],
}
EVERYTHING = "3.12"
SHIPPED = ["torch", "torchvision", "numpy", "matplotlib", "pip", "setuptools"]
KEPT = ("ipykernel", "ipywidgets", "ipython", "jupyter-client", "torch", "torchvision", "numpy")
WIDGET = "application/vnd.jupyter.widget-view+json"
MOVE_SLIDERS = """\
import gc
from modules.course.explorer import Explorer

for explorer in [thing for thing in gc.get_objects() if isinstance(thing, Explorer)]:
    before, slider = explorer.png, next(iter(explorer.sliders.values()))
    slider.value = slider.min if slider.value == slider.max else slider.max
    assert explorer.image.value == explorer.png != before, f"{slider.description} moves, the picture stays"
"""


def uv(*words: object) -> str:
    """What uv prints. It looks for Pythons also among those of pyenv that are not switched on."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    path = os.pathsep.join([*map(str, sorted(pyenv.glob("versions/*/bin"))), os.environ["PATH"]])
    command = [sys.executable, "-m", "uv", *map(str, words)]
    return subprocess.run(command, check=True, text=True, capture_output=True, env=os.environ | {"PATH": path}).stdout


def find_python(version: str) -> str | None:
    """A Python of this version on this machine, or None."""
    try:
        return uv("python", "find", "--system", "--no-python-downloads", version).strip()
    except subprocess.CalledProcessError:
        return None


def make_python(folder: Path, version: str) -> Path:
    """A Python with what Colab ships, in which google.colab is imported from the start."""
    uv("venv", "-q", "--python", find_python(version), folder)
    python = folder / "bin" / "python"
    uv("pip", "install", "-q", "--python", python, *KINDS[version], *SHIPPED)
    site = next(folder.glob("lib/python3*/site-packages"))
    (site / "google" / "colab").mkdir(parents=True)
    (site / "google" / "colab" / "__init__.py").touch()
    (site / "colab.pth").write_text("import google.colab\n")
    return python


def versions(python: Path) -> dict[str, str]:
    listed = json.loads(uv("pip", "list", "--python", python, "--format", "json"))
    return {package["name"]: package["version"] for package in listed if package["name"] in KEPT}


def with_explorer() -> list[Path]:
    """The lessons with sliders."""
    return [path for path in lessons.lessons() if "Explorer(" in path.read_text(encoding="utf-8")]


def notebooks(numbers: list[str]) -> list[Path]:
    """Lessons, students' notebooks and solved ones with these numbers; no number means all."""
    every = [*lessons.lessons(), *sorted(STUDENTS.glob("[0-9]*.ipynb")), *sorted(SOLUTIONS.glob("[0-9]*.ipynb"))]
    numbers, known = [number.upper().zfill(2) for number in numbers], {path.stem[:2] for path in every}
    if unknown := sorted(set(numbers) - known):
        raise Problem(f"no notebook {', '.join(unknown)}; there are {', '.join(sorted(known))}")
    return [path for path in every if not numbers or path.stem[:2] in numbers]


def make_kernel(python: Path, folder: Path) -> None:
    """A kernel named colab that runs `python`."""
    kernel = folder / "share" / "kernels" / "colab"
    kernel.mkdir(parents=True)
    words = [str(python), "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    (kernel / "kernel.json").write_text(json.dumps({"argv": words, "display_name": "colab", "language": "python"}))
    os.environ["JUPYTER_PATH"] = str(folder / "share")


def environment(folder: Path) -> dict[str, str]:
    """The kernel's: no module of this checkout in sight, its clone in place of the public address, pip without settings.

    Settings of this machine may cap torch, which uv does not read: the set-up cell would then replace what uv installed.
    """
    env = os.environ | lessons.kernel_environment("smoke", folder / "settings")
    env |= {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": f"url.file://{ROOT}.insteadOf"}
    env |= {"GIT_CONFIG_VALUE_0": f"https://github.com/{lessons.address()}"}
    return env | {
        "PYTHONPATH": "",
        "PIP_CONFIG_FILE": os.devnull,
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",
    }


def run(path: Path, env: dict[str, str], set_up: int = 1) -> None:
    """Run a notebook in a fresh /content, its set-up cell `set_up` times.

    Raises:
        Problem: a cell failed, the notebook does not say what it should, or a slider moves nothing.
    """
    notebook = nbformat.read(path, as_version=4)
    notebook.cells[2:2] = [nbformat.from_dict(notebook.cells[1]) for _ in range(set_up - 1)]
    notebook.cells.append(nbformat.v4.new_code_cell(MOVE_SLIDERS))
    client = NotebookClient(notebook, timeout=900, kernel_name="colab", resources={"metadata": {"path": str(CONTENT)}})
    try:
        client.execute(env=env)
    except (CellControlSignal, DeadKernelError) as error:
        raise Problem(str(error)) from error
    finally:
        shutil.rmtree(CONTENT / "course", ignore_errors=True)
    look(notebook, "right" if path.parent == SOLUTIONS else "not yet")


def look(notebook: nbformat.NotebookNode, verdict: str) -> None:
    """Look for what a notebook shows without stopping: packages that do not fit, a widget that fails, a wrong verdict."""
    for number, cell in enumerate(notebook.cells):
        outputs = cell.get("outputs", [])
        said = "".join(output.get("text", "") for output in outputs)
        tags = cell.metadata.get("tags", [])
        if "setup" in tags and "ERROR" in said:
            raise Problem(f"the set-up cell says {said}")
        if any(output.output_type == "error" for output in outputs) and "raises-exception" not in tags:
            raise Problem(f"cell {number} shows an error:\n{cell.source}\n{outputs}")
        if "Explorer(" in cell.source and not any(WIDGET in output.get("data", {}) for output in outputs):
            raise Problem(f"cell {number} shows no sliders:\n{cell.source}")
        if cell.metadata.get("nbgrader", {}).get("grade") and verdict not in said:
            raise Problem(f"cell {number} does not say {verdict!r}:\n{cell.source}\n{said}")


def commit() -> str:
    command = ["git", "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    return subprocess.run(command, cwd=ROOT, check=True, text=True, capture_output=True).stdout.strip()


def passed_before(now: str) -> dict[str, float]:
    """The seconds of each notebook that has passed at this commit; none where files are changed and not committed."""
    if not PASSED.exists() or now.endswith("-dirty"):
        return {}
    stored = json.loads(PASSED.read_text(encoding="utf-8"))
    return stored["passed"] if stored["commit"] == now else {}


def title(version: str, path: Path) -> str:
    return f"{version}  {path.relative_to(ROOT / 'notebooks').as_posix()}"


def imitate(version: str, paths: list[Path]) -> Iterator[tuple[str, float, str]]:
    """Run notebooks on one Python. Gives the title of each, its seconds, and what failed (empty: nothing did)."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        python = make_python(folder / "python", version)
        make_kernel(python, folder)
        before, env = versions(python), environment(folder)
        print(f"Python {version}:", ", ".join(" ".join(package) for package in before.items()), flush=True)
        for number, path in enumerate(paths):
            started, failure = time.perf_counter(), ""
            try:
                run(path, env, set_up=1 if number else 2)  # twice is nothing special; once tried is enough
            except Problem as problem:
                failure = str(problem)
            yield title(version, path), time.perf_counter() - started, failure
        after = versions(python)
    if before != after:
        yield f"{version}  what Colab ships", 0, f"the set-up cell changed {before} to {after}"


def run_all(plan: dict[str, list[Path]], again: bool) -> bool:
    """Run what has not passed at this commit, say so line by line, then in a table. Returns whether all passed."""
    now, failed = commit(), []
    seconds = {} if again else passed_before(now)
    names = [title(version, path) for version, paths in plan.items() for path in paths]
    for version, paths in plan.items():
        left = [path for path in paths if title(version, path) not in seconds]
        for name, took, failure in imitate(version, left) if left else []:
            print(f"{name}: {'FAILED' if failure else 'passed'}, {took:.0f} s\n{failure}".rstrip(), flush=True)
            seconds[name] = took
            failed += [name] if failure else []
            passed = {name: took for name, took in seconds.items() if name not in failed}
            PASSED.write_text(json.dumps({"commit": now, "passed": passed}, indent=1), encoding="utf-8")
    rows = list(dict.fromkeys([*names, *failed]))
    print(f"\n{'Python and notebook':60} seconds")
    for name in rows:
        print(f"{name:60} {seconds[name]:7.0f}  {'FAILED' if name in failed else 'passed'}")
    print(f"{len(rows) - len(failed)} of {len(rows)} passed")
    return not failed


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("notebooks", nargs="*", help="numbers of lessons, such as 00 or A1")
    parser.add_argument("--python", choices=KINDS, help="run on this Python only")
    parser.add_argument("--again", action="store_true", help="run also what has passed at this commit")
    given = parser.parse_args()
    chosen = [given.python] if given.python else list(KINDS)
    try:
        named = notebooks(given.notebooks)
        plan = {v: named if given.notebooks or v == EVERYTHING else with_explorer() for v in chosen}
    except Problem as problem:
        sys.exit(f"colab: {problem}")
    missing = [version for version in chosen if not find_python(version)]
    if missing == chosen:
        sys.exit(f"This needs Python {' or '.join(missing)}; uv finds none. Install one, then try again.")
    if (CONTENT / "course").exists():
        sys.exit(f"{CONTENT}/course is there already: this would be overwritten. Move it away first.")
    try:
        CONTENT.mkdir(exist_ok=True)
    except PermissionError:
        sys.exit(
            "Colab works in /content. Make that folder and let yourself write to it: sudo install -d -o $USER /content"
        )
    all_passed = run_all({version: plan[version] for version in chosen if version not in missing}, given.again)
    if missing:
        print(f"Not run, since uv finds no such Python here: {', '.join(missing)}")
    sys.exit(not all_passed)


if __name__ == "__main__":
    main()
