"""What a training shows while it runs: a row for each epoch, one live line, and how long it will take on this machine."""

import math
import os
import sys
import time

from tqdm import tqdm

TRIED = 10  # batches after which the time is estimated


class Progress:
    """One live line for the whole run and, if `verbose`, a row of numbers after each epoch."""

    def __init__(self, verbose: bool):
        self.verbose, self.bar, self.batches, self.told = verbose, None, 0, None

    def __enter__(self):
        return self

    def __exit__(self, *error):
        if self.bar is not None:
            self.bar.close()

    def start(self, trainer):
        per_epoch = len(trainer.train_loader)
        stream = live_stream()
        self.bar = tqdm(
            total=trainer.epochs * per_epoch,
            initial=trainer.start_epoch * per_epoch,
            bar_format="{desc}|{bar:40}| {n_fmt}/{total_fmt} batches",
            leave=False,
            file=stream,
            disable=stream is None,
        )
        self.began = self.first_batch = time.perf_counter()
        self.write("   epoch     loss   precision   recall    mAP50   mAP50-95")

    def write(self, line):
        if self.verbose:
            self.bar.write(line)
            sys.stdout.flush()

    def warn(self, line):
        """Say it above the live line, if there is one."""
        tqdm.write(f"Warning: {line}", file=sys.stderr)

    def batch(self, trainer):
        self.batches += 1
        if self.batches == 1:  # it holds what is done once, as finding the fastest kernels
            self.first_batch = time.perf_counter()
        if self.batches == TRIED and trainer.epoch == trainer.start_epoch:
            each = (time.perf_counter() - self.first_batch) / (TRIED - 1)
            batches = (trainer.epochs - trainer.start_epoch) * len(trainer.train_loader)
            self.say_time(each * (batches - TRIED))
        self.bar.update()

    def epoch(self, trainer):
        loss = sum(trainer.label_loss_items(trainer.tloss).values())
        scores = (trainer.metrics[f"metrics/{key}(B)"] for key in ("precision", "recall", "mAP50", "mAP50-95"))
        scores = ["-" if math.isnan(score) else f"{score:.3f}" for score in scores]
        self.write(f"{trainer.epoch + 1:4d}/{trainer.epochs:<4d}{loss:8.3f}" + "{:>12}{:>9}{:>9}{:>11}".format(*scores))
        self.bar.total = trainer.epochs * len(trainer.train_loader)  # it changes where `time=` is given
        done, left = trainer.epoch + 1 - trainer.start_epoch, trainer.epochs - trainer.epoch - 1
        if left > 0:
            self.say_time((time.perf_counter() - self.began) / done * left, stays=done == 1)

    def say_time(self, seconds: float, stays: bool = True):
        """Put what is left into the live line; in a terminal also as a line that stays."""
        left = words(seconds)
        self.bar.set_description_str(f"about {left} left ")
        if stays and not in_notebook() and self.told != left:
            self.write(f"About {left} to go on this machine.")
            self.told = left


def words(seconds: float) -> str:
    """`40 seconds`, `6 minutes`, `2.5 hours`."""
    if seconds < 90:
        return f"{max(10, round(seconds, -1)):.0f} seconds"
    if seconds < 90 * 60:
        return f"{seconds / 60:.0f} minutes"
    return f"{seconds / 3600:.1f} hours"


def in_notebook() -> bool:
    return type(sys.stdout).__module__.startswith("ipykernel")


def live_stream():
    """Where a line that changes can be shown: in a notebook or a terminal; None for a file, or with TQDM_DISABLE=1."""
    if os.environ.get("TQDM_DISABLE", "0") not in ("", "0"):
        return None
    if in_notebook():
        return sys.stdout  # the next line that is printed takes its place, so that nothing of it is stored
    return sys.stderr if sys.stderr.isatty() else None
