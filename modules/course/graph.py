"""Draw a YOLO model from its YAML: one dot a row, placed by its stride and named below, one line a `from`."""

from matplotlib.axes import Axes
from matplotlib.patches import ConnectionStyle, FancyArrowPatch

from ..trace import model_rows
from .pictures import BLUE, GREEN, RED


def draw_model(model: str, ax: Axes, imgsz: int = 640) -> None:
    """Draw `model`, a YAML's name, into `ax`. Left is the picture, right the detection head; coarser maps lie lower."""
    rows = model_rows(model, imgsz)
    first_upsample = next(row.index for row in rows if row.module == "Upsample")
    # A backbone's own row and the detector have several strides: they stand beside the picture and the middle one.
    level = {row.index: row.stride or (1 if row.index == 0 else 16) for row in rows}
    for row in rows:
        colour = BLUE if row.index < first_upsample else RED if row is rows[-1] else GREEN
        ax.plot(row.index, level[row.index], "o", color=colour, markersize=9, zorder=3)
        for source in row.source if isinstance(row.source, list) else [row.source]:
            start = row.index - 1 if source == -1 else source
            if start >= 0:
                bend = 0 if row.index - start == 1 or start == 0 else -0.25
                ax.add_patch(
                    FancyArrowPatch(
                        (start, level[start]),
                        (row.index, level[row.index]),
                        connectionstyle=ConnectionStyle.Arc3(rad=bend),
                        arrowstyle="-|>",
                        mutation_scale=8,
                        shrinkA=5,
                        shrinkB=5,
                        color="0.6",
                    )
                )
    ax.set_yscale("log", base=2)
    ax.set_yticks([1, 2, 4, 8, 16, 32], ["picture", "P1 /2", "P2 /4", "P3 /8", "P4 /16", "P5 /32"])
    ax.set_ylim(50, 0.45)
    ax.set_xlim(-0.7, len(rows) + 0.8)
    ax.set_xticks(range(len(rows)), [f"{row.index} {row.module}" for row in rows], rotation=90, fontsize=10)
    ax.set_title(model)
