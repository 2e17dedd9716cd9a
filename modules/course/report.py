"""The last lines of a training: what its scores mean, what is usual, and from which confidence on boxes are drawn."""

from pathlib import Path

from .errors import shown
from .fire import FIRE_YAML
from .job import Job
from .judge import SURE, USUAL
from .presets import PRESETS
from .results import trained
from .resume import Run


def report(job: Job, run: Run) -> str:
    """What to say about a run after its scores, a line each."""
    objects = "fires" if list(job.data.names.values()) == ["fire"] else "objects"
    matched, labelled = run.found
    whole_fire_set = (
        Path(job.data.yaml).resolve() == FIRE_YAML.resolve() and job.parts["train"] == job.data.pictures["train"]
    )
    lines = [
        f"precision: of the boxes found, how many are right. recall: of the labelled {objects}, how many are found.",
        "mAP50: both in one number, over all confidence thresholds; a box is right from an IoU of 0.5 on.",
        usual(Path(job.model).stem, job.settings) if whole_fire_set else "",
        f"threshold {run.threshold:.2f}: {reason(job, run)}. predict and track use it with these weights.",
        f"weights  {shown(run.weights)}",
        f"picture  {shown(run.picture)}",
        f"next     python -m modules predict model={shown(run.weights)} source=my_picture.jpg",
        f"{matched} of the {labelled} labelled {objects} are found with a confidence of at least {SURE:.2f}.",
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


def usual(model: str, settings: dict) -> str:
    """What the course's comparison found for this model, where it was trained with the same settings."""
    recipe = PRESETS["results"].settings()
    found = trained([model]).get(model)
    if not found or {key: settings.get(key) for key in recipe} != recipe:
        return ""
    scores = [f"{score:.3f}" for score in sorted(found.of("mAP50"))]
    return (
        f"in lesson 08's comparison {model} reached mAP50 {' and '.join(scores)}; "
        "another seed or machine gives another score."
    )
