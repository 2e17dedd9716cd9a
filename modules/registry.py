# Written by notebooks/01_from_yaml_to_network.ipynb. Edit the lesson, then run `make modules`.
"""Make classes of your own known to the model YAML of Ultralytics YOLO, without a fork.

`register()` notes a class. `with_branch()` compiles Ultralytics' own `parse_model` anew with one branch that asks for it.
Tried with Ultralytics 8.3.0 to 8.4.190.
"""

import ast
import inspect
import sys
import textwrap
from collections.abc import Callable
from copy import deepcopy
from typing import NamedTuple

import ultralytics
from torch import nn

TOO_EARLY = (
    "register() stands too early here: Ultralytics is only half imported. Put the line at the end of "
    "ultralytics/__init__.py."
)
try:
    from ultralytics.nn import tasks
    from ultralytics.nn.tasks import parse_model  # noqa: F401
    from ultralytics.utils.ops import make_divisible
except ImportError as error:  # a fork imports this file from within Ultralytics, perhaps too early
    if "partially initialized" not in str(error):
        raise
    raise ImportError(TOO_EARLY) from None


class ModelError(ValueError):
    """A model YAML that cannot be built. The message names the row, the reason and what to change."""


class Entry(NamedTuple):
    """What the registry knows of one class."""

    cls: type
    repeats: bool = False
    takes: str = "c1 c2"
    scaled: bool = True

    @property
    def is_backbone(self) -> bool:
        return hasattr(self.cls, "feature_channels")


# The table lives in Ultralytics' own namespace, so that a second copy of this file finds it again.
REGISTERED: dict[str, Entry] = vars(tasks).setdefault("_registered_by_hand", {})
# Every class that was ever registered: networks that were built with an older one of the same name live on.
KNOWN: set[type] = vars(tasks).setdefault("_known_by_hand", set())


TAKES = ("c1 c2", "c1s c2", "c1", "")


def what_it_takes(cls: type) -> str:
    """`takes` of a class whose registration does not say: nothing if its constructor needs no argument."""
    if cls.__init__ is nn.Module.__init__:
        return ""
    parameters = list(inspect.signature(cls).parameters.values())
    needed = [p for p in parameters if p.default is p.empty and p.kind is not p.VAR_KEYWORD]
    return "c1 c2" if needed else ""


def register(cls: type, repeats: bool = False, takes: str | None = None, scaled: bool = True) -> type:
    """Make `cls` known to Ultralytics' model YAML under its own name. Also works as a decorator.

    A class with a static `feature_channels(*args)`, which returns the channels of P2, P3, P4 and P5, is a backbone:
    built as `cls(*args)`, it returns these four maps as a list. Any other class is a block, built as `takes` says:

    - "c1 c2": `cls(c1, c2, *args)`; the row's first argument is c2. The model's width scales it.
    - "c1s c2": the same for a block that reads several rows; c1 is the list of their channels.
    - "c1": `cls(c1, *args)`, a block that puts out as many channels as it reads.
    - "": `cls(*args)`, the same; the default where the constructor needs no argument.

    With `repeats` the class takes the row's repeats as its third argument, as C2f does. With scaled=False c2 is taken
    as written; fewer than 8 channels always are. A method `fuse()` is called by Ultralytics' own, once, in eval mode.

    Raises:
        ValueError: `cls` is no class derived from nn.Module, its name is taken, or `takes` is none of the four.
    """
    check_class(cls)
    takes = what_it_takes(cls) if takes is None else takes
    if takes not in TAKES:
        raise ValueError(f"register({cls.__name__}, takes={takes!r}): choose one of {', '.join(map(repr, TAKES))}.")
    REGISTERED[cls.__name__] = Entry(cls, repeats, takes, scaled)
    KNOWN.add(cls)
    setattr(tasks, cls.__name__, cls)
    return cls


def check_class(cls: type) -> None:
    """Refuse what is no nn.Module, and a name that another class has: a YAML knows classes by their names alone."""
    if not (isinstance(cls, type) and issubclass(cls, nn.Module)):
        raise ValueError(f"register() takes a class derived from nn.Module, and was given {cls!r}.")
    taken = vars(tasks).get(cls.__name__, cls)
    module = getattr(taken, "__module__", tasks.__name__)
    # A notebook cell that runs again makes a new class of the same name, which may replace its elder.
    again = cls.__name__ in REGISTERED and ("__main__" in (cls.__module__, module) or same_text(cls, taken))
    if taken is not cls and not again:
        raise ValueError(
            f"The name {cls.__name__} is taken by {module}.{cls.__name__}, and a model YAML knows a class by its name "
            f"alone. {ways_out(cls, taken)}"
        )


def ways_out(cls: type, taken: type) -> str:
    """What to do about a name that is taken: another name, or one copy of the course where there are two."""
    if cls.__name__ not in REGISTERED:
        return f"Rename your class {cls.__module__}.{cls.__name__}."
    used, left = (getattr(sys.modules.get(c.__module__), "__file__", c.__module__) for c in (taken, cls))
    return (
        f"That of {used} stays in use; that of {left} is another one. Give one of them a name of its own, in its file "
        f"and in the YAML, or import only one of the two copies."
    )


def same_text(one: type, other: type) -> bool:
    """Whether two classes and all that they use have the same source, as those of a package and of its copy in a fork."""
    try:
        return used_text(one, {}) == used_text(other, {})
    except (OSError, TypeError):
        return False


def used_text(thing: Callable, found: dict[str, str]) -> dict[str, str]:
    """The source of a class or function, and of all that it uses from its own package, by name."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(thing))).body[0]
    tree.decorator_list.clear()
    found[thing.__name__], names = ast.unparse(tree), {n.id for n in ast.walk(tree) if isinstance(n, ast.Name)}
    for used in map(vars(inspect.getmodule(thing)).get, sorted(names - found.keys())):
        homes = {str(getattr(value, "__module__", "")).rpartition(".")[0] for value in (thing, used)}
        if callable(used) and len(homes) == 1 and "" not in homes:
            used_text(used, found)
    return found


def is_registered(m) -> bool:
    """Whether `m`, a class or a module, is one that `register` made known."""
    return (m if isinstance(m, type) else type(m)) in KNOWN


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
    for row in model["backbone"] + model["head"]:
        rows.append(deepcopy(row))
        if is_backbone(row[2]):
            rows += [[len(rows) - 1, 1, "FeatureMap", [index]] for index in range(4)]
    return rows


def place_row(m: type, f: int | list[int], n: int, args: list, ch: list, width: float, max_channels: float) -> tuple:
    """What parse_model's tables say of Ultralytics' classes, said of a registered one: c2, repeats and arguments.

    `ch` lists the output channels of all rows so far; a backbone's entry is the list of its four.
    """
    entry, c1 = REGISTERED[m.__name__], [ch[j] for j in f] if isinstance(f, list) else ch[f]
    if m.__name__ == "FeatureMap":
        return c1[args[0]], n, args
    if entry.is_backbone:
        return backbone_channels(m, args, c1), n, args
    if "c2" not in entry.takes:
        return c1[0] if isinstance(f, list) else c1, n, [c1, *args] if entry.takes else args
    c2 = block_channels(entry, f, args, width, max_channels)
    return (c2, 1, [c1, c2, n, *args[1:]]) if entry.repeats else (c2, n, [c1, c2, *args[1:]])


def block_channels(entry: Entry, f: int | list[int], args: list, width: float, max_channels: float) -> int:
    """The output channels of a block: its row's first argument, scaled."""
    name = entry.cls.__name__
    if isinstance(f, list) != (entry.takes == "c1s c2"):
        read, other = ("one row", "c1s c2") if entry.takes == "c1 c2" else ("several rows", "c1 c2")
        raise ModelError(f"{name} reads {read}; register({name}, takes={other!r}) changes that")
    if not args or type(args[0]) is not int or args[0] < 1:
        raise ModelError(
            f"{name} is told its output channels first, as in [-1, 1, {name}, [64]]. A block that keeps its channels is "
            f"registered with takes='c1', or with takes='' if it need not know them"
        )
    if args[0] < 8 or not entry.scaled:
        return args[0]
    return make_divisible(min(args[0], max_channels) * width, 8)


def backbone_channels(m: type, args: list, c1: int) -> list[int]:
    """The channels of a backbone's four maps."""
    if c1 != 3:
        raise ModelError(f"{m.__name__} reads pictures with 3 channels, and is fed {c1}")
    channels = list(m.feature_channels(*args))
    if len(channels) != 4:
        raise ModelError(
            f"{m.__name__}.feature_channels must give the channels of P2, P3, P4 and P5, and gives {channels}"
        )
    return channels


BRANCH = """
if _is_registered(m):
    c2, n, args = _place_row(m, f, n, args, ch, width, max_channels)
"""


def syntax_tree(function: Callable) -> ast.Module:
    """A function's source as a tree, with the line numbers of its file."""
    lines, first = inspect.getsourcelines(function)
    return ast.increment_lineno(ast.parse(textwrap.dedent("".join(lines))), first - 1)


def is_table_lookup(step: ast.stmt) -> bool:
    """Whether a statement reads `if m in ...:`, as the first table of parse_model does."""
    test = getattr(step, "test", None)
    return isinstance(step, ast.If) and isinstance(test, ast.Compare) and getattr(test.left, "id", None) == "m"


def loop_over_rows(tree: ast.Module) -> tuple[list[ast.stmt], int]:
    """The statements of parse_model's loop, and the place of its tables among them.

    Raises:
        RuntimeError: there is no such place in this version.
    """
    loops = [node.body for node in ast.walk(tree) if isinstance(node, ast.For)]
    for body in loops:
        for i, step in enumerate(body):
            if is_table_lookup(step):
                return body, i
    raise RuntimeError(
        f"parse_model of Ultralytics {ultralytics.__version__} has no 'if m in ...' in its loop, where the registry "
        f"adds its branch. Install a version that was tried (8.3.0 to 8.4.190), and report this one."
    )


def add_branch(tree: ast.Module) -> ast.Module:
    """Put BRANCH before the tables: what was `if m in ...` becomes its `elif`."""
    body, i = loop_over_rows(tree)
    branch = ast.copy_location(ast.parse(BRANCH).body[0], body[i])
    branch.orelse = [body[i]]
    body[i] = branch
    return tree


def compiled(tree: ast.Module) -> Callable:
    """The function of a tree, at home among the names of `tasks`."""
    vars(tasks).update(_is_registered=is_registered, _place_row=place_row)
    made = {}
    exec(compile(ast.fix_missing_locations(tree), tasks.__file__, "exec"), vars(tasks), made)
    return made["parse_model"]


def with_branch(stock: Callable) -> Callable:
    """parse_model compiled anew with BRANCH before its tables. Line numbers stay those of Ultralytics' file."""
    return compiled(add_branch(syntax_tree(stock)))


# What appendix A1 adds, found under this address too: errors that name the row, and the functions that are replaced.
from .errors import *  # noqa: E402, F403
from .surgery import *  # noqa: E402, F403
