# Written by notebooks/A3_weights_of_others.ipynb. Edit the lesson, then run `make modules`.
"""Load weights that others have trained into a backbone of the course: from timm, or from a file.

RepViT and FasterNet are in timm, with other names for the same weights; files of their authors need no renaming.
"""

import re
from pathlib import Path
from typing import Any, NamedTuple

import timm
import torch
from torch import Tensor, nn

# What timm calls the parts of RepViT's network and of its two kinds of block, and what the authors call them.
REPVIT_NAMES = {
    "stem.conv1": "features.0.0",
    "stem.conv2": "features.0.2",
    "head.head_dist": "classifier.classifier_dist",
    "head.head": "classifier.classifier",
}

REPVIT_BLOCK_NAMES = {
    "token_mixer": "token_mixer.0",
    "se": "token_mixer.1",
    "channel_mixer.conv1": "channel_mixer.m.0",
    "channel_mixer.conv2": "channel_mixer.m.2",
    "spatial_downsample": "token_mixer.0",
    "channel_downsample": "token_mixer.2",
    "ffn.conv1": "channel_mixer.m.0",
    "ffn.conv2": "channel_mixer.m.2",
}


def replaced(name: str, table: dict[str, str]) -> str:
    """`name` with its beginning replaced as `table` says."""
    for old, new in table.items():
        if name.startswith(old + "."):
            return new + name[len(old) :]
    return name


def repvit_name(name: str, depths: list[int]) -> str:
    """The authors' name of what timm's RepViT, with so many blocks in its stages, calls `name`."""
    found = re.match(r"stages\.(\d)\.(?:blocks\.(\d+)|downsample(\.pre_block)?)\.(.*)", name)
    if not found:
        return replaced(name, REPVIT_NAMES)
    stage, block, pre_block, rest = found.groups()
    # The stem is part 0; two more parts lead from each stage to the next one: timm's pre_block and its downsampling.
    first = 1 + sum(depths[: int(stage)]) + 2 * int(stage)
    part = first + int(block) if block else first - 2 if pre_block else first - 1
    return f"features.{part}.{replaced(rest, REPVIT_BLOCK_NAMES)}"


def fasternet_name(name: str) -> str:
    """The authors' name of what timm's FasterNet calls `name`: they count stages and downsamplings alike."""
    name = re.sub(r"^stages\.(\d)\.blocks", lambda m: f"stages.{2 * int(m[1])}.blocks", name)
    name = re.sub(r"^stages\.(\d)\.downsample", lambda m: f"stages.{2 * int(m[1]) - 1}", name)
    return replaced(name, {"conv_head": "avgpool_pre_head.1", "classifier": "head"})


def authors_names(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Rename timm's weights as their authors do. Weights with any other names are returned as they are."""
    if {"stem.conv1.c.weight", "stem.conv1.weight"} & state.keys():  # the second one after timm's own fuse()
        blocks = [re.match(r"stages\.(\d)\.blocks\.(\d+)", name) for name in state]
        depths = [max((int(b[2]) + 1 for b in blocks if b and int(b[1]) == stage), default=0) for stage in range(4)]
        return {repvit_name(name, depths): value for name, value in state.items()}
    if "stages.1.downsample.reduction.weight" in state:
        return {fasternet_name(name): value for name, value in state.items()}
    return state


def backbone_of(model: nn.Module) -> nn.Module:
    """The first backbone in `model`, which may be one itself, a detector or a YOLO()."""
    for module in model.modules():
        if hasattr(type(module), "feature_channels"):
            return module
    raise ValueError(f"there is no backbone of the course in this {type(model).__name__}")


PREFIXES = ("module.", "_orig_mod.", "model.", "backbone.", "0.")


def known_names(state: dict[str, Tensor], ours: dict[str, Tensor]) -> dict[str, Tensor]:
    """`state` with the authors' names, and without prefixes as long as no name is one of `ours`."""
    while not authors_names(state).keys() & ours.keys():
        prefix = next((p for p in PREFIXES if any(name.startswith(p) for name in state)), None)
        if prefix is None:
            break
        state = {name.removeprefix(prefix): value for name, value in state.items()}
    return authors_names(state)


# Checkpoints wrap the weights. Where there are several, averaged ones (EMA) come first: they are those that scored.
WRAPPERS = ("state_dict_ema", "model_ema", "net_E", "state_dict", "model", "net")


def unwrapped(state: Any) -> dict[str, Tensor]:
    """The weights by name in what a file held; an empty dict where there are none."""
    for key in WRAPPERS:
        if isinstance(state, dict) and isinstance(state.get(key), dict):
            state = state[key]
    if not isinstance(state, dict):
        return {}
    return {name: value for name, value in state.items() if isinstance(name, str) and torch.is_tensor(value)}


PLAIN = "save what state_dict() returns, not a whole model"


def read(file: str | Path) -> dict[str, Tensor]:
    """The weights in a file, by name. Raises ValueError for a file that is not one of plain weights."""
    file = Path(file)
    if not file.is_file():
        raise FileNotFoundError(f"there is no file {file} (give a file of weights, or 'timm' to fetch timm's)")
    try:
        if file.suffix == ".safetensors":
            state = timm.models.load_state_dict(str(file))
        else:
            state = torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:
        raise ValueError(f"{file} is no file of plain weights ({type(error).__name__}): {PLAIN}") from error
    if weights := unwrapped(state):
        return weights
    raise ValueError(f"{file} holds no weights by name, but a {type(state).__name__}: {PLAIN}")


# A size has timm's name. These two classes are sizes as well.
TIMM_NAMES = {"RepViT": "repvit_m0_9", "FasterNet": "fasternet_t0"}


def fetch(name: str) -> dict[str, Tensor]:
    """The weights that timm has for its model `name`; from the internet, the first time.

    Raises:
        ValueError: timm has none.
        ConnectionError: they cannot be fetched.
    """
    if not timm.is_model(name) or not timm.models.is_model_pretrained(name):
        raise ValueError(f"timm has no weights for {name}; give the file of its authors' weights instead of 'timm'")
    try:
        return timm.create_model(name, pretrained=True).state_dict()
    except Exception as error:
        address = f"https://huggingface.co/{timm.get_pretrained_cfg(name).hf_hub_id}/resolve/main/model.safetensors"
        raise ConnectionError(
            f"timm's weights for {name} cannot be fetched; is there an internet connection? Without one, download "
            f"{address} elsewhere, put the file here as {name}.safetensors and call "
            f"load_pretrained(model, '{name}.safetensors'). The reason: {str(error).splitlines()[0]}"
        ) from error


class Report(NamedTuple):
    """What became of the weights, by name: those of the model were copied, or are missing or misfitting (have another
    shape) in the source and stay as they were; unexpected ones stand in the source only."""

    copied: list[str]
    missing: list[str]
    unexpected: list[str]
    misfitting: list[str]

    def __str__(self):
        rows = ((kind, names, ", ..." if len(names) > 3 else "") for kind, names in self._asdict().items())
        return "\n".join(
            f"{kind:11}{len(names):4}  {', '.join(names[:3])}{more}".rstrip() for kind, names, more in rows
        )


def compare(ours: dict[str, Tensor], theirs: dict[str, Tensor]) -> Report:
    """What copying `theirs` over `ours` would do."""
    misfitting = [name for name in ours if name in theirs and ours[name].shape != theirs[name].shape]
    return Report(
        copied=[name for name in ours if name in theirs and name not in misfitting],
        missing=[name for name in ours if name not in theirs],
        unexpected=[name for name in theirs if name not in ours],
        misfitting=[f"{name} {list(theirs[name].shape)} for {list(ours[name].shape)}" for name in misfitting],
    )


def layers(state: dict[str, Tensor]) -> dict[str, set[str]]:
    """The tensors of every module: {"stem": set(), "stem.conv": {"weight", "bias"}, ...}."""
    found = {}
    for name in state:
        module, _, tensor = name.rpartition(".")
        if tensor in ("weight", "bias", "running_mean", "running_var"):
            found.setdefault(module, set()).add(tensor)
        while module:
            found.setdefault(module, set())
            module = module.rpartition(".")[0]
    return found


def folded(one: dict[str, Tensor], other: dict[str, Tensor]) -> list[str]:
    """Convolutions of `one` with a bias that they got from a batch norm of `other`."""
    norms_are_gone = any(key.endswith("running_var") for key in other.keys() - one.keys())
    tensors, rest = layers(one), layers(other)
    return [m for m in rest if "bias" in tensors.get(m, set()) - rest[m]] if norms_are_gone else []


def refuse_fused(name: str, source: str | Path, ours: dict[str, Tensor], theirs: dict[str, Tensor]) -> None:
    """Raise ValueError where the weights are those of a fused network and the backbone is not fused, or the reverse."""
    if found := folded(theirs, ours):
        raise ValueError(
            f"{source} holds weights of a fused network: a batch norm was folded into {found[0]}. This {name} has its "
            f"batch norms. Give weights that were saved before fuse()."
        )
    if found := folded(ours, theirs):
        raise ValueError(
            f"this {name} is fused: its {found[0]} contains a batch norm, which {source} has apart. "
            f"Load weights into a new {name}, then call fuse()."
        )


FLOATS = (torch.float64, torch.float32, torch.float16, torch.bfloat16)


def refuse_useless_numbers(source: str | Path, theirs: dict[str, Tensor], names: list[str]) -> None:
    """Raise ValueError for weights that are no dense floating-point numbers, are NaN, infinite or an impossible variance."""
    names = [name for name in names if not name.endswith("num_batches_tracked")]
    for name in names:
        value = theirs[name]
        if value.dtype not in FLOATS or value.layout != torch.strided or value.is_meta:
            kind = "without numbers (device meta)" if value.is_meta else f"{value.dtype}, {value.layout}"
            raise ValueError(
                f"{name} in {source} is {kind}: give weights as float32 or float16, not quantised or sparse"
            )
    broken = [n for n in names if not theirs[n].isfinite().all() or n.endswith("running_var") and theirs[n].min() < 0]
    if broken:
        raise ValueError(
            f"{len(broken)} of {len(names)} tensors in {source} hold NaN, infinite numbers or variances below zero, first "
            f"{broken[0]}: that training had failed, take an earlier checkpoint"
        )


def refuse_another_size(name: str, source: str | Path, ours: dict[str, Tensor], report: Report) -> None:
    """Raise ValueError where fewer than half of the backbone's numbers would be copied."""
    if 2 * sum(ours[key].numel() for key in report.copied) < sum(value.numel() for value in ours.values()):
        raise ValueError(
            f"{source} does not fit this {name}. Load weights into a backbone of the same size and with width=1.0 "
            f"(at scales m and l of the course's YAML files).\n{report}"
        )


def load_pretrained(model: nn.Module, source: str | Path) -> Report:
    """Copy trained weights into the backbone of `model`, once, after the model was built.

    Args:
        model: a backbone, a detector with one inside, or a YOLO(): its train() then starts from these weights.
        source: "timm", or a file of the authors' or of timm's weights (.pt, .pth, .bin, .safetensors).

    Returns:
        a Report, which prints as a table of four rows.

    Raises:
        ValueError: there is no backbone; or the weights are refused, and nothing was copied: one network is fused and
            the other is not, fewer than half of the weights fit, or numbers are NaN, infinite or quantised.
        FileNotFoundError, ConnectionError: there is no such file, or timm's cannot be fetched.
    """
    backbone = backbone_of(model)
    name, ours = type(backbone).__name__, backbone.state_dict()
    theirs = known_names(fetch(TIMM_NAMES.get(name, name)) if source == "timm" else read(source), ours)
    refuse_fused(name, source, ours, theirs)
    report = compare(ours, theirs)
    refuse_another_size(name, source, ours, report)
    refuse_useless_numbers(source, theirs, report.copied)
    backbone.load_state_dict({name: theirs[name] for name in report.copied}, strict=False)
    if hasattr(model, "ckpt") and not model.ckpt:
        # YOLO.train() builds a new model, and takes over the weights of this one only if it has a checkpoint.
        model.ckpt = {"model": model.model}
    return report
