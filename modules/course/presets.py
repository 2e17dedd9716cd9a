"""How much a training run takes on: seconds (smoke), minutes (laptop, gpu), a table of results, or hours (full)."""

import os
from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class Preset:
    """One size of training run. Counts of pictures are at most that many; None means all of them."""

    name: str
    imgsz: int
    epochs: int
    batch: int
    lr0: float = 0.002
    warmup_epochs: float = 1
    cos_lr: bool = False
    mosaic: float = 0  # the probability that a picture is put together from four; switched off for the last third
    cache: str | bool = "ram"  # pictures are decoded once, where memory allows
    plots: bool = False
    pictures: int | None = None  # to train on
    val_every: int = 1  # epochs from one validation during training to the next; 0: none
    val_each_epoch: int | None = None  # validation pictures of such an epoch
    val_at_end: int | None = None  # validation pictures that the final scores are about
    note: str = ""  # printed when a training begins

    def settings(self, **overrides) -> dict:
        """The arguments for Ultralytics: what a short run from scratch needs, then `overrides`."""
        settings = {
            "imgsz": self.imgsz,
            "epochs": self.epochs,
            "batch": self.batch,
            "optimizer": "AdamW",  # "auto" chooses differently from version to version
            "lr0": self.lr0,
            "cos_lr": self.cos_lr,
            "momentum": 0.9,
            "warmup_bias_lr": 0.0,  # the default, 0.1, is meant for SGD
            "mosaic": self.mosaic,
            "cache": self.cache,
            "plots": self.plots,
            **overrides,
        }
        if settings["batch"] >= 1:  # else Ultralytics finds a batch size itself
            # Step after every batch. The default gathers 64 pictures for a step, here nearly a whole epoch.
            settings.setdefault("nbs", settings["batch"])
        settings.setdefault("warmup_epochs", min(self.warmup_epochs, settings["epochs"] // 4))
        settings.setdefault("close_mosaic", settings["epochs"] // 3 if settings["mosaic"] else 0)
        return settings


PRESETS = {
    p.name: p
    for p in (
        # Older versions of Ultralytics warm up for at least 100 steps if they warm up at all: more than smoke has.
        Preset(
            "smoke",
            imgsz=160,
            epochs=2,
            batch=8,
            warmup_epochs=0,
            mosaic=1,
            pictures=64,
            val_each_epoch=16,
            val_at_end=16,
        ),
        Preset("laptop", imgsz=192, epochs=28, batch=8, val_every=4, val_each_epoch=32),
        Preset(
            "gpu",
            # 80 x 480 pictures at 80 a second make 480 seconds. The rest of ten minutes goes to start and validation.
            imgsz=512,
            epochs=80,
            batch=16,
            mosaic=1,
            warmup_epochs=3,
            val_every=10,
            note="Sized for ten minutes at 80 pictures a second; not measured on a T4.",
        ),
        # What the table of results is made with. Its validations draw curves; they choose nothing.
        Preset("results", imgsz=192, epochs=28, batch=8, val_every=4),
        Preset("full", imgsz=640, epochs=300, batch=16, mosaic=1, warmup_epochs=3, plots=True),
    )
}


def preset(name: str | None = None) -> Preset:
    """The preset called `name`; without a name the one in COURSE_PRESET, else "gpu" with a GPU and "laptop" without.

    Raises:
        ValueError: there is no such preset.
    """
    given = str(name or os.environ.get("COURSE_PRESET") or ("gpu" if torch.cuda.is_available() else "laptop"))
    if given not in PRESETS:
        source = "preset" if name else "The environment variable COURSE_PRESET"
        raise ValueError(f"{source} is '{given}'; choose one of {', '.join(PRESETS)}.")
    return PRESETS[given]
