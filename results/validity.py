"""What a finished training depends on, as short numbers: which rows still hold, and which have to be trained again.

A row holds as long as recipe, pictures and model file are the same. A change of code alone keeps it, if the network
starts from weights as large as before and computes the same from the same weights.
"""

import functools
import hashlib
import inspect
import json
import math
from copy import deepcopy
from pathlib import Path

import torch
from ultralytics.nn.tasks import DetectionModel

from modules.course.fire import FIRE, fire_pictures
from modules.course.presets import PRESETS
from modules.course.quiet import quiet

PRESET = "results"
WITHOUT_EFFECT = ("plots", "cache")  # settings that change no weight


def short(text: str | bytes) -> str:
    """12 letters of a SHA-256."""
    return hashlib.sha256(text if isinstance(text, bytes) else text.encode()).hexdigest()[:12]


def recipe_number() -> str:
    """A number for the preset's settings and for all pictures and labels of the fire set."""
    recipe = {k: v for k, v in PRESETS[PRESET].settings().items() if k not in WITHOUT_EFFECT}
    recipe["pictures"] = PRESETS[PRESET].pictures
    return short(json.dumps(recipe, sort_keys=True, default=str) + set_number())


@functools.cache
def set_number() -> str:
    """A number for all pictures and labels of the fire set, which nobody changes meanwhile."""
    number = hashlib.sha256()
    for picture in (*fire_pictures("train"), *fire_pictures("val")):
        label = FIRE / picture.parts[-3] / "labels" / f"{picture.stem}.txt"
        number.update(picture.name.encode() + picture.read_bytes() + label.read_bytes())
    return number.hexdigest()


def yaml_number(rows: dict) -> str:
    """A number for what a model file says; its comments do not count."""
    return short(json.dumps(rows, sort_keys=True))


def build(rows: dict) -> DetectionModel:
    """The network of a model file, with one class and its first weights drawn from seed 0."""
    torch.manual_seed(0)
    with quiet():
        return DetectionModel(deepcopy(rows), nc=1, verbose=False)


def code_number(network: torch.nn.Module) -> str:
    """A number for the files that define this network's classes, as far as they are the course's; empty for none."""
    classes = {base for module in network.modules() for base in type(module).__mro__}
    ours = {cls for cls in classes if cls.__module__.split(".")[0] in ("modules", "results")}
    files = sorted({Path(inspect.getsourcefile(cls)) for cls in ours})
    return short(b"".join(file.read_bytes() for file in files)) if files else ""


@torch.no_grad()
def outputs_of(network: torch.nn.Module) -> str:
    """Four numbers: how large the first weights are, and how much the head's three maps vary with other, random weights."""
    first = sum(float(p.abs().sum()) for p in network.parameters())
    torch.manual_seed(0)
    for name, tensor in network.state_dict().items():
        if tensor.ndim > 1:
            tensor.normal_(std=tensor[0].numel() ** -0.5)
        elif tensor.is_floating_point():
            tensor.uniform_(0.5, 1.5)
    maps = []
    hook = network.model[-1].register_forward_pre_hook(lambda head, inputs: maps.extend(inputs[0]))
    network.eval()(torch.rand(1, 3, 256, 256))
    hook.remove()
    return " ".join(f"{number:.5g}" for number in (first, *(float(m.std((2, 3)).mean()) for m in maps)))


def same_outputs(one: str, other: str) -> bool:
    """Whether two of these lists are equal: the first weights up to 1 %, for they are drawn, the maps up to 0.1 %."""
    ours, theirs = ([float(number) for number in text.split()] for text in (one, other))
    allowed = (0.01, *[0.001] * (len(ours) - 1))
    return len(ours) == len(theirs) and all(
        map(lambda a, b, tol: math.isclose(a, b, rel_tol=tol), ours, theirs, allowed)
    )


def numbers_of(rows: dict) -> dict[str, str]:
    """All that a row of runs.csv keeps to be recognised by."""
    network = build(rows)
    facts = {"recipe_hash": recipe_number(), "yaml_hash": yaml_number(rows), "code_hash": code_number(network)}
    return {**facts, "outputs": outputs_of(network)}


def why_stale(row: dict, now: dict) -> str:
    """Why a finished row no longer holds, or nothing."""
    if row["recipe_hash"] != now["recipe_hash"]:
        return "the recipe or the pictures changed"
    if row["yaml_hash"] != now["yaml_hash"]:
        return "the model file changed"
    if row["code_hash"] != now["code_hash"] and not same_outputs(row["outputs"], now["outputs"]):
        return "the network computes something else"
    return ""
