"""Look at what a learner asked for before anything is written, and say in one line what is wrong with it."""

import difflib
import math
import pickle
import sys
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import torch
import ultralytics
import yaml
from PIL import Image
from ultralytics import YOLO
from ultralytics.cfg import DEFAULT_CFG_DICT, get_cfg
from ultralytics.data.utils import IMG_FORMATS, check_det_dataset, img2label_paths, verify_image_label
from ultralytics.utils.downloads import GITHUB_ASSETS_NAMES

from ..registry import ModelError
from .quiet import nothing_fetched, quiet

OPTIMIZERS = ("auto", "sgd", "adam", "adamw", "adamax", "nadam", "radam", "rmsprop", "musgd")


class InputError(ValueError):
    """Something that the learner gave and can change. The message is one line that says what to do."""


def warn(message: str) -> None:
    print(f"Warning: {message}", file=sys.stderr)


def one_line(error: BaseException) -> str:
    """The message of `error`, without Ultralytics' line breaks and signs."""
    return " ".join(str(error).encode("ascii", "ignore").decode().split())


def similar(word: str, known: Iterable[str]) -> str:
    """` Did you mean 'epochs'?`, or nothing if no known word is close."""
    close = difflib.get_close_matches(str(word), sorted(set(known) - {"mode"}), n=3)
    return f" Did you mean {' or '.join(repr(c) for c in close)}?" if close else ""


def check_settings(settings: dict, also: Iterable[str] = ()) -> None:
    """Refuse arguments that Ultralytics does not know, and values of the wrong kind."""
    for key in settings:
        if key not in DEFAULT_CFG_DICT and key not in also:
            raise InputError(f"There is no argument '{key}'.{similar(key, [*DEFAULT_CFG_DICT, *also])}")
    try:
        with quiet():
            get_cfg(overrides={k: v for k, v in settings.items() if k in DEFAULT_CFG_DICT})
    except (TypeError, ValueError) as error:
        raise InputError(one_line(error)) from None
    if str(settings.get("optimizer", "auto")).lower() not in OPTIMIZERS:
        raise InputError(f"optimizer={settings['optimizer']}: choose one of {', '.join(OPTIMIZERS)}.")
    if settings.get("batch") == 0:
        raise InputError("batch=0: give a number of pictures, as batch=8, or batch=-1 to let Ultralytics choose.")


def check_device(device) -> None:
    """Refuse a GPU that this machine does not have."""
    words = str(device if device is not None else "").strip("[]() ").lower().replace("cuda:", "").replace("cuda", "0")
    numbers = [int(w) for w in words.split(",") if w.strip().isdigit()]
    count = torch.cuda.device_count()
    if numbers and max(numbers) >= count:
        there = f"its GPUs are 0 to {count - 1}" if count else "no CUDA GPU can be used"
        raise InputError(f"device={device}: on this machine {there}. Leave device out, or write device=cpu.")
    if words == "mps" and not torch.backends.mps.is_available():
        raise InputError("device=mps: this machine has no Apple GPU. Leave device out, or write device=cpu.")
    if words.isalpha() and words not in {"cpu", "mps", "npu", "xpu"}:
        raise InputError(f"device={device}: write device=cpu, device=mps or the number of a GPU, as device=0.")


def check_imgsz(imgsz) -> int:
    """The picture size as a multiple of 32, rounded up with a warning where it is none."""
    if isinstance(imgsz, bool) or not isinstance(imgsz, int) or imgsz < 1:
        raise InputError(f"imgsz={imgsz}: training takes one whole number of pixels, as imgsz=320.")
    rounded = math.ceil(imgsz / 32) * 32
    if rounded != imgsz:
        warn(f"imgsz={imgsz} is not a multiple of 32, the network's largest stride; {rounded} is used.")
    return rounded


def load_model(model: str) -> YOLO:
    """Build the model of a YAML name, or load that of a checkpoint or of an exported file."""
    path = Path(model)
    if path.suffix not in {".yaml", ".yml", ".pt"} and not path.exists():
        raise InputError(f"model={model}: give a model file that ends in .yaml, or weights that end in .pt.")
    if path.suffix == ".pt" and not path.exists() and path.name not in GITHUB_ASSETS_NAMES:
        raise InputError(f"model={model}: there is no such file here ({Path.cwd()}).")
    try:
        with quiet():
            return YOLO(str(model))
    except (ModelError, FileNotFoundError, ConnectionError) as error:
        raise InputError(one_line(error)) from None
    except (pickle.UnpicklingError, EOFError, RuntimeError, TypeError) as error:
        if path.suffix != ".pt":
            raise
        raise InputError(f"model={model} cannot be read as weights ({one_line(error)}).") from None


@dataclass
class Data:
    """A detection set that has been looked at."""

    yaml: str
    names: dict[int, str]
    listed: dict[str, int] = field(default_factory=dict)  # how many pictures "train" and "val" have,
    pictures: dict[str, list[Path]] = field(default_factory=dict)  # those that can be used,
    problems: list[str] = field(default_factory=list)  # and why the others cannot


def check_data(data, task: str = "detect") -> Data:
    """Read a data YAML and every picture and label it leads to, as Ultralytics will.

    Raises:
        InputError: there is no such set, or no usable picture in one of its parts.
    """
    path = Path(data)
    stock = Path(ultralytics.__file__).parent / "cfg" / "datasets" / path.name
    if not path.is_file() and not (path.parent == Path() and stock.is_file()):
        raise InputError(
            f"data={data}: there is no such file. Give a data YAML; the course's own is datasets/fire/fire.yaml."
        )
    name = str(path.resolve()) if path.is_file() else path.name
    try:
        if path.is_file():
            yaml.safe_load(path.read_text(encoding="utf-8"))
        with quiet(), nothing_fetched():
            found = check_det_dataset(name)
    except yaml.YAMLError as error:
        raise InputError(f"data={data} is not valid YAML: {one_line(error)}") from None
    except (FileNotFoundError, SyntaxError, TypeError, ValueError, RuntimeError) as error:
        message = one_line(error).split(" Note dataset download directory")[0].rstrip(". ")
        raise InputError(
            f"data={data}: {message}. Correct 'path:', 'train:', 'val:' and 'names:' in this file."
        ) from None
    looked_at = Data(name, dict(found["names"]))
    for part in ("train", "val"):
        images = list_pictures(found[part])
        if not images:
            raise InputError(f"data={data}: no pictures under {found[part]}. Correct '{part}:' in this file.")
        looked_at.listed[part] = len(images)
        with quiet(), nothing_fetched(), ThreadPoolExecutor() as pool:
            wrong = list(pool.map(lambda image: check_picture(image, found, task), images))
        looked_at.pictures[part] = [image for image, why in zip(images, wrong) if not why]
        problems = [why for why in wrong if why]
        looked_at.problems += problems
        if not looked_at.pictures[part]:
            raise InputError(
                f"data={data}: none of the {len(images)} pictures of '{part}:' can be used; the first: {problems[0]}."
            )
    return looked_at


def list_pictures(source) -> list[Path]:
    """The pictures of a folder, of a text file that lists them, or of a list of these, in Ultralytics' order."""
    found = []
    for item in map(Path, source if isinstance(source, list) else [source]):
        if item.is_dir():
            found += item.rglob("*.*")
        elif item.is_file():
            found += [item.parent / line for line in item.read_text(encoding="utf-8").split("\n") if line.strip()]
    return sorted(p for p in found if p.suffix[1:].lower() in IMG_FORMATS)


def check_picture(image: Path, data: dict, task: str) -> str:
    """Why Ultralytics will leave this picture out, with the file and the line; empty if it will not."""
    label = img2label_paths([str(image)])[0]
    points, dims = data.get("kpt_shape") or (0, 0)
    try:
        with Image.open(image) as opened:
            opened.verify()
    except (OSError, SyntaxError, ValueError, ImportError):  # ImportError: newer versions then look for a plug-in
        return f"{shown(image)}: this is no picture, or a damaged one"
    job = (str(image), label, "", task == "pose", len(data["names"]), points, dims)
    try:
        verdict = verify_image_label((*job, False))
    except ValueError:  # 8.3.0 does not yet ask for single_cls
        verdict = verify_image_label(job)
    if verdict[0] is not None:
        return ""
    if Path(label).is_file():
        for number, line in enumerate(Path(label).read_text(encoding="utf-8", errors="replace").splitlines(), 1):
            if line.strip() and (why := check_row(line.split(), data["names"])):
                return f"{shown(label)}, line {number}: {why}"
    return f"{shown(image)}: {one_line(verdict[-1]).split('ignoring corrupt image/label: ')[-1]}"


def check_row(words: list[str], names: dict) -> str:
    """What is wrong with one row `class x y width height` of a label file, or nothing."""
    try:
        cls, *box = (float(w) for w in words)
    except ValueError:
        return f"'{' '.join(words)}' is not all numbers"
    if cls not in range(len(names)):
        known = ", ".join(f"{i} ({name})" for i, name in list(names.items())[:5])
        return f"class {cls:g} does not exist; known are {known}"
    if len(box) < 4:
        return f"{len(words)} numbers, where class, x, y, width and height are needed"
    if len(box) == 4:
        for name, value in zip(("x", "y", "width", "height"), box):
            if not 0 <= value <= 1:
                return f"{name} is {value:g}, outside 0 to 1 (all are parts of the picture's size)"
    return ""


def shown(path) -> str:
    """A path as printed: relative to the current folder where it lies inside."""
    path = Path(path)
    return str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)
