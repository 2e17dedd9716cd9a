"""modules/README.md, written from the code: for each module its files, its YAML and its one line. `make modules` runs it."""

import ast
import re
import sys
from collections.abc import Iterable
from pathlib import Path

import modules

from ..registry import REGISTERED
from .costed import STOCK
from .costs import Costs, published, weights_of
from .results import Table, trained
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

## At a glance

Each model at scale n, beside the two stock detectors, for one class and one picture of 320 px: parameters and GMAC as it is
trained, milliseconds as it is used (fused, {threads} thread{s} of {cpu}; median, least and most). The course's README counts
the fused network at 192 px, so its numbers are smaller. mAP50 is that of lesson 08's comparison, from scratch at 192 px, with
the range over the seeds. Top-1 is what the authors publish of their sizes,
which have four times the width of scale n; weights are for those sizes, from timm or from the authors.
[Lesson 10](../notebooks/10_what_it_costs.ipynb) says how to choose, [results/](../results/README.md) which differences are
more than noise.

{table}
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
| where | {where} |
"""
# Where a row of each kind may stand.
PLACES = {
    "backbone": "row 0, in the place of all rows of the stock backbone up to the last that halves the map (`graft`)",
    "repeats": "in the place of any C2f, C3 or C3k2, in backbone or neck (appendix A4)",
    "block": "between any two rows, or before the head; all later numbers move by one (lesson 04)",
}


def page() -> str:
    """The text of modules/README.md."""
    classes = (*modules.BACKBONES, *modules.BLOCKS, *modules.BLOCKS_WITH_REPEATS)
    by_file: dict[Path, list[type]] = {}
    for cls in classes:
        by_file.setdefault(source_file(cls), []).append(cls)
    costs = Costs()
    threads = costs.threads[0]
    head = HEAD.format(
        table=overview(by_file, costs).markdown(), threads=threads, s="s" * (threads > 1), cpu=costs.machine["cpu"]
    )
    return head + "".join(section(path, found) for path, found in by_file.items())


def overview(by_file: dict[Path, list[type]], costs: Costs) -> Table:
    """A line for each file that has a model, and for the stock detectors: what it costs, and what it reached."""
    heading = ("model", "million parameters", "GMAC", "ms", "mAP50", "published top-1 (%)", "weights")
    found = {path: model_of(path, classes) for path, classes in by_file.items()}
    lines = [("stock", name, ()) for name in STOCK]
    lines += [(path.name, name, by_file[path]) for path, name in found.items() if name]
    return Table(heading, tuple(line(*each, costs) for each in lines))


def model_of(path: Path, classes: list[type]) -> str:
    """The detector at scale n that a file's classes are used in, as `yolo11n-EMO`; "" where there is none."""
    names = {cls.__name__ for cls in classes}
    models = [model.stem for model in sorted((MODULES / "cfg").glob("*.yaml")) if uses(model, names)]
    return re.sub(r"^(yolov?\d+)-", r"\1n-", models[0]) if models else ""


def line(file: str, name: str, classes: Iterable[type], costs: Costs) -> tuple[str, ...]:
    """One line of the table."""
    scores, papers = trained([name]), published()
    top1 = sorted(papers[cls.__name__]["top1"] for cls in classes if cls.__name__ in papers)
    sources = {weights_of(cls.__name__) for cls in classes} - {"none"}
    link = f"[{file}](#{file.replace('.', '')})" if classes else file
    return (
        f"{name}, {link}",
        f"{costs(name, 'parameters') / 1e6:.2f}",
        f"{costs(name, 'gmac'):.2f}",
        costs.text(name, "fused", threads=costs.threads[0]),
        scores[name].text() if scores else "-",
        f"{top1[0]:.1f} .. {top1[-1]:.1f}" if top1 else "-",
        ", ".join(sorted(sources, reverse=True)) or "-",
    )


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
        where=PLACES[place(first)],
    )


def uses(model: Path, names: set[str]) -> bool:
    """Whether a model file holds one of these classes."""
    classes = [entry.cls for entry in REGISTERED.values()]
    return fits(model, classes) and not fits(model, [cls for cls in classes if cls.__name__ not in names])


def place(cls: type) -> str:
    """Which kind of row a class has."""
    entry = REGISTERED[cls.__name__]
    return "backbone" if entry.is_backbone else "repeats" if entry.repeats else "block"


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
