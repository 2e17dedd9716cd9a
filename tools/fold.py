"""Put the files that a lesson ships together from its exported cells.

#| default_exp emo       names the lesson's file: emo.py
#| export                the cell belongs to it
#| export weights        the cell belongs to weights.py

A class may grow from cell to cell. `class EMO(EMO):` adds methods to EMO, or replaces some; the file holds one class.
The text of a cell is the text of the file, line breaks included. Only imports and the headers of such parts change.
"""

import ast
import re

DIRECTIVE = re.compile(r"#\|\s*(default_exp|export)\b[ \t]*(\w*)[ \t]*(?:\n|$)")


class Problem(Exception):
    """Something that the author of a lesson can put right; printed without a traceback."""


class Cell:
    """An exported cell: its lines, and the classes and other statements in them."""

    def __init__(self, place: str, text: str):
        self.place, self.lines = place, text.strip("\n").split("\n")
        self.tree = self.parse()

    def parse(self) -> ast.Module:
        try:
            return ast.parse("\n".join(self.lines))
        except SyntaxError as error:
            raise Problem(f"{self.place}: line {error.lineno} is not plain Python: {error.msg}") from error

    def classes(self) -> list[ast.ClassDef]:
        return [node for node in self.tree.body if isinstance(node, ast.ClassDef)]

    def methods(self, owner: ast.ClassDef) -> dict[str, tuple[int, int]]:
        """For each method of a class its first and last line, with the comments and decorators above it."""
        found, first = {}, owner.lineno + 1
        for node in owner.body:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                if node.name in found and not any(isinstance(mark, ast.Attribute) for mark in node.decorator_list):
                    raise Problem(f"{self.place}: {owner.name}.{node.name} is written twice: keep one of the two")
                begin = found.get(node.name, (first,))[0]  # a property and its setter belong together
                found[node.name] = (begin, node.end_lineno)
            first = node.end_lineno + 1
        return found

    def write(self, first: int, last: int, lines: list[str]) -> None:
        """Put `lines` in the place of the lines `first` to `last`."""
        self.lines[first - 1 : last] = lines
        self.tree = self.parse()


def continues(node: ast.AST) -> bool:
    """Is this `class X(X):`?"""
    return isinstance(node, ast.ClassDef) and [ast.unparse(base) for base in node.bases] == [node.name]


def fold(cells: list[Cell]) -> str:
    """One source of all cells, each class in the place where it begins."""
    kept, home = [], {}
    for cell in cells:
        parts = [node for node in cell.tree.body if continues(node)]
        if not parts:
            for node in cell.classes():
                if node.name in home:
                    raise Problem(f"{cell.place}: class {node.name} begins twice; to go on write {again(node)}")
                home[node.name] = cell
            kept.append(cell)
        elif len(cell.tree.body) > 1 or parts[0].lineno > 1:
            raise Problem(f"{cell.place} mixes {again(parts[0])} with other lines: give the part a cell of its own")
        else:
            join(cell, parts[0], home, kept)
    return "\n\n".join("\n".join(cell.lines) for cell in kept) + "\n"


def again(node: ast.ClassDef) -> str:
    return f"`class {node.name}({node.name}):`"


def join(cell: Cell, part: ast.ClassDef, home: dict[str, Cell], kept: list[Cell]) -> None:
    """Add the methods of a part to their class, or put them in the place of those that they replace."""
    if part.name not in home:
        raise Problem(f"{cell.place}: {again(part)} goes on with a class that no exported cell before it begins")
    if other := [node for node in part.body if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]:
        raise Problem(
            f"{cell.place}: {again(part)} holds methods only; move `{ast.unparse(other[0])}` to its first part"
        )
    for name in (node.name for there in kept for node in there.classes() if part.name in map(ast.unparse, node.bases)):
        raise Problem(f"{cell.place}: {name} was made from {part.name} before this part; move {name} below it")
    target = home[part.name]
    old = target.methods(find(target, part.name))
    for call in ast.walk(part):
        if isinstance(call, ast.Attribute) and ast.unparse(call.value) == "super()" and call.attr in old:
            reason = f"super().{call.attr} is the {part.name} of an earlier cell here, and its parent in the file"
            raise Problem(f"{cell.place}: {reason}: give the earlier method a name of its own")
    for name, (first, last) in cell.methods(part).items():
        last = len(cell.lines) if last == part.end_lineno else last  # a comment at the end belongs to it, too
        lines = ["", *"\n".join(cell.lines[first - 1 : last]).strip("\n").split("\n")]
        owner = find(target, part.name)
        if name in old:
            target.write(*target.methods(owner)[name], lines)
        else:
            target.write(owner.end_lineno + 1, owner.end_lineno, lines)


def find(cell: Cell, name: str) -> ast.ClassDef:
    return next(node for node in cell.classes() if node.name == name)


def inside_package(source: str) -> str:
    """`from modules.irmb import iRMB`, as a notebook writes it, becomes `from .irmb import iRMB`."""
    lines = source.splitlines(keepends=True)
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and not node.level and node.module.split(".")[0] == "modules":
            lines[node.lineno - 1] = re.sub(r"from modules\b\.?", "from .", lines[node.lineno - 1], count=1)
    return "".join(lines)


def files(name: str, sources: list[str]) -> dict[str, str]:
    """What the code cells of a notebook ship: {"irmb.py": its text, ...}, not yet formatted.

    Args:
        name: the notebook's file name.
        sources: of its cells in order; what is no code is an empty string.

    Raises:
        Problem: a cell is not plain Python, or a class cannot be put together; says which cell.
    """
    default, exported = "", {}
    for number, source in enumerate(sources):
        directive = DIRECTIVE.match(source)
        if directive and directive[1] == "default_exp":
            default = directive[2]
        elif directive:
            file = directive[2] or default
            if not file:
                raise Problem(f"{name} has `#| export` cells but no `#| default_exp name` cell before them")
            exported.setdefault(f"{file}.py", []).append(Cell(f"{name}, cell {number}", source[directive.end() :]))
    header = f"# Written by notebooks/{name}. Edit the lesson, then run `make modules`.\n"
    return {file: header + inside_package(fold(cells)) for file, cells in sorted(exported.items())}
