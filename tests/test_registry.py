"""The bridge to Ultralytics: each patch, registration, expansion, names, errors."""

import subprocess
import sys
from copy import deepcopy
from pathlib import Path

import pytest
import torch
import yaml
from torch import nn
from ultralytics import YOLO
from ultralytics.nn import tasks
from ultralytics.nn.modules import RepVGGDW

from modules import TinyBlock, TinyNet, registry
from modules.registry import ModelError, register

sys.path.append(str(Path(__file__).parent / "versions"))
from models import FAMILIES, TASKS, stock_model, with_ours

STOCK = Path(tasks.__file__).parents[1] / "cfg" / "models"
TINY = "yolo11n-TinyNet.yaml"


def tiny() -> dict:
    return deepcopy(tasks.yaml_model_load(TINY))


def build(model: dict, **kwargs) -> nn.Module:
    return tasks.DetectionModel(model, verbose=False, **kwargs)


def parameters(model: nn.Module) -> int:
    return sum(p.numel() for p in model.parameters())


@pytest.fixture
def table(monkeypatch):
    """A registry that forgets, after the test, what the test registered."""
    monkeypatch.setattr(registry, "REGISTERED", dict(registry.REGISTERED))
    before = set(vars(tasks))
    yield registry.REGISTERED
    for name in set(vars(tasks)) - before:
        delattr(tasks, name)


# ------------------------------------------------------------------------------------------------------------ patches
@pytest.mark.parametrize("patch", registry.PATCHES, ids=lambda p: p.name)
def test_patch_is_in_place_and_keeps_the_stock_function(patch):
    ours = getattr(registry.owner_of(patch), patch.name)
    assert ours.stock.__module__.startswith("ultralytics")
    assert not hasattr(ours.stock, "stock"), "patched twice"


@pytest.mark.parametrize("patch", registry.PATCHES, ids=lambda p: p.name)
def test_missing_place_is_named(patch, monkeypatch):
    monkeypatch.setattr(registry, "PATCHES", [patch._replace(name=f"{patch.name}_renamed")])
    with pytest.raises(
        RuntimeError, match=rf"Ultralytics [\d.]+ has no {patch.owner}.{patch.name}_renamed, .*{patch.why}"
    ):
        registry.install()


def test_missing_class_is_named(monkeypatch):
    patch = registry.PATCHES[1]._replace(owner="ultralytics.nn.tasks.Renamed")
    monkeypatch.setattr(registry, "PATCHES", [patch])
    with pytest.raises(RuntimeError, match="has no ultralytics.nn.tasks.Renamed.__init__"):
        registry.install()


def test_parse_model_without_tables_is_refused():
    def parse_model(d, ch):
        for row in d:
            print(row)

    with pytest.raises(RuntimeError, match=r"no 'if m in \.\.\.' in its loop"):
        registry.with_branch(parse_model)


def test_install_again_changes_nothing_more():
    stock = tasks.parse_model.stock
    registry.install()
    assert tasks.parse_model.stock is stock
    assert sys.modules["ultralytics.engine.model"].yaml_model_load is tasks.yaml_model_load
    assert parameters(YOLO(TINY).model) == 1_661_184


def test_tracebacks_keep_ultralytics_line_numbers():
    build_function = registry.with_branch(tasks.parse_model.stock)
    assert build_function.__code__.co_filename == tasks.__file__
    assert build_function.__code__.co_firstlineno == tasks.parse_model.stock.__code__.co_firstlineno


@pytest.mark.parametrize(
    "name", ["yolov8n", "yolov10b", "yolo11n-seg", "yolov9c", "yolov5n-p6", "yolo11n-cls", "rtdetr-l"]
)
def test_stock_models_are_built_as_before(name):
    model = tasks.yaml_model_load(f"{name}.yaml")
    ours, saved = tasks.parse_model(deepcopy(model), ch=3, verbose=False)
    stock, stock_saved = tasks.parse_model.stock(deepcopy(model), ch=3, verbose=False)
    assert saved == stock_saved
    assert {k: v.shape for k, v in ours.state_dict().items()} == {k: v.shape for k, v in stock.state_dict().items()}


def test_every_stock_yaml_passes_the_checks():
    files = sorted(STOCK.rglob("*.yaml"))
    assert len(files) > 30
    for file in files:
        registry.check_rows(tasks.yaml_model_load(file))


# ------------------------------------------------------------------------------------------------------- registration
def test_block_gets_scaled_channels():
    model = tiny()
    model["head"][2] = [-1, 1, "TinyBlock", [512]]
    block = build(model).model[9]
    assert type(block) is TinyBlock and block.channel.out_channels == 128  # 512 x 0.25


def test_block_with_repeats_gets_them(table):
    class TinyStack(nn.Sequential):
        def __init__(self, c1, c2, n=1):
            super().__init__(TinyBlock(c1, c2), *(TinyBlock(c2, c2) for _ in range(n - 1)))

    register(TinyStack, repeats=True)
    for scale, depth in ("n", 1), ("l", 2):
        model = {**tiny(), "scale": scale}
        model["head"][2] = [-1, 2, "TinyStack", [512]]
        assert len(build(model).model[9]) == depth


def test_register_works_as_a_decorator(table):
    @register
    class Fresh(nn.Module):
        pass

    assert tasks.Fresh is Fresh and registry.is_registered(Fresh())


def test_names_that_are_taken(table):
    other = type("RepVGGDW", (nn.Module,), {"__module__": "somewhere"})
    with pytest.raises(ValueError, match="RepVGGDW is taken by ultralytics"):
        register(other)
    register(RepVGGDW)  # the same class is welcome
    with pytest.raises(ValueError, match="TinyNet is taken by modules.tinynet"):
        register(type("TinyNet", (nn.Module,), {"__module__": "somewhere"}))
    again = type("TinyNet", (nn.Module,), {"__module__": "__main__"})
    assert register(again) is tasks.TinyNet is again  # a notebook's cell that ran again
    assert register(TinyNet) is tasks.TinyNet is TinyNet


@pytest.mark.parametrize("wrong", [nn.Conv2d(1, 1, 1), int, "TinyNet"], ids=str)
def test_only_module_classes(wrong):
    with pytest.raises(ValueError, match="derived from nn.Module"):
        register(wrong)


# ---------------------------------------------------------------------------------------------------------- expansion
def test_backbone_counts_as_five_rows():
    model = tiny()
    rows = registry.expand(model)
    assert [row[2] for row in rows[:6]] == ["TinyNet", *["FeatureMap"] * 4, "SPPF"]
    assert [row[0] for row in rows[1:5]] == [0, 0, 0, 0]
    assert len(model["backbone"]) == 3, "the model's own rows were changed"


def test_model_keeps_its_short_form():
    assert YOLO(TINY).model.yaml["backbone"][0] == [-1, 1, "TinyNet", ["width"]]


def test_backbone_in_a_later_row():
    model = tiny()
    model["backbone"].insert(0, [-1, 1, "nn.Identity", []])
    for row in model["head"]:
        row[0] = [j if j < 0 else j + 1 for j in row[0]] if isinstance(row[0], list) else row[0]
    net = build(model)
    assert type(net.model[1]) is TinyNet and parameters(net) == 1_661_184


@pytest.mark.parametrize("scale", "nsmlx")
def test_scales(scale):
    net = YOLO(f"yolo11{scale}-TinyNet.yaml").model
    width = net.yaml["scales"][scale][1]
    assert net.stride.tolist() == [8, 16, 32]
    assert [m.shape[1] for m in net.model[0].eval()(torch.zeros(1, 3, 32, 32))] == TinyNet.feature_channels(width)


# ------------------------------------------------------------------------------------------------------------- errors
def change(row, entry, value):
    def apply(model):
        model["head"][row][entry] = value

    return apply


def backbone_twice(model):
    model["backbone"][0][1] = 3


def three_maps(model):
    model["backbone"][0][2] = "ThreeMaps"


ERRORS = {
    "unknown name": (change(2, 2, "C3k3"), r"row 9 .*unknown module 'C3k3'. Did you mean C3k2.*register\(C3k3\)"),
    "unknown torch name": (change(0, 2, "nn.Upsampel"), "row 7 .*unknown module 'nn.Upsampel'"),
    "index too large": (
        change(1, 0, [-1, 33]),
        "row 8 .*'from' is 33, which points nowhere. Row 8 can read rows 0 to 7",
    ),
    "index of itself": (change(1, 0, [-1, 8]), "row 8 .*'from' is 8"),
    "whole backbone": (change(1, 0, [-1, 0]), "row 8 .*row 0 is a whole backbone.*2 is P3, 3 is P4"),
    "wrong arguments": (
        change(2, 3, [512, 1, 2, 3, 4, 5, 6, 7, 8, 9]),
        r"row 9 .*wrong arguments \(too many.*C3k2\(c1",
    ),
    "no arguments": (change(2, slice(2, 4), ["TinyBlock", []]), "row 9 .*output channels first"),
    "word for a number": (change(2, slice(2, 4), ["TinyBlock", ["many"]]), "row 9 .*output channels first"),
    "two inputs": (change(1, slice(2, 4), ["TinyBlock", [64]]), "row 8 .*reads one row"),
    "maps that do not meet": (change(1, 0, [-1, 2]), r"row 8 .*fed \(1, 256, 16, 16\), \(1, 32, 32, 32\)"),
    "channels that do not fit": (change(2, slice(2, 4), ["nn.Conv2d", [7, 64, 1]]), r"row 9 .*fed \(1, 320, 16, 16\)"),
    "row too short": (lambda model: model["head"][2].pop(), r"\[from, repeats, module, \[arguments\]\]"),
    "repeated backbone": (backbone_twice, "row 0 .*write 1, not 3"),
    "backbone of three maps": (three_maps, r"row 0 .*ThreeMaps.feature_channels.*gives \[1, 2, 3\]"),
    "no head": (lambda model: model.pop("head"), "no list 'head:'"),
    "unknown scale": (lambda model: model.update(scale="q"), "no scale 'q'.*n, s, m, l, x"),
}


@pytest.mark.parametrize(("spoil", "message"), ERRORS.values(), ids=ERRORS)
def test_error_names_the_row_and_the_reason(spoil, message, table):
    @register
    class ThreeMaps(nn.Module):
        @staticmethod
        def feature_channels(width=1.0):
            return [1, 2, 3]

    model = tiny()
    spoil(model)
    with pytest.raises(ModelError, match=message) as caught:
        build(model)
    assert "\n" not in str(caught.value)


def test_grey_pictures_are_refused():
    with pytest.raises(ModelError, match="row 0 .*3 channels, and is fed 1"):
        build(tiny(), ch=1)


# -------------------------------------------------------------------------------------------------------------- names
def write(path: Path, model: dict) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump({k: v for k, v in model.items() if k not in ("scale", "yaml_file")}))
    return path


def test_bare_name_from_anywhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model = tasks.yaml_model_load("yolo11m-TinyNet.yaml")
    assert model["scale"] == "m" and model["yaml_file"] == "yolo11m-TinyNet.yaml"


def test_file_beside_the_user_comes_first(tmp_path, monkeypatch):
    write(tmp_path / "yolo11-TinyNet.yaml", {**tiny(), "nc": 7})
    monkeypatch.chdir(tmp_path)
    assert tasks.yaml_model_load(TINY)["nc"] == 7


def test_folder_whose_name_looks_like_a_scale(tmp_path):
    folder = tmp_path / "run2n_side" / "3x"
    write(folder / "yolo11-Mine.yaml", {**tiny(), "nc": 7})
    model = tasks.yaml_model_load(folder / "yolo11s-Mine.yaml")
    assert (model["nc"], model["scale"]) == (7, "s")


def test_single_scale_needs_no_letter(tmp_path):
    model = {**tiny(), "scales": {"b": [0.67, 1.0, 512]}}
    assert tasks.yaml_model_load(write(tmp_path / "yolov10b-Mine.yaml", model))["scale"] == "b"


def test_unknown_name_suggests_a_close_one():
    with pytest.raises(
        FileNotFoundError, match=r"no model file 'yolo11n-TinyNett.yaml'. Did you mean yolo11-TinyNet.yaml"
    ):
        YOLO("yolo11n-TinyNett.yaml")


def test_broken_yaml_names_its_file(tmp_path):
    for text, message in (
        ("backbone: [[", "mine.yaml: this is not valid YAML"),
        ("just words", "mine.yaml: this describes no model"),
    ):
        (tmp_path / "mine.yaml").write_text(text)
        with pytest.raises(ModelError, match=message):
            YOLO(tmp_path / "mine.yaml")


# ---------------------------------------------------------------------------------------------------- fusing, epsilon
def test_fuse_once_outermost_in_eval_mode(table):
    calls = []

    @register
    class Inner(nn.Module):
        def __init__(self, c1, c2):
            super().__init__()

        def forward(self, x):
            return x

        def fuse(self):
            calls.append((type(self).__name__, self.training))

    @register
    class Outer(Inner):
        def __init__(self, c1, c2):
            super().__init__(c1, c2)
            self.inner = Inner(c1, c2)

    model = tiny()
    model["head"].insert(0, [-1, 1, "Outer", [1024]])
    for row in model["head"]:
        row[0] = [j + (j > 6) for j in row[0]] if isinstance(row[0], list) else row[0]
    net = build(model)
    assert not net.is_fused()
    net.fuse(verbose=False)
    net.fuse(verbose=False)
    assert calls == [("Outer", False)]
    assert net.training, "fusing left the model in another mode"
    assert net.model[7].fused


def test_registered_modules_keep_their_eps():
    net = YOLO(TINY).model
    eps = [{m.eps for m in part.modules() if isinstance(m, nn.BatchNorm2d)} for part in (net.model[0], net.model[5:])]
    assert eps == [{1e-5}, {1e-3}]
    assert all(m.momentum == 0.03 for m in net.modules() if isinstance(m, nn.BatchNorm2d))


# ------------------------------------------------------------------------------------------------- families and tasks
@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_and_task(family, task):
    stock = stock_model(family, task)
    if stock is None:
        pytest.skip(f"this version of Ultralytics has no {family} for {task}")
    model_class = {"detect": "Detection", "segment": "Segmentation", "pose": "Pose", "obb": "OBB"}[task] + "Model"
    net = getattr(tasks, model_class)(with_ours(stock), verbose=False)
    assert type(net.model[0]) is TinyNet and any(type(m) is TinyBlock for m in net.model)
    net.eval()(torch.zeros(1, 3, 64, 96))


def test_checkpoint_opens_in_a_fresh_process(tmp_path):
    YOLO(TINY).save(tmp_path / "tiny.pt")
    script = "import sys; from ultralytics import YOLO; print(type(YOLO(sys.argv[1]).model.model[0]))"
    done = subprocess.run([sys.executable, "-c", script, tmp_path / "tiny.pt"], capture_output=True, text=True)
    assert "modules.tinynet.TinyNet" in done.stdout, done.stderr
