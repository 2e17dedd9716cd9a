"""One line instead of a traceback: what went wrong, with which file or argument, and what to do."""

import contextlib
import errno
import os
import pickle
import re
import shutil
import sys
import unicodedata
from collections.abc import Iterator
from pathlib import Path

import torch
import ultralytics
from ultralytics.cfg import CLI_HELP_MSG

from ..registry import ModelError, clipped, load_yaml
from .start import GONE

# With it set, errors keep their traceback.
TRACEBACK = "COURSE_TRACEBACK"


class InputError(ValueError):
    """Something that the learner gave and can change. The message is one line that says what to do."""


def warn(message: str) -> None:
    print(f"Warning: {message}", file=sys.stderr)


def one_line(error: BaseException | str) -> str:
    """The message of an error, without line breaks, colours and pictographs, and without what was printed around it."""
    text = str(error).split(CLI_HELP_MSG)[0]
    if "Original Traceback" in text:  # of a process that loads pictures; the last line is the error itself
        text = text.strip().splitlines()[-1]
    text = re.sub(r"\x1b\[[0-9;]*m", "", text).replace("\ufe0f", "").replace("ERROR", "")
    return our_command(" ".join("".join(c for c in text if unicodedata.category(c) != "So").split()))


def printable(text: str) -> str:
    """The same without what moves the cursor or clears a terminal: names of files come from strangers, too."""
    return "".join(c if c.isprintable() or c == "\n" else repr(c)[1:-1] for c in text)


def our_command(text: str) -> str:
    """`yolo predict model=...` -> `python -m modules predict model=...`."""
    return re.sub(r"\byolo (?=(?:[a-z]+ )?[a-z-]+(?:=| \w+=|$))", "python -m modules ", text)


# ------------------------------------------------------------------------------------------------- what it is called
FILE_SYSTEM = {
    errno.ENOSPC: "the disk is full. Make room, then repeat the command",
    errno.EDQUOT: "your share of this disk is used up. Make room, then repeat the command",
    errno.EROFS: "this is read-only. Give another folder, as project=/tmp/runs",
    errno.EACCES: "there is no permission. Give another folder or file, or change its permissions",
    errno.EPERM: "there is no permission. Give another folder or file, or change its permissions",
    errno.ENOTDIR: "a part of this path is a file, not a folder. Give another path",
    errno.EEXIST: "this exists and is a file. Give another name",
    errno.EISDIR: "this is a folder, and a file is needed",
    errno.ENAMETOOLONG: "this name is too long. Give a shorter one, as name=run",
    errno.EMFILE: "too many files are open. Give a smaller workers=",
    errno.ENOENT: "there is no such file or folder",
    errno.ELOOP: "this link leads to itself. Give another path",
}

# Names under which packages are installed, where they differ from those under which they are imported.
PACKAGES = {"paddle": "paddlepaddle x2paddle", "cv2": "opencv-python", "PIL": "pillow", "yaml": "pyyaml"}
PACKAGES["clip"] = "git+https://github.com/ultralytics/CLIP.git"  # another project has this name in the registry


def missing_package(error: ModuleNotFoundError) -> str:
    name = (error.name or "").split(".")[0]
    return (
        f"this needs the package '{name}', which is not installed: python -m pip install {PACKAGES.get(name, name)}. "
        f"Nothing is installed unasked."
    )


def file_system(error: OSError) -> str | None:
    said = FILE_SYSTEM.get(error.errno)
    name = error.filename2 or error.filename  # the second is what was written, where the first was read
    name = name if isinstance(name, (str, Path)) else ""
    if error.errno is None and any("PIL" in Path(step.f_code.co_filename).parts for step in frames(error)[-1:]):
        return f"this picture cannot be read ({one_line(error)})."
    if error.errno == errno.ENOENT and not name:  # as of os.getcwd
        return GONE
    return said and (f"{clipped(shown(name))}: {said}." if name else f"{said[0].upper()}{said[1:]}.")


def torch_runtime(error: RuntimeError) -> str | None:
    text = str(error)
    if isinstance(error, torch.cuda.OutOfMemoryError) or "out of memory" in text or "allocate memory" in text:
        return "the memory does not suffice. Give a smaller batch= or imgsz=."
    if "PytorchStreamWriter" in text or "file write failed" in text or "unexpected pos" in text:
        return "the weights could not be written to their end: the disk is full. Make room, then repeat the command."
    if text.startswith("Symlink loop"):  # pathlib's, before Python 3.13
        return f"{one_line(error).split(' from ')[-1]}: {FILE_SYSTEM[errno.ELOOP]}."
    return None


def no_pictures_come(error: ConnectionError) -> str | None:
    """A camera or a stream that Ultralytics cannot open: `1/1: 0... Failed to open 0`."""
    source = one_line(error).partition("Failed to open ")[2].rstrip(".")
    if not source:
        return None
    what = (
        f"no camera {source} can be opened here"
        if source.isdigit()
        else f"{clipped(source)}: no picture comes from there"
    )
    return f"{what}. Look whether it is connected and running, or give a file or folder, as source=FOLDER."


# What is raised -> what to say of it; the first that fits and says something.
KINDS = (
    (ModuleNotFoundError, missing_package),
    ((MemoryError, RuntimeError), torch_runtime),
    (MemoryError, lambda error: "the memory does not suffice. Give a smaller batch= or imgsz=."),
    (UnicodeError, lambda error: f"this is no text in UTF-8 ({one_line(error)}). Save the file in UTF-8."),
    ((pickle.UnpicklingError, EOFError), lambda error: f"this file cannot be read as weights ({one_line(error)})."),
    (ConnectionError, no_pictures_come),
    (OSError, file_system),
)

# What Ultralytics raises with a message of its own.
MEANT_FOR_READERS = (ValueError, SyntaxError, AssertionError, FileNotFoundError, ConnectionError, NotImplementedError)


def explain(error: BaseException) -> str | None:
    """In one line, what `error` means for the person who gave the command; None for a fault of this package."""
    if isinstance(error, (InputError, ModelError)):
        return str(error)
    files = [Path(step.f_code.co_filename) for step in frames(error)]
    if files and files[-1].is_relative_to(Path(__file__).parents[1]):
        # Raised by a line of ours: only the file system can be to blame.
        return file_system(error) or one_line(error) if isinstance(error, OSError) else None
    for kind, say in KINDS:
        if isinstance(error, kind) and (message := say(error)):
            return message
    if not any(file.is_relative_to(Path(ultralytics.__file__).parent) for file in files):
        return None
    what = one_line(error) or "no reason is given"
    if isinstance(error, MEANT_FOR_READERS):
        return f"{what.rstrip('. ')}."
    return f"{type(error).__name__}: {what.rstrip('. ')}. ({TRACEBACK}=1 before the command shows where.)"


def frames(error: BaseException) -> list:
    """The frames that `error` passed through, the one that raised it last."""
    found, step = [], error.__traceback__
    while step:
        found.append(step.tb_frame)
        step = step.tb_next
    return found


@contextlib.contextmanager
def plain(what: str = "") -> Iterator[None]:
    """Turn what Ultralytics, the file system and torch raise into one InputError line, which begins with `what`."""
    try:
        yield
    except (InputError, ModelError, BrokenPipeError):
        raise
    except Exception as error:
        message = explain(error)
        if message is None or os.environ.get(TRACEBACK):
            raise
        raise InputError(f"{what}: {message}" if what else message) from error


@contextlib.contextmanager
def nothing_left(folder: Path) -> Iterator[None]:
    """Remove `folder`, and the folder around it if that is empty then, when an error ends what began there.

    What holds weights stays: it is work that can be gone on with.
    """
    try:
        yield
    except Exception:
        if not any(folder.glob("weights/*.pt")):
            shutil.rmtree(folder, ignore_errors=True)
            with contextlib.suppress(OSError):
                folder.parent.rmdir()
        raise


def read_yaml(path: Path):
    """What a YAML file holds."""
    try:
        return load_yaml(path.read_text(encoding="utf-8-sig"))
    except ModelError as error:
        raise InputError(f"{shown(path)}: {error}") from error


def shown(path) -> str:
    """A path as printed: relative to the current folder where it lies inside."""
    path = Path(path)
    return str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)
