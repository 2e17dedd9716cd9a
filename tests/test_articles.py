"""The model files of the five articles that this course began with: their rows, and what they build.

Four are in the repository futureflsl/yolo-improve (docs 22, 49, 60 and 63: EMO, FasterNet, RepViT, RevCol in YOLO11).
The fifth, with two files, puts iRMB into YOLOv10. Where ours differ, the difference stands here.
"""

import inspect

import pytest
import torch
from ultralytics.nn import tasks

from modules import iRMB
from modules.course.contract import StridesAreNumbers
from modules.course.measure import parameters

YOLO11 = [  # from, repeats, module, arguments; the backbone stands before them and counts as rows 0 to 4
    [-1, 1, "SPPF", [1024, 5]],  # 5
    [-1, 2, "C2PSA", [1024]],
    [-1, 1, "nn.Upsample", ["None", 2, "nearest"]],
    [[-1, 3], 1, "Concat", [1]],
    [-1, 2, "C3k2", [512, False]],  # 9
    [-1, 1, "nn.Upsample", ["None", 2, "nearest"]],
    [[-1, 2], 1, "Concat", [1]],
    [-1, 2, "C3k2", [256, False]],  # 12
    [-1, 1, "Conv", [256, 3, 2]],
    [[-1, 9], 1, "Concat", [1]],
    [-1, 2, "C3k2", [512, False]],  # 15
    [-1, 1, "Conv", [512, 3, 2]],
    [[-1, 6], 1, "Concat", [1]],
    [-1, 2, "C3k2", [1024, True]],  # 18
    [[12, 15, 18], 1, "Detect", ["nc"]],
]
YOLOV10 = [  # up to the detection head
    [-1, 1, "Conv", [64, 3, 2]],  # 0
    [-1, 1, "Conv", [128, 3, 2]],
    [-1, 3, "C2f", [128, True]],
    [-1, 1, "Conv", [256, 3, 2]],
    [-1, 6, "C2f", [256, True]],
    [-1, 1, "SCDown", [512, 3, 2]],  # 5
    [-1, 6, "C2f", [512, True]],
    [-1, 1, "SCDown", [1024, 3, 2]],
    [-1, 3, "C2f", [1024, True]],
    [-1, 1, "SPPF", [1024, 5]],
    [-1, 1, "PSA", [1024]],  # 10, the last of the backbone
    [-1, 1, "nn.Upsample", ["None", 2, "nearest"]],
    [[-1, 6], 1, "Concat", [1]],
    [-1, 3, "C2f", [512]],
    [-1, 1, "nn.Upsample", ["None", 2, "nearest"]],
    [[-1, 4], 1, "Concat", [1]],  # 15
    [-1, 3, "C2f", [256]],
    [-1, 1, "Conv", [256, 3, 2]],
    [[-1, 13], 1, "Concat", [1]],
    [-1, 3, "C2f", [512]],
    [-1, 1, "SCDown", [512, 3, 2]],  # 20
    [[-1, 10], 1, "Concat", [1]],
    [-1, 3, "C2fCIB", [1024, True, True]],
]
ONE_IRMB = [*YOLOV10, [-1, 1, "iRMB", [256]], [[16, 19, 23], 1, "v10Detect", ["nc"]]]
SEVERAL = [[*row[:2], "C2f_iRMB", row[3]] if i in (4, 6, 8) else row for i, row in enumerate(YOLOV10)]
SEVERAL.append([[16, 19, 22], 1, "v10Detect", ["nc"]])

# The article's backbone and our own, then parameters of the article's detector at scale n and of its backbone.
BACKBONES = {
    "EMO": ("EMO_1M", [0.25], "EMO_1M", 1_609_300, 99_016),
    "RepViT": ("repvit_m0_6", [0.5], "repvit_m0_9", 2_408_884, 792_324),
    "FasterNet": ("FasterNet", [0.25], "FasterNet", 1_614_724, 90_452),
    "RevColV1": ("revcol_tiny", [], "revcol_tiny", 31_861_104, 29_942_144),
}


def rows(model: dict) -> list[list]:
    return model["backbone"] + model["head"]


def detector(model: dict) -> tasks.DetectionModel:
    """Built without memory for its weights: revcol_tiny has 30 million."""
    with torch.device("meta"), StridesAreNumbers():
        return tasks.DetectionModel(model, verbose=False)


@pytest.mark.parametrize("name", BACKBONES)
def test_yolo11_with_a_backbone(name):
    theirs, arguments, ours, total, backbone = BACKBONES[name]
    model = tasks.yaml_model_load(f"yolo11n-{name}.yaml")
    assert rows(model) == [[-1, 1, ours, ["width"]], *YOLO11]
    model["backbone"][0] = [-1, 1, theirs, arguments]
    built = detector(model)
    assert (parameters(built), parameters(built.model[0])) == (total, backbone)


def test_one_irmb_in_yolov10():
    model = tasks.yaml_model_load("yolov10n-iRMB.yaml")
    assert rows(model) == [*ONE_IRMB[:23], [-1, 1, "iRMB", [1024]], ONE_IRMB[24]]
    built = detector(model)
    assert parameters(built) == 3_040_992 and built.model[23].c1 == 256 and built.model[23].skip


def test_c2f_irmb_in_yolov10():
    model = tasks.yaml_model_load("yolov10n-C2f_iRMB.yaml")
    assert rows(model) == SEVERAL
    assert parameters(detector(model)) == 2_886_176


def test_both_start_from_the_rows_of_yolov10n():
    assert rows(tasks.yaml_model_load("yolov10n.yaml")) == [*YOLOV10, [[16, 19, 22], 1, "v10Detect", ["nc"]]]


@pytest.mark.parametrize("name", ["iRMB", "C2f_iRMB"])
def test_scale_b_has_the_rows_of_yolov10b(name):
    """The one file besides the scales of n: stock's, with the same change."""
    stock, ours = (rows(tasks.yaml_model_load(f"yolov10b{suffix}.yaml")) for suffix in ("", f"-{name}"))
    if name == "iRMB":
        assert ours == [*stock[:-1], [-1, 1, "iRMB", [1024]], [[16, 19, 23], *stock[-1][1:]]]
    else:
        assert [i for i, (a, b) in enumerate(zip(stock, ours)) if a != b] == [4, 6, 8]
        assert all([*ours[i][:2], ours[i][3]] == [*stock[i][:2], stock[i][3]] for i in (4, 6, 8))
    detector(tasks.yaml_model_load(f"yolov10b-{name}.yaml"))


# ------------------------------------------------------------------------------------- with the article's own branch
def articles_parse_model():
    """Stock parse_model with the branch that the article adds for iRMB: it neither sets c2 nor scales."""
    source, last = inspect.getsource(tasks.parse_model.stock), "        else:\n            c2 = ch[f]\n"
    assert source.count(last) == 1
    space = vars(tasks) | {"iRMB": iRMB}
    exec(source.replace(last, f"        elif m is iRMB:\n            args = [ch[f], *args]\n{last}"), space)
    return space["parse_model"]


@pytest.mark.parametrize("scale, before", [("n", 256), ("s", 512), ("m", 576), ("l", 512), ("x", 640)])
def test_articles_branch_is_right_at_n_only(scale, before):
    model = tasks.yaml_model_load(f"yolov10{scale}-iRMB.yaml")
    model["head"][-2] = [-1, 1, "iRMB", [256]]
    with torch.device("meta"):
        layers, _ = articles_parse_model()(model, ch=3, verbose=False)
    row, head = layers[23], layers[24]
    assert (row.c1, row.proj.conv.out_channels, head.cv2[2][0].conv.in_channels) == (before, 256, before)


def test_articles_second_file_cannot_be_built():
    with pytest.raises(ValueError, match="c1=256, c2=True"):  # parse_model hands the row's arguments on as they are
        tasks.parse_model.stock(tasks.yaml_model_load("yolov10n-C2f_iRMB.yaml"), ch=3, verbose=False)
