"""Look at the arguments that a learner gave before anything is written, and say in one line what is wrong with them."""

import difflib
import glob
import math
import os
from collections.abc import Iterable
from pathlib import Path

import torch
import ultralytics
from ultralytics.cfg import DEFAULT_CFG_DICT, get_cfg
from ultralytics.data.utils import IMG_FORMATS, VID_FORMATS
from ultralytics.engine.exporter import export_formats

from .checkpoints import check_checkpoint
from .errors import InputError, one_line, plain, read_yaml, shown, warn
from .fire import FIRE
from .quiet import quiet

OPTIMIZERS = ("auto", "sgd", "adam", "adamw", "adamax", "nadam", "radam", "rmsprop", "musgd")
DEVICES = ("cpu", "mps", "npu", "xpu")

# The modes of torch.compile.
COMPILE = ("true", "false", "default", "reduce-overhead", "max-autotune", "max-autotune-no-cudagraphs")

# Of pictures for classification; Ultralytics passes over other words.
AUGMENTATIONS = ("randaugment", "autoaugment", "augmix")

# Names that Ultralytics itself translates.
OTHER_FORMATS = (
    *("tensorrt", "trt", "mlmodel", "mlpackage", "mlprogram", "apple", "ios", "tflite", "tfjs"),
    *("huawei", "cann", "om", "vitis", "vitisai", "versal"),
)

CACHES = ("true", "false", "ram", "disk", "none")

# Arguments of older and newer versions, which Ultralytics itself translates.
OLD_NAMES = ("half", "int8", "end2end", "boxes", "hide_labels", "hide_conf", "line_thickness", "label_smoothing")

# The least and the greatest value of numbers that older versions of Ultralytics take unseen.
BOUNDS = {
    "epochs": (1, 100_000),
    "patience": (0, math.inf),
    "workers": (0, 256),
    "nbs": (1, math.inf),
    "max_det": (1, math.inf),
    "vid_stride": (1, math.inf),
    "line_width": (1, math.inf),
    "mask_ratio": (1, math.inf),
    "seed": (0, 2**32 - 1),  # NumPy's
    "time": (1e-9, 100_000),  # hours
    "save_period": (-1, math.inf),
    "close_mosaic": (0, math.inf),
    "warmup_epochs": (0, math.inf),
    "box": (0, math.inf),
    "cls": (0, math.inf),
    "dfl": (0, math.inf),
}

# Files that list sources.
LISTS = (".txt", ".csv", ".streams")

# More than any picture that a network of this kind was made for, and less than what fills a machine's memory.
LARGEST = 8192


def similar(word: str, known: Iterable[str]) -> str:
    """` Did you mean 'epochs'?`, or nothing if no known word is close."""
    words = {other.lower(): other for other in sorted(set(known) - {"mode"})}
    close = [words[found] for found in difflib.get_close_matches(str(word).lower(), words, n=3)]
    return f" Did you mean {' or '.join(repr(c) for c in close)}?" if close else ""


def check_cfg(cfg) -> None:
    """Refuse a file of arguments that is not there, or holds none."""
    path = Path(str(cfg))
    with plain(f"cfg={str(path)[:80]}"):
        if not path.is_file() or path.suffix not in {".yaml", ".yml"}:
            raise InputError(f"cfg={path}: there is no such file. Give a YAML of arguments, as copy-cfg writes it.")
        said = read_yaml(path)
    if not isinstance(said, dict) or not all(isinstance(key, str) for key in said):
        raise InputError(f"cfg={path}: it holds no arguments; write one a line, as 'epochs: 30'.")


def check_settings(settings: dict, also: Iterable[str] = ()) -> None:
    """Refuse arguments that Ultralytics does not know, and values of the wrong kind."""
    for key in settings:
        if key not in DEFAULT_CFG_DICT and key not in also and key not in OLD_NAMES:
            raise InputError(f"There is no argument '{key}'.{similar(key, [*DEFAULT_CFG_DICT, *also])}")
    try:
        with quiet():
            get_cfg(overrides={k: v for k, v in settings.items() if k not in also and k != "cfg"})
    except (TypeError, ValueError, SyntaxError) as error:
        raise InputError(one_line(error)) from None
    if str(settings.get("optimizer", "auto")).lower() not in OPTIMIZERS:
        raise InputError(f"optimizer={settings['optimizer']}: choose one of {', '.join(OPTIMIZERS)}.")
    if str(settings.get("compile", False)).lower() not in COMPILE:
        raise InputError(f"compile={settings['compile']}: write compile=True, or a mode: {', '.join(COMPILE[2:])}.")
    if "format" in settings:
        check_format(settings["format"])
    augmentation = str(settings.get("auto_augment") or AUGMENTATIONS[0])
    if augmentation.lower() not in (*AUGMENTATIONS, "none"):
        raise InputError(f"auto_augment={augmentation}: choose one of {', '.join(AUGMENTATIONS)}.")
    check_bounds(settings)
    if str(settings.get("cache", False)).lower() not in CACHES:
        raise InputError(f"cache={settings['cache']}: write cache=ram, cache=disk or cache=False.")
    if settings.get("cfg") is not None:
        check_cfg(settings["cfg"])
    for key in ("half", "int8"):  # newer versions take any text for True
        if not isinstance(settings.get(key, False), bool):
            raise InputError(f"{key}={settings[key]}: write {key}=True or {key}=False.")
    if not isinstance(settings.get("pretrained", ""), (bool, str, Path, type(None))):
        raise InputError(f"pretrained={settings['pretrained']}: give weights that end in .pt.")
    for key in ("pretrained", "distill_model"):
        if isinstance(settings.get(key), str) and settings[key].lower() not in {"true", "false", ""}:
            check_weights(key, settings[key])


def read_args(folder: Path, needed: tuple[str, ...] = ()) -> dict:
    """The settings of a run, as Ultralytics noted them in its args.yaml; `needed` are those that must be there."""
    file = folder / "args.yaml"
    with plain(shown(file)):
        said = read_yaml(file)
    if not isinstance(said, dict) or any(said.get(key) is None for key in needed):
        raise InputError(
            f"{shown(file)}: this does not say {', '.join(needed) or 'with which settings'}, as a run's does."
        )
    try:
        check_settings({key: value for key, value in said.items() if key in DEFAULT_CFG_DICT})
    except InputError as error:
        raise InputError(f"{shown(file)}: {error}") from None
    return said


def check_bounds(settings: dict) -> None:
    """Refuse numbers out of bounds."""
    for key, (least, greatest) in BOUNDS.items():
        value = settings.get(key)
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not least <= value <= greatest:
            raise InputError(
                f"{key}={value}: give a number from {least:g} {'on' if math.isinf(greatest) else f'to {greatest}'}."
            )
    batch = settings.get("batch", 1)
    whole = isinstance(batch, int) and not isinstance(batch, bool)
    if not (
        whole
        and (batch > 0 or batch == -1)
        or isinstance(batch, float)
        and (0 < batch < 1 or batch >= 1 and batch % 1 == 0)
    ):
        raise InputError(
            f"batch={batch}: give a number of pictures, as batch=8, or batch=-1 to let Ultralytics choose on a GPU."
        )


def check_format(name) -> None:
    """Refuse what is not the name of one format: newer Ultralytics exports the one whose name is the most alike."""
    known = [word for word in export_formats()["Argument"] if word != "-"]
    if not isinstance(name, str) or name.lower() not in (*known, *OTHER_FORMATS):
        raise InputError(
            f"format={name}: give the name of a format, as format=onnx.{similar(name, known)} Known are {', '.join(known)}."
        )


def check_weights(key: str, value: str) -> None:
    """Refuse weights to begin with that are not there, or no weights."""
    path = Path(value)
    if path.suffix in {".yaml", ".yml"} and key == "distill_model":
        return
    if path.suffix != ".pt":
        raise InputError(f"{key}={value}: give weights that end in .pt.")
    check_checkpoint(path, f"{key}={value}")


def check_device(device) -> None:
    """Refuse a GPU that this machine does not have."""
    words = str(device if device is not None else "").strip("[]() ").lower().replace("cuda:", "").replace("cuda", "0")
    parts = [part.strip(" '\"") for part in words.split(",")] if words else []
    numbers = [int(part) for part in parts if part.isdigit()]
    count = torch.cuda.device_count()
    if (numbers and max(numbers) >= count) or ("-1" in parts and not count):
        there = f"its GPUs are 0 to {count - 1}" if count else "no CUDA GPU can be used"
        raise InputError(f"device={device}: on this machine {there}. Leave device out, or write device=cpu.")
    if words == "mps" and not torch.backends.mps.is_available():
        raise InputError("device=mps: this machine has no Apple GPU. Leave device out, or write device=cpu.")
    known = [part for part in parts if part.lstrip("-").isdigit() or part.split(":")[0] in (*DEVICES, "dla")]
    alone = len(parts) == 1 or len(numbers) == len(set(numbers)) == len(parts)  # several GPUs, each once
    if parts and (known != parts or not alone):
        raise InputError(f"device={device}: write device=cpu, device=mps or the number of a GPU, as device=0.")


def check_imgsz(imgsz) -> int:
    """The picture size as a multiple of 32, rounded up with a warning where it is none."""
    if isinstance(imgsz, bool) or not isinstance(imgsz, int) or not 1 <= imgsz <= LARGEST:
        raise InputError(f"imgsz={imgsz}: give one whole number of pixels up to {LARGEST}, as imgsz=320.")
    rounded = math.ceil(imgsz / 32) * 32
    if rounded != imgsz:
        warn(f"imgsz={imgsz} is not a multiple of 32, the network's largest stride; {rounded} is used.")
    return rounded


def check_sides(imgsz) -> None:
    """Refuse a picture size that is no side, or height and width: Ultralytics takes 32 for one that is too small."""
    sides = imgsz if isinstance(imgsz, (list, tuple)) else [imgsz]
    if len(sides) not in (1, 2) or not all(type(side) is int and 1 <= side <= LARGEST for side in sides):
        raise InputError(f"imgsz={imgsz}: give one side in pixels up to {LARGEST}, as imgsz=320, or [height,width].")


def check_place(project: Path, name: str = "") -> None:
    """Refuse a place for results where no folder can be made."""
    with plain(f"project={str(project)[:80]}"):
        there = next(folder for folder in (project, *project.resolve().parents) if folder.exists())
        if not there.is_dir():
            raise InputError(f"project={project}: {shown(there)} is a file, not a folder. Give another project=.")
        if not os.access(there, os.W_OK | os.X_OK):
            raise InputError(f"project={project}: nothing can be written in {shown(there)}. Give another project=.")
    parts = Path(name).parts
    if name and (not parts or ".." in parts or Path(name).is_absolute()):
        raise InputError(f"name={name}: give a name, as name=run; project= says in which folder.")
    if not name.isprintable():
        raise InputError(f"name={name}: it holds a character that cannot be printed. Give another one, as name=run.")
    if len(os.fsencode(name)) > 200:
        raise InputError(f"name={name[:40]}...: this name is too long. Give a shorter one, as name=run.")


def check_drawing(key: str, path: Path) -> None:
    """Refuse a name under which no drawing can be written."""
    if path.suffix.lower() not in (".png", ".jpg", ".pdf"):
        raise InputError(f"{key}={path}: give a file that ends in .png, .jpg or .pdf.")


def check_cache(settings: dict, data) -> None:
    """Keep the course's own set as it is: cache=disk would write a file beside each picture of it."""
    if str(settings.get("cache", "")).lower() == "disk" and Path(data).resolve().is_relative_to(FIRE.resolve()):
        warn(
            f"cache=disk writes a file beside each picture; for the course's own set, {shown(FIRE)}, cache=ram is used."
        )
        settings["cache"] = "ram"


def check_freeze(freeze, rows: list) -> None:
    """Refuse rows to freeze that the model does not have; say what the frozen rows are where it has a backbone's row.

    Args:
        freeze: as Ultralytics takes it: how many rows from the first on, or a list of rows and of parts such as "0.stem".
        rows: the built model's rows.
    """
    if freeze is None or freeze == 0:
        return
    wanted = range(freeze) if isinstance(freeze, int) and freeze > 0 else freeze
    wanted = wanted if isinstance(wanted, (range, list, tuple)) else [None]
    parts = [word for word in wanted if isinstance(word, str) and "." in word]
    wanted = [int(word.split(".")[0]) if word in parts and word.split(".")[0].isdigit() else word for word in wanted]
    if not all(isinstance(i, int) and not isinstance(i, bool) and 0 <= i < len(rows) for i in wanted) or freeze is True:
        raise InputError(
            f"freeze={freeze}: the model has rows 0 to {len(rows) - 1}. Give how many from the first on, or a list of rows."
        )
    if not parts and len(wanted) == len(rows):
        raise InputError(f"freeze={freeze}: these are all rows of the model, so nothing could be trained.")
    if type(rows[1]).__name__ == "FeatureMap":
        last = max(i for i, row in enumerate(rows[:5]) if i == 0 or type(row).__name__ == "FeatureMap")
        print(f"freeze={freeze}: rows 0 to {last} are the backbone; row 0 holds all its weights.")


def check_embed(embed, rows: list) -> None:
    """Refuse rows without features: those that a model does not have, and its head."""
    if embed is None:
        return
    wanted = embed if isinstance(embed, (list, tuple)) else [None]
    if not wanted or not all(type(i) is int and 0 <= i < len(rows) - 1 for i in wanted):
        raise InputError(f"embed={embed}: give a list of rows from 0 to {len(rows) - 2}, as embed=[{len(rows) - 2}].")


def check_classes(classes, names: dict[int, str]) -> None:
    """Refuse classes that a set or a network does not have: nothing would be left to learn, or to find."""
    if classes is None:
        return
    wanted = classes if isinstance(classes, (list, tuple)) else [classes]
    if not wanted or not all(type(c) is int and c in names for c in wanted):
        known = ", ".join(f"{i} ({name})" for i, name in list(names.items())[:5])
        raise InputError(f"classes={classes}: give numbers of classes, as classes=[0]; known are {known}.")


def check_tracker(tracker) -> None:
    """Refuse a file that describes no tracker."""
    if tracker is None:
        return
    name, stock = str(tracker), Path(ultralytics.__file__).parent / "cfg" / "trackers"
    with plain(f"tracker={name[:80]}"):
        file = next((file for file in (Path(name), stock / name) if file.is_file()), None)
        said = read_yaml(file) if file else None
    if not isinstance(said, dict) or "tracker_type" not in said:
        known = ", ".join(sorted(file.name for file in stock.glob("*.yaml")))
        raise InputError(f"tracker={name}: no tracker is described there. Write one of {known}, or a copy of one.")


def check_source(source) -> int | None:
    """Refuse a place without pictures or films; returns how many there are, where that is known before they are read."""
    name = str(source)
    if "://" in name or name.isdigit() or name.startswith("screen"):
        return None
    with plain(f"source={name[:80]}"):
        path = Path(name)
        if not name or not path.exists() and not ("*" in name and glob.glob(name, recursive=True)):
            raise InputError(f"source={name}: there is no such file or folder.")
        known = {*IMG_FORMATS, *VID_FORMATS, *(() if path.is_dir() else (suffix[1:] for suffix in LISTS))}
        there = path.iterdir() if path.is_dir() else map(Path, glob.glob(name, recursive=True) or [name])
        files = [file for file in there if file.suffix[1:].lower() in known]
        if pipe := next((f for f in files if f.exists() and not (f.is_file() or f.is_dir())), None):
            raise InputError(f"source={name}: {shown(pipe)} is no file that can be read.")  # it would be waited for
        if path.suffix in LISTS and path.is_file() and not path.read_text(encoding="utf-8", errors="replace").strip():
            files = []
    if not files:
        raise InputError(
            f"source={name}: no pictures or films are there. Known are {', '.join(sorted(IMG_FORMATS))}, ..."
        )
    return None if path.suffix in LISTS else len(files)
