"""Write a file whole or not at all, and say so where it cannot be written."""

import contextlib
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from unittest import mock

import cv2
import numpy as np

from .errors import explain, warn


def replace(path: Path, write: Callable[[Path], object]) -> None:
    """Let `write` fill a file beside `path`, then put it in its place: whoever looks finds the old one or the new one."""
    beside = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        write(beside)
        os.replace(beside, path)
    except BaseException as error:
        with contextlib.suppress(OSError):
            beside.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.filename:
            error.filename = str(path)  # the name that was asked for
        raise


def write_picture(path: str | Path, picture: np.ndarray, params: list[int] | None = None) -> bool:
    """As cv2.imwrite, which passes over a picture that cannot be written.

    Raises:
        OSError: the disk is full, or nothing can be written there.
    """
    path = Path(path)
    replace(path, lambda beside: beside.write_bytes(cv2.imencode(path.suffix, picture, params or [])[1].tobytes()))
    return True


def say_of_thread(failed: threading.ExceptHookArgs) -> None:
    """One line for what ended a thread, as those in which Ultralytics draws."""
    message = isinstance(failed.exc_value, Exception) and explain(failed.exc_value)
    warn(message) if message else threading.__excepthook__(failed)


@contextlib.contextmanager
def nothing_lost() -> Iterator[None]:
    """Within it Ultralytics stops at a picture that it cannot write, and what ends its threads is said in one line."""
    with mock.patch("cv2.imwrite", write_picture), mock.patch("threading.excepthook", say_of_thread):
        yield
