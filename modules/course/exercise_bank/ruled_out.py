"""Notice that an answer calls a function that its task rules out, also through another one."""

import inspect
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def noticed(functions: tuple[Callable, ...]) -> Iterator[list[str]]:
    """The names of those of `functions` that are called within, in a list that fills as they are.

    Functions written in Python are known by their code, those written in C by themselves.
    """
    names = {getattr(inspect.unwrap(f), "__code__", f): called_in_words(f) for f in functions}
    used, before = [], sys.getprofile()

    def note(frame, event, called):
        called = frame.f_code if event == "call" else called
        if event in ("call", "c_call") and called in names:
            used.append(names[called])

    if functions:
        sys.setprofile(note)
    try:
        yield used
    finally:
        sys.setprofile(before)


def called_in_words(function: Callable) -> str:
    return function.__name__ if inspect.isbuiltin(function) else function.__qualname__.removesuffix(".__init__")
