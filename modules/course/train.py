"""Train a detector with Ultralytics, say how good it is, show what it finds, and go on where a run was interrupted."""

import csv
import itertools
import json
import os
import pickle
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil
import torch
from matplotlib.figure import Figure
from tqdm import tqdm
from ultralytics import YOLO

from .fire import FIRE_YAML, show_labelled
from .inputs import Data, InputError, check_data, check_device, check_imgsz, check_settings, load_model, shown, warn
from .pictures import BLUE, GREEN, draw_boxes
from .presets import preset as choose_preset
from .quiet import nothing_fetched, quiet

DEFAULT_MODEL = "yolo11n-EMO.yaml"


@dataclass(frozen=True)
class Run:
    """What a finished training left: its folder, its weights, a picture, its scores and the loss after each epoch."""

    folder: Path
    weights: Path
    picture: Path
    scores: dict[str, float]  # precision, recall, mAP50, mAP50-95, of the validation pictures
    losses: list[float]


def train(model=DEFAULT_MODEL, data=FIRE_YAML, preset: str | None = None, **overrides) -> Run:
    """Train `model` on `data`, print its scores and write a picture of what it finds.

    Everything goes to the folder runs/<model>-<preset>-<imgsz> of the current folder. A finished run is never written
    over: the next one gets a folder of its own. The same command after an interruption goes on where it stopped.

    Args:
        model: a model YAML, which is trained from scratch, or weights (.pt), which are trained further.
        data: a detection set's YAML.
        preset: "smoke", "laptop" or "full"; without it see `modules.course.presets.preset`.
        overrides: any argument of Ultralytics' training; it takes precedence over the preset.

    Raises:
        InputError: something that was asked for does not exist or does not fit. Nothing has been written then.
    """
    try:
        chosen = choose_preset(preset)
    except ValueError as error:
        raise InputError(str(error)) from None
    check_settings(overrides)
    settings = chosen.settings(**{"pretrained": str(model).endswith(".pt"), **overrides})
    check_device(settings.get("device"))
    settings["imgsz"] = check_imgsz(settings["imgsz"])
    yolo = load_model(str(model))
    if isinstance(yolo.model, str):
        raise InputError(f"model={model}: an exported network cannot be trained. Give its .pt, or a model YAML.")
    looked_at = look_at_data(data, yolo.task)
    total = looked_at.listed["train"]
    if chosen.pictures and total > chosen.pictures and "fraction" not in overrides:
        settings["fraction"] = chosen.pictures / total
        print(f"Training on {chosen.pictures} of {total} pictures (preset {chosen.name}; fraction=1.0 takes all).")

    # Tests say by COURSE_RUNS where their runs go, so that they leave nothing among a learner's own.
    parent = Path(settings.pop("project", os.environ.get("COURSE_RUNS", "runs"))).resolve()
    name = settings.pop("name", f"{Path(model).stem}-{chosen.name}-{settings['imgsz']}")
    request = {"model": str(model), "data": looked_at.yaml, **settings}
    folder = free_folder(parent, str(name), request)
    write_record(folder, request, finished=False)
    fit(yolo, folder, looked_at, settings)
    run = report(folder, looked_at, settings)
    write_record(folder, request, finished=True)
    return run


def look_at_data(data, task: str) -> Data:
    """Check the set, and name what Ultralytics will leave out."""
    looked_at = check_data(data, task)
    for problem in looked_at.problems[:10]:
        warn(f"{problem}. This picture is left out.")
    if looked_at.problems:
        warn(f"{len(looked_at.problems)} of {sum(looked_at.listed.values())} pictures are left out.")
    return looked_at


# ------------------------------------------------------------------------------------------------ folders and resuming
def free_folder(parent: Path, name: str, request: dict) -> Path:
    """The folder of an interrupted run of the same request, else the first name that is not taken."""
    names = (name if number == 1 else f"{name}-{number}" for number in itertools.count(1))
    for folder in (parent / name for name in names):
        if not folder.exists() or can_go_on(folder, request):
            return folder


def can_go_on(folder: Path, request: dict) -> bool:
    """Whether `folder` holds an unfinished run of this request that no other process is working on."""
    try:
        record = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    # Ultralytics keeps the folder in its checkpoint, so a run that was moved cannot go on.
    same = record["request"] == json.loads(json.dumps(request, default=str)) and record["folder"] == str(folder)
    running = record["process"] != os.getpid() and psutil.pid_exists(record["process"])
    return same and not record["finished"] and not running


def write_record(folder: Path, request: dict, finished: bool) -> None:
    """Note what was asked for, so that the same command recognises its run."""
    folder.mkdir(parents=True, exist_ok=True)
    record = {"request": request, "folder": str(folder), "process": os.getpid(), "finished": finished}
    (folder / "run.json").write_text(json.dumps(record, indent=1, default=str), encoding="utf-8")


def epochs_done(last: Path, epochs: int) -> int:
    """How many epochs a checkpoint has seen; Ultralytics marks that of a finished run with epoch -1."""
    try:
        epoch = torch.load(last, map_location="cpu", weights_only=False)["epoch"]
    except FileNotFoundError:
        return 0
    except (EOFError, RuntimeError, pickle.UnpicklingError):
        warn(f"{shown(last)} was not written to its end; training starts over.")
        return 0
    return epochs if epoch == -1 else epoch + 1


def forget_after(results: Path, epochs: int) -> None:
    """Drop from results.csv what was written after the checkpoint, and will be written again."""
    if results.exists():
        lines = results.read_text(encoding="utf-8").splitlines(keepends=True)
        results.write_text("".join(lines[: 1 + epochs] if epochs else []), encoding="utf-8")
        if not epochs:
            results.unlink()


# ----------------------------------------------------------------------------------------------------------- training
def fit(yolo: YOLO, folder: Path, data: Data, settings: dict) -> None:
    """Let Ultralytics train, from the start or from last.pt."""
    last, epochs = folder / "weights" / "last.pt", settings["epochs"]
    done = epochs_done(last, epochs)
    if done >= epochs:
        return
    forget_after(folder / "results.csv", done)
    if done:
        print(f"Going on with {shown(folder)} after epoch {done} of {epochs}.")
        yolo = YOLO(str(last))
        settings = {"resume": True, **{k: settings[k] for k in ("device",) if k in settings}}
    else:
        settings = {**settings, "data": data.yaml, "project": str(folder.parent), "name": folder.name, "exist_ok": True}
    progress = Progress()
    yolo.add_callback("on_train_start", progress.start)
    yolo.add_callback("on_train_batch_end", progress.batch)
    yolo.add_callback("on_model_save", progress.epoch)
    with quiet(), nothing_fetched(), progress:
        yolo.train(**settings)


class Progress:
    """One progress bar for the whole run, and a row of numbers after each epoch."""

    def __init__(self):
        self.bar = None

    def __enter__(self):
        return self

    def __exit__(self, *error):
        if self.bar is not None:
            self.bar.close()

    def start(self, trainer):
        per_epoch = len(trainer.train_loader)
        self.bar = tqdm(
            total=trainer.epochs * per_epoch,
            initial=trainer.start_epoch * per_epoch,
            unit="batch",
            leave=False,
            disable=None,  # no bar where the output goes to a file or a notebook
        )
        self.write("   epoch     loss   precision   recall    mAP50   mAP50-95")

    def write(self, line):
        self.bar.write(line)
        sys.stdout.flush()

    def batch(self, trainer):
        self.bar.update()

    def epoch(self, trainer):
        loss = sum(trainer.label_loss_items(trainer.tloss).values())
        p, r, m50, m = (trainer.metrics[f"metrics/{key}(B)"] for key in ("precision", "recall", "mAP50", "mAP50-95"))
        self.write(f"{trainer.epoch + 1:4d}/{trainer.epochs:<4d}{loss:8.3f}{p:12.3f}{r:9.3f}{m50:9.3f}{m:11.3f}")


# ---------------------------------------------------------------------------------------------------------- reporting
def report(folder: Path, data: Data, settings: dict) -> Run:
    """Measure the best weights on the validation pictures, draw what they find, print both paths."""
    weights = folder / "weights" / "best.pt"
    keep = {k: settings[k] for k in ("imgsz", "batch", "device") if k in settings}
    place = {"project": str(folder.parent), "name": folder.name, "exist_ok": True}
    yolo = YOLO(str(weights))
    with quiet(), nothing_fetched():
        box = yolo.val(data=data.yaml, plots=False, verbose=False, **keep, **place).box
    scores = {"precision": box.mp, "recall": box.mr, "mAP50": box.map50, "mAP50-95": box.map}
    scores = {name: float(score) for name, score in scores.items()}
    picture = draw_predictions(yolo, data.pictures["val"], folder / "predictions.png", settings)
    print(f"On {len(data.pictures['val'])} validation pictures: ", end="")
    print("   ".join(f"{name} {score:.3f}" for name, score in scores.items()))
    print(f"weights  {shown(weights)}\npicture  {shown(picture)}")
    return Run(folder, weights, picture, scores, read_losses(folder / "results.csv"))


def read_losses(results: Path) -> list[float]:
    """The training loss after each epoch, summed over its parts (box, class, ...)."""
    with results.open(encoding="utf-8") as file:
        return [sum(float(v) for k, v in row.items() if k.strip().startswith("train/")) for row in csv.DictReader(file)]


def draw_predictions(yolo: YOLO, pictures: list[Path], path: Path, settings: dict, count: int = 6) -> Path:
    """Write `count` pictures, spread over the set, with the boxes found (and how sure) and those labelled (dashed)."""
    chosen = [pictures[i] for i in np.unique(np.linspace(0, len(pictures) - 1, count).astype(int))]
    keep = {k: settings[k] for k in ("imgsz", "device") if k in settings}
    figure = Figure(figsize=(9.6, 5.2), layout="constrained")
    with quiet(), nothing_fetched():
        found = [yolo.predict(str(p), verbose=False, **keep)[0] for p in chosen]
    axes = figure.subplots(2, 3).flat
    for ax in axes[len(chosen) :]:
        ax.axis("off")
    for ax, picture, result in zip(axes, chosen, found):
        show_labelled(ax, picture, GREEN, dashed=True)
        boxes = result.boxes if result.boxes is not None else result.obb
        draw_boxes(ax, boxes.xyxy.cpu().tolist(), BLUE, [f"{sure:.2f}" for sure in boxes.conf.tolist()])
        ax.set_title(picture.name, fontsize=9)
    figure.suptitle("Found: solid, with the network's confidence. Labelled: dashed.")
    figure.savefig(path, dpi=80)
    return path
