# Written by notebooks/09_take_it_home.ipynb. Edit the lesson, then run `make modules`.
"""What a YOLO network has learned, moved: into a network whose rows changed, and into a file that runs no code."""

import pickle
import tempfile
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

import torch
import ultralytics
import yaml
from torch import nn
from ultralytics import YOLO
from ultralytics.nn.tasks import BaseModel


def fitting(old: nn.Module, new: nn.Module) -> list[str]:
    """The names of the tensors that row `new` can take from row `old`: same class, same name, same shape."""
    if type(old).__name__ != type(new).__name__:
        return []
    has = old.state_dict()
    names = [name for name, tensor in new.state_dict().items() if name in has and has[name].shape == tensor.shape]
    # The counters of batch norms always fit and carry nothing that was learned.
    return names if any(new.state_dict()[name].dim() for name in names) else []


def shared_tensors(gain: list[list[int]]) -> list[list[int]]:
    """best[i][j]: the most tensors that the old rows from i on and the new rows from j on can share, in order."""
    best = [[0] * (len(gain[0]) + 1) for _ in range(len(gain) + 1)]
    for i in reversed(range(len(gain))):
        for j in reversed(range(len(gain[0]))):
            best[i][j] = max(best[i + 1][j], best[i][j + 1], gain[i][j] + best[i + 1][j + 1])
    return best


def match_rows(old: nn.Module, new: nn.Module) -> dict[int, int]:
    """Pair the rows of two networks, each in its order, so that as many tensors as possible are kept.

    Returns {row of `new`: row of `old`}. Rows without a partner are left out.
    """
    gain = [[len(fitting(a, b)) for b in new.model] for a in old.model]
    best, pairs, i, j = shared_tensors(gain), {}, 0, 0
    while i < len(gain) and j < len(gain[0]):
        if gain[i][j] and best[i][j] == gain[i][j] + best[i + 1][j + 1]:
            pairs[j] = i
            i, j = i + 1, j + 1
        elif best[i][j] == best[i + 1][j]:
            i += 1
        else:
            j += 1
    return pairs


def renumbered(old: nn.Module, pairs: dict[int, int], count: int) -> nn.Module:
    """The old network with its rows under their partners' numbers, for Ultralytics' own `load`; the rest is empty."""
    found = deepcopy(old)
    found.model = nn.Sequential(*(found.model[pairs[j]] if j in pairs else nn.Identity() for j in range(count)))
    return found


@dataclass(frozen=True)
class Moved:
    """What one row took: its number and class, its partner's number, how many of its tensors were taken."""

    row: int
    module: str
    source: int | None
    kept: int
    tensors: int


class Report(list):
    """What a transfer did: a `Moved` for each row. Printed, it is a table."""

    @property
    def kept(self) -> int:
        return sum(row.kept for row in self)

    def __str__(self):
        lines = [f"{'row':>3}  {'module':<14}{'from row':>8}{'tensors taken':>17}"]
        for row in self:
            if row.tensors:
                source = "-" if row.source is None else row.source
                lines.append(f"{row.row:>3}  {row.module:<14}{source:>8}{row.kept:>10} of {row.tensors}")
        return "\n".join([*lines, f"{self.kept} of {sum(row.tensors for row in self)} tensors taken"])


def network_of(model) -> nn.Module:
    """The network behind a YOLO object, a model YAML, a .pt file, or itself.

    Raises:
        ValueError: it has no rows, or it was fused.
    """
    if isinstance(model, (str, Path)):
        model = YOLO(str(model))
    network = model.model if isinstance(model, YOLO) else model
    if not isinstance(getattr(network, "model", None), nn.Sequential):
        raise ValueError(f"{model!r} holds no rows of a YOLO model. Give a YOLO object, a .pt file or a model YAML.")
    if network.is_fused():
        raise ValueError("These weights were fused and have no batch norms left. Take them from before fuse().")
    return network


def transfer(source, target) -> Report:
    """Copy into `target`, in place, every tensor of `source` that fits, row by row (see `match_rows`).

    Args:
        source: a YOLO object, a network, a .pt file or a model YAML.
        target: a YOLO object or a network.

    Raises:
        ValueError: nothing fits, or one of the two is fused or no YOLO model.
    """
    old, new = network_of(source), network_of(target)
    pairs = match_rows(old, new)
    if not pairs:
        raise ValueError(
            "No row of the source fits one of the target: other modules, or another scale (n, s, m, l, x)."
        )
    placed = renumbered(old, pairs, len(new.model))
    STOCK_LOAD(new, placed, verbose=False)
    report = Report()
    for j, row in enumerate(new.model):
        kept = len(fitting(placed.model[j], row)) if j in pairs else 0
        report.append(Moved(j, type(row).__name__, pairs.get(j), kept, len(row.state_dict())))
    return report


STOCK_LOAD = BaseModel.load


@contextmanager
def loading_by_rows():
    """While it lasts, Ultralytics fills a network from `pretrained=` by matching rows instead of row numbers."""

    def load(self, weights, verbose=True):
        source = (weights.get("ema") or weights["model"]) if isinstance(weights, dict) else weights
        transfer(source.float(), self)

    with mock.patch.object(BaseModel, "load", load):
        yield


FORMAT = "plain YOLO weights, version 1"


def save_portable(model, path) -> Path:
    """Write a network as plain tensors in half precision, with its YAML, class names and versions.

    Args:
        model: a YOLO object, a network or a .pt file; not fused.
        path: the file to write, with a new name.

    Raises:
        ValueError: the file exists, or the model has no rows or was fused.
    """
    network, path = network_of(model), Path(path)
    if path.exists():
        raise ValueError(f"{path} exists and is not written over. Choose another name.")
    names = network.names if isinstance(network.names, dict) else dict(enumerate(network.names))
    content = {
        "format": FORMAT,
        "task": getattr(network, "task", None) or "detect",
        "yaml": dict(network.yaml),
        "names": names,
        "versions": {"ultralytics": ultralytics.__version__, "torch": str(torch.__version__)},
        "state": {k: v.half() if v.is_floating_point() else v for k, v in network.state_dict().items()},
    }
    torch.save(content, path)
    return path


def load_portable(path) -> YOLO:
    """The detector in a file that `save_portable` wrote. The classes that its YAML names must be registered.

    Raises:
        ValueError: the file is something else.
    """
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError:
        content = None
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise ValueError(
            f"{path} was not written by save_portable. A .pt of Ultralytics opens with YOLO({str(path)!r})."
        )
    model = {key: value for key, value in content["yaml"].items() if key not in ("scale", "yaml_file")}
    with tempfile.TemporaryDirectory() as folder:
        # Ultralytics reads the scale from the file's name.
        file = Path(folder) / Path(content["yaml"].get("yaml_file", "model.yaml")).name
        file.write_text(yaml.safe_dump(model), encoding="utf-8")
        yolo = YOLO(str(file), task=content["task"])
    yolo.model.load_state_dict({k: v.float() if v.is_floating_point() else v for k, v in content["state"].items()})
    yolo.model.names = content["names"]
    yolo.ckpt = {"model": yolo.model}  # so that train() goes on from these weights
    return yolo
