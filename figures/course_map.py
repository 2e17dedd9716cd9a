"""The map of the course: from one YAML row to a detector, and the four backbones that can stand in its place."""

import hashlib
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.patches import Circle, FancyArrowPatch, FancyBboxPatch, Polygon, Rectangle

# Okabe and Ito's colours: told apart by everybody
BLUE, SKY, GREEN, ORANGE, RED, PINK = "#0072B2", "#56B4E9", "#009E73", "#E69F00", "#D55E00", "#CC79A7"
INK, SOFT, LINE, PAPER = "#1f2933", "#5b6770", "#c3ccd4", "#f6f8fa"


def text(ax, x, y, words, size=12, colour=INK, **more):
    ax.text(x, y, words, **{"size": size, "color": colour, "ha": "center", "va": "center", **more})


def card(ax, x, y, width, height, edge=LINE, face="white"):
    style = "round,pad=0,rounding_size=1.2"
    ax.add_patch(FancyBboxPatch((x, y), width, height, boxstyle=style, fc=face, ec=edge, lw=1.6))


def arrow(ax, start, end, colour=SOFT, width=1.8, bend=0.0):
    style = f"arc3,rad={bend}"
    ax.add_patch(
        FancyArrowPatch(
            start,
            end,
            arrowstyle="-|>",
            mutation_scale=15,
            lw=width,
            color=colour,
            connectionstyle=style,
            shrinkA=0,
            shrinkB=0,
        )
    )


def lesson(ax, x, y, number, colour=INK):
    ax.add_patch(Circle((x, y), 2.1, fc=colour, ec="white", lw=1.5, zorder=5))
    text(ax, x, y - 0.05, number, 11, "white", weight="bold", zorder=6)


def feature_map(ax, x, y, side, channels, colour):
    """A stack of square maps seen from the side; (x, y) is the middle of its left edge. Returns its right edge."""
    lean, height = 0.32 * side, side
    for n in reversed(range(channels)):
        left = x + 0.75 * n
        corners = [
            (left, y - height / 2),
            (left + lean, y - height / 2 + lean),
            (left + lean, y + height / 2 + lean),
            (left, y + height / 2),
        ]
        ax.add_patch(Polygon(corners, closed=True, fc=colour, ec="white", lw=1.1))
    return x + 0.75 * (channels - 1) + lean


def yaml_card(ax):
    card(ax, 2, 54, 36, 25)
    text(ax, 4, 75.5, "yolo11-EMO.yaml", 13, weight="bold", ha="left")
    rows = [
        ("backbone:", INK),
        ("  - [-1, 1, EMO_1M, [width]]", BLUE),
        ("  - [-1, 1, SPPF, [1024, 5]]", SOFT),
        ("  - [-1, 2, C2PSA, [1024]]", SOFT),
        ("head:", INK),
        ("  ...", SOFT),
    ]
    for n, (row, colour) in enumerate(rows):
        bold = "bold" if colour == BLUE else "normal"
        text(ax, 4, 71.2 - 2.75 * n, row, 10.5, colour, family="monospace", weight=bold, ha="left")
    lesson(ax, 38, 79, "01")


def registry_card(ax):
    card(ax, 46, 54, 24, 25)
    text(ax, 58, 75.5, "registry.py", 13, weight="bold")
    for n, line in enumerate(["tells YOLO what the", "class takes and gives;", "one row becomes five:"]):
        text(ax, 58, 71.4 - 2.6 * n, line, 11, SOFT)
    for n in range(5):
        x = 48.6 + 3.85 * n
        ax.add_patch(Rectangle((x, 57), 3.3, 4.6, fc=BLUE if n == 0 else SKY, ec="white"))
        text(ax, x + 1.65, 59.3, "EMO" if n == 0 else f"P{n + 1}", 8.2, "white" if n == 0 else INK, weight="bold")
    lesson(ax, 70, 79, "01")


def backbone(ax):
    """Four feature maps, each half as wide and high as the one before it. Returns the right edges of P3, P4, P5."""
    card(ax, 78, 50.5, 45, 32, edge=BLUE, face=PAPER)
    text(ax, 100.5, 79.8, "backbone: written by hand", 13, BLUE, weight="bold")
    text(ax, 108, 76.6, "a picture of 640 px gives", 10.5, SOFT)
    middle, ends = 63.5, []
    for x, side, channels, name, size in [
        (80.5, 15, 2, "P2", "160²"),
        (90.8, 10, 4, "P3", "80²"),
        (101, 6.2, 7, "P4", "40²"),
        (112.2, 3.6, 10, "P5", "20²"),
    ]:
        ends.append(feature_map(ax, x, middle, side, channels, BLUE if name != "P2" else SKY))
        text(ax, x + 2.5, 53.9, f"{name}  {size}", 10.5, INK, ha="left", weight="bold")
    return ends[1:]


def neck_and_head(ax):
    """YOLO's own half: three scales that exchange what they know, then boxes."""
    text(ax, 134.5, 79.8, "neck", 13, weight="bold")
    text(ax, 147.8, 79.8, "head", 13, weight="bold")
    lesson(ax, 155.5, 79.8, "00")
    heights = (73, 64.5, 56)
    arrow(ax, (123.4, 66.5), (127.6, 66.5), width=2.4)
    for y in heights:
        for x in (130.5, 138.5):
            ax.add_patch(Circle((x, y), 1.55, fc="white", ec=INK, lw=1.8, zorder=4))
        arrow(ax, (132.3, y), (136.7, y))
        arrow(ax, (140.3, y), (144.0, y))
    for above, below in zip(heights, heights[1:]):
        arrow(ax, (130.5, below + 1.8), (130.5, above - 1.8))  # first upwards, from coarse to fine
        arrow(ax, (138.5, above - 1.8), (138.5, below + 1.8))  # then down again
    for y, cells in zip(heights, (8, 4, 2)):
        step = 6.4 / cells
        for n in range(cells * cells):
            corner = (144.6 + step * (n % cells), y - 3.2 + step * (n // cells))
            ax.add_patch(Rectangle(corner, step, step, fc=PAPER, ec=LINE, lw=0.7))
    for x, y, width, height in [(146.0, 71.4, 1.7, 2.6), (145.8, 63, 2.9, 3.6), (145.3, 53.6, 4.9, 5)]:
        ax.add_patch(Rectangle((x, y), width, height, fc="none", ec=RED, lw=2.4, zorder=5))
    for y, name in zip(heights, ("small", "medium", "large")):
        text(ax, 152, y, name, 10.5, SOFT, ha="left")


def windows(ax, x, y):
    """EMO: every second position forms one window (attention), and a 3 x 3 convolution mixes neighbours."""
    for n in range(36):
        row, column = divmod(n, 6)
        colour = [ORANGE, SKY, "#dfe6ec", GREEN][2 * (row % 2) + column % 2]
        ax.add_patch(Rectangle((x + 1.9 * column, y + 1.9 * row), 1.75, 1.75, fc=colour, ec="none"))
    ax.add_patch(Rectangle((x + 3.72, y + 3.72), 5.55, 5.55, fc="none", ec=INK, lw=2))


def branches(ax, x, y):
    """RepViT: three branches while it trains, one convolution when it works."""
    for n, (label, colour) in enumerate([("3×3", GREEN), ("1×1", SKY), ("id", ORANGE)]):
        top = y + 8.3 - 3.9 * n
        ax.add_patch(Rectangle((x + 0.4, top), 4.6, 2.9, fc=colour, ec="none"))
        text(ax, x + 2.7, top + 1.4, label, 9, "white" if n == 0 else INK, weight="bold")
        arrow(ax, (x + 5.2, top + 1.4), (x + 7.8, y + 5.9), width=1.2)
    ax.add_patch(Rectangle((x + 8, y + 4.3), 4.6, 3.2, fc=GREEN, ec=INK, lw=1.6))
    text(ax, x + 10.3, y + 5.9, "3×3", 9, "white", weight="bold")


def partial(ax, x, y):
    """FasterNet: a convolution on a quarter of the channels; the others pass untouched."""
    for n in range(8):
        worked = n < 2
        for left in (x + 0.4, x + 8.4):
            colour = (ORANGE if left == x + 0.4 else RED) if worked else "#dfe6ec"
            ax.add_patch(Rectangle((left, y + 9.9 - 1.42 * n), 3.6, 1.2, fc=colour, ec="none"))
        if worked:
            arrow(ax, (x + 4.2, y + 10.5 - 1.42 * n), (x + 8.2, y + 10.5 - 1.42 * n), RED, width=1.6)
        elif n % 2:
            ax.plot([x + 4.4, x + 8], [y + 10.5 - 1.42 * n] * 2, color=LINE, lw=1.4)


def columns(ax, x, y):
    """RevCol: several columns look at the picture, and each can be computed back from the next."""
    for column in range(3):
        left = x - 0.6 + 4.9 * column
        for level, side in enumerate((3.4, 2.7, 2.1, 1.6)):
            bottom = y + 0.1 + 2.95 * level
            ax.add_patch(
                Rectangle((left + (3.4 - side) / 2, bottom), side, 2.1, fc=PINK if column != 1 else BLUE, ec="none")
            )
        if column:
            for level in range(4):
                height = y + 1.15 + 2.95 * level
                ax.annotate(
                    "",
                    (left + 0.4, height),
                    (left - 1.4, height),
                    arrowprops={"arrowstyle": "<->", "color": SOFT, "lw": 1},
                )


FAMILIES = [
    ("EMO", ["02", "03", "04"], "attention in windows,", "inside an inverted residual", windows),
    ("RepViT", ["05"], "many branches to train,", "one convolution to work", branches),
    ("FasterNet", ["06"], "convolve one channel", "in four: fewer FLOPs", partial),
    ("RevCol", ["07"], "columns that can be", "undone: far less memory", columns),
]


def draw():
    figure, ax = plt.subplots(figsize=(16, 8.8), dpi=100)
    ax.set(xlim=(0, 160), ylim=(2, 90), aspect="equal")
    ax.axis("off")
    ax.set_position([0, 0, 1, 1])
    text(ax, 2, 87, "Backbones by Hand", 21, weight="bold", ha="left")
    text(ax, 46, 86.8, "one YAML row  →  a backbone written by hand  →  a YOLO that finds fire", 14, SOFT, ha="left")

    yaml_card(ax)
    arrow(ax, (38.6, 66.5), (45.4, 66.5), BLUE, 2.4)
    registry_card(ax)
    arrow(ax, (70.6, 66.5), (77.4, 66.5), BLUE, 2.4)
    backbone(ax)
    neck_and_head(ax)

    for n, (name, numbers, first, second, glyph) in enumerate(FAMILIES):
        left = 2 + 39.4 * n
        card(ax, left, 19, 37.6, 19, edge=BLUE if n == 0 else LINE)
        glyph(ax, left + 2.6, 22.4)
        text(ax, left + 16.6, 31.6, name, 15, weight="bold", ha="left")
        text(ax, left + 16.6, 27.4, first, 10, SOFT, ha="left")
        text(ax, left + 16.6, 24.6, second, 10, SOFT, ha="left")
        for i, number in enumerate(numbers):
            lesson(ax, left + 35.5 - 4.4 * (len(numbers) - 1 - i), 38, number)
        middle = left + 14
        ax.plot([middle, middle], [38, 44], color=BLUE, lw=2, zorder=0)
    ax.plot([16, 134.2], [44, 44], color=BLUE, lw=2)
    arrow(ax, (100.5, 44), (100.5, 50.2), BLUE, 2.4)
    text(ax, 99, 46.8, "any of the four fits here", 12, BLUE, ha="right", weight="bold")

    card(ax, 2, 4.5, 155.8, 9.5, face=PAPER)
    for x, number, name, what in [
        (6, "08", "Train on fire", "a fair comparison; why is my mAP 0"),
        (60, "09", "Take it home", "weights, export, your own fork"),
        (110, "10", "What it costs", "parameters, GMAC, time, memory"),
    ]:
        lesson(ax, x, 9.25, number)
        text(ax, x + 4, 10.7, name, 13, weight="bold", ha="left")
        text(ax, x + 4, 7.6, what, 11, SOFT, ha="left")
    return figure


if __name__ == "__main__":
    here = Path(__file__)
    # A test compares this with the file, and so finds a picture that is older than its code.
    source = hashlib.sha256(here.read_bytes()).hexdigest()
    draw().savefig(here.with_suffix(".png"), metadata={"Source": source})
