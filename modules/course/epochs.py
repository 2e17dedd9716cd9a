"""Ultralytics' results.csv, in which a run notes each of its epochs."""

import csv
from pathlib import Path

from .errors import InputError, shown


def read_epochs(path: Path) -> list[dict[str, float]]:
    """A row for each epoch; older versions pad the names of the columns."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = csv.DictReader(file)
        try:
            return [{key.strip(): float(value) for key, value in row.items()} for row in rows]
        except (ValueError, TypeError, AttributeError):  # a word, a number too few, a number too many
            raise InputError(
                f"{shown(path)}, line {rows.line_num}: not a number for each column. Correct it, or remove the file."
            ) from None


def total(epoch: dict[str, float], part: str) -> float:
    """The losses of "train/" or "val/", summed (box, class, ...)."""
    return sum(value for key, value in epoch.items() if key.startswith(part))


def was_validated(epoch: dict[str, float]) -> bool:
    """Whether validation pictures were looked at; where not, their losses are 0 or nan."""
    return total(epoch, "val/") > 0
