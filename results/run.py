"""Run the trainings that results/runs.csv lacks. May be killed at any time, and started again.

Several processes may share the work, each with threads of its own (COURSE_THREADS): each takes a training that no other
has begun.
"""

import copy
import itertools
import platform
import time

import numpy as np
import torch
import ultralytics
from filelock import FileLock, Timeout
from ultralytics import YOLO

from modules.course import results
from modules.course.epochs import read_epochs, total, was_validated
from modules.course.errors import InputError
from modules.course.fire import fire_pictures
from modules.course.measure import gmac, parameters
from modules.course.presets import PRESETS
from modules.course.quiet import nothing_fetched, quiet
from modules.course.train import train_once

from .plan import MODELS, ORDER, Model
from .validity import PRESET, numbers_of, why_stale

WORK = results.RESULTS.parent / "runs" / "results"  # outside git: checkpoints, and what an interrupted run goes on from


# ------------------------------------------------------------------------------------------------------ what is missing
def chosen(names: tuple[str, ...]) -> list[tuple[Model, int]]:
    """The planned trainings with these names (`yolo11n-EMO`, or `yolo11n-EMO-1` for seed 1 alone), or all."""
    known = {f"{model.name}-{seed}" for model, seed in ORDER} | set(MODELS)
    for name in names:
        if name not in known:
            raise InputError(f"'{name}' is not planned. Planned are {', '.join(MODELS)}; -0, -1, -2 choose one seed.")
    return [(m, seed) for m, seed in ORDER if not names or m.name in names or f"{m.name}-{seed}" in names]


def look(names: tuple[str, ...]) -> dict[tuple[str, int], str]:
    """For each planned training what is the matter with it, in the order of the plan; "" where its row holds."""
    rows = {(row["name"], int(row["seed"])): row for row in results.read("runs.csv")}
    now = {}
    verdict = {}
    for model, seed in chosen(names):
        row = rows.get((model.name, seed))
        if row and model.name not in now:
            now[model.name] = numbers_of(model.rows())
        verdict[model.name, seed] = why_stale(row, now[model.name]) if row else "missing"
    return verdict


def status(*names: str) -> None:
    """Print which trainings are there, and why the others have to be run."""
    verdict = look(names)
    for (name, seed), why in verdict.items():
        print(f"{name} seed {seed}: {why or 'there'}")
    print(f"{sum(not why for why in verdict.values())} of {len(verdict)} are there.")


# ------------------------------------------------------------------------------------------------------------- running
def run_missing(*names: str) -> None:
    """Run all planned trainings that are missing or stale, or those with these names."""
    missing = [key for key, why in look(names).items() if why]
    begun, done = time.monotonic(), 0
    for i, (name, seed) in enumerate(missing):
        each = (time.monotonic() - begun) / 60 / max(done, 1)
        left = f", about {each * (len(missing) - i):.0f} minutes left" if done else ""
        print(f"[{i + 1} of {len(missing)}{left}] {name}, seed {seed}", flush=True)
        done += run_unless_taken(MODELS[name], seed)


def run_unless_taken(model: Model, seed: int) -> bool:
    """Run one training, unless another process is at it or has just finished it."""
    name = f"{model.name}-{seed}"
    WORK.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(WORK / f"{name}.lock", timeout=0):
            if missing := look((name,))[model.name, seed]:
                run_one(model, seed)
            return bool(missing)
    except Timeout:
        print(f"{name}: another process is running it", flush=True)
        return False


def run_one(model: Model, seed: int) -> None:
    """Train, or go on with, one model, and put its rows into the csv files."""
    cpu, begun = time.process_time(), time.time()
    name = f"{model.name}-{seed}"
    run = train_once(model.file(WORK / "models"), preset=PRESET, project=str(WORK), name=name, seed=seed)
    epochs = read_epochs(run.folder / "results.csv")
    yolo = YOLO(str(run.weights))
    find(yolo).save(results.detections_file(model.name, seed))
    row = describe(model, seed, yolo, len(epochs)) | run.scores
    if run.weights.stat().st_mtime > begun:
        row["cpu_seconds"] = round((time.process_time() - cpu) * len(epochs) / since_last_start(epochs))
    row = {key: round(value, 4) if isinstance(value, float) else value for key, value in row.items()}
    # The curves first: a row in runs.csv says that all is there.
    replace_rows(
        "curves.csv", results.CURVE, model.name, seed, [curve_row(model.name, seed, epoch) for epoch in epochs]
    )
    replace_rows("runs.csv", results.COLUMNS, model.name, seed, [row])


def describe(model: Model, seed: int, yolo: YOLO, epochs: int) -> dict:
    """What a row says besides the scores. Parameters and GMAC are those of the fused network, as it predicts."""
    preset = PRESETS[PRESET]
    fused = copy.deepcopy(yolo.model).float().eval()
    with quiet():
        fused.fuse()
    size = preset.imgsz
    return {
        **{"name": model.name, "variant": model.variant, "lesson": model.lesson, "against": model.against},
        **{"seed": seed, "recipe": PRESET, "pictures": preset.pictures or len(fire_pictures("train"))},
        **{"imgsz": size, "epochs": epochs, "device": device()},
        **{"parameters": parameters(fused), "gmac": gmac(fused, torch.zeros(1, 3, size, size))},
        **{"ultralytics": ultralytics.__version__, "torch": torch.__version__},
        **numbers_of(model.rows()),
    }


def device() -> str:
    if torch.cuda.is_available():
        return torch.cuda.get_device_name(0)
    return f"CPU {platform.machine()}, {torch.get_num_threads()} threads"


def find(yolo: YOLO) -> results.Detections:
    """What a network finds in the validation pictures, from a confidence of 0.01 on, at most 60 boxes a picture."""
    pictures, confidences, boxes = [], [], []
    for i, picture in enumerate(fire_pictures("val")):
        with quiet(), nothing_fetched():
            found = yolo.predict(str(picture), imgsz=PRESETS[PRESET].imgsz, conf=0.01, max_det=60, verbose=False)[
                0
            ].boxes
        pictures += [i] * len(found)
        confidences.append(found.conf.cpu().numpy())
        boxes.append(found.xyxyn.cpu().numpy())
    return results.Detections(np.array(pictures, int), np.concatenate(confidences), np.concatenate(boxes))


# ------------------------------------------------------------------------------------------------------------ csv files
def since_last_start(epochs: list[dict]) -> int:
    """How many of these epochs were trained since the last interruption: each start sets the clock back."""
    clock = [float(row["time"]) for row in epochs]
    starts = [i for i, (before, after) in enumerate(itertools.pairwise(clock), 1) if after < before]
    return len(clock) - (starts[-1] if starts else 0)


def curve_row(name: str, seed: int, epoch: dict) -> dict:
    """One epoch, its losses summed over their parts. What was not validated stays empty."""
    row = {"name": name, "seed": seed, "epoch": int(epoch["epoch"]), "train_loss": round(total(epoch, "train/"), 4)}
    if was_validated(epoch):
        scores = {key: round(epoch[f"metrics/{key}(B)"], 4) for key in ("mAP50", "mAP50-95")}
        row |= {"val_loss": round(total(epoch, "val/"), 4), **scores}
    return row


def replace_rows(file: str, columns: tuple[str, ...], name: str, seed: int, rows: list[dict]) -> None:
    """Put these rows in the place of those that the file has of this training, in the order of the plan."""
    place = {model: i for i, model in enumerate(MODELS)}
    with FileLock(WORK / f"{file}.lock"):
        others = [row for row in results.read(file) if (row["name"], row["seed"]) != (name, str(seed))]
        every = sorted([*others, *rows], key=lambda row: (place.get(row["name"], len(place)), int(row["seed"])))
        results.write(file, columns, every)
