"""The doctor names what was broken on purpose, and finds nothing wrong with what works."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image, ImageDraw

from modules.__main__ import main
from modules.course import results, shipped
from modules.course.doctor import doctor, judge_colours
from modules.course.errors import InputError
from modules.course.fire import FIRE_YAML, fire_pictures, read_boxes
from modules.course.presets import preset
from modules.course.train import train_once

MODEL = "yolo11n-TinyNet.yaml"


def copy_fire_set(folder: Path, count: int = 64) -> Path:
    """A part of the fire set, to be broken."""
    for part, number in (("train", count), ("val", 12)):
        for kind in ("images", "labels"):
            (folder / part / kind).mkdir(parents=True)
        for picture in fire_pictures(part)[:number]:
            shutil.copy(picture, folder / part / "images")
            shutil.copy(picture.parents[1] / "labels" / f"{picture.stem}.txt", folder / part / "labels")
    return Path(shutil.copy(FIRE_YAML, folder / "set.yaml"))


def rewrite(folder: Path, change) -> None:
    """Replace each training label's rows, (n, 5), by `change` of them."""
    for label in (folder / "train" / "labels").glob("*.txt"):
        rows = np.array([line.split() for line in label.read_text().splitlines()], float).reshape(-1, 5)
        changed = change(rows)
        label.write_text(
            "".join(f"{row[0]:g} {row[1]:.6f} {row[2]:.6f} {row[3]:.6f} {row[4]:.6f}\n" for row in changed)
        )


@pytest.fixture
def discs(tmp_path):
    """Another set: a disc of one of two colours on noise, and its class."""
    random = np.random.default_rng(0)
    for part, count in (("train", 64), ("val", 8)):
        for kind in ("images", "labels"):
            (tmp_path / part / kind).mkdir(parents=True)
        for i in range(count):
            picture = Image.fromarray(random.integers(60, 120, (96, 128, 3)).astype("uint8"))
            x, y, r, kind = random.integers(30, 90), random.integers(30, 60), random.integers(8, 20), i % 2
            ImageDraw.Draw(picture).ellipse((x - r, y - r, x + r, y + r), fill=("yellow", "navy")[kind])
            picture.save(tmp_path / part / "images" / f"{i}.png")
            row = f"{kind} {x / 128} {y / 96} {2 * r / 128} {2 * r / 96}\n"
            (tmp_path / part / "labels" / f"{i}.txt").write_text(row)
    (tmp_path / "discs.yaml").write_text("train: train/images\nval: val/images\nnames: {0: sun, 1: hole}\n")
    return tmp_path / "discs.yaml"


def causes(*arguments, **settings):
    return [finding.cause for finding in doctor(*arguments, **{"preset": "laptop", **settings})]


# --------------------------------------------------------------------------------------------------------------- healthy
@pytest.mark.parametrize("model", [MODEL, "yolo11n.yaml"])
def test_nothing_is_named_where_nothing_is_wrong(model, discs, capsys):
    assert causes(model, FIRE_YAML) == [] and causes(model, discs) == []
    assert capsys.readouterr().out.count("Nothing found.") == 2


def run_of_the_comparison(model: str, folder: Path) -> Path:
    """The first seed's training on the fire set, as the folder that it was: its settings, losses and weights."""
    name = model.removesuffix(".yaml")
    (folder / "weights").mkdir(parents=True)
    settings = preset("results").settings(model=model, data=str(FIRE_YAML))
    (folder / "args.yaml").write_text(yaml.safe_dump(settings))
    epochs, lines = results.curve(name)
    rows = [f"{epoch},{loss}\n" for epoch, loss in zip(epochs, lines[0])]
    (folder / "results.csv").write_text("epoch,train/loss\n" + "".join(rows))
    shutil.copy(shipped.checkpoint(name), folder / "weights" / "last.pt")
    return folder


@pytest.mark.parametrize("model", [MODEL, "yolo11n.yaml"])
def test_nothing_is_named_in_healthy_runs(model, discs, tmp_path, monkeypatch, capsys):
    """Two models, two sets: one run on the fire set that the comparison has done, one on another set that is done here."""
    monkeypatch.setenv("COURSE_RUNS", str(tmp_path / "runs"))
    run = train_once(model, discs, preset="smoke", imgsz=96, epochs=13)
    assert run.losses[-1] < run.losses[0]
    assert causes(run.folder) == [] and causes(run_of_the_comparison(model, tmp_path / "stored")) == []
    said = capsys.readouterr().out
    assert said.count("Nothing found.") == said.count("ok  Losses") == said.count("ok  Colours") == 2


# ---------------------------------------------------------------------------------------------------------------- broken
def shifted(rows):
    rows[:, 1] += rows[:, 3] / 2
    rows[:, 2] += rows[:, 4] / 2
    return rows[(rows[:, 1:3] < 1).all(1)]


def from_one(rows):
    rows[:, 0] += 1
    return rows


def tiny(rows):
    rows[:, 3:] /= 30
    return rows


@pytest.mark.parametrize(
    ("change", "cause"),
    [
        (shifted, "labels that are shifted"),
        (tiny, "targets that are too small"),
    ],
)
def test_broken_labels_are_named(tmp_path, change, cause):
    data = copy_fire_set(tmp_path)
    rewrite(tmp_path, change)
    assert causes(MODEL, data)[:1] == [cause]


@pytest.mark.parametrize(("part", "cause"), [("train", "data that cannot be trained on"), ("val", "no labels")])
def test_a_part_without_boxes_is_named(tmp_path, part, cause):
    data = copy_fire_set(tmp_path)
    for label in (tmp_path / part / "labels").iterdir():
        label.write_text("")
    (found,) = doctor(MODEL, data, preset="laptop")
    assert found.cause == cause and f"pictures of '{part}:' has a" in found.seen


def test_classes_counted_from_one_are_named(tmp_path, discs):
    rewrite(discs.parent, from_one)
    assert causes(MODEL, discs)[0] == "class numbers that 'names:' does not have"
    discs.write_text(discs.read_text().replace("{0: sun, 1: hole}", "{0: none, 1: sun, 2: hole}"))
    assert causes(MODEL, discs) == ["class numbers that do not fit 'names:'"]


def test_shared_pictures_are_named(tmp_path):
    data = copy_fire_set(tmp_path)
    data.write_text(data.read_text().replace("val: val/", "val: train/"))
    assert causes(MODEL, data) == ["train and val share pictures"]


def test_a_scene_in_both_parts_is_named_even_where_the_files_differ(tmp_path):
    data = copy_fire_set(tmp_path)
    first = fire_pictures("train")[0]
    with Image.open(first) as picture:
        picture.resize((480, 360)).save(tmp_path / "val" / "images" / "again.jpg", quality=60)
    shutil.copy(first.parents[1] / "labels" / f"{first.stem}.txt", tmp_path / "val" / "labels" / "again.txt")
    (found,) = doctor(MODEL, data, preset="laptop")
    assert found.cause == "train and val share pictures"
    assert f"1 of 13 validation pictures look like a training picture, as again.jpg and {first.name}" in found.seen


def test_gathered_batches_and_few_epochs_are_named(tmp_path):
    data = copy_fire_set(tmp_path)
    (found,) = doctor(MODEL, data, preset="laptop", nbs=64, epochs=50)
    assert found.cause == "too few steps (nbs)" and "8 batches are gathered for a step: 50 steps" in found.seen
    assert found.change == "nbs=8, so that each batch is a step: 400 steps"
    assert causes(MODEL, data, epochs=3) == ["too few steps"]


def test_a_learning_rate_50_times_too_high_is_named():
    assert causes(MODEL, lr0=0.1) == ["learning rate too high"]


def test_exchanged_colours_are_named():
    """A stand-in for trained weights: it finds the labelled boxes where they are redder than blue."""
    pictures = [picture for picture in fire_pictures("val") if len(read_boxes(picture))][:6]
    labels = {Image.open(p).size + (read_boxes(p).sum(),): p for p in pictures}
    assert len(labels) == len(pictures)

    def finds(red):
        shown = iter([p for p in pictures for _ in range(2)])

        def predict(pixels):
            x, y, w, h = read_boxes(next(shown)).T * np.tile(pixels.shape[1::-1], 2)[:, None]
            sure = 0.9 if pixels[..., red].mean() > pixels[..., 2 - red].mean() else 0.0
            return np.stack([x - w / 2, y - h / 2, x + w / 2, y + h / 2], 1), np.full(len(x), sure)

        return predict

    warm = [p for p in pictures if (m := np.asarray(Image.open(p)).mean((0, 1)))[0] > m[2] + 1]
    pictures[:] = warm
    assert judge_colours(finds(red=2), pictures) is None
    assert judge_colours(finds(red=0), pictures).cause == "red and blue are exchanged"


# ------------------------------------------------------------------------------------------------------------ what came out
@pytest.mark.parametrize(
    ("losses", "cause"),
    [
        ("9 8 7 6 5 4", None),
        ("9 9 9.1 9 9.2 9", "the loss does not fall"),
        ("9 8 nan nan nan nan", "the loss is not a number"),
    ],
)
def test_a_runs_losses_are_looked_at(tmp_path, losses, cause):
    folder = tmp_path / "runs" / "a"
    folder.mkdir(parents=True)
    settings = {"model": MODEL, "data": str(FIRE_YAML), "imgsz": 256, "batch": 8, "nbs": 8, "epochs": 14}
    (folder / "args.yaml").write_text(yaml.safe_dump(settings | {"optimizer": "AdamW", "lr0": 0.002}))
    (folder / "results.csv").write_text(
        "epoch,train/box\n" + "".join(f"{i},{x}\n" for i, x in enumerate(losses.split()))
    )
    assert [finding.cause for finding in doctor(folder)] == ([cause] if cause else [])


def test_the_command_line(capsys):
    assert main(["doctor", MODEL, str(FIRE_YAML), "preset=laptop", "lr0=0.1"]) == 0
    said = capsys.readouterr().out
    assert "ok  Steps" in said and "LIKELY WRONG  learning rate too high\n  seen        lr0=0.1 with AdamW" in said
    assert main(["doctor", MODEL, "nowhere.yaml"]) == 2 and "nowhere.yaml" in capsys.readouterr().err
    assert main(["doctor", "a", "b", "c"]) == 2


def test_a_folder_that_is_no_run_is_refused(tmp_path):
    with pytest.raises(InputError, match="holds no args.yaml"):
        doctor(tmp_path)
