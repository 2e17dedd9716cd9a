"""modules/README.md, written from the code: for each module its files, its YAML and its one line. `make modules` runs it."""

import ast
import sys
from pathlib import Path

import modules

from ..registry import REGISTERED
from .vendor import MODULES, call, fits, source_file, with_imports

PAGE = MODULES / "README.md"
HEAD = """\
# The modules, one by one

Written by `make modules`; edit `modules/course/pages.py`.

Each module is **one file, one YAML, one line**. With the course installed, `import modules` registers all of them. In a
package or fork of your own, `python -m modules vendor PATH CLASS` copies what the table names and adds the line. By hand,
put the files, `registry.py`, `surgery.py` and `errors.py` into one folder of your package, and this at the end of the
package's `__init__.py` (in a fork: `ultralytics/__init__.py`); a model file is then named by its path.

```python
from .folder.emo import EMO_1M
from .folder.registry import register

register(EMO_1M)
```

A backbone's row counts as five: 0 is the backbone, 1 to 4 are its maps P2 to P5 at strides 4, 8, 16 and 32.
"""
SECTION = """
## {title}

{summary}

| | |
|---|---|
| classes | {classes} |
| files | {files} |
| needs | {needs} |
| YAML | {models} |
| line | {lines} |
| row | `{row}`{channels} |
"""


def page() -> str:
    """The text of modules/README.md."""
    classes = (*modules.BACKBONES, *modules.BLOCKS, *modules.BLOCKS_WITH_REPEATS)
    by_file: dict[Path, list[type]] = {}
    for cls in classes:
        by_file.setdefault(source_file(cls), []).append(cls)
    return HEAD + "".join(section(path, found) for path, found in by_file.items())


def section(path: Path, classes: list[type]) -> str:
    """What the page says of one file."""
    files = sorted(with_imports(path), key=lambda file: (file != path, file.name))
    names = {cls.__name__ for cls in classes}
    # A block may stand in a backbone of its file; its YAML may also hold a class of another file.
    models = [model.name for model in sorted((MODULES / "cfg").glob("*.yaml")) if uses(model, names)]
    first = classes[0]
    summary = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))).split("\n\n")[0]
    return SECTION.format(
        title=path.name,
        summary=" ".join(summary.split()),
        classes=", ".join(f"`{cls.__name__}`" for cls in classes),
        files=", ".join(f"[`{file.name}`]({file.name})" for file in files),
        needs=", ".join(needed(files)),
        models=", ".join(f"[`{name}`](cfg/{name})" for name in models) or "none; put its row into one of yours",
        lines=", ".join(f"`{call(cls)}`" for cls in classes[:1]) + (" and so on" if len(classes) > 1 else ""),
        row=example(first),
        channels=f", P2 to P5 with {', '.join(map(str, first.feature_channels()))} channels at width 1"
        if REGISTERED[first.__name__].is_backbone
        else "",
    )


def uses(model: Path, names: set[str]) -> bool:
    """Whether a model file holds one of these classes."""
    classes = [entry.cls for entry in REGISTERED.values()]
    return fits(model, classes) and not fits(model, [cls for cls in classes if cls.__name__ not in names])


def example(cls: type) -> str:
    """A row of a model YAML with this class."""
    entry = REGISTERED[cls.__name__]
    if entry.is_backbone:
        return f"- [-1, 1, {cls.__name__}, [width]]"
    return f"- [-1, {2 if entry.repeats else 1}, {cls.__name__}, [256]]"


def needed(files: list[Path]) -> list[str]:
    """The packages, other than Python's own, that these files import."""
    found = set()
    for file in files:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.level == 0:
                names = [node.module]
            found |= {name.split(".")[0] for name in names}
    return sorted(found - sys.stdlib_module_names)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8", newline="\n")
    print(PAGE.name)
