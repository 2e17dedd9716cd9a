"""Train a detector with Ultralytics, say how good it is, show what it finds, and go on where a run was interrupted."""

from pathlib import Path

from .errors import InputError, nothing_left, plain, shown
from .files import nothing_lost
from .fire import FIRE_YAML
from .fit import fit
from .job import DEFAULT_MODEL, Job, prepare
from .judge import judge
from .report import report
from .resume import Run, find_finished, obstacle, read_record, take_folder, write_record

__all__ = ["DEFAULT_MODEL", "Run", "train", "train_once"]


def train(model=None, data=None, preset: str | None = None, verbose: bool = True, **overrides) -> Run:
    """Train `model` on `data`, print its scores and write a picture of what it finds.

    Everything goes to the folder runs/<model>-<preset>-<imgsz> of the current folder. A finished run is never written
    over: the next one gets a folder of its own. The same command after an interruption goes on where it stopped.

    The weights that are kept are those of the last epoch: nothing is chosen by the pictures that judge. With
    `patience=` they are those of the epoch with the best validation. The scores are about the preset's `val_at_end`
    pictures, mostly all.

    Args:
        model: a model YAML, which is trained from scratch, or weights (.pt), which are trained further; by default
            yolo11n-RepViT.yaml.
        data: a detection set's YAML; by default the fire set.
        preset: "smoke", "laptop", "gpu", "results" or "full"; without it see `modules.course.presets.preset`.
        verbose: print a row after each epoch, and where weights and picture are. Otherwise one line with the scores.
        overrides: any argument of Ultralytics' training. It takes precedence over a file `cfg=`, and that over the
            preset. `resume=True` with `model=runs/.../weights/last.pt` goes on with that run.

    Raises:
        InputError: something that was asked for does not exist or does not fit. Nothing has been written then.
    """
    folder = None
    if overrides.get("resume"):
        job, folder = asked_before(model, {**overrides, "data": data, "preset": preset})
    else:
        job = prepare(model, data, preset, overrides)
    if verbose:
        print(job)
    run = carry_out(job, verbose, folder)
    print(run)
    if verbose:
        print(report(job, run))
    return run


def train_once(model, data=FIRE_YAML, preset: str | None = None, verbose: bool = False, **overrides) -> Run:
    """The finished run of exactly this request if there is one, else `train`. One printed line says which it was.

    The request is all that decides the result: model, preset and overrides, pictures and labels, the versions of
    Ultralytics and torch.
    """
    job = prepare(model, data, preset, overrides)
    if run := find_finished(job.parent, job.request):
        print(f"already trained: {run}")
    else:
        run = carry_out(job, verbose)
        print(f"trained: {run}")
    return run


def carry_out(job: Job, verbose: bool, folder: Path | None = None) -> Run:
    """Train in a folder of its own, then measure."""
    request = job.request
    with plain(), nothing_lost():
        folder = folder or take_folder(job.parent, job.name, request)
        with nothing_left(folder):
            write_record(folder, request, asked=job.asked)
            fit(job, folder, verbose)
        run = judge(job, folder)
        write_record(folder, request, run, job.asked)
    return run


def asked_before(model, overrides: dict) -> tuple[Job, Path]:
    """The job of an interrupted run whose checkpoint is named, and its folder."""
    resume = overrides.pop("resume")
    checkpoint = Path(str(model if isinstance(resume, bool) else resume))
    if others := [key for key, value in overrides.items() if value is not None]:
        raise InputError(f"resume goes on with a run as it was asked for; leave out {others[0]}=.")
    if not checkpoint.is_file():
        raise InputError(
            f"resume: there is no file {checkpoint}. Name a run's checkpoint, model=runs/.../weights/last.pt."
        )
    folder = checkpoint.resolve().parent.parent
    record = read_record(folder)
    if record is None:
        raise InputError(
            f"resume: {shown(folder)} holds no run.json of this course, so what to go on with is not known."
        )
    job = prepare(**record["asked"])
    if why := obstacle(folder, job.request):
        raise InputError(f"resume: {shown(folder)} {why}.")
    return job, folder
