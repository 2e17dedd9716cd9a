# Written by notebooks/A1_inside_the_registry.ipynb. Edit the lesson, then run `make modules`.
"""The functions of Ultralytics that are replaced, with the reason for each in one table: PATCHES."""

import ast
import contextlib
import difflib
import functools
import importlib
import inspect
import itertools
import re
import sys
from collections.abc import Callable, Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any, NamedTuple

import torch
import ultralytics
import yaml
from torch import nn
from torch.utils.flop_counter import FlopCounterMode
from ultralytics.nn import tasks

from .errors import Promise, check_reserved, check_rows, name_failing_layer, name_failing_row
from .registry import (
    REGISTERED,
    TOO_EARLY,
    ModelError,
    add_branch,
    compiled,
    is_registered,
    loop_over_rows,
    syntax_tree,
)

# What may put classes of a notebook in the place of registered ones: see course/yours.py.
STAND_INS: list = vars(tasks).setdefault("_stand_ins_by_hand", [])
LOOK = "_look_at(m, m_, n, c2)"


def add_look(tree: ast.Module) -> ast.Module:
    """Put LOOK behind the statement of parse_model that builds a row's module."""
    body, _ = loop_over_rows(tree)
    built = next(i for i, step in enumerate(body) if isinstance(step, ast.Assign) and ast.unparse(step.targets) == "m_")
    look = ast.copy_location(ast.parse(LOOK).body[0], body[built])
    body.insert(built + 1, look)
    return tree


def look_at(m: type, module: nn.Module, n: int, c2: int | list[int]) -> None:
    """Check the names of a registered row's module, and have its channels checked when it first runs."""
    if is_registered(m):
        if n <= 1:
            check_reserved(module)
        module.register_forward_hook(Promise(c2))


def build_registered(stock: Callable) -> Callable:
    """parse_model that knows registered classes and names the row that fails."""
    vars(tasks).update(_look_at=look_at)
    build = name_failing_row(compiled(add_branch(add_look(syntax_tree(stock)))))

    def parse_model(d, ch, verbose=True):
        with contextlib.ExitStack() as stack:
            for stand_in in STAND_INS:
                stack.enter_context(stand_in.in_place(d))
            return build(d, ch, verbose)

    return parse_model


def family(name: str) -> str:
    """`yolo11n-EMO.yaml` -> `yolo11-EMO.yaml`: the file that holds all scales."""
    return re.sub(r"^(yolo(?:e-)?v?\d+)[nslmx]", r"\1", name)


# Where bare names are looked for, besides the folder the user stands in. A package appends its own.
MODEL_FOLDERS: list[Path] = vars(tasks).setdefault("_model_folders_by_hand", [])


def find_yaml(path: Path) -> Path | None:
    """The file of this name, or of its family: beside the user, then in MODEL_FOLDERS."""
    folders = [path.parent] if path.parent != Path() else [Path(), *MODEL_FOLDERS]
    files = [folder / name for folder in folders for name in (path.name, family(path.name))]
    return next((file for file in files if file.is_file()), None)


# More entries than any set or model has.
MOST_ENTRIES = 1_000_000


class OneOfEach(yaml.SafeLoader):
    """YAML in which no key stands twice, and whose aliases stand for a bearable number of entries."""

    def construct_document(self, node):
        if written_out(node, {}) > MOST_ENTRIES:
            raise yaml.MarkedYAMLError(problem=f"its aliases (*) stand for more than {MOST_ENTRIES:,} entries")
        return super().construct_document(node)

    def construct_mapping(self, node, deep=False):
        keys = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        if twice := [key for key in keys if keys.count(key) > 1 and key != "<<"]:
            raise yaml.MarkedYAMLError(problem=f"the key '{twice[0]}' stands twice", problem_mark=node.start_mark)
        return super().construct_mapping(node, deep)


def written_out(node: yaml.Node, counted: dict[yaml.Node, float]) -> float:
    """How many entries a node of YAML has once its aliases are written out; no end of them where it holds itself."""
    if node not in counted:
        counted[node] = float("inf")
        parts = itertools.chain.from_iterable(node.value) if isinstance(node, yaml.MappingNode) else node.value
        counted[node] = 1 + sum(written_out(part, counted) for part in parts if isinstance(part, yaml.Node))
    return counted[node]


def load_yaml(text: str) -> Any:
    """What a text in YAML says, or in one line why it is none."""
    try:
        return yaml.load(text, OneOfEach)
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # ValueError: a date that does not exist
        raise ModelError(f"this is not valid YAML: {' '.join(str(error).split())}") from error


def read_yaml(path: Path) -> dict:
    """Read a model file, or say in one line why it is none."""
    try:
        model = load_yaml(path.read_text(encoding="utf-8-sig"))
    except UnicodeDecodeError as error:
        raise ModelError("this is no text in UTF-8. Save it as UTF-8, or name another file.") from error
    if not isinstance(model, dict):
        raise ModelError("this describes no model: 'backbone:' and 'head:' are missing.")
    return model


def unknown_yaml(path: Path) -> str:
    """What to say when no file of this name is found."""
    ours = {file.name.lower(): file.name for folder in MODEL_FOLDERS for file in sorted(folder.glob("*.yaml"))}
    close = difflib.get_close_matches(family(path.name.lower()), ours, n=1)
    return (
        f"There is no model file '{path}'. {f'Did you mean {ours[close[0]]}? ' if close else ''}The course has "
        f"{', '.join(ours.values())}; a letter n, s, m, l or x after the number picks the scale."
    )


def pick_scale(model: dict, path: Path) -> str:
    """The letter in a file's name. Without one it is the first of the file's scales, which is said."""
    scales = list(model.get("scales") or [])
    letter = tasks.guess_model_scale(path)
    if not letter and len(scales) > 1:
        print(f"{path.name}: no letter after the number picks a scale, so {scales[0]} is built.", file=sys.stderr)
    return letter or (scales[0] if scales else "")


def load_course_yaml(stock: Callable) -> Callable:
    """yaml_model_load that looks in more places, looks at the file's name alone, and checks what it read."""

    def yaml_model_load(path):
        path = Path(path)
        here = find_yaml(path)
        try:
            model = read_yaml(here) if here else stock(path)
            check_rows(model)
            if here:
                model |= {"scale": pick_scale(model, path), "yaml_file": str(path)}
                check_rows(model)
        except FileNotFoundError:
            raise FileNotFoundError(unknown_yaml(path)) from None
        except ModelError as error:
            raise ModelError(f"{path.name}: {error}") from None
        for stand_in in STAND_INS:
            stand_in.note(model)
        return model

    return yaml_model_load


def outermost_fusable(module: nn.Module) -> Iterator[nn.Module]:
    """The registered modules that have a `fuse()`, without those inside another one."""
    for child in module.children():
        fusable = is_registered(child) and hasattr(child, "fuse")
        yield from [child] if fusable else outermost_fusable(child)


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


def norms_of_registered(model: nn.Module) -> list[nn.BatchNorm2d]:
    """The batch norms inside registered modules."""
    parts = [part for module in model.modules() if is_registered(module) for part in module.modules()]
    return [part for part in parts if isinstance(part, nn.BatchNorm2d)]


def keep_eps(stock: Callable) -> Callable:
    """initialize_weights that leaves the batch norms of registered modules their eps."""

    def initialize_weights(model):
        kept = [(norm, norm.eps) for norm in norms_of_registered(model)]
        stock(model)
        for norm, eps in kept:
            norm.eps = eps

    return initialize_weights


def embed_last_map(stock: Callable) -> Callable:
    """_predict_once where `embed=` may name a whole backbone: its features are those of P5, four rows further on."""

    def predict_once(self, *args, **kwargs):
        given = inspect.signature(stock).bind(self, *args, **kwargs)
        if rows := given.arguments.get("embed"):
            given.arguments["embed"] = [i + 4 * hasattr(self.model[i], "feature_channels") for i in rows]
        return stock(*given.args, **given.kwargs)

    return predict_once


def count_the_whole_picture(stock: Callable) -> Callable:
    """get_flops that runs a registered module at full size.

    Before 8.3.100 or so Ultralytics counts at 32 x 32 pixels and multiplies; the padding of windows is multiplied too.
    """
    multiplies = "* imgsz[0] / stride" in inspect.getsource(stock)

    def get_flops(model: nn.Module, imgsz: Any = 640) -> float:
        if not (multiplies and any(map(is_registered, model.modules()))):
            return stock(model, imgsz)
        weight = next(model.parameters())
        size = imgsz if isinstance(imgsz, (list, tuple)) else [imgsz, imgsz]
        picture = torch.zeros(1, 3, *size, device=weight.device, dtype=weight.dtype)
        with torch.no_grad(), FlopCounterMode(display=False) as counter:
            deepcopy(model).eval()(picture)
        return counter.get_total_flops() / 1e9

    return get_flops


def tell_other_processes(stock: Callable) -> Callable:
    """generate_ddp_file whose script imports what registered the classes: each GPU has a process of its own."""

    def generate_ddp_file(trainer):
        file = stock(trainer)
        script = Path(file)
        known = dict.fromkeys(entry.cls.__module__ for entry in REGISTERED.values())
        names = [name for name in [__package__, *known] if name and name != "__main__" and name in sys.modules]
        lines = [
            "import importlib, sys",
            f"sys.path[:] = {sys.path!r}",
            *(f"importlib.import_module({n!r})" for n in names),
        ]
        start = 'if __name__ == "__main__":\n'
        text = script.read_text(encoding="utf-8")
        text = text.replace(start, start + "".join(f"    {line}\n" for line in lines), 1)
        script.write_text(text, encoding="utf-8")
        return file

    return generate_ddp_file


class Patch(NamedTuple):
    """One function of Ultralytics that is replaced: where it is, what makes its replacement, and why."""

    owner: str
    name: str
    make: Callable
    why: str


TASKS = "ultralytics.nn.tasks"
PATCHES = (
    Patch(TASKS, "parse_model", build_registered, "build registered classes, name the row that fails"),
    Patch(f"{TASKS}.DetectionModel", "__init__", name_failing_layer, "name the row that fails when first run"),
    Patch(TASKS, "yaml_model_load", load_course_yaml, "find the course's models by their bare names"),
    Patch(TASKS, "initialize_weights", keep_eps, "leave registered modules their batch norm eps"),
    Patch(f"{TASKS}.BaseModel", "fuse", fuse_registered, "fuse registered modules too"),
    Patch(f"{TASKS}.BaseModel", "is_fused", registered_fused, "know whether registered modules are fused"),
    Patch(f"{TASKS}.BaseModel", "_predict_once", embed_last_map, "let embed= name a backbone"),
    Patch("ultralytics.utils.torch_utils", "get_flops", count_the_whole_picture, "count windows at full size"),
    Patch("ultralytics.utils.dist", "generate_ddp_file", tell_other_processes, "know the classes on several GPUs"),
)


def owner_of(patch: Patch) -> Any:
    """The module or class that holds the function to replace, or None where it is gone."""
    try:
        return importlib.import_module(patch.owner)
    except ModuleNotFoundError:
        module, _, name = patch.owner.rpartition(".")
        return getattr(importlib.import_module(module), name, None)


def missing(patch: Patch) -> str:
    """What to say where a function that must be replaced is not there."""
    if getattr(tasks.__spec__, "_initializing", False):
        return TOO_EARLY
    return (
        f"Ultralytics {ultralytics.__version__} has no {patch.owner}.{patch.name}, which must be replaced to "
        f"{patch.why}. Install a version that was tried (8.3.0 to 8.4.190), and report this one."
    )


def install() -> None:
    """Apply all PATCHES. Running it again changes nothing more.

    Raises:
        RuntimeError: this version of Ultralytics lacks a function that must be replaced.
    """
    for patch in PATCHES:
        owner = owner_of(patch)
        current = getattr(owner, patch.name, None) if owner else None
        if current is None:
            raise RuntimeError(missing(patch))
        stock = getattr(current, "stock", current)
        ours = functools.wraps(stock)(patch.make(stock))
        ours.stock = stock
        setattr(owner, patch.name, ours)
        for name, module in list(sys.modules.items()):
            # Ultralytics imports some of these functions by name into other modules.
            if name.startswith("ultralytics") and vars(module).get(patch.name) is current:
                setattr(module, patch.name, ours)


install()
