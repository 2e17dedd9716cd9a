"""Train what the comparison lacks: python -m results [status | run [NAME or NAME-SEED ...]]."""

import sys

from modules.course.inputs import InputError

from .run import run_missing, status

COMMANDS = {"status": status, "run": run_missing}


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
