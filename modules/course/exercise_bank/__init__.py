"""The exercises of the course, by lesson: what is right, on which inputs it is tried, and the typical wrong answers.

Three kinds: FillIn (write a function), Predict (say a shape or number before the cell that shows it) and Design (choose
something that keeps within limits).
"""

import copy
import importlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import torch

from modules.course.compare import difference, same, shapes
from modules.course.exercise_bank.ruled_out import noticed

LESSONS = sorted(path.stem.removeprefix("lesson_") for path in Path(__file__).parent.glob("lesson_*.py"))


def find(number: str) -> "FillIn | Predict | Design":
    """The exercise "02.3". Raises ValueError for a number that no exercise has."""
    lesson = str(number).partition(".")[0]
    if lesson not in LESSONS:
        raise ValueError(f"no exercise {number!r}: the lessons with exercises are {', '.join(LESSONS)}")
    exercises = importlib.import_module(f"{__name__}.lesson_{lesson}").EXERCISES
    if number not in exercises:
        raise ValueError(f"no exercise {number!r}: lesson {lesson} has {', '.join(exercises)}")
    return exercises[number]


class Fault(Exception):
    """What is wrong with an answer, in the words that the learner reads. Raised by an exercise's `call`."""


class Exercise:
    """What the three kinds have in common."""

    def judge(self, answer: object) -> tuple[str, str]:
        """What is wrong, in one line, or an empty text; and what was measured, where something was."""
        return self.fault(answer), ""

    def typical(self) -> Iterator[tuple[str, object]]:
        """The typical wrong answers, each with the line that its learner reads."""
        yield from self.wrong.items()


@dataclass(frozen=True)
class FillIn(Exercise):
    """Write a function that does what `reference` does.

    Args:
        reference: the right function.
        cases: makes the inputs, a tuple for each call; random numbers come from torch.
        hints: two, the second says more.
        wrong: typical wrong functions, or tuples of them, by the line that tells the learner what happened.
        ruled_out: functions that the task forbids. An answer that calls one is wrong, whatever it gives.
        call: `call(function, *inputs)` gives what is compared, where that is not just `function(*inputs)`.
        tolerance: how much a number may differ, in units of the largest one.
    """

    reference: Callable
    cases: Callable[[], list[tuple]]
    hints: tuple[str, str]
    wrong: dict[str, Callable | tuple] = field(default_factory=dict)
    ruled_out: tuple[Callable, ...] = ()
    call: Callable = lambda function, *inputs: function(*inputs)
    tolerance: float = 1e-4

    def fault(self, answer: object) -> str:
        """What is wrong with the learner's function, in one line; an empty text where it is right."""
        if not callable(answer):
            return f"this is a {type(answer).__name__}: give the function itself, without calling it"
        cases = self.cases()
        with torch.no_grad():
            wanted = [self.call(self.reference, *copy.deepcopy(case)) for case in cases]
            with noticed(self.ruled_out) as used:
                found = [self.run(answer, case) for case in cases]
            if used:
                return f"uses {used[0]}, which the task rules out"
            faults = [error or difference(got, want, self.tolerance) for (got, error), want in zip(found, wanted)]
            if not any(faults):
                return ""
            if "is not written yet" in faults:
                return "is not written yet: replace `raise NotImplementedError`"
            if named := next(self.named(found, cases), ""):
                return named
            first = next(i for i, fault in enumerate(faults) if fault)
            named = set(self.named(found[first : first + 1], cases[first : first + 1]))
        return named.pop() if len(named) == 1 else self.pattern(cases, faults)

    def typical(self) -> Iterator[tuple[str, Callable]]:
        for line, functions in self.wrong.items():
            for function in functions if isinstance(functions, tuple) else (functions,):
                yield line, function

    def run(self, function: Callable, case: tuple) -> tuple:
        """(what the function gives, what went wrong while it ran)."""
        inputs = copy.deepcopy(case)
        try:
            got = self.call(function, *inputs)
        except NotImplementedError:
            return None, "is not written yet"
        except Fault as fault:
            return None, str(fault)
        except Exception as error:
            line = next(iter(str(error).strip().splitlines()), "")
            return None, f"raises {type(error).__name__}: {line[:120]}"
        if not all(map(same, inputs, case)):
            return got, "changes its input in place: make something new, the caller still needs the input"
        return got, ""

    def named(self, found: list[tuple], cases: list[tuple]) -> Iterator[str]:
        """The lines of the typical wrong answers that give the same on these inputs, or fail in the same way."""
        for line, function in self.typical():
            if all(self.alike(one, self.run(function, case)) for one, case in zip(found, cases)):
                yield line

    def alike(self, one: tuple, other: tuple) -> bool:
        """Whether two runs gave the same, or raised the same."""
        (got, error), (given, raised) = one, other
        return error == raised and (got is None) == (given is None) and not difference(got, given, self.tolerance)

    @staticmethod
    def pattern(cases: list[tuple], faults: list[str]) -> str:
        """The first fault, and which inputs have none."""
        maps = [next((v for v in case if isinstance(v, torch.Tensor) and v.ndim == 4), None) for case in cases]
        failed = [bool(fault) for fault in faults]
        case, fault = next((case, fault) for case, fault in zip(cases, faults) if fault)
        line = f"{fault} (for {shapes(case)})"
        if not all(failed) and all(m is not None for m in maps):
            if failed == [m.shape[2] != m.shape[3] for m in maps]:
                return f"right on square maps only: {line}"
            if failed == [len(m) > 1 for m in maps]:
                return f"right for a batch of one only: {line}"
        return line


@dataclass(frozen=True)
class Predict(Exercise):
    """Say a value before the cell that shows it.

    Args:
        value: computes the right one.
        hints: two, the second says more.
        wrong: typical wrong values, by the line that tells the learner what was overlooked.
    """

    value: Callable[[], object]
    hints: tuple[str, str]
    wrong: dict[str, object] = field(default_factory=dict)

    def fault(self, answer: object) -> str:
        """What was overlooked, in one line; an empty text where the prediction is right. Never the right value."""
        if answer is None:
            return "no prediction yet: put it in the place of None"
        right = self.value()
        answer = tuple(answer) if isinstance(answer, (list, torch.Size)) else answer
        for line, value in self.wrong.items():
            if self.equal(answer, value):
                return line
        if isinstance(right, tuple):
            if not isinstance(answer, tuple) or len(answer) != len(right):
                return f"a tuple of {len(right)} numbers is asked for, and this is {answer!r}"
        elif not isinstance(answer, (int, float)):
            return f"a number is asked for, and this is {answer!r}"
        if self.equal(answer, right):
            return ""
        if isinstance(right, tuple):
            places = [str(i) for i, (a, b) in enumerate(zip(answer, right)) if a != b]
            return f"not right in place {' and '.join(places)}, counted from 0"
        return "too small" if answer < right else "too large"

    @staticmethod
    def equal(a: object, b: object) -> bool:
        return abs(a - b) <= 0.005 * abs(b) if isinstance(b, float) and isinstance(a, (int, float)) else a == b


@dataclass(frozen=True)
class Design(Exercise):
    """Choose something that keeps within limits.

    Args:
        measure: {"parameters": 18240, ...} of an answer. It may raise what the course's modules raise.
        limits: {"parameters": ("at most", 20_000), ...}.
        hints: two, the second says more.
        wrong: answers that break a limit, by a part of the line that says so.
    """

    measure: Callable[[object], dict[str, float]]
    limits: dict[str, tuple[str, float]]
    hints: tuple[str, str]
    wrong: dict[str, object] = field(default_factory=dict)

    def fault(self, answer: object) -> str:
        """Which limits are broken, and by how much; an empty text where none is."""
        return self.judge(answer)[0]

    def judge(self, answer: object) -> tuple[str, str]:
        if answer is None:
            return "no design yet: put it in the place of None", ""
        try:
            measured = self.measure(answer)
        except (TypeError, ValueError) as error:
            return f"cannot be built: {error}", ""
        except Exception as error:
            return f"cannot be built: {type(error).__name__}: {error}", ""
        broken = []
        for name, (sense, bound) in self.limits.items():
            if measured[name] > bound if sense == "at most" else measured[name] < bound:
                may = "allowed" if sense == "at most" else "needed"
                broken.append(f"{measured[name]:,} {name}, {may} are {sense} {bound:,}")
        return "; ".join(broken), ", ".join(f"{value:,} {name}" for name, value in measured.items())
