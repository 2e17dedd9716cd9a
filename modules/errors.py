# Written by notebooks/A1_inside_the_registry.ipynb. Edit the lesson, then run `make modules`.
"""What can be wrong with a model YAML, said in one line that names the row."""

import ast
import difflib
import inspect
from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from ultralytics.nn import tasks

from .registry import REGISTERED, ModelError, expand, is_backbone


def label(i: int, row: list) -> str:
    """`row 4 [-1, 1, Conv, [64]]`, as a reader finds it in the YAML."""
    return f"row {i} [{clipped(', '.join(map(str, row)))}]"


def clipped(text: str) -> str:
    """At most 80 characters of a text that somebody gave."""
    return text if len(text) <= 80 else f"{text[:77]}..."


def named_class(name: str) -> type | None:
    """The class that a row's third entry names, or None."""
    if name.startswith("torchvision.ops."):
        return nn.Module  # looked up by Ultralytics when the row is built
    found = getattr(nn, name[3:], None) if name.startswith("nn.") else vars(tasks).get(name)
    return found if isinstance(found, type) and issubclass(found, nn.Module) else None


def name_error(name: str) -> str | None:
    """What is wrong with a module's name, or None."""
    if named_class(name):
        return None
    ours = [n for n in REGISTERED if n != "FeatureMap"]
    known = [n for n in vars(tasks) if named_class(n)]  # the registered ones too
    close = " or ".join(difflib.get_close_matches(name, known, n=3))
    return (
        f"unknown module '{clipped(name)}'. {f'Did you mean {close}? ' if close else ''}A class of your own needs "
        f"register({name}) before the model is built. Registered are {', '.join(ours)}"
    )


def repeats_error(row: list) -> str | None:
    """What is wrong with a row's repeats, or None."""
    if type(row[1]) is not int or row[1] < 1:
        return f"its repeats are {clipped(repr(row[1]))}: write a whole number from 1 on"
    if is_backbone(row[2]) and row[1] != 1:
        return f"a backbone stands once: write 1, not {row[1]}, as its repeats"
    return None


def source_error(i: int, row: list, rows: list[list]) -> str | None:
    """What is wrong with the entry `from` of row `i`, or None."""
    for j in row[0] if isinstance(row[0], list) else [row[0]]:
        if type(j) is not int or not (j == -1 or -i <= j < i):
            there = f"rows 0 to {i - 1}" if i else "nothing but the picture"
            return (
                f"'from' is {clipped(str(j))}, which points nowhere. Row {i} can read {there}; -1 is the row before it"
            )
        at = j % i if i else None
        if at is not None and is_backbone(rows[at][2]) and row[2] != "FeatureMap":
            return f"row {at} is a whole backbone. Read one of its maps: {maps_of(at)}"
    return None


def maps_of(backbone: int) -> str:
    """`1 is P2, 2 is P3, ...`: the rows of a backbone's maps."""
    return ", ".join(f"{backbone + k} is P{k + 1}" for k in (1, 2, 3, 4))


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


# More than any published model has: classes, repeats of a row, a factor of the scales, a number among a row's arguments.
MOST_CLASSES, MOST_REPEATS, LARGEST_FACTOR, LARGEST_ARGUMENT = 100_000, 100, 16, 8192


def above(bound: float, values: list) -> float | None:
    """The first of the numbers among `values` that is farther from 0 than `bound`, or no number at all (nan)."""
    return next((x for x in values if type(x) in (int, float) and not abs(x) <= bound), None)


def check_scales(model: dict) -> str:
    """What is wrong with the factors by which the scales change depth and width, or nothing."""
    factors = [x for scale in (model.get("scales") or {}).values() for x in scale[:2]]
    too_large = above(LARGEST_FACTOR, [*factors, model.get("depth_multiple"), model.get("width_multiple")])
    return f"{too_large} as a factor of depth or width is more than {LARGEST_FACTOR}" if too_large else ""


def check_numbers(model: dict) -> str:
    """What is wrong with the number of classes, or with the first row whose numbers are too large, or nothing."""
    if too_large := above(MOST_CLASSES, [model.get("nc")]):
        return f"'nc: {too_large}': give at most {MOST_CLASSES:,} classes"
    for _, repeats, name, arguments in model["backbone"] + model["head"]:
        if too_large := above(MOST_REPEATS, [repeats]):
            return f"a row of {clipped(name)}: {too_large} repeats are more than {MOST_REPEATS}"
        if too_large := above(LARGEST_ARGUMENT, arguments):
            return f"a row of {clipped(name)}: {too_large} is more than {LARGEST_ARGUMENT:,}"
    return ""


def check_keys(model: dict) -> None:
    """The same for what stands beside the rows: both lists, `nc:` and `scales:`."""
    for key in ("backbone", "head"):
        if not isinstance(model.get(key), list) or not model[key]:
            raise ModelError(
                f"the model has no list '{key}:'; it has {clipped(', '.join(map(str, model))) or 'nothing'}."
            )
    if type(model.get("nc", 1)) is not int or model.get("nc", 1) < 1:
        raise ModelError(f"'nc:' is {clipped(repr(model['nc']))}: write the number of classes, 1 or more.")
    scales, scale = model.get("scales") or {}, model.get("scale")
    if not isinstance(scales, dict) or not all(map(is_scale, scales.values())):
        raise ModelError("'scales:' needs lines such as n: [0.50, 0.25, 1024], for depth, width and most channels.")
    if scales and scale and scale not in scales:
        raise ModelError(f"there is no scale '{scale}' in its 'scales:'. Choose one of {', '.join(map(str, scales))}.")


def is_scale(entry: Any) -> bool:
    """Whether this is [depth, width, most channels]."""
    return isinstance(entry, list) and len(entry) == 3 and all(type(x) in (int, float) and x > 0 for x in entry)


def check_rows(model: dict) -> None:
    """Check all that can be said of a model before anything is built.

    Raises:
        ModelError: the first mistake, with its row.
    """
    check_keys(model)
    for row in model["backbone"] + model["head"]:
        if not (isinstance(row, list) and len(row) == 4 and isinstance(row[2], str) and isinstance(row[3], list)):
            raise ModelError(
                f"a row reads [from, repeats, module, [arguments]], and this one does not: {clipped(str(row))}"
            )
    if wrong := check_words(model) or check_scales(model) or check_numbers(model):
        raise ModelError(f"{wrong}.")
    rows = expand(model)
    for i, row in enumerate(rows):
        if wrong := name_error(row[2]) or repeats_error(row) or source_error(i, row, rows):
            raise ModelError(f"{label(i, row)}: {wrong}.")


def locals_at(error: BaseException, function: str) -> dict:
    """The local variables of `function` where `error` passed through it, or an empty dict."""
    found, step = {}, error.__traceback__
    while step:
        if step.tb_frame.f_code.co_name == function:
            found = dict(step.tb_frame.f_locals)
        step = step.tb_next
    return found


def reason(error: Exception, m: Any = None, args: tuple | list = ()) -> str:
    """In one line, why `m(*args)` failed with `error`."""
    if isinstance(error, TypeError) and isinstance(m, type):
        try:
            inspect.signature(m).bind(*args)
        except TypeError as misfit:
            return f"wrong arguments ({misfit}): {m.__name__}{inspect.signature(m)} was given {args}"
    message = " ".join(str(error).split())
    return message if isinstance(error, ValueError) else f"{type(error).__name__}: {message}"


def name_failing_row(build: Callable) -> Callable:
    """A parse_model whose errors name the row that could not be built."""

    def parse_model(d: dict, ch: int, verbose: bool = True) -> tuple:
        check_rows(d)
        rows = expand(d)
        try:
            return build({**d, "backbone": rows, "head": []}, ch, verbose)
        except Exception as error:
            seen = locals_at(error, "parse_model")
            i, m, args = (seen.get(key) for key in ("i", "m", "args"))
            if i is None:
                raise
            raise ModelError(f"{label(i, expand(d)[i])}: {reason(error, m, args)}") from error

    return parse_model


def name_failing_layer(stock: Callable) -> Callable:
    """DetectionModel.__init__ that names the row which fails in the model's first forward pass."""

    def __init__(self, *args, **kwargs):
        try:
            stock(self, *args, **kwargs)
        except Exception as error:
            seen = locals_at(error, "_predict_once")
            if "m" not in seen:
                raise
            i, x = seen["m"].i, seen["x"]
            raise ModelError(f"{label(i, expand(self.yaml)[i])}: fed {shown(x)}; {reason(error)}") from error

    return __init__


def shown(x: Any) -> str:
    """`(1, 64, 32, 32)` for a tensor, the same for each of a list, and its type for anything else."""
    if isinstance(x, (list, tuple)):
        return ", ".join(map(shown, x)) or "an empty list"
    return str(tuple(x.shape)) if isinstance(x, torch.Tensor) else type(x).__name__


class Promise:
    """A forward hook that compares a row's output with what was said of its channels, once."""

    def __init__(self, c2: int | list[int]):
        self.c2 = c2

    def __call__(self, module: nn.Module, inputs: tuple, output: Any) -> None:
        kept = {key: hook for key, hook in module._forward_hooks.items() if hook is not self}
        module._forward_hooks.clear()
        module._forward_hooks.update(kept)
        self.check(type(module).__name__, inputs[0], output)

    def check(self, name: str, given: Any, output: Any) -> None:
        """Raises ModelError where `output` is not what was promised."""
        several = isinstance(self.c2, list)
        wanted, maps = (self.c2, output) if several else ([self.c2], [output])
        if not isinstance(maps, (list, tuple)) or not all(isinstance(x, torch.Tensor) and x.ndim == 4 for x in maps):
            what = "the list of P2, P3, P4 and P5" if several else "one tensor (B, C, H, W)"
            raise ModelError(f"{name}.forward must return {what}, and returns {shown(output)}")
        self.check_kind(name, given[0] if isinstance(given, (list, tuple)) else given, maps)
        found = [x.shape[1] for x in maps]
        if found != wanted:
            said, hint = ("feature_channels says", "") if several else said_of_block(name)
            raise ModelError(
                f"{said} {self.c2} channels, and {name} puts out {found if len(found) > 1 else found[0]}{hint}"
            )
        if several:
            self.check_strides(name, given, maps)

    def check_strides(self, name: str, given: torch.Tensor, maps: list[torch.Tensor]) -> None:
        """Raises ModelError where the maps of a backbone do not halve from stride 4 to stride 32."""
        found = [round(given.shape[-1] / x.shape[-1]) for x in maps]
        if found != [4, 8, 16, 32]:
            raise ModelError(f"{name}'s maps must have strides 4, 8, 16 and 32, and have {found}")

    def check_kind(self, name: str, given: torch.Tensor, maps: list[torch.Tensor]) -> None:
        """Raises ModelError where a map is empty, or has another batch, type or device than what the row was fed."""
        for x in maps:
            if (len(x), x.dtype, x.device) != (len(given), given.dtype, given.device) or not x.numel():
                fed, out = (f"{tuple(t.shape)} {t.dtype} on {t.device}" for t in (given, x))
                raise ModelError(f"{name}.forward must keep batch, type and device: fed {fed}, it returns {out}")


def said_of_block(name: str) -> tuple[str, str]:
    """Who said how many channels a block puts out, and what to change where it was not true."""
    if name in REGISTERED and "c2" not in REGISTERED[name].takes:
        who = f"a block with takes={REGISTERED[name].takes!r} keeps its"
        return who, ". One that changes them takes (c1, c2, ...), and its row begins with c2"
    return "the row says", (
        f". If its first argument is no number of output channels, register({name}, takes='c1') or takes=''"
    )


# Ultralytics writes these on the module of each row: its number, what it reads, its class and its parameters.
RESERVED = ("i", "f", "type", "np")


def check_reserved(module: nn.Module) -> None:
    """Refuse a module that uses one of these names itself.

    Raises:
        ModelError: with the name.
    """
    of_class = {name for cls in type(module).__mro__ if cls not in nn.Module.__mro__ for name in vars(cls)}
    mine = of_class | set(vars(module)) | set(module._modules) | set(module._parameters) | set(module._buffers)
    stock = {"np"} & set(vars(type(module)))  # 8.3.0 writes it on the class
    for name in RESERVED:
        if name in mine - stock:
            raise ModelError(
                f"{type(module).__name__} has an attribute '{name}', and Ultralytics writes {', '.join(RESERVED)} on the "
                f"module of each row. Rename it"
            )
