"""The course's comparison of all models: what results/ holds of the finished trainings, and what can be said of it.

All scores are about the 120 validation pictures of the fire set, after one recipe (the preset "results"). A difference
is called one only if the seeds' ranges do not overlap and a paired bootstrap over the pictures excludes zero at 95 %.
"""

import csv
import functools
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .files import replace
from .fire import fire_pictures, read_boxes

RESULTS = Path(__file__).parents[2] / "results"
WORDS = ("name", "variant", "lesson", "against", "recipe", "device", "ultralytics", "torch")
HASHES = ("recipe_hash", "yaml_hash", "code_hash", "outputs")
COUNTS = ("seed", "pictures", "imgsz", "epochs", "parameters")
SCORES = ("mAP50", "mAP50-95", "precision", "recall")
COLUMNS = (
    *("name", "variant", "lesson", "against", "seed", "recipe", "pictures", "imgsz", "epochs"),
    *SCORES,
    *("parameters", "gmac", "cpu_seconds", "device", "ultralytics", "torch"),
    *HASHES,
)
CURVES = {"train_loss": "training loss", "val_loss": "validation loss", "mAP50": "mAP50"}  # those that are drawn
CURVE = ("name", "seed", "epoch", *CURVES, "mAP50-95")
ONE_SEED, NOISE = "one seed: says nothing yet", "within noise"  # what may be said of a difference, see `verdict`
IOUS = np.linspace(0.5, 0.95, 10)


# ------------------------------------------------------------------------------------------------------------- the csv
def read(name: str) -> list[dict]:
    """The rows of results/`name`, as text; none where there is no such file yet."""
    path = RESULTS / name
    if not path.is_file():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def write(name: str, columns: Iterable[str], rows: list[dict]) -> None:
    """Write results/`name`. Whoever looks meanwhile finds the old file or the new one, never half of one."""

    def fill(path: Path):
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, list(columns), lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)

    replace(RESULTS / name, fill)


def detections_file(name: str, seed: int) -> Path:
    """Where the boxes are that this training finds in the validation pictures."""
    return RESULTS / "detections" / f"{name}-{seed}.npz"


# ------------------------------------------------------------------------------------------------------------- a model
@dataclass(frozen=True)
class Trained:
    """All finished trainings of one model, one row of runs.csv each."""

    name: str
    rows: tuple[dict, ...]

    def __getattr__(self, column: str) -> str:
        if column not in WORDS:
            raise AttributeError(column)
        return self.rows[0][column]

    @property
    def seeds(self) -> list[int]:
        return [int(row["seed"]) for row in self.rows]

    def of(self, column: str) -> np.ndarray:
        """The numbers of a column, one for each seed."""
        return np.array([float(row[column] or "nan") for row in self.rows])

    def text(self, score: str = "mAP50") -> str:
        """`.604 (.581 .. .622)`: mean and range over the seeds, or the one number there is."""
        numbers = self.of(score)
        ranged = f" ({numbers.min():.3f} .. {numbers.max():.3f})" if len(numbers) > 1 else ""
        return f"{numbers.mean():.3f}{ranged}"


def trained(names: Iterable[str] | None = None) -> dict[str, Trained]:
    """The models that have finished trainings, by name; with `names` only those.

    The best mean mAP50 first. Those of which one seed has run come after all others: their place would be luck.
    """
    found: dict[str, list[dict]] = {}
    for row in read("runs.csv"):
        found.setdefault(row["name"], []).append(row)
    wanted = found if names is None else [name for name in names if name in found]
    models = [Trained(name, tuple(sorted(found[name], key=lambda row: int(row["seed"])))) for name in wanted]
    return {m.name: m for m in sorted(models, key=lambda m: (len(m.rows) == 1, -m.of("mAP50").mean()))}


# ---------------------------------------------------------------------------------------------------------- detections
@dataclass(frozen=True)
class Detections:
    """What one training finds in the validation pictures, the most confident boxes first.

    picture (n,): the index of the box's picture in `fire_pictures("val")`; confidence (n,): 0 to 1; boxes (n, 4): x1,
    y1, x2, y2 as parts of the picture's size.
    """

    picture: np.ndarray
    confidence: np.ndarray
    boxes: np.ndarray

    @staticmethod
    def load(name: str, seed: int = 0) -> "Detections":
        """Those of a finished training.

        Raises:
            FileNotFoundError: there is none of this name and seed.
        """
        path = detections_file(name, seed)
        if not path.is_file():
            there = sorted(path.stem for path in path.parent.glob("*.npz"))
            raise FileNotFoundError(
                f"no stored detections of {name}, seed {seed}; there are {', '.join(there) or 'none'}"
            )
        stored = np.load(path)
        return Detections(
            stored["picture"].astype(int), stored["confidence"] / 65535, stored["boxes"].astype(float) / 65535
        )

    def save(self, path: Path) -> None:
        """Write them as 16-bit numbers: a hundredth of a pixel, and a few kilobytes."""
        path.parent.mkdir(parents=True, exist_ok=True)
        order = np.argsort(-self.confidence, kind="stable")
        numbers = {"confidence": self.confidence[order], "boxes": self.boxes[order].clip(0, 1)}
        numbers = {name: np.round(part * 65535).astype("uint16") for name, part in numbers.items()}
        numbers["picture"] = self.picture[order].astype("uint16")

        def fill(beside: Path):
            with beside.open("wb") as file:  # to a path, NumPy would add .npz
                np.savez_compressed(file, **numbers)

        replace(path, fill)

    def hits(self, labels: list[np.ndarray]) -> np.ndarray:
        """(n, 10): whether each box finds a labelled fire that no surer one has found, at IoU 0.5, 0.55, ... 0.95."""
        found = np.zeros((len(self.confidence), len(IOUS)), bool)
        for i, boxes in enumerate(labels):
            mine = np.flatnonzero(self.picture == i)
            found[mine] = match(iou(self.boxes[mine], boxes))
        return found


def detections(name: str, seed: int = 0) -> Detections:
    """Those of a finished training; none, and a word about it, where there is no such training yet."""
    try:
        return Detections.load(name, seed)
    except FileNotFoundError as error:
        print(f"Nothing to show: {error}.")
        return Detections(np.zeros(0, int), np.zeros(0), np.zeros((0, 4)))


def iou(ours: np.ndarray, theirs: np.ndarray) -> np.ndarray:
    """Intersection over union of every box of (n, 4) with every one of (m, 4), as corners: (n, m)."""
    low, high = np.maximum(ours[:, None, :2], theirs[None, :, :2]), np.minimum(ours[:, None, 2:], theirs[None, :, 2:])
    shared = (high - low).clip(0).prod(-1)
    areas = [(boxes[:, 2:] - boxes[:, :2]).prod(-1) for boxes in (ours, theirs)]
    return shared / (areas[0][:, None] + areas[1][None] - shared + 1e-12)


def match(overlap: np.ndarray) -> np.ndarray:
    """Give each labelled box to the surest detection that overlaps it enough: (n, m), surest first -> (n, 10)."""
    found = np.zeros((len(overlap), len(IOUS)), bool)
    for t, least in enumerate(IOUS):
        free = np.ones(overlap.shape[1], bool)
        for i, row in enumerate(overlap):
            best = np.where(free, row, -1).argmax() if free.any() else None
            if best is not None and row[best] >= least:
                found[i, t], free[best] = True, False
    return found


@functools.cache
def labelled() -> list[np.ndarray]:
    """The labelled boxes of each validation picture: (m, 4) corners as parts of the picture's size."""
    found = []
    for picture in fire_pictures("val"):
        x, y, w, h = read_boxes(picture).T
        found.append(np.stack([x - w / 2, y - h / 2, x + w / 2, y + h / 2], axis=1))
    return found


# ----------------------------------------------------------------------------------------------------------- statistics
def average_precision(hit: np.ndarray, weight: np.ndarray, labels: float) -> float:
    """The area under precision against recall, for detections in order of confidence, each counted `weight` times."""
    if not labels or not len(hit):
        return 0.0
    true, false = np.cumsum(hit * weight), np.cumsum(~hit * weight)
    recall, precision = true / labels, true / np.maximum(true + false, 1e-12)
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    at = np.linspace(0, 1, 101)  # the 101 points of COCO
    where = np.searchsorted(recall, at)
    return float(np.where(where < len(envelope), envelope[np.minimum(where, len(envelope) - 1)], 0).mean())


@functools.lru_cache(maxsize=256)
def scored(name: str, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """The picture of each stored detection, and whether it is right at IoU 0.5."""
    found = Detections.load(name, seed)
    return found.picture, found.hits(labelled())[:, 0]


@functools.lru_cache(maxsize=64)
def resampled(name: str, seeds: tuple[int, ...], rounds: int = 1000) -> np.ndarray:
    """mAP50, the mean of these seeds, on `rounds` samples of the pictures, taken with repetition: (rounds,).

    The samples are the same for every model.
    """
    counts = np.array([len(boxes) for boxes in labelled()])
    if not seeds:
        return np.zeros(0)
    samples = np.random.default_rng(0).multinomial(len(counts), np.full(len(counts), 1 / len(counts)), rounds)
    runs = [scored(name, seed) for seed in seeds]
    return np.array(
        [np.mean([average_precision(hit, times[at], times @ counts) for at, hit in runs]) for times in samples]
    )


def bootstrap(name: str, against: str, seeds: Iterable[int], rounds: int = 1000) -> np.ndarray:
    """How much more mAP50 `name` has than `against`, for `rounds` samples of the pictures, taken with repetition.

    Both models see the same sample, and each is the mean of its seeds.
    """
    seeds = tuple(seeds)
    return resampled(name, seeds, rounds) - resampled(against, seeds, rounds)


def common_seeds(name: str, against: str) -> list[int]:
    """The seeds with which both models are trained."""
    models = trained([name, against]).values()
    return sorted(set.intersection(*(set(model.seeds) for model in models))) if len(models) == 2 else []


def compare(name: str, against: str) -> str:
    """In one sentence, what may be said of the difference between two models."""
    models = trained([name, against])
    if len(models) < 2:
        return "not trained yet"
    ours, theirs = models[name], models[against]
    gain = ours.of("mAP50").mean() - theirs.of("mAP50").mean()
    return f"{gain:+.3f}, {verdict(ours, theirs)}"


def verdict(ours: Trained, theirs: Trained) -> str:
    """What the difference of two trained models is called.

    With one seed nothing. Where the seeds' ranges overlap "within noise"; where they lie apart, but the bootstrap's
    interval holds zero, "higher" or "lower in every seed; 120 pictures are too few to show it". Where both agree, with
    three seeds "gain" or "loss", and with two a direction.
    """
    both = common_seeds(ours.name, theirs.name)
    if len(both) < 2:
        return ONE_SEED
    higher = ours.of("mAP50").min() > theirs.of("mAP50").max()
    if not higher and ours.of("mAP50").max() >= theirs.of("mAP50").min():
        return NOISE
    side = "higher" if higher else "lower"
    low, high = np.percentile(bootstrap(ours.name, theirs.name, both), [2.5, 97.5])
    if not (low > 0 if higher else high < 0):
        return f"{side} in every seed; {len(labelled())} pictures are too few to show it"
    if len(both) == 2:
        return f"{side} in both seeds: a direction, not shown"
    return "gain" if higher else "loss"


# --------------------------------------------------------------------------------------------------------------- tables
@dataclass(frozen=True)
class Table:
    """Rows of text under a heading. Printed, its columns are aligned; in a notebook it is a table."""

    heading: tuple[str, ...]
    lines: tuple[tuple[str, ...], ...]
    note: str = ""

    def __str__(self):
        if not self.lines:
            return self.note
        widths = [max(map(len, column)) for column in zip(self.heading, *self.lines)]
        rows = [
            "  ".join(f"{cell:<{w}}" for cell, w in zip(line, widths)).rstrip() for line in (self.heading, *self.lines)
        ]
        return "\n".join([*rows, *([self.note] if self.note else [])])

    def markdown(self) -> str:
        """The same for a page."""
        rows = [self.heading, ("---",) * len(self.heading), *self.lines]
        text = "\n".join(f"| {' | '.join(row)} |" for row in rows) if self.lines else ""
        return "\n\n".join(part for part in (text, self.note) if part)

    def with_column(self, name: str, cells: Iterable[str], before: str) -> "Table":
        """The same table with one more column."""
        at = self.heading.index(before)
        lines = tuple((*line[:at], cell, *line[at:]) for line, cell in zip(self.lines, cells, strict=True))
        return Table((*self.heading[:at], name, *self.heading[at:]), lines, self.note)

    def without(self, *columns: str) -> "Table":
        """The same table, these columns left out."""
        kept = [i for i, name in enumerate(self.heading) if name not in columns]
        heading, *lines = (tuple(line[i] for i in kept) for line in (self.heading, *self.lines))
        return Table(heading, tuple(lines), self.note)

    __repr__ = __str__
    _repr_markdown_ = markdown


def table(names: Iterable[str] | None = None) -> Table:
    """Models side by side, in the order of `trained`: `names`, or all that are no variants."""
    models = main_models() if names is None else trained(names)
    heading = ("model", "seeds", "mAP50", "mAP50-95", "million parameters", "GMAC", "against", "difference in mAP50")
    lines = tuple(
        (
            title(model),
            str(len(model.rows)),
            model.text("mAP50"),
            model.text("mAP50-95"),
            f"{model.of('parameters')[0] / 1e6:.2f}",
            f"{model.of('gmac')[0]:.3f}",
            model.against,
            compare(name, model.against) if model.against else "",
        )
        for name, model in models.items()
    )
    return Table(heading, lines, note(models.values()))


def title(model: Trained) -> str:
    return f"{model.name} ({model.variant})" if model.variant else model.name


def main_models() -> dict[str, Trained]:
    """The trained models that are no variants, in the order of `trained`."""
    return {name: model for name, model in trained().items() if not is_ablation(model)}


def is_ablation(model: Trained) -> bool:
    """Whether it is a variant made to show one idea: those are compared with a model of their own kind."""
    return bool(model.variant) and model.against not in ("yolo11n", "yolov10n")


def rows_of(lesson: str) -> Table:
    """What the comparison says of a lesson's ideas: its models and variants, and what those are compared with."""
    everything = trained()
    mine = [model for model in everything.values() if lesson in model.lesson.split()]
    names = {name for model in mine for name in (model.name, model.against)}
    return table([name for name in everything if name in names])


def families(lesson: str) -> dict[str, list[Trained]]:
    """The models of which this lesson tries variants, by name, and their variants: those that are trained."""
    models, found = trained(), {}
    for model in models.values():
        if is_ablation(model) and lesson in model.lesson.split() and model.against in models:
            found.setdefault(model.against, []).append(model)
    return found


def tried(lesson: str) -> Table:
    """What the variants of a lesson change, and what came of it: a row for each, beside the model as it was.

    The last column is the mean mAP50 as a part of that of `yolo11n`, before and after.
    """
    models = trained()
    heading = ("model", "what was changed", "as it was", "changed", "difference in mAP50", "part of yolo11n's mAP50")
    lines, seen = [], []
    for name, variants in families(lesson).items():
        for model in variants:
            shares = " -> ".join(f"{share:.0%}" for share in shares_of(models.get("yolo11n"), models[name], model))
            texts = (models[name].text(), model.text(), compare(model.name, name))
            lines.append((name, model.variant, *texts, shares or "not known yet"))
            seen += [models[name], model]
    return Table(heading, tuple(lines), note(seen))


def shares_of(whole: Trained | None, *models: Trained) -> list[float]:
    """The mean mAP50 of each model as a part of that of `whole`; none where that is not trained."""
    return [model.of("mAP50").mean() / whole.of("mAP50").mean() for model in models] if whole else []


def note(models: Iterable[Trained]) -> str:
    """What the scores of a table are about, and how much they can say."""
    models = list(models)
    if not models:
        return "No training of these models is finished yet: `make results` runs them."
    first = models[0].rows[0]
    seeds = sorted({len(model.rows) for model in models})
    counted = f"{seeds[0]}" if len(seeds) == 1 else f"{seeds[0]} to {seeds[-1]}"
    mean = "mean and range over the seeds; " if seeds[-1] > 1 else "one seed each, so no difference is shown; "
    return (
        f"{first['pictures']} pictures, {first['imgsz']} px, {first['epochs']} epochs from scratch, {counted} "
        f"seed{'s' if seeds[-1] > 1 else ''} a model; {mean}120 validation pictures."
    )


# ---------------------------------------------------------------------------------------------------------------- costs
def latencies() -> tuple[dict[str, float], str, str]:
    """Milliseconds that each fused detector takes for one picture on a CPU, the picture's side, and how many threads.

    From bench.csv (`python -m modules bench`), the picture size and the number of threads with the most detectors;
    nothing where none was measured.
    """
    asked = {"kind": "detector", "device": "cpu", "batch": "1", "measure": "fused"}
    found: dict[tuple[str, str], dict[str, float]] = {}
    for row in read("bench.csv"):
        if all(row[key] == value for key, value in asked.items()):
            found.setdefault((row["imgsz"], row["threads"]), {})[row["model"]] = float(row["value"])
    if not found:
        return {}, "", ""
    (imgsz, threads), times = max(found.items(), key=lambda each: len(each[1]))
    return times, imgsz, threads


# --------------------------------------------------------------------------------------------------------------- curves
def curve(name: str, what: str = "train_loss") -> tuple[np.ndarray, np.ndarray]:
    """A column of curves.csv: the epochs (n,), and one line for each seed (seeds, n); nan where it was not measured."""
    if what not in CURVE[3:]:
        raise ValueError(f"what='{what}': choose one of {', '.join(CURVE[3:])}")
    lines: dict[str, dict[int, float]] = {}
    for row in read("curves.csv"):
        if row["name"] == name:
            lines.setdefault(row["seed"], {})[int(row["epoch"])] = float(row[what] or "nan")
    epochs = sorted({epoch for line in lines.values() for epoch in line})
    return np.array(epochs), np.array([[line.get(e, np.nan) for e in epochs] for line in lines.values()])
