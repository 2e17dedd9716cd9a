"""Keep Ultralytics from printing pages, from fetching what nobody asked for, and from writing to a set it looks at."""

import contextlib
import io
import logging
import warnings
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from unittest import mock

import matplotlib
import torch
from PIL import Image
from ultralytics.utils import LOGGER
from ultralytics.utils.downloads import attempt_download_asset

from .errors import one_line, our_command


@contextlib.contextmanager
def quiet():
    """Ultralytics says only what went wrong, and shows no progress bars of its own."""
    level = LOGGER.level
    LOGGER.setLevel(logging.ERROR)
    try:
        with mock.patch("ultralytics.utils.VERBOSE", False):
            yield
    finally:
        LOGGER.setLevel(level)


# Ultralytics' warnings that the course has said better, or that ask for nothing.
SAID_OTHERWISE = (
    "Slow image access",
    "may produce non-deterministic",
    "ignoring corrupt image/label",
    "labels found in",
)


@contextlib.contextmanager
def filtered(note: Callable[[logging.LogRecord], bool], level: int):
    """Ultralytics logs from this level on, and of that what `note` lets pass."""
    before = LOGGER.level
    LOGGER.setLevel(level)
    LOGGER.addFilter(note)
    try:
        yield
    finally:
        LOGGER.removeFilter(note)
        LOGGER.setLevel(before)


@contextlib.contextmanager
def warnings_by(say: Callable[[str], None]):
    """Within `quiet`: what Ultralytics warns of is said by `say`, each warning once and in one line.

    As that the batch was halved because the memory did not suffice, or that a training went back to its last
    checkpoint because the loss was no number any more.
    """
    said = set()

    def hand_over(record):
        text = one_line(record.getMessage()).removeprefix("WARNING ")
        if record.levelno == logging.WARNING and text not in said and not any(word in text for word in SAID_OTHERWISE):
            said.add(text)
            say(text)
        return record.levelno > logging.WARNING

    with filtered(hand_over, logging.WARNING):
        yield


@contextlib.contextmanager
def pictures_not_read():
    """The list, filled while Ultralytics predicts, of the pictures that it passes over because it cannot read them."""
    found, level = [], LOGGER.level

    def note(record):
        path = record.getMessage().partition("Image Read Error ")[2]
        found.extend([one_line(path)] if path else [])
        return not path and record.levelno >= level

    with filtered(note, min(level, logging.WARNING)):
        yield found


# What torch says at each export: that YOLO's exporter is the older one, and that tracing makes sizes constant.
SAID_OF_EXPORTS = (
    "You are using the legacy TorchScript-based ONNX export",
    "The feature will be removed. Please remove usage of this function",
    r"`torch\.jit\.\w+` is deprecated",
)


@contextlib.contextmanager
def exporter_hushed():
    """Without these warnings; any other is shown as before."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", torch.jit.TracerWarning)
        for message in SAID_OF_EXPORTS:
            warnings.filterwarnings("ignore", message)
        yield


@contextlib.contextmanager
def hints_of_ours():
    """Ultralytics' hints name the command `python -m modules` where they name `yolo`."""

    def rename(record):
        record.msg, record.args = our_command(record.getMessage()), ()
        return True

    LOGGER.addFilter(rename)
    try:
        yield
    finally:
        LOGGER.removeFilter(rename)


def amp_works(model) -> bool:
    """Whether `model` gives finite numbers in half precision on its GPU: some older ones do not."""
    device = next(model.parameters()).device
    if device.type != "cuda":
        return False
    with torch.no_grad(), torch.autocast("cuda"):
        outputs = deepcopy(model).eval()(torch.rand(2, 3, 256, 256, device=device))
    return all(bool(torch.isfinite(y).all()) for y in tensors_in(outputs))


def tensors_in(outputs) -> list[torch.Tensor]:
    """All tensors in a network's outputs, which are nested differently for each task."""
    if isinstance(outputs, torch.Tensor):
        return [outputs]
    parts = outputs.values() if isinstance(outputs, dict) else outputs if isinstance(outputs, (list, tuple)) else ()
    return [tensor for part in parts for tensor in tensors_in(part)]


def open_unchanged(path, mode="r", *args, **kwargs):
    """open() for Ultralytics' look at pictures, which re-encodes a JPEG file that does not end in JPEG's end mark.

    It sees the mark wherever the picture can be decoded: then only bytes follow it, as in a phone's motion photos.
    """
    file = open(path, mode, *args, **kwargs)
    if mode != "rb":
        return file
    with file:
        if file.seek(0, 2) >= 2:
            file.seek(-2, 2)
        whole = file.read() == b"\xff\xd9"
    if not whole:
        with Image.open(path) as picture:
            picture.load()  # raises OSError where it was cut short, so that it is left out
    return io.BytesIO(b"\xff\xd9")


def note_nothing(prefix: str, path: Path, x: dict, version: str) -> None:
    """In the place of Ultralytics' function that writes labels.cache; the version it adds is read afterwards."""
    x["version"] = version


def weights_as_named(file, *args, **kwargs) -> str:
    """In the place of Ultralytics' search for weights, which drops apostrophes from the name of a file that is there."""
    return str(file) if Path(file).is_file() else attempt_download_asset(file, *args, **kwargs)


@contextlib.contextmanager
def nothing_fetched():
    """Replace what Ultralytics does unasked: it downloads a font, a model to try half precision with and Python
    packages, it rewrites pictures, and it notes in the set (labels.cache) what the labels say.

    Older versions believe such a note although a label has changed, if only its file is as large as before.
    """
    font = Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"
    with (
        mock.patch("ultralytics.data.utils.check_font", lambda *a, **k: font),
        mock.patch("ultralytics.utils.plotting.check_font", lambda *a, **k: font),
        mock.patch("ultralytics.engine.trainer.check_amp", amp_works),
        mock.patch("ultralytics.utils.checks.AUTOINSTALL", False),
        mock.patch("ultralytics.utils.downloads.attempt_download_asset", weights_as_named),
        mock.patch("ultralytics.data.utils.open", open_unchanged, create=True),
        mock.patch("ultralytics.data.dataset.load_dataset_cache_file", side_effect=FileNotFoundError),
        mock.patch("ultralytics.data.dataset.save_dataset_cache_file", note_nothing),
    ):
        yield
