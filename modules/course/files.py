"""Write a file whole or not at all, and say so where it cannot be written."""

import contextlib
import errno
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from unittest import mock

import cv2
import numpy as np
from matplotlib.figure import Figure

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


def save_figure(figure: Figure, path: Path) -> None:
    """Write a figure of matplotlib, whole or not at all, in the format that the name of `path` ends with."""
    replace(path, lambda beside: figure.savefig(beside, format=path.suffix[1:].lower(), dpi=80))


VideoWriter = cv2.VideoWriter  # before `nothing_lost` puts Film in its place


class Film:
    """As cv2.VideoWriter, which passes over frames that cannot be written. (That class does not survive a subclass.)"""

    def __init__(self, filename: str, *args, **settings):
        self.path, self.writer = Path(filename), VideoWriter(filename, *args, **settings)

    def write(self, frame: np.ndarray) -> None:
        """Add a frame.

        Raises:
            OSError: the disk has no room for it.
        """
        if shutil.disk_usage(self.path.parent).free < frame.nbytes:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self.path))
        self.writer.write(frame)

    def release(self) -> None:
        self.writer.release()


def say_of_thread(failed: threading.ExceptHookArgs) -> None:
    """One line for what ended a thread, as those in which Ultralytics draws."""
    message = isinstance(failed.exc_value, Exception) and explain(failed.exc_value)
    warn(message) if message else threading.__excepthook__(failed)


@contextlib.contextmanager
def nothing_lost() -> Iterator[None]:
    """Within it Ultralytics stops at what it cannot write, a picture or a frame of a film, and what ends its threads is said
    in one line."""
    hooks = {"cv2.imwrite": write_picture, "cv2.VideoWriter": Film, "threading.excepthook": say_of_thread}
    with contextlib.ExitStack() as stack:
        for name, ours in hooks.items():
            stack.enter_context(mock.patch(name, ours))
        yield
