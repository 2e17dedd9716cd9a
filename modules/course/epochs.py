"""Ultralytics' results.csv, in which a run notes each of its epochs."""

import csv
from pathlib import Path


def read_epochs(path: Path) -> list[dict[str, float]]:
    """A row for each epoch; older versions pad the names of the columns."""
    with path.open(encoding="utf-8", newline="") as file:
        return [{key.strip(): float(value) for key, value in row.items()} for row in csv.DictReader(file)]


def total(epoch: dict[str, float], part: str) -> float:
    """The losses of "train/" or "val/", summed (box, class, ...)."""
    return sum(value for key, value in epoch.items() if key.startswith(part))


def was_validated(epoch: dict[str, float]) -> bool:
    """Whether validation pictures were looked at; where not, their losses are 0 or nan."""
    return total(epoch, "val/") > 0
