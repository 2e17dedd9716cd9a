"""Train a detector with Ultralytics, say how good it is, show what it finds, and go on where a run was interrupted."""

import csv
import hashlib
import itertools
import json
import os
import pickle
import random
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil
import torch
import ultralytics
import yaml
from matplotlib.figure import Figure
from tqdm import tqdm
from ultralytics import YOLO
from ultralytics.data.utils import check_det_dataset, img2label_paths
from ultralytics.utils.metrics import smooth

from .fire import FIRE_YAML, show_labelled
from .inputs import Data, InputError, check_data, check_device, check_imgsz, check_settings, load_model, shown, warn
from .pictures import BLUE, GREEN, draw_boxes
from .presets import preset as choose_preset
from .quiet import nothing_fetched, quiet

DEFAULT_MODEL = "yolo11n-EMO.yaml"
BASELINE = "yolo11n.yaml"


@dataclass(frozen=True)
class Run:
    """A finished training: its folder, and its scores on `judged` validation pictures. Printed, it is one line."""

    folder: Path
    scores: dict[str, float]  # precision, recall, mAP50, mAP50-95
    judged: int

    def __str__(self):
        scores = "   ".join(f"{name} {score:.3f}" for name, score in self.scores.items())
        return f"{self.folder.name}   {scores}   ({self.judged} validation pictures)"

    @property
    def weights(self) -> Path:
        """The weights of the best epoch."""
        return self.folder / "weights" / "best.pt"

    @property
    def picture(self) -> Path:
        """What these weights find on some validation pictures."""
        return self.folder / "predictions.png"

    @property
    def losses(self) -> list[float]:
        """The training loss after each epoch, summed over its parts (box, class, ...)."""
        with (self.folder / "results.csv").open(encoding="utf-8") as file:
            rows = csv.DictReader(file)
            return [sum(float(v) for k, v in row.items() if k.strip().startswith("train/")) for row in rows]


def train(model=DEFAULT_MODEL, data=FIRE_YAML, preset: str | None = None, verbose: bool = True, **overrides) -> Run:
    """Train `model` on `data`, print its scores and write a picture of what it finds.

    Everything goes to the folder runs/<model>-<preset>-<imgsz> of the current folder. A finished run is never written
    over: the next one gets a folder of its own. The same command after an interruption goes on where it stopped.

    The weights that are kept are those of the epoch that did best on the preset's `watched` validation pictures. The
    scores are about the preset's `judged` ones, mostly all of them.

    Args:
        model: a model YAML, which is trained from scratch, or weights (.pt), which are trained further.
        data: a detection set's YAML.
        preset: "smoke", "laptop" or "full"; without it see `modules.course.presets.preset`.
        verbose: print a row after each epoch, and where weights and picture are. Otherwise one line with the scores.
        overrides: any argument of Ultralytics' training; it takes precedence over the preset.

    Raises:
        InputError: something that was asked for does not exist or does not fit. Nothing has been written then.
    """
    job = prepare(model, data, preset, overrides)
    if verbose:
        print(job)
    run = carry_out(job, verbose)
    print(run)
    if verbose:
        print(f"weights  {shown(run.weights)}\npicture  {shown(run.picture)}")
    return run


def baseline(preset: str | None = None, **overrides) -> Run:
    """YOLO11n on the fire set, for comparisons: the finished run of exactly this request if there is one, else a new one.

    The request is all that decides the result: preset and overrides, pictures and labels, the versions of Ultralytics
    and torch. One printed line says which it was.
    """
    job = prepare(BASELINE, FIRE_YAML, preset, overrides)
    if run := find_finished(job.parent, job.request):
        print(f"already trained: {run}")
    else:
        run = carry_out(job, verbose=False)
        print(f"trained: {run}")
    return run


# ---------------------------------------------------------------------------------------------------------- preparing
@dataclass(frozen=True)
class Job:
    """A training that was asked for and looked at, and not begun. Printed, it says what it takes of the set."""

    model: str
    yolo: YOLO
    data: Data
    parts: dict[str, list[Path]]  # the pictures: to "train" on, "watched" after each epoch, "judged" at the end
    settings: dict  # for Ultralytics
    parent: Path
    name: str

    def __str__(self):
        there = {part: len(pictures) for part, pictures in self.data.pictures.items()}
        part = {name: len(pictures) for name, pictures in self.parts.items()}
        return (
            f"Training on {part['train']} of {there['train']} pictures. Of {there['val']} validation pictures "
            f"{part['watched']} are looked at after each epoch, {part['judged']} at the end."
        )

    @property
    def request(self) -> dict:
        """All that decides what comes out. The pictures are looked at anew each time."""
        versions = {"ultralytics": ultralytics.__version__, "torch": torch.__version__}
        given = {"model": self.model, "data": self.data.yaml, "set": fingerprint(self.parts)}
        return {**given, **versions, **self.settings}


def prepare(model, data, preset: str | None, overrides: dict) -> Job:
    """Look at everything that was asked for, before anything is written."""
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
    # Tests say by COURSE_RUNS where their runs go, so that they leave nothing among a learner's own.
    parent = Path(settings.pop("project", os.environ.get("COURSE_RUNS", "runs"))).resolve()
    name = str(settings.pop("name", f"{Path(model).stem}-{chosen.name}-{settings['imgsz']}"))
    parts = {
        "train": draw_lots(looked_at.pictures["train"], None if "fraction" in overrides else chosen.pictures),
        "watched": draw_lots(looked_at.pictures["val"], chosen.watched),
        "judged": draw_lots(looked_at.pictures["val"], chosen.judged),
    }
    return Job(str(model), yolo, looked_at, parts, settings, parent, name)


def look_at_data(data, task: str) -> Data:
    """Check the set, and name what Ultralytics will leave out."""
    looked_at = check_data(data, task)
    for problem in looked_at.problems[:10]:
        warn(f"{problem}. This picture is left out.")
    if looked_at.problems:
        warn(f"{len(looked_at.problems)} of {sum(looked_at.listed.values())} pictures are left out.")
    return looked_at


def draw_lots(pictures: list[Path], count: int | None) -> list[Path]:
    """`count` of the pictures, always the same ones, or all of them."""
    if count is None or count >= len(pictures):
        return pictures
    # The first ones would do if every set were shuffled. Many are sorted by what they show.
    return sorted(random.Random(0).sample(pictures, count))


def fingerprint(parts: dict[str, list[Path]]) -> str:
    """A number for these pictures (each by its name and its size in bytes) and for what their labels say."""
    number = hashlib.sha256()
    for part, pictures in parts.items():
        for picture, label in zip(pictures, map(Path, img2label_paths([str(picture) for picture in pictures]))):
            number.update(f"{part} {picture} {picture.stat().st_size}\n".encode())
            number.update(label.read_bytes() if label.is_file() else b"")
    return number.hexdigest()


def write_set(path: Path, data: Data, **parts: list[Path]) -> str:
    """Write a data YAML for the pictures in `parts`, beside lists of them; for whole parts name the set's own."""
    if parts == data.pictures:
        return data.yaml
    with quiet(), nothing_fetched():
        facts = check_det_dataset(data.yaml)
    for part, pictures in parts.items():
        listing = path.with_name(f"{path.stem}-{part}.txt")
        listing.write_text("".join(f"{picture}\n" for picture in pictures), encoding="utf-8")
        facts[part] = listing
    facts = {key: str(value) if isinstance(value, Path) else value for key, value in facts.items()}
    path.write_text(yaml.safe_dump(facts), encoding="utf-8")
    return str(path)


# ------------------------------------------------------------------------------------------------ folders and resuming
def take_folder(parent: Path, name: str, request: dict) -> Path:
    """The folder of an interrupted run of the same request, else a new one under the first name that is not taken."""
    names = (name if number == 1 else f"{name}-{number}" for number in itertools.count(1))
    for folder in (parent / name for name in names):
        try:
            folder.mkdir(parents=True)
            return folder
        except FileExistsError:
            if can_go_on(folder, request):
                return folder


def can_go_on(folder: Path, request: dict) -> bool:
    """Whether `folder` holds an unfinished run of this request that no other process is working on."""
    record = read_record(folder)
    if record is None or record["scores"] or not is_of(record, request):
        return False
    # Ultralytics keeps the folder in its checkpoint, so a run that was moved cannot go on.
    running = record["process"] != os.getpid() and psutil.pid_exists(record["process"])
    return record["folder"] == str(folder) and not running


def find_finished(parent: Path, request: dict) -> Run | None:
    """A finished run of the same request."""
    for folder in sorted(parent.glob("*")):
        record = read_record(folder)
        if record and record["scores"] and is_of(record, request):
            run = Run(folder, record["scores"], record["judged"])
            if run.weights.is_file() and run.picture.is_file():
                return run


def read_record(folder: Path) -> dict | None:
    """What `write_record` noted, or None if there is nothing that can be read."""
    try:
        return json.loads((folder / "run.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def is_of(record: dict, request: dict) -> bool:
    return record["request"] == json.loads(json.dumps(request, default=str))


def write_record(folder: Path, request: dict, run: Run | None = None) -> None:
    """Note what was asked for, and once it is finished what came out, so that the same command recognises its run."""
    record = {"request": request, "folder": str(folder), "process": os.getpid()}
    record |= {"scores": run and run.scores, "judged": run and run.judged}
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
def carry_out(job: Job, verbose: bool) -> Run:
    """Train in a folder of its own, then measure."""
    request = job.request
    folder = take_folder(job.parent, job.name, request)
    write_record(folder, request)
    fit(job, folder, verbose)
    run = judge(job, folder)
    write_record(folder, request, run)
    return run


def fit(job: Job, folder: Path, verbose: bool) -> None:
    """Let Ultralytics train, from the start or from last.pt."""
    yolo, settings = job.yolo, job.settings
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
        data = write_set(folder / "training.yaml", job.data, train=job.parts["train"], val=job.parts["watched"])
        settings = {**settings, "data": data, "project": str(folder.parent), "name": folder.name, "exist_ok": True}
    progress = Progress(verbose)
    yolo.add_callback("on_train_start", progress.start)
    yolo.add_callback("on_train_batch_end", progress.batch)
    yolo.add_callback("on_model_save", progress.epoch)
    with quiet(), nothing_fetched(), progress:
        yolo.train(**settings)


class Progress:
    """One progress bar for the whole run and, if `verbose`, a row of numbers after each epoch."""

    def __init__(self, verbose):
        self.verbose, self.bar = verbose, None

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
        if self.verbose:
            self.bar.write(line)
            sys.stdout.flush()

    def batch(self, trainer):
        self.bar.update()

    def epoch(self, trainer):
        loss = sum(trainer.label_loss_items(trainer.tloss).values())
        p, r, m50, m = (trainer.metrics[f"metrics/{key}(B)"] for key in ("precision", "recall", "mAP50", "mAP50-95"))
        self.write(f"{trainer.epoch + 1:4d}/{trainer.epochs:<4d}{loss:8.3f}{p:12.3f}{r:9.3f}{m50:9.3f}{m:11.3f}")


# ------------------------------------------------------------------------------------------------------------ judging
def judge(job: Job, folder: Path) -> Run:
    """Measure the best weights on validation pictures, and draw what they find."""
    settings, judged = job.settings, job.parts["judged"]
    data = write_set(folder / "judging.yaml", job.data, train=job.data.pictures["train"], val=judged)
    keep = {k: settings[k] for k in ("imgsz", "batch", "device") if k in settings}
    place = {"project": str(folder.parent), "name": folder.name, "exist_ok": True}
    yolo = YOLO(str(folder / "weights" / "best.pt"))
    with quiet(), nothing_fetched():
        box = yolo.val(data=data, plots=False, verbose=False, **keep, **place).box
    scores = {"precision": box.mp, "recall": box.mr, "mAP50": box.map50, "mAP50-95": box.map}
    run = Run(folder, {name: float(score) for name, score in scores.items()}, len(judged))
    draw_predictions(yolo, judged, run.picture, settings, best_confidence(box))
    return run


def best_confidence(box) -> float:
    """The confidence at which precision and recall are best together, as in the scores that Ultralytics gives.

    At least 0.05, for a network that has learned nothing; 0.25, as usual, where there was nothing to measure.
    """
    curve = np.asarray(getattr(box, "f1_curve", ()))  # (classes, confidences from 0 to 1); none where nothing was right
    if not curve.size:
        return 0.25
    return max(0.05, float(smooth(curve.mean(0), 0.1).argmax() / (curve.shape[1] - 1)))


def draw_predictions(
    yolo: YOLO, pictures: list[Path], path: Path, settings: dict, confidence: float, count: int = 6
) -> None:
    """Write `count` pictures, spread over the set, with the boxes found (and how sure) and those labelled (dashed)."""
    chosen = [pictures[i] for i in np.unique(np.linspace(0, len(pictures) - 1, count).astype(int))]
    keep = {k: settings[k] for k in ("imgsz", "device") if k in settings}
    figure = Figure(figsize=(9.6, 5.2), layout="constrained")
    with quiet(), nothing_fetched():
        found = [yolo.predict(str(p), conf=confidence, verbose=False, **keep)[0] for p in chosen]
    axes = figure.subplots(2, 3).flat
    for ax in axes[len(chosen) :]:
        ax.axis("off")
    for ax, picture, result in zip(axes, chosen, found):
        boxes = result.boxes if result.boxes is not None else result.obb
        draw_boxes(ax, boxes.xyxy.cpu().tolist(), BLUE, [f"{sure:.2f}" for sure in boxes.conf.tolist()])
        show_labelled(ax, picture, GREEN, dashed=True)  # last, so that no found box hides a label
        ax.set_title(picture.name, fontsize=9)
    figure.suptitle(f"Solid: found with a confidence of at least {confidence:.2f}. Dashed: labelled.")
    figure.savefig(path, dpi=80)
