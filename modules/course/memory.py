"""Measure what a training step keeps in memory, and how much it needs at its highest point."""

import weakref
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_iter

MIB = 2**20


class LiveMemory(TorchDispatchMode):
    """While active, counts the bytes of tensors that operations have made and that are still alive.

    `now` is the count, `peak` its highest value. Views count once, with the memory they share. What was there before,
    parameters for instance, does not count; neither does what an operation uses inside itself and gives back.
    """

    def __init__(self):
        super().__init__()
        self.now = self.peak = 0
        self.alive = set()

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        before = {storage_id(t) for t in tree_iter((args, kwargs)) if isinstance(t, torch.Tensor)}
        result = function(*args, **(kwargs or {}))
        for tensor in tree_iter(result):
            if isinstance(tensor, torch.Tensor) and storage_id(tensor) not in before | self.alive:
                self.add(tensor.untyped_storage())
        return result

    def add(self, storage):
        self.alive.add(storage._cdata)
        self.now += storage.nbytes()
        self.peak = max(self.peak, self.now)
        weakref.finalize(storage, self.remove, storage._cdata, storage.nbytes())

    def remove(self, key, size):
        self.alive.remove(key)
        self.now -= size


def storage_id(tensor: torch.Tensor) -> int:
    """The same number for all views of one piece of memory, as long as it lives."""
    return tensor.untyped_storage()._cdata


def saved_bytes(function: Callable, *inputs, parameters: Iterable[nn.Parameter] = ()) -> int:
    """Bytes that autograd keeps after `function(*inputs)` for the backward pass, without those of `parameters`."""
    parameters = {storage_id(p) for p in parameters}
    found = {}

    def pack(tensor):
        if storage_id(tensor) not in parameters:
            found[storage_id(tensor)] = tensor.untyped_storage()
        return tensor.detach()  # an operation that holds its own output, with its history, would never be freed

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        output = function(*inputs)  # noqa: F841  kept until the count is done, or its memory would be used again
    return sum(storage.nbytes() for storage in found.values())


@dataclass(frozen=True)
class StepMemory:
    """Of one training step, in MiB: `saved` between forward and backward, `peak` at the highest point."""

    saved: float
    peak: float


def step_memory(loss: Callable[[], torch.Tensor], parameters: Iterable[nn.Parameter]) -> StepMemory:
    """Measure a training step: `loss()` runs forwards, then its gradients go to `parameters`.

    The gradients are there before, as in every step but a training's first. They and the parameters do not count.
    """
    parameters = list(parameters)
    for p in parameters:
        p.grad = torch.zeros_like(p)
    saved = saved_bytes(loss, parameters=parameters)
    with LiveMemory() as live:
        loss().backward()
    return StepMemory(saved / MIB, live.peak / MIB)
