"""The capstone: where the parameters are, when a score is better, and a backbone of one's own in YOLO11n."""

import torch
from torch import nn
from ultralytics.nn import tasks

from modules.course.capstone import LIMITS, measured, verdict
from modules.course.exercise_bank import Design, FillIn, Predict
from modules.course.measure import parameters
from modules.course.quiet import quiet
from modules.tinynet import TinyNet


# ---------------------------------------------------------------------------------------------- 11.1 where they are
def nearest_share() -> int:
    """Of the parameters of YOLO11n with TinyNet, the part in the backbone: the nearest of 5, 20, 50 and 80 percent."""
    with quiet():
        detector = tasks.DetectionModel(tasks.yaml_model_load("yolo11n-TinyNet.yaml"), verbose=False)
    share = 100 * parameters(detector.model[0]) / parameters(detector)
    return min((5, 20, 50, 80), key=lambda percent: abs(percent - share))


# ----------------------------------------------------------------------------------------------------- 11.2 a verdict
def scores() -> list[tuple]:
    def near(centre):
        return [round(centre + 0.02 * float(x), 3) for x in torch.rand(3)]

    low, high = near(0.5), near(0.6)
    return [
        (high, low),
        (low, high),
        ([0.60, 0.66, 0.61], [0.55, 0.58, 0.62]),
        ([0.55, 0.58, 0.62], [0.60, 0.66, 0.61]),
        ([0.50, 0.70], [0.66, 0.68]),
        ([0.70], low),
        (high, [0.3]),
        ([0.61, 0.62], [0.61, 0.60]),
    ]


def by_means(mine, theirs):
    if min(len(mine), len(theirs)) < 2:
        return "says nothing yet"
    a, b = sum(mine) / len(mine), sum(theirs) / len(theirs)
    return "better" if a > b else "worse"


def by_the_best(mine, theirs):
    if min(len(mine), len(theirs)) < 2:
        return "says nothing yet"
    return "better" if max(mine) > max(theirs) else "worse" if max(mine) < max(theirs) else "within noise"


def one_is_enough(mine, theirs):
    if min(mine) > max(theirs):
        return "better"
    return "worse" if max(mine) < min(theirs) else "within noise"


def ties_count(mine, theirs):
    if min(len(mine), len(theirs)) < 2:
        return "says nothing yet"
    if min(mine) >= max(theirs):
        return "better"
    return "worse" if max(mine) <= min(theirs) else "within noise"


def never_worse(mine, theirs):
    said = verdict(mine, theirs)
    return "within noise" if said == "worse" else said


# ------------------------------------------------------------------------------------------------------- 11.3 a design
def measured_backbone(backbone: type) -> dict[str, float]:
    try:
        found = measured(backbone)
    except NotImplementedError:
        raise ValueError("it is not written yet: replace each `raise NotImplementedError`") from None
    if not any(name == "__init__" or name[:2] != "__" for name in vars(backbone)):
        raise ValueError(f"{backbone.__name__} changes nothing of {backbone.__base__.__name__}")
    return found


class TooWide(TinyNet):
    @staticmethod
    def feature_channels(width=1.0):
        return TinyNet.feature_channels(2 * width)


class TooSlow(TinyNet):
    def __init__(self, width=1.0):
        super().__init__(width)
        c = self.feature_channels(width)[0]
        self.stages[0] = nn.Sequential(*(nn.Conv2d(c, c, 3, padding=1) for _ in range(3)))


class OtherChannels(TinyNet):
    def __init__(self, width=1.0):
        super().__init__(width)
        self.stages[3] = nn.Conv2d(self.feature_channels(width)[3], 64, 1)


class OtherStrides(TinyNet):
    def __init__(self, width=1.0):
        super().__init__(width)
        self.stem = nn.Conv2d(3, self.feature_channels(width)[0], 4, stride=2, padding=1)


class Idle(TinyNet):
    def __init__(self, width=1.0):
        super().__init__(width)
        self.spare = nn.Conv2d(3, 3, 1)


class Renamed(TinyNet):
    """TinyNet under a name of one's own."""


class FiveMaps(TinyNet):
    def forward(self, x):
        maps = super().forward(x)
        return [maps[0], *maps]


EXERCISES = {
    "11.1": Predict(
        nearest_share,
        hints=(
            "Print parameters() of YOLO('yolo11n-TinyNet.yaml').model and of its first row. Which part is the neck's?",
            "The neck and the head have more than nine tenths of them.",
        ),
        wrong={
            "far less: think of the 3x3 convolutions with many channels in the neck": 80,
            "less: the neck joins maps and convolves them at full width": 50,
            "less still: TinyNet is made of depthwise and pointwise convolutions": 20,
        },
    ),
    "11.2": FillIn(
        verdict,
        scores,
        hints=(
            "Compare your worst seed with the other's best, and the other way round. What if one list has one number only?",
            "Look at the lengths first, then compare min(mine) with max(theirs), and the other way round. What do equal "
            "scores say?",
        ),
        wrong={
            "means alone say nothing: the seeds' ranges may overlap": by_means,
            "the best seeds alone say nothing: a lucky seed is no better model": by_the_best,
            "one seed says nothing: ask for two on both sides": one_is_enough,
            "an equal score is not a better one: the ranges touch": ties_count,
            "a model can be worse, too": never_worse,
        },
    ),
    "11.3": Design(
        measured_backbone,
        limits=LIMITS,
        hints=(
            "Start from TinyNet (modules/tinynet.py) under a name of your own. Its channels decide what the neck costs; its "
            "blocks cost little. In which stage would one more block help, and what does it cost at 640 px?",
            "Keep 64, 128, 256 and 512 channels times the width. Two more depthwise and pointwise blocks in P4 and one in P5 "
            "fit into the budget.",
        ),
        wrong={
            "2.028 million parameters, allowed are at most 1.7": TooWide,
            "GFLOPs, allowed are at most 4": TooSlow,
            "P5 of a picture of 64x96 is (2, 64, 2, 3), and should be (2, 128, 2, 3)": OtherChannels,
            "P2 of a picture of 64x96 is (2, 16, 32, 48), and should be (2, 16, 16, 24)": OtherStrides,
            "spare.weight gets no gradient": Idle,
            "TinyNet is the course's own": TinyNet,
            "Renamed changes nothing of TinyNet": Renamed,
            "forward returns 5 maps, and four are asked for": FiveMaps,
            "has a static feature_channels": nn.Conv2d,
            "a class derived from nn.Module is asked for": {"depths": (1, 2)},
        },
    ),
}
