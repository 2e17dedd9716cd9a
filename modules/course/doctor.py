"""Why is my mAP 0? Cheap looks at a model, its data and its settings; each names what is likely wrong and what to change.

    python -m modules doctor MODEL DATA key=value ...

MODEL is a model YAML, weights (.pt) or the folder of a run, whose own settings are then looked at too.
"""

import math
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image
from ultralytics.data.utils import img2label_paths

from .checkpoints import check_trainable, load_model
from .data import alike
from .epochs import read_epochs, total
from .errors import InputError, shown
from .fire import FIRE_YAML, read_boxes, to_corners
from .inputs import check_device, check_imgsz, check_settings, read_args
from .job import first_said
from .presets import preset as choose_preset
from .quiet import nothing_fetched, quiet
from .results import iou
from .sets import Data, check_data

FEWEST_STEPS = 100  # below, even an easy set is hardly learned from scratch
LARGEST_RATE = {"adam": 0.02, "sgd": 0.2}  # ten times what the optimizer usually works with
SHIFTS = np.array([(x, y) for x in (0, -0.5, 0.5) for y in (0, -0.5, 0.5)])  # in box sizes; the first is none


@dataclass(frozen=True)
class Finding:
    """One thing that is likely wrong. Printed, it is three lines."""

    cause: str
    seen: str
    change: str

    def __str__(self):
        return f"LIKELY WRONG  {self.cause}\n  seen        {self.seen}\n  to change   {self.change}"


@dataclass(frozen=True)
class Case:
    """What the doctor looks at. `folder` is that of a run, where MODEL named one."""

    model: str
    data: Data
    settings: dict
    folder: Path | None = None


class NoUsableData(InputError):
    """A set that is there, and of which nothing is left to train on."""


def doctor(model, data=None, preset: str | None = None, **overrides) -> list[Finding]:
    """Print what is likely wrong with a training of `model` on `data`, and return it.

    Raises:
        InputError: something that was named does not exist.
    """
    try:
        case = open_case(model, data, preset, overrides)
    except NoUsableData as error:
        finding = Finding("data that cannot be trained on", str(error), "put this right first")
        print(finding)
        return [finding]
    print(f"Looking at {shown(case.model)} on {shown(case.data.yaml)}.")
    findings = []
    for look in looks(case):
        found = look(case)
        print(f"{'!!' if found else 'ok'}  {(look.__doc__ or look.__name__).splitlines()[0]}")
        findings += [found] if found else []
    print(
        "\n".join(map(str, findings))
        or "Nothing found. If it still does not learn, see first whether it can overfit eight pictures."
    )
    return findings


def open_case(model, data, preset: str | None, overrides: dict) -> Case:
    """Read what was named: a run brings its settings and its data, else they are those of the preset."""
    check_settings(overrides)
    check_device(overrides.get("device"))
    path = Path(str(model))
    folder = next((f for f in (path, path.parent.parent) if (f / "args.yaml").is_file()), None)
    if path.is_dir() and folder is None:
        raise InputError(f"model={model}: this folder holds no args.yaml, so it is no run of Ultralytics.")
    if folder:
        settings = read_args(folder, ("model", "data", "imgsz", "batch", "epochs"))
        weights = next((w for w in ("best.pt", "last.pt") if (folder / "weights" / w).is_file()), None)
        model = (
            folder / "weights" / weights if path.is_dir() and weights else settings["model"] if path.is_dir() else model
        )
    else:
        try:
            settings = choose_preset(preset).settings(**overrides)
        except ValueError as error:
            raise InputError(str(error)) from None
    settings = {**settings, **overrides}
    settings["imgsz"] = check_imgsz(settings["imgsz"])
    yolo = load_model(str(model))
    check_trainable(yolo, str(model))
    data = first_said(data, folder and settings["data"], FIRE_YAML)
    try:
        return Case(str(model), check_data(data, yolo.task), settings, folder)
    except InputError as error:
        if Path(str(data)).is_file():
            raise NoUsableData(str(error)) from None
        raise


# ------------------------------------------------------------------------------------------------------------- the data
def look_at_rows(case: Case) -> Finding | None:
    """The label files: their classes and numbers."""
    if not case.data.problems:
        return None
    wrong, first = len(case.data.problems), case.data.problems[0]
    classes = [problem for problem in case.data.problems if "does not exist; known are" in problem]
    cause = "class numbers that 'names:' does not have" if classes else "labels or pictures that cannot be read"
    change = "count the classes from 0, in 'names:' and in the label files alike" if classes else "correct these files"
    share = f"{wrong} of {sum(case.data.listed.values())} pictures are left out"
    return Finding(cause, f"{share}; the first: {classes[0] if classes else first}", change)


def look_at_boxes(case: Case) -> Finding | None:
    """Boxes: whether there are any, in both parts of the set."""
    for part, pictures in case.data.pictures.items():
        with_box = sum(len(read_boxes(picture)) > 0 for picture in pictures)
        if not with_box:
            label = Path(img2label_paths([str(pictures[0])])[0])
            there = "is empty" if label.is_file() else "does not exist"
            return Finding(
                "no labels",
                f"none of the {len(pictures)} pictures of '{part}:' has a box; {shown(label)} {there}",
                "put the label files where Ultralytics looks: a folder labels/ beside images/, with the same names",
            )
    return None


def look_at_classes(case: Case) -> Finding | None:
    """Classes: whether the labels use those that 'names:' lists."""
    seen = Counter()
    for picture in case.data.pictures["train"]:
        label = Path(img2label_paths([str(picture)])[0])
        if label.is_file():
            seen.update(
                int(float(line.split()[0])) for line in label.read_text(encoding="utf-8").splitlines() if line.strip()
            )
    never = [f"{number} ({name})" for number, name in case.data.names.items() if number not in seen]
    if not seen or not never:
        return None
    counted = ", ".join(f"{number}: {count}" for number, count in sorted(seen.items()))
    return Finding(
        "class numbers that do not fit 'names:'",
        f"no training label has class {', '.join(never)}; labels per class are {counted}",
        "count the classes from 0, and list in 'names:' those that the labels have",
    )


def look_at_places(case: Case) -> Finding | None:
    """Places: whether the boxes lie on what stands out from its surroundings."""
    votes = shift_votes(case.data.pictures["train"])
    best = int(votes.argmax())
    if votes.sum() < 10 or best == 0 or votes[best] < 0.4 * votes.sum() or votes[best] < 2 * votes[0]:
        return None
    x, y = SHIFTS[best]
    return Finding(
        "labels that are shifted",
        f"{votes[best]:.0f} of {votes.sum():.0f} boxes would fit better {x:+.1f} box widths and {y:+.1f} heights away",
        "draw labels on pictures; a row is class, CENTRE x, CENTRE y, width, height, as parts of the picture's size",
    )


def shift_votes(pictures: list[Path], enough: int = 60) -> np.ndarray:
    """For each of SHIFTS, how many boxes differ most from their surroundings when they are moved so: (9,)."""
    votes = np.zeros(len(SHIFTS))
    for picture in pictures[:: max(1, len(pictures) // enough)]:
        rows = read_boxes(picture)
        if votes.sum() >= enough or not len(rows):
            continue
        pixels = np.asarray(Image.open(picture).convert("RGB"), dtype=float)
        height, width = pixels.shape[:2]
        for x, y, w, h in rows:
            if w * width >= 8 and h * height >= 8:
                moved = np.array([(x + dx * w, y + dy * h, w, h) for dx, dy in SHIFTS])
                votes[np.argmax([contrast(pixels, box) for box in to_corners(moved, width, height)])] += 1
    return votes


def contrast(pixels: np.ndarray, box: np.ndarray) -> float:
    """How far the mean colour in a box is from that of a frame around it, half a box wide."""
    limits = np.array([*pixels.shape[1::-1]] * 2)
    size = np.tile(box[2:] - box[:2], 2) * (-0.5, -0.5, 0.5, 0.5)
    x1, y1, x2, y2 = np.clip(np.round(box), 0, limits).astype(int)
    X1, Y1, X2, Y2 = np.clip(np.round(box + size), 0, limits).astype(int)
    inside, all_of_it = pixels[y1:y2, x1:x2], pixels[Y1:Y2, X1:X2]
    count, counted = inside[..., 0].size, all_of_it[..., 0].size
    if count < 4 or counted == count:
        return 0.0
    frame = (all_of_it.sum((0, 1)) - inside.sum((0, 1))) / (counted - count)
    return float(np.abs(inside.mean((0, 1)) - frame).sum())


def look_at_sizes(case: Case) -> Finding | None:
    """Sizes: whether most targets are larger than a cell of the finest map."""
    sizes = [min(w, h) for picture in case.data.pictures["train"] for _, _, w, h in read_boxes(picture)]
    pixels = np.array(sizes) * case.settings["imgsz"]
    if not len(pixels) or np.median(pixels) >= 4:
        return None
    return Finding(
        "targets that are too small",
        f"at imgsz={case.settings['imgsz']} half of the boxes are under {np.median(pixels):.1f} pixels; a cell of P3 has 8",
        f"train with imgsz={2 * case.settings['imgsz']} or more, or cut the pictures into tiles",
    )


def look_at_parts(case: Case) -> Finding | None:
    """Parts: whether training and validation show the same scenes."""
    train, val = case.data.pictures["train"], case.data.pictures["val"]
    both = [*train, *val]
    pairs = [(both[i], both[j]) for i, j in alike(both) if i < len(train) <= j]
    if not pairs:
        return None
    seen = len({theirs for _, theirs in pairs})
    return Finding(
        "train and val share pictures",
        f"{seen} of {len(val)} validation pictures look like a training picture, as {pairs[0][1].name} and "
        f"{pairs[0][0].name}; the scores say what was learned by heart",
        "take them out of one part, and keep pictures of one scene together in one part",
    )


# --------------------------------------------------------------------------------------------------------- the settings
def look_at_steps(case: Case) -> Finding | None:
    """Steps: how often the weights are changed in the whole training."""
    s = case.settings
    batch = s["batch"] if s["batch"] >= 1 else 16
    gathered = max(round((s.get("nbs") or 64) / batch), 1)
    batches = math.ceil(len(case.data.pictures["train"]) / batch) * s["epochs"]
    steps = batches // gathered
    if steps >= FEWEST_STEPS:
        return None
    if gathered > 1 and batches >= FEWEST_STEPS:
        change = f"nbs={batch}, so that each batch is a step: {batches} steps"
        return Finding(
            "too few steps (nbs)", f"{gathered} batches are gathered for a step: {steps} steps in all", change
        )
    epochs = math.ceil(s["epochs"] * FEWEST_STEPS / max(batches, 1))
    return Finding("too few steps", f"{steps} steps in all", f"nbs={batch} and epochs={epochs} or more")


def look_at_rate(case: Case) -> Finding | None:
    """Learning rate: whether the optimizer can work with it."""
    name = str(case.settings.get("optimizer", "auto")).lower()
    if name == "auto":  # which ignores lr0
        return None
    kind = "adam" if "adam" in name else "sgd"
    rate = case.settings["lr0"]
    if rate <= LARGEST_RATE[kind]:
        return None
    usual = LARGEST_RATE[kind] / 10
    return Finding("learning rate too high", f"lr0={rate} with {case.settings['optimizer']}", f"lr0={usual:g}")


# --------------------------------------------------------------------------------------------------- what came out so far
def look_at_losses(case: Case) -> Finding | None:
    """Losses: whether they are finite and fall."""
    losses = [total(epoch, "train/") for epoch in read_epochs(case.folder / "results.csv")]
    if not losses:
        return None
    if not all(map(math.isfinite, losses)):
        return Finding("the loss is not a number", "nan or inf in results.csv", "amp=False, then a tenth of lr0")
    if len(losses) > 4 and min(losses[len(losses) // 2 :]) > 0.97 * losses[0]:
        seen = (
            f"the training loss was {losses[0]:.2f} after the first epoch and is {losses[-1]:.2f} after {len(losses)}"
        )
        return Finding("the loss does not fall", seen, "a tenth of lr0; then see whether it can overfit eight pictures")
    return None


def look_at_colours(case: Case) -> Finding | None:
    """Colours: whether trained weights do better with red and blue exchanged."""
    predict = predictor(case)
    return judge_colours(predict, [p for p in case.data.pictures["val"] if len(read_boxes(p))][:24])


def predictor(case: Case) -> Callable:
    """A function from a picture's pixels, (H, W, 3) in OpenCV's order blue, green, red, to boxes (n, 4) and confidences (n,)."""
    yolo = load_model(case.model)
    size = case.settings["imgsz"]

    def predict(pixels):
        with quiet(), nothing_fetched():
            found = yolo.predict(pixels, imgsz=size, conf=0.05, max_det=30, verbose=False)[0].boxes
        return found.xyxy.cpu().numpy(), found.conf.cpu().numpy()

    return predict


def judge_colours(predict: Callable, pictures: list[Path]) -> Finding | None:
    """Compare how sure `predict` is of the labelled boxes, and how sure with red and blue exchanged."""
    right, swapped = 0.0, 0.0
    for picture in pictures:
        rgb = np.asarray(Image.open(picture).convert("RGB"))
        labels = to_corners(read_boxes(picture), *rgb.shape[1::-1])
        right += sureness(*predict(np.ascontiguousarray(rgb[..., ::-1])), labels)
        swapped += sureness(*predict(np.ascontiguousarray(rgb)), labels)
    if swapped < 1.5 * right + 0.05 * len(pictures):
        return None
    return Finding(
        "red and blue are exchanged",
        f"labelled boxes are found with a mean confidence of {right / len(pictures):.2f}, "
        f"and of {swapped / len(pictures):.2f} with exchanged colours",
        "give predict file names, or arrays in OpenCV's order (blue, green, red): rgb[..., ::-1]",
    )


def sureness(boxes: np.ndarray, confidences: np.ndarray, labels: np.ndarray) -> float:
    """The mean over labels of the highest confidence of a box that overlaps it by half."""
    if not len(boxes):
        return 0.0
    overlap = iou(labels, boxes) >= 0.5
    return float(np.where(overlap, confidences[None], 0).max(1).mean())


def looks(case: Case) -> list[Callable]:
    """What can be looked at: losses only in a run, colours only with trained weights."""
    data = [look_at_rows, look_at_boxes, look_at_classes, look_at_places, look_at_sizes, look_at_parts]
    run = [look_at_losses] if case.folder and (case.folder / "results.csv").is_file() else []
    weights = [look_at_colours] if case.model.endswith(".pt") else []
    return [*data, look_at_steps, look_at_rate, *run, *weights]
