"""Write a file whole or not at all."""

import os
from collections.abc import Callable
from pathlib import Path


def replace(path: Path, write: Callable[[Path], object]) -> None:
    """Let `write` fill a file beside `path`, then put it in its place: whoever looks finds the old one or the new one."""
    beside = path.with_name(f"{path.name}.{os.getpid()}.part")
    write(beside)
    os.replace(beside, path)
