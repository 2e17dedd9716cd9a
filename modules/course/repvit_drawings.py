"""The drawings of lesson 05: two blocks side by side, kernels and what they make of a picture, a network with its taps."""

from functools import cache

import matplotlib.pyplot as plt
import numpy as np
import torch
import torch.nn.functional as F
from matplotlib.figure import Figure
from PIL import Image
from torch import Tensor, nn

from .fire import fire_pictures
from .pictures import BLUE, GREEN, ORANGE, PINK, SKY


def draw_blocks() -> None:
    """The blocks of MobileNetV3 and RepViT: the height of a box is its number of channels, a grey line is a skip."""
    up, down = ("1x1 up", 1.1, SKY), ("1x1 down", 0.5, SKY)
    one_skip = [up, ("3x3\ndepthwise", 1.1, GREEN), ("SE", 1.1, PINK), down]
    apart = [("3x3\ndepthwise", 0.5, GREEN), ("SE", 0.5, PINK), ("1x1 up", 0.8, SKY), down]
    fig, ax = plt.subplots(figsize=(9, 3.4))
    draw_chain(ax, 2.4, "MobileNetV3", one_skip, [(0, 3)])
    draw_chain(ax, 0.7, "RepViT", apart, [(0, 0), (2, 3)])
    ax.set(xlim=(-2.2, 6.1), ylim=(0.2, 3.2))
    ax.axis("off")


def draw_chain(ax, y: float, name: str, boxes: list[tuple], skips: list[tuple[int, int]]) -> None:
    """Boxes (label, height, colour) in a row, and a skip around each (first, last) of them."""
    ax.text(-0.4, y, name, ha="right", va="center")
    for x, (label, height, colour) in enumerate(boxes):
        ax.add_patch(plt.Rectangle((1.5 * x, y - height / 2), 1.2, height, fc=colour, alpha=0.4))
        ax.text(1.5 * x + 0.6, y, label, ha="center", va="center", fontsize=10)
    for first, last in skips:
        left, right = 1.5 * first - 0.15, 1.5 * last + 1.35
        ax.plot([left, left, right, right], [y, y + 0.62, y + 0.62, y], color="grey", lw=1.5)


@cache
def grey_campfire() -> Tensor:
    """A fire picture in grey, (1, 1, 96, 96), from -1 to 1."""
    picture = Image.open(fire_pictures(kind="campfire")[0]).convert("L").resize((96, 96))
    return (torch.from_numpy(np.array(picture)) / 127.5 - 1)[None, None]


@torch.no_grad()
def draw_kernels(kernels: dict[str, Tensor]) -> Figure:
    """Kernels (1, 1, 3, 3) by name, and below each what it makes of a fire picture."""
    fig, axes = plt.subplots(2, len(kernels), figsize=(9, 4.6))
    for (top, below), (name, kernel) in zip(axes.T, kernels.items()):
        top.imshow(kernel[0, 0], cmap="PuOr", vmin=-2, vmax=2)
        top.set_title(name)
        for row, column in np.ndindex(3, 3):
            value = kernel[0, 0, row, column]
            top.text(column, row, f"{value:.1f}", color="k" if value.abs() < 1 else "w", ha="center", va="center")
        below.imshow(F.conv2d(grey_campfire(), kernel, padding=1)[0, 0], cmap="gray", vmin=-2, vmax=2)
    for ax in axes.flat:
        ax.axis("off")
    return fig


def draw_bars(values: dict[str, dict[str, float]]) -> None:
    """One panel for each title, with a bar for each name in it. The panels share their names."""
    fig, axes = plt.subplots(1, len(values), figsize=(9, 3.6), sharey=True)
    for ax, (title, bars) in zip(axes, values.items()):
        ax.barh(list(bars), list(bars.values()))
        ax.set_title(title)
    axes[0].invert_yaxis()


def draw_parts(backbone: nn.Module) -> None:
    """All parts of a RepViT from the stem on, as bars of the side of their map at 224 px, and its four taps."""
    fig, ax = plt.subplots(figsize=(10, 2.6))
    side, colours = 56, {"stem": "0.6", "SE": BLUE, "plain": SKY, "stride 2": GREEN}
    for i, part in enumerate(backbone.features):
        kind = kind_of(part)
        side = side // 2 if kind == "stride 2" else side
        seen = kind in ax.get_legend_handles_labels()[1]
        ax.bar(i, side, color=colours[kind], width=0.8, label=None if seen else kind)
    for name, tap in zip(("P2", "P3", "P4", "P5"), backbone.taps):
        ax.axvline(tap + 0.5, color=ORANGE, lw=2)
        ax.text(tap + 0.7, 58, name, color=ORANGE)
    ax.set(xlabel=f"part of {type(backbone).__name__}", ylabel="side of the map", ylim=(0, 66))
    ax.legend(ncols=4, loc="center", bbox_to_anchor=(0.55, 0.6))


def kind_of(part: nn.Module) -> str:
    """What stands in this place of a RepViT: its stem, or a block with SE, without, or with stride 2."""
    if not hasattr(part, "token_mixer"):
        return "stem"
    if len(part.token_mixer) == 3:
        return "stride 2"
    return "plain" if isinstance(part.token_mixer[1], nn.Identity) else "SE"
