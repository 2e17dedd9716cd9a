# Written by notebooks/05_repvit.ipynb. Edit the lesson, then run `make modules`.
"""Load weights that others have trained into a backbone of the course: from timm, or from a file.

RepViT and FasterNet are in timm, with other names for the same weights; files of their authors need no renaming.
"""

import re
from pathlib import Path
from typing import NamedTuple

import timm
import torch

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


def replaced(name, table):
    """`name` with its beginning replaced as `table` says."""
    for old, new in table.items():
        if name.startswith(old + "."):
            return new + name[len(old) :]
    return name


def repvit_name(name, depths):
    """The authors' name of what timm's RepViT, with so many blocks in its stages, calls `name`."""
    found = re.match(r"stages\.(\d)\.(?:blocks\.(\d+)|downsample(\.pre_block)?)\.(.*)", name)
    if not found:
        return replaced(name, REPVIT_NAMES)
    stage, block, pre_block, rest = found.groups()
    # The stem is part 0; two more parts lead from each stage to the next one: timm's pre_block and its downsampling.
    first = 1 + sum(depths[: int(stage)]) + 2 * int(stage)
    part = first + int(block) if block else first - 2 if pre_block else first - 1
    return f"features.{part}.{replaced(rest, REPVIT_BLOCK_NAMES)}"


def fasternet_name(name):
    """The authors' name of what timm's FasterNet calls `name`: they count stages and downsamplings alike."""
    name = re.sub(r"^stages\.(\d)\.blocks", lambda m: f"stages.{2 * int(m[1])}.blocks", name)
    name = re.sub(r"^stages\.(\d)\.downsample", lambda m: f"stages.{2 * int(m[1]) - 1}", name)
    return replaced(name, {"conv_head": "avgpool_pre_head.1", "classifier": "head"})


def authors_names(state):
    """Rename timm's weights as their authors do. Weights with any other names are returned as they are."""
    if "stem.conv1.c.weight" in state:
        blocks = [re.match(r"stages\.(\d)\.blocks\.(\d+)", name) for name in state]
        depths = [1 + max(int(b[2]) for b in blocks if b and int(b[1]) == stage) for stage in range(4)]
        return {repvit_name(name, depths): value for name, value in state.items()}
    if "stages.1.downsample.reduction.weight" in state:
        return {fasternet_name(name): value for name, value in state.items()}
    return state


# Checkpoints wrap the weights. Where there are several, averaged ones (EMA) come first: they are those that scored.
WRAPPERS = ("state_dict_ema", "model_ema", "net_E", "state_dict", "model", "net")
PLAIN = "save what state_dict() returns, not a whole model"


def read(file):
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
    for key in WRAPPERS:
        if isinstance(state, dict) and isinstance(state.get(key), dict):
            state = state[key]
    if not isinstance(state, dict) or not any(torch.is_tensor(value) for value in state.values()):
        raise ValueError(f"{file} holds no weights by name, but a {type(state).__name__}: {PLAIN}")
    return {name.removeprefix("module."): value for name, value in state.items() if torch.is_tensor(value)}


# A size has timm's name. These two classes are sizes as well.
TIMM_NAMES = {"RepViT": "repvit_m0_9", "FasterNet": "fasternet_t0"}


def fetch(name):
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


def backbone_of(model):
    """The first backbone in `model`, which may be one itself, a detector or a YOLO()."""
    for module in model.modules():
        if hasattr(type(module), "feature_channels"):
            return module
    raise ValueError(f"there is no backbone of the course in this {type(model).__name__}")


def load_pretrained(model, source):
    """Copy trained weights into the backbone of `model`, once, after the model was built.

    Args:
        model: a backbone, a detector with one inside, or a YOLO(): its train() then starts from these weights.
        source: "timm", or a file of the authors' or of timm's weights (.pt, .pth, .bin, .safetensors).

    Returns:
        a Report, which prints as a table of four rows.

    Raises:
        ValueError: fewer than half of the backbone's weights fit; nothing was copied. Or there is no backbone.
        FileNotFoundError, ConnectionError: there is no such file, or timm's cannot be fetched.
    """
    backbone = backbone_of(model)
    name = type(backbone).__name__
    theirs = fetch(TIMM_NAMES.get(name, name)) if source == "timm" else read(source)
    theirs, ours = authors_names(theirs), backbone.state_dict()
    misfitting = [name for name in ours if name in theirs and ours[name].shape != theirs[name].shape]
    report = Report(
        copied=[name for name in ours if name in theirs and name not in misfitting],
        missing=[name for name in ours if name not in theirs],
        unexpected=[name for name in theirs if name not in ours],
        misfitting=[f"{name} {list(theirs[name].shape)} for {list(ours[name].shape)}" for name in misfitting],
    )
    if 2 * sum(ours[name].numel() for name in report.copied) < sum(value.numel() for value in ours.values()):
        raise ValueError(
            f"{source} does not fit this {name}. Load weights before fuse(), into a backbone of the "
            f"same size and with width=1.0 (at scales m and l of the course's YAML files).\n{report}"
        )
    backbone.load_state_dict({name: theirs[name] for name in report.copied}, strict=False)
    if hasattr(model, "ckpt") and not model.ckpt:
        # YOLO.train() builds a new model, and takes over the weights of this one only if it has a checkpoint.
        model.ckpt = {"model": model.model}
    return report
