"""The drawings of lessons 02 and 04: blocks as chains of boxes, C2f_iRMB, and the groups in which positions attend."""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import BoundaryNorm, ListedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from .pictures import BLUE, GREEN, ORANGE, PINK, RED, SKY

# A box: its label, the channels that it hands out (in units of the block's widest map), its colour.
CHAINS = {
    "inverted residual": [("1x1 up", 0.9, SKY), ("3x3\ndepthwise", 0.9, GREEN), ("1x1 down", 0.45, SKY)],
    "feed-forward": [("1x1 up", 0.9, SKY), ("GELU", 0.9, PINK), ("1x1 down", 0.45, SKY)],
    "attention": [("1x1", 0.45, SKY), ("attention", 0.45, ORANGE), ("1x1", 0.45, SKY)],
    "iRMB": [
        ("norm", 0.45, PINK),
        ("attention\nin groups", 0.45, ORANGE),
        ("1x1 up", 0.9, SKY),
        ("depthwise\n+ skip", 0.9, GREEN),
        ("1x1 down", 0.45, SKY),
    ],
}

# Padding elsewhere, padding in the group, a position elsewhere, one in the group, the position that asks.
CELLS = ListedColormap(["#cccccc", "#777777", "#eef4f8", BLUE, RED])
LIMITS = BoundaryNorm([0, 0.3, 0.5, 1.5, 2.5, 3.5], 5)


def draw_chain(ax, y: float, name: str, boxes: list[tuple]) -> None:
    """One block at height `y`: its boxes in a row, and its skip as a grey line."""
    ax.text(-0.3, y, name, ha="right", va="center")
    for x, (label, height, colour) in enumerate(boxes):
        ax.add_patch(Rectangle((1.5 * x, y - height / 2), 1.2, height, fc=colour, alpha=0.35))
        ax.text(1.5 * x + 0.6, y, label, ha="center", va="center", fontsize=10)
        ax.annotate("", (1.5 * x + 1.5, y), (1.5 * x + 1.2, y), arrowprops={"arrowstyle": "->"})
    ax.plot([-0.1, -0.1, 1.5 * x + 1.6, 1.5 * x + 1.6], [y, y + 0.52, y + 0.52, y], color="grey", lw=1)
    ax.text(1.5 * x + 1.7, y + 0.52, "skip", color="grey", va="center", fontsize=10)


def draw_chains(ax) -> None:
    """The three known blocks and iRMB, one below the other."""
    for y, (name, boxes) in zip((4.9, 3.6, 2.2, 0.8), CHAINS.items()):
        draw_chain(ax, y, name, boxes)
    ax.set(xlim=(-2.8, 8.4), ylim=(0.2, 5.6))
    ax.axis("off")


def draw_groups(picture: int, window: int) -> Figure:
    """Who sees whom on the map of a `picture` (pixels, the map is 1/16 of it): strided groups beside tiles."""
    side = picture // 16
    groups = -(-side // window)
    padded = groups * window
    me = side // 2 // groups * groups + groups - 1  # near the middle, in the group that holds the last row
    index = np.arange(padded)
    fig, axes = plt.subplots(1, 2, figsize=(8, 4.3))
    for ax, label, title in zip(axes, (index % groups, index // window), ("strided", "tiles")):
        same = label == label[me]
        cells = np.where(same[:, None] & same[None], 2.0, 1.0)
        cells[side:] *= 0.2
        cells[:, side:] *= 0.2
        cells[me, me] = 3
        ax.imshow(cells, cmap=CELLS, norm=LIMITS)
        ax.set_title(f"{title}: {groups * groups} groups of {window}x{window}")
        ax.axis("off")
    real = (index[index % groups == me % groups] < side).sum()
    fig.suptitle(f"{side}x{side} map, padded to {padded}x{padded}; strided, one position sees {real**2} real ones")
    return fig


def draw_c2f(ax) -> None:
    """C2f_iRMB with two bottlenecks: what is computed below, what is kept above."""

    def box(x, y, label, colour, width=1.2):
        ax.add_patch(Rectangle((x, y), width, 0.7, fc=colour, alpha=0.45))
        ax.text(x + width / 2, y + 0.35, label, ha="center", va="center", fontsize=10)

    def arrow(start, end, bend=0):
        look = {"arrowstyle": "->", "color": "grey", "connectionstyle": f"arc3,rad={bend}"}
        ax.annotate("", end, start, arrowprops=look)

    box(0, 0, "cv1: 1x1", GREEN)
    for i, name in enumerate(("half 0", "half 1", "bottleneck\nwith iRMB", "bottleneck\nwith iRMB")):
        box(1.8 + 1.8 * i, 0, name, ORANGE if "iRMB" in name else SKY)
        arrow((2.4 + 1.8 * i, 0.7), (2.4 + 1.8 * i, 1.4))
        arrow((1.2 + 1.8 * i, 0.35), (1.8 + 1.8 * i, 0.35)) if i != 1 else arrow((0.6, 0), (4.2, 0), 0.25)
    box(1.8, 1.4, "all of them, one behind the other", "lightgrey", 6.6)
    arrow((8.4, 1.75), (9, 1.75))
    box(9, 1.4, "cv2: 1x1", GREEN)
    ax.set(xlim=(-0.1, 10.3), ylim=(-0.7, 2.2))
    ax.axis("off")
