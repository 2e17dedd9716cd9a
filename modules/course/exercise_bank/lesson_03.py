"""Exercises of lesson 03: channels that divide into heads, layer norm, drop path, a stage of EMO, a smaller EMO."""

from types import SimpleNamespace

import torch
from torch import nn

from modules.course.exercise_bank import Design, Fault, FillIn, Predict
from modules.course.measure import gmac, parameters
from modules.emo import EMO, EMO_1M, EMO_5M
from modules.irmb import iRMB


# --------------------------------------------------------------------------------------------------- 03.1 channels
def channels_of_a_quarter() -> tuple:
    return tuple(EMO_5M.feature_channels(0.25))


# --------------------------------------------------------------------------------------------------- 03.2 layer norm
def layer_norm(x, weight, bias, eps) -> torch.Tensor:
    """Over the channels of each position."""
    return nn.functional.layer_norm(x.permute(0, 2, 3, 1), weight.shape, weight, bias, eps).permute(0, 3, 1, 2)


def maps_to_normalise() -> list[tuple]:
    def case(shape, dtype=torch.float32):
        weight, bias = 1 + 0.3 * torch.randn(shape[1], dtype=dtype), torch.randn(shape[1], dtype=dtype)
        return 1 + 0.3 * torch.randn(shape, dtype=dtype), weight, bias, 0.05  # a large epsilon shows where it stands

    return [case((1, 3, 4, 4)), case((2, 5, 3, 6)), case((3, 16, 1, 1)), case((2, 7, 6, 2), torch.float64)]


def normalised(over=1, unbiased=False, std=lambda var, eps: (var + eps).sqrt(), finish=None):
    """A norm over other dimensions, or with another divisor."""

    def function(x, weight, bias, eps):
        mean, var = x.mean(over, keepdim=True), x.var(over, keepdim=True, unbiased=unbiased)
        y, w, b = (x - mean) / std(var, eps), weight.view(-1, 1, 1), bias.view(-1, 1, 1)
        return finish(y, w, b) if finish else y * w + b

    return function


def mean_kept(x, weight, bias, eps):
    return x / (x.var(1, keepdim=True, unbiased=False) + eps).sqrt() * weight.view(-1, 1, 1) + bias.view(-1, 1, 1)


# --------------------------------------------------------------------------------------------------- 03.3 drop path
def drop_rates(depths: list[int], last: float) -> list[list[float]]:
    """The rates of the blocks of each stage, growing evenly from 0; the first block of a stage uses none."""
    return rates_with()(depths, last)


def rates_with(
    number=lambda depths, i, j: sum(depths[:i]) + j,
    end=lambda depths, i: sum(depths) - 1,
    first=lambda rate: 0.0,
):
    """Rates whose blocks are counted otherwise, or whose first blocks have something."""

    def function(depths, last):
        rates = [[last * number(depths, i, j) / end(depths, i) for j in range(depth)] for i, depth in enumerate(depths)]
        return [[first(stage[0]), *stage[1:]] for stage in rates]

    return function


def depths_and_rates() -> list[tuple]:
    return [([2, 2, 8, 3], 0.04), ([3, 3, 9, 3], 0.05), ([1, 1, 4, 2], 0.1), ([2, 3], 0.3)]


# --------------------------------------------------------------------------------------------------- 03.4 a stage
def make_stage(i: int, c1: int, c2: int, depth: int, exp_ratio: float, dim_head: int) -> nn.Sequential:
    """Stage i of the shipped EMO, without drop path."""
    tables = {"depths": (depth,) * 4, "exp_ratios": (exp_ratio,) * 4, "dim_heads": (dim_head,) * 4, "drop_path": 0.0}
    return EMO.make_stage(SimpleNamespace(**tables), i, c1, c2)


def stages() -> list[tuple]:
    return [
        (0, 24, 32, 2, 2.0, 8, torch.randn(1, 24, 12, 12)),
        (1, 8, 16, 3, 2.5, 8, torch.randn(2, 8, 6, 10)),
        (2, 16, 20, 3, 3.0, 20, torch.randn(1, 16, 14, 9)),
        (3, 20, 42, 1, 3.5, 21, torch.randn(2, 20, 8, 8)),
    ]


def output_of_stage(function, *case):
    *settings, x = case
    torch.manual_seed(0)  # the same weights for blocks that are made in the same order
    stage = function(*settings)
    if not isinstance(stage, nn.Sequential):
        raise Fault(f"returns a {type(stage).__name__}: put the blocks into one nn.Sequential")
    stage.eval()
    return {
        "the number of blocks": len(stage),
        "the attention of the blocks": [getattr(block, "attn", None) for block in stage],
        "the drop path of the blocks": [getattr(getattr(block, "drop_path", 0), "drop_prob", 0.0) for block in stage],
        "the parameters of the blocks": [parameters(block) for block in stage],
        "the output": stage(x),
    }


def stage_with(first=None, others=None, late=lambda i: i >= 2, rows=lambda blocks: blocks):
    """A stage in which an argument of the first block, or of the others, differs."""

    def function(i, c1, c2, depth, exp_ratio, dim_head):
        style = {"norm": "ln", "act": "gelu", "kernel": 5} if late(i) else {"norm": "bn", "act": "silu", "kernel": 3}
        shared = {"dim_head": dim_head, "attn_pre": True, "bias": True, **style}
        one = {"exp_ratio": 2 * exp_ratio, "stride": 2, "attn": False, **shared} | (
            first(i, exp_ratio) if first else {}
        )
        more = {"exp_ratio": exp_ratio, "attn": i >= 2, **shared} | (others(i, exp_ratio) if others else {})
        return nn.Sequential(iRMB(c1, c2, **one), *(iRMB(c2, c2, **more) for _ in range(rows(depth) - 1)))

    return function


# --------------------------------------------------------------------------------------------------- 03.5 a size
TABLES = ("depths", "channels", "exp_ratios", "dim_heads")


def measured_size(tables: dict) -> dict:
    """What an EMO_1M with other tables has and costs, at 224 pixels."""
    if not isinstance(tables, dict) or not set(tables) <= set(TABLES):
        raise ValueError(f"a dictionary with some of {', '.join(TABLES)} is asked for, and this is {tables!r}")
    for name, table in tables.items():
        numbers = isinstance(table, (list, tuple)) and all(isinstance(value, (int, float)) for value in table)
        if not numbers or len(table) != 4 or min(table) <= 0:
            raise ValueError(f"{name}={table!r}: a stage each, so four numbers above 0 are asked for")
    net = type("Mine", (EMO_1M,), dict(tables))().eval()
    return {
        "parameters": parameters(net),
        "million multiply-adds": round(1e3 * gmac(net, torch.zeros(1, 3, 224, 224)), 1),
        "blocks that attend": sum(getattr(part, "attn", False) for part in net.modules()),
        "as smallest expansion ratio": min(net.exp_ratios),
        "channels of P5": net.feature_channels()[-1],
    }


EXERCISES = {
    "03.1": Predict(
        channels_of_a_quarter,
        hints=(
            "A head keeps its size. So the channels of a stage are a multiple of it; look at `scaled`.",
            "A quarter of 48, 72, 160, 288 is 12, 18, 40, 72. Round each to the nearest multiple of its unit, 8, 8, 32, "
            "32, and a half up.",
        ),
        wrong={
            "these are a quarter: round each to a multiple of its unit": (12, 18, 40, 72),
            "the last two stages have heads of 32 channels, so 32 is their unit": (16, 16, 40, 72),
            "12 lies halfway between 8 and 16, and a half is rounded up": (8, 16, 32, 64),
            "rounded to the nearest multiple, not always up": (16, 24, 64, 96),
            "the first two stages have 8 as their unit, not 32": (32, 32, 32, 64),
            "this is the whole width": (48, 72, 160, 288),
        },
    ),
    "03.2": FillIn(
        layer_norm,
        maps_to_normalise,
        hints=(
            "Each position has its own mean and variance, over its channels. Which dimension is that, and what must stay "
            "so that the shapes fit?",
            "x.mean(1, keepdim=True) and x.var(1, keepdim=True, unbiased=False). Weight and bias belong to the channels: "
            "view(-1, 1, 1).",
        ),
        wrong={
            "normalised over the positions of each channel: that is an instance norm": normalised((2, 3)),
            "normalised over channels and positions together: each position has a mean of its own": normalised(
                (1, 2, 3)
            ),
            "normalised over the batch: that is a batch norm": normalised((0, 2, 3)),
            "the variance divides by the number of channels: unbiased=False": normalised(unbiased=True),
            "epsilon belongs inside the root, beside the variance": normalised(std=lambda var, eps: var.sqrt() + eps),
            "epsilon is missing": normalised(std=lambda var, eps: var.sqrt()),
            "divided by the variance: divide by its root": normalised(std=lambda var, eps: var + eps),
            "weight and bias are missing": normalised(finish=lambda y, w, b: y),
            "the bias comes after the weight, and is not multiplied by it": normalised(
                finish=lambda y, w, b: (y + b) * w
            ),
            "the mean must be subtracted": mean_kept,
            "uses layer_norm, which the task rules out": lambda x, weight, bias, eps: layer_norm(x, weight, bias, eps),
        },
        ruled_out=(torch.layer_norm, torch.group_norm),
    ),
    "03.3": FillIn(
        drop_rates,
        depths_and_rates,
        hints=(
            "Number all blocks of the network from 0. The rate of a block is its share of the way to the last one.",
            "Block j of stage i has the number sum(depths[:i]) + j, and the last has sum(depths) - 1. The first block of "
            "each stage gets 0, but it is counted.",
        ),
        wrong={
            "the first block of a stage has no skip, so its rate is 0": rates_with(first=lambda rate: rate),
            "the rates begin anew in each stage: number the blocks over the whole network": rates_with(
                number=lambda depths, i, j: j
            ),
            "each stage reaches the last rate: number the blocks over the whole network": rates_with(
                number=lambda depths, i, j: j, end=lambda depths, i: max(depths[i] - 1, 1)
            ),
            "the last block must get the last rate: its number is sum(depths) - 1": rates_with(
                end=lambda depths, i: sum(depths)
            ),
            "the numbers of the blocks begin at 0": rates_with(
                number=lambda depths, i, j: sum(depths[:i]) + j + 1, end=lambda depths, i: sum(depths)
            ),
            "the first blocks are counted too, though they use no rate": rates_with(
                number=lambda depths, i, j: sum(depths[:i]) - i + j - 1,
                end=lambda depths, i: sum(depths) - len(depths) - 1,
            ),
            "the rates grow from 0, they are not all the same": rates_with(number=lambda depths, i, j: sum(depths) - 1),
        },
    ),
    "03.4": FillIn(
        make_stage,
        stages,
        hints=(
            "Two kinds of blocks: the first takes c1 channels, halves the map, has twice the ratio and does not attend. "
            "The others take c2. What depends on i?",
            "late = {'norm': 'ln', 'act': 'gelu', 'kernel': 5} if i >= 2 else {'norm': 'bn', 'act': 'silu', 'kernel': 3}, "
            "and every block gets dim_head, attn_pre=True, bias=True and **late. The others have attn=i >= 2.",
        ),
        wrong={
            "the first block of a stage has twice the expansion ratio": stage_with(
                first=lambda i, ratio: {"exp_ratio": ratio}
            ),
            "only the first block has twice the expansion ratio": stage_with(
                others=lambda i, ratio: {"exp_ratio": 2 * ratio}
            ),
            "the first block does not attend": stage_with(first=lambda i, ratio: {"attn": i >= 2}),
            "stages 0 and 1 do not attend: their maps are large": stage_with(others=lambda i, ratio: {"attn": True}),
            "from stage 2 on all blocks but the first attend": stage_with(others=lambda i, ratio: {"attn": False}),
            "only the first block halves the map": stage_with(others=lambda i, ratio: {"stride": 2}),
            "the first block halves the map: stride=2": stage_with(first=lambda i, ratio: {"stride": 1}),
            "stages 0 and 1 have BatchNorm, SiLU and 3x3, not LayerNorm, GELU and 5x5": stage_with(late=lambda i: True),
            "from stage 2 on norm, activation and kernel change: LayerNorm, GELU, 5x5": stage_with(
                late=lambda i: False
            ),
            "i counts from 0: the change comes at i >= 2": stage_with(late=lambda i: i >= 3),
            "no drop path is asked for": stage_with(*[lambda i, ratio: {"drop_path": 0.1}] * 2),
            "depth counts the first block too": stage_with(rows=lambda depth: depth + 1),
            "the convolutions have a bias": stage_with(*[lambda i, ratio: {"bias": False}] * 2),
            "the blocks attend before they expand: attn_pre=True": stage_with(
                *[lambda i, ratio: {"attn_pre": False}] * 2
            ),
        },
        call=output_of_stage,
    ),
    "03.5": Design(
        measured_size,
        limits={
            "parameters": ("at most", 650_000),
            "million multiply-adds": ("at most", 150),
            "blocks that attend": ("at least", 6),
            "as smallest expansion ratio": ("at least", 1.5),
            "channels of P5": ("at least", 168),
        },
        hints=(
            "The first block of a stage never attends. The parameters lie in stages 3 and 4, the multiply-adds in the "
            "first two as well, where the maps are large.",
            "One block each is enough for the first two stages. More blocks of stage 3 are cheaper than more of stage 4. "
            "Then lower the expansion ratios.",
        ),
        wrong={
            "1,191,832 parameters, allowed are at most 650,000": {},
            "4 blocks that attend, needed are at least 6": {"depths": (1, 1, 4, 2)},
            "1 as smallest expansion ratio, needed are at least 1.5": {"exp_ratios": (1, 1, 1, 1)},
            "84 channels of P5, needed are at least 168": {"channels": (16, 24, 40, 84)},
            "155.8 million multiply-adds": {"depths": (1, 1, 6, 2), "exp_ratios": (2, 2, 2, 2)},
            "a dictionary with some of depths, channels": {"depth": (1, 1, 6, 2)},
            "depths=(1, 6, 2): a stage each, so four numbers above 0 are asked for": {"depths": (1, 6, 2)},
        },
    ),
}
