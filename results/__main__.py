"""The comparison: python -m results COMMAND.

status      which trainings are there, and why the others have to be run
run [NAME]  run those that are missing, or NAME (yolo11n-EMO, or yolo11n-EMO-1 for one seed)
page        write table and figures from the csv files
ship        put the best weights of the main models into results/weights/
"""

import sys

from modules.course.command import carry_out, leave
from modules.course.errors import InputError

from .page import write_page
from .run import run_missing, status
from .ship import ship

COMMANDS = {"status": status, "run": run_missing, "page": write_page, "ship": ship}


def run(command: str = "status", *names: str) -> None:
    if command not in COMMANDS:
        raise InputError(f"there is no command '{command}'; choose one of {', '.join(COMMANDS)}.")
    if names and command in ("page", "ship"):
        raise InputError(f"{command} takes no names, and was given '{names[0]}'.")
    COMMANDS[command](*names)


def main(words: list[str]) -> int:
    """Run one command line; returns the exit code."""
    return carry_out(lambda: run(*words), " The same command goes on after the last finished epoch.")


if __name__ == "__main__":
    leave(main(sys.argv[1:]))
