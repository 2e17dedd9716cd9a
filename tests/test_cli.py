"""`python -m modules`: what works, and one clear line for everything that a learner can get wrong."""

import importlib.util
import re
import subprocess
import sys

import pytest
import torch
from ultralytics import YOLO
from untrained import save

from modules.__main__ import main, read_words

TINY = "model=yolo11n-TinyNet.yaml"

FILES = {
    "typo.yaml": "nc: 1\nbackbone:\n  - [-1, 1, Conw, [64, 3, 2]]\nhead:\n  - [[0], 1, Detect, [nc]]\n",
    "broken.yaml": "nc: 1\nbackbone: [\n",
    "lost.yaml": "train: nowhere\nval: nowhere\nnames: {0: fire}\n",
    "empty.yaml": "train: .\nval: .\nnames: {0: fire}\n",
    "nokey.yaml": "val: .\nnames: {0: fire}\n",
    "junk.pt": "hello",
    "net.onnx": "exported",
}

BAD = {
    "trian": "no command 'trian'. Did you mean 'train'",
    "train modle=x": "no argument 'modle'. Did you mean 'model'",
    "train yolo11n": "written key=value",
    "train epochs=": "has no value",
    "train epochs=ten": "'epochs' must be an int",
    "train batch=0": "batch=0",
    "train optimizer=Adan": "choose one of auto, sgd",
    "train preset=tiny": "smoke, laptop, gpu, results, full",
    "train model=yolo11n-TinyNt.yaml": "Did you mean yolo11-TinyNet.yaml",
    "train model=yolo11n": "ends in .yaml",
    "train model=none.pt": "no such file",
    "train model=junk.pt": "cannot be read",
    "train model=net.onnx": "cannot be trained",
    "train model=typo.yaml": "unknown module 'Conw'. Did you mean Conv",
    "train model=broken.yaml": "valid YAML",
    f"train {TINY} data=nope.yaml": "datasets/fire/fire.yaml",
    f"train {TINY} data=broken.yaml": "valid YAML",
    f"train {TINY} data=lost.yaml": "nowhere",
    f"train {TINY} data=empty.yaml": "no pictures under",
    f"train {TINY} data=nokey.yaml": "'train:' key missing",
    f"train {TINY} device=99": "device=99: on this machine",
    f"train {TINY} device=gpu": "device=cpu",
    f"train {TINY} imgsz=big": "whole number of pixels",
    "val": "runs/ holds no trained weights",
    "val model=none.pt": "no such file",
    f"predict {TINY} source=nowhere": "source=nowhere",
    "export model=yolo11n-TinyNt.yaml": "no model file",
    f"export {TINY} fromat=onnx": "Did you mean 'format'",
    "trace model=typo.yaml": "row 0",
    "trace model=nope.yaml": "no model file",
    "trace colour=red": "no argument 'colour'",
}


@pytest.fixture
def here(tmp_path, monkeypatch):
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("line", BAD)
def test_bad_input_gives_one_line_and_writes_nothing(line, here, capsys):
    assert main(line.split()) == 2
    said = capsys.readouterr()
    assert said.out == "" and said.err.count("\n") == 1 and said.err.startswith("Error: ")
    assert BAD[line] in said.err
    assert {p.name for p in here.iterdir()} == set(FILES), "something was written"


def test_the_real_command_line_has_an_exit_code_and_no_traceback(here):
    run = subprocess.run(
        [sys.executable, "-m", "modules", "train", "model=none.pt"], cwd=here, capture_output=True, text=True
    )
    assert run.returncode == 2 and run.stderr.count("\n") == 1 and "Traceback" not in run.stderr


def test_a_bug_of_ours_is_not_hidden(monkeypatch):
    monkeypatch.setattr("modules.__main__.train", lambda **settings: [][0])
    with pytest.raises(IndexError):
        main(["train"])


def test_interrupting_says_how_to_go_on(monkeypatch, capsys):
    def interrupted(**settings):
        raise KeyboardInterrupt

    monkeypatch.setattr("modules.__main__.train", interrupted)
    assert main(["train"]) == 130
    assert "The same command goes on" in capsys.readouterr().err


def test_usage(capsys):
    for words in ([], ["help"], ["--help"]):
        assert main(words) == 0
        assert "python -m modules COMMAND key=value" in capsys.readouterr().out


def test_words_are_read_as_yolo_reads_them():
    words = ["model=a b.yaml", "epochs", "=", "3", "plots", "detect", "device=[0, 1]", "--imgsz=64"]
    want = {"model": "a b.yaml", "epochs": 3, "plots": True, "task": "detect", "device": [0, 1], "imgsz": 64}
    assert read_words(words) == want


def test_val_predict_and_export_work_on_a_checkpoint(here, capfd, recwarn):
    torch.manual_seed(0)
    save(YOLO("yolo11n-TinyNet.yaml"), "tiny.pt")
    assert main("val model=tiny.pt imgsz=64 plots=False".split()) == 0
    assert main("predict model=tiny.pt imgsz=64 conf=0.9".split()) == 0
    assert main("export model=tiny.pt imgsz=64 format=torchscript".split()) == 0
    assert main("predict model=tiny.torchscript imgsz=64 conf=0.9 save=False".split()) == 0
    if importlib.util.find_spec("onnx"):
        assert main("export model=tiny.pt imgsz=64 format=onnx simplify=False".split()) == 0
    assert [str(w.message) for w in recwarn if "torch" in w.filename or "modules" in w.filename] == []
    assert {p.name for p in (here / "runs").iterdir()} == {"val", "predict"}
    assert not re.search(r"Traceback|Downloading", "".join(capfd.readouterr()))


def test_trace_prints_the_rows(here, capsys):
    assert main(f"trace {TINY} imgsz=64".split()) == 0
    assert "TinyNet" in capsys.readouterr().out
