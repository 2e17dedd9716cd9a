"""Modules carried into a fork of Ultralytics work there without this repository; refusals write nothing."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import ultralytics
import yaml
from ultralytics.nn.tasks import ClassificationModel

from modules.course import pages
from modules.course.costs import Costs
from modules.course.errors import InputError
from modules.course.results import trained
from modules.course.vendor import IMPORT, PACKAGE, vendor
from modules.registry import REGISTERED

ROOT = Path(__file__).parents[1]
FORK = ROOT / "tests" / "versions" / "fork.py"


@pytest.mark.parametrize("step", ["trains", "places", "inside", "workers"])
def test_fork_of_the_installed_ultralytics(step, tmp_path):
    """`make test-versions` runs the same steps with older ones."""
    run = subprocess.run([sys.executable, FORK, step, tmp_path], capture_output=True, text=True)
    assert run.returncode == 0, run.stdout + run.stderr[-3000:]


def test_the_page_of_the_modules_is_not_stale():
    assert pages.PAGE.read_text(encoding="utf-8") == pages.page(), "run `make modules`"


SECTIONS = pages.page().split("\n## ")[1:]


def test_the_page_has_one_table_of_all_models():
    """It is made of the csv files, so a new training or measurement makes the page stale."""
    table, *sections = SECTIONS
    files = re.findall(r"\[(\w+\.py)\]", table)
    assert files == [text.split("\n")[0] for text in sections] and "stock" in table
    for name in ("yolo11n", "yolo11n-RepViT"):
        row = next(line for line in table.splitlines() if line.startswith(f"| {name},"))
        assert trained([name])[name].text() in row and Costs().text(name, "fused", threads=1) in row


@pytest.mark.parametrize("section", SECTIONS[1:], ids=lambda text: text.split("\n")[0])
def test_what_the_page_says_of_a_module_is_enough(section, tmp_path):
    """Its files and its line register it, and its row builds, by what stands on the page."""
    row = yaml.safe_load(re.search(r"`- (.*?)`", section)[1])
    made = vendor(make_package(tmp_path), [row[2]])
    named = set(re.findall(r"\[`(\w+\.py)`\]", section))
    assert {path.name for path in made.glob("*.py")} == named | {
        "__init__.py",
        "registry.py",
        "surgery.py",
        "errors.py",
    }
    assert re.search(r"register\(.*?\)", section)[0] in (made / "__init__.py").read_text()
    entry = REGISTERED[row[2]]
    arguments = [0.25] if entry.is_backbone else row[3]
    model = {"nc": 1, "backbone": [[-1, 1, "Conv", [16, 3, 2]]] * (not entry.is_backbone), "head": []}
    model["backbone"] = [*model["backbone"], [-1, row[1], row[2], arguments]]
    last = len(model["backbone"]) - 1 + 4 * entry.is_backbone
    model["head"] = [[last, 1, "Classify", ["nc"]]]
    assert ClassificationModel(model, verbose=False).model[len(model["backbone"]) - 1] is not None


def make_package(folder):
    (folder / "__init__.py").write_text("")
    return folder


def test_vendoring_twice_adds_one_line_and_one_folder(tmp_path, capsys):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "__init__.py").write_text('"""Mine."""\n')
    for classes in (["EMO_1M"], ["EMO_1M", "TinyNet"]):
        folder = vendor(tmp_path / "mine", classes)
    assert (tmp_path / "mine" / "__init__.py").read_text().splitlines().count(IMPORT) == 1
    assert {p.name for p in folder.glob("*.py")} >= {"__init__.py", "emo.py", "irmb.py", "registry.py", "tinynet.py"}
    assert {p.name for p in (folder / "cfg").iterdir()} == {"yolo11-EMO.yaml", "yolo11-TinyNet.yaml"}
    assert "to undo" in capsys.readouterr().out


def test_a_block_with_repeats_is_registered_so(tmp_path):
    (tmp_path / "__init__.py").write_text("")
    folder = vendor(tmp_path, ["C2f_iRMB", "iRMB"])
    text = (folder / "__init__.py").read_text()
    assert "register(C2f_iRMB, repeats=True)" in text and "register(iRMB)\n" in text


def make_taken(tmp_path):
    make_package(tmp_path)
    (tmp_path / "block.py").write_text("class EMO_1M:\n    pass\n")
    return tmp_path


def make_foreign(tmp_path):
    make_package(tmp_path)
    (tmp_path / PACKAGE).mkdir()
    (tmp_path / PACKAGE / "__init__.py").write_text("# mine\n")
    return tmp_path


REFUSED = {
    "no package": (lambda tmp: tmp, ["EMO_1M"], "holds no Python package"),
    "no such folder": (lambda tmp: tmp / "nowhere", ["EMO_1M"], "holds no Python package"),
    "a file": (lambda tmp: Path(__file__), ["EMO_1M"], "holds no Python package"),
    "the installed package": (lambda tmp: Path(ultralytics.__file__).parent, ["EMO_1M"], "pip installed this package"),
    "the course itself": (lambda tmp: ROOT / "modules", ["EMO_1M"], "the course itself"),
    "an unknown class": (lambda tmp: tmp, ["EMO_9M"], "Did you mean 'EMO_"),
    "a stock class": (lambda tmp: tmp, ["Conv"], "There is no class 'Conv'"),
    "a class of that name": (make_taken, ["EMO_1M"], "has a class EMO_1M of its own"),
    "a folder of that name": (make_foreign, ["EMO_1M"], "was not made by vendor"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refusals_say_why_and_write_nothing(case, tmp_path):
    make, classes, message = REFUSED[case]
    place = make(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(InputError, match=message):
        vendor(place, classes)
    assert sorted(tmp_path.rglob("*")) == before
