"""Time the explorers: milliseconds from a slider's move to the new picture. For those who change how one draws.

python tools/explorers.py          every lesson with sliders
python tools/explorers.py 06 07    these lessons

Of each lesson only those cells run on which its explorers depend. Then each slider moves ten times, and the medians are
printed: of the clock, which counts whatever else the machine does, and of the processor, which does not.
"""

import argparse
import ast
import json
import os
import symtable
import sys
import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient

ROOT = Path(__file__).resolve().parents[1]
if __name__ == "__main__":
    sys.path[0] = str(ROOT)

from modules.course.yours import uses  # noqa: E402
from tools import lessons  # noqa: E402
from tools.fold import Problem  # noqa: E402

MEASURE = """\
import gc, itertools, json, statistics, time
from modules.course.explorer import Explorer

def ten_moves(slider):
    values = range(slider.min, slider.max + 1, slider.step)
    following = itertools.islice(itertools.cycle(values), values.index(slider.value) + 1, None)
    for value in itertools.islice(following, 10):
        begin = time.perf_counter(), time.process_time()
        slider.value = value
        yield time.perf_counter() - begin[0], time.process_time() - begin[1]

def medians(slider):
    start, times = slider.value, [*ten_moves(slider)]
    slider.value = start
    return slider.description, *(1000 * statistics.median(kind) for kind in zip(*times))

explorers = [thing for thing in gc.get_objects() if type(thing) is Explorer]
assert explorers, "no explorer was made"
print(json.dumps([medians(slider) for explorer in explorers for slider in explorer.sliders.values()]))
"""


def needed(sources: list[str]) -> list[str]:
    """Of these cells those that draw an explorer, and those that bind a name which a later one of them reads."""
    kept, names = [], set()
    for source in reversed(sources):
        table = symtable.symtable(source, "cell", "exec")
        bound = {s.get_name() for s in table.get_symbols() if s.is_assigned() or s.is_imported()}
        if "Explorer(" in source or bound & names:
            kept.insert(0, source)
            cell = ast.parse(source)
            found = [node for node in ast.walk(cell) if isinstance(node, ast.Name)]
            found.sort(key=lambda node: (node.lineno, node.col_offset), reverse=True)
            first = {node.id: type(node.ctx) for node in found}  # what a cell binds before it reads is its own
            names = names - bound | {name for name in uses(cell) if first.get(name) is ast.Load}
    return kept


def measure(lesson: Path, env: dict[str, str]) -> list[tuple[str, float, float]]:
    """(slider, milliseconds by the clock, of the processor) for each slider of a lesson.

    Raises:
        Problem: an explorer was not made, or fails.
    """
    cells = nbformat.read(lesson, as_version=4).cells
    code = [c.source for c in cells if c.cell_type == "code" and "setup" not in c.metadata.get("tags", [])]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(text) for text in [*needed(code), MEASURE]])
    client = NotebookClient(
        notebook,
        timeout=None,
        allow_errors=True,
        extra_arguments=["--IPKernelApp.log_level=40"],
        resources={"metadata": {"path": str(lesson.parent)}},
    )
    client.execute(env=env)  # on a busy machine a cell that compares timings may fail, which is of no interest here
    (output,) = notebook.cells[-1].outputs
    if output.output_type == "error":
        raise Problem(f"{lesson.name}: {output.ename}: {output.evalue}")
    return json.loads(output.text)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("lessons", nargs="*", help="numbers of lessons, such as 06")
    try:
        with tempfile.TemporaryDirectory() as settings:
            env = os.environ | lessons.kernel_environment("smoke", settings)
            for lesson in lessons.lessons(parser.parse_args().lessons):
                if "Explorer(" not in lesson.read_text(encoding="utf-8"):
                    continue
                for slider, clock, processor in measure(lesson, env):
                    print(
                        f"{lesson.stem[:2]}  {slider:8} {clock:5.0f} ms, {processor:4.0f} ms of the processor",
                        flush=True,
                    )
    except Problem as problem:
        sys.exit(f"explorers: {problem}")


if __name__ == "__main__":
    main()
