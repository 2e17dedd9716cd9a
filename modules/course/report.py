"""The last lines of a training: what its scores mean, what is usual, and from which confidence on boxes are drawn."""

import csv
from pathlib import Path

from .errors import shown
from .job import Job
from .judge import SURE, USUAL
from .resume import Run

USUAL_SCORES = Path(__file__).with_name("usual.csv")  # mAP50 on the fire set, from lowest to highest of several trials


def report(job: Job, run: Run) -> str:
    """What to say about a run after its scores, a line each."""
    objects = "fires" if list(job.data.names.values()) == ["fire"] else "objects"
    matched, labelled = run.found
    lines = [
        f"precision: of the boxes found, how many are right. recall: of the labelled {objects}, how many are found.",
        "mAP50: both in one number, over all confidence thresholds; a box is right from an IoU of 0.5 on.",
        usual(job.preset.name, Path(job.model).stem) if objects == "fires" else "",
        f"threshold {run.threshold:.2f}: {reason(job, run)}. predict and track use it with these weights.",
        f"weights  {shown(run.weights)}",
        f"picture  {shown(run.picture)}",
        f"{matched} of {labelled} labelled {objects} in the picture are found with a confidence of at least {SURE:.2f}.",
    ]
    return "\n".join(line for line in lines if line)


def reason(job: Job, run: Run) -> str:
    """Why this is the confidence from which on boxes are drawn, and counted in precision and recall."""
    if job.settings.get("conf"):
        return "the confidence that was asked for"
    if run.threshold == USUAL and not run.scores["mAP50"]:
        return "the usual one, because nothing that was found could be measured"
    if run.threshold <= 0.05:
        return "the lowest that is used, because the network is hardly ever sure"
    return f"the confidence with the highest F1 on these {run.validated} pictures"


def usual(preset: str, model: str, table: Path = USUAL_SCORES) -> str:
    """`usual: mAP50 0.60 to 0.66`, if trials of this preset and model are noted in the table."""
    with table.open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if (row["preset"], row["model"]) == (preset, model):
                return (
                    f"usual for {model} with preset {preset}: mAP50 {float(row['low']):.2f} to {float(row['high']):.2f}"
                )
    return ""
