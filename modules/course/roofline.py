"""What this machine can do at most, and how near the stages of a network come to it.

Williams, Waterman and Patterson, "Roofline", Communications of the ACM 52 (4), 2009.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_iter

from .measure import compare_speed, gmac


@dataclass(frozen=True)
class Machine:
    """Its highest rate in billions of multiply-adds a second, and the GB that it can move in a second."""

    gmacs: float
    gb: float

    def limit(self, intensity: float) -> float:
        """The highest rate at so many multiply-adds for each byte that is moved."""
        return min(self.gmacs, self.gb * intensity)


@dataclass(frozen=True)
class Stage:
    """All that a network does at one resolution."""

    stride: int
    gmac: float
    gb: float
    seconds: float

    @property
    def intensity(self) -> float:
        """Multiply-adds for each byte."""
        return self.gmac / self.gb

    @property
    def rate(self) -> float:
        """Billions of multiply-adds a second."""
        return self.gmac / self.seconds


class Traffic(TorchDispatchMode):
    """Counts the bytes that operations read and write, as if each fetched all from memory. Views move nothing."""

    def __init__(self):
        super().__init__()
        self.bytes = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        if not function.is_view:
            tensors = [t for t in tree_iter((args, kwargs, result)) if isinstance(t, torch.Tensor)]
            self.bytes += sum(t.nbytes for t in tensors)
        return result


def seconds(call: Callable, rounds: int = 5) -> float:
    """Median of some calls, after a first one."""
    return compare_speed({"call": call}, rounds).median("call")


def this_machine(side: int = 1024, mib: int = 64) -> Machine:
    """Measured: the product of two matrices of side `side`, and copying `mib` MiB, which no cache holds."""
    a, b = torch.rand(2, side, side)
    block, target = torch.rand(2, mib * 2**18)
    rate = side**3 / 1e9 / seconds(lambda: a @ b)
    return Machine(rate, 2 * block.nbytes / 1e9 / seconds(lambda: target.copy_(block)))


def parts(network: nn.Module) -> list[nn.Module]:
    """The modules that a backbone of the course calls one after the other."""
    found = []
    for child in network.children():
        inner = [getattr(child, f"level{i}") for i in range(4)] if hasattr(child, "level0") else [child]
        is_list = isinstance(child, nn.ModuleList) or hasattr(child, "0") and hasattr(child[0], "blocks")
        found += list(child) if is_list else inner
    return found


@torch.no_grad()
def stages(network: nn.Module, x: torch.Tensor, rounds: int = 5) -> list[Stage]:
    """Run each part of `network` by itself on what it is given for `x`, and add up those of the same stride."""
    calls: dict[nn.Module, tuple] = {}
    network = network.eval()
    hooks = [p.register_forward_hook(lambda m, given, out: calls.update({m: (given, out)})) for p in parts(network)]
    network(x)
    for hook in hooks:
        hook.remove()
    found: dict[int, list] = {}
    for part, (given, out) in calls.items():
        with Traffic() as traffic:
            part(*given)
        measured = gmac(part, *given), traffic.bytes / 1e9, seconds(lambda: part(*given), rounds)
        found.setdefault(round(x.shape[-1] / out.shape[-1]), []).append(measured)
    return [Stage(stride, *map(sum, zip(*all_of))) for stride, all_of in sorted(found.items())]
