"""From scratch, or with the neck and head of a trained network? `python -m modules.course.pretrained` measures it (minutes).

EMO in YOLO11n is trained twice on the fire set, alike but for its start: from nothing, and with what `transfer` takes from
YOLO11n's weights that come with the course. Those were trained on the same pictures, behind another backbone.
"""

import csv
import hashlib
import json
import tempfile

from ultralytics import YOLO

from ..registry import MODEL_FOLDERS
from ..transfer import transfer
from . import shipped
from .epochs import read_epochs
from .errors import InputError
from .presets import PRESETS
from .results import RESULTS
from .train import train

MODEL, SOURCE = "yolo11n-EMO.yaml", "yolo11n"
SETTINGS = {"preset": "results", "imgsz": 160, "epochs": 6, "val": True, "seed": 0, "device": "cpu"}
FILE = RESULTS / "pretrained.csv"
COLUMNS = ("start", "epoch", "mAP50", "source", "recipe")
STARTS = {"from scratch": False, "neck and head of YOLO11n": True}


def recipe() -> str:
    """A number that changes with what decides the curves: settings, preset, model file, how many tensors are taken."""
    parts = [(MODEL_FOLDERS[-1] / "yolo11-EMO.yaml").read_text(encoding="utf-8"), json.dumps(SETTINGS)]
    parts += [repr(PRESETS[SETTINGS["preset"]]), str(transfer(f"{SOURCE}.yaml", YOLO(MODEL)).kept)]
    return hashlib.sha256("".join(parts).encode()).hexdigest()[:12]


def curves() -> dict[str, list[float]]:
    """The stored mAP50 after each epoch, for each start.

    Raises:
        InputError: nothing has been measured yet.
    """
    if not FILE.is_file():
        raise InputError("results/pretrained.csv is not there: run python -m modules.course.pretrained (minutes).")
    found: dict[str, list[float]] = {}
    for row in rows():
        found.setdefault(row["start"], []).append(float(row["mAP50"]))
    return found


def rows() -> list[dict[str, str]]:
    """The lines of the stored file."""
    with FILE.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def measure() -> None:
    """Train both, and write the file."""
    source = shipped.checkpoint(SOURCE)
    number = hashlib.sha256((shipped.FOLDER / f"{SOURCE}.safetensors").read_bytes()).hexdigest()[:12]
    lines, made_by = [], recipe()
    with tempfile.TemporaryDirectory() as folder:
        for start, takes in STARTS.items():
            given = {"pretrained": str(source)} if takes else {}
            run = train(MODEL, project=folder, name=str(len(lines)), verbose=False, **SETTINGS, **given)
            scores = [epoch["metrics/mAP50(B)"] for epoch in read_epochs(run.folder / "results.csv")]
            lines += [(start, epoch, f"{score:.4f}", number, made_by) for epoch, score in enumerate(scores, 1)]
    with FILE.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows([COLUMNS, *lines])


if __name__ == "__main__":
    measure()
