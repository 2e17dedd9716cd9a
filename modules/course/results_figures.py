"""The comparison's figures: scores against a cost, and the epochs of the trainings."""

from collections.abc import Iterable

import matplotlib.pyplot as plt
import numpy as np
from PIL import Image

from . import results
from .fire import fire_pictures
from .pictures import GREEN, RED, draw_boxes


def accuracy_against(ax, cost: dict[str, float], label: str) -> None:
    """Mean mAP50 of each model, and the range over its seeds, against what it costs: {model: a number}.

    Names stand right of their dots; where two would touch, the upper one moves up.
    """
    models = sorted(results.trained(cost).items(), key=lambda item: item[1].of("mAP50").mean())
    means = [model.of("mAP50").mean() for _, model in models]
    free = 0
    for (name, model), mean in zip(models, means):
        scores, x = model.of("mAP50"), cost[name]
        height = max(mean, free)
        free = height + 0.07 * np.ptp(means)
        ax.plot([x, x], [scores.min(), scores.max()], color="0.6", zorder=1)
        ax.scatter(x, mean, zorder=2)
        where = {"xytext": (14, height), "textcoords": ("offset points", "data"), "va": "center", "fontsize": 10}
        ax.annotate(name, (x, mean), **where, arrowprops={"arrowstyle": "-", "color": "0.6", "lw": 0.6})
    ax.margins(x=0.15)
    ax.set(xlabel=label, ylabel="mAP50, mean and range over the seeds")


def costs_figure():
    """Scores of the models that are no variants against GMAC, and against milliseconds where those were measured."""
    models, (times, how) = results.main_models(), results.latencies()
    costs = {"GMAC of the fused network": {name: model.of("gmac")[0] for name, model in models.items()}}
    costs |= {how: times} if set(times) & set(models) else {}
    fig, axes = plt.subplots(1, len(costs), figsize=(6 * len(costs), 4), sharey=True, squeeze=False)
    for ax, (label, cost) in zip(axes[0], costs.items()):
        accuracy_against(ax, cost, label)
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


def draw_curves(ax, what: str, names: Iterable[str]) -> None:
    """A column of curves.csv over the epochs, a line for each model and the range of its seeds around it.

    A model whose trainings did not measure it has no line; the others keep their colours.
    """
    for i, name in enumerate(names):
        epochs, lines = results.curve(name, what)
        lines = lines[np.isfinite(lines).any(1)] if len(lines) else np.zeros((0, 0))
        if not len(lines):
            continue
        there = np.isfinite(lines).all(0)
        ax.plot(epochs[there], lines[:, there].mean(0), ".-", ms=4, color=f"C{i}", label=name)
        ax.fill_between(epochs[there], lines[:, there].min(0), lines[:, there].max(0), color=f"C{i}", alpha=0.2)
    ax.set(xlabel="epoch", title=results.CURVES[what])


def curves_figure(names: Iterable[str]):
    """Losses and mAP50 over the epochs, a panel for each of them that was measured."""
    names = list(names)
    seen = [what for what in results.CURVES if any(np.isfinite(results.curve(name, what)[1]).any() for name in names)]
    fig, axes = plt.subplots(1, max(1, len(seen)), figsize=(4 * max(1, len(seen)), 4), squeeze=False)
    for ax, what in zip(axes[0], seen):
        draw_curves(ax, what, names)
    if seen:
        axes[0, 0].legend(*axes[0, 0].get_legend_handles_labels(), fontsize=8)
    else:
        axes[0, 0].set(title="no training is finished yet", xticks=[], yticks=[])
    return fig


def families_figure(lesson: str):
    """Training loss and mAP50 over the epochs of the models that a lesson varies, each beside its variants."""
    families = results.families(lesson)
    columns = max(1, len(families))
    fig, axes = plt.subplots(2, columns, figsize=(4 * columns, 5), sharex=True, sharey="row", squeeze=False)
    for column, (name, variants) in zip(axes.T, families.items()):
        for ax, what in zip(column, ("train_loss", "mAP50")):
            draw_curves(ax, what, [name, *(model.name for model in variants)])
        column[0].legend(fontsize=9)
        column[0].set(xlabel="")
    if not families:
        axes[0, 0].set(title="no variant is trained yet")
    return fig


def gallery(cases: list, colour: str, title: str, shown: int = 5):
    """The surroundings of the first boxes; a case is the number of a validation picture, and x1, y1, x2, y2 in parts."""
    fig, axes = plt.subplots(1, shown, figsize=(1.1 * shown, 1.4))
    pictures = fire_pictures("val")
    for ax in axes:
        ax.axis("off")
    for ax, (number, box) in zip(axes, cases):
        with Image.open(pictures[number]) as image:
            ax.imshow(image.convert("RGB"))
            x1, y1, x2, y2 = box * np.tile(image.size, 2)
        margin = max(x2 - x1, y2 - y1, 24)
        draw_boxes(ax, [(x1, y1, x2, y2)], colour)
        ax.set(xlim=(x1 - margin, x2 + margin), ylim=(y2 + margin, y1 - margin))
    fig.suptitle(f"{title}: {len(cases)}", fontsize=10)
    return fig
