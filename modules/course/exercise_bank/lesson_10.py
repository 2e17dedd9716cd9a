"""Exercises of lesson 10: what a counter sees, a formula for it, a bench that does not lie, a backbone under a budget."""

import statistics
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn

import modules
from modules.course.counting import count
from modules.course.exercise_bank import Design, FillIn, Predict
from modules.course.measure import gmac


# -------------------------------------------------------------------------------------------------- 10.1 what is seen
class OneHead(nn.Module):
    """Attention with one head over tokens (B, N, 64)."""

    def __init__(self):
        super().__init__()
        self.qkv = nn.Linear(64, 192)

    def forward(self, x):
        return F.scaled_dot_product_attention(*self.qkv(x).chunk(3, -1))


def seen_and_all() -> tuple:
    """Multiply-adds of attention over 196 tokens: those of its layers, and all."""
    found = count(net := OneHead(), net, torch.zeros(1, 196, 64))
    return round(1e9 * found.layers), round(1e9 * found.gmac)


# ------------------------------------------------------------------------------------------------------ 10.2 a formula
def macs(conv: nn.Conv2d, height: int, width: int) -> int:
    """Multiply-adds of `conv` on one map of this size."""
    sides = [
        (side + 2 * pad - kernel) // stride + 1
        for side, pad, kernel, stride in zip((height, width), conv.padding, conv.kernel_size, conv.stride)
    ]
    return sides[0] * sides[1] * conv.out_channels * conv.weight[0].numel()


def convolutions() -> list[tuple]:
    return [
        (nn.Conv2d(16, 32, 1), 20, 20),
        (nn.Conv2d(8, 24, 3, padding=1), 14, 10),
        (nn.Conv2d(12, 12, 3, 2, 1, groups=12), 15, 21),
        (nn.Conv2d(8, 16, (3, 5), (1, 2), (1, 2), groups=4), 9, 12),
    ]


def counted(positions=None, products=None):
    """The formula with other positions, or with other products for each number of the output."""

    def function(conv, height, width):
        each = products(conv) if products else conv.weight[0].numel()
        if positions:
            return positions(height, width) * conv.out_channels * each
        return macs(conv, height, width) // conv.weight[0].numel() * each

    return function


# ------------------------------------------------------------------------------------------------------- 10.3 the bench
@dataclass(frozen=True)
class Story:
    """What happens while models are timed: milliseconds of each, and the call of all after which the machine is busy."""

    costs: tuple[float, ...]
    busy_after: int


class Machine:
    """A machine that computes nothing. A model's first call is 20 times as long, its fourth is interrupted (10 times).

    It is a GPU: a call returns at once, and `wait` until all is done.
    """

    def __init__(self, story: Story):
        self.story, self.now, self.queued, self.made = story, 0.0, 0.0, [0] * len(story.costs)

    def models(self) -> dict:
        return {f"model {i}": lambda i=i: self.call(i) for i in range(len(self.made))}

    def call(self, i: int) -> None:
        self.made[i] += 1
        longer = {1: 20, 4: 10}.get(self.made[i], 1) * (3 if sum(self.made) > self.story.busy_after else 1)
        self.queued += self.story.costs[i] * longer / 1000
        self.now += 1e-5

    def wait(self) -> None:
        self.now, self.queued = self.now + self.queued, 0.0

    def clock(self) -> float:
        return self.now


def time_models(models, wait, clock, rounds):
    return timed_by()(models, wait, clock, rounds)


def timed_by(warm=True, turns=True, waits=True, middle=statistics.median, largest=max):
    """A bench that leaves out one of its rules."""

    def once(call, wait, clock):
        start = clock()
        call()
        if waits:
            wait()
        return clock() - start

    def bench(models, wait, clock, rounds):
        seconds = {name: [] for name in models}
        if warm:
            for call in models.values():
                call()
            wait()
        order = [name for _ in range(rounds) for name in models]
        for name in order if turns else sorted(order):
            seconds[name].append(once(models[name], wait, clock))
        return {name: {"median": middle(all_of), "most": largest(all_of)} for name, all_of in seconds.items()}

    return bench


def on_machine(function, story: Story) -> dict:
    """{"the median of model 0": seconds, ...} as `function` finds it."""
    machine = Machine(story)
    found = function(machine.models(), machine.wait, machine.clock, 9)
    if not isinstance(found, dict) or not all(isinstance(entry, dict) for entry in found.values()):
        return found
    return {f"the {what} of {name}": value for name, entry in found.items() for what, value in entry.items()}


def stories() -> list[tuple]:
    costs = (10 * torch.rand(2) + 5).tolist()
    return [(Story(tuple(costs), 14),), (Story((8.0, 2.0), 14),), (Story((1.0, 2.0, 4.0), 21),)]


# ------------------------------------------------------------------------------------------------------ 10.4 a budget
def measured_backbone(answer: dict) -> dict:
    """What a backbone costs: {"name": "EMO_1M", "width": 0.5, "side": 320} -> million multiply-adds and so on."""
    if not isinstance(answer, dict) or set(answer) != {"name", "width", "side"}:
        raise ValueError(f"a dictionary with name, width and side is asked for, and this is {answer!r}")
    cls = getattr(modules, str(answer["name"]), None)
    if cls not in modules.BACKBONES:
        known = ", ".join(backbone.__name__ for backbone in modules.BACKBONES)
        raise ValueError(f"{answer['name']!r} is no backbone of the course: take one of {known}")
    with torch.device("meta"):
        network = cls(answer["width"]).eval()
        found = count(network, network, torch.empty(1, 3, answer["side"], answer["side"]))
    return {
        "parameters": found.parameters,
        "million multiply-adds": round(1e3 * found.gmac, 1),
        "pixels a side": answer["side"],
        "channels in P5": cls.feature_channels(answer["width"])[-1],
    }


EXERCISES = {
    "10.1": Predict(
        seen_and_all,
        hints=(
            "The layer maps each of 196 tokens from 64 to 192 numbers. Which products does no layer make?",
            "A hook sees 196 * 64 * 192. Queries times keys is 196 * 196 * 64, and the weights times the values as much "
            "again.",
        ),
        wrong={
            "a hook on the layer does not see the products of attention": (7_325_696, 7_325_696),
            "there are two products of activations: queries with keys, and the weights with the values": (
                2_408_448,
                4_867_072,
            ),
            "attention multiplies activations, too, and the second number counts everything": (2_408_448, 2_408_448),
            "multiply-adds are asked for: a product and its sum count once": (4_816_896, 14_651_392),
            "what hooks see comes first": (7_325_696, 2_408_448),
        },
    ),
    "10.2": FillIn(
        macs,
        convolutions,
        hints=(
            "Each number of the output is a sum of products. How many numbers are there, and how many products in each?",
            "conv.weight[0].numel() is the number of products. A side of the output is (side + 2 * padding - kernel) // "
            "stride + 1.",
        ),
        wrong={
            "the stride is missing: count the positions of the output, not of the input": counted(
                positions=lambda height, width: height * width
            ),
            "groups are missing: an output channel reads only the input channels of its group": counted(
                products=lambda conv: conv.in_channels * conv.kernel_size[0] * conv.kernel_size[1]
            ),
            "the kernel has two sides: multiply both": counted(
                products=lambda conv: conv.in_channels // conv.groups * conv.kernel_size[0]
            ),
            "operations are counted, two for each multiply-add": counted(
                products=lambda conv: 2 * conv.weight[0].numel()
            ),
            "the output channels are counted twice: weight.numel() holds them already": counted(
                products=lambda conv: conv.weight.numel()
            ),
            "uses count, which the task rules out": lambda conv, height, width: round(
                1e9 * count(conv, conv, torch.zeros(1, conv.in_channels, height, width)).gmac
            ),
        },
        ruled_out=(count, gmac),
    ),
    "10.3": FillIn(
        time_models,
        stories,
        hints=(
            "Five rules: warm up, take turns, wait for the device, the median, and the largest time as a sign of trouble.",
            "One untimed turn over all models. Then `for _ in range(rounds): for name, call in models.items():`, and in it "
            "clock, call, wait, clock.",
        ),
        wrong={
            "the clock is read before the device has finished: wait() after the call": timed_by(waits=False),
            "the first call of each model is timed: let all have a turn before": timed_by(warm=False),
            "one model after the other: when the machine becomes busy, only the last ones suffer. Take turns": timed_by(
                turns=False
            ),
            "the mean is moved by one interruption: take the median": timed_by(middle=statistics.mean),
            "the least time is not what usually happens: take the median": timed_by(middle=min, largest=min),
            "no warm-up and no turns": timed_by(warm=False, turns=False),
        },
        call=on_machine,
        tolerance=1e-2,
    ),
    "10.4": Design(
        measured_backbone,
        limits={
            "parameters": ("at most", 850_000),
            "million multiply-adds": ("at most", 300),
            "pixels a side": ("at least", 320),
            "channels in P5": ("at least", 150),
        },
        hints=(
            "Half the width is about a quarter of the multiply-adds; half the side is a quarter as well.",
            "Look for a backbone that has 300 channels or more in P5, and halve its width.",
        ),
        wrong={
            "million multiply-adds, allowed are at most 300": {"name": "EMO_1M", "width": 1.0, "side": 320},
            "parameters, allowed are at most 850,000": {"name": "repvit_m0_9", "width": 1.0, "side": 224},
            "pixels a side, needed are at least 320": {"name": "fasternet_t0", "width": 0.5, "side": 256},
            "64 channels in P5, needed are at least 150": {"name": "fasternet_t0", "width": 0.25, "side": 320},
            "is no backbone of the course": {"name": "resnet18", "width": 1.0, "side": 320},
        },
    ),
}
