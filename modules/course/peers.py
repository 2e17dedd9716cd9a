"""Time RepViT and FasterNet against timm's models of the same name: python -m modules.course.peers [name ...]."""

import argparse
import copy
import statistics
from collections.abc import Callable

import timm
import torch
from torch import nn

import modules

from .measure import Speed, compare_speed

DEFAULT = ("repvit_m0_9", "fasternet_t0")


def forward(model: nn.Module, features: Callable, x: torch.Tensor) -> Callable[[], object]:
    """A function that runs `features(x)` of `model` as prediction does."""

    def run():
        model.eval()
        with torch.inference_mode():
            features(x)

    return run


def forward_backward(model: nn.Module, features: Callable, x: torch.Tensor) -> Callable[[], object]:
    """A function that runs `features(x)` of `model` as training does, with all gradients."""

    def run():
        model.train().zero_grad()
        last = features(x)[-1]
        last.sum().backward()

    return run


def against_timm(name: str, batch: int, imgsz: int = 224, device: str = "cpu", rounds: int = 15) -> dict[str, Speed]:
    """Time the backbone `name` and timm's model of that name, both without the classifier.

    Returns the speeds of "timm", "ours" and "fused", the last one in the forward pass only.

    Raises:
        ValueError: the course or timm has no model of that name.
    """
    if not hasattr(modules, name) or not timm.is_model(name):
        raise ValueError(f"{name} is not both a class of the course and a model of timm, as {DEFAULT[0]} is")
    ours, theirs = getattr(modules, name)().to(device), timm.create_model(name, num_classes=0).to(device)
    fused = copy.deepcopy(ours).eval()
    fused.fuse()
    x = torch.randn(batch, 3, imgsz, imgsz, device=device)
    # timm's model returns the last map alone, ours all four; [-1] of it would be the last picture of the batch.
    models = {"timm": (theirs, lambda x: [theirs.forward_features(x)]), "ours": (ours, ours), "fused": (fused, fused)}
    return {
        "forward": compare_speed({key: forward(*model, x) for key, model in models.items()}, rounds),
        "forward + backward": compare_speed(
            {key: forward_backward(*models[key], x) for key in ("timm", "ours")}, rounds
        ),
    }


def ratio(speed: Speed, name: str, to: str) -> str:
    """Median and middle half of how long `name` takes in units of `to`, over the rounds."""
    ratios = [a / b for a, b in zip(speed.rounds[name], speed.rounds[to])]
    low, _, high = statistics.quantiles(ratios, n=4)
    return f"{speed.ratio(name, to):.2f} ({low:.2f} .. {high:.2f})"


def report(names=DEFAULT, batches=(1, 8), **arguments) -> None:
    """Print the ratios of all `names` as a table; `arguments` are those of `against_timm`."""
    print(f"{'':14}batch  {'pass':20}timm ms   ours / timm          ours / fused         timm / fused")
    for name in names:
        for batch in batches:
            for what, speed in against_timm(name, batch, **arguments).items():
                pairs = [("ours", "timm"), ("ours", "fused"), ("timm", "fused")]
                ratios = [f"{ratio(speed, *pair):21}" for pair in pairs if set(pair) <= set(speed.rounds)]
                print(f"{name:14}{batch:5}  {what:18}{1e3 * speed.median('timm'):9.1f}   {''.join(ratios)}".rstrip())


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m modules.course.peers", description=__doc__)
    parser.add_argument("names", nargs="*", default=DEFAULT, metavar="name", help=f"default: {' '.join(DEFAULT)}")
    parser.add_argument("--imgsz", type=int, default=224)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--rounds", type=int, default=15)
    given = vars(parser.parse_args())
    print(f"torch {torch.__version__}, timm {timm.__version__}, {torch.get_num_threads()} threads")
    report(given.pop("names"), **given)
