"""The training itself, which Ultralytics does; here are the course's ways of it, as callbacks."""

import math
from collections.abc import Callable
from pathlib import Path
from unittest import mock

import torch
from ultralytics.utils import TQDM

from ..transfer import loading_by_rows
from .checkpoints import load_model
from .errors import shown
from .job import Job, write_set
from .progress import Progress
from .quiet import nothing_fetched, quiet, warnings_by
from .resume import find_start, forget_after, seconds_used, settle
from .threads import all_cores


def fit(job: Job, folder: Path, verbose: bool) -> None:
    """Let Ultralytics train, from the start or from a checkpoint."""
    epochs, hours = job.settings["epochs"], job.settings.get("time")
    checkpoint, done, finished = find_start(folder, epochs, hours)
    if finished:
        return
    forget_after(folder / "results.csv", done)
    used = seconds_used(folder / "results.csv", done)
    data = write_set(folder / "training.yaml", job.data, train=job.parts["train"], val=job.parts["val_each_epoch"])
    if checkpoint:
        print(f"Going on with {shown(folder)} after epoch {done}" + (f" of {epochs}." if hours is None else "."))
        settle(checkpoint, folder, data)
        yolo, settings = load_model(str(checkpoint)), {"resume": True, **job.only(("device",))}
        if hours is not None:
            yolo.add_callback(
                "on_pretrain_routine_start", lambda trainer: give_time(trainer, hours - used / 3600, done)
            )
    else:
        place = {"project": str(folder.parent), "name": folder.name, "exist_ok": True}
        yolo, settings = job.yolo, {**job.settings, "data": data, "val": job.val_every > 0, **place}
    progress = Progress(verbose)
    yolo.add_callback("on_train_start", fast_memory_order)
    yolo.add_callback("on_train_start", lambda trainer: validate_seldom(trainer, job.val_every, job.keep_best))
    yolo.add_callback("on_train_start", progress.start)
    yolo.add_callback("on_train_batch_end", progress.batch)
    yolo.add_callback("on_fit_epoch_end", progress.epoch)
    yolo.add_callback("on_train_end", say_stopped_early)
    with (
        quiet(),
        warnings_by(progress.warn),
        nothing_fetched(),
        all_cores(),
        no_bar_of_decoding(),
        loading_by_rows(),
        progress,
    ):
        yolo.train(**settings)


def no_bar_of_decoding():
    """Without the progress bar of `cache=ram`, which Ultralytics shows at any level of its log."""
    return mock.patch("ultralytics.data.base.TQDM", lambda *args, **kwargs: TQDM(*args, **{**kwargs, "disable": True}))


def give_time(trainer, hours: float, done: int) -> None:
    """After an interruption only the rest of `time=` is left, and the number of epochs is estimated anew from it."""
    trainer.args.time = hours
    trainer.epochs = trainer.args.epochs = max(trainer.epochs, done + 1)


def fast_memory_order(trainer) -> None:
    """On a CPU, keep weights with the channels last: most networks train faster so. (On a GPU Ultralytics does it.)

    Not the averaged copy that is saved: Ultralytics cannot fuse weights in this order everywhere.
    """
    if trainer.device.type != "cpu":
        return
    trainer.model.to(memory_format=torch.channels_last)
    for state in trainer.optimizer.state.values():
        for key, value in state.items():
            if torch.is_tensor(value) and value.ndim == 4:
                state[key] = value.to(memory_format=torch.channels_last)


def validate_seldom(trainer, every: int, keep_best: bool) -> None:
    """Validate after every `every`-th epoch only, and choose weights by it only if `keep_best`.

    Nothing is validated after the last epoch: the weights are then measured on all pictures. Ultralytics writes
    best.pt wherever its two scores, of this epoch and of the best so far, are equal: here both None.
    """
    stock: Callable = trainer.validate

    def validate():
        if not every or (trainer.epoch + 1) % every:
            return dict.fromkeys(trainer.metrics, math.nan), None
        metrics, fitness = stock()
        if not keep_best:
            trainer.best_fitness = fitness = None
        return metrics, fitness

    trainer.validate = validate
    trainer.final_eval = lambda: None


def say_stopped_early(trainer) -> None:
    if trainer.epoch + 1 < trainer.epochs and not trainer.args.time:
        print(
            f"Stopped after epoch {trainer.epoch + 1} of {trainer.epochs}: none of the last {trainer.args.patience} was better."
        )
