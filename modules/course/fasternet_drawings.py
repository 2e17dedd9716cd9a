"""The drawing of lesson 06: which input channels each output channel of a convolution reads."""

from collections.abc import Sequence

import matplotlib.pyplot as plt

from .pictures import BLUE, GREEN, SKY


def draw_layers() -> None:
    """A full, a depthwise and a partial convolution of eight channels, side by side."""
    fig, axes = plt.subplots(1, 3, figsize=(8.5, 3))
    draw_layer(axes[0], "full", full=range(8))
    draw_layer(axes[1], "depthwise", alone=range(8))
    draw_layer(axes[2], "partial", full=range(2), passed=range(2, 8))


def draw_layer(ax, title: str, full: Sequence = (), alone: Sequence = (), passed: Sequence = ()) -> None:
    """Input channels left, output channels right: convolved together, each alone, or passed on."""
    for i in range(8):
        for x in (0, 1):
            colour = "0.85" if i in passed else SKY
            ax.add_patch(plt.Rectangle((x - 0.06, 7.6 - i), 0.12, 0.8, fc=colour, ec="white"))
        if i in alone or i in passed:
            ax.plot([0.06, 0.94], [8 - i, 8 - i], color=GREEN if i in alone else "0.75")
        for j in full if i in full else ():
            ax.plot([0.06, 0.94], [8 - i, 8 - j], color=BLUE, lw=0.8)
    ax.set(title=title, xlim=(-0.2, 1.2), ylim=(0.3, 8.8))
    ax.axis("off")
