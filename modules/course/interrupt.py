"""Ctrl-C while torch and Ultralytics are being imported for `python -m modules`: one line, no traceback."""

import sys


def say_interrupted(kind, error, trace):
    if issubclass(kind, KeyboardInterrupt):
        print("\nInterrupted.", file=sys.stderr)
    else:
        sys.__excepthook__(kind, error, trace)


if sys.argv[:1] == ["-m"]:  # what Python calls the command until the package has been imported
    sys.excepthook = say_interrupted
