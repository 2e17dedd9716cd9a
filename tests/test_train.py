"""Training as the course does it: the presets, a run that learns, interrupted runs that go on, broken data that is named."""

import json
import math
import shutil
import signal
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from interrupted import start
from PIL import Image

from modules.course.fire import FIRE_YAML, fire_pictures, read_boxes
from modules.course.inputs import InputError, check_data, check_imgsz, check_row
from modules.course.presets import PRESETS, preset
from modules.course.train import (
    Run,
    baseline,
    best_confidence,
    can_go_on,
    draw_lots,
    epochs_done,
    find_finished,
    forget_after,
    prepare,
    take_folder,
    train,
    write_record,
)

MODEL = "yolo11n-TinyNet.yaml"
COMMAND = [f"model={MODEL}", "preset=smoke", "epochs=3"]


# ------------------------------------------------------------------------------------------------------------ presets
def test_preset_comes_from_the_argument_then_the_environment_then_the_machine(monkeypatch):
    monkeypatch.setenv("COURSE_PRESET", "smoke")
    assert preset().name == "smoke" and preset("full").name == "full"
    monkeypatch.delenv("COURSE_PRESET")
    for gpu, name in ((True, "full"), (False, "laptop")):
        monkeypatch.setattr("torch.cuda.is_available", lambda: gpu)
        assert preset().name == name


def test_wrong_preset_names_the_right_ones(monkeypatch):
    monkeypatch.setenv("COURSE_PRESET", "lapdog")
    with pytest.raises(ValueError, match="COURSE_PRESET is 'lapdog'; choose one of smoke, laptop, full"):
        preset()


def test_what_is_given_beats_the_preset_and_what_follows_from_it():
    settings = PRESETS["laptop"].settings(epochs=9, batch=2)
    assert (settings["epochs"], settings["close_mosaic"], settings["nbs"]) == (9, 3, 2)
    assert "nbs" not in PRESETS["laptop"].settings(batch=-1)


# ----------------------------------------------------------------------------------------- a run, twice interrupted
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
def test_an_interrupted_run_goes_on_and_a_finished_one_stays(tmp_path, monkeypatch, capsys):
    monkeypatch.delenv("COURSE_RUNS", raising=False)
    code, said = start(tmp_path, COMMAND, "1/3", signal.SIGINT)
    assert code == 130 and "The same command goes on" in said and "Traceback" not in said
    code, said = start(tmp_path, COMMAND, "2/3", signal.SIGKILL)
    assert code == -signal.SIGKILL and "Going on with runs/yolo11n-TinyNet-smoke-160 after epoch 1 of 3" in said

    monkeypatch.chdir(tmp_path)
    run = train(MODEL, preset="smoke", epochs=3)
    said = capsys.readouterr().out
    assert "after epoch 2 of 3" in said and "1/3" not in said and "3/3" in said
    rows = (run.folder / "results.csv").read_text().splitlines()[1:]
    assert [row.split(",")[0].strip() for row in rows] == ["1", "2", "3"]

    assert all(math.isfinite(loss) for loss in run.losses) and run.losses[-1] < 0.9 * run.losses[0]
    assert set(run.scores) == {"precision", "recall", "mAP50", "mAP50-95"}
    for path in (run.weights, run.picture):
        assert path.is_file() and str(path.relative_to(tmp_path)) in said
    assert len(Image.open(run.picture).convert("RGB").getcolors(maxcolors=10**7)) > 1000, "the picture is empty"

    request = json.loads((run.folder / "run.json").read_text())["request"]
    assert take_folder(tmp_path / "runs", run.folder.name, request).name == run.folder.name + "-2"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["runs"], "something was written outside runs/"


def test_only_the_same_command_of_a_process_that_is_gone_goes_on(tmp_path):
    folder = take_folder(tmp_path, "a", {})
    write_record(folder, {"epochs": 3})
    assert can_go_on(folder, {"epochs": 3}) and not can_go_on(folder, {"epochs": 4})
    record = json.loads((folder / "run.json").read_text())
    for change in ({"scores": {"mAP50": 0.5}}, {"process": 1}, {"folder": "elsewhere"}):
        (folder / "run.json").write_text(json.dumps({**record, **change}))
        assert not can_go_on(folder, {"epochs": 3}), change
    (folder / "run.json").unlink()
    assert not can_go_on(folder, {"epochs": 3})


# ---------------------------------------------------------------------------------------------- what is trained once
def test_the_baseline_is_trained_once(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("COURSE_RUNS", str(tmp_path / "runs"))
    first, second = (baseline("smoke", epochs=1, imgsz=64, fraction=0.1) for _ in range(2))
    said = capsys.readouterr().out
    assert said == f"trained: {first}\nalready trained: {first}\n" and second == first
    assert str(first).startswith("yolo11n-smoke-64   precision ") and str(first).endswith("(16 validation pictures)")
    assert [folder.name for folder in (tmp_path / "runs").iterdir()] == ["yolo11n-smoke-64"]


@pytest.fixture
def finished(small_set):
    """A function that makes the request of a training on the small set, and a run that finished it."""

    def request(**settings):
        return prepare(MODEL, small_set / "set.yaml", "smoke", settings).request

    folder = take_folder(small_set / "runs", "a", {})
    run = Run(folder, {"mAP50": 0.5}, judged=1)
    run.weights.parent.mkdir()
    for path in (run.weights, run.picture):
        path.touch()
    write_record(folder, request(), run)
    return request, run


def test_only_a_finished_run_of_the_same_request_is_found(finished, monkeypatch):
    request, run = finished
    runs = run.folder.parent
    assert find_finished(runs, request()) == run
    assert find_finished(runs, request(epochs=3)) is None
    with monkeypatch.context() as patch:
        patch.setattr("ultralytics.__version__", "8.0.0")
        assert find_finished(runs, request()) is None
    write_record(run.folder, request())
    assert find_finished(runs, request()) is None, "it is not finished"
    write_record(run.folder, request(), run)
    run.weights.unlink()
    assert find_finished(runs, request()) is None, "its weights are gone"


@pytest.mark.parametrize(
    "changed", ["train/images/1.jpg", "train/labels/1.txt", "val/images/0.jpg", "val/labels/0.txt"]
)
def test_a_run_on_other_pictures_or_labels_is_not_found(finished, small_set, changed):
    request, run = finished
    if changed.endswith("txt"):
        (small_set / changed).write_text("0 0.5 0.5 0.3 0.2\n")
    else:
        Image.new("RGB", (64, 64)).save(small_set / changed)
    assert find_finished(run.folder.parent, request()) is None


# ---------------------------------------------------------------------------------------------------- what is drawn
@pytest.mark.parametrize(("best", "expected"), [(400, 0.4), (1, 0.05), (None, 0.25)])
def test_boxes_are_drawn_from_the_best_confidence_on(best, expected):
    measured = {} if best is None else {"f1_curve": [1 - np.abs(np.arange(1000) - best) / 1000]}
    assert best_confidence(SimpleNamespace(**measured)) == pytest.approx(expected, abs=2e-3)


# ------------------------------------------------------------------------------------------- which pictures are taken
def test_presets_take_a_part_of_a_large_set_and_the_scores_say_of_how_many(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("COURSE_RUNS", str(tmp_path))
    tiny = replace(PRESETS["smoke"], epochs=1, imgsz=64, pictures=6, watched=3, judged=4)
    monkeypatch.setitem(PRESETS, "smoke", tiny)
    run = train(MODEL, preset="smoke", verbose=False)
    assert capsys.readouterr().out == f"{run}\n" and run.judged == 4

    def listed(name):
        names = (run.folder / name).read_text().splitlines()
        assert all(Path(name).is_file() for name in names)
        return set(names)

    assert len(listed("training-train.txt")) == 6
    assert len(listed("training-val.txt")) == 3 and len(listed("judging-val.txt")) == 4


def test_lots_are_the_same_each_time_and_spread():
    pictures = fire_pictures()
    drawn = draw_lots(pictures, 30)
    assert drawn == draw_lots(pictures, 30) and len(set(drawn)) == 30 and drawn == sorted(drawn)
    middle = pictures[len(pictures) // 2]
    assert 8 <= sum(picture < middle for picture in drawn) <= 22
    assert draw_lots(pictures, None) == draw_lots(pictures, 10**6) == pictures


def test_pictures_are_chosen_by_what_they_show():
    for part in ("train", "val"):
        kinds = {kind: fire_pictures(part, kind) for kind in ("campfire", "far", "close", "plain")}
        assert all(set(pictures) < set(fire_pictures(part)) for pictures in kinds.values())
        assert all(len(read_boxes(picture)) for picture in kinds["campfire"])
        assert not any(len(read_boxes(picture)) for picture in kinds["plain"])
    with pytest.raises(ValueError, match="kind='bonfire': the part val has .*campfire, "):
        fire_pictures("val", "bonfire")
    with pytest.raises(ValueError, match="part='test': choose train or val"):
        fire_pictures("test")


# --------------------------------------------------------------------------------------------------- damaged folders
def test_a_checkpoint_cut_short_is_not_trusted(tmp_path, capsys):
    (tmp_path / "last.pt").write_bytes(b"PK\x03\x04 half a file")
    assert epochs_done(tmp_path / "last.pt", 3) == 0
    assert "training starts over" in capsys.readouterr().err


def test_rows_after_the_checkpoint_are_dropped(tmp_path):
    results = tmp_path / "results.csv"
    results.write_text("epoch,loss\n1,5\n2,4\n")
    forget_after(results, 1)
    assert results.read_text() == "epoch,loss\n1,5\n"
    forget_after(results, 0)
    assert not results.exists()


# -------------------------------------------------------------------------------------------------------- broken data
@pytest.fixture
def small_set(tmp_path):
    """Four training pictures and one to validate, of the fire set."""
    for part, count in (("train", 4), ("val", 1)):
        for kind in ("images", "labels"):
            (tmp_path / part / kind).mkdir(parents=True)
        for i, picture in enumerate(fire_pictures(part)[:count]):
            shutil.copy(picture, tmp_path / part / "images" / f"{i}.jpg")
            (tmp_path / part / "labels" / f"{i}.txt").write_text("0 0.5 0.5 0.2 0.2\n")
    shutil.copy(FIRE_YAML, tmp_path / "set.yaml")
    return tmp_path


def test_broken_pictures_and_labels_are_named_and_left_out(small_set):
    (small_set / "train" / "labels" / "0.txt").write_text("0 0.5 0.5 0.2 0.2\n3 0.5 0.5 0.2 0.2\n")
    (small_set / "train" / "labels" / "1.txt").write_text("0 0.5 1.5 0.2 0.2\n")
    (small_set / "train" / "images" / "2.jpg").write_bytes(b"no picture")
    found = check_data(small_set / "set.yaml")
    assert [p.name for p in found.pictures["train"]] == ["3.jpg"] and len(found.pictures["val"]) == 1
    first, second, third = found.problems
    assert "0.txt, line 2: class 3 does not exist" in first
    assert "1.txt, line 1: y is 1.5" in second
    assert "2.jpg: this is no picture" in third


def test_nothing_left_stops(small_set):
    for label in (small_set / "train" / "labels").iterdir():
        label.write_text("fire\n")
    with pytest.raises(
        InputError, match="none of the 4 pictures of 'train:' can be used.*line 1: 'fire' is not all numbers"
    ):
        check_data(small_set / "set.yaml")


@pytest.mark.parametrize(
    "row, wrong",
    [("0 .5 .5 .1 .1", ""), ("1 .5 .5 .1 .1", "class 1"), ("0.5 .5 .5 .1 .1", "class 0.5"), ("0 .5 .5", "3 numbers")],
)
def test_rows(row, wrong):
    assert wrong in check_row(row.split(), {0: "fire"}) and bool(check_row(row.split(), {0: "fire"})) == bool(wrong)


def test_size_is_rounded_up_with_one_warning(capsys):
    assert check_imgsz(320) == 320 and not capsys.readouterr().err
    assert check_imgsz(300) == 320
    assert capsys.readouterr().err.count("Warning: imgsz=300 is not a multiple of 32") == 1
