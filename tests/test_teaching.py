"""TEACHING.md, and the bundle for rooms without internet."""

import json
import re
import sys
import zipfile

import pytest

from modules.course import results
from tools import bundle, install, lessons

PAGE = (lessons.ROOT / "TEACHING.md").read_text(encoding="utf-8")


def title(path):
    return "".join(json.loads(path.read_text(encoding="utf-8"))["cells"][0]["source"])


@pytest.mark.parametrize("path", lessons.lessons(), ids=lambda path: path.stem)
def test_every_lesson_has_its_row_with_the_minutes_of_the_heads(path):
    minutes = re.search(r"\*\*Time\*\* about (\d+) minutes", title(path))[1]
    exercises = lessons.NOTEBOOKS / "exercises" / path.name
    theirs = re.search(r"about (\d+) minutes", title(exercises))[1] + " " if exercises.exists() else ""
    row = rf"^\| \[{path.stem[:2]}\]\(notebooks/{path.name}\) \| .+ \| {minutes} \| (\d* ?)\| {theirs}\|$"
    found = re.search(row, PAGE, re.M)
    assert found, f"TEACHING.md lacks the row {row}"
    said = re.search(r"\*\*Time\*\*.+ and (?:about )?(\d+) (?:minutes )?of computing", title(path))
    assert not said or said[1] == found[1].strip(), "minutes of computing differ from those of the lesson's head"


TRAINED = {  # lesson -> what its training cells train, and for how much of the comparison's epochs
    "00": (["yolo11n-TinyNet"], 1),
    "03": (["yolo11n-EMO"], 1),
    "04": (["yolov10n-iRMB", "yolov10n-C2f_iRMB"], 0.5),
    "05": (["yolo11n-RepViT"], 1),
    "06": (["yolo11n-FasterNet"], 1),
    "07": (["yolo11n-RevColV1"], 0.5),
    "capstone": (["yolo11n-TinyNet"], 3),
}


def minutes_of(names, part=1):
    models = results.trained(names)
    return part * sum(model.of("cpu_seconds").min() for model in models.values()) / 60  # other work adds to the others


@pytest.mark.parametrize("lesson", TRAINED)
def test_minutes_of_computing_are_those_that_the_comparison_measured(lesson):
    said = re.search(rf"^\| \[{lesson}\].+ \| (\d+) \| \d+ \|$", PAGE, re.M)[1]
    names, part = TRAINED[lesson]
    assert minutes_of(names, part) == pytest.approx(int(said), abs=1)


def test_minutes_of_one_training_are_those_that_the_comparison_measured():
    line = re.search(r"minutes of one core: (.+?) \|", PAGE)[1]
    found = re.findall(r"(?:5 to )?(\d+) \(([\w-]+(?:, \w+)*)\)", line)
    assert len(found) == line.count("(") > 4
    for said, names in found:
        for name in names.split(", "):
            assert minutes_of([name if "-" in name else f"yolo11n-{name}"]) == pytest.approx(int(said), abs=1)


def test_packages_of_the_bundle():
    found = bundle.packages(bundle.NAME, "lab", bundle.TORCH)
    assert {"ultralytics", "timm", "einops", "jupyterlab", "ipykernel", "numpy"} <= set(found)
    assert not {"torch", "torchvision", "triton", bundle.NAME, "nbgrader", "ruff"} & set(found)
    assert {"torch", "torchvision"} <= set(bundle.packages(bundle.NAME, "lab", set()))


def test_bundle_holds_what_git_keeps_and_the_wheels(tmp_path, monkeypatch):
    monkeypatch.setattr(bundle, "OUT", tmp_path)
    wheel = tmp_path / "one-1.0-py3-none-any.whl"
    wheel.write_bytes(b"wheel")
    monkeypatch.setattr(bundle, "files", lambda: [bundle.ROOT / "README.md", bundle.ROOT / "modules" / "irmb.py"])
    with zipfile.ZipFile(bundle.write([wheel])) as archive:
        names = {name.removeprefix(f"{bundle.NAME}/") for name in archive.namelist()}
    assert names == {"README.md", "modules/irmb.py", "install.py", f"wheels/{wheel.name}"}


def test_files_of_the_bundle():
    names = {path.relative_to(bundle.ROOT).as_posix() for path in bundle.files()}
    assert {
        "notebooks/00_start_here.ipynb",
        "datasets/fire/fire.yaml",
        "modules/registry.py",
        "pyproject.toml",
    } <= names
    assert not any(name.startswith((".venv", "bundle", "my/", "grades")) for name in names)


def test_install_says_what_is_missing(tmp_path, monkeypatch):
    monkeypatch.setattr(install, "WHEELS", tmp_path / "wheels")
    with pytest.raises(SystemExit, match="make check"):
        install.main()
    (tmp_path / "wheels").mkdir()
    monkeypatch.setattr(install.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(SystemExit, match="torch and torchvision missing in .*" + re.escape(sys.executable)):
        install.main()
