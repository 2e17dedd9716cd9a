"""Put several runs side by side: their scores as a table, their curves and what they find in the same pictures as a picture."""

import math
from dataclasses import dataclass, field
from pathlib import Path

from matplotlib.figure import Figure
from ultralytics import YOLO

from . import results, shipped
from .checkpoints import WITH_BOXES, load_model
from .epochs import read_epochs, total, was_validated
from .errors import InputError, plain, shown
from .files import save_figure
from .fire import FIRE_YAML, fire_pictures
from .inputs import check_drawing, read_args
from .judge import USUAL, show_found, spread, stored_threshold
from .measure import parameters
from .quiet import nothing_fetched, quiet
from .results import CURVES, SCORES
from .resume import read_record
from .sets import check_data
from .threads import all_cores

HELP = """\
python -m modules compare RUN RUN ... [data=MY.yaml] [pictures=4] [conf=0.25] [save=runs/compare.png]

Puts several runs side by side: their scores as a table, their curves and what they find in the same pictures as a
picture.

RUN is the folder of a run, its weights, or fire/NAME for weights that come with the course. Without data= the pictures
are validation pictures of the first run's set; without conf= each run shows what it finds above its own threshold."""

SAME = ("data", "imgsz", "epochs", "batch", "optimizer", "lr0")  # in what runs must agree to be compared as models
MOST = 8  # pictures a run


@dataclass(frozen=True)
class Entry:
    """One run: its name in the table, its weights and settings, its scores, and its curves {name: (epochs, values)}."""

    name: str
    weights: Path
    settings: dict
    scores: dict[str, float] = field(default_factory=dict)
    measured: str = ""  # on what the scores were measured
    curves: dict[str, tuple[list[int], list[float]]] = field(default_factory=dict)


# ------------------------------------------------------------------------------------------------------------- reading
def open_entry(word: str) -> Entry:
    """The run that `word` names.

    Raises:
        InputError: there is no such run, or it holds no weights.
    """
    if word.startswith("fire/"):
        return shipped_entry(word)
    folder = Path(word).parent.parent if word.endswith(".pt") else Path(word)
    if not folder.is_dir():
        there = sorted(shown(path.parent.parent) for path in Path("runs").glob("*/weights/best.pt"))
        raise InputError(f"{word}: there is no such run here. There are {', '.join(there) or 'none in runs/'}.")
    found = [Path(word)] if word.endswith(".pt") else [folder / "weights" / f"{name}.pt" for name in ("best", "last")]
    weights = next((path for path in found if path.is_file()), None)
    if weights is None:
        raise InputError(f"{word}: it holds no weights. Give the folder of a run, which has weights/best.pt in it.")
    settings = read_args(folder) if (folder / "args.yaml").is_file() else {}
    rows = read_rows(folder / "results.csv")
    scores, measured = scores_of(folder, rows)
    curves = {what: column(rows, what) for what in CURVES}
    return Entry(folder.name, weights, settings, scores, measured, curves)


def shipped_entry(word: str) -> Entry:
    """Weights that come with the course, and what the comparison stored about their training."""
    weights, name = shipped.checkpoint(word), word.removeprefix("fire/")
    rows = results.trained([name])[name].rows if results.trained([name]) else ()
    row = max(rows, key=lambda row: float(row["mAP50"]), default={})
    settings = {"data": str(FIRE_YAML), **{key: int(row[key]) for key in ("imgsz", "epochs") if row}}
    curves = {}
    for what in CURVES if row else ():
        epochs, lines = results.curve(name, what)
        curves[what] = measured_only(epochs, lines[0]) if len(lines) else ([], [])
    scores = {key: float(row[key]) for key in SCORES} if row else {}
    return Entry(word, weights, settings, scores, str(len(fire_pictures("val"))) if row else "", curves)


def read_rows(path: Path) -> list[dict[str, float]]:
    """A row for each epoch; none where the run left no results.csv."""
    return read_epochs(path) if path.is_file() else []


def column(rows: list[dict[str, float]], what: str) -> tuple[list[int], list[float]]:
    """One of CURVES, losses summed over their parts. Where nothing was validated the numbers are 0 or nan."""
    if what == "mAP50":
        values = [row.get("metrics/mAP50(B)", math.nan) if was_validated(row) else math.nan for row in rows]
    else:
        values = [total(row, what.replace("_loss", "/")) or math.nan for row in rows]
    return measured_only([int(row["epoch"]) for row in rows], values)


def measured_only(epochs, values) -> tuple[list[int], list[float]]:
    there = [(int(epoch), float(value)) for epoch, value in zip(epochs, values) if math.isfinite(value)]
    return [epoch for epoch, _ in there], [value for _, value in there]


def scores_of(folder: Path, rows: list[dict[str, float]]) -> tuple[dict[str, float], str]:
    """The scores of a run, and on what they were measured: at its end, or else in the last validated epoch."""
    record = read_record(folder)
    if record and record["scores"]:
        return record["scores"], str(record["validated"])
    for row in reversed(rows):
        scores = {name: row.get(f"metrics/{name}(B)", math.nan) for name in SCORES}
        if all(map(math.isfinite, scores.values())):
            return scores, f"epoch {row['epoch']:.0f}"
    return {}, ""


# ------------------------------------------------------------------------------------------------------------- showing
def table(entries: list[Entry], models: list[YOLO]) -> results.Table:
    """The runs' scores, in the order in which they were named."""
    heading = ("run", *SCORES, "measured on", "epochs", "imgsz", "million parameters")
    lines = tuple(
        (
            entry.name,
            *(f"{entry.scores[name]:.3f}" if name in entry.scores else "-" for name in SCORES),
            entry.measured or "-",
            *(str(entry.settings.get(key, "-")) for key in ("epochs", "imgsz")),
            f"{parameters(model.model) / 1e6:.2f}",
        )
        for entry, model in zip(entries, models)
    )
    return results.Table(heading, lines, differences(entries))


def differences(entries: list[Entry]) -> str:
    """What else than the model differs, and so may be the reason."""
    words = []
    for key in SAME:
        values = [str(entry.settings[key]) for entry in entries if key in entry.settings]
        if key == "data":  # the course's runs have files of their own that list the pictures
            values = [set_of(entry) for entry in entries]
        if len(set(values)) > 1:
            words.append(f"{key} ({', '.join(dict.fromkeys(values))})")
    if len({entry.measured for entry in entries}) > 1:
        words.append("the pictures that judged")
    also = f"These runs differ in {', '.join(words)}: the model is not the only reason. " if words else ""
    return f"{also}One run each shows no difference between models: a seed alone moves mAP50 (lesson 08)."


def set_of(entry: Entry) -> str:
    """The set that a run was trained on, as it was named."""
    record = read_record(entry.weights.parent.parent) if not entry.name.startswith("fire/") else None
    return Path(record["request"].get("data", "")).name if record else Path(str(entry.settings.get("data", ""))).name


def draw(entries: list[Entry], models: list[YOLO], pictures: list[Path], conf: float | None) -> Figure:
    """Curves above, and below a row of pictures for each run: solid is found, dashed is labelled."""
    high, wide = len(entries), max(len(pictures), 3)
    figure = Figure(figsize=(3.2 * wide, 3 + 2.3 * high), layout="constrained")
    above, below = figure.subfigures(2, 1, height_ratios=(3, 2.3 * high))
    for ax, what in zip(above.subplots(1, 3), CURVES):
        draw_curve(ax, what, entries)
    axes = below.subplots(high, len(pictures), squeeze=False)
    for row, entry, model in zip(axes, entries, models):
        threshold = conf or stored_threshold(str(entry.weights)) or USUAL
        row[0].text(-0.05, 0.5, entry.name, rotation=90, ha="right", va="center", transform=row[0].transAxes)
        for ax, picture in zip(row, pictures):
            with quiet(), nothing_fetched(), all_cores():
                found = model.predict(
                    str(picture), imgsz=entry.settings.get("imgsz", 640), conf=threshold, verbose=False
                )
            show_found(ax, picture, found[0], threshold)
        row[-1].set_title(f"confidence at least {threshold:.2f}", fontsize=9)
    return figure


def draw_curve(ax, what: str, entries: list[Entry]) -> None:
    for entry in entries:
        epochs, values = entry.curves.get(what, ([], []))
        ax.plot(epochs, values, ".-", label=entry.name)
    ax.set(xlabel="epoch", title=CURVES[what])
    if not any(len(line.get_xdata()) for line in ax.lines):
        ax.set(xticks=[], yticks=[])
        ax.text(0.5, 0.5, "not measured while training", ha="center", transform=ax.transAxes)
    elif what == next(iter(CURVES)):
        ax.legend(fontsize=8, frameon=False)


# ------------------------------------------------------------------------------------------------------------- command
def compare(runs: list[str], data=None, pictures: int = 4, conf: float | None = None, save="runs/compare.png") -> Path:
    """Print the table and write the picture; returns where the picture is.

    Args:
        runs: folders of runs, weights in them, or fire/NAME.
        data: a detection set's YAML, for the pictures; by default that of the first run.
        pictures: how many validation pictures, spread over the set.
        conf: the confidence from which a box is drawn; by default each run's own threshold.
        save: the picture to write. An older one is written over.

    Raises:
        InputError: something that was named does not exist or does not fit.
    """
    if len(runs) < 2:
        raise InputError("compare takes two runs or more: compare runs/A runs/B. fire/NAME is one of the course's.")
    if not isinstance(pictures, int) or not 1 <= pictures <= MOST:
        raise InputError(f"pictures={pictures}: give a whole number from 1 to {MOST}.")
    if conf is not None and (isinstance(conf, bool) or not isinstance(conf, (int, float)) or not 0 < conf < 1):
        raise InputError(f"conf={conf}: give a confidence between 0 and 1.")
    save = Path(str(save))
    check_drawing("save", save)
    words = list(map(str, runs))
    # Those that come with the course last: they are unpacked into runs/, which nothing may be if another is refused.
    opened = {word: open_entry(word) for word in sorted(words, key=lambda word: word.startswith("fire/"))}
    entries = [opened[word] for word in words]
    models = [load_model(str(entry.weights)) for entry in entries]
    for entry, model in zip(entries, models):
        if model.task not in WITH_BOXES:
            raise InputError(f"{entry.name} is a model of the task '{model.task}', which finds no boxes to compare.")
    of_set = check_data(data or entries[0].settings.get("data") or FIRE_YAML).pictures["val"]
    chosen = spread(of_set, pictures)
    print(table(entries, models))
    figure = draw(entries, models, chosen, conf)
    with plain(f"save={save}"):
        save.parent.mkdir(parents=True, exist_ok=True)
        save_figure(figure, save)
    print(f"Curves and pictures: {shown(save.resolve())}")
    return save
