"""What the learner changes counts: YOLO builds the classes of the notebook where they differ from the shipped ones.

The cells that ran are laid over the shipped files, name by name. Where something differs, the changed files, and those
that are built on them, become modules of a package of their own; modules/ is not touched. Their source goes into the
model's YAML and into each pickled layer, so that a checkpoint opens in any process that has this package.
"""

import ast
import builtins
import functools
import hashlib
import importlib
import linecache
import re
import symtable
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from pathlib import Path
from types import ModuleType

from torch import nn
from ultralytics.nn import tasks
from ultralytics.utils.callbacks import base as callbacks

from .. import registry

HEADER = re.compile(r"^#\|\s*(default_exp|export)\b[ \t]*(\w*)")
PACKAGE = "yours_"  # and a number that follows from the sources
NOTEBOOK = "notebook"  # the file for registered classes that no lesson ships
SAID: set[str] = set()


class YoursError(registry.ModelError):
    """A class of the notebook that cannot be built. The message names it and the reason."""


# ------------------------------------------------------------------------------------------------------- reading cells
def executed_cells() -> list[str]:
    """The sources of the cells that ran in this notebook, or nothing outside of one."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return list(shell.user_ns.get("In", [])) if shell else []


def statements(source: str) -> list[ast.stmt]:
    """The statements of a cell or a file, with one import each; none where it is not Python."""
    try:
        body = ast.parse(source).body
    except SyntaxError:
        return []
    flat = []
    for node in body:
        if isinstance(node, ast.ImportFrom) and not node.level and node.module.split(".")[0] == "modules":
            node.level, node.module = 1, node.module.removeprefix("modules").lstrip(".") or None
        if isinstance(node, ast.ClassDef):
            node.decorator_list = [decorator for decorator in node.decorator_list if not registers(decorator)]
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            flat += [type(node)(**{**vars(node), "names": [alias]}) for alias in node.names]
        else:
            flat.append(node)
    return flat


def registers(decorator: ast.expr) -> bool:
    """Whether this is `@register` or `@register(...)`: it says something about a class and is no part of it."""
    called = decorator.func if isinstance(decorator, ast.Call) else decorator
    return "register" in (getattr(called, "id", ""), getattr(called, "attr", ""))


def names(node: ast.stmt) -> set[str]:
    """The names that a statement binds."""
    if isinstance(node, (ast.ClassDef, ast.FunctionDef)):
        return {node.name}
    if isinstance(node, (ast.Import, ast.ImportFrom)):
        return {(alias.asname or alias.name).split(".")[0] for alias in node.names}
    targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
    return {name.id for target in targets if target for name in ast.walk(target) if isinstance(name, ast.Name)}


def uses(node: ast.stmt | ast.Module) -> set[str]:
    """The names that a statement takes from the file around it, or a cell from those that ran before."""
    tables, found = [symtable.symtable(ast.unparse(node), "?", "exec")], set()
    while tables:
        table = tables.pop()
        tables += table.get_children()
        top = table.get_type() == "module"
        found |= {s.get_name() for s in table.get_symbols() if s.is_referenced() and (top or s.is_global())}
    return found


def plain(node: ast.AST) -> str:
    """What a statement does: its tree without docstrings."""
    node = deepcopy(node)
    for part in ast.walk(node):
        body = getattr(part, "body", None)
        if isinstance(body, list) and body and isinstance(getattr(body[0], "value", None), ast.Constant):
            if isinstance(body[0], ast.Expr):
                part.body = body[1:]
    return ast.dump(node)


def place(node: ast.stmt, body: list[ast.stmt], at: int) -> int:
    """Put `node` in place of what binds the same name in `body`, or behind index `at`. Returns its index."""
    found = next((i for i, old in enumerate(body) if names(old) & names(node)), None)
    if found is None:
        body.insert(at + 1, node)
        return at + 1
    body[found] = node
    return found


def is_continued(node: ast.stmt) -> bool:
    """Whether this is `class X(X):`, which adds to the class X above."""
    return isinstance(node, ast.ClassDef) and any(getattr(base, "id", None) == node.name for base in node.bases)


def joined(old: ast.ClassDef, new: ast.ClassDef) -> ast.ClassDef:
    """The class `old` with the members of `new`, and, if `new` begins the class anew, with its bases."""
    whole = deepcopy(old if is_continued(new) else new)
    whole.body = list(old.body)
    if not is_continued(new):
        # A cell may hold the first methods only. What stands before the last of them and is missing was deleted.
        kept = [i for i, node in enumerate(old.body) if any(names(node) & names(other) for other in new.body)]
        there = set().union(*map(names, new.body))
        whole.body = [node for i, node in enumerate(old.body) if i > max(kept, default=-1) or names(node) & there]
    at = -1
    for node in new.body:
        if names(node):
            at = place(node, whole.body, at)
    return whole


def lay_over(body: list[ast.stmt], cells: list[ast.stmt], shipped: set[str] = frozenset()) -> list[ast.stmt]:
    """`body` with the statements of cells laid over it, in the order in which they ran."""
    body, at = list(body), -1
    for node in cells:
        if not names(node):
            continue
        old = next((other for other in body if names(other) & names(node)), None)
        both = isinstance(node, ast.ClassDef) and isinstance(old, ast.ClassDef)
        if both and (is_continued(node) or node.name in shipped):
            node = joined(old, node)
        at = place(node, body, at)
    return body


# ------------------------------------------------------------------------------------------------- finding what differs
@functools.cache
def shipped_source(stem: str) -> str:
    return (Path(registry.__file__).parent / f"{stem}.py").read_text(encoding="utf-8")


def bindings(body: list[ast.stmt]) -> dict[str, ast.stmt]:
    return {name: node for node in body for name in names(node)}


def shipped_stems() -> list[str]:
    """The files that hold registered classes of the package."""
    package = __package__.partition(".")[0]
    found = (entry.cls.__module__.rpartition(".") for entry in registry.REGISTERED.values())
    return list(dict.fromkeys(stem for parent, _, stem in found if parent == package and stem != "registry"))


def changed_files(cells: list[str]) -> dict[str, tuple[list[ast.stmt], set[str]]]:
    """{"irmb": (its statements with the cells laid over them, the names that differ)} for the files that differ."""
    own, ran = "", {}
    for cell in cells:
        for line in cell.splitlines():
            header = HEADER.match(line)
            if header and header[1] == "default_exp":
                own = header[2]
            elif header:
                ran.setdefault(header[2] or own, []).extend(statements(cell))
    found = {}
    for stem in [stem for stem in shipped_stems() if stem in ran]:
        old = statements(shipped_source(stem))
        new = lay_over(old, ran[stem], set(bindings(old)))
        before, after = bindings(old), bindings(new)
        differ = {name for name in before if plain(before[name]) != plain(after[name])}
        if differ:
            found[stem] = new, differ
    return found


def complete(body: list[ast.stmt], everything: dict[str, ast.stmt]) -> list[ast.stmt]:
    """`body` with what it uses and other cells of the notebook define, such as an import."""
    body = list(body)
    while True:
        missing = set().union(*map(uses, body)) - set(bindings(body)) - set(vars(builtins))
        found = next((name for name in sorted(missing) if name in everything), None)
        if found is None:
            return body
        first = next((i for i, node in enumerate(body) if isinstance(node, (ast.ClassDef, ast.FunctionDef))), 0)
        body.insert(first, everything[found])


def touched(differ: dict[str, set[str]], bodies: dict[str, list[ast.stmt]]) -> dict[str, dict[str, set[str]]]:
    """For each file and name, which changed names it is built on: {"emo": {"EMO_1M": {"iRMB"}}}."""
    graph = {}
    for stem, body in bodies.items():
        for name, node in bindings(body).items():
            if isinstance(node, ast.ImportFrom) and node.level and node.module in bodies:
                graph[stem, name] = {(node.module, node.names[0].name)}
            else:
                graph[stem, name] = {(stem, other) for other in uses(node)}
    found = {stem: {} for stem in bodies}
    for start in graph:
        seen, todo = {start}, [start]
        while todo:
            for other in graph.get(todo.pop(), ()):
                if other not in seen:
                    seen.add(other)
                    todo.append(other)
        if changed := {name for stem, name in seen if name in differ.get(stem, ())}:
            found[start[0]][start[1]] = changed
    return found


# ------------------------------------------------------------------------------------------------------------- bundles
def bundle_of(cells: list[str]) -> dict:
    """What differs in this notebook, in plain words and numbers, or {}.

    {"files": {"irmb": source, ...}, "classes": {"EMO_1M": {"file": "emo", "changed": ["iRMB"], **options}, ...}}
    """
    changed = changed_files(cells)
    own = {name for name, entry in registry.REGISTERED.items() if entry.cls.__module__ == "__main__"}
    if not changed and not own:
        return {}
    bodies = {
        stem: changed[stem][0] if stem in changed else statements(shipped_source(stem)) for stem in shipped_stems()
    }
    built_on = touched({stem: differ for stem, (_, differ) in changed.items()}, bodies)
    everything = bindings(lay_over([], [node for cell in cells for node in statements(cell)]))
    files, classes = {}, {}
    for name, entry in registry.REGISTERED.items():
        stem = next((stem for stem in bodies if name in bindings(bodies[stem])), None)
        if stem and name in built_on[stem]:
            classes[name] = {"file": stem, "changed": sorted(built_on[stem][name]), **options_of(entry)}
            files[stem] = complete(bodies[stem], everything) if stem in changed else bodies[stem]
        elif not stem and name in own and name in everything:
            classes[name] = {"file": NOTEBOOK, "changed": [name], **options_of(entry)}
            files[NOTEBOOK] = complete([*files.get(NOTEBOOK, []), everything[name]], everything)
    for stem in changed:
        files.setdefault(stem, bodies[stem])
    if not classes:
        return {}
    return {"files": {stem: ast.unparse(body) for stem, body in files.items()}, "classes": classes}


def options_of(entry: registry.Entry) -> dict:
    return {key: value for key, value in entry._asdict().items() if key != "cls"}


@functools.lru_cache(maxsize=1)
def bundle_of_cells(cells: tuple[str, ...], registered: tuple) -> dict:
    return bundle_of(list(cells))


def bundle() -> dict:
    """`bundle_of` the cells that ran in this notebook so far."""
    cells = executed_cells()
    take_back()
    return deepcopy(bundle_of_cells(tuple(cells), tuple(registry.REGISTERED.items()))) if cells else {}


# ------------------------------------------------------------------------------------------------------ making modules
def package_of(made: dict) -> str:
    """The name of the package that holds a bundle's modules: the same for the same sources."""
    text = "".join(f"{stem}\n{source}\n" for stem, source in sorted(made["files"].items()))
    return PACKAGE + hashlib.sha256(text.encode()).hexdigest()[:12]


def load(made: dict) -> str:
    """Make the modules of a bundle, unless they are there. Returns their package.

    Raises:
        YoursError: a file cannot be run.
    """
    package = package_of(made)
    if package not in sys.modules:
        sys.modules[package] = ModuleType(package)
        vars(sys.modules[package]).update(__path__=[], bundle=made)
        try:
            for stem in made["files"]:
                run_file(package, stem, made["files"])
        except Exception as error:
            for name in [name for name in sys.modules if name.split(".")[0] == package]:
                del sys.modules[name]
            names = ", ".join(made["classes"])
            raise YoursError(f"{names}, changed in this notebook: {type(error).__name__}: {error}.") from error
    return package


def run_file(package: str, stem: str, files: dict[str, str]) -> None:
    """Run one file of a bundle as the module `package.stem`, those that it imports first."""
    name = f"{package}.{stem}"
    if name in sys.modules:
        return
    if stem not in files:
        sys.modules[name] = importlib.import_module(f"{registry.__package__}.{stem}")
        return
    for node in ast.parse(files[stem]).body:
        if isinstance(node, ast.ImportFrom) and node.level:
            for needed in [node.module] if node.module else [alias.name for alias in node.names]:
                run_file(package, needed.split(".")[0], files)
    module = sys.modules[name] = ModuleType(name)
    module.__package__, module.__file__ = package, f"<{name}>"
    lines = files[stem].splitlines(keepends=True)
    linecache.cache[module.__file__] = len(files[stem]), None, lines, module.__file__  # for tracebacks and getsource
    exec(compile(files[stem], module.__file__, "exec"), vars(module))
    for cls in list(vars(module).values()):
        if isinstance(cls, type) and issubclass(cls, nn.Module) and cls.__module__ == name:
            cls.__reduce_ex__ = reduce_with_source


def reduce_with_source(self: nn.Module, protocol: int) -> tuple:
    """Pickle and copy a module together with the source of its class."""
    package, _, stem = type(self).__module__.partition(".")
    return rebuild, (sys.modules[package].bundle, stem, type(self).__qualname__), *object.__reduce_ex__(self, 2)[2:]


def rebuild(made: dict, stem: str, name: str) -> nn.Module:
    """An empty module of a class that comes from a bundle."""
    cls = sys.modules[f"{load(made)}.{stem}"]
    for part in name.split("."):
        cls = getattr(cls, part)
    for entry in entries(made).values():
        registry.KNOWN.add(entry.cls)
    return cls.__new__(cls)


def entries(made: dict) -> dict[str, registry.Entry]:
    """What the registry is to know while a model of this bundle is built."""
    package, found = load(made), {}
    for name, facts in made["classes"].items():
        options = {key: value for key, value in facts.items() if key in registry.Entry._fields}
        found[name] = registry.Entry(vars(sys.modules[f"{package}.{facts['file']}"])[name], **options)
    return found


# ----------------------------------------------------------------------------------------------------- building models
def note(model: dict) -> None:
    """Write what differs in this notebook into a model that was just read from a YAML."""
    if executed_cells():
        model["yours"] = bundle()


@contextmanager
def in_place(model: dict) -> Iterator[None]:
    """While `model` is built: the classes it was made with, or, where it does not say, those of this notebook."""
    made = model["yours"] if "yours" in model else bundle()
    if not made:
        yield
        return
    mine = entries(made)
    before = {name: registry.REGISTERED.get(name) for name in mine}
    say(made, {row[2] for row in model["backbone"] + model["head"]})
    try:
        for name, entry in mine.items():
            registry.KNOWN.add(entry.cls)
            registry.REGISTERED[name] = entry
            setattr(tasks, name, entry.cls)
        yield
    finally:
        for name, entry in before.items():
            if entry:
                registry.REGISTERED[name] = entry
                setattr(tasks, name, entry.cls)
            else:
                del registry.REGISTERED[name], vars(tasks)[name]


def take_back() -> None:
    """Let the shipped classes have their names again where a cell has registered this notebook's copy of them."""
    package = sys.modules[registry.__package__]
    for name, entry in registry.REGISTERED.items():
        if entry.cls.__module__ == "__main__" and name in package.__all__:
            registry.REGISTERED[name] = entry._replace(cls=getattr(package, name))
            setattr(tasks, name, getattr(package, name))


def say(made: dict, built: set[str]) -> None:
    """Print once for each version of a class which one is built, and whence it comes."""
    for name, facts in made["classes"].items():
        where = "from this notebook" if executed_cells() else "from the checkpoint"
        key = f"{package_of(made)} {name}"
        if name not in built or key in SAID:
            continue
        SAID.add(key)
        if facts["file"] == NOTEBOOK:
            print(f"{name}: yours, {where}")
        else:
            mine = "yours" if name in facts["changed"] else f"built on your {' and '.join(facts['changed'])}"
            print(f"{name}: {mine}, {where}; modules/{facts['file']}.py is unchanged")


def current(name: str) -> type:
    """The class that a YAML's `name` is built with: this notebook's where it differs, else the shipped one.

    Raises:
        KeyError: no class of this name is registered.
    """
    made = bundle()
    mine = entries(made) if made else {}
    return (mine.get(name) or registry.REGISTERED[name]).cls


def fingerprint(model: nn.Module) -> str:
    """Which sources of a notebook `model` was built with: a name that follows from them, or an empty string."""
    made = getattr(model, "yaml", {}).get("yours")
    return package_of(made) if made else ""


def write_sources(trainer) -> None:
    """Write the files that a model was changed in beside its run, in the folder `yours`."""
    model = getattr(trainer.model, "module", trainer.model)
    made = getattr(model, "yaml", {}).get("yours")
    if made:
        folder = Path(trainer.save_dir) / "yours"
        folder.mkdir(parents=True, exist_ok=True)
        for stem, source in made["files"].items():
            (folder / f"{stem}.py").write_text(source + "\n", encoding="utf-8")


def install() -> None:
    """Have the registry and Ultralytics' trainer ask here. Running it again changes nothing more."""
    here = sys.modules[__name__]
    if here not in registry.STAND_INS:
        registry.STAND_INS.append(here)
        callbacks.default_callbacks["on_pretrain_routine_end"].append(write_sources)


install()
