"""`python -m modules vendor PATH [CLASS ...]`: carry chosen modules into an Ultralytics source tree or another package."""

import ast
import importlib
import re
import shutil
import site
from pathlib import Path

import yaml

from ..registry import REGISTERED
from .errors import InputError, shown
from .inputs import similar

PACKAGE = "backbones_by_hand"
MODULES = Path(__file__).parents[1]
IMPORT = f"from . import {PACKAGE}  # makes its classes known to Ultralytics' model YAML"
INIT = '''\
"""{classes}, copied from Backbones by Hand (MIT licence, see LICENSE) by `python -m modules vendor`."""

from pathlib import Path

{imports}
from .registry import MODEL_FOLDERS, register

MODEL_FOLDERS.append(Path(__file__).parent / "cfg")

{calls}
'''


def vendor(place, classes: list[str] | None = None) -> Path:
    """Copy classes, what they import, the registry and their YAMLs into `place`, and add the one line that imports them.

    Args:
        place: an Ultralytics source tree (the folder that holds `ultralytics/`), or any Python package.
        classes: names of registered classes; without them all of the course's.

    Returns:
        the new folder.

    Raises:
        InputError: the place is no package, is not yours to change, or has such classes already. Nothing is written then.
    """
    chosen = find_classes(classes)
    host = find_host(Path(place))
    target, init = host / PACKAGE, host / "__init__.py"
    refuse_collisions(host, target, chosen)
    files = sorted(
        {file for cls in chosen for file in with_imports(source_file(cls))} | with_imports(MODULES / "registry.py")
    )
    models = [path for path in sorted((MODULES / "cfg").glob("*.yaml")) if fits(path, chosen)]
    try:
        (target / "cfg").mkdir(parents=True, exist_ok=True)
        for path in files:
            shutil.copy(path, target)
        for path in models:
            shutil.copy(path, target / "cfg")
        if (licence := MODULES.parent / "LICENSE").is_file():
            shutil.copy(licence, target)
        (target / "__init__.py").write_text(written_init(chosen), encoding="utf-8")
        text = init.read_text(encoding="utf-8")
        if IMPORT not in text.splitlines():
            init.write_text(f"{text.rstrip()}\n\n{IMPORT}\n".lstrip(), encoding="utf-8")
    except OSError as error:
        raise InputError(f"{place}: cannot write there ({error.strerror}). Choose a folder of your own.") from None
    print(f"copied to {shown(target)}: {', '.join(path.name for path in [*files, *models])}")
    print(f"added to the end of {shown(init)}: {IMPORT.split('  #')[0]}")
    print(f"to undo: remove that line and the folder (git checkout {init.name}; rm -r {PACKAGE})")
    return target


def find_classes(names: list[str] | None) -> list[type]:
    """The registered classes of the course with these names, or all of them."""
    ours = {name: entry.cls for name, entry in REGISTERED.items() if source_file(entry.cls).is_relative_to(MODULES)}
    ours.pop("FeatureMap")  # comes with the registry
    for name in names or []:
        if name not in ours:
            raise InputError(f"There is no class '{name}'.{similar(name, ours)} Known are {', '.join(ours)}.")
    return [ours[name] for name in names or ours]


def source_file(cls: type) -> Path:
    return Path(getattr(importlib.import_module(cls.__module__), "__file__", "") or "").resolve()


def find_host(place: Path) -> Path:
    """The package that will import the copies."""
    for folder in (place / "ultralytics", place):
        if (folder / "__init__.py").is_file():
            host = folder.resolve()
            break
    else:
        raise InputError(
            f"{place}: this folder holds no Python package. Give the folder of an Ultralytics source tree, or one with "
            f"an __init__.py."
        )
    if host == MODULES or host.is_relative_to(MODULES):
        raise InputError(f"{place}: this is the course itself, which has its classes already.")
    installed = [Path(folder).resolve() for folder in [*site.getsitepackages(), site.getusersitepackages()]]
    if any(host.is_relative_to(folder) for folder in installed):
        raise InputError(
            f"{place}: pip installed this package and will write over it. Clone or unpack its source, and vendor there."
        )
    return host


def refuse_collisions(host: Path, target: Path, classes: list[type]) -> None:
    """Stop where the folder holds something else, or a class of the same name stands elsewhere in the package."""
    if target.exists() and "python -m modules vendor" not in (target / "__init__.py").read_text(encoding="utf-8"):
        raise InputError(f"{target}: this folder is there and was not made by vendor. Rename it first.")
    names = "|".join(cls.__name__ for cls in classes)
    for path in sorted(host.rglob("*.py")):
        if path.is_relative_to(target):
            continue
        if found := re.search(rf"^class ({names})\b", path.read_text(encoding="utf-8", errors="replace"), re.M):
            raise InputError(
                f"{shown(path)} has a class {found[1]} of its own, and a model YAML knows a class by its name alone. "
                f"Rename or remove it, or leave {found[1]} out."
            )


def with_imports(path: Path) -> set[Path]:
    """A file of the package and those that it imports from beside it."""
    found, waiting = set(), [path]
    while waiting:
        file = waiting.pop()
        found.add(file)
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.level == 1:
                names = [node.module] if node.module else [alias.name for alias in node.names]
                beside = [MODULES / f"{name}.py" for name in names]
                waiting += [other for other in beside if other.is_file() and other not in found]
    return found


def fits(path: Path, classes: list[type]) -> bool:
    """Whether a model YAML names registered classes, and none but these."""
    model = yaml.safe_load(path.read_text(encoding="utf-8"))
    used = {row[2] for row in model["backbone"] + model["head"]} & set(REGISTERED)
    return bool(used) and used <= {cls.__name__ for cls in classes}


def call(cls: type) -> str:
    """The line that registers a class."""
    return f"register({cls.__name__}{', repeats=True' if REGISTERED[cls.__name__].repeats else ''})"


def written_init(classes: list[type]) -> str:
    """The source of the copies' own __init__.py."""
    by_file: dict[str, list[str]] = {}
    for cls in classes:
        by_file.setdefault(source_file(cls).stem, []).append(cls.__name__)
    imports = [f"from .{file} import {', '.join(sorted(names))}" for file, names in sorted(by_file.items())]
    calls = [call(cls) for cls in classes]
    names = ", ".join(cls.__name__ for cls in classes)
    return INIT.format(classes=names, imports="\n".join(imports), calls="\n".join(calls))
