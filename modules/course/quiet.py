"""Keep Ultralytics from printing pages and from fetching files that nobody asked for."""

import contextlib
import logging
from copy import deepcopy
from pathlib import Path
from unittest import mock

import matplotlib
import torch
from ultralytics.utils import LOGGER


@contextlib.contextmanager
def quiet():
    """Ultralytics says only what went wrong, and shows no progress bars of its own."""
    level = LOGGER.level
    LOGGER.setLevel(logging.ERROR)
    try:
        with mock.patch("ultralytics.utils.VERBOSE", False):
            yield
    finally:
        LOGGER.setLevel(level)


def amp_works(model) -> bool:
    """Whether `model` gives finite numbers in half precision on its GPU: some older ones do not."""
    device = next(model.parameters()).device
    if device.type != "cuda":
        return False
    with torch.no_grad(), torch.autocast("cuda"):
        outputs = deepcopy(model).eval()(torch.rand(2, 3, 256, 256, device=device))
    y = outputs[0] if isinstance(outputs, (tuple, list)) else outputs
    return bool(torch.isfinite(y).all())


@contextlib.contextmanager
def nothing_fetched():
    """Replace what Ultralytics downloads unasked: a font, a model to try half precision with, Python packages."""
    font = Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"
    with (
        mock.patch("ultralytics.data.utils.check_font", lambda *a, **k: font),
        mock.patch("ultralytics.utils.plotting.check_font", lambda *a, **k: font),
        mock.patch("ultralytics.engine.trainer.check_amp", amp_works),
        mock.patch("ultralytics.utils.checks.AUTOINSTALL", False),
    ):
        yield
