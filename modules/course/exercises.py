"""Exercises that check themselves: check("02.3", my_function), hint("02.3"), solution("02.3").

The exercises stand in exercise_bank/, one file for each lesson, their solutions in notebooks/exercises/solutions/.
"""

import json
import re
from pathlib import Path

import torch

from .exercise_bank import find

SOLUTIONS = Path(__file__).resolve().parents[2] / "notebooks/exercises/solutions"
SOLUTION = re.compile(r"^([ ]*)### BEGIN SOLUTION\n(.*?)^[ ]*### END SOLUTION$", re.M | re.S)

tried: set[str] = set()
hinted: dict[str, int] = {}


def check(number: str, answer: object, seed: int = 0) -> bool:
    """Print whether `answer` to the exercise `number` is right, and if not, in one line what is wrong.

    Of a design it also prints what was measured, right or not.

    Args:
        number: of the exercise, as "02.3".
        answer: a function where one is to be written, otherwise the value.
        seed: of the random inputs.

    Raises:
        ValueError: no exercise has this number.
    """
    exercise = find(number)
    tried.add(number)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        fault, measured = exercise.judge(answer)
    if fault:
        print(f"{number} not yet: {fault}" + (f"\n{number} measures {measured}" if measured else ""))
    else:
        print(f"{number} right" + (f": {measured}" if measured else ""))
    return not fault


def hint(number: str) -> None:
    """Print the first hint to an exercise; called again, the second one too."""
    hints = find(number).hints
    hinted[number] = min(hinted.get(number, 0) + 1, len(hints))
    for i, text in enumerate(hints[: hinted[number]], 1):
        print(f"{number} hint {i} of {len(hints)}: {text}")


def solution(number: str) -> None:
    """Print the solution of an exercise, once you have had an answer of your own checked."""
    find(number)
    if number not in tried:
        print(f"{number}: try it first. Write an answer and check it; hint({number!r}) helps.")
        return
    lesson, _, place = number.partition(".")
    notebooks = sorted(SOLUTIONS.glob(f"{lesson}_*.ipynb"))
    if not notebooks:
        print(f"{number}: this copy of the course comes without solutions.")
        return
    for cell in json.loads(notebooks[0].read_text(encoding="utf-8"))["cells"]:
        if cell["metadata"].get("nbgrader", {}).get("grade_id") == f"answer-{lesson}-{place}":
            print(SOLUTION.sub(r"\2", "".join(cell["source"])))
