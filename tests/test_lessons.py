"""Every lesson has the form that learners and tools rely on, and modules/ is what the lessons export."""

import base64
import io
import re
import statistics
import subprocess
import sys
from types import ModuleType, SimpleNamespace

import nbformat
import numpy as np
import pytest
from IPython.core.inputtransformer2 import TransformerManager
from PIL import Image

from tools import lessons

LESSONS = lessons.lessons()
TAGS = {"setup", "nbval-ignore-output", "raises-exception"}

every_lesson = pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)


def read(path):
    return nbformat.read(path, as_version=4)


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code" and cell.source.strip()]


def test_lessons_begin_with_00_and_share_no_number():
    numbers = [path.stem[:2] for path in LESSONS]
    assert numbers[:1] == ["00"] and numbers == sorted(numbers) and len(set(numbers)) == len(numbers)


@every_lesson
def test_title_cell(path):
    cell = read(path).cells[0]
    assert cell.cell_type == "markdown"
    title, blank, badge, *rest = cell.source.split("\n")
    assert re.fullmatch(rf"# {path.stem[:2]} · \S.*", title) and not blank
    assert badge == lessons.badge(path), "the badge must open this very notebook: python tools/lessons.py address"
    assert re.search(r"^\*\*You will build\*\* ", "\n".join(rest), re.M)
    assert re.search(r"\*\*Time\*\* about \d+ minutes(, and \d+ of computing)? · \*\*Before this\*\* ", "\n".join(rest))


@every_lesson
def test_setup_cell(path):
    cells = read(path).cells
    assert cells[1].source == lessons.setup_cell(), "run: python tools/lessons.py setup"
    assert [cell for cell in cells if "setup" in cell.metadata.get("tags", [])] == [cells[1]]


@every_lesson
def test_cells_are_few_and_short(path):
    notebook = read(path)
    lines = [
        sum(line.strip() != "" and not line.lstrip().startswith("#") for line in cell.source.splitlines())
        for cell in code_cells(notebook)
    ]
    assert len(notebook.cells) <= 90, "cut the lesson to its idea, or move a part to an appendix"
    assert statistics.median(lines) <= 6, "one idea a cell: split the long ones"


@every_lesson
def test_stored_as_executed_from_top_to_bottom(path):
    cells = code_cells(read(path))
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1)), (
        f"run: python tools/lessons.py execute {path.stem[:2]}"
    )


@every_lesson
def test_stored_errors_are_meant(path):
    for number, cell in enumerate(read(path).cells):
        failed = any(output.output_type == "error" for output in cell.get("outputs", []))
        meant = "raises-exception" in cell.metadata.get("tags", [])
        assert failed == meant, (
            f"cell {number}: {'an error without' if failed else 'no error, but'} the tag raises-exception"
        )


@every_lesson
def test_metadata(path):
    notebook = read(path)
    assert notebook.metadata.kernelspec.name == "python3"
    assert "widgets" not in notebook.metadata
    ids = [cell.id for cell in notebook.cells]
    assert len(set(ids)) == len(ids)
    for number, cell in enumerate(notebook.cells):
        assert set(cell.metadata) <= {"tags", "nbgrader"}, f"cell {number}: {dict(cell.metadata)}"
        assert set(cell.metadata.get("tags", [])) <= TAGS, f"cell {number}: allowed tags are {sorted(TAGS)}"


@every_lesson
def test_no_path_of_the_authors_machine(path):
    assert list(lessons.leaks(read(path))) == []


@every_lesson
def test_pictures_in_the_text_have_alt_text_and_exist(path):
    for cell in read(path).cells:
        if cell.cell_type == "markdown":
            for alt, target in re.findall(r"!\[([^\]]*)\]\(([^)\s]+)", cell.source):
                assert alt.strip(), f"no alt text for {target}"
                assert target.startswith("https://") or (path.parent / target).exists(), f"{target} is missing"


@every_lesson
def test_size(path):
    assert path.stat().st_size < 400_000


@every_lesson
def test_no_exported_cell_is_long(path):
    """A class grows over several cells: constructor, stages, forward, each with the reason before it."""
    exported = [
        (number, cell.source) for number, cell in enumerate(read(path).cells) if cell.source.startswith("#| ex")
    ]
    long = {f"cell {number}": lines for number, source in exported if (lines := source.count("\n") + 1) > 35}
    assert long == {}, "split it: `class X(X):` in a later cell goes on with the class"


@every_lesson
def test_cells_are_formatted(path):
    """What the lesson shows is what stands in the file, line breaks included."""
    run = subprocess.run(
        [sys.executable, "-m", "ruff", "format", "--diff", path], cwd=lessons.ROOT, capture_output=True
    )
    assert run.returncode == 0, f"run: python -m ruff format {path.name}\n{run.stdout.decode()}"


def test_the_folded_table_of_arguments_is_right():
    """In lesson 00 it stands in the text, folded, where no cell can print it."""
    from ultralytics.cfg import DEFAULT_CFG_DICT

    from modules.course.presets import PRESETS

    text = "\n".join(cell.source for cell in read(LESSONS[0]).cells if cell.cell_type == "markdown")
    rows = re.findall(r"^\| `(\w+)` \| \S+ \| (\S+) \| (\S+) \|", text, re.M)
    laptop = {**DEFAULT_CFG_DICT, **PRESETS["laptop"].settings()}
    assert rows == [(name, str(DEFAULT_CFG_DICT[name]), str(laptop[name])) for name, *_ in rows] and len(rows) == 11


def test_modules_are_what_the_lessons_export():
    assert lessons.export(check=True) == [], "run `make modules` (edit the lesson, not the file)"


def test_every_module_comes_from_a_lesson():
    shipped = {name for path in LESSONS for name in lessons.exported(path)}
    written = {path.name for path in lessons.MODULES.glob("*.py")} - {"__init__.py", "__main__.py"}
    assert written == shipped


def run_setup(monkeypatch):
    """Run the set-up cell as IPython would. Returns its calls and sys.path afterwards."""
    calls = []
    shell = SimpleNamespace(
        system=lambda command: calls.append(("system", command)),
        run_line_magic=lambda name, line, *rest: calls.append((name, line)),
    )
    monkeypatch.setattr(sys, "path", list(sys.path))
    source = TransformerManager().transform_cell(lessons.setup_cell())
    exec(source, {"get_ipython": lambda: shell})
    return calls, sys.path


def test_setup_cell_on_colab(monkeypatch):
    for name in ("google", "google.colab"):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    calls, path = run_setup(monkeypatch)
    assert [name for name, _ in calls] == ["system", "system", "cd"]
    clone, install, folder = (line for _, line in calls)
    there = "test -d /content/course || "  # a second run is quiet
    assert clone == f"{there}git clone -q --depth 1 https://github.com/{lessons.address()} /content/course"
    install = install.split()[1:]
    assert install == ["-m", "pip", "install", "-q", "-e", "/content/course"], "Colab's own torch must stay as it is"
    assert folder.split()[-1] == "/content/course/notebooks"
    assert path[0] == "/content/course"


def test_setup_cell_elsewhere(monkeypatch):
    monkeypatch.delitem(sys.modules, "google.colab", raising=False)
    before = list(sys.path)
    assert run_setup(monkeypatch) == ([], before)


# ------------------------------------------------------------------------------------------------ tools/lessons.py
def notebook(*sources):
    """A small lesson; a source that starts with # is Markdown."""
    v4 = nbformat.v4
    cells = [v4.new_markdown_cell(s) if s.startswith("# ") else v4.new_code_cell(s) for s in sources]
    return v4.new_notebook(cells=cells)


@pytest.fixture
def scratch(tmp_path, monkeypatch):
    """tools/lessons.py at work on an empty course instead of this one, whose lessons do not use Ultralytics."""
    monkeypatch.setattr(lessons, "greet_ultralytics", lambda env: None)
    for name, folder in {"ROOT": ".", "NOTEBOOKS": "notebooks", "MODULES": "modules"}.items():
        monkeypatch.setattr(lessons, name, tmp_path / folder)
        (tmp_path / folder).mkdir(exist_ok=True)
    for name in ("pyproject.toml", "README.md", "CONTRIBUTING.md"):
        (tmp_path / name).write_text('[project.urls]\nRepository = "https://github.com/old/place"\n')
    return tmp_path


def test_export(scratch):
    cells = [
        "# 07 · Things",
        "#| default_exp things",
        '#| export\n"""Things."""',
        "#| export\nfrom __future__ import annotations\nfrom modules.irmb import (\n    iRMB,\n)\nfrom modules import other",
        "a = 'not shipped'",
        "#| export\ndef thing():\n    '''As in\n    from modules.things import thing\n    '''\n    from modules.more import x\n    return x",
        '#| export more\n"""More."""\nx  =  1',
    ]
    nbformat.write(notebook(*cells), scratch / "notebooks/07_things.ipynb")
    assert lessons.main(["export", "--check"]) == 1 and not list(lessons.MODULES.iterdir())
    assert lessons.main(["export"]) == 0
    things = (lessons.MODULES / "things.py").read_text()
    assert things.startswith(
        '# Written by notebooks/07_things.ipynb. Edit the lesson, then run `make modules`.\n"""Things."""\n'
    )
    assert "from .irmb import iRMB" in things or "from .irmb import (\n    iRMB,\n)" in things
    assert "\nfrom . import other\n" in things and "\n    from .more import x\n" in things
    assert "from modules.things import thing" in things, "text is text, even where it looks like an import"
    assert "not shipped" not in things and "# %%" not in things and "__all__" not in things
    assert (lessons.MODULES / "more.py").read_text().endswith('\n"""More."""\n\nx = 1\n')
    assert lessons.main(["export", "--check"]) == 0
    (lessons.MODULES / "more.py").write_text("x = 2\n")
    assert lessons.export(check=True) == ["more.py"]


def test_two_lessons_must_not_write_one_file(scratch):
    for name in ("07_a", "08_b"):
        nbformat.write(notebook("#| default_exp same", "#| export\nx = 1"), scratch / f"notebooks/{name}.ipynb")
    with pytest.raises(SystemExit, match="both write modules/same.py"):
        lessons.main(["export"])


def test_execute_stores_the_same_bytes_twice_and_nothing_of_this_machine(scratch):
    path = scratch / "notebooks/07_things.ipynb"
    draft = notebook("# 07 · Things", "import json, os\nprint(os.getcwd())\njson.__file__", "1 / 0", "1 + 1", "1 + 1")
    draft.cells[2].metadata = {"tags": ["raises-exception"], "scrolled": True}
    draft.cells.append(nbformat.v4.new_code_cell("pass", metadata={"tags": ["setup"]}))
    nbformat.write(draft, path)
    lessons.main(["execute", "7"])
    first = path.read_bytes()
    stored = read(path)
    assert [cell.get("execution_count") for cell in stored.cells] == [None, 1, 2, 3, 4, 5]
    assert stored.cells[1].outputs[0].text == "notebooks\n"
    assert stored.cells[2].outputs[0].traceback == ["ZeroDivisionError: division by zero"]
    assert stored.cells[2].metadata == {"tags": ["raises-exception"]}
    assert stored.cells[5].source == lessons.setup_cell()
    lessons.main(["execute", "07_things"])
    assert path.read_bytes() == first


def test_a_lesson_that_fails_is_left_as_it_was(scratch):
    path = scratch / "notebooks/07_things.ipynb"
    nbformat.write(notebook("x = 1", "x / 0"), path)
    before = path.read_bytes()
    with pytest.raises(SystemExit, match="(?s)07_things.ipynb stopped, nothing stored.*ZeroDivisionError"):
        lessons.main(["execute"])
    assert path.read_bytes() == before


def test_unknown_lesson_is_named_beside_those_there_are(scratch):
    nbformat.write(notebook("x = 1"), scratch / "notebooks/07_things.ipynb")
    with pytest.raises(SystemExit, match="no lesson '9'; there are 07_things"):
        lessons.main(["execute", "9"])


def test_address_moves_in_one_go(scratch):
    path = scratch / "notebooks/07_things.ipynb"
    nbformat.write(notebook("# 07 · Things\n\n" + lessons.badge(path), lessons.setup_cell()), path)
    lessons.main(["address", "new-owner/new.place"])
    assert lessons.address() == "new-owner/new.place"
    assert lessons.badge(path) in read(path).cells[0].source and read(path).cells[1].source == lessons.setup_cell()
    assert not [p for p in scratch.rglob("*.*") if p.is_file() and "old/place" in p.read_text()]
    with pytest.raises(SystemExit, match="no OWNER/NAME"):
        lessons.main(["address", "https://github.com/a/b"])


@pytest.mark.parametrize("text", ["/home/ann/x.py", "saved to /tmp/run/best.pt", "'/opt/a/b'", r"C:\Users\ann"])
def test_leaks_are_found(text):
    assert list(lessons.leaks(notebook("# text", f"s = '{text}'")))


@pytest.mark.parametrize(
    "text", ["/content/course/notebooks", "https://a.org/b/c", "and/or/not", "P3/8", "x /= 2", "1 // 2 / 3"]
)
def test_what_is_no_leak(text):
    assert not list(lessons.leaks(notebook("# text", f"s = '{text}'")))


def as_png(picture):
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "PNG")
    return base64.b64encode(buffer.getvalue()).decode()


@pytest.mark.parametrize(("noise", "mime"), [(2, "image/png"), (8, "image/jpeg")])
def test_stored_pictures_are_smaller_and_look_the_same(noise, mime):
    """A chart stays a PNG, a photograph becomes a JPEG."""
    noise = np.random.default_rng(0).integers(0, noise, (200, 200, 3))
    picture = (np.indices((200, 200)).sum(0)[..., None] // 2 + noise).astype("uint8")
    before = as_png(picture)
    found, after = lessons.smaller_picture(before)
    assert found == mime and len(after) < len(before) / 2 and lessons.smaller_picture(before) == (found, after)
    stored = np.asarray(Image.open(io.BytesIO(base64.b64decode(after))).convert("RGB"))
    assert np.abs(stored.astype(int) - picture).mean() < 3
    output = nbformat.v4.new_output("display_data", {"image/png": before, "text/plain": "<Figure>"})
    assert lessons.clean_output(output).data == {mime: after, "text/plain": "<Figure>"}
    assert lessons.clean_output(output).data == {mime: after, "text/plain": "<Figure>"}  # it is stored already


def test_a_picture_that_something_shines_through_is_kept():
    see_through = as_png(np.random.default_rng(0).integers(0, 255, (50, 50, 4)).astype("uint8"))
    assert lessons.smaller_picture(see_through) == ("image/png", see_through)
