"""Show the whole of a class, folded, below the cells in which it grew."""

import html
import inspect


class Folded:
    """The source of a class or function of `modules`, as a line that opens with a click."""

    def __init__(self, thing):
        self.thing, self.source = thing, inspect.getsource(thing)

    def __repr__(self):
        file = self.thing.__module__.replace(".", "/") + ".py"
        return f"{self.thing.__name__}, whole: {len(self.source.splitlines())} lines of {file}"

    def _repr_html_(self):
        return f"<details><summary>{self!r}</summary><pre>{html.escape(self.source)}</pre></details>"
