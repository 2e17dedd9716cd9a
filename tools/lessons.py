"""Keep the lessons: export them to modules/, execute them, write the repository's address into them.

python tools/lessons.py export                 notebooks/*.ipynb -> modules/*.py
python tools/lessons.py export --check         say which files differ, write nothing
python tools/lessons.py execute 02 03          run lessons, store clean outputs (no number: all of them)
python tools/lessons.py setup                  write the set-up cell into every lesson
python tools/lessons.py address OWNER/NAME     the repository has moved: write its new address everywhere
"""

import argparse
import base64
import hashlib
import io
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
if __name__ == "__main__":
    sys.path[0] = str(ROOT)

from tools.fold import Problem, files  # noqa: E402

NOTEBOOKS = ROOT / "notebooks"
MODULES = ROOT / "modules"

ADDRESS = re.compile(r'^Repository = "https://github\.com/([^"]+)"$', re.M)
BADGE = "[![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)]({url})"
SETUP = """\
# On Colab: fetch the course and install what Colab lacks. Anywhere else this does nothing.
import sys

if "google.colab" in sys.modules:
    !test -d /content/course || git clone -q --depth 1 https://github.com/{address} /content/course
    !{{sys.executable}} -m pip install -q -e /content/course
    %cd -q /content/course/notebooks
    sys.path.insert(0, "/content/course")"""

# An absolute path of somebody's machine. /content is Colab's, the same for everybody.
ABSOLUTE_PATH = re.compile(r"(?<![\w.:/<>~$*\])}-])/(?!content/)(?:[\w.+-]+/)+[\w.+-]*|\b[A-Z]:\\\\?\w+")
COLOURS = 128  # of a stored chart: it looks the same, and a lesson stays under 400 kB
PHOTOGRAPH = 8192  # colours or more


# ---------------------------------------------------------------------------------------------------------- lessons
def lessons(names=()):
    """Paths of the lessons, then the appendices; `names` are numbers (2, 02, A1) or file names, none means all."""
    every = sorted(NOTEBOOKS.glob("[0-9A][0-9]_*.ipynb"))
    if not names:
        return every
    found = []
    for name in names:
        stem = Path(name).stem
        hits = [p for p in every if p.stem == stem or p.stem[:2] == stem.upper().zfill(2)]
        if not hits:
            raise Problem(f"no lesson {name!r}; there are {', '.join(p.stem for p in every) or 'none'}")
        found += hits
    return found


# ----------------------------------------------------------------------------------------------------------- export
def formatted(source, name):
    """`source` as ruff format writes it; `name` only serves the error message."""
    run = subprocess.run(
        [sys.executable, "-m", "ruff", "format", "--config", ROOT / "pyproject.toml", "--stdin-filename", name, "-"],
        input=source,
        capture_output=True,
        text=True,
        encoding="utf-8",
    )
    if run.returncode:
        raise Problem(f"ruff cannot format {name}: {run.stderr.strip()}")
    return run.stdout


def exported(notebook):
    """What a lesson ships: {"irmb.py": source, ...}. A lesson without `#| export` cells ships nothing."""
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    sources = ["".join(cell["source"]) if cell["cell_type"] == "code" else "" for cell in cells]
    return {name: formatted(source, name) for name, source in files(notebook.name, sources).items()}


def export(check=False):
    """Write modules/*.py from the lessons, or with `check` only name the files that differ. Returns their names."""
    owners, different = {}, []
    for notebook in lessons():
        for name, source in exported(notebook).items():
            if name in owners:
                raise Problem(f"{notebook.name} and {owners[name]} both write modules/{name}")
            owners[name] = notebook.name
            path = MODULES / name
            if not path.exists() or formatted(path.read_text(encoding="utf-8"), name) != source:
                different.append(name)
                if not check:
                    path.write_text(source, encoding="utf-8", newline="\n")
            print(f"{'differs ' if check and name in different else 'ok '}modules/{name} <- {notebook.name}")
    return different


# ---------------------------------------------------------------------------------------------------------- execute
def kernel_environment(preset, config_dir):
    """Environment variables under which lessons run here, in tests and when they are stored.

    Quiet (no progress bars), offline, without a look at the user's own Ultralytics settings, `modules` importable.
    """
    python_path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    return {
        "COURSE_PRESET": preset,
        "PYTHONPATH": python_path,
        "TQDM_DISABLE": "1",
        "YOLO_OFFLINE": "true",
        "YOLO_AUTOINSTALL": "false",
        "YOLO_CONFIG_DIR": str(config_dir),
        "WANDB_MODE": "disabled",
        "PYDEVD_DISABLE_FILE_VALIDATION": "1",
    }


def greet_ultralytics(env):
    """Import Ultralytics once, so that the notice about its new settings file stands in nobody's output."""
    subprocess.run([sys.executable, "-c", "import ultralytics"], env=env, capture_output=True)


def smaller_picture(data):
    """A base64 PNG as it is stored: its type and its data.

    A chart keeps its sharp lines as a PNG of COLOURS colours. A photograph has too many of them and becomes a JPEG.
    Where something shines through, the picture stays as it is.
    """
    from PIL import Image

    raw = base64.b64decode(data)
    picture = Image.open(io.BytesIO(raw)).convert("RGBA")
    if picture.getextrema()[3][0] < 255:
        return "image/png", data
    picture, buffer, mime = picture.convert("RGB"), io.BytesIO(), "image/png"
    if picture.getcolors(PHOTOGRAPH) is None:
        picture.save(buffer, "JPEG", quality=75, subsampling=0, optimize=True)
        mime = "image/jpeg"
    else:
        picture.quantize(COLOURS, dither=Image.Dither.NONE).save(buffer, "PNG", optimize=True)
    if len(buffer.getvalue()) >= len(raw):
        return "image/png", data
    return mime, base64.b64encode(buffer.getvalue()).decode() + "\n"


def portable(text):
    """Text without the folders of this machine."""
    text = text.replace(f"{ROOT}{os.sep}", "").replace(str(ROOT), ".")
    return re.sub(r"[\w.+-]*(?:/[\w.+-]+)+/site-packages/", "site-packages/", text)


def clean_output(output):
    """One output without what changes from run to run or tells about this machine."""
    output.pop("metadata", None)
    if output.output_type in ("display_data", "execute_result"):
        output.metadata = {}
        output.data.pop("application/vnd.jupyter.widget-view+json", None)
        for mime, value in [*output.data.items()]:
            if mime == "image/png":
                mime, value = smaller_picture(output.data.pop(mime))
            elif mime.startswith("text/"):
                value = portable(value)
            output.data[mime] = value
    elif output.output_type == "stream":
        output.text = portable(output.text)
    elif output.output_type == "error":  # frames hold paths and line numbers; what teaches is the message
        output.evalue = portable(output.evalue)
        output.traceback = [f"{output.ename}: {output.evalue}"]
    return output


def clean(notebook):
    """The notebook as it is stored: a second run of a deterministic lesson gives the same bytes."""
    notebook.metadata = {
        "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    seen = set()
    for cell in notebook.cells:
        cell.metadata = {key: cell.metadata[key] for key in ("tags", "nbgrader") if key in cell.metadata}
        cell.source = setup_cell() if "setup" in cell.metadata.get("tags", []) else cell.source.rstrip()
        # An id that follows from the text: the same however the notebook was written.
        text = cell.source
        while (cell_id := hashlib.sha1(text.encode()).hexdigest()[:8]) in seen:
            text += "\n"
        seen.add(cell_id)
        cell.id = cell_id
        if cell.cell_type == "code":
            cell.outputs = [clean_output(output) for output in cell.outputs]
    return notebook


def execute(names):
    """Run lessons in their own folder and store their outputs; a lesson that fails is left as it was."""
    import nbformat
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError

    paths = lessons(names)
    with tempfile.TemporaryDirectory() as config_dir:
        env = os.environ | kernel_environment(os.environ.get("COURSE_PRESET", "laptop"), config_dir)
        greet_ultralytics(env)
        for path in paths:
            started = time.perf_counter()
            notebook = nbformat.read(path, as_version=4)
            client = NotebookClient(
                notebook,
                timeout=None,
                kernel_name="python3",
                extra_arguments=["--IPKernelApp.log_level=40"],
                resources={"metadata": {"path": str(path.parent)}},
                coalesce_streams=True,
            )
            try:
                client.execute(env=env)
            except CellExecutionError as error:
                raise Problem(f"{path.name} stopped, nothing stored:\n{error}") from error
            clean(notebook)
            path.write_text(nbformat.writes(notebook) + "\n", encoding="utf-8", newline="\n")
            size = path.stat().st_size / 1000
            print(f"{path.name}: {time.perf_counter() - started:.0f} s, {size:.0f} kB")
            for number, found in leaks(notebook):
                print(f"  cell {number} holds a path of this machine: {found}")


def leaks(notebook):
    """(cell number, path) for every absolute path in a notebook's sources and outputs."""
    for number, cell in enumerate(notebook.cells):
        texts = [cell.source]
        for output in cell.get("outputs", []):
            texts += [output.get("text", ""), output.get("evalue", ""), *output.get("traceback", [])]
            texts += [value for mime, value in output.get("data", {}).items() if mime.startswith("text/")]
        for text in texts:
            for found in ABSOLUTE_PATH.finditer(text):
                yield number, found[0]


# ---------------------------------------------------------------------------------------------------------- address
def address():
    """OWNER/NAME, from the one place where it stands."""
    found = ADDRESS.search((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    if not found:
        raise Problem('pyproject.toml has no line `Repository = "https://github.com/OWNER/NAME"`')
    return found[1]


def badge(notebook):
    """The Open-in-Colab badge of a notebook (a path below the repository), as Markdown."""
    place = notebook.relative_to(ROOT).as_posix()
    return BADGE.format(url=f"https://colab.research.google.com/github/{address()}/blob/main/{place}")


def setup_cell():
    """The source of every lesson's second cell."""
    return SETUP.format(address=address())


def write_setup():
    """Put the set-up cell as it is now into every lesson."""
    import nbformat

    for path in lessons():
        notebook = nbformat.read(path, as_version=4)
        for cell in notebook.cells:
            if "setup" in cell.metadata.get("tags", []):
                cell.source = setup_cell()
        path.write_text(nbformat.writes(notebook) + "\n", encoding="utf-8", newline="\n")


def move(new):
    """Write a new OWNER/NAME over the old one: pyproject.toml, README.md, CONTRIBUTING.md and every notebook."""
    if not re.fullmatch(r"[A-Za-z0-9][\w-]*/[\w.-]+", new):
        raise Problem(f"{new!r} is no OWNER/NAME, such as octocat/hello-world")
    old = re.compile(rf"(github\.com/|colab\.research\.google\.com/github/){re.escape(address())}(?![\w-])")
    for path in [ROOT / "pyproject.toml", ROOT / "README.md", ROOT / "CONTRIBUTING.md", *NOTEBOOKS.rglob("*.ipynb")]:
        text = path.read_text(encoding="utf-8")
        text, count = old.subn(partial(re.Match.expand, template=rf"\g<1>{new}"), text)
        path.write_text(text, encoding="utf-8", newline="\n")
        print(f"{count} in {path.relative_to(ROOT)}")


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    command = commands.add_parser("export", help="notebooks -> modules/*.py")
    command.add_argument("--check", action="store_true", help="write nothing, fail where a file differs")
    command = commands.add_parser("execute", help="run lessons and store clean outputs")
    command.add_argument("lessons", nargs="*", help="numbers or names; default: all")
    commands.add_parser("setup", help="write the set-up cell into every lesson")
    command = commands.add_parser("address", help="write the repository's address everywhere")
    command.add_argument("new", metavar="OWNER/NAME")
    given = parser.parse_args(arguments)
    try:
        if given.command == "export":
            return 1 if export(given.check) and given.check else 0
        if given.command == "execute":
            execute(given.lessons)
        if given.command == "setup":
            write_setup()
        if given.command == "address":
            move(given.new)
    except Problem as problem:
        sys.exit(f"lessons: {problem}")


if __name__ == "__main__":
    sys.exit(main())
