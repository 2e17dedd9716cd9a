"""How the course's figures look."""

import matplotlib

# Wong's colours, which colour-blind readers can tell apart (Nature Methods 8, 441, 2011).
ORANGE, SKY, GREEN, BLUE, RED, PINK = "#E69F00", "#56B4E9", "#009E73", "#0072B2", "#D55E00", "#CC79A7"

STYLE = {
    "figure.dpi": 72,
    "savefig.dpi": 72,
    "figure.constrained_layout.use": True,
    "font.size": 12,
    "axes.prop_cycle": matplotlib.cycler(color=[BLUE, ORANGE, GREEN, RED, PINK, SKY]),
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
}


def style() -> None:
    """Give all figures drawn from here on the course's look."""
    matplotlib.rcParams.update(STYLE)


def draw_lines(ax, lines: dict, xlabel: str, ylabel: str, x=None) -> None:
    """Draw a line for each entry {label: numbers}, over `x` or over their places."""
    for label, numbers in lines.items():
        ax.plot(range(len(numbers)) if x is None else x, numbers, label=label)
    ax.set(xlabel=xlabel, ylabel=ylabel)
    ax.legend()


def draw_boxes(ax, boxes, colour: str, labels=(), dashed: bool = False) -> None:
    """Draw `boxes`, rows of x1, y1, x2, y2 in pixels, onto a picture; `labels` stand above them."""
    for i, (x1, y1, x2, y2) in enumerate(boxes):
        edge = matplotlib.patches.Rectangle((x1, y1), x2 - x1, y2 - y1, fill=False, ec=colour, lw=2)
        edge.set_linestyle("--" if dashed else "-")
        ax.add_patch(edge)
        if i < len(labels):
            text = {"facecolor": colour, "edgecolor": "none", "pad": 1}
            ax.text(x1, y1, labels[i], fontsize=9, color="white", va="bottom", bbox=text, clip_on=True)
