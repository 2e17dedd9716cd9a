"""Read what `python -m modules bench` has measured: the table that comes with the course, and your own."""

import csv
import json
import math
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .results import RESULTS

STORED = RESULTS / "bench.csv"
PUBLISHED = Path(__file__).with_name("published.csv")
FEWEST = 4  # pairs in a rank correlation: two are always in the same order or turned round
KEY = ("model", "measure", "imgsz", "batch", "threads")


def own_table() -> Path:
    """Where the bench writes if nothing else is said."""
    return Path(os.environ.get("COURSE_RUNS", "runs")) / "bench.csv"


@dataclass(frozen=True)
class Measured:
    """Median, least and most of the rounds: milliseconds, MiB, or a count."""

    value: float
    low: float
    high: float

    def __str__(self):
        return f"{self.value:.1f} ({self.low:.1f} .. {self.high:.1f})"


class Costs:
    """A table of the bench, on one device.

    `costs("EMO_1M", "forward")` is the median at the model's usual size, for one picture and with all threads; other
    sizes, batches and threads are named. Where there is no such row it is NaN.
    """

    def __init__(self, path: Path = STORED, device: str = "cpu"):
        if not path.is_file():
            raise FileNotFoundError(f"{path} is not there: `python -m modules bench` measures this machine")
        with path.open(encoding="utf-8", newline="") as file:
            rows = [row for row in csv.DictReader(file) if row["device"] in (device, "any")]
        self.machine = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))["machine"]
        self.kinds = {row["model"]: row["kind"] for row in rows}
        self.rows = {
            (row["model"], row["measure"], *(int(row[key]) for key in KEY[2:])): Measured(
                *(float(row[key]) for key in ("value", "low", "high"))
            )
            for row in rows
        }
        self.threads = sorted({key[4] for key in self.rows if key[4]}) or [0]

    def find(self, model: str, measure: str, imgsz: int | None = None, batch: int = 1, threads: int | None = None):
        """The same with the spread; None where there is no such row."""
        imgsz = imgsz or (320 if self.kinds.get(model) == "detector" else 224)
        counted = measure in ("parameters", "gmac", "layers", "matmul")
        return self.rows.get((model, measure, imgsz, batch, 0 if counted else threads or self.threads[-1]))

    def __call__(self, model: str, measure: str, **where) -> float:
        found = self.find(model, measure, **where)
        return found.value if found else math.nan

    def text(self, model: str, measure: str, **where) -> str:
        """The same in words, `17.6 (16.0 .. 21.0)`; a dash where there is no such row."""
        return str(self.find(model, measure, **where) or "-")

    def models(self, *kinds: str, measure: str = "forward") -> list[str]:
        """Those of these kinds ("course", "timm", "detector") that have such a row."""
        return [m for m, kind in self.kinds.items() if (not kinds or kind in kinds) and self.find(m, measure)]

    def points(self, model: str) -> list[tuple[int, int, float]]:
        """(side, batch, milliseconds forwards) of all that was measured with all threads."""
        wanted = {
            (s, b): m.value for (name, what, s, b, t), m in self.rows.items() if self.is_point(model, name, what, t)
        }
        return [(*where, value) for where, value in sorted(wanted.items())]

    def is_point(self, model, name, what, threads) -> bool:
        return name == model and what == "forward" and threads == self.threads[-1]

    def between(self, model: str, imgsz: int, batch: int) -> float:
        """Milliseconds forwards at a size and batch that may lie between the measured ones.

        Interpolated in logarithms: over sizes at batch 1, then by what the batch costs at the usual size.
        """
        points = self.points(model)
        usual = 320 if self.kinds[model] == "detector" else 224
        sizes = {s: ms for s, b, ms in points if b == 1}
        batches = {b: ms for s, b, ms in points if s == usual}
        at_one = np.exp(np.interp(math.log(imgsz), np.log(list(sizes)), np.log(list(sizes.values()))))
        grown = np.exp(np.interp(math.log(batch), np.log(list(batches)), np.log(list(batches.values()))))
        return float(at_one * grown / batches[1])


def padded(value: float, width: int, digits: int = 1) -> str:
    """A number for a table, and a dash for NaN."""
    return f"{'-':>{width}}" if math.isnan(value) else f"{value:{width}.{digits}f}"


def published() -> dict[str, dict]:
    """What the authors publish of their models, by the course's names, with the source."""
    with PUBLISHED.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    numbers = ("top1", "million_parameters", "gmac", "milliseconds")
    return {row["model"]: {**row, **{key: float(row[key] or "nan") for key in numbers}} for row in rows}


def weights_of(name: str) -> str:
    """Who has trained weights of a backbone: "timm", else "authors" of the paper, else "none"."""
    import timm  # only here: who reads the tables does not need it

    if timm.is_model(name) and timm.models.is_model_pretrained(name):
        return "timm"
    return "authors" if name in published() else "none"


def best_for_less(points: dict[str, tuple[float, float]]) -> list[str]:
    """Of {name: (cost, score)} those that no other beats in both, the cheapest first."""
    found, most = [], -math.inf
    for name, (cost, score) in sorted(points.items(), key=lambda item: (item[1][0], -item[1][1])):
        if not math.isnan(cost) and score > most:
            found.append(name)
            most = score
    return found


@dataclass(frozen=True)
class RankCorrelation:
    """Spearman's correlation of two orders, NaN where too few pairs of values were there, and how many were."""

    value: float
    pairs: int

    def __str__(self):
        if math.isnan(self.value):
            return f"not known, {self.pairs} pairs of values are too few"
        return f"{self.value:+.2f} over {self.pairs} pairs of values"


def rank_correlation(a, b) -> RankCorrelation:
    """Spearman's: 1 where both orders are the same, -1 where one is the other turned round. Pairs with NaN are left out."""
    pairs = np.array([a, b], dtype=float)
    pairs = pairs[:, ~np.isnan(pairs).any(0)]
    if pairs.shape[1] < FEWEST:
        return RankCorrelation(math.nan, pairs.shape[1])
    return RankCorrelation(float(np.corrcoef(pairs.argsort().argsort())[0, 1]), pairs.shape[1])
