"""A healthy training and five broken ones, each of a small network and done in a second: what curves look like then.

The network tells squares of the fire set with a fire in their middle from squares without one. What breaks a large
training breaks it in the same way, and the curves show it.
"""

import functools
from dataclasses import dataclass

import matplotlib.pyplot as plt
import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import nn

from .fire import fire_pictures, read_boxes

SIDE, BATCH, STEPS, LOOK = 16, 16, 160, 8  # pixels, squares, batches, batches between two looks


@dataclass(frozen=True)
class Training:
    """What is done, and in `cause` what is wrong with it.

    Args:
        rate: the learning rate of AdamW.
        gather: batches for a step.
        momentum: of the batch norms.
        shuffled: whether the labels of the training are.
        squares: how many it trains on.
    """

    cause: str
    rate: float = 3e-3
    gather: int = 1
    momentum: float = 0.1
    shuffled: bool = False
    squares: int = 240


HEALTHY = Training("nothing")
BROKEN = {
    "A": Training("batch norm", momentum=1e-3),
    "B": Training("labels", shuffled=True),
    "C": Training("rate", rate=1.0),
    "D": Training("by heart", rate=1e-2, squares=16),
    "E": Training("steps", gather=40),
}


@functools.cache
def squares(part: str, count: int) -> tuple[torch.Tensor, torch.Tensor]:
    """(count, 3, SIDE, SIDE) from 0 to 1, every second one with a fire in its middle, and (count,) of 0 and 1."""
    random, found = np.random.default_rng(0), []
    for path in fire_pictures(part):
        if len(found) == count:
            break
        for x, y, w, h in read_boxes(path)[:1]:
            with Image.open(path) as picture:
                middle, side = np.array([x, y]) * picture.size, max(w * picture.width, h * picture.height, SIDE)
                for centre in (random.uniform(0, picture.size), middle):
                    square = picture.convert("RGB").crop((*(centre - side / 2), *(centre + side / 2)))
                    found.append(np.asarray(square.resize((SIDE, SIDE))))
    pixels = torch.from_numpy(np.stack(found)).permute(0, 3, 1, 2).float() / 255
    return pixels, torch.arange(len(found)) % 2


@functools.cache
def curves(training: Training) -> tuple[list[float], list[float]]:
    """The loss every LOOK batches: the mean of these batches, in train mode, and that of validation squares."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        x, y = squares("train", training.squares)
        y = y[torch.randperm(len(y))] if training.shuffled else y
        network = small(training.momentum)
        optimizer = torch.optim.AdamW(network.parameters(), lr=training.rate)
        losses, validated = [], []
        for number in range(1, STEPS + 1):
            chosen = torch.randperm(len(x))[:BATCH]
            loss = F.cross_entropy(network.train()(x[chosen]), y[chosen])
            (loss / training.gather).backward()
            losses.append(loss.item())
            if number % training.gather == 0:
                optimizer.step()
                optimizer.zero_grad()
            if number % LOOK == 0:
                validated.append(validation_loss(network))
    return np.reshape(losses, (-1, LOOK)).mean(1).tolist(), validated


def small(momentum: float) -> nn.Sequential:
    """Two convolutions with batch norms, and two classes."""
    rows = [nn.Conv2d(3, 12, 3, 2, 1), nn.BatchNorm2d(12, momentum=momentum), nn.ReLU()]
    rows += [nn.Conv2d(12, 24, 3, 2, 1), nn.BatchNorm2d(24, momentum=momentum), nn.ReLU()]
    return nn.Sequential(*rows, nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(96, 2))


@torch.no_grad()
def validation_loss(network: nn.Module) -> float:
    x, y = squares("val", 160)
    return F.cross_entropy(network.eval()(x), y).item()


def show_broken_trainings() -> None:
    """Draw the healthy training and the broken ones, which have letters."""
    fig, axes = plt.subplots(2, 3, figsize=(9, 5), sharex=True, sharey=True)
    for ax, (letter, training) in zip(axes.flat, {"healthy": HEALTHY, **BROKEN}.items()):
        for line, name in zip(curves(training), ("training", "validation")):
            ax.plot(range(LOOK, STEPS + 1, LOOK), np.clip(line, 0, 1.5), label=name)
        ax.set(title=letter, ylim=(0, 1.55))
    axes[0, 0].legend()
    axes[1, 1].set(xlabel="batches")
    fig.supylabel("loss (cut off at 1.5)")
    plt.show()
