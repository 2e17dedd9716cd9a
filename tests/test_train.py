"""Training as the course does it: the presets, a run that learns, interrupted runs that go on, broken data that is named."""

import json
import math
import os
import re
import shutil
import signal
import sys
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import psutil
import pytest
import torch
import yaml
from interrupted import start
from PIL import Image
from torch import nn
from ultralytics import YOLO
from ultralytics.cfg import DEFAULT_CFG_DICT
from ultralytics.nn import tasks

from modules.course.errors import InputError
from modules.course.fire import FIRE_YAML, fire_pictures, read_boxes
from modules.course.inputs import check_imgsz
from modules.course.job import MEASURED, PREDICTED, choose_pictures, prepare, sample
from modules.course.judge import best_confidence, count_found, count_matched, draw_predictions
from modules.course.presets import PRESETS, preset
from modules.course.resume import (
    FINISHED,
    Run,
    final_weights,
    find_finished,
    find_start,
    forget_after,
    obstacle,
    read_checkpoint,
    seconds_used,
    settle,
    take_folder,
    write_record,
)
from modules.course.sets import Data, check_data, check_row
from modules.course.train import train, train_once

MODEL = "yolo11n-TinyNet.yaml"
COMMAND = [f"model={MODEL}", "preset=smoke", "epochs=3"]


# ------------------------------------------------------------------------------------------------------------ presets
def test_preset_comes_from_the_argument_then_the_environment_then_the_machine(monkeypatch):
    monkeypatch.setenv("COURSE_PRESET", "smoke")
    assert preset().name == "smoke" and preset("full").name == "full"
    monkeypatch.delenv("COURSE_PRESET")
    for gpu, name in ((True, "gpu"), (False, "laptop")):
        monkeypatch.setattr("torch.cuda.is_available", lambda: gpu)
        assert preset().name == name


def test_wrong_preset_names_the_right_ones(monkeypatch):
    monkeypatch.setenv("COURSE_PRESET", "lapdog")
    with pytest.raises(ValueError, match="COURSE_PRESET is 'lapdog'; choose one of smoke, laptop, gpu, results, full"):
        preset()


def test_what_is_given_beats_the_preset_and_what_follows_from_it():
    settings = PRESETS["full"].settings(epochs=9, batch=2)
    assert (settings["epochs"], settings["close_mosaic"], settings["nbs"]) == (9, 3, 2)
    assert PRESETS["laptop"].settings()["close_mosaic"] == 0, "no mosaic to close"
    assert "nbs" not in PRESETS["laptop"].settings(batch=-1)


# ------------------------------------------------------------------------------------------------- what is asked for
def test_the_table_of_settings_names_what_ultralytics_knows():
    assert set(MEASURED) <= {*DEFAULT_CFG_DICT, "half", "end2end", "quantize", "nms"}  # some only in some versions
    assert set(PREDICTED) <= set(MEASURED)


CFG = {  # what stands in the file, what is given beside it -> what is used
    "the file goes before the preset": ("epochs: 3\nlr0: 0.0005", {}, {"epochs": 3, "lr0": 0.0005, "batch": 8}),
    "what is given goes before the file": ("epochs: 3", {"epochs": 4}, {"epochs": 4}),
    "no value means the default": ("epochs:\nlr0: null", {}, {"epochs": 2, "lr0": 0.002}),
    "what follows from the file": ("epochs: 9\nbatch: 2", {}, {"close_mosaic": 3, "nbs": 2}),
    "its size is rounded, too": ("imgsz: 90", {}, {"imgsz": 96}),
}


@pytest.mark.parametrize("case", CFG)
def test_a_cfg_file_stands_between_the_words_and_the_preset(case, small_set):
    text, words, used = CFG[case]
    (small_set / "mine.yaml").write_text(text)
    job = prepare(MODEL, small_set / "set.yaml", "smoke", {"cfg": str(small_set / "mine.yaml"), **words})
    assert {key: job.settings[key] for key in used} == used and "cfg" not in job.settings


def test_a_cfg_file_may_name_model_and_data(small_set):
    (small_set / "mine.yaml").write_text(f"model: {MODEL}\ndata: {small_set / 'set.yaml'}\nfraction: 0.5")
    job = prepare(preset="smoke", overrides={"cfg": str(small_set / "mine.yaml")})
    assert job.model == MODEL and len(job.parts["train"]) == 2 and "Training on 2 of 4 pictures" in str(job)


FIRST_LINES = {  # what is given -> how long, and what is advised for a set of one's own
    "laptop": ({}, "28 epochs at 192 px (preset laptop)", "imgsz=640 epochs=100 mosaic=1, or preset=full"),
    "smoke": ({}, "2 epochs at 160 px (preset smoke)", "preset=laptop imgsz=640 epochs=100, or preset=full"),
    "gpu": ({"imgsz": 640}, "80 epochs at 640 px (preset gpu)", "epochs=100, or preset=full"),
    "results": (
        {"imgsz": 320, "epochs": 9, "mosaic": 0},
        "9 epochs at 320 px (preset results)",
        "",
    ),
    "full": ({"epochs": 1}, "1 epoch at 640 px (preset full)", ""),
    "in hours": ({"time": 0.5}, "0.5 hours at 192 px (preset laptop)", "imgsz=640 mosaic=1, or preset=full"),
}


@pytest.mark.parametrize("case", FIRST_LINES)
def test_a_training_begins_with_its_length_and_says_how_to_train_ones_own_set_for_use(case, small_set):
    given, length, advice = FIRST_LINES[case]
    preset = re.search(r"preset (\w+)", length)[1]
    first, *others = str(prepare(MODEL, small_set / "set.yaml", preset, given)).splitlines()
    assert first == f"Training on 4 of 4 pictures, {length}."
    said = [line for line in others if "that you mean to use" in line]
    assert said == (
        [f"The preset {preset} is for trying out. For a detector that you mean to use: {advice}."] if advice else []
    )
    of_fire = str(prepare(MODEL, FIRE_YAML, preset, given))
    assert f"pictures, {length}." in of_fire.splitlines()[0] and "that you mean to use" not in of_fire


BAD_CFG = {
    "epochs: ten": "'epochs'",
    "epoch: 3": "Did you mean 'epochs'",
    "- 3": "holds no arguments",
    "a: [": "YAML",
}


@pytest.mark.parametrize("text", [*BAD_CFG, None])
def test_a_wrong_cfg_file_is_one_line(text, tmp_path):
    if text is not None:
        (tmp_path / "mine.yaml").write_text(text)
    with pytest.raises(InputError, match=BAD_CFG.get(text, "no such file")):
        prepare(MODEL, FIRE_YAML, "smoke", {"cfg": str(tmp_path / "mine.yaml")})


SCALES = {
    "yolo11-TinyNet.yaml": True,
    "yolo11n-TinyNet.yaml": False,
    "yolo11s-TinyNet.yaml": False,
    "YOLO11M-X.yaml": True,
}


@pytest.mark.parametrize("name", SCALES)
def test_a_name_without_a_scale_says_which_is_used(name, small_set, monkeypatch, capsys):
    monkeypatch.chdir(small_set)
    rows = tasks.yaml_model_load("yolo11-TinyNet.yaml")
    Path("YOLO11M-X.yaml").write_text(yaml.safe_dump({k: rows[k] for k in ("nc", "scales", "backbone", "head")}))
    capsys.readouterr()
    prepare(name, "set.yaml", "smoke", {})
    assert (f"{name}: no letter after the number picks a scale, so " in capsys.readouterr().err) == SCALES[name]


@pytest.mark.parametrize("model", ["yolo11n.yaml", MODEL])
def test_weights_of_another_network_are_counted(model, small_set, monkeypatch, capsys):
    monkeypatch.chdir(small_set)
    YOLO(MODEL).save("tiny.pt")
    prepare(model, "set.yaml", "smoke", {"pretrained": "tiny.pt"})
    said = "".join(capsys.readouterr())
    fit, of = map(int, re.search(r"pretrained=tiny.pt: (\d+) of (\d+) tensors fit", said).groups())
    assert 0.7 * of < fit <= of if model == MODEL else 0 < fit < 0.7 * of


@pytest.mark.parametrize("model, refused", [(MODEL, True), ("yolo11n-EMO.yaml", True), ("yolo11n.yaml", False)])
def test_weights_that_safe_load_would_not_open_are_not_trained(model, refused, small_set, monkeypatch):
    monkeypatch.setattr(tasks, "SAFE_LOAD", True, raising=False)
    with pytest.raises(InputError, match="ULTRALYTICS_SAFE_LOAD is set") if refused else nullcontext():
        prepare(model, small_set / "set.yaml", "smoke", {})


RESUME = {
    "no file": ({"model": "runs/a/weights/last.pt"}, "there is no file"),
    "no record": ({"model": "weights/last.pt"}, "holds no run.json"),
    "something else changed": ({"model": "weights/last.pt", "epochs": 9}, "leave out epochs="),
    "no model": ({}, "there is no file None"),
}


@pytest.mark.parametrize("case", RESUME)
def test_resume_says_what_it_cannot_go_on_with(case, checkpoints, monkeypatch):
    words, said = RESUME[case]
    monkeypatch.chdir(checkpoints(last=1))
    with pytest.raises(InputError, match=said):
        train(**words, resume=True)


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
    assert read_checkpoint(run.weights)["confidence"] == run.threshold
    assert take_folder(tmp_path / "runs", run.folder.name, request).name == run.folder.name + "-2"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["runs"], "something was written outside runs/"


@pytest.fixture
def unfinished(tmp_path):
    """The folder of a run that was asked for three epochs by a process that is gone."""
    folder = take_folder(tmp_path, "a", {})
    write_record(folder, {"epochs": 3})
    change_record(folder, process={"pid": 2**22 + 1, "started": 0.0})
    return folder


def change_record(folder, **values):
    record = json.loads((folder / "run.json").read_text())
    (folder / "run.json").write_text(json.dumps({**record, **values}))


def alive(seconds_younger=0.0):
    """How run.json names a living process, or one that had the same number before."""
    other = psutil.Process(os.getppid())
    return {"pid": other.pid, "started": other.create_time() - seconds_younger}


RECORDS = {
    "as it was": ({}, None),
    "the number of its process belongs to another": ({"process": alive(100)}, None),
    "its process lives": ({"process": alive()}, "is being trained by process"),
    "finished": ({"scores": {"mAP50": 0.5}}, FINISHED),
    "asked otherwise": ({"request": {"epochs": 4}}, "another request (epochs there 4, here 3)"),
    "other pictures": ({"request": {"epochs": 3, "set": "x"}}, "(other pictures or labels)"),
    "of an older course": ({"process": 17}, "no run.json that can be read"),
    "a request that is a list": ({"request": []}, "no run.json that can be read"),
    "scores that are a text": ({"scores": "good"}, "no run.json that can be read"),
    "without what was asked": ({"asked": None}, None),
}


@pytest.mark.parametrize("case", RECORDS)
def test_only_the_same_command_of_a_process_that_is_gone_goes_on(case, unfinished, capsys):
    values, why = RECORDS[case]
    change_record(unfinished, **values)
    found = obstacle(unfinished, {"epochs": 3})
    assert found is None if why is None else why in found
    taken = take_folder(unfinished.parent, "a", {"epochs": 3})
    assert taken.name == ("a" if why is None else "a-2")
    assert capsys.readouterr().out.count("\n") == (why not in (None, FINISHED)), "a new folder is begun with a word"


SHAPES = ["", "{", "[]", "null", "3", "{}", '{"request": {"epochs": 3}}', "\x00", "[" * 100_000]


@pytest.mark.parametrize("text", SHAPES, ids=range(len(SHAPES)))
def test_a_record_of_another_shape_is_named(text, unfinished, capsys):
    (unfinished / "run.json").write_text(text)
    assert take_folder(unfinished.parent, "a", {"epochs": 3}).name == "a-2"
    assert "no run.json that can be read" in capsys.readouterr().out


def test_an_empty_folder_is_taken_and_a_file_is_not(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").write_text("")
    assert take_folder(tmp_path, "a", {}).name == "a" and take_folder(tmp_path, "b", {}).name == "b-2"


# ---------------------------------------------------------------------------------------------- what is trained once
def test_a_model_is_trained_once(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("COURSE_RUNS", str(tmp_path / "runs"))
    first, second = (train_once("yolo11n.yaml", preset="smoke", epochs=1, imgsz=64, fraction=0.1) for _ in range(2))
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
    run = Run(folder, {"mAP50": 0.5}, validated=1)
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


@pytest.mark.parametrize(
    "labelled, found, count",
    [
        ([[0, 0, 10, 10]], [[0, 0, 10, 10]], 1),
        ([[0, 0, 10, 10]], [[0, 0, 10, 6]], 1),
        ([[0, 0, 10, 10]], [[0, 0, 10, 4]], 0),
        ([[0, 0, 10, 10]], [[0, 0, 10, 10], [0, 0, 10, 9]], 1),
        ([[0, 0, 10, 10], [0, 0, 10, 9]], [[0, 0, 10, 10]], 1),
        ([[0, 0, 10, 10], [20, 0, 30, 10]], [[20, 0, 30, 10], [0, 0, 10, 10]], 2),
        ([], [[0, 0, 10, 10]], 0),
        ([[0, 0, 10, 10]], [], 0),
    ],
)
def test_each_found_box_counts_for_one_labelled_box(labelled, found, count):
    labelled, found = (torch.tensor(boxes, dtype=torch.float).reshape(-1, 4) for boxes in (labelled, found))
    assert count_matched(labelled, found) == count


def test_the_found_objects_are_counted_at_one_confidence_for_all_runs(small_set):
    (small_set / "train/labels/1.txt").write_text("0 .5 .5 .2 .2\n1 .5 .5 .2 .2\n1 .2 .2 .1 .1\n")
    (small_set / "train/labels/2.txt").write_text("1 .5 .5 .2 .2\n")
    pictures = [small_set / f"train/images/{number}.jpg" for number in (1, 2)]
    sure = np.linspace(0, 1, 1000)
    curves = np.stack([np.where(sure < 0.2, 1.0, 0), np.where(sure < 0.4, 2 / 3, 0)])  # class 0 is lost at 0.3
    measured = SimpleNamespace(r_curve=curves, ap_class_index=np.array([0, 1]))
    assert count_found(measured, pictures) == (2, 4)
    assert count_found(SimpleNamespace(r_curve=curves[1:], ap_class_index=np.array([1])), pictures) == (2, 3)
    one = SimpleNamespace(r_curve=np.full((1, 1000), 0.5), ap_class_index=np.array([0]))
    assert count_found(one, pictures, single_class=True) == (2, 4)
    assert count_found(SimpleNamespace(), pictures) == (0, 4)  # nothing was right: no curve


def test_the_picture_shows_twelve_from_the_first_to_the_last(tmp_path):
    asked = []

    def predict(picture, **settings):
        asked.append(picture)
        boxes = SimpleNamespace(xyxy=torch.zeros(0, 4), conf=torch.zeros(0))
        return [SimpleNamespace(boxes=boxes, orig_shape=Image.open(picture).size[::-1])]

    pictures = fire_pictures("val")
    for shown, rows in ((pictures, 3), (pictures[:3], 1)):
        asked.clear()
        draw_predictions(SimpleNamespace(predict=predict), shown, tmp_path / "found.png", {}, 0.3)
        assert asked[0] == str(shown[0]) and asked[-1] == str(shown[-1]) and len(asked) == min(12, len(shown))
        width, height = Image.open(tmp_path / "found.png").size
        assert abs(height / width - (0.6 + 2.2 * rows) / 11) < 0.01


# ------------------------------------------------------------------------------------------- which pictures are taken
def test_presets_take_a_part_of_a_large_set_and_the_scores_say_of_how_many(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("COURSE_RUNS", str(tmp_path))
    tiny = replace(PRESETS["smoke"], epochs=1, imgsz=64, pictures=6, val_each_epoch=3, val_at_end=4)
    monkeypatch.setitem(PRESETS, "smoke", tiny)
    run = train(MODEL, preset="smoke", verbose=False, batch=-1)  # a wish about training alone
    assert capsys.readouterr().out == f"{run}\n" and run.validated == 4

    def listed(name):
        names = (run.folder / name).read_text().splitlines()
        assert all(Path(name).is_file() for name in names)
        return set(names)

    assert len(listed("training-train.txt")) == 6
    assert len(listed("training-val.txt")) == 3 and len(listed("judging-val.txt")) == 4


FIRE = Data("fire.yaml", {0: "fire"}, pictures={part: fire_pictures(part) for part in ("train", "val")})
FRACTIONS = [(0.5, 240, 120), (1.0, 480, 120), (60, 60, 120), ([0.1, 0.5], 48, 60), (0.0001, 1, 120), ([30], 30, 120)]


@pytest.mark.parametrize("fraction, train, val", FRACTIONS)
def test_a_fraction_says_the_true_count(fraction, train, val):
    parts = choose_pictures(FIRE, PRESETS["full"], fraction)
    assert (len(parts["train"]), len(parts["val_at_end"])) == (train, val)


@pytest.mark.parametrize("fraction", [-1, True, "half", -0.5])
def test_a_fraction_that_is_none_is_refused(fraction):
    with pytest.raises(InputError, match="fraction="):
        choose_pictures(FIRE, PRESETS["full"], fraction)


def test_samples_are_the_same_each_time_and_spread():
    pictures = fire_pictures()
    drawn = sample(pictures, 30)
    assert drawn == sample(pictures, 30) and len(set(drawn)) == 30 and drawn == sorted(drawn)
    middle = pictures[len(pictures) // 2]
    assert 8 <= sum(picture < middle for picture in drawn) <= 22
    assert sample(pictures, None) == sample(pictures, 10**6) == pictures


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
@pytest.fixture
def checkpoints(tmp_path):
    """A function that writes last.pt and best.pt: an epoch that was saved (-1: finished), "cut" short, or None."""

    def write(**epochs):
        (tmp_path / "weights").mkdir()
        for name, epoch in epochs.items():
            path = tmp_path / "weights" / f"{name}.pt"
            if epoch is not None:
                held = {"epoch": 2 if epoch == "cut" else epoch, "model": None, "ema": nn.Linear(2, 2), "optimizer": {}}
                torch.save({**held, "train_args": {}}, path)
            if epoch == "cut":
                path.write_bytes(path.read_bytes()[:400])
        return tmp_path

    return write


STARTS = {  # last.pt, best.pt -> where a training of 5 epochs goes on: the file, the epochs done, whether it is finished
    "both whole": ((2, 1), ("last.pt", 3, False), ""),
    "last cut short": (("cut", 1), ("best.pt", 2, False), "best.pt is whole and takes its place"),
    "last missing": ((None, 1), ("best.pt", 2, False), ""),
    "best cut short": ((2, "cut"), ("last.pt", 3, False), ""),
    "best missing": ((2, None), ("last.pt", 3, False), ""),
    "both cut short": (("cut", "cut"), (None, 0, False), "Training starts over"),
    "nothing yet": ((None, None), (None, 0, False), ""),
    "all epochs done": ((4, 3), ("last.pt", 5, True), ""),
    "finished": ((-1, -1), ("last.pt", 0, True), ""),
    "finished, last cut short": (("cut", -1), ("best.pt", 0, True), "takes its place"),
}


@pytest.mark.parametrize("case", STARTS)
def test_where_a_training_goes_on(case, checkpoints, capsys):
    (last, best), (name, done, finished), said = STARTS[case]
    folder = checkpoints(last=last, best=best)
    path, *rest = find_start(folder, epochs=5)
    assert (path and path.name, *rest) == (name, done, finished)
    told = capsys.readouterr().err
    assert said in told and told.count("\n") == bool(said)


@pytest.mark.parametrize(
    "last, best, wanted, measured",
    [
        (4, 2, False, 5),
        (4, 2, True, 3),
        ("cut", 2, False, 3),
        (4, "cut", True, 5),
        (4, None, True, 5),
        (None, 2, False, 3),
    ],
)
def test_the_weights_that_are_measured(last, best, wanted, measured, checkpoints):
    folder = checkpoints(last=last, best=best)
    for name, epoch in (("last", last), ("best", best)):  # the epoch is forgotten when the training is finished
        if isinstance(epoch, int):
            path = folder / "weights" / f"{name}.pt"
            held = torch.load(path, weights_only=False)
            nn.init.constant_(held["ema"].bias, epoch + 1)
            torch.save(held, path)
    held = read_checkpoint(final_weights(folder, best=wanted))
    assert held["epoch"] == -1 and float(held["model"].bias[0]) == measured


def test_a_moved_run_goes_on_where_it_is(checkpoints, tmp_path):
    folder = checkpoints(last=2)
    settle(folder / "weights" / "last.pt", folder, "a.yaml")
    moved = folder.rename(folder.with_name("moved"))
    settle(moved / "weights" / "last.pt", moved, "a.yaml")
    held = read_checkpoint(moved / "weights" / "last.pt")
    assert held["train_args"] == {
        "project": str(moved.parent),
        "name": "moved",
        "save_dir": str(moved),
        "data": "a.yaml",
    }
    assert held["epoch"] == 2 and [p.name for p in (moved / "weights").iterdir()] == ["last.pt"]


def test_without_readable_weights_one_line_says_so(checkpoints):
    with pytest.raises(InputError, match="its weights cannot be read"):
        final_weights(checkpoints(last="cut", best=None), best=True)


TIMES = ((10, 20, 30), (10, 20, 5, 15), (10, 5, 5))


@pytest.mark.parametrize("times, used", [*zip(TIMES, (30, 35, 20))])
def test_the_clock_of_an_interrupted_run_is_added_up(times, used, checkpoints):
    folder = checkpoints(last=len(times) - 1)
    rows = "".join(f"{i},{time}\n" for i, time in enumerate(times, 1))
    (folder / "results.csv").write_text("epoch,time\n" + rows)
    assert seconds_used(folder / "results.csv", len(times)) == used
    for hours, finished in ((1, False), (used / 3600, True)):
        assert find_start(folder, epochs=2, hours=hours)[2] == finished, "epochs= says nothing where time= is given"


def test_rows_after_the_checkpoint_are_dropped(tmp_path):
    results = tmp_path / "results.csv"
    results.write_text("epoch,loss\n1,5\n2,4\n")
    forget_after(results, 1)
    assert results.read_text() == "epoch,loss\n1,5\n"
    forget_after(results, 0)
    assert not results.exists()


DAMAGED = ["", "epoch,loss\n", "epoch,loss\n1,5\n", "epoch,loss\n1,5\n2", "1,5\n2,4\n", "\x00" * 9, "epoch\n1,5\n2,4\n"]


@pytest.mark.parametrize("text", [*DAMAGED, b"\xff\xfe1,5"], ids=range(len(DAMAGED) + 1))
def test_rows_that_do_not_hold_the_epochs_so_far_are_put_aside(text, tmp_path, capsys):
    """Ultralytics would write the rows that follow without a heading, or among those of nobody knows what."""
    results = tmp_path / "results.csv"
    results.write_bytes(text if isinstance(text, bytes) else text.encode())
    forget_after(results, 2)
    assert not results.exists() and (tmp_path / "results-damaged.csv").is_file()
    assert "lacks some of the 2 epochs so far" in capsys.readouterr().err


def test_weights_that_are_gone_are_said(tmp_path, capsys):
    (tmp_path / "results.csv").write_text("epoch,loss\n1,5\n")
    assert find_start(tmp_path, epochs=5) == (None, 0, False)
    assert "there are no weights to go on from. Training starts over." in capsys.readouterr().err


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
