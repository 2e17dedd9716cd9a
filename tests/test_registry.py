"""The bridge to Ultralytics: each patch, registration, expansion, names, errors."""

import importlib
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

from modules import TinyBlock, TinyNet, registry, surgery
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
def table():
    """A registry that forgets, after the test, what the test registered."""
    kept, before = dict(registry.REGISTERED), set(vars(tasks))
    yield registry.REGISTERED
    registry.REGISTERED.clear()
    registry.REGISTERED.update(kept)
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
    monkeypatch.setattr(surgery, "PATCHES", [patch._replace(name=f"{patch.name}_renamed")])
    with pytest.raises(
        RuntimeError, match=rf"Ultralytics [\d.]+ has no {patch.owner}.{patch.name}_renamed, .*{patch.why}"
    ):
        surgery.install()


def test_missing_class_is_named(monkeypatch):
    patch = registry.PATCHES[1]._replace(owner="ultralytics.nn.tasks.NoSuchModel")
    monkeypatch.setattr(surgery, "PATCHES", [patch])
    with pytest.raises(RuntimeError, match="has no ultralytics.nn.tasks.NoSuchModel.__init__"):
        surgery.install()


def test_parse_model_without_tables_is_refused():
    def parse_model(d, ch):
        for row in d:
            print(row)

    with pytest.raises(RuntimeError, match=r"no 'if m in \.\.\.' in its loop"):
        registry.with_branch(parse_model)


def test_install_again_changes_nothing_more():
    stock = tasks.parse_model.stock
    surgery.install()
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
    with pytest.raises(ValueError, match="RepVGGDW is taken by ultralytics.*Rename your class somewhere.RepVGGDW"):
        register(other)
    register(RepVGGDW)  # the same class is welcome
    with pytest.raises(ValueError, match="TinyNet is taken by modules.tinynet"):
        register(type("TinyNet", (nn.Module,), {"__module__": "somewhere"}))
    again = type("TinyNet", (nn.Module,), {"__module__": "__main__"})
    assert register(again) is tasks.TinyNet is again  # a notebook's cell that ran again


def test_a_copy_is_welcome_until_something_that_it_uses_differs(table, tmp_path, monkeypatch):
    """As a course's class and the one that was copied into a fork, whose helper was changed there."""
    files = {
        "parts": "def factor():\n    return 2\n\n\ndef unused():\n    return 1\n",
        "doubler": "from torch import nn\n\nfrom .parts import factor\n\n\n"
        "class Doubler(nn.Module):\n    def forward(self, x):\n        return factor() * x\n",
    }
    changes = {"first": ("", ""), "copy": ("return 1", "return 9"), "changed": ("return 2", "return 3")}
    for package, (old, new) in changes.items():
        (tmp_path / f"{package}_package").mkdir()
        for file, text in files.items():
            (tmp_path / f"{package}_package" / f"{file}.py").write_text(text.replace(old, new) if old else text)
    monkeypatch.syspath_prepend(tmp_path)
    first, copy, changed = (importlib.import_module(f"{package}_package.doubler").Doubler for package in changes)
    register(first)
    assert register(copy) is tasks.Doubler is copy
    with pytest.raises(ValueError, match="Doubler is taken by copy_package.doubler") as caught:
        register(changed)
    used, left = (str(tmp_path / f"{package}_package" / "doubler.py") for package in ("copy", "changed"))
    for said in (f"That of {used} stays in use; that of {left}", "a name of its own", "import only one of the two"):
        assert said in str(caught.value)
    assert tasks.Doubler is copy
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


BROKEN_FILES = {
    "from is a truth value": (change(1, 0, True), "row 8 .*'from' is True"),
    "repeats in words": (change(2, 1, "two"), "row 9 .*repeats are 'two'"),
    "repeats of zero": (change(2, 1, 0), "row 9 .*repeats are 0"),
    "a name that is no module": (change(2, 2, "torch"), "row 9 .*unknown module 'torch'"),
    "a function of torch.nn": (change(2, 2, "nn.functional"), "row 9 .*unknown module 'nn.functional'"),
    "no classes": (lambda model: model.update(nc=0), "'nc:' is 0: write the number of classes"),
    "classes in words": (lambda model: model.update(nc="two"), "'nc:' is 'two'"),
    "scales as a list": (lambda model: model.update(scales=[1, 2]), "'scales:' needs lines such as"),
    "a scale of two numbers": (lambda model: model.update(scales={"n": [0.5, 0.25]}), "'scales:' needs lines such as"),
    "a negative width": (lambda model: model.update(scales={"n": [0.5, -1, 1024]}), "'scales:' needs lines such as"),
    "channels below one": (change(2, slice(2, 4), ["TinyBlock", [-64]]), "row 9 .*output channels first"),
    "channels that are true": (change(2, slice(2, 4), ["TinyBlock", [True]]), "row 9 .*output channels first"),
}


@pytest.mark.parametrize(("spoil", "message"), BROKEN_FILES.values(), ids=BROKEN_FILES)
def test_what_a_person_may_write(spoil, message):
    model = tiny()
    spoil(model)
    with pytest.raises(ModelError, match=message):
        build(model)


def test_a_close_name_is_suggested_once():
    suggested = registry.name_error("LittleBlock").split("Did you mean ")[1].split("?")[0].split(" or ")
    assert "TinyBlock" in suggested and len(suggested) == len(set(suggested))


@pytest.mark.parametrize("text", ["nc: 1\n".encode("utf-16"), b"\x89PNG\x00\xff", b"- 1\n- 2\n", b"a: [1\n"], ids=repr)
def test_files_that_are_no_model(text, tmp_path):
    (tmp_path / "mine.yaml").write_bytes(text)
    with pytest.raises(ModelError, match="^mine.yaml: this "):
        YOLO(tmp_path / "mine.yaml")


def test_rows_that_share_a_yaml_anchor():
    model = tiny()
    shared = model["head"][2]
    model["head"][5] = shared = [-1, 1, "TinyBlock", shared[3][:1]]
    model["head"][2] = shared
    assert [type(build(model).model[i]) for i in (9, 12)] == [TinyBlock, TinyBlock]


# ----------------------------------------------------------------------------------------------------- ways and promises
class Calm(nn.Module):
    def __init__(self, strength=1.0):
        super().__init__()
        self.strength = strength

    def forward(self, x):
        return x * torch.sigmoid(self.strength * x.mean((2, 3), keepdim=True))


class Squeeze(nn.Module):
    def __init__(self, c1, ratio=16):
        super().__init__()
        self.gate = nn.Sequential(nn.Conv2d(c1, c1 // ratio, 1), nn.Conv2d(c1 // ratio, c1, 1))

    def forward(self, x):
        return x * self.gate(x.mean((2, 3), keepdim=True)).sigmoid()


class Sum(nn.Module):
    def forward(self, maps):
        return sum(maps)


class Fusion(nn.Module):
    def __init__(self, c1, c2):
        super().__init__()
        self.convs = nn.ModuleList(nn.Conv2d(c, c2, 1) for c in c1)

    def forward(self, maps):
        return sum(conv(x) for conv, x in zip(self.convs, maps))


class Slice(nn.Module):
    def __init__(self, c1, c2, first):
        super().__init__()
        self.part = slice(first, first + c2)

    def forward(self, x):
        return x[:, self.part]


def with_row(row, at=2):
    model = tiny()
    model["head"][at] = row
    return build(model).model[5 + 2 + at]


@pytest.mark.parametrize(
    ("cls", "options", "row", "channels"),
    [
        (Calm, {}, [-1, 1, "Calm", []], 320),
        (Calm, {}, [-1, 3, "Calm", [2.0]], 320),
        (Squeeze, {"takes": "c1"}, [-1, 1, "Squeeze", [16]], 320),
        (Sum, {}, [[-1, -1], 1, "Sum", []], 320),
        (Fusion, {"takes": "c1s c2"}, [[-1, 3], 1, "Fusion", [512]], 128),
        (Slice, {"scaled": False}, [-1, 1, "Slice", [40, 3]], 40),
        (Slice, {}, [-1, 1, "Slice", [3, 3]], 3),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_ways_to_register(cls, options, row, channels, table):
    register(cls, **options)
    model = tiny()
    model["head"] = [*model["head"][:2], row, [-1, 1, "Conv", [512]]]
    assert build(model).model[10].conv.in_channels == channels


@pytest.mark.parametrize(
    ("cls", "options", "row", "hint"),
    [
        (Fusion, {}, [[-1, 3], 1, "Fusion", [512]], "reads one row; register.Fusion, takes='c1s c2'"),
        (Fusion, {"takes": "c1s c2"}, [-1, 1, "Fusion", [512]], "reads several rows; register.Fusion, takes='c1 c2'"),
        (Squeeze, {}, [-1, 1, "Squeeze", []], "output channels first.*takes='c1'"),
    ],
)
def test_the_wrong_way_names_the_right_one(cls, options, row, hint, table):
    register(cls, **options)
    with pytest.raises(ModelError, match=f"row 9 .*{hint}"):
        with_row(row)


def test_unknown_way():
    with pytest.raises(ValueError, match="takes='c2'.: choose one of 'c1 c2', 'c1s c2', 'c1', ''"):
        register(Squeeze, takes="c2")


def returns(value):
    def forward(self, x):
        return value(x)

    return type("Liar", (nn.Module,), {"__init__": lambda self, c1, c2: nn.Module.__init__(self), "forward": forward})


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (lambda x: x, "says 128 channels, and Liar puts out 320.*takes='c1'"),
        (lambda x: x.mean(1, keepdim=True), "says 128 channels, and Liar puts out 1"),
        (lambda x: None, "must return one tensor .*returns NoneType"),
        (lambda x: "text", "returns str"),
        (lambda x: {"x": x}, "returns dict"),
        (lambda x: [x, x], r"returns \(1, 320, 16, 16\), \("),
        (lambda x: x.flatten(1), r"returns \(1, 81920\)"),
        (lambda x: x[:, :128].half(), r"fed \(1, 320, 16, 16\) torch.float32 on cpu, it returns .*torch.float16"),
        (lambda x: x[:, :128].int(), "returns .*torch.int32"),
        (lambda x: x[:, :128].to("meta"), "returns .*on meta"),
        (lambda x: x[:, :128, :0], r"returns \(1, 128, 0, 16\)"),
        (lambda x: x[:, :128].repeat(2, 1, 1, 1), r"must keep batch, .*returns \(2, 128, 16, 16\)"),
    ],
)
def test_a_broken_promise_names_its_own_row(value, message, table):
    register(returns(value))
    with pytest.raises(ModelError, match=f"row 9 .*{message}"):
        with_row([-1, 1, "Liar", [512]])


class Fold(nn.Module):
    def forward(self, x):
        return nn.functional.pixel_unshuffle(x, 2)


def test_a_block_that_changes_its_channels_unasked_is_told_how(table):
    register(Fold)
    with pytest.raises(
        ModelError, match=r"row 9 .*takes='' keeps its 320 channels, and Fold puts out 1280. One .*\(c1, c2,"
    ):
        with_row([-1, 1, "Fold", []])


class Ladder(nn.Module):
    steps, first, promised = (3, 32, 64, 96, 128), 4, [32, 64, 96, 128]

    def __init__(self):
        super().__init__()
        sizes = [self.first, 2, 2, 2]
        self.convs = nn.ModuleList(nn.Conv2d(a, b, s, s) for a, b, s in zip(self.steps, self.steps[1:], sizes))

    @classmethod
    def feature_channels(cls):
        return cls.promised

    def forward(self, x):
        maps = []
        for conv in self.convs:
            maps.append(x := conv(x))
        return maps


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"promised": [32, 64, 192, 128]}, r"feature_channels says \[32, 64, 192, 128\].*puts out \[32, 64, 96, 128\]"),
        ({"first": 2}, r"strides 4, 8, 16 and 32, and have \[2, 4, 8, 16\]"),
        ({"forward": lambda self, x: x}, r"must return the list of P2.*returns \(1, 3, 256, 256\)"),
        ({"forward": lambda self, x: [x]}, r"puts out 3"),
    ],
)
def test_a_backbone_is_held_to_its_word(change, message, table):
    register(type("Crooked", (Ladder,), change))
    model = tiny()
    model["backbone"][0] = [-1, 1, "Crooked", []]
    with pytest.raises(ModelError, match=f"row 0 .*{message}"):
        build(model)


def test_promises_are_checked_once_and_forgotten():
    net = build(tiny())
    assert not any(m._forward_hooks for m in net.modules())


@pytest.mark.parametrize("name", ["i", "f", "type", "np"])
@pytest.mark.parametrize("value", [3, nn.Conv2d(1, 1, 1), "spatial", None], ids=lambda v: type(v).__name__)
def test_reserved_names_are_refused(name, value, table):
    class Gate(nn.Module):
        def __init__(self, c1, c2):
            super().__init__()
            setattr(self, name, value)

    register(Gate)
    with pytest.raises(ModelError, match=f"row 9 .*Gate has an attribute '{name}', and Ultralytics writes.*Rename it"):
        with_row([-1, 1, "Gate", [512]])


def test_a_method_with_a_reserved_name(table):
    register(type("Gate", (TinyBlock,), {"f": lambda self, x: x}))
    with pytest.raises(ModelError, match="Gate has an attribute 'f'"):
        with_row([-1, 1, "Gate", [512]])


def test_a_registered_class_that_was_replaced_stays_known(table):
    older = register(type("Twice", (TinyBlock,), {"__module__": "__main__"}))
    newer = register(type("Twice", (TinyBlock,), {"__module__": "__main__"}))
    assert registry.is_registered(older) and tasks.Twice is newer


def test_embed_takes_a_whole_backbone():
    net = YOLO(TINY).model.eval()
    picture = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        (whole,), (p5,) = net.predict(picture, embed=[0]), net.predict(picture, embed=[4])
    assert whole.shape == (128,) and torch.equal(whole, p5)


def test_flops_are_counted_at_full_size():
    def get_flops(model, imgsz=640):  # as Ultralytics did before 8.3.100
        stride, flops = 32, 1.0
        return flops * imgsz[0] / stride * imgsz[1] / stride

    ours = surgery.count_the_whole_picture(get_flops)
    net = YOLO("yolov10n-C2f_iRMB.yaml").model
    quarter, whole = ours(net, 320), ours(net, [640, 640])
    assert 3.5 < whole / quarter < 4.1 and whole > 5
    assert ours(nn.Conv2d(3, 3, 1), [64, 64]) == 4.0, "a model without registered classes is counted as before"


def test_processes_of_other_gpus_import_what_registers(tmp_path):
    (tmp_path / "child.py").write_text('overrides = {}\n\nif __name__ == "__main__":\n    import tasks_of_child\n')
    file = surgery.tell_other_processes(lambda trainer: str(tmp_path / "child.py"))(None)
    lines = Path(file).read_text().splitlines()
    assert lines.index("    importlib.import_module('modules')") < lines.index("    import tasks_of_child")
    assert "    importlib.import_module('modules.tinynet')" in lines


def test_a_name_without_a_letter_says_which_scale(capsys):
    assert tasks.yaml_model_load("yolo11-TinyNet.yaml")["scale"] == "n"
    assert "yolo11-TinyNet.yaml: no letter after the number picks a scale, so n is built." in capsys.readouterr().err


@pytest.mark.parametrize("width", [-1, 0, "wide", None, [1], float("nan"), float("inf")])
def test_tinynet_refuses_widths(width):
    with pytest.raises(ValueError, match="it must be a number above 0"):
        TinyNet(width)


def test_tinynet_refuses_pictures():
    with pytest.raises(ValueError, match=r"fed \(1, 4, 64, 64\)"):
        TinyNet(0.25)(torch.zeros(1, 4, 64, 64))


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
