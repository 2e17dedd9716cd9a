"""Functions that return several things: each is compared under its name, so that the line says which one is wrong."""

from collections.abc import Callable

from modules.course.exercise_bank import Fault


def parts(*names: str) -> Callable:
    """A `call` of FillIn for a function that returns a tuple or list of as many things as there are `names`."""

    def call(function, *inputs):
        got = function(*inputs)
        if got is None:
            return None
        if not isinstance(got, (tuple, list)):
            raise Fault(f"returns a {type(got).__name__}, and {len(names)} things are asked for: {', '.join(names)}")
        if len(got) != len(names):
            raise Fault(f"returns {len(got)} things, and {len(names)} are asked for: {', '.join(names)}")
        return dict(zip(names, got))

    return call
