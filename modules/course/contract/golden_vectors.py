"""Golden vectors: numbers that the authors' own code computed, and how far a module of ours is from them.

tests/golden/README.md says how the files were made.
"""

import json
import math
import re
import zlib
from pathlib import Path

import torch
from torch import nn

ROOT = Path(__file__).parents[3]
GOLDEN = ROOT / "tests" / "golden"


def maps(output) -> list[torch.Tensor]:
    """A block's one map and a backbone's list alike, as a list."""
    return list(output) if isinstance(output, (list, tuple)) else [output]


def largest_difference(ours, theirs) -> float:
    """Over all maps, in units of a map's standard deviation."""
    return max(((a - b).abs().max() / b.std()).item() for a, b in zip(maps(ours), maps(theirs)))


def fill(module: nn.Module) -> nn.Module:
    """Fill every tensor with random numbers that follow from its name alone (see tests/golden/README.md)."""
    state = module.state_dict()
    for key, old in state.items():
        kind = key.rsplit(".", 1)[-1]
        generator = torch.Generator().manual_seed(zlib.crc32(key.encode()))
        if kind == "num_batches_tracked":
            state[key] = torch.zeros((), dtype=torch.int64)
        elif kind == "running_var":
            state[key] = 1 + torch.rand(old.shape, generator=generator)
        else:
            z = torch.randn(old.shape, generator=generator)
            if re.fullmatch("alpha[0-3]", kind):
                state[key] = 0.5 + 0.1 * z
            elif kind == "weight" and old.ndim == 1:
                state[key] = 1 + 0.1 * z
            elif kind == "weight":
                state[key] = 0.5 / math.sqrt(old.numel() / old.shape[0]) * z
            else:
                state[key] = 0.1 * z
    module.load_state_dict(state)
    return module.eval()


def layout(tree: dict, before: str = "") -> dict[str, list[int]]:
    """The nested names of a golden file as a flat {name: shape}."""
    flat = {}
    for key, value in tree.items():
        flat |= layout(value, f"{before}{key}.") if isinstance(value, dict) else {before + key: value}
    return flat


def golden(name: str, module: nn.Module) -> float:
    """The largest error of `module` against tests/golden/`name`.json, in units of the output's standard deviation.

    Asserts the names and shapes of all weights on the way.
    """
    expected = json.loads((GOLDEN / f"{name}.json").read_text(encoding="utf-8"))
    shapes = {key: list(value.shape) for key, value in module.state_dict().items()}
    assert shapes == layout(expected["manifest"]), f"{name}: names or shapes of the weights differ from the authors'"
    fill(module)
    worst = 0.0
    for run in expected["runs"]:
        x = torch.randn(run["input"], generator=torch.Generator().manual_seed(0))
        with torch.no_grad():
            outputs = maps(module(x)) + ([module.classify(x)] if "logits" in run else [])
        records = run["features"] + ([run["logits"]] if "logits" in run else [])
        assert len(outputs) == len(records)
        for output, record in zip(outputs, records):
            assert list(output.shape) == record["shape"], f"{name}: {list(output.shape)} is not {record['shape']}"
            values = output.reshape(-1)[record["idx"]] - torch.tensor(record["val"])
            mean, std = output.double().mean() - record["mean"], output.double().std(correction=0) - record["std"]
            worst = max(worst, *(error.abs().max().item() / record["std"] for error in (values, mean, std)))
    return worst
