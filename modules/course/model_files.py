"""Look at a model YAML for what would do harm while it is built, before Ultralytics reads it."""

import ast
from pathlib import Path

from torch import nn

from ..registry import ModelError, find_yaml
from .errors import clipped, read_yaml
from .sets import MOST_CLASSES

# More than any published model has: repeats of a row, a factor of the scales, a number among a row's arguments.
MOST_REPEATS, LARGEST_FACTOR, LARGEST_ARGUMENT = 100, 16, 8192


def check_model_file(path: Path) -> None:
    """Refuse a YAML that says a thing twice, runs code, or asks for more than a machine can hold.

    What is no model at all is left to the registry, which names the row.

    Raises:
        InputError: the file cannot be read, or a key stands twice in it.
        ModelError: a number that no model has, or an `activation:` that is more than a class of torch.nn.
    """
    file = find_yaml(path)
    model = read_yaml(file) if file else None
    if not isinstance(model, dict):
        return
    if wrong := check_words(model) or check_scales(model) or check_numbers(model):
        raise ModelError(f"{path.name}: {wrong}.")


def check_words(model: dict) -> str:
    """What is wrong with what stands beside the rows, or nothing.

    Ultralytics runs `activation:` as Python, so it may call a class of torch.nn with plain values and nothing else.
    """
    activation, end2end = model.get("activation"), model.get("end2end")
    if activation is not None and not is_layer(str(activation)):
        said = clipped(f"activation: {activation}")
        return f"'{said}' would be run as a program. Write a class of torch.nn, as activation: nn.LeakyReLU(0.1)"
    if end2end not in (True, False, None):
        return f"'{clipped(f'end2end: {end2end}')}': write true or false"
    for key in ("ch", "channels"):
        if model.get(key, 3) != 3:
            return f"'{clipped(f'{key}: {model[key]}')}': only pictures with 3 channels are supported here"
    return ""


def is_layer(text: str) -> bool:
    """Whether this is `nn.Name(...)` or `torch.nn.Name(...)`, a layer with literal arguments."""
    try:
        call = ast.parse(text.strip(), mode="eval").body
        name = ast.unparse(call.func).removeprefix("torch.")
        for value in [*call.args, *(word.value for word in call.keywords)]:
            ast.literal_eval(value)
    except (SyntaxError, ValueError, AttributeError, RecursionError, MemoryError):
        return False
    found = getattr(nn, name.removeprefix("nn."), None) if name.startswith("nn.") else None
    return isinstance(found, type) and issubclass(found, nn.Module)


def check_scales(model: dict) -> str:
    """What is wrong with the factors by which the scales change depth and width, or nothing."""
    scales = model.get("scales")
    factors = [x for scale in (scales.values() if isinstance(scales, dict) else ()) for x in as_list(scale)[:2]]
    too_large = above(LARGEST_FACTOR, [*factors, model.get("depth_multiple"), model.get("width_multiple")])
    return f"{too_large} as a factor of depth or width is more than {LARGEST_FACTOR}" if too_large else ""


def check_numbers(model: dict) -> str:
    """What is wrong with the number of classes, or with the first row whose numbers are too large, or nothing."""
    if too_large := above(MOST_CLASSES, [model.get("nc")]):
        return f"'nc: {too_large}': give at most {MOST_CLASSES:,} classes"
    for row in as_list(model.get("backbone")) + as_list(model.get("head")):
        _, repeats, _, arguments = row if isinstance(row, list) and len(row) == 4 else [None] * 4
        if too_large := above(MOST_REPEATS, [repeats]):
            return f"row {clipped(str(row))}: {too_large} repeats are more than {MOST_REPEATS}"
        if too_large := above(LARGEST_ARGUMENT, as_list(arguments)):
            return f"row {clipped(str(row))}: {too_large} is more than {LARGEST_ARGUMENT:,}"
    return ""


def as_list(value) -> list:
    return value if isinstance(value, list) else []


def above(bound: float, values: list) -> float | None:
    """The first of the numbers among `values` that is farther from 0 than `bound`, or no number at all (nan)."""
    return next((x for x in values if type(x) in (int, float) and not abs(x) <= bound), None)
