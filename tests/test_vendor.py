"""Modules carried into a fork of Ultralytics work there without this repository; refusals write nothing."""

import os
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
import ultralytics

from modules.course.errors import InputError
from modules.course.fire import fire_pictures
from modules.course.vendor import IMPORT, PACKAGE, vendor

CLASSES = ["EMO_1M", "repvit_m0_9", "revcol_tiny", "C2f_iRMB"]
MODELS = ["yolo11n-EMO.yaml", "yolo11n-RepViT.yaml", "yolo11n-RevColV1.yaml", "yolov10n-C2f_iRMB.yaml"]
ROOT = Path(__file__).parents[1]


@pytest.fixture
def fork(tmp_path):
    """A source tree of Ultralytics: the installed package, copied."""
    shutil.copytree(
        Path(ultralytics.__file__).parent,
        tmp_path / "fork" / "ultralytics",
        ignore=shutil.ignore_patterns("__pycache__", "assets"),
    )
    return tmp_path / "fork"


def run_in(folder, code):
    """Run code that sees the fork and not this repository."""
    env = os.environ | {"PYTHONPATH": str(folder), "PYTHONSAFEPATH": "1"}
    guard = f"import sys\nsys.path[:] = [p for p in sys.path if p != {str(ROOT)!r}]\nsys.modules['modules'] = None\n"
    run = subprocess.run(
        [sys.executable, "-c", guard + textwrap.dedent(code)], cwd=folder, env=env, capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr[-2000:]
    return run.stdout


def test_a_fork_builds_trains_and_loads_without_this_repository(fork, tmp_path):
    vendor(fork, CLASSES)
    for part in ("images", "labels"):
        (tmp_path / "set" / part).mkdir(parents=True)
    for picture in fire_pictures("train", kind="campfire")[:4]:
        shutil.copy(picture, tmp_path / "set" / "images")
        shutil.copy(picture.parents[1] / "labels" / f"{picture.stem}.txt", tmp_path / "set" / "labels")
    (tmp_path / "set.yaml").write_text(f"path: {tmp_path / 'set'}\ntrain: images\nval: images\nnames: [fire]\n")
    printed = run_in(
        fork,
        f"""
        from ultralytics import YOLO
        import ultralytics
        assert ultralytics.__file__.startswith({str(fork)!r})
        print(*[sum(p.numel() for p in YOLO(name).model.parameters()) for name in {MODELS}])
        yolo = YOLO("yolo11n-EMO.yaml")
        yolo.train(data={str(tmp_path / "set.yaml")!r}, epochs=1, imgsz=64, batch=4, workers=0, plots=False,
                   device="cpu", project={str(tmp_path / "runs")!r}, name="r", verbose=False)
        """,
    )
    from ultralytics import YOLO

    ours = " ".join(str(sum(p.numel() for p in YOLO(name).model.parameters())) for name in MODELS)
    assert ours in printed
    weights = tmp_path / "runs" / "r" / "weights" / "last.pt"
    loaded = run_in(
        fork,
        f"""
        from ultralytics import YOLO
        print(type(YOLO({str(weights)!r}).model.model[0]).__module__)
        """,
    )
    assert f"ultralytics.{PACKAGE}.emo" in loaded


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
    (tmp_path / "__init__.py").write_text("")
    (tmp_path / "block.py").write_text("class EMO_1M:\n    pass\n")
    return tmp_path


def make_foreign(tmp_path):
    (tmp_path / "__init__.py").write_text("")
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
