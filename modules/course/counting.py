"""Count what a network computes in two ways that must agree: at every operation, and at every layer."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from .measure import parameters

LAYERS = (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)
# A matrix product of two activations, as in attention. It is no layer, so hooks on layers do not see it.
MATMULS = ("bmm", "baddbmm", "scaled_dot_product")


@dataclass(frozen=True)
class Count:
    """Parameters of a network, and billions of multiply-adds of one call.

    `gmac` is counted at every operation that torch runs, `layers` by hooks on convolutions and linear layers alone, and
    `matmul` is the part of `gmac` that multiplies activations with each other: there hooks are blind.
    """

    parameters: int
    gmac: float
    layers: float
    matmul: float

    @property
    def agree(self) -> bool:
        """Whether the two counters differ by exactly that part."""
        return abs(self.gmac - self.layers - self.matmul) <= 1e-6 * self.gmac


class LayerCounter:
    """Multiply-adds of all convolutions and linear layers of `network`, as hooks on them find out."""

    def __init__(self, network: nn.Module):
        self.macs = 0
        self.layers = [layer for layer in network.modules() if isinstance(layer, LAYERS)]

    def __enter__(self):
        self.hooks = [layer.register_forward_hook(self.count) for layer in self.layers]
        return self

    def __exit__(self, *error):
        for hook in self.hooks:
            hook.remove()

    def count(self, layer, inputs, output):
        # Each number of the output, or of a transposed convolution's input, takes part in so many products.
        turned = isinstance(layer, nn.ConvTranspose2d)
        self.macs += (inputs[0] if turned else output).numel() * layer.weight[0].numel()


def count(network: nn.Module, call: Callable, x: torch.Tensor) -> Count:
    """Count `call(x)`, which runs `network`. On the meta device nothing is computed, and large networks cost nothing."""
    operations = FlopCounterMode(display=False)
    with torch.no_grad(), LayerCounter(network) as layers, operations:
        call(x)
    by_kind = {str(kind): flops for kind, flops in operations.get_flop_counts().get("Global", {}).items()}
    matmul = sum(flops for kind, flops in by_kind.items() if any(word in kind for word in MATMULS))
    return Count(parameters(network), operations.get_total_flops() / 2e9, layers.macs / 1e9, matmul / 2e9)
