"""Every family of backbones under every head of YOLO, trained too; pictures of four channels, and channels last."""

import math
from functools import cache
from pathlib import Path

import pytest
import torch
from PIL import Image
from torch import nn
from ultralytics import YOLO
from ultralytics.nn import tasks

from modules.course.graft import SHIPPED, graft, grafted
from modules.course.quiet import tensors_in
from modules.course.train import train
from modules.registry import REGISTERED, ModelError, register

TASKS = {
    "segment": (tasks.SegmentationModel, "yolo11n-seg.yaml"),
    "pose": (tasks.PoseModel, "yolo11n-pose.yaml"),
    "obb": (tasks.OBBModel, "yolo11n-obb.yaml"),
    "classify": (tasks.ClassificationModel, "yolo11n-cls.yaml"),
}
BACKBONES = list(SHIPPED.values())


@cache
def stock_shapes(task):
    """The shapes that the head of Ultralytics' own model puts out while training."""
    kind, name = TASKS[task]
    return shapes(kind(name, nc=3, verbose=False).train()(torch.rand(2, 3, 64, 64)))


def shapes(outputs):
    return [tuple(tensor.shape) for tensor in tensors_in(outputs)]


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("backbone", BACKBONES)
def test_every_head_on_every_backbone(task, backbone):
    """It puts out what the head of the stock model does, and its backward pass reaches every parameter."""
    kind, name = TASKS[task]
    model = graft(tasks.yaml_model_load(name), backbone) | {"scale": "n"}
    net = kind(model, nc=3, verbose=False).train()
    outputs = net(torch.rand(2, 3, 64, 64))
    assert shapes(outputs) == stock_shapes(task)
    sum(tensor.square().mean() for tensor in tensors_in(outputs) if tensor.requires_grad).backward()
    without = [key for key, p in net.named_parameters() if p.requires_grad and p.grad is None]
    assert not without, f"no gradient reaches {without[:3]}"


LABELS = {  # a square, as each task has it
    "segment": "0 .2 .2 .8 .2 .8 .8 .2 .8",
    "obb": "0 .2 .2 .8 .2 .8 .8 .2 .8",
    "pose": "0 .5 .5 .6 .6 .2 .2 2 .8 .8 2",
}


@pytest.mark.parametrize("task", LABELS)
def test_train_trains_every_head_that_finds_boxes(task, tmp_path, monkeypatch):
    """One epoch on two pictures, measured and drawn; nothing is left in the set."""
    monkeypatch.chdir(tmp_path)
    for kind in ("images", "labels"):
        Path(kind).mkdir()
    for i in range(2):
        Image.new("RGB", (64, 64), "white").save(f"images/{i}.png")
        Path(f"labels/{i}.txt").write_text(LABELS[task])
    shape = "kpt_shape: [2, 3]\nflip_idx: [1, 0]\n" if task == "pose" else ""
    Path("set.yaml").write_text(f"path: {tmp_path}\ntrain: images\nval: images\nnames: {{0: square}}\n{shape}")
    Path("yolo11n-mine.yaml").write_text(grafted(TASKS[task][1], "TinyNet"))
    run = train("yolo11n-mine.yaml", "set.yaml", "smoke", imgsz=64, epochs=1, batch=2, project="runs")
    assert math.isfinite(run.losses[0]) and set(run.scores) == {"precision", "recall", "mAP50", "mAP50-95"}
    assert run.picture.is_file() and YOLO(str(run.weights)).task == task
    assert {p.name for p in tmp_path.iterdir()} == {"images", "labels", "set.yaml", "yolo11n-mine.yaml", "runs"}


@pytest.fixture
def mix():
    """A 1 x 1 convolution as a class of the YAML: what turns four channels into the three that backbones read."""

    @register
    class Mix(nn.Conv2d):
        pass

    yield Mix
    del REGISTERED["Mix"], tasks.Mix


def behind_a_mix(model):
    """The model with the row of `mix` at its beginning."""
    for row in model["backbone"] + model["head"]:
        row[0] = [f + (f >= 0) for f in row[0]] if isinstance(row[0], list) else row[0] + (row[0] >= 0)
    model["backbone"].insert(0, [-1, 1, "Mix", [3, 1]])
    return model


@pytest.mark.parametrize("backbone", BACKBONES)
def test_pictures_of_four_channels(backbone, mix):
    model = graft(tasks.yaml_model_load("yolo11n.yaml"), backbone) | {"scale": "n"}
    with pytest.raises(ModelError, match="reads pictures with 3 channels, and is fed 4"):
        tasks.DetectionModel({**model}, ch=4, verbose=False)
    net = tasks.DetectionModel(behind_a_mix(model), ch=4, nc=1, verbose=False)
    assert net.stride.tolist() == [8, 16, 32]
    assert tensors_in(net.eval()(torch.rand(1, 4, 64, 96)))[0].shape == (1, 5, 8 * 12 + 4 * 6 + 2 * 3)


@pytest.mark.parametrize("backbone", BACKBONES)
def test_channels_last_changes_the_order_in_memory_alone(backbone):
    torch.manual_seed(0)
    net, x = REGISTERED[backbone].cls().eval(), torch.rand(1, 3, 64, 96)
    with torch.no_grad():
        wanted = net(x)
        found = net.to(memory_format=torch.channels_last)(x.to(memory_format=torch.channels_last))
    for a, b in zip(wanted, found):
        assert torch.allclose(a, b, atol=1e-4 * a.abs().max().item())
