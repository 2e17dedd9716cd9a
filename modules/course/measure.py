"""Count parameters and multiplications, and compare running times fairly."""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode


def parameters(module: nn.Module) -> int:
    """The number of parameters."""
    return sum(p.numel() for p in module.parameters())


def gmac(function: Callable, *inputs) -> float:
    """Billions of multiply-adds of `function(*inputs)`, a module or any other callable: convolutions and matmuls."""
    counter = FlopCounterMode(display=False)
    with torch.no_grad(), counter:
        function(*inputs)
    return counter.get_total_flops() / 2e9


@dataclass(frozen=True)
class Speed:
    """Seconds of each round, by name. The first name is what the others are compared with."""

    rounds: dict[str, list[float]]

    def median(self, name: str) -> float:
        """Median seconds."""
        return statistics.median(self.rounds[name])

    def ratio(self, name: str, to: str | None = None) -> float:
        """How long `name` takes in units of `to` (the first name): the median over the rounds, each paired."""
        reference = self.rounds[to or next(iter(self.rounds))]
        return statistics.median(a / b for a, b in zip(self.rounds[name], reference))

    def __str__(self):
        first, width = next(iter(self.rounds)), max(map(len, self.rounds))
        lines = [f"{'':{width}}  median ms   middle half    in units of {first}"]
        for name, seconds in self.rounds.items():
            low, middle, high = (1e3 * s for s in statistics.quantiles(seconds, n=4))
            lines.append(f"{name:{width}}{middle:11.2f}{low:8.2f} ..{high:7.2f}{self.ratio(name):11.2f}")
        return "\n".join(lines)


def seconds(call: Callable[[], object]) -> float:
    """How long one call takes; on a GPU until all that it started is done."""
    wait = torch.cuda.synchronize if torch.cuda.is_available() else lambda: None
    wait()
    start = time.perf_counter()
    call()
    wait()
    return time.perf_counter() - start


def compare_speed(functions: dict[str, Callable[[], object]], rounds: int = 9) -> Speed:
    """Time the functions in turn, `rounds` times each, after one untimed turn.

    Taking turns spreads what else the machine does over all of them, so the ratios hold even where the times do not.
    """
    found = {name: [] for name in functions}
    for turn in range(rounds + 1):
        for name, function in functions.items():
            taken = seconds(function)
            if turn:
                found[name].append(taken)
    return Speed(found)
