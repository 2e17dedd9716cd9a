"""What a command needs of its process before torch and Ultralytics are imported, which takes seconds."""

import os
import sys

GONE = "the current folder was deleted. Go to another one (cd), then repeat the command."


def is_command() -> bool:
    """Whether this is `python -m modules` (called "-m" until the package has been imported) or `python -m results`."""
    return sys.argv[:1] == ["-m"] or sys.argv[0].endswith(os.path.join("results", "__main__.py"))


def say_interrupted(kind, error, trace):
    """Ctrl-C while they are imported: one line, no traceback."""
    if issubclass(kind, KeyboardInterrupt):
        print("\nInterrupted.", file=sys.stderr)
    else:
        sys.__excepthook__(kind, error, trace)


def open_streams() -> None:
    """Put the null device where a standard stream was closed, lest the next file that is opened takes its number."""
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        if getattr(sys, name) is None:
            null = os.open(os.devnull, os.O_RDWR)
            if null != number:
                os.dup2(null, number)
            setattr(sys, name, open(number, mode, encoding="utf-8"))


def refuse_a_folder_that_is_gone() -> None:
    """torch ends the process from a folder that was deleted, and says that its own library is missing."""
    try:
        os.getcwd()
    except OSError:
        print(f"Error: {GONE}", file=sys.stderr)
        sys.exit(2)


if is_command():
    sys.excepthook = say_interrupted
    open_streams()
    # A letter that the terminal does not know is written as its number: the name of a file is no reason to stop.
    sys.stdout.reconfigure(errors="backslashreplace")
    refuse_a_folder_that_is_gone()
