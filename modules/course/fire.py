"""The fire set that comes with the course, and a look at it."""

from pathlib import Path

import numpy as np
from PIL import Image
from ultralytics.data.utils import img2label_paths

from .pictures import draw_boxes

FIRE = Path(__file__).parents[2] / "datasets" / "fire"
FIRE_YAML = FIRE / "fire.yaml"


def fire_pictures(part: str = "train") -> list[Path]:
    """The pictures of the part "train" or "val", in order of their names."""
    return sorted(path for path in (FIRE / part / "images").iterdir() if path.suffix == ".jpg")


def read_boxes(picture: Path) -> np.ndarray:
    """The labelled boxes of a picture: (n, 4), centre x, centre y, width, height as parts of the picture's size."""
    label = Path(img2label_paths([str(picture)])[0])
    rows = [line.split() for line in label.read_text(encoding="utf-8").splitlines()] if label.is_file() else []
    return np.array([row[1:] for row in rows if len(row) == 5], dtype=float).reshape(-1, 4)


def to_corners(boxes: np.ndarray, width: int, height: int) -> np.ndarray:
    """Boxes as in a label file -> (n, 4) pixels x1, y1, x2, y2."""
    x, y, w, h = boxes.T
    return np.stack([(x - w / 2) * width, (y - h / 2) * height, (x + w / 2) * width, (y + h / 2) * height], axis=1)


def show_labelled(ax, picture: Path, colour: str, dashed: bool = False) -> None:
    """Draw one picture with its labelled boxes."""
    image = Image.open(picture).convert("RGB")
    ax.imshow(image)
    ax.axis("off")
    draw_boxes(ax, to_corners(read_boxes(picture), *image.size), colour, dashed=dashed)
