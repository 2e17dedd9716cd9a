"""The frame around a command line: one line for what went wrong, an exit code, and a quiet end."""

import logging
import os
import sys
from collections.abc import Callable

from ..registry import ModelError
from .errors import InputError, plain, printable


def carry_out(call: Callable[[], int | None], go_on: str = "") -> int:
    """Call `call`; returns the exit code, which is 0 where `call` returns none.

    2 is for what the reader can change, which is said in one line, 130 for Ctrl-C, 141 for a reader that closed the pipe.

    Args:
        go_on: what to say of a command that was interrupted.
    """
    logging.raiseExceptions = False  # a pipe that is closed, as by `| head`, is no error
    try:
        with plain():
            code = call() or 0
            sys.stdout.flush()  # here it is noticed that what was said cannot be written
            return code
    except (InputError, ModelError) as error:
        print(f"Error: {printable(str(error))}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"\nInterrupted.{go_on}", file=sys.stderr)
        return 130
    except BrokenPipeError:
        return 141


def leave(code: int) -> None:
    """End the process. What cannot be written any more is dropped, else Python would complain as it ends."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(code)
