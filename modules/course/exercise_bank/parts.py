"""Functions that return several things: each is compared under its name, so that the line says which one is wrong."""

from collections.abc import Callable


def parts(*names: str) -> Callable:
    """A `call` of FillIn for a function that returns a tuple or list of as many things as there are `names`."""

    def call(function, *inputs):
        got = function(*inputs)
        return dict(zip(names, got)) if isinstance(got, (tuple, list)) and len(got) == len(names) else got

    return call
