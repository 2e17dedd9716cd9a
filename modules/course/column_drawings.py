"""The drawings of lesson 07: a step that can be undone, columns, and the order in which levels are computed again."""

import matplotlib.pyplot as plt
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from .pictures import BLUE, GREEN, ORANGE, RED


def arrow(ax, start, end, colour="black", room=13) -> None:
    """An arrow that keeps `room` points away from what stands at its two ends."""
    look = {"arrowstyle": "-|>", "color": colour, "lw": 1.8, "shrinkA": room, "shrinkB": room}
    ax.annotate("", end, start, arrowprops=look)


def draw_step() -> None:
    """Two streams a and b: forwards F, then G is added; backwards G, then F is subtracted."""
    fig, axes = plt.subplots(1, 2, figsize=(10, 2.2))
    for ax, title, sign, functions in zip(axes, ("forwards", "backwards"), "+−", ("FG", "GF")):
        names = [("a", "a'"), ("b", "b'")]
        for y, (old, new) in zip((1, 0), names):
            start, end = (old, new) if title == "forwards" else (new, old)
            arrow(ax, (0.2, y), (2.8, y), room=0)
            ax.text(0, y, start, ha="center", va="center")
            ax.text(3, y, end, ha="center", va="center")
        for x, function in zip((1, 2), functions):
            source, target = (0, 1) if function == "F" else (1, 0)
            arrow(ax, (x, source), (x, target), BLUE, room=8)
            ax.text(x, 0.5, function, ha="center", va="center", bbox={"fc": "white", "ec": BLUE})
            ax.text(x, target, sign, ha="center", va="center", bbox={"fc": "white", "ec": RED, "boxstyle": "circle"})
        ax.set(title=title, xlim=(-0.2, 3.2), ylim=(-0.4, 1.4))
        ax.axis("off")


def draw_columns(ax, columns: int = 3) -> None:
    """Circles are maps; the colours tell the three kinds of arrows apart."""
    for column in range(columns):
        arrow(ax, (column, -1), (column, 0), BLUE)
        for level in range(4):
            ax.plot(column, level, "o", ms=24, mfc="white", mec="black")
            ax.text(column, level, f"$c_{level}$", ha="center", va="center")
            if level < 3:
                arrow(ax, (column, level), (column, level + 1), BLUE)
            if column + 1 < columns:
                arrow(ax, (column, level), (column + 1, level), GREEN)
                if level > 0:
                    arrow(ax, (column, level), (column + 1, level - 1), ORANGE)
        ax.text(column, 3.55, f"column {column}", ha="center")
    ax.plot([-0.3, columns - 0.7], [-1, -1], color="black", lw=6, solid_capstyle="round")
    ax.text(columns - 0.6, -1, "map of the stem", va="center")
    for y, colour, text in (
        (2.4, BLUE, "new map, made coarser"),
        (1.7, ORANGE, "old map, made finer"),
        (1.0, GREEN, "old map, times alpha"),
    ):
        ax.plot([columns - 0.55, columns - 0.35], [y, y], color=colour, lw=2.5)
        ax.text(columns - 0.28, y, text, va="center")
    ax.set(xlim=(-0.5, columns + 1.5), ylim=(-1.3, 3.9))
    ax.axis("off")


def draw_recomputation(ax, moments) -> None:
    """A segment on its way back. Each moment is (column, level, of which column the maps in the state are)."""
    for time, (column, level, state) in enumerate(moments):
        for i, owner in enumerate(state):
            weight = "bold" if i == level else "normal"
            ax.text(time, i, str(owner), ha="center", va="center", weight=weight)
        ax.add_patch(Rectangle((time - 0.5, level - 0.5), 1, 1, fill=False, ec=RED, lw=3, clip_on=False))
        if level == len(state) - 1:
            ax.axvline(time - 0.5, color="grey", lw=1)
            ax.text(time - 0.4, len(state) - 0.25, f"column {column} runs again")
    ax.set(xlim=(-0.5, len(moments) - 0.5), ylim=(-0.6, len(state) + 0.2), xticks=range(len(moments)))
    ax.set(yticks=range(len(state)), yticklabels=[f"$c_{i}$" for i in range(len(state))])
    ax.set_xlabel("moment of the backward pass")


def draw_maps(images: dict, **limits) -> Figure:
    """Pictures and channels of maps side by side, under their titles."""
    fig, axes = plt.subplots(1, len(images), figsize=(2.6 * len(images), 2.8))
    for ax, (title, image) in zip(axes, images.items()):
        ax.imshow(image, cmap="magma", **limits)
        ax.set_title(title)
        ax.axis("off")
    return fig


def draw_errors(curves: dict) -> None:
    """For each (dtype, alpha) the errors after 1, 2, ... columns were undone."""
    fig, ax = plt.subplots(figsize=(7.5, 3.6))
    colours = dict(zip(sorted({alpha for _, alpha in curves}), (RED, BLUE, GREEN)))
    for (kind, alpha), errors in curves.items():
        line, name = ("o-" if "32" in str(kind) else "s--"), str(kind).removeprefix("torch.")
        ax.semilogy(range(1, len(errors) + 1), errors, line, color=colours[alpha], ms=4, label=f"{name}, alpha {alpha}")
    ax.axhline(1, color="grey", lw=1)
    ax.set(xlabel="columns run backwards", ylabel="relative error of the maps")
    ax.legend(fontsize=9, bbox_to_anchor=(1, 1))


def draw_memory(memory: dict) -> None:
    """For each (columns, segment) the peak of a training step, as a line for each segment, on logarithmic axes."""
    fig, ax = plt.subplots(figsize=(6.5, 3.2))
    counts, segments = (sorted(set(numbers)) for numbers in zip(*memory))
    for segment, colour in zip(segments, (BLUE, GREEN, ORANGE)):
        name = f"segment {segment}" if segment else "plain"
        ax.plot(counts, [memory[count, segment].peak for count in counts], "o-", color=colour, label=name)
    ax.set(xlabel="columns", ylabel="peak, MiB", xscale="log", yscale="log")
    ax.set_xticks(counts, counts)
    ax.set_yticks(ticks := (30, 100, 300, 600), ticks)
    ax.minorticks_off()
    ax.legend()
