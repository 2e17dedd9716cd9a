# Written by notebooks/01_from_yaml_to_network.ipynb. Edit the lesson, then run `make modules`.
"""Hang your own blocks and backbones into Ultralytics YOLO without forking it.

`register()` makes a class known to the model YAML; `install()` replaces the functions of Ultralytics that are listed,
with the reason, in `PATCHES`. Tried with Ultralytics 8.3.0 to 8.4.190.
"""

import ast
import difflib
import functools
import importlib
import inspect
import re
import sys
import textwrap
from collections.abc import Callable, Iterator
from copy import deepcopy
from pathlib import Path
from typing import NamedTuple

import ultralytics
import yaml
from torch import nn
from ultralytics.nn import tasks
from ultralytics.utils.ops import make_divisible


class ModelError(ValueError):
    """A model YAML that cannot be built. The message names the row, the reason and what to change."""


class Entry(NamedTuple):
    """What the registry knows of one class."""

    cls: type
    repeats: bool

    @property
    def is_backbone(self) -> bool:
        return hasattr(self.cls, "feature_channels")


# The table lives in Ultralytics' own namespace, so that a second copy of this file finds it again.
REGISTERED: dict[str, Entry] = vars(tasks).setdefault("_registered_by_hand", {})


def register(cls: type, repeats: bool = False) -> type:
    """Make `cls` known to Ultralytics' model YAML under its own name. Also works as a decorator.

    A block is built as `cls(c1, c2, *args)`, or `cls(c1, c2, n, *args)` with `repeats=True`; the model's width scales
    `c2`, as it does for Conv and C2f. A class with a static `feature_channels(*args)`, which returns the channels of
    P2, P3, P4 and P5, is a backbone: built as `cls(*args)`, it returns these four maps as a list.
    If the class has a method `fuse()`, Ultralytics' own `fuse()` calls it once, in eval mode.

    Raises:
        ValueError: `cls` is not a class derived from nn.Module, or its name is taken.
    """
    if not (isinstance(cls, type) and issubclass(cls, nn.Module)):
        raise ValueError(f"register() takes a class derived from nn.Module, and was given {cls!r}.")
    name, mine = cls.__name__, REGISTERED.get(cls.__name__)
    taken = mine.cls if mine else vars(tasks).get(name, cls)
    # A notebook cell that runs again makes a new class of the same name, which may replace its elder.
    from_notebook = mine and "__main__" in (cls.__module__, taken.__module__)
    if taken is not cls and not from_notebook:
        raise ValueError(
            f"The name {name} is taken by {taken.__module__}.{name}, and a model YAML knows a class by its name alone. "
            f"Rename your class {cls.__module__}.{name}."
        )
    REGISTERED[name] = Entry(cls, repeats)
    setattr(tasks, name, cls)
    return cls


def is_registered(m) -> bool:
    """Whether `m`, a class or a module, is one that `register` made known."""
    cls = m if isinstance(m, type) else type(m)
    return cls.__name__ in REGISTERED and REGISTERED[cls.__name__].cls is cls


@register
class FeatureMap(nn.Module):
    """Pick one map from a backbone's list: 0 is P2 (stride 4), 3 is P5 (stride 32)."""

    def __init__(self, index: int):
        super().__init__()
        self.index = index

    def forward(self, maps):
        return maps[self.index]


def is_backbone(name: str) -> bool:
    return name in REGISTERED and REGISTERED[name].is_backbone


def expand(model: dict) -> list[list]:
    """All rows of a model, in the numbering of its YAML: a backbone's row is followed by its four maps' rows."""
    rows = []
    for row in deepcopy(model["backbone"] + model["head"]):
        rows.append(row)
        if is_backbone(row[2]):
            rows += [[len(rows) - 1, 1, "FeatureMap", [index]] for index in range(4)]
    return rows


def place_row(m: type, f: int, n: int, args: list, ch: list, width: float, max_channels: float) -> tuple:
    """What parse_model's tables say of Ultralytics' classes, said of a registered one: c2, repeats and arguments.

    `ch` lists the output channels of all rows so far; a backbone's entry is the list of its four.
    """
    entry = REGISTERED[m.__name__]
    if m.__name__ == "FeatureMap":
        return ch[f][args[0]], n, args
    if entry.is_backbone:
        return backbone_channels(m, args, ch[f]), n, args
    if isinstance(f, list) or not args or not isinstance(args[0], int):
        raise ValueError(
            f"a block reads one row and is told its output channels first, as in [-1, 1, {m.__name__}, [64]]"
        )
    c1, c2 = ch[f], make_divisible(min(args[0], max_channels) * width, 8)
    return (c2, 1, [c1, c2, n, *args[1:]]) if entry.repeats else (c2, n, [c1, c2, *args[1:]])


def backbone_channels(m: type, args: list, c1: int) -> list[int]:
    """The channels of a backbone's four maps."""
    if c1 != 3:
        raise ValueError(f"{m.__name__} reads pictures with 3 channels, and is fed {c1}")
    channels = list(m.feature_channels(*args))
    if len(channels) != 4:
        raise ValueError(
            f"{m.__name__}.feature_channels must give the channels of P2, P3, P4 and P5, and gives {channels}"
        )
    return channels


BRANCH = """
if _is_registered(m):
    c2, n, args = _place_row(m, f, n, args, ch, width, max_channels)
"""


def is_table_lookup(step: ast.stmt) -> bool:
    """Whether a statement reads `if m in ...:`, as the first table of parse_model does."""
    test = getattr(step, "test", None)
    return isinstance(step, ast.If) and isinstance(test, ast.Compare) and getattr(test.left, "id", None) == "m"


def with_branch(stock: Callable) -> Callable:
    """Compile parse_model anew with BRANCH before its tables. Line numbers stay those of Ultralytics' file.

    Raises:
        RuntimeError: there is no such place in this version.
    """
    lines, first = inspect.getsourcelines(stock)
    tree = ast.parse(textwrap.dedent("".join(lines)))
    loops = [node.body for node in ast.walk(tree) if isinstance(node, ast.For)]
    found = [(body, i) for body in loops for i, step in enumerate(body) if is_table_lookup(step)]
    if not found:
        raise RuntimeError(
            f"parse_model of Ultralytics {ultralytics.__version__} has no 'if m in ...' in its loop, where the registry "
            f"adds its branch. Install a version that was tried (8.3.0 to 8.4.190), and report this one."
        )
    body, i = found[0]
    branch = ast.parse(BRANCH).body[0]
    branch.orelse = [body[i]]
    body[i] = branch
    vars(tasks).update(_is_registered=is_registered, _place_row=place_row)
    made = {}
    exec(
        compile(ast.increment_lineno(ast.fix_missing_locations(tree), first - 1), tasks.__file__, "exec"),
        vars(tasks),
        made,
    )
    return made["parse_model"]


def label(i: int, row: list) -> str:
    """`row 4 [-1, 1, Conv, [64]]`, as a reader finds it in the YAML."""
    return f"row {i} [{', '.join(map(str, row))}]"


def name_error(name: str) -> str | None:
    """What is wrong with a module's name, or None."""
    if name in vars(tasks) or name.startswith("torchvision.ops.") or (name[:3] == "nn." and hasattr(nn, name[3:])):
        return None
    ours = [n for n in REGISTERED if n != "FeatureMap"]
    known = ours + [n for n, v in vars(tasks).items() if isinstance(v, type) and issubclass(v, nn.Module)]
    close = " or ".join(difflib.get_close_matches(name, known, n=3))
    return (
        f"unknown module '{name}'. {f'Did you mean {close}? ' if close else ''}A class of your own needs "
        f"register({name}) before the model is built. Registered are {', '.join(ours)}"
    )


def repeats_error(row: list) -> str | None:
    """What is wrong with a row's repeats, or None."""
    if is_backbone(row[2]) and row[1] != 1:
        return f"a backbone stands once: write 1, not {row[1]}, as its repeats"
    return None


def source_error(i: int, row: list, rows: list[list]) -> str | None:
    """What is wrong with the entry `from` of row `i`, or None."""
    for j in row[0] if isinstance(row[0], list) else [row[0]]:
        if not isinstance(j, int) or not (j == -1 or -i <= j < i):
            there = f"rows 0 to {i - 1}" if i else "nothing but the picture"
            return f"'from' is {j}, which points nowhere. Row {i} can read {there}; -1 is the row before it"
        at = j % i if i else None
        if at is not None and is_backbone(rows[at][2]) and row[2] != "FeatureMap":
            return f"row {at} is a whole backbone. Read one of its maps: " + ", ".join(
                f"{at + k} is P{k + 1}" for k in (1, 2, 3, 4)
            )
    return None


def check_rows(model: dict) -> None:
    """Check all that can be said of a model before anything is built.

    Raises:
        ModelError: the first mistake, with its row.
    """
    for key in ("backbone", "head"):
        if not isinstance(model.get(key), list) or not model[key]:
            raise ModelError(f"the model has no list '{key}:'; it has {', '.join(map(str, model)) or 'nothing'}.")
    for row in model["backbone"] + model["head"]:
        if not (isinstance(row, list) and len(row) == 4 and isinstance(row[2], str) and isinstance(row[3], list)):
            raise ModelError(f"a row reads [from, repeats, module, [arguments]], and this one does not: {row}")
    scales, scale = model.get("scales"), model.get("scale")
    if scales and scale and scale not in scales:
        raise ModelError(f"there is no scale '{scale}' in its 'scales:'. Choose one of {', '.join(scales)}.")
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


def reason(error: Exception, m=None, args=()) -> str:
    """In one line, why `m(*args)` failed with `error`."""
    if isinstance(error, TypeError) and isinstance(m, type):
        try:
            inspect.signature(m).bind(*args)
        except TypeError as misfit:
            return f"wrong arguments ({misfit}): {m.__name__}{inspect.signature(m)} was given {args}"
    message = " ".join(str(error).split())
    return message if isinstance(error, ValueError) else f"{type(error).__name__}: {message}"


def build_registered(stock: Callable) -> Callable:
    """parse_model that knows registered classes and names the row that fails."""
    build = with_branch(stock)

    def parse_model(d, ch, verbose=True):
        check_rows(d)
        rows = expand(d)
        try:
            return build({**d, "backbone": deepcopy(rows), "head": []}, ch, verbose)
        except Exception as error:
            seen = locals_at(error, "parse_model")
            i, m, args = (seen.get(key) for key in ("i", "m", "args"))
            if i is None:
                raise
            raise ModelError(f"{label(i, rows[i])}: {reason(error, m, args)}") from error

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
            fed = ", ".join(str(tuple(t.shape)) for t in (x if isinstance(x, (list, tuple)) else [x]))
            raise ModelError(f"{label(i, expand(self.yaml)[i])}: fed {fed}; {reason(error)}") from error

    return __init__


# Where bare names are looked for, besides the folder the user stands in. A package appends its own.
MODEL_FOLDERS: list[Path] = vars(tasks).setdefault("_model_folders_by_hand", [])


def family(name: str) -> str:
    """`yolo11n-EMO.yaml` -> `yolo11-EMO.yaml`: the file that holds all scales."""
    return re.sub(r"^(yolo(?:e-)?v?\d+)[nslmx]", r"\1", name)


def read_yaml(path: Path) -> dict:
    """Read a model file, or say in one line why it is none."""
    try:
        model = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise ModelError(f"this is not valid YAML: {' '.join(str(error).split())}") from error
    if not isinstance(model, dict):
        raise ModelError("this describes no model: 'backbone:' and 'head:' are missing.")
    return model


def unknown_yaml(path: Path) -> str:
    """What to say when no file of this name is found."""
    ours = sorted(file.name for folder in MODEL_FOLDERS for file in folder.glob("*.yaml"))
    close = difflib.get_close_matches(family(path.name), ours, n=1)
    return (
        f"There is no model file '{path}'. {f'Did you mean {close[0]}? ' if close else ''}The course has {', '.join(ours)}; "
        f"a letter n, s, m, l or x after the number picks the scale."
    )


def load_course_yaml(stock: Callable) -> Callable:
    """yaml_model_load that looks beside the user, then in MODEL_FOLDERS, then as Ultralytics does; checks what it read."""

    def yaml_model_load(path):
        path = Path(path)
        folders = [path.parent] if path.parent != Path() else [Path(), *MODEL_FOLDERS]
        files = [folder / name for folder in folders for name in (path.name, family(path.name))]
        here = next((file for file in files if file.is_file()), None)
        try:
            model = read_yaml(here) if here else stock(path)
            if here:
                scales = list(model.get("scales") or [])
                # A file with one scale, as yolov10b's, needs no letter that names it.
                model["scale"] = tasks.guess_model_scale(path) or (scales[0] if len(scales) == 1 else "")
                model["yaml_file"] = str(path)
            check_rows(model)
        except FileNotFoundError:
            raise FileNotFoundError(unknown_yaml(path)) from None
        except ModelError as error:
            raise ModelError(f"{path.name}: {error}") from None
        return model

    return yaml_model_load


def outermost_fusable(module: nn.Module) -> Iterator[nn.Module]:
    """The registered modules that have a `fuse()`, without those inside another one."""
    for child in module.children():
        if is_registered(child) and hasattr(child, "fuse"):
            yield child
        else:
            yield from outermost_fusable(child)


def fuse_registered(stock: Callable) -> Callable:
    """BaseModel.fuse that fuses registered modules too."""

    def fuse(self, *args, **kwargs):
        for module in outermost_fusable(self):
            if not getattr(module, "fused", False):
                training = module.training
                module.eval().fuse()
                module.train(training)
                module.fused = True
        return stock(self, *args, **kwargs)

    return fuse


def registered_fused(stock: Callable) -> Callable:
    """BaseModel.is_fused that asks registered modules too."""

    def is_fused(self, *args, **kwargs):
        return all(getattr(m, "fused", False) for m in outermost_fusable(self)) and stock(self, *args, **kwargs)

    return is_fused


def keep_eps(stock: Callable) -> Callable:
    """initialize_weights that leaves the batch norms of registered modules their eps."""

    def initialize_weights(model):
        norms = [
            (norm, norm.eps)
            for module in model.modules()
            if is_registered(module)
            for norm in module.modules()
            if isinstance(norm, nn.BatchNorm2d)
        ]
        stock(model)
        for norm, eps in norms:
            norm.eps = eps

    return initialize_weights


class Patch(NamedTuple):
    """One function of Ultralytics that is replaced: where it is, what makes its replacement, and why."""

    owner: str
    name: str
    make: Callable
    why: str


PATCHES = (
    Patch("ultralytics.nn.tasks", "parse_model", build_registered, "build registered classes, name the row that fails"),
    Patch(
        "ultralytics.nn.tasks.DetectionModel", "__init__", name_failing_layer, "name the row that fails when first run"
    ),
    Patch("ultralytics.nn.tasks", "yaml_model_load", load_course_yaml, "find the course's models by their bare names"),
    Patch("ultralytics.nn.tasks", "initialize_weights", keep_eps, "leave registered modules their batch norm eps"),
    Patch("ultralytics.nn.tasks.BaseModel", "fuse", fuse_registered, "fuse registered modules too"),
    Patch("ultralytics.nn.tasks.BaseModel", "is_fused", registered_fused, "know whether registered modules are fused"),
)


def owner_of(patch: Patch):
    """The module or class that holds the function to replace, or None where it is gone."""
    module, _, name = patch.owner.rpartition(".")
    return getattr(importlib.import_module(module), name, None)


def install() -> None:
    """Apply all PATCHES. Running it again changes nothing more.

    Raises:
        RuntimeError: this version of Ultralytics lacks a function that must be replaced.
    """
    for patch in PATCHES:
        owner = owner_of(patch)
        current = getattr(owner, patch.name, None) if owner else None
        if current is None:
            raise RuntimeError(
                f"Ultralytics {ultralytics.__version__} has no {patch.owner}.{patch.name}, which must be replaced to "
                f"{patch.why}. Install a version that was tried (8.3.0 to 8.4.190), and report this one."
            )
        stock = getattr(current, "stock", current)
        ours = functools.wraps(stock)(patch.make(stock))
        ours.stock = stock
        setattr(owner, patch.name, ours)
        for name, module in list(sys.modules.items()):
            # Ultralytics imports some of these functions by name into other modules.
            if name.startswith("ultralytics") and vars(module).get(patch.name) is current:
                setattr(module, patch.name, ours)


install()
