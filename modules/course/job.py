"""What was asked for: looked at from all sides before anything is written, and kept as one Job."""

import hashlib
import json
import os
import random
from dataclasses import dataclass, field
from pathlib import Path

import torch
import ultralytics
import yaml
from ultralytics import YOLO
from ultralytics.cfg import DEFAULT_CFG_DICT
from ultralytics.data.utils import check_det_dataset, img2label_paths
from ultralytics.nn import tasks

from ..transfer import transfer
from .checkpoints import check_finite, check_trainable, load_model
from .errors import InputError, warn
from .fire import FIRE_YAML
from .inputs import (
    check_cache,
    check_classes,
    check_device,
    check_freeze,
    check_imgsz,
    check_place,
    check_settings,
)
from .presets import Preset
from .presets import preset as choose_preset
from .quiet import nothing_fetched, quiet
from .sets import Data, check_data

DEFAULT_MODEL = "yolo11n-RepViT.yaml"

# Which settings reach what. All are for training. Of these two groups some also decide what is measured, and what the
# network is asked when the picture of its predictions is drawn. Ultralytics would take the others there too, and
# fail (batch=-1), or measure something else (fraction, rect) than it validates during training.
PREDICTED = ("imgsz", "device", "classes", "conf", "iou", "max_det", "agnostic_nms", "augment", "half", "quantize")
MEASURED = (*PREDICTED, "workers", "single_cls", "plots", "save_json", "dnn", "nms", "end2end")
# These are about the course's own ways, or are said once and for all by the model.
NOT_PASSED_ON = ("cfg", "mode", "task", "model", "data", "verbose", "fraction", "exist_ok", "split", "resume")
# What a short preset has less of than Ultralytics by default, and a detector that is to be used needs.
FOR_USE = ("imgsz", "epochs", "mosaic")


@dataclass(frozen=True)
class Job:
    """A training that was asked for and looked at, and not begun. Printed, it says what it takes of the set."""

    model: str
    yolo: YOLO
    data: Data
    preset: Preset
    parts: dict[str, list[Path]]  # the pictures to "train" on, to validate "val_each_epoch" and "val_at_end"
    settings: dict  # for Ultralytics
    parent: Path
    name: str
    val_every: int  # epochs from one validation to the next; 0: none
    keep_best: bool  # the weights of the epoch with the best validation, else those of the last epoch
    asked: dict = field(default_factory=dict)  # the arguments of `prepare`
    advice: str = ""  # how to train for use, where a short preset meets a set of one's own

    def __str__(self):
        there = {part: len(pictures) for part, pictures in self.data.pictures.items()}
        part = {name: len(pictures) for name, pictures in self.parts.items()}
        each = "each epoch" if self.val_every == 1 else f"every {self.val_every} epochs"
        during = f"{part['val_each_epoch']} are validated {each}, " if self.val_every else ""
        hours, epochs = self.settings.get("time"), self.settings["epochs"]
        length = f"{hours:g} hours" if hours else f"{epochs} epoch{'s' * (epochs != 1)}"
        lines = [
            f"Training on {part['train']} of {there['train']} pictures, {length} at {self.settings['imgsz']} px "
            f"(preset {self.preset.name}).",
            f"Of {there['val']} validation pictures {during}{part['val_at_end']} at the end.",
            self.preset.note,
            self.advice,
        ]
        return "\n".join(line for line in lines if line)

    @property
    def request(self) -> dict:
        """All that decides what comes out. The model and the pictures are looked at anew each time."""
        versions = {"ultralytics": ultralytics.__version__, "torch": torch.__version__}
        of_model = {"model": Path(self.model).name, "network": fingerprint_of_model(self.model, self.yolo)}
        of_data = {"data": Path(self.data.yaml).name, "names": self.data.names, "set": self.fingerprint_of_set()}
        validated = {"val_every": self.val_every, "keep_best": self.keep_best}
        return {**of_model, **of_data, **versions, **validated, **self.settings}

    def fingerprint_of_set(self) -> str:
        return fingerprint(self.parts, Path(self.data.yaml).parent)

    def only(self, keys: tuple[str, ...]) -> dict:
        """The settings with these names, as far as there are such."""
        return {key: self.settings[key] for key in keys if self.settings.get(key) is not None}


def prepare(model=None, data=None, preset: str | None = None, overrides: dict | None = None) -> Job:
    """Look at everything that was asked for, before anything is written.

    What is said explicitly goes before what stands in the file `cfg=`, and that before the preset.
    """
    named = {key: value if value is None else str(value) for key, value in {"model": model, "data": data}.items()}
    asked = {**named, "preset": preset, "overrides": overrides or {}}
    try:
        chosen = choose_preset(preset)
    except ValueError as error:
        raise InputError(str(error)) from None
    check_settings(overrides or {})
    given = {**read_cfg((overrides or {}).get("cfg")), **(overrides or {})}
    model = str(first_said(model, given.get("model"), DEFAULT_MODEL))
    settings = chosen.settings(**{"pretrained": model.endswith(".pt"), **given})
    check_device(settings.get("device"))
    settings["imgsz"] = check_imgsz(settings["imgsz"])
    if settings.get("split", "val") != "val":
        raise InputError(
            f"split={settings['split']}: a training is measured on 'val:'. Afterwards: python -m modules val split=..."
        )
    yolo = load_model(model)
    check_trainable(yolo, model)
    check_freeze(settings.get("freeze"), yolo.model.model)
    refuse_what_safe_load_cannot_read(yolo)
    looked_at = look_at_data(first_said(data, given.get("data"), FIRE_YAML), yolo.task)
    check_classes(settings.get("classes"), looked_at.names)
    check_cache(settings, looked_at.yaml)
    say_what_is_taken_over(settings["pretrained"], yolo, looked_at)
    if settings.get("save") is False:
        warn("save=False: weights are written after the last epoch only, so an interrupted training begins anew.")
    # Tests say by COURSE_RUNS where their runs go, so that they leave nothing among a learner's own.
    parent = Path(settings.pop("project", None) or os.environ.get("COURSE_RUNS") or "runs").expanduser().resolve()
    name = str(settings.pop("name", None) or f"{Path(model).stem}-{chosen.name}-{settings['imgsz']}")
    check_place(parent, name)
    parts = choose_pictures(looked_at, chosen, given.get("fraction"))
    if "cache" not in given and not fits_in_memory(parts["train"], settings["imgsz"]):
        settings["cache"] = False
    val_every = int(bool(given["val"])) if "val" in given else chosen.val_every
    if "patience" in given:
        val_every = val_every or 1
    settings = {key: value for key, value in settings.items() if key not in NOT_PASSED_ON}
    best, advice = "patience" in given, how_to_train_for_use(chosen, given, looked_at)
    return Job(model, yolo, looked_at, chosen, parts, settings, parent, name, val_every, best, asked, advice)


def how_to_train_for_use(preset: Preset, given: dict, data: Data) -> str:
    """A line on what the preset cuts short, of what nobody asked for; the fire set is there to learn with, so it gets none."""
    said = {*given, *(["epochs"] if "time" in given else [])}  # hours go before epochs
    left = [key for key in FOR_USE if key not in said and getattr(preset, key) < DEFAULT_CFG_DICT[key]]
    if not left or Path(data.yaml).resolve() == FIRE_YAML.resolve():
        return ""
    words = " ".join(f"{key}={DEFAULT_CFG_DICT[key]:g}" for key in left)
    all_pictures = "preset=laptop " if preset.pictures else ""
    return f"The preset {preset.name} is for trying out. For a detector that you mean to use: {all_pictures}{words}, or preset=full."


def first_said(*values):
    """The first that is not None: what is empty or 0 was said, too, and is looked at."""
    return next(value for value in values if value is not None)


def read_cfg(path) -> dict:
    """The arguments in a file that `tune` wrote, or `copy-cfg`; those without a value, which mean the default, left out."""
    if not path:
        return {}
    try:
        read = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        raise InputError(f"cfg={path}: there is no such file here, or it is no YAML.") from None
    if not isinstance(read, dict):
        raise InputError(f"cfg={path}: it holds no arguments; write one a line, as 'epochs: 30'.")
    given = {key: value for key, value in read.items() if value is not None and key not in {"cfg", "mode", "verbose"}}
    try:
        check_settings(given)
    except InputError as error:
        raise InputError(f"cfg={path}: {error}") from None
    return given


def choose_pictures(data: Data, preset: Preset, fraction=None) -> dict[str, list[Path]]:
    """The pictures for each purpose. `fraction`, as in Ultralytics: a part, a count, or one of these for each of train, val."""
    train, val = preset.pictures, None
    if fraction is not None:
        of_train, *others = fraction if isinstance(fraction, (list, tuple)) else [fraction]
        train = count_of(of_train, data.pictures["train"])
        val = count_of(others[0], data.pictures["val"]) if others else None
    judged = sample(data.pictures["val"], preset.val_at_end if val is None else val)
    return {
        "train": sample(data.pictures["train"], train),
        "val_each_epoch": sample(judged, preset.val_each_epoch),
        "val_at_end": judged,
    }


def count_of(fraction, pictures: list[Path]) -> int:
    """How many pictures a fraction stands for: a whole number above 1 is a count, the rest a part of them; at least one."""
    if isinstance(fraction, bool) or not isinstance(fraction, (int, float)) or fraction < 0:
        raise InputError(
            f"fraction={fraction}: give a part of the pictures, as fraction=0.5, or how many, as fraction=60."
        )
    return max(1, fraction if fraction > 1 else round(len(pictures) * fraction))


def sample(pictures: list[Path], count: int | None) -> list[Path]:
    """`count` of the pictures, always the same ones, or all of them."""
    if count is None or count >= len(pictures):
        return pictures
    # The first ones would do if every set were shuffled. Many are sorted by what they show.
    return sorted(random.Random(0).sample(pictures, int(count)))


def fits_in_memory(pictures: list[Path], imgsz: int, limit: float = 1e9) -> bool:
    """Whether these pictures, decoded, take less than `limit` bytes. Ultralytics then looks at what is free."""
    return len(pictures) * imgsz * imgsz * 3 < limit


def look_at_data(data, task: str) -> Data:
    """Check the set, and name what Ultralytics will leave out."""
    looked_at = check_data(data, task)
    for problem in looked_at.problems[:10]:
        warn(f"{problem}. This picture is left out.")
    if looked_at.problems:
        warn(f"{len(looked_at.problems)} of {sum(looked_at.listed.values())} pictures are left out.")
    for remark in looked_at.remarks[:10]:
        warn(f"{remark}.")
    if looked_at.repeated:
        warn(f"{looked_at.repeated} pictures are listed more than once, and are used once.")
    trained_on = {picture.resolve() for picture in looked_at.pictures["train"]}
    if both := sum(picture.resolve() in trained_on for picture in looked_at.pictures["val"]):
        warn(
            f"{both} of {len(looked_at.pictures['val'])} pictures of 'val:' are in 'train:' too: the scores will be too good."
        )
    return looked_at


def say_what_is_taken_over(pretrained, yolo: YOLO, data: Data) -> None:
    """Say how many tensors of the weights `pretrained=` fit: with another backbone mostly those of neck and head."""
    if not isinstance(pretrained, (str, Path)):
        return
    with quiet():
        ours = type(yolo.model)(dict(yolo.model.yaml), nc=len(data.names), verbose=False)
    try:
        source = load_model(str(pretrained))
        check_finite(source, f"pretrained={pretrained}")
        report = transfer(source, ours)
    except InputError:
        raise
    except ValueError as error:
        raise InputError(f"pretrained={pretrained}: {error}") from None
    tensors = len(ours.state_dict())
    say = print if report.kept == tensors else warn
    say(
        f"pretrained={pretrained}: {report.kept} of {tensors} tensors fit this network, row by row, and are taken over."
    )


def refuse_what_safe_load_cannot_read(yolo: YOLO) -> None:
    """Under ULTRALYTICS_SAFE_LOAD Ultralytics opens only its own and torch's classes: nothing that stands in modules/."""
    if not getattr(tasks, "SAFE_LOAD", False):
        return
    others = {
        type(m).__name__
        for m in yolo.model.modules()
        if type(m).__module__.split(".")[0] not in {"torch", "ultralytics"}
    }
    if others:
        raise InputError(
            f"ULTRALYTICS_SAFE_LOAD is set: Ultralytics would not open the trained weights again, for they hold "
            f"{', '.join(sorted(others)[:3])}. Unset it to train this network."
        )


def fingerprint(parts: dict[str, list[Path]], root: Path) -> str:
    """A number for these pictures (each by its name below `root` and its size in bytes) and for what their labels say."""
    number = hashlib.sha256()
    for part, pictures in parts.items():
        for picture, label in zip(pictures, map(Path, img2label_paths([str(picture) for picture in pictures]))):
            name = picture.relative_to(root) if picture.is_relative_to(root) else picture
            number.update(f"{part} {name.as_posix()} {picture.stat().st_size}\n".encode())
            number.update(label.read_bytes() if label.is_file() else b"")
    return number.hexdigest()


def fingerprint_of_model(model: str, yolo: YOLO) -> str:
    """A number for a network: the bytes of its weights, or the rows of its YAML and the number of its parameters."""
    if Path(model).suffix == ".pt" and Path(model).is_file():
        return hashlib.sha256(Path(model).read_bytes()).hexdigest()
    # A notebook that changed no class leaves an empty "yours".
    rows = {key: value for key, value in yolo.model.yaml.items() if key != "yaml_file" and value != {}}
    parameters = sum(p.numel() for p in yolo.model.parameters())
    return hashlib.sha256(json.dumps([rows, parameters], default=str).encode()).hexdigest()


def write_set(path: Path, data: Data, **parts: list[Path]) -> str:
    """Write a data YAML for the pictures in `parts`, beside lists of them; for a whole, sound set name its own."""
    if parts == data.pictures and not data.problems and not data.repeated:
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
