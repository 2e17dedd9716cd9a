"""The comparison: python -m results COMMAND.

status      which trainings are there, and why the others have to be run
run [NAME]  run those that are missing, or NAME (yolo11n-EMO, or yolo11n-EMO-1 for one seed)
page        write table and figures from the csv files
ship        put the best weights of the main models into results/weights/
"""

import sys

from modules.course.errors import InputError

from .page import write_page
from .run import run_missing, status
from .ship import ship

COMMANDS = {"status": status, "run": run_missing, "page": write_page, "ship": ship}


def main(words: list[str]) -> int:
    """Run one command line; returns the exit code."""
    command, *names = words or ["status"]
    try:
        if command not in COMMANDS:
            raise InputError(f"there is no command '{command}'; choose one of {', '.join(COMMANDS)}.")
        COMMANDS[command](*names)
    except InputError as error:
        print(f"Error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nInterrupted. The same command goes on after the last finished epoch.", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
