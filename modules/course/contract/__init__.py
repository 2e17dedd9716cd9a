"""The contract: what every module of the course keeps. Tests run it for each class, and lessons print it as a table.

contract.table("iRMB")                        a class of `modules`
contract.check(MyNet, "yolo11-MyNet.yaml")    a class of your own, and a model YAML that holds it
contract.explain()                            what each row of the table means
"""

import inspect
from collections.abc import Callable

from ultralytics.nn.tasks import yaml_model_load

from ...registry import REGISTERED
from ..presets import preset
from .cases import CASES, Case
from .checks import (
    NotChecked,
    StridesAreNumbers,
    check_alone,
    check_builds,
    check_compiles,
    check_copies,
    check_fused,
    check_golden,
    check_gradients,
    check_learns,
    check_onnx,
    check_pickles,
    check_precision,
    check_refusals,
    check_size,
    check_trains,
)
from .golden_vectors import GOLDEN, fill, golden, largest_difference, layout

__all__ = ["CASES", "GOLDEN", "StridesAreNumbers", "fill", "golden", "largest_difference", "layout"]

QUICK = (check_size, check_golden, check_gradients, check_copies, check_precision, check_fused, check_refusals)
SLOW = (check_builds, check_trains, check_learns, check_pickles, check_alone, check_compiles, check_onnx)


def find(name: str) -> Case:
    """The case of a class of `modules`."""
    for case in CASES:
        if case.name == name:
            return case
    raise ValueError(
        f"{name!r} has no case in modules/course/contract/cases.py, which has {', '.join(map(str, CASES))}. "
        "A class of your own is checked by contract.check(cls, model), with a model YAML that holds it."
    )


def checks(case: Case) -> tuple[Callable[[Case], str], ...]:
    """The checks that are run for a case: all of them, or for a variant those that depend on its size."""
    return (check_size, check_golden, check_builds) if case.variant else QUICK + SLOW


def label(check: Callable[[Case], str]) -> str:
    return f"{check.__name__.removeprefix('check_'):10}"


def row(check: Callable[[Case], str], case: Case) -> str:
    """What a check found, as a row of the table."""
    try:
        return f"ok   {check(case)}"
    except NotChecked as reason:
        return f"--   not checked: {reason}"
    except Exception as error:
        kind = "" if type(error) in (AssertionError, ValueError) else f"{type(error).__name__}: "
        return f"FAIL {kind}{next(iter(str(error).strip().splitlines()), 'no reason given')}"


def run(case: Case) -> list[str]:
    """Print a row for each check, and return the rows that failed. The smoke preset runs the quick checks only.

    Raises:
        RuntimeError: Python was told to pass over `assert`.
    """
    if not __debug__:
        raise RuntimeError("PYTHONOPTIMIZE (python -O) switches off `assert`: all checks would pass. Unset it.")
    print(case)
    failed = []
    for check in checks(case):
        if check in QUICK or preset().name != "smoke":
            found = row(check, case)
            print(f"  {label(check)} {found}")
            failed += [found] if found.startswith("FAIL") else []
    return failed


def table(*names: str) -> None:
    """Print the contract of some classes of `modules`.

    Raises:
        AssertionError: one of them breaks it.
    """
    failed = [found for name in names for found in run(find(name))]
    assert not failed, failed[0]


def check(cls: type, model: str) -> None:
    """Print the contract of a class of your own. A row that fails says why, and the others are checked all the same.

    Args:
        cls: a block or a backbone that `register` made known.
        model: a YAML with a row that names it. The checks build a small instance with the arguments of that row.

    Raises:
        ValueError: the class is not registered, or no row of the model names it.
    """
    if cls.__name__ not in REGISTERED or REGISTERED[cls.__name__].cls is not cls:
        raise ValueError(f"{cls.__name__} is not registered, or has changed since: modules.register({cls.__name__})")
    config = yaml_model_load(model)
    rows = [row for row in [*config["backbone"], *config["head"]] if row[2] == cls.__name__]
    if not rows:
        raise ValueError(f"no row of {model} names {cls.__name__}: write one, such as [-1, 1, {cls.__name__}, [64]]")
    scales = config.get("scales", {"n": [1, 1, 1024]})
    width = next(iter(scales.values()))[1]
    given = [width if argument == "width" else argument for argument in rows[0][3]]
    if REGISTERED[cls.__name__].is_backbone:
        arguments, shape = given, (2, 3, 128, 160)
    else:
        repeats = [1] if REGISTERED[cls.__name__].repeats else []
        arguments, shape = [64, 64, *repeats, *given[1:]], (2, 64, 15, 23)
    run(Case(cls, tuple(arguments), shape, model, "".join(scales), wrong=()))


def explain() -> None:
    """Print what each row of the table checks, and what would go wrong without it."""
    for check in QUICK + SLOW:
        print(label(check), inspect.getdoc(check).replace("\n\n", f"\n{'':11}"))
