"""Stock models of Ultralytics take our backbones, and the course's own models are written that way."""

import pytest
import yaml
from ultralytics import YOLO
from ultralytics.nn import tasks

import modules
from modules.__main__ import main
from modules.course import graft
from modules.registry import MODEL_FOLDERS, ModelError

MODELS = [
    *("yolov8n", "yolov8m-seg", "yolov8s-pose", "yolov8n-obb", "yolov8n-cls", "yolov8n-p2"),
    *("yolov10n", "yolov10m", "yolo11n", "yolo11n-seg", "yolo11n-pose", "yolo11n-obb", "yolo11n-cls"),
    *("yolo12n", "yolo12n-seg", "yolo26n", "yolo26n-seg", "yolo26n-pose", "yolo26n-obb", "yolo26n-cls"),
]


@pytest.mark.parametrize("name", MODELS)
def test_grafted_model_is_built(name, tmp_path):
    try:
        stock = tasks.yaml_model_load(f"{name}.yaml")
    except FileNotFoundError:
        pytest.skip(f"this version of Ultralytics has no {name}")
    path = tmp_path / f"{name}-Mine.yaml"
    path.write_text(graft.grafted(f"{name}.yaml", "EMO_1M"))
    net = YOLO(path, verbose=False).model
    assert type(net.model[0]) is modules.EMO_1M and net.task == YOLO(f"{name}.yaml", verbose=False).task
    levels = [8, 16, 32] if "-p2" not in name else [4, 8, 16, 32]
    assert "-cls" in name or net.stride.tolist() == levels
    # What follows the backbone is the stock model's, row for row.
    assert [row[1:] for row in net.yaml["head"]] == [row[1:] for row in stock["head"]]


@pytest.mark.parametrize("backbone", [cls.__name__ for cls in modules.BACKBONES])
def test_every_backbone_is_grafted(backbone):
    model = yaml.safe_load(graft.grafted("yolo11n.yaml", backbone))
    assert model["backbone"][0] == [-1, 1, backbone, ["width"]]


@pytest.mark.parametrize(("name", "backbone"), graft.SHIPPED.items())
def test_the_courses_models_are_not_stale(name, backbone):
    text = (MODEL_FOLDERS[-1] / f"yolo11-{name}.yaml").read_text(encoding="utf-8")
    assert text == graft.grafted("yolo11.yaml", backbone), "run `make models`"


def test_what_does_not_fit_is_named():
    with pytest.raises(ModelError, match="'EMO' is no registered backbone. Registered are TinyNet, EMO_1M"):
        graft.grafted("yolo11n.yaml", "EMO")
    with pytest.raises(ModelError, match="has no model 'yolo99n.yaml'"):
        graft.grafted("yolo99n.yaml", "EMO_1M")
    with pytest.raises(ModelError, match="ends at stride 64"):
        graft.grafted("yolov8n-p6.yaml", "EMO_1M")


def test_command(capsys):
    assert main(["graft", "yolo11n.yaml", "EMO_1M"]) == 0
    assert capsys.readouterr().out == graft.grafted("yolo11n.yaml", "EMO_1M")
    assert main(["graft", "yolo11n.yaml"]) == 2
    assert "graft takes a model of Ultralytics and a backbone" in capsys.readouterr().err
