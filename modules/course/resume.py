"""The folder of a run: what was asked for and what came out, and from where an interrupted run goes on."""

import csv
import itertools
import json
import os
import pickle
import shutil
import zipfile
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil
import torch
from ultralytics.nn import tasks
from ultralytics.utils.torch_utils import strip_optimizer

from .epochs import read_epochs, total
from .errors import InputError, shown, warn
from .files import replace
from .quiet import nothing_fetched, quiet


@dataclass(frozen=True)
class Run:
    """A finished training: its folder, and its scores on `validated` validation pictures. Printed, it is one line."""

    folder: Path
    scores: dict[str, float]  # precision, recall, mAP50, mAP50-95
    validated: int
    threshold: float = 0.25  # the confidence with the highest F1 on these pictures
    found: tuple[int, int] | None = None  # labelled objects found with some confidence, and all that were labelled

    def __str__(self):
        scores = "   ".join(f"{name} {score:.3f}" for name, score in self.scores.items())
        return f"{self.folder.name}   {scores}   ({self.validated} validation pictures)"

    @property
    def weights(self) -> Path:
        """The weights that were measured: those of the last epoch, or with `patience=` those of the best."""
        return self.folder / "weights" / "best.pt"

    @property
    def picture(self) -> Path:
        """What these weights find on some validation pictures."""
        return self.folder / "predictions.png"

    @property
    def losses(self) -> list[float]:
        """The training loss after each epoch, summed over its parts (box, class, ...)."""
        return [total(epoch, "train/") for epoch in read_epochs(self.folder / "results.csv")]


# ------------------------------------------------------------------------------------------------------------- folders
def take_folder(parent: Path, name: str, request: dict) -> Path:
    """The folder of an interrupted run of the same request, else a new one under the first name that is not taken."""
    names = (name if number == 1 else f"{name}-{number}" for number in itertools.count(1))
    for folder in (parent / name for name in names):
        try:
            folder.mkdir(parents=True)
            return folder
        except FileExistsError:
            why = obstacle(folder, request)
            if why is None:
                return folder
            if why != FINISHED:
                print(f"{shown(folder)} {why}. This training gets a folder of its own.")


FINISHED = "is finished"


def obstacle(folder: Path, request: dict) -> str | None:
    """Why a training of this request cannot go on in `folder`, said as the rest of a sentence; None if it can."""
    if not folder.is_dir():
        return "is a file"
    if not any(folder.iterdir()):
        return None
    record = read_record(folder)
    if record is None:
        why = "holds no run.json that can be read, so what was asked for there is not known"
        last = folder / "weights" / "last.pt"
        return why + (f"; model={shown(last)} trains its weights further" if last.is_file() else "")
    if record["scores"]:
        return FINISHED
    if not is_of(record, request):
        return f"is an unfinished run of another request ({differences(record['request'], request)})"
    if is_running(record["process"]):
        return f"is being trained by process {record['process']['pid']}"
    return None


def differences(theirs: dict, ours: dict) -> str:
    """`epochs there 3, here 4`: the first three things in which two requests differ."""
    ours = json.loads(json.dumps(ours, default=str))
    words = {"set": "other pictures or labels", "network": "another network", "names": "other classes"}
    keys = [key for key in {**theirs, **ours} if theirs.get(key) != ours.get(key)]
    return ", ".join(words.get(key) or f"{key} there {theirs.get(key)}, here {ours.get(key)}" for key in keys[:3])


def find_finished(parent: Path, request: dict) -> Run | None:
    """A finished run of the same request."""
    for folder in sorted(parent.glob("*")):
        record = read_record(folder)
        if record and record["scores"] and is_of(record, request):
            run = run_of(folder, record)
            if run.weights.is_file() and run.picture.is_file():
                return run


# ------------------------------------------------------------------------------------------------------------ run.json
def read_record(folder: Path) -> dict | None:
    """What `write_record` noted, or None if there is nothing of that shape."""
    try:
        record = json.loads((folder / "run.json").read_text(encoding="utf-8"))
        record["process"]["pid"], record["process"]["started"], record["scores"], record["asked"]
        sound = isinstance(record["request"], dict) and isinstance(record["scores"], (dict, type(None)))
        return record if sound else None
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None


def write_record(folder: Path, request: dict, run: Run | None = None, asked: dict | None = None) -> None:
    """Note what was asked for, and once it is finished what came out, so that the same command recognises its run."""
    me = psutil.Process()
    record = {"request": request, "asked": asked or {}, "process": {"pid": me.pid, "started": me.create_time()}}
    came_out = asdict(run) if run else {"scores": None}
    record |= {key: value for key, value in came_out.items() if key != "folder"}
    replace(folder / "run.json", lambda path: path.write_text(json.dumps(record, indent=1, default=str), "utf-8"))


def run_of(folder: Path, record: dict) -> Run:
    found = record.get("found")
    facts = {key: record[key] for key in ("scores", "validated", "threshold") if key in record}
    return Run(folder, **facts, found=tuple(found) if found else None)


def is_of(record: dict, request: dict) -> bool:
    return record["request"] == json.loads(json.dumps(request, default=str))


def is_running(process: dict) -> bool:
    """Whether another process is at work on it. Numbers are given out again, so its start has to be the same, too."""
    try:
        started = psutil.Process(process["pid"]).create_time()
    except (psutil.Error, TypeError, ValueError):
        return False
    return process["pid"] != os.getpid() and abs(started - process["started"]) < 1


# --------------------------------------------------------------------------------------------------------- checkpoints
def read_checkpoint(path: Path) -> dict | None:
    """What a checkpoint holds, or None where there is none that was written to its end."""
    if not path.is_file():
        return None
    try:
        with quiet(), nothing_fetched():
            held = tasks.torch_safe_load(str(path))[0]
    except (
        OSError,
        EOFError,
        RuntimeError,
        TypeError,
        ValueError,
        KeyError,
        pickle.UnpicklingError,
        zipfile.BadZipFile,
    ):
        return None
    return held if isinstance(held.get("epoch"), int) else None


def find_start(folder: Path, epochs: int, hours: float | None = None) -> tuple[Path | None, int, bool]:
    """Where a training goes on: from which checkpoint, after how many epochs, and whether there is nothing left to do."""
    weights, broken = folder / "weights", []
    for path in (weights / "last.pt", weights / "best.pt"):
        held = read_checkpoint(path)
        if held is not None:
            done = held["epoch"] + 1
            if broken:
                warn(f"{shown(broken[0])} was not written to its end; {shown(path)} is whole and takes its place.")
            # Ultralytics marks the weights of a finished training with epoch -1.
            left = epochs - done if hours is None else hours * 3600 - seconds_used(folder / "results.csv", done)
            return path, done, not done or left <= 0
        broken += [path] if path.exists() else []
    if broken:
        names = " and ".join(path.name for path in broken)
        warn(
            f"{shown(weights)}: {names} cannot be read, and nothing else is there to go on from. Training starts over."
        )
    elif (folder / "results.csv").is_file():
        warn(f"{shown(weights)}: there are no weights to go on from. Training starts over.")
    return None, 0, False


def seconds_used(results: Path, epochs: int) -> float:
    """How long these epochs took, by the clock in results.csv, which begins anew with each interruption."""
    if not results.is_file():
        return 0
    with results.open(encoding="utf-8") as file:
        rows = csv.DictReader(file, skipinitialspace=True)
        clock = [float(row.get("time") or 0) for row in itertools.islice(rows, epochs)]  # 8.3.0 notes none
    ends = [now for now, later in itertools.pairwise([*clock, 0]) if later <= now]
    return sum(ends)


def forget_after(results: Path, epochs: int) -> None:
    """Drop from results.csv what was written after the checkpoint, and will be written again.

    A file that does not hold the epochs before it is put aside with a word.
    """
    if not results.exists() or not epochs:
        results.unlink(missing_ok=True)
        return
    try:
        there = len(read_epochs(results))
    except InputError:
        there = 0
    if there < epochs:
        aside = results.with_name("results-damaged.csv")
        warn(f"{shown(results)} lacks some of the {epochs} epochs so far. It is now {aside.name}; curves begin here.")
        os.replace(results, aside)
    else:
        lines = results.read_text(encoding="utf-8").splitlines(keepends=True)
        results.write_text("".join(lines[: 1 + epochs]), encoding="utf-8")


def settle(checkpoint: Path, folder: Path, data: str) -> None:
    """Write into a checkpoint where its run lives now: Ultralytics goes on where the checkpoint says."""
    held = torch.load(checkpoint, map_location="cpu", weights_only=False)
    place = {"project": str(folder.parent), "name": folder.name, "save_dir": str(folder), "data": data}
    if any(held["train_args"].get(key) != value for key, value in place.items()):
        held["train_args"] |= place
        replace(checkpoint, lambda path: torch.save(held, path))


def final_weights(folder: Path, best: bool) -> Path:
    """The weights to measure, without what only training needs. They are called best.pt, as Ultralytics' commands expect.

    With `best` they are those of the best epoch, else those of the last; where one file is damaged, the other's.
    """
    weights = folder / "weights"
    for name in ("best.pt", "last.pt") if best else ("last.pt", "best.pt"):
        if read_checkpoint(weights / name) is not None:
            break
        warn(f"{shown(weights / name)} is missing or was not written to its end; the other weights are measured.")
    else:
        raise InputError(f"{shown(folder)}: its weights cannot be read. Remove this folder and train again.")
    if name != "best.pt":
        replace(weights / "best.pt", lambda path: shutil.copyfile(weights / name, path))
    for path in (weights / "last.pt", weights / "best.pt"):
        if read_checkpoint(path) is not None:
            seal(path)
    return weights / "best.pt"


def seal(path: Path, **facts) -> None:
    """Drop from a checkpoint what only training needs, and add `facts`."""
    with quiet():
        replace(path, lambda beside: strip_optimizer(str(path), str(beside), updates=facts))
