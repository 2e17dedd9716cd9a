"""The comparison's figures: scores against a cost, and the epochs of the trainings."""

from collections.abc import Iterable

import matplotlib.pyplot as plt
import numpy as np

from . import results


def accuracy_against(ax, cost: dict[str, float], label: str) -> None:
    """Mean mAP50 of each model, and the range over its seeds, against what it costs: {model: a number}."""
    for name, model in results.trained(cost).items():
        scores, x = model.of("mAP50"), cost[name]
        ax.plot([x, x], [scores.min(), scores.max()], color="0.6", zorder=1)
        ax.scatter(x, scores.mean(), zorder=2)
        ax.annotate(name, (x, scores.mean()), xytext=(6, 4), textcoords="offset points", fontsize=10)
    ax.set(xlabel=label, ylabel="mAP50, mean and range over the seeds")


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
