"""The comparison's figures: scores against a cost, and the epochs of the trainings."""

from collections.abc import Iterable

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, NullLocator
from PIL import Image

from . import results
from .costs import best_for_less
from .fire import fire_pictures
from .pictures import BLUE, GREEN, ORANGE, PINK, RED, SKY, draw_boxes

FAMILIES = {"EMO": BLUE, "RepViT": GREEN, "FasterNet": ORANGE, "RevCol": RED, "TinyNet": PINK, "iRMB": SKY}
# Where a name may stand beside its point, in points and by which of its ends; the first that is free is taken.
BESIDE = [(x, y, side) for y in (8, 0, -8) for x, side in ((8, "left"), (-8, "right"))]
FARTHER = [(x, y, side) for y in (18, -18, 28, -28) for x, side in ((8, "left"), (-8, "right"))]
PLACES = [*BESIDE, (0, 14, "center"), (0, -14, "center"), *FARTHER]


def colour_of(name: str) -> str:
    """One colour for each family of models, the same in all figures; stock models are grey."""
    return next((colour for family, colour in FAMILIES.items() if family.lower() in name.lower()), "0.45")


def accuracy_against(ax, cost: dict[str, float], label: str) -> None:
    """Mean mAP50 of each model, and the range over its seeds, against what it costs: {model: a number}.

    A hollow marker stands for one seed. Grey steps are the front of the models with several seeds.
    """
    models = results.trained(cost)
    points = {name: (cost[name], model.of("mAP50").mean()) for name, model in models.items()}
    for name, model in models.items():
        colour, scores = colour_of(name), model.of("mAP50")
        ax.plot([cost[name]] * 2, [scores.min(), scores.max()], color=colour, lw=2, alpha=0.6)
        ax.plot(*points[name], "o", color=colour, mfc=colour if len(scores) > 1 else "white")
    firm = {name: points[name] for name, model in models.items() if len(model.seeds) > 1}
    if front := [firm[name] for name in best_for_less(firm)]:
        corners = [(x, y) for (_, y), (x, _) in zip(front, front[1:])]
        steps = [
            front[0],
            *(point for pair in zip(corners, front[1:]) for point in pair),
            (max(cost.values()), front[-1][1]),
        ]
        ax.plot(*zip(*steps), color="0.75", zorder=0)
    ax.margins(x=0.15, y=0.1)
    ax.set(xlabel=label, ylabel="mean mAP50, and range over the seeds")
    write_names(ax, points)


def explain(figure) -> None:
    """Say below a figure of `accuracy_against` what its bars, hollow markers and grey steps are."""
    drawn = {
        "range over the seeds": {"color": "0.45", "lw": 2, "alpha": 0.6},
        "one seed": {"color": "0.45", "marker": "o", "mfc": "white", "ls": ""},
        "no other model with several seeds is both better and cheaper": {"color": "0.75"},
    }
    handles = [Line2D([], [], label=label, **how) for label, how in drawn.items()]
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles), fontsize=9)


def write_names(ax, points: dict[str, tuple[float, float]]) -> None:
    """Write each model's name beside its point, in the first of PLACES where it is free.

    It covers no line and no other name, and of all points its own is by far the nearest.
    """
    ax.figure.draw_without_rendering()  # only then it is known where things are
    lines = [line.get_path().transformed(ax.transData) for line in ax.lines]
    dots = {name: ax.transData.transform(point) for name, point in points.items()}
    taken = []
    for name, point in points.items():
        text = ax.annotate(name.removeprefix("yolo11n-"), point, (0, 0), textcoords="offset points", fontsize=10)
        text.set(color=colour_of(name), va="center", in_layout=False)
        text.set_bbox({"fc": "white", "ec": "none", "pad": 0.5})
        for x, y, side in PLACES:
            text.set(position=(x, y), ha=side)
            box = text.get_window_extent().padded(2)
            inside = ax.bbox.x0 < box.x0 and box.x1 < ax.bbox.x1
            free = not any(box.overlaps(other) for other in taken)
            free &= not any(line.intersects_bbox(box, filled=False) for line in lines)
            others = [distance(box, dot) for other, dot in dots.items() if other != name]
            if inside and free and 1.5 * distance(box, dots[name]) < min(others, default=np.inf):
                break
        taken.append(box)


def distance(box, point: np.ndarray) -> float:
    """How far, in pixels, a point (x, y) lies from the nearest place of a box; 0 inside."""
    return float(np.hypot(*np.maximum(0, np.maximum(box.min - point, point - box.max))))


def costs_figure():
    """Scores of the models that are no variants against GMAC, and against milliseconds where those were measured."""
    models, (times, size, threads) = results.main_models(), results.latencies()
    costs = {"GMAC of the fused network": {name: model.of("gmac")[0] for name, model in models.items()}}
    if set(times) & set(models):
        costs |= {f"milliseconds on a CPU, fused, {size} px, threads: {threads}": times}
    fig, axes = plt.subplots(1, len(costs), figsize=(6 * len(costs), 4.3), sharey=True, squeeze=False)
    for ax, (label, cost) in zip(axes[0], costs.items()):
        accuracy_against(ax, {name: cost[name] for name in models if name in cost}, label)
    explain(fig)
    return fig


def draws_figure(scores: dict[str, np.ndarray], difference: np.ndarray):
    """Histograms of what a bootstrap has drawn: the score of each model, and beside it their difference."""
    fig, axes = plt.subplots(1, 2, figsize=(9, 3))
    for name, drawn in scores.items():
        axes[0].hist(drawn, bins=30, alpha=0.6, label=name)
    axes[1].hist(difference, bins=30, color=GREEN)
    axes[1].axvline(0, color=RED, ls="--")
    axes[0].set(xlabel=f"mAP50, {len(difference)} draws")
    axes[0].legend()
    axes[1].set(xlabel=" minus ".join(scores))
    axes[1].locator_params(axis="x", nbins=6)
    return fig


def draw_curves(ax, what: str, names: Iterable[str], colours: dict[str, str] | None = None) -> None:
    """A column of curves.csv over the epochs, a line for each model and the range of its seeds around it.

    A model whose trainings did not measure it has no line. `colours` replaces those of the models' families.
    """
    for name in names:
        epochs, lines = results.curve(name, what)
        lines = lines[np.isfinite(lines).any(1)] if len(lines) else np.zeros((0, 0))
        if not len(lines):
            continue
        there, colour = np.isfinite(lines).all(0), (colours or {}).get(name, colour_of(name))
        ax.plot(epochs[there], lines[:, there].mean(0), ".-", ms=4, color=colour, label=name)
        ax.fill_between(epochs[there], lines[:, there].min(0), lines[:, there].max(0), color=colour, alpha=0.2)
    ax.set(xlabel="epoch", title=results.CURVES[what])


def curves_figure(names: Iterable[str]):
    """Losses, on a logarithmic axis, and mAP50 over the epochs, a panel for each of them that was measured."""
    names = list(names)
    seen = [what for what in results.CURVES if any(np.isfinite(results.curve(name, what)[1]).any() for name in names)]
    fig, axes = plt.subplots(1, max(1, len(seen)), figsize=(4 * max(1, len(seen)), 4), squeeze=False)
    for ax, what in zip(axes[0], seen):
        draw_curves(ax, what, names)
        if what != "mAP50":
            ax.set_yscale("log")
            ax.yaxis.set_major_locator(FixedLocator((4, 6, 8, 12, 20)))
            ax.yaxis.set_major_formatter("{x:g}")
            ax.yaxis.set_minor_locator(NullLocator())
    if seen:
        fig.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=6, fontsize=10)
    else:
        axes[0, 0].set(title="no training is finished yet", xticks=[], yticks=[])
    return fig


def families_figure(lesson: str):
    """Training loss and mAP50 over the epochs of the models that a lesson varies, each beside its variants."""
    families = results.families(lesson)
    columns = max(1, len(families))
    fig, axes = plt.subplots(2, columns, figsize=(4 * columns, 5), sharex=True, sharey="row", squeeze=False)
    for column, (name, variants) in zip(axes.T, families.items()):
        colours = {model.name: colour for model, colour in zip(variants, ("black", "0.6", PINK))}
        for ax, what in zip(column, ("train_loss", "mAP50")):
            draw_curves(ax, what, [name, *colours], colours)
        column[0].legend(fontsize=9)
        column[0].set(xlabel="")
    if not families:
        axes[0, 0].set(title="no variant is trained yet")
    return fig


def gallery(cases: list, colour: str, title: str, shown: int = 5):
    """The surroundings of the first boxes; a case is the number of a validation picture, and x1, y1, x2, y2 in parts."""
    fig, axes = plt.subplots(1, shown, figsize=(1.25 * shown, 1.5))
    pictures = fire_pictures("val")
    for ax in axes:
        ax.axis("off")
    for ax, (number, box) in zip(axes, cases):
        with Image.open(pictures[number]) as image:
            ax.imshow(image.convert("RGB"))
            size = np.array(image.size)
        low, high = np.reshape(box, (2, 2)) * size
        side = max(high - low)
        half = max(min(1.5 * max(side, 16), size.min() / 2), 0.55 * side)  # a box is always seen whole
        x, y = np.clip((low + high) / 2, np.minimum(half, size / 2), np.maximum(size - half, size / 2))
        draw_boxes(ax, [(*low, *high)], colour)
        ax.set(xlim=(x - half, x + half), ylim=(y + half, y - half))
    part = f"{shown} of " if len(cases) > shown else ""
    fig.suptitle(f"{title}: {part}{len(cases)}", fontsize=10)
    return fig
