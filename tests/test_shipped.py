"""Weights that come with the course: small, plain, opened by name."""

import pytest
import torch
from PIL import Image
from safetensors import safe_open
from ultralytics import YOLO

from modules.__main__ import main
from modules.course import results, shipped
from results import ship
from results.validity import build

NAME = "yolo11n-TinyNet"


def test_weights_survive_the_file(tmp_path, monkeypatch):
    monkeypatch.setattr(shipped, "FOLDER", tmp_path / "weights")
    monkeypatch.setenv("COURSE_RUNS", str(tmp_path / "runs"))
    network = build(YOLO(f"{NAME}.yaml").model.yaml).eval()
    network.names = {0: "fire"}
    shipped.pack(network, shipped.FOLDER / f"{NAME}.safetensors", imgsz=96)
    size = (shipped.FOLDER / f"{NAME}.safetensors").stat().st_size
    assert size < 2.2 * sum(p.numel() for p in network.parameters())
    with safe_open(shipped.FOLDER / f"{NAME}.safetensors", "pt") as file:
        assert set(file.metadata()) == {"yaml", "names", "imgsz"}

    yolo, x = shipped.load(NAME), torch.rand(1, 3, 96, 96)
    assert yolo.names == {0: "fire"} and yolo.overrides["imgsz"] == 96
    ours, theirs = (net.float().eval()(x)[0] for net in (network, yolo.model))
    assert (ours - theirs).abs().max() < 0.02 * ours.abs().max()
    Image.new("RGB", (96, 64)).save(tmp_path / "a.png")
    assert main(["predict", f"model=fire/{NAME}", f"source={tmp_path / 'a.png'}", f"project={tmp_path}"]) == 0


def test_what_is_not_there_is_named(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(shipped, "FOLDER", tmp_path)
    (tmp_path / "yolo11n.safetensors").touch()
    assert main(["val", "model=fire/yolo12"]) == 2
    assert "no weights of this name; it has yolo11n." in capsys.readouterr().err


def test_ship_takes_the_best_seed_and_says_what_is_missing(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(results, "RESULTS", tmp_path)
    monkeypatch.setattr(shipped, "FOLDER", tmp_path / "weights")
    monkeypatch.setattr(ship, "WORK", tmp_path / "runs")
    rows = [
        dict.fromkeys(results.COLUMNS, "1") | {"name": NAME, "variant": "", "against": "", "seed": seed, "mAP50": score}
        for seed, score in ((0, 0.5), (1, 0.6))
    ]
    results.write("runs.csv", results.COLUMNS, rows)
    weights = tmp_path / "runs" / f"{NAME}-1" / "weights" / "best.pt"
    weights.parent.mkdir(parents=True)
    torch.save({"model": build(YOLO(f"{NAME}.yaml").model.yaml), "epoch": -1, "train_args": {}}, weights)
    ship.ship()
    said = capsys.readouterr().out
    assert f"{NAME}.safetensors: seed 1, mAP50 0.600" in said and "yolo11n-EMO: no finished training yet" in said
    assert shipped.names() == [NAME] and NAME in (tmp_path / "weights" / "README.md").read_text()


def test_stored_weights_are_those_of_the_best_seeds():
    best = {name: max(model.of("mAP50")) for name, model in results.trained(ship.SHIPPED).items()}
    stored = {name: shipped.unpack(shipped.FOLDER / f"{name}.safetensors")[1]["mAP50"] for name in shipped.names()}
    assert stored == pytest.approx(best, abs=5e-5), "run `python -m results ship`"
