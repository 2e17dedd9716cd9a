"""Runs put side by side: a table, a picture, and a word where that cannot be."""

import json
import math

import pytest
import torch
import yaml
from PIL import Image
from ultralytics import YOLO

from modules.__main__ import main
from modules.course import results, shipped
from modules.course.errors import InputError
from modules.course.fire import FIRE_YAML
from modules.course.side_by_side import column, compare, open_entry, read_rows, scores_of
from results.validity import build

HEADING = "epoch,time,train/box_loss,train/cls_loss,metrics/mAP50(B),metrics/mAP50-95(B),metrics/precision(B),metrics/recall(B),val/box_loss\n"
ROWS = {"a": "1,5,2,1,0,0,0,0,0\n2,9,1,1,0.5,0.2,0.6,0.4,1.5\n", "b": "1,5,3,1,nan,nan,nan,nan,nan\n"}


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Two folders as Ultralytics leaves them; b is also measured by the course."""
    folder = tmp_path_factory.mktemp("runs")
    held = {"model": build(YOLO("yolo11n-TinyNet.yaml").model.yaml), "epoch": -1, "train_args": {}, "confidence": 0.9}
    for name, epochs in (("a", 2), ("b", 1)):
        (folder / name / "weights").mkdir(parents=True)
        torch.save(held, folder / name / "weights" / "best.pt")
        settings = {"data": str(FIRE_YAML), "imgsz": 64, "epochs": epochs}
        (folder / name / "args.yaml").write_text(yaml.safe_dump(settings))
        (folder / name / "results.csv").write_text(HEADING + ROWS[name])
    scores = {"mAP50": 0.25, "mAP50-95": 0.125, "precision": 0.5, "recall": 0.75}
    record = {"request": {"data": "fire.yaml"}, "asked": {}, "process": {"pid": 1, "started": 0}, "scores": scores}
    (folder / "b" / "run.json").write_text(json.dumps(record | {"validated": 120}))
    return folder


def test_the_command_prints_scores_and_writes_a_picture(runs, tmp_path, capsys):
    words = ["compare", str(runs / "a"), str(runs / "b" / "weights" / "best.pt"), "pictures=1"]
    assert main([*words, f"save={tmp_path / 'new' / 'c.png'}"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split()[:3] == ["run", "mAP50", "mAP50-95"]
    assert lines[1].split()[:7] == ["a", "0.500", "0.200", "0.600", "0.400", "epoch", "2"]
    assert lines[2].split()[:6] == ["b", "0.250", "0.125", "0.500", "0.750", "120"]
    assert "These runs differ in epochs (2, 1), the pictures that judged: the model is not the only reason." in lines[3]
    assert lines[4] == f"Curves and pictures: {tmp_path / 'new' / 'c.png'}"
    assert min(Image.open(tmp_path / "new" / "c.png").size) > 300


def test_what_was_not_validated_has_no_curve(runs):
    entries = [open_entry(str(runs / name)) for name in "ab"]
    assert entries[0].curves == {"train_loss": ([1, 2], [3, 2]), "val_loss": ([2], [1.5]), "mAP50": ([2], [0.5])}
    assert entries[1].curves == {"train_loss": ([1], [4]), "val_loss": ([], []), "mAP50": ([], [])}


def test_a_run_without_scores(tmp_path):
    assert read_rows(tmp_path / "results.csv") == [] and scores_of(tmp_path, []) == ({}, "")
    assert column([{"epoch": 1, "train/box_loss": math.nan}], "train_loss") == ([], [])


def test_weights_of_the_course_bring_their_curve(tmp_path, monkeypatch):
    monkeypatch.setattr(results, "RESULTS", tmp_path)
    monkeypatch.setattr(shipped, "checkpoint", lambda word: tmp_path / "x.pt")
    assert open_entry("fire/x").scores == {}
    row = dict.fromkeys(results.COLUMNS, "1") | {"name": "x", "mAP50": "0.5"}
    results.write("runs.csv", results.COLUMNS, [row])
    results.write("curves.csv", results.CURVE, [{"name": "x", "seed": 1, "epoch": 1, "train_loss": 3}])
    entry = open_entry("fire/x")
    assert entry.scores["mAP50"] == 0.5 and entry.curves["train_loss"] == ([1], [3.0])


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["a"], "takes two runs or more"),
        (["a", "nowhere"], "nowhere: there is no such run here. There are none in runs/."),
        (["a", "a", "pictures=0"], "pictures=0: give a whole number from 1 to 8."),
        (["a", "a", "conf=2"], "conf=2: give a confidence between 0 and 1."),
        (["a", "a", "save=c.txt"], "save=c.txt: give a file that ends in .png, .jpg or .pdf."),
        (["a", "a", "imgsz=64"], "compare has no argument 'imgsz'; it takes data, pictures, conf, save."),
        (["a", "a", "data=nowhere.yaml"], "nowhere.yaml"),
        (["fire/nothing", "a"], "no weights of this name"),
    ],
)
def test_what_does_not_fit_is_said_in_one_line(runs, words, said, monkeypatch, capsys):
    monkeypatch.chdir(runs)
    assert main(["compare", *words]) == 2
    error = capsys.readouterr().err
    assert said in error and error.count("\n") == 1


def test_a_folder_without_weights_is_named(tmp_path):
    with pytest.raises(InputError, match="it holds no weights"):
        compare([tmp_path, tmp_path])


def test_help(capsys):
    assert main(["compare", "--help"]) == 0 and "RUN is the folder of a run" in capsys.readouterr().out
