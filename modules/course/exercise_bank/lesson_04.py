"""Exercises of lesson 04: what a row builds, a branch of parse_model, C2f with iRMB, moved rows, attention that pays."""

import inspect
from copy import deepcopy
from functools import cache

import torch
from ultralytics.nn import tasks
from ultralytics.utils.ops import make_divisible

from modules.c2f_irmb import C2f_iRMB
from modules.course.exercise_bank import Design, Fault, FillIn, Predict
from modules.course.exercise_bank.lesson_01 import check_rows
from modules.course.measure import gmac, parameters
from modules.irmb import iRMB


# --------------------------------------------------------------------------------------------------- 04.1 a row
@cache
def row_6_at_m() -> tuple:
    """Channels that row 6 of yolov10m-C2f_iRMB puts out, its bottlenecks, and the channels that its cv2 reads."""
    config = tasks.yaml_model_load("yolov10m-C2f_iRMB.yaml")
    rows = config["backbone"]
    with torch.device("meta"):
        row = tasks.parse_model({**config, "backbone": rows[:6], "head": rows[6:7]}, 3, verbose=False)[0][6]
    return row.cv2.conv.out_channels, len(row.m), row.cv2.conv.in_channels


# --------------------------------------------------------------------------------------------------- 04.2 a branch
def branch(f: int, args: list, ch: list[int], width: float, max_channels: int) -> tuple:
    """(c2, arguments) of an iRMB, like Conv's."""
    c2 = make_divisible(min(args[0], max_channels) * width, 8)
    return c2, [ch[f], c2, *args[1:]]


def branch_with(c2=lambda args, ch, f, width, most: make_divisible(min(args[0], most) * width, 8), build=None):
    """A branch that declares, or builds, something else."""

    def function(f, args, ch, width, max_channels):
        declared = c2(args, ch, f, width, max_channels)
        return declared, build(f, args, ch, declared) if build else [ch[f], declared, *args[1:]]

    return function


SCALES = {"n": (0.33, 0.25, 1024), "s": (0.33, 0.5, 1024), "m": (0.67, 0.75, 768), "x": (1.0, 1.25, 512)}


def small_models() -> list[tuple]:
    """Scale, and rows in front of a detection head that reads them."""
    first, conv = [-1, 1, "Conv", [1024, 3, 2]], [-1, 1, "Conv", [256, 3, 2]]
    rows = [
        [first, [-1, 1, "iRMB", [1024]]],
        [first, conv, [-1, 1, "iRMB", [512, 16]]],
        [conv, first, [0, 1, "iRMB", [100]]],
    ]
    return [("n", rows[0]), ("s", rows[1]), ("m", rows[0]), ("x", rows[1]), ("n", rows[2])]


def in_parse_model(function, scale: str, rows: list) -> dict:
    """Put the branch into Ultralytics' own parse_model and build a model of `rows` and a detection head with it."""
    answer = function(-1, [8], [8], 1.0, 8)
    if not isinstance(answer, tuple) or len(answer) != 2 or not isinstance(answer[1], list):
        raise Fault(f"returns {answer!r}, and two things are asked for: c2, and the list of arguments")
    config = {
        "nc": 1,
        "scales": SCALES,
        "scale": scale,
        "backbone": rows,
        "head": [[[len(rows) - 1], 1, "Detect", ["nc"]]],
    }
    with torch.device("meta"):
        layers, _ = parse_model_with(function)(deepcopy(config), 3, verbose=False)
    block, head = layers[-2], layers[-1]
    return {
        "the number of channels that the row delivers": block.proj.conv.out_channels,
        "the number of channels that its block reads": block.c1,
        "the number of channels in parse_model's list": head.cv2[0][0].conv.in_channels,
        "the size of a head": block.proj.conv.in_channels // block.heads if block.heads else 0,
    }


def parse_model_with(function):
    """Ultralytics' parse_model with one more branch, which asks `function`."""
    stock = inspect.getsource(tasks.parse_model.stock)
    last = "        else:\n            c2 = ch[f]\n"
    asked = "        elif m is iRMB:\n            c2, args = branch(f, args, ch, width, max_channels)\n"
    names = {**vars(tasks), "iRMB": iRMB, "branch": function}
    exec(stock.replace(last, asked + last), names)
    return names["parse_model"]


# --------------------------------------------------------------------------------------------------- 04.3 C2f
def forward(block: C2f_iRMB, x: torch.Tensor) -> torch.Tensor:
    return block(x)


def blocks_and_maps() -> list[tuple]:
    return [
        (C2f_iRMB(3, 16, 1).eval(), torch.randn(1, 3, 4, 4)),
        (C2f_iRMB(16, 32, 3, True).eval(), torch.randn(2, 16, 5, 9)),
        (C2f_iRMB(8, 16, 2, False).eval(), torch.randn(1, 8, 7, 3)),
    ]


def forward_with(
    halves=lambda y: list(y.chunk(2, 1)),
    step=lambda bottleneck, parts: bottleneck(parts[-1]),
    joined=lambda parts: torch.cat(parts, 1),
):
    """C2f's forward with another way to halve, to go on, or to join."""

    def function(block, x):
        parts = halves(block.cv1(x))
        for bottleneck in block.m:
            parts.append(step(bottleneck, parts))
        return block.cv2(joined(parts))

    return function


# --------------------------------------------------------------------------------------------------- 04.4 moved rows
def shift_rows(weights: dict, first: int) -> dict:
    """The weights under the names that they have after a new row `first` moved the rows behind it down by one."""
    return renamed(weights, lambda row: row + 1 if row >= first else row)


def renamed(weights: dict, number) -> dict:
    moved = {}
    for name, value in weights.items():
        model, row, rest = name.split(".", 2)
        moved[f"{model}.{number(int(row))}.{rest}"] = value
    return moved


def named_weights() -> list[tuple]:
    names = ["model.0.conv.weight", "model.2.m.0.cv1.conv.weight", "model.9.cv1.bn.bias", "model.22.m.23.cv1.weight"]
    names += ["model.23.cv2.0.0.conv.weight", "model.23.m.23.bn.weight", "model.24.conv.bias", "model.100.conv.weight"]
    weights = {name: torch.randn(2) for name in names}
    return [(weights, 23), (weights, 0), (weights, 9), (weights, 101)]


def anywhere_in_the_name(weights, first):
    return {
        ".".join(
            str(int(word) + 1) if word.isdigit() and int(word) >= first else word for word in name.split(".")
        ): value
        for name, value in weights.items()
    }


def compared_as_text(weights, first):
    return renamed(weights, lambda row: row + 1 if str(row) >= str(first) else row)


# --------------------------------------------------------------------------------------------------- 04.5 where it pays
STOCK = {2: 128, 4: 256, 6: 512, 8: 1024}  # the C2f rows of YOLOv10's backbone, and what they put out


def measured_rows(rows: dict) -> dict:
    """What YOLOv10n has and costs with other rows in its backbone, with one class and at 320 pixels."""
    if not isinstance(rows, dict):
        raise ValueError(
            f"a dictionary, as {{8: [-1, 3, 'C2f_iRMB', [1024, True]]}}, is asked for, and this is {rows!r}"
        )
    check_rows(list(rows.values()))
    config = {**tasks.yaml_model_load("yolov10n.yaml"), "nc": 1}
    for number, row in rows.items():
        if number not in STOCK:
            raise ValueError(f"row {number!r}: choose among rows {', '.join(map(str, STOCK))}, which are C2f")
        if row[3][0] != STOCK[number]:
            raise ValueError(f"row {number} puts out {row[3][0]}: the rows behind it expect {STOCK[number]}, as before")
        config["backbone"][number] = row
    net = tasks.DetectionModel(deepcopy(config), verbose=False).eval()
    return {
        "parameters": parameters(net),
        "million multiply-adds": round(1e3 * gmac(net, torch.zeros(1, 3, 320, 320))),
        "blocks that attend": sum(isinstance(part, iRMB) and part.attn for part in net.modules()),
    }


def article(e=0.5, rows=(4, 6, 8), n=None):
    return {i: [-1, n or (3 if i == 8 else 6), "C2f_iRMB", [STOCK[i], True, 1, e]] for i in rows}


EXERCISES = {
    "04.1": Predict(
        row_6_at_m,
        hints=(
            "The scale m is depth 0.67, width 0.75 and at most 768 channels. The half of c2 is the channels of a part; how "
            "many parts does cv2 read?",
            "c2 = 512 * 0.75 and n = round(6 * 0.67). cv2 reads two halves and n results, each of c2 / 2 channels.",
        ),
        wrong={
            "c2 is scaled by the width, 0.75": (512, 4, 1536),
            "the repeats are scaled by the depth, 0.67": (384, 6, 1536),
            "cv2 reads both halves too, not only the results of the bottlenecks": (384, 4, 768),
            "cv2 reads both halves: the one that no bottleneck reads is kept as well": (384, 4, 960),
            "a part has c2 * e channels, half of c2": (384, 4, 2304),
            "cv2 reads all parts one behind the other, not only the last": (384, 4, 192),
            "this is scale n": (128, 2, 256),
        },
    ),
    "04.2": FillIn(
        branch,
        small_models,
        hints=(
            "c2 is what parse_model writes into its list. It must be what the block puts out, at every scale.",
            "make_divisible(min(args[0], max_channels) * width, 8) is how Ultralytics scales. The arguments are c1, c2 "
            "and what else the row had.",
        ),
        wrong={
            "this is the article's branch: neither what is built nor what is listed follows the scale": branch_with(
                lambda args, ch, f, width, most: ch[-1], lambda f, args, ch, c2: [ch[f], *args]
            ),
            "the list gets the scaled number, but the block is built with the row's own": branch_with(
                build=lambda f, args, ch, c2: [ch[f], *args]
            ),
            "the block follows the scale, but the list gets the row's own number": lambda f, args, ch, width, most: (
                args[0],
                branch(f, args, ch, width, most)[1],
            ),
            "the width is missing: 1024 is scaled, as in Conv": branch_with(lambda args, ch, f, width, most: args[0]),
            "max_channels is missing: it cuts before the width multiplies": branch_with(
                lambda args, ch, f, width, most: make_divisible(args[0] * width, 8)
            ),
            "c2 must become a multiple of 8: make_divisible": branch_with(
                lambda args, ch, f, width, most: int(min(args[0], most) * width)
            ),
            "c1 is what the row it reads puts out, ch[f], not always the row before": branch_with(
                build=lambda f, args, ch, c2: [ch[-1], c2, *args[1:]]
            ),
            "the block puts out as many channels as it reads: c2 is the row's argument, scaled": branch_with(
                lambda args, ch, f, width, most: ch[f]
            ),
            "the rest of the row's arguments is lost": branch_with(build=lambda f, args, ch, c2: [ch[f], c2]),
        },
        call=in_parse_model,
    ),
    "04.3": FillIn(
        forward,
        blocks_and_maps,
        hints=(
            "Keep a list of all parts. It begins with the two halves, and each bottleneck adds one.",
            "chunk(2, dim=1) makes the halves. What a bottleneck reads is always the last part of the list, however long it is.",
        ),
        wrong={
            "every bottleneck reads the half: each must read the result before it": forward_with(
                step=lambda bottleneck, parts: bottleneck(parts[1])
            ),
            "the chain begins with the second half, not the first": forward_with(
                step=lambda bottleneck, parts: bottleneck(parts[-1] if len(parts) > 2 else parts[0])
            ),
            "the halves are the first channels and the last ones, not every second": forward_with(
                halves=lambda y: [y[:, ::2], y[:, 1::2]]
            ),
            "the parts are joined in the wrong order: halves first, then the results": forward_with(
                joined=lambda parts: torch.cat(parts[2:] + parts[:2], 1)
            ),
            "the halves have changed places": forward_with(joined=lambda parts: torch.cat(parts[1::-1] + parts[2:], 1)),
            "the bottleneck has a skip of its own: do not add its input again": forward_with(
                step=lambda bottleneck, parts: parts[-1] + bottleneck(parts[-1])
            ),
            "the halves are missing: cv2 reads them too": forward_with(joined=lambda parts: torch.cat(parts[2:], 1)),
            "the first half is missing: it goes past the bottlenecks": forward_with(
                joined=lambda parts: torch.cat(parts[1:], 1)
            ),
            "only the last result is kept: cv2 reads all of them": forward_with(
                joined=lambda parts: torch.cat([parts[0], parts[1], parts[-1]], 1)
            ),
            "the parts are joined along the channels, not added up": forward_with(joined=sum),
            "uses C2f_iRMB.forward, which the task rules out": lambda block, x: block(x),
        },
        ruled_out=(C2f_iRMB.forward,),
    ),
    "04.4": FillIn(
        shift_rows,
        named_weights,
        hints=(
            "The row's number is the second word of a name. Which words may hold the same digits?",
            "name.split('.', 2) gives 'model', the row and the rest. Compare rows as numbers.",
        ),
        wrong={
            "row `first` itself moves down too": lambda weights, first: renamed(
                weights, lambda row: row + (row > first)
            ),
            "all rows from `first` on move, not only this one": lambda weights, first: renamed(
                weights, lambda row: row + (row == first)
            ),
            "only the second word is the row: other numbers in a name stay": anywhere_in_the_name,
            "rows are compared as texts, and '9' is more than '23': use int": compared_as_text,
            "the rows move down, so the numbers grow": lambda weights, first: renamed(
                weights, lambda row: row - (row >= first)
            ),
            "rows in front of `first` stay where they are": lambda weights, first: renamed(
                weights, lambda row: row + 1
            ),
        },
    ),
    "04.5": Design(
        measured_rows,
        limits={
            "parameters": ("at most", 2_400_000),
            "million multiply-adds": ("at most", 950),
            "blocks that attend": ("at least", 5),
        },
        hints=(
            "In a bottleneck the two 3x3 convolutions cost more than the iRMB, and they grow with the square of its "
            "channels. Which argument of C2f_iRMB sets these?",
            "The fourth argument behind c2, shortcut and g is e. At e=0.25 a bottleneck has half the channels. They must "
            "be a multiple of 8 at scale n.",
        ),
        wrong={
            "0 blocks that attend, needed are at least 5": {},
            "2,818,086 parameters, allowed are at most 2,400,000": article(),
            "3 blocks that attend, needed are at least 5": article(0.25, rows=(6, 8)),
            "million multiply-adds, allowed are at most 950": article(0.25, rows=(6, 8), n=12),
            "must be a multiple of 8": article(0.1),
            "row 8 puts out 512: the rows behind it expect 1024": {8: [-1, 3, "C2f_iRMB", [512, True]]},
            "a row is [from, repeats, name, [arguments]], and this is": {8: [-1, 3, "C2f_iRMB"]},
            "row 5: choose among rows 2, 4, 6, 8, which are C2f": {5: [-1, 3, "C2f_iRMB", [512, True]]},
        },
    ),
}
