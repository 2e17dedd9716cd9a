"""Exercises of lesson 01: an error in a YAML, one row that becomes five, a row's arguments, repeats, another neck."""

import re
from copy import deepcopy
from functools import cache

import torch
from torch import nn
from ultralytics.nn import tasks
from ultralytics.utils.ops import make_divisible

from modules import registry
from modules.c2f_irmb import C2f_iRMB
from modules.course.exercise_bank import Design, Fault, FillIn, Predict
from modules.course.measure import parameters
from modules.registry import ModelError
from modules.tinynet import TinyBlock


# --------------------------------------------------------------------------------------------------- 01.1 an error
@cache
def what_the_error_says() -> tuple:
    """The row that the error names, and the sides of the two maps that do not fit."""
    config = tasks.yaml_model_load("yolo11n-TinyNet.yaml")
    config["head"][4][0] = [-1, 4]  # row 11
    try:
        tasks.DetectionModel(config, verbose=False)
    except ModelError as error:
        row = re.match(r"row (\d+)", str(error))[1]
        return int(row), *(int(side) for side in re.findall(r"\(1, \d+, (\d+), \d+\)", str(error)))


# --------------------------------------------------------------------------------------------------- 01.2 one row, five
def expand(rows: list[list], backbones: set[str]) -> list[list]:
    return with_maps(rows, backbones)


def with_maps(rows, backbones, source=lambda rows: len(rows) - 1, indices=range(4), argument=lambda i: [i]):
    """The rows in which each backbone is followed by the rows that pick its maps."""
    expanded = []
    for row in deepcopy(rows):
        expanded.append(row)
        if row[2] in backbones:
            at = source(expanded)
            expanded += [[at, 1, "FeatureMap", argument(i)] for i in indices]
    return expanded


def lists_of_rows() -> list[tuple]:
    rest = [[-1, 1, "SPPF", [1024, 5]], [-1, 2, "C2PSA", [1024]]]
    head = [
        [-1, 1, "nn.Upsample", [None, 2, "nearest"]],
        [[-1, 3], 1, "Concat", [1]],
        [[12, 15, 18], 1, "Detect", ["nc"]],
    ]
    tiny = [-1, 1, "TinyNet", ["width"]]
    return [
        ([tiny, *rest, *head], {"TinyNet", "EMO_1M"}),
        ([[-1, 1, "Conv", [3, 3, 1]], tiny, *rest], {"TinyNet"}),
        ([[-1, 1, "Conv", [64, 3, 2]], *rest, *head], {"TinyNet"}),
        ([tiny, [0, 1, "Conv", [3, 1, 1]], [-1, 1, "EMO_1M", []], *rest], {"TinyNet", "EMO_1M"}),
    ]


def numbered_as_written(rows, backbones):
    """Takes the backbone's place in the YAML, which counts no maps, for its number."""
    expanded = []
    for number, row in enumerate(deepcopy(rows)):
        expanded.append(row)
        if row[2] in backbones:
            expanded += [[number, 1, "FeatureMap", [i]] for i in range(4)]
    return expanded


def at_the_end(rows, backbones):
    maps = [[i, 1, "FeatureMap", [j]] for i, row in enumerate(rows) if row[2] in backbones for j in range(4)]
    return deepcopy(rows) + maps


# --------------------------------------------------------------------------------------------------- 01.3 arguments
SCALES = {"n": (0.33, 0.25, 1024), "m": (0.67, 0.75, 768), "x": (1.0, 1.25, 512), "11n": (0.5, 0.25, 1024)}


def place_row(row: list, channels: list[int], scale: tuple, repeats: bool) -> tuple:
    """What the registry answers for a block: one that takes its repeats, as C2f_iRMB does, or one that does not."""
    (f, n, _, args), (depth, width, max_channels) = row, scale
    n = max(round(n * depth), 1) if n > 1 else n
    m = C2f_iRMB if repeats else TinyBlock
    return registry.place_row(m, f, n, list(args), channels, width, max_channels)


def rows_to_place() -> list[tuple]:
    channels = [3, 16, 32, 64]
    return [
        ([-1, 1, "Mine", [128]], channels, SCALES["n"], False),
        ([-1, 6, "Mine", [512, True]], channels, SCALES["m"], True),
        ([1, 3, "Mine", [1024, False, 0.5]], channels, SCALES["m"], False),
        ([-1, 1, "Mine", [100]], channels, SCALES["n"], True),
        ([-1, 6, "Mine", [256]], channels, SCALES["n"], True),
        ([2, 2, "Mine", [1024]], channels, SCALES["x"], True),
        ([-1, 2, "Mine", [256, 3]], channels, SCALES["11n"], False),
    ]


def placed(function, row, channels, scale, repeats):
    answer = function(row, channels, scale, repeats)
    if not isinstance(answer, tuple) or len(answer) != 3 or not isinstance(answer[2], (list, tuple)):
        raise Fault(f"returns {answer!r}, and three things are asked for: c2, n, and the list of arguments")
    c2, n, args = answer
    return {"c2": c2, "n": n, "the list of arguments": list(args)}


def placed_with(
    rounded=lambda c2, width, most: make_divisible(min(c2, most) * width, 8),
    count=lambda n, depth: max(round(n * depth), 1) if n > 1 else n,
    c1=lambda f, channels: channels[f],
    left=lambda n: 1,
    arguments=lambda c1, c2, n, rest: [c1, c2, *n, *rest],
):
    """A place_row in which one step is another."""

    def function(row, channels, scale, repeats):
        (f, n, _, args), (depth, width, most) = row, scale
        c2, n = rounded(args[0], width, most), count(n, depth)
        built = arguments(c1(f, channels), c2, [n] if repeats else [], args[1:])
        return c2, left(n) if repeats else n, built

    return function


# --------------------------------------------------------------------------------------------------- 01.4 repeats
class TinyStack(nn.Sequential):
    """The right answer."""

    def __init__(self, c1, c2, n=1):
        super().__init__(TinyBlock(c1, c2), *(TinyBlock(c2, c2) for _ in range(n - 1)))


def stack_of(blocks):
    """A class whose blocks are `blocks(c1, c2, n)`."""

    class Stack(nn.Sequential):
        def __init__(self, c1, c2, n=1):
            super().__init__(*blocks(c1, c2, n))

    return Stack


def stacks() -> list[tuple]:
    return [
        (8, 16, 3, torch.randn(2, 8, 6, 6)),
        (3, 5, 1, torch.randn(1, 3, 4, 7)),
        (16, 16, 2, torch.randn(1, 16, 5, 5)),
        (12, 4, 4, torch.randn(2, 12, 3, 8)),
    ]


def output_of_stack(cls, c1, c2, n, x):
    torch.manual_seed(0)  # the same weights for blocks that are made in the same order
    stack = cls(c1, c2, n).eval()
    found = {id(part) for part in stack.modules() if isinstance(part, TinyBlock)}
    return {"the number of TinyBlocks": len(found), "the output": stack(x)}


# --------------------------------------------------------------------------------------------------- 01.5 another neck
SPPF = [-1, 1, "SPPF", [1024, 5]]
RENUMBERED = {-1: -1, 4: 2, 6: 3, 9: 5, 12: 8, 15: 11, 18: 14, 21: 17}  # YOLOv8's rows, by TinyNet's numbers


def check_rows(rows) -> None:
    """Raises ValueError unless these are rows of a model YAML."""
    for row in rows if isinstance(rows, list) else [rows]:
        if not isinstance(row, (list, tuple)) or len(row) != 4 or not isinstance(row[3], (list, tuple)):
            raise ValueError(f"a row is [from, repeats, name, [arguments]], and this is {row!r}")


def measured_neck(model: dict) -> dict:
    """Parameters of YOLOv8n's neck and head on TinyNet, and the backbone's share of them."""
    if not isinstance(model, dict) or not {"backbone", "head"} <= model.keys():
        raise ValueError("a dictionary with the lists 'backbone' and 'head' is asked for")
    for part in ("backbone", "head"):
        check_rows(model[part])
    stock = tasks.yaml_model_load("yolov8n.yaml")
    names = [row[2] for row in model["backbone"]]
    if names != ["TinyNet", "SPPF"]:
        raise ValueError(f"the backbone's rows are {', '.join(names)}: what is asked for is TinyNet and SPPF")
    if list(model["backbone"][1]) != SPPF:
        raise ValueError(f"the row of SPPF is {model['backbone'][1]}, and it must stay {SPPF}")
    if [row[2] for row in model["head"]] != [row[2] for row in stock["head"]]:
        raise ValueError("the head has other rows than YOLOv8's: only the numbers that it reads change")
    for number, (row, old) in enumerate(zip(model["head"], stock["head"]), start=6):
        sources = old[0] if isinstance(old[0], list) else [old[0]]
        right = [RENUMBERED[j] for j in sources]
        if [*row[1:3], list(row[3])] != old[1:]:
            raise ValueError(f"row {number}, {row[2]}, has {row[1:]}, and it had {old[1:]}: only what it reads changes")
        if row[0] != (right if isinstance(old[0], list) else right[0]):
            raise ValueError(f"row {number}, {row[2]}, reads {row[0]}, which is not the map that it reads in YOLOv8")
    net = tasks.DetectionModel({**stock, **deepcopy(model), "nc": 1}, verbose=False)
    own = parameters(net.model[0])
    return {
        "parameters": parameters(net),
        "percent of them in the backbone": round(100 * own / parameters(net), 1),
    }


def neck(width="width", head=None):
    stock = tasks.yaml_model_load("yolov8n.yaml")
    for row in stock["head"]:
        row[0] = [RENUMBERED[j] for j in row[0]] if isinstance(row[0], list) else row[0]
    for number, source in (head or {}).items():
        stock["head"][number - 6][0] = source
    return {"backbone": [[-1, 1, "TinyNet", [width]], SPPF], "head": stock["head"]}


def narrow_head():
    model = neck(1.0)
    model["head"][11] = [-1, 3, "C2f", [512]]
    return model


def narrow_sppf():
    model = neck(1.0)
    return {**model, "backbone": [model["backbone"][0], [-1, 1, "SPPF", [512, 5]]]}


EXERCISES = {
    "01.1": Predict(
        what_the_error_says,
        hints=(
            "Which row joins two maps? Follow each of them back to a row whose stride you know.",
            "Row 10 is the second upsampling: from stride 32 to 16, and to 8. Row 4 is P5. Divide 256 by the strides.",
        ),
        wrong={
            "row 4 is P5, not P4: rows 1 to 4 are P2 to P5": (11, 32, 16),
            "row 10 is the second upsampling, not the first": (11, 16, 8),
            "the error names the row that reads both maps": (4, 32, 8),
            "row 10 runs well: the error names the row that cannot join its maps": (10, 32, 8),
            "the maps are named in the order in which the row lists them: [-1, 4]": (11, 8, 32),
            "the first run is at 256 pixels, not at 640": (11, 80, 20),
        },
    ),
    "01.2": FillIn(
        expand,
        lists_of_rows,
        hints=(
            "Go through the rows and build a new list. When does a row get four more behind it, and which number has it?",
            "The backbone that you have just appended is row len(new) - 1. Its maps are [that number, 1, 'FeatureMap', "
            "[index]] for the indices 0 to 3.",
        ),
        wrong={
            "the maps are read from row 0, but a backbone may stand in another row": lambda rows, names: with_maps(
                rows, names, source=lambda new: 0
            ),
            "the maps read -1: only the first of them stands right behind the backbone": lambda rows, names: with_maps(
                rows, names, source=lambda new: -1
            ),
            "the indices are counted from 0: P2 is 0, P5 is 3": lambda rows, names: with_maps(
                rows, names, indices=range(1, 5)
            ),
            "a backbone has four maps, P2 too": lambda rows, names: with_maps(rows, names, indices=range(1, 4)),
            "the arguments of a row are a list: [index]": lambda rows, names: with_maps(
                rows, names, argument=lambda i: i
            ),
            "this is the backbone's number in the YAML; the maps of a backbone before it count too": numbered_as_written,
            "the maps stand right behind their backbone, not at the end": at_the_end,
            "only the first backbone got its maps": lambda rows, names: with_maps(
                rows, {next((row[2] for row in rows if row[2] in names), "")}
            ),
        },
    ),
    "01.3": FillIn(
        place_row,
        rows_to_place,
        hints=(
            "Four steps: the channels in, the channels out, the repeats, the arguments. A repeat of 1 stays 1.",
            "c2 = make_divisible(min(args[0], max_channels) * width, 8), and n = max(round(n * depth), 1). A class that "
            "takes its repeats gets them as third argument, and one row is built: n = 1.",
        ),
        wrong={
            "c2 must be scaled by the width": placed_with(lambda c2, width, most: min(c2, most)),
            "max_channels is missing: it cuts before the width multiplies": placed_with(
                lambda c2, width, most: make_divisible(c2 * width, 8)
            ),
            "max_channels cuts before the width multiplies, not after": placed_with(
                lambda c2, width, most: make_divisible(min(c2 * width, most), 8)
            ),
            "c2 must become a multiple of 8: make_divisible": placed_with(
                lambda c2, width, most: int(min(c2, most) * width)
            ),
            "the repeats must be scaled by the depth": placed_with(count=lambda n, depth: n),
            "the repeats are rounded, not cut off": placed_with(
                count=lambda n, depth: max(int(n * depth), 1) if n > 1 else n
            ),
            "at least one repeat is left": placed_with(count=lambda n, depth: round(n * depth)),
            "a class that takes its repeats is built once: n is 1 then": placed_with(left=lambda n: n),
            "the repeats come third, behind c1 and c2": placed_with(
                arguments=lambda c1, c2, n, rest: [c1, c2, *rest, *n]
            ),
            "c1 is missing from the arguments": placed_with(arguments=lambda c1, c2, n, rest: [c2, *n, *rest]),
            "the rest of the row's arguments is lost": placed_with(arguments=lambda c1, c2, n, rest: [c1, c2, *n]),
            "c1 is what the row it reads puts out, channels[f], not always the row before": placed_with(
                c1=lambda f, channels: channels[-1]
            ),
        },
        call=placed,
    ),
    "01.4": FillIn(
        TinyStack,
        stacks,
        hints=(
            "Only the first block changes the channels. How many are left?",
            "nn.Sequential takes modules one by one: super().__init__(first, *others).",
        ),
        wrong={
            "this is one block too many: the one that changes the channels counts": stack_of(
                lambda c1, c2, n: [TinyBlock(c1, c2), *(TinyBlock(c2, c2) for _ in range(n))]
            ),
            "n is not used: one block is built": stack_of(lambda c1, c2, n: [TinyBlock(c1, c2)]),
            "one block is used again and again, with the same weights: build a new one each time": stack_of(
                lambda c1, c2, n: [TinyBlock(c1, c2), *[TinyBlock(c2, c2)] * (n - 1)]
            ),
            "the first block changes the channels, not the last": stack_of(
                lambda c1, c2, n: [*(TinyBlock(c1, c1) for _ in range(n - 1)), TinyBlock(c1, c2)]
            ),
            "the second block is fed c2 channels, not c1": stack_of(
                lambda c1, c2, n: [TinyBlock(c1, c2) for _ in range(n)]
            ),
        },
        call=output_of_stack,
    ),
    "01.5": Design(
        measured_neck,
        limits={
            "parameters": ("at most", 2_300_000),
            "percent of them in the backbone": ("at least", 15),
        },
        hints=(
            "First get it to build: TinyNet counts as rows 0 to 4 and SPPF is row 5, so ten rows became six. Which of "
            "YOLOv8's rows were P3 and P4?",
            "Rows 4, 6 and 9 of YOLOv8 become 2, 3 and 5, and the rows of the head move up by 4. Then choose TinyNet's "
            "width between 0.25 and 1.",
        ),
        wrong={
            "4.9 percent of them in the backbone, needed are at least 15": neck(),
            "parameters, allowed are at most 2,300,000": neck(1.0),
            "row 7, Concat, reads [-1, 6], which is not the map": neck(0.5, {7: [-1, 6]}),
            "row 13, Concat, reads [-1, 12], which is not the map": neck(0.5, {13: [-1, 12]}),
            "row 18, Detect, reads [15, 18, 21], which is not the map": neck(0.5, {18: [15, 18, 21]}),
            "row 17, C2f, has [3, 'C2f', [512]], and it had [3, 'C2f', [1024]]: only what it reads changes": narrow_head(),
            "the row of SPPF is [-1, 1, 'SPPF', [512, 5]], and it must stay": narrow_sppf(),
            "the backbone's rows are TinyNet": {**neck(0.5), "backbone": [[-1, 1, "TinyNet", [0.5]]]},
            "a dictionary with the lists 'backbone' and 'head' is asked for": "yolov8-TinyNet.yaml",
        },
    ),
}
