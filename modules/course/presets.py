"""How long a training run may take: seconds (smoke), minutes (laptop) or as long as good results need (full)."""

import os
from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class Preset:
    """One size of training run. The last three count pictures, at most; None means all of them."""

    name: str
    imgsz: int
    epochs: int
    batch: int
    pictures: int | None  # to train on
    watched: int | None  # of the validation pictures: those that are looked at after each epoch, to choose the best one
    judged: int | None  # of the validation pictures: those that the final scores are about

    def settings(self, **overrides) -> dict:
        """The arguments for Ultralytics: what a short run from scratch needs, then `overrides`."""
        settings = {
            "imgsz": self.imgsz,
            "epochs": self.epochs,
            "batch": self.batch,
            "optimizer": "AdamW",  # "auto" chooses differently from version to version
            "lr0": 0.002,
            "momentum": 0.9,
            "warmup_bias_lr": 0.0,  # the default, 0.1, is meant for SGD
            "plots": self.name == "full",
            **overrides,
        }
        if settings["batch"] >= 1:  # else Ultralytics finds a batch size itself
            # Step after every batch. The default gathers 64 pictures for a step, here nearly a whole epoch.
            settings.setdefault("nbs", settings["batch"])
        # Older versions warm up for at least 100 steps if they warm up at all: too many for the shortest runs.
        settings.setdefault("warmup_epochs", min(3, settings["epochs"] // 10))
        settings.setdefault("close_mosaic", settings["epochs"] // 3)
        return settings


PRESETS = {
    p.name: p
    for p in (
        Preset("smoke", imgsz=160, epochs=2, batch=8, pictures=64, watched=16, judged=16),
        Preset("laptop", imgsz=320, epochs=50, batch=8, pictures=80, watched=32, judged=None),
        Preset("full", imgsz=640, epochs=300, batch=16, pictures=None, watched=None, judged=None),
    )
}


def preset(name: str | None = None) -> Preset:
    """The preset called `name`; without a name the one in COURSE_PRESET, else "full" with a GPU and "laptop" without.

    Raises:
        ValueError: there is no such preset.
    """
    given = name or os.environ.get("COURSE_PRESET") or ("full" if torch.cuda.is_available() else "laptop")
    if given not in PRESETS:
        source = "preset" if name else "The environment variable COURSE_PRESET"
        raise ValueError(f"{source} is '{given}'; choose one of {', '.join(PRESETS)}.")
    return PRESETS[given]
