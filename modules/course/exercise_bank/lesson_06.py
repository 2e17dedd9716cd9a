"""Exercises of lesson 06: time by the roofline, a partial convolution and its cost, what is seen, a FasterNet under a budget."""

import torch
import torch.nn.functional as F
from torch import nn

from modules.course.exercise_bank import Design, Fault, FillIn, Predict
from modules.course.exercise_bank.parts import parts
from modules.course.measure import gmac, parameters
from modules.fasternet import FasterNet, FasterNetBlock

PEAK, BANDWIDTH = 200e9, 20e9  # of the machine in 06.1: operations and bytes a second
C, POSITIONS = 96, 8 * 56 * 56


# --------------------------------------------------------------------------------------------------- 06.1 the roofline
def times_of_a_depthwise_layer() -> dict[str, float]:
    """Milliseconds of a depthwise 3x3 convolution: to compute, and to move each number once."""
    operations, numbers = 2 * 9 * C * POSITIONS, 2 * C * POSITIONS + 9 * C
    return {"compute": 1e3 * operations / PEAK, "move": 1e3 * 4 * numbers / BANDWIDTH}


def least_time() -> float:
    return max(times_of_a_depthwise_layer().values())


# ------------------------------------------------------------------------------------------------------- 06.2 forward
def maps() -> list[tuple]:
    def case(batch, channels, height, width, mixed, dtype=torch.float32):
        x = torch.randn(batch, channels, height, width, dtype=dtype)
        return x, torch.randn(mixed, mixed, 3, 3, dtype=dtype) / 3

    return [
        case(1, 8, 5, 5, 2),
        case(2, 3, 4, 7, 1),
        case(1, 13, 6, 3, 3),
        case(3, 16, 3, 5, 4, torch.float64),
    ]


def pconv(x, weight):
    mixed = len(weight)
    return torch.cat((F.conv2d(x[:, :mixed], weight, padding=1), x[:, mixed:]), 1)


def rest_first(x, weight):
    return pconv(x, weight).roll(-len(weight), 1)


def last_channels(x, weight):
    mixed = len(weight)
    return torch.cat((x[:, :-mixed], F.conv2d(x[:, -mixed:], weight, padding=1)), 1)


def rest_is_zero(x, weight):
    y = pconv(x, weight)
    return torch.cat((y[:, : len(weight)], torch.zeros_like(x[:, len(weight) :])), 1)


def with_skip(x, weight):
    return torch.cat((pconv(x, weight)[:, : len(weight)] + x[:, : len(weight)], x[:, len(weight) :]), 1)


def each_alone(x, weight):
    mixed = len(weight)
    kernels = weight.diagonal().permute(2, 0, 1)[:, None]  # (mixed, 1, 3, 3)
    return torch.cat((F.conv2d(x[:, :mixed], kernels, padding=1, groups=mixed), x[:, mixed:]), 1)


def every_fourth(x, weight):
    mixed = len(weight)
    y = x.clone()
    y[:, : 4 * mixed : 4] = F.conv2d(x[:, : 4 * mixed : 4], weight, padding=1)
    return y


def write_back(x, weight):
    y = x.clone()
    y[:, : len(weight)] = F.conv2d(y[:, : len(weight)], weight, padding=1)
    return y


WRITTEN_OVER = "numbers were written over that the gradient still needs: convolve what stays as it is"


def detached(x, weight):
    return pconv(x, weight.detach())


@torch.enable_grad()
def trained(function, x, weight):
    """The output, and the gradient that the kernel gets."""
    weight.requires_grad_()
    y = function(x, weight)
    if not isinstance(y, torch.Tensor):
        return y
    gradient = torch.zeros_like(weight)
    if y.requires_grad:
        try:
            (gradient,) = torch.autograd.grad(y.square().sum(), weight)
        except RuntimeError as error:
            if "inplace" not in str(error):
                raise
            raise Fault(WRITTEN_OVER) from None
    return {"the output": y.detach(), "the gradient of the kernel": gradient}


# ---------------------------------------------------------------------------------------------------------- 06.3 cost
def block_cost(channels, height, width):
    block = FasterNetBlock(channels).eval()
    return parameters(block), round(1e9 * gmac(block, torch.zeros(1, channels, height, width)))


def sizes() -> list[tuple]:
    draw = [4 * int(n) for n in torch.randint(2, 20, (2,))]
    return [(draw[0], 5, 5), (draw[1], 3, 8), (30, 4, 7), (7, 1, 1)]


def cost_with(mixing=None, kernels=None, positions=None, norm=2, times=1):
    """A cost that is counted otherwise. `mixing(c)`: parameters of the PConv; `kernels(c)`: of both 1x1 convolutions."""

    def function(channels, height, width):
        c = channels // 4
        weights = (mixing or (lambda channels, c: 9 * c * c))(channels, c)
        weights += 4 * channels**2 if kernels is None else kernels(channels)
        where = height * width if positions is None else positions(height, width)
        return weights + norm * 2 * channels, times * weights * where

    return function


# ---------------------------------------------------------------------------------------------------------- 06.4 view
def seen_through_two_blocks() -> tuple:
    """Positions of the first and of the last input channel that one output in the centre depends on."""
    with torch.random.fork_rng(), torch.enable_grad():
        torch.manual_seed(0)
        blocks = nn.Sequential(FasterNetBlock(16), FasterNetBlock(16)).double().eval()
        x = torch.randn(1, 16, 9, 9, dtype=torch.float64, requires_grad=True)
        (gradient,) = torch.autograd.grad(blocks(x)[0, 0, 4, 4], x)
    return int((gradient[0, 0] != 0).sum()), int((gradient[0, -1] != 0).sum())


# -------------------------------------------------------------------------------------------------------- 06.5 budget
def measured_backbone(size: dict) -> dict:
    """Million parameters, GMAC at 224 px and the width in pixels that one number of P5 depends on."""
    if not isinstance(size, dict) or set(size) != {"channels", "depths"}:
        raise ValueError(f"a dictionary with the keys channels and depths is asked for, and this is {size!r}")
    if type(size["channels"]) is not int or len(size["depths"]) != 4 or min(size["depths"]) < 1:
        raise ValueError("channels must be a whole number, and depths four numbers of 1 or more")
    model = type("Size", (FasterNet,), size)().eval()
    cost = gmac(model, torch.zeros(1, 3, 224, 224))
    return {
        "million parameters": round(parameters(model) / 1e6, 3),
        "GMAC": round(cost, 3),
        "pixels seen": width_seen(model, 1024),
        "channels in P5": model.feature_channels()[-1],
    }


def width_seen(model: FasterNet, side: int) -> int:
    """How many columns of a picture, `side` pixels wide, the centre of P5 depends on."""
    low = high = side // 64  # in P5
    for stage, depth in reversed(list(enumerate(model.depths))):
        # A block's PConv moves numbers by one position, to either side.
        low, high = max(low - depth, 0), min(high + depth, side // (4 * 2**stage) - 1)
        factor = 2 if stage else 4
        low, high = factor * low, factor * high + factor - 1
    return high - low + 1


EXERCISES = {
    "06.1": Predict(
        least_time,
        hints=(
            "Count the operations and the bytes of the layer, and divide each by what the machine does in a second. Which "
            "of the two times can the layer not get below?",
            "9 x 96 x 8 x 56 x 56 multiply-adds are two operations each. Input and output have 96 x 8 x 56 x 56 numbers of "
            "four bytes. The longer of the two times is the answer; the few weights do not matter.",
        ),
        wrong={
            "that is the time to compute; moving the numbers takes longer": times_of_a_depthwise_layer()["compute"],
            "computing and moving happen at the same time: the longer one counts, not their sum": sum(
                times_of_a_depthwise_layer().values()
            ),
            "both the input and the output have to move": least_time() / 2,
            "a float32 number has four bytes": least_time() / 4,
            "all eight pictures have to move": least_time() / 8,
            "milliseconds are asked for, and these are seconds": least_time() / 1000,
        },
    ),
    "06.2": FillIn(
        pconv,
        maps,
        hints=(
            "Split the channels into two parts, convolve the first one, and join the parts again, the convolved one in front.",
            "F.conv2d takes a slice of the channels. To write its result back into x would change the input: torch.cat makes a "
            "new map.",
        ),
        wrong={
            "the convolved channels belong in front, where they came from": rest_first,
            "the last channels were convolved, and it should be the first ones": last_channels,
            "the other channels are lost: they pass unchanged": rest_is_zero,
            "the input is added: the skip of a FasterNet block goes around all three convolutions": with_skip,
            "each channel is convolved alone: it must read all of the first channels": each_alone,
            "every fourth channel was convolved, and it should be the first quarter in one piece": every_fourth,
            "the kernel gets no gradient: use it as it is, without detach() or data": detached,
            WRITTEN_OVER: write_back,
        },
        call=trained,
    ),
    "06.3": FillIn(
        block_cost,
        sizes,
        hints=(
            "Three convolutions have weights, and one batch norm. In a convolution each weight is multiplied once for each "
            "position.",
            "The PConv has 9 c c weights with c = C // 4, the 1x1 convolutions have C x 2C and 2C x C, and the batch norm "
            "between them has a weight and a bias for each of 2C channels.",
        ),
        wrong={
            "the partial convolution reads C // 4 channels, and not all": cost_with(
                lambda channels, c: 9 * c * channels
            ),
            "the partial convolution reads and writes C // 4 channels, and not all": cost_with(
                lambda channels, c: 9 * channels**2
            ),
            "the partial convolution is a full one on its channels: 9 c c weights, not 9 c": cost_with(
                lambda channels, c: 9 * c
            ),
            "the partial convolution has a kernel of 3x3: nine weights for each pair of channels": cost_with(
                lambda channels, c: c * c
            ),
            "a quarter of the channels is rounded down: C // 4": cost_with(lambda channels, c: 9 * channels**2 // 16),
            "there are two 1x1 convolutions, up and down": cost_with(kernels=lambda channels: 2 * channels**2),
            "between the 1x1 convolutions there are twice as many channels": cost_with(
                kernels=lambda channels: 2 * channels**2, norm=1
            ),
            "the batch norm has parameters, too": cost_with(norm=0),
            "the batch norm stands where there are twice as many channels": cost_with(norm=1),
            "multiply-adds are asked for, each of which is two FLOPs": cost_with(times=2),
            "each weight is used at every position: times height * width": cost_with(positions=lambda h, w: 1),
            "uses FasterNetBlock, which the task rules out": block_cost,
        },
        ruled_out=(FasterNetBlock.__init__,),
        call=parts("the number of parameters", "the number of multiply-adds"),
    ),
    "06.4": Predict(
        seen_through_two_blocks,
        hints=(
            "Follow the last channel. In the first block it passes the PConv as it is. Where do the 1x1 convolutions put it?",
            "A number of the first channel is moved by both PConvs, 3x3 and again 3x3. One of the last channel is moved by "
            "the second PConv only.",
        ),
        wrong={
            "that is what one block sees": (9, 1),
            "the PConv of the first block does not move the last channel": (25, 25),
            "the PConv of the second block moves numbers once more": (9, 9),
            "the 1x1 convolutions of the first block bring the last channel into the first quarter, and then it moves": (
                25,
                1,
            ),
            "positions count in both directions: 3x3 are 9": (5, 3),
            "first the first channel, then the last one": (9, 25),
        },
    ),
    "06.5": Design(
        measured_backbone,
        limits={
            "million parameters": ("at most", 1.3),
            "GMAC": ("at most", 0.22),
            "pixels seen": ("at least", 420),
            "channels in P5": ("at least", 256),
        },
        hints=(
            "A PConv moves numbers by one position. How many pixels is that in P2, and how many in P5? What does the block "
            "cost there?",
            "A block in P5 sees as much further as two in P4, and has as many parameters as four. Start from 32 channels "
            "and one block in each stage.",
        ),
        wrong={
            "million parameters, allowed are at most 1.3": {"channels": 40, "depths": (1, 2, 8, 2)},
            "1.419 million parameters, allowed are at most 1.3": {"channels": 32, "depths": (1, 2, 8, 2)},
            "GMAC, allowed are at most 0.22": {"channels": 32, "depths": (1, 6, 6, 1)},
            "312 pixels seen, needed are at least 420": {"channels": 32, "depths": (1, 1, 6, 1)},
            "192 channels in P5, needed are at least 256": {"channels": 24, "depths": (1, 2, 8, 2)},
            "depths four numbers of 1 or more": {"channels": 32, "depths": (1, 1, 12, 0)},
        },
    ),
}
