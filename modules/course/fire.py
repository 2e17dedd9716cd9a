"""The fire set that comes with the course, and a look at it."""

import json
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps
from ultralytics.data.utils import img2label_paths

from .pictures import draw_boxes

FIRE = Path(__file__).parents[2] / "datasets" / "fire"
FIRE_YAML = FIRE / "fire.yaml"


def fire_pictures(part: str = "train", kind: str | None = None) -> list[Path]:
    """The pictures of the part "train" or "val", in order of their names; with `kind` only those of that kind of scene.

    Raises:
        ValueError: there is no such part, or it has no picture of that kind.
    """
    if part not in ("train", "val"):
        raise ValueError(f"part='{part}': choose train or val.")
    kinds = read_kinds(part)
    if kind is not None and kind not in kinds.values():
        raise ValueError(f"kind='{kind}': the part {part} has {', '.join(sorted(set(kinds.values())))}.")
    return [picture for picture, its_kind in kinds.items() if kind in (None, its_kind)]


def read_kinds(part: str) -> dict[Path, str]:
    """What each picture of a part shows ("far", "campfire", ...), in order of the pictures' names."""
    manifest = json.loads((FIRE / "manifest.json").read_text(encoding="utf-8"))
    return {FIRE / name: facts["kind"] for name, facts in sorted(manifest.items()) if name.startswith(f"{part}/")}


def read_boxes(picture: Path) -> np.ndarray:
    """The labelled boxes of a picture: (n, 4), centre x, centre y, width, height as parts of the picture's size.

    A row `class x1 y1 x2 y2 x3 y3 ...` is an outline; its box is the smallest around it.
    """
    return np.array([to_box(row[1:]) for row in read_rows(picture)]).reshape(-1, 4)


def read_classes(picture: Path) -> list[int]:
    """The classes of a picture's labelled boxes, as numbers."""
    return [int(row[0]) for row in read_rows(picture)]


def read_rows(picture: Path) -> list[np.ndarray]:
    """The rows of a picture's label file: the class, then the four numbers of a box or the corners of an outline."""
    label = Path(img2label_paths([str(picture)])[0])
    lines = label.read_text(encoding="utf-8-sig").splitlines() if label.is_file() else []
    return [np.array(line.split(), dtype=float) for line in lines if len(line.split()) >= 5]


def to_box(numbers: np.ndarray) -> np.ndarray:
    """The numbers of a label's row: a box as it is, an outline as the box around it."""
    if len(numbers) == 4:
        return numbers
    least, most = (edge(numbers[: len(numbers) // 2 * 2].reshape(-1, 2), axis=0) for edge in (np.min, np.max))
    return np.concatenate([(least + most) / 2, most - least])


def to_corners(boxes: np.ndarray, width: int, height: int) -> np.ndarray:
    """Boxes as in a label file -> (n, 4) pixels x1, y1, x2, y2."""
    x, y, w, h = boxes.T
    return np.stack([(x - w / 2) * width, (y - h / 2) * height, (x + w / 2) * width, (y + h / 2) * height], axis=1)


def show_labelled(ax, picture: Path, colour: str, dashed: bool = False) -> None:
    """Draw one picture with its labelled boxes."""
    image = ImageOps.exif_transpose(Image.open(picture)).convert(
        "RGB"
    )  # upright, as its labels and Ultralytics take it
    ax.imshow(image)
    ax.axis("off")
    draw_boxes(ax, to_corners(read_boxes(picture), *image.size), colour, dashed=dashed)
