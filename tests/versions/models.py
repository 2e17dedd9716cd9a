"""Models of every family and task with a registered backbone and registered blocks, and tiny data to train them on."""

from pathlib import Path

import cv2
import numpy as np
import yaml
from ultralytics.nn import tasks

from modules.course.graft import graft

FAMILIES = {"v8": "yolov8", "v10": "yolov10", "11": "yolo11", "12": "yolo12", "26": "yolo26"}
TASKS = {"detect": "", "segment": "-seg", "pose": "-pose", "obb": "-obb"}
STACKS = {"C2f", "C3k2", "A2C2f", "C2fCIB"}  # blocks of a neck that c1 -> c2 blocks of ours can replace


def stock_model(family: str, task: str) -> dict | None:
    """Ultralytics' model at scale n, or None where this version has none."""
    try:
        return tasks.yaml_model_load(f"{FAMILIES[family]}n{TASKS[task]}.yaml")
    except FileNotFoundError:
        return None


def with_ours(stock: dict) -> dict:
    """`stock` with TinyNet as its backbone, and TinyBlock and C2f_iRMB in place of its neck's first two blocks."""
    model = graft(stock, "TinyNet")
    first, second, *_ = [row for row in model["head"] if row[2] in STACKS]
    first[1:] = [1, "TinyBlock", [first[3][0]]]
    second[1:] = [2, "C2f_iRMB", [second[3][0]]]
    return model


def write_data(folder: Path, task: str, pictures: int = 8) -> Path:
    """Bright squares on noise, labelled for `task`; returns the data YAML."""
    rng = np.random.default_rng(0)
    for kind in ("images", "labels"):
        (folder / kind).mkdir(parents=True, exist_ok=True)
    for i in range(pictures):
        image = rng.integers(0, 80, (64, 64, 3), dtype=np.uint8)
        x, y = rng.integers(2, 30, 2)
        image[y : y + 28, x : x + 28] = (40, 120, 250)
        cv2.imwrite(str(folder / "images" / f"{i}.png"), image)
        corners = np.array([[x, y], [x + 28, y], [x + 28, y + 28], [x, y + 28]]) / 64
        box = [*corners.mean(0), 28 / 64, 28 / 64]
        points = [v for corner in corners for v in (*corner, 2)]
        values = {"detect": box, "segment": corners.ravel(), "obb": corners.ravel(), "pose": [*box, *points]}[task]
        (folder / "labels" / f"{i}.txt").write_text("0 " + " ".join(f"{v:.4f}" for v in values) + "\n")
    data = {"path": str(folder), "train": "images", "val": "images", "names": {0: "square"}}
    if task == "pose":
        data["kpt_shape"] = [4, 3]
    path = folder / "data.yaml"
    path.write_text(yaml.safe_dump(data))
    return path
