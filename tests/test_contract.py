"""Every module keeps what the course promises of it, and each check can fail."""

import importlib
import sys
from dataclasses import replace

import pytest
import torch
from torch import nn
from ultralytics.nn import tasks

import modules
from modules.course import contract
from modules.course.contract import CASES, find
from modules.course.measure import parameters
from modules.registry import KNOWN, MODEL_FOLDERS, Entry


@pytest.mark.parametrize(
    "case, check",
    [
        pytest.param(case, check, id=f"{case}-{check.__name__.removeprefix('check_')}")
        for case in CASES
        for check in contract.checks(case)
    ],
)
def test_contract(case, check):
    try:
        check(case)
    except contract.NotChecked as reason:
        if check is not contract.check_onnx:
            raise
        pytest.skip(str(reason))


def test_every_architecture_has_a_case():
    taught = {"TinyNet", "TinyBlock"}  # lesson 01 registers them; they have no paper behind them
    classes = {name for name in modules.__all__ if isinstance(getattr(modules, name), type)}
    assert classes - taught == {case.name for case in CASES}


def test_table(capsys, monkeypatch):
    monkeypatch.setenv("COURSE_PRESET", "smoke")
    contract.table("iRMB")
    rows = capsys.readouterr().out.splitlines()
    assert rows[0] == "iRMB" and len(rows) == 1 + len(contract.QUICK)
    assert all(" ok " in row for row in rows[1:])


def test_a_class_without_a_case_is_told_where_to_go():
    with pytest.raises(ValueError, match="'MyNet' has no case .* contract.check"):
        contract.table("MyNet")


def test_without_onnxruntime_the_table_says_so(capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    monkeypatch.setattr(contract, "checks", lambda case: (contract.check_onnx,))
    monkeypatch.setenv("COURSE_PRESET", "laptop")
    contract.table("iRMB")
    assert capsys.readouterr().out == "iRMB\n  onnx       --   not checked: onnxruntime is missing\n"


def test_each_row_is_explained(capsys):
    contract.explain()
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines if line and line[0] != " "] == [
        contract.label(check).strip() for check in contract.QUICK + contract.SLOW
    ]


# ------------------------------------------------------------------------------------------ a class of the learner's own
class MyNet(modules.TinyNet):
    pass


class MyStack(modules.C2f_iRMB):
    pass


@pytest.fixture
def mine(tmp_path, monkeypatch):
    """`mine(cls, row, repeats)` writes a model of TinyNet's with that row in it, and registers the class."""
    monkeypatch.setenv("COURSE_PRESET", "smoke")

    def write(cls, old, new, repeats=False):
        monkeypatch.setattr(tasks, cls.__name__, cls, raising=False)
        monkeypatch.setitem(contract.REGISTERED, cls.__name__, Entry(cls, repeats))
        KNOWN.add(cls)
        text = next(MODEL_FOLDERS[-1].glob("yolo11-TinyNet.yaml")).read_text()
        assert old in text
        (tmp_path / "yolo11-Mine.yaml").write_text(text.replace(old, new, 1))
        return str(tmp_path / "yolo11-Mine.yaml")

    return write


def rows_of(capsys):
    name, *rows = capsys.readouterr().out.splitlines()
    return name, {row.split()[0]: row.split(maxsplit=2)[1:] for row in rows}


def test_check_of_a_backbone_of_ones_own(mine, capsys):
    contract.check(MyNet, mine(MyNet, "TinyNet, [width]", "MyNet, [width]"))
    name, rows = rows_of(capsys)
    assert name == "MyNet" and rows["size"] == ["ok", f"{parameters(MyNet(0.25)):,} parameters"]
    assert rows["gradients"][0] == rows["copies"][0] == "ok"


def test_check_names_what_fails_and_goes_on(mine, capsys, monkeypatch):
    monkeypatch.setattr(MyNet, "feature_channels", staticmethod(lambda width=1.0: [16, 32, 64, 999]))
    monkeypatch.setattr(MyNet, "forward", lambda self, x: [modules.TinyNet.forward(self, x)[0]])
    contract.check(MyNet, mine(MyNet, "TinyNet, [width]", "MyNet, [width]"))
    _, rows = rows_of(capsys)
    assert rows["size"][0] == "FAIL" and "999" in rows["size"][1]
    assert rows["gradients"][0] == "FAIL" and rows["copies"][0] == "ok"


def test_check_of_a_block_with_repeats(mine, capsys, monkeypatch):
    monkeypatch.setattr(contract, "checks", lambda case: (contract.check_size, contract.check_builds))
    monkeypatch.setattr(contract, "QUICK", contract.SLOW)
    contract.check(MyStack, mine(MyStack, "C3k2, [512, False]", "MyStack, [512]", repeats=True))
    _, rows = rows_of(capsys)
    assert rows["builds"][0] == "ok" and "n 1.6" in rows["builds"][1]


def test_check_needs_a_registered_class_and_its_row(mine, monkeypatch):
    with pytest.raises(ValueError, match=r"MyNet is not registered.*: modules.register\(MyNet\)"):
        contract.check(MyNet, "yolo11-TinyNet.yaml")
    mine(MyNet, "TinyNet", "MyNet")
    with pytest.raises(ValueError, match="no row of yolo11-TinyNet.yaml names MyNet"):
        contract.check(MyNet, "yolo11-TinyNet.yaml")


# ---------------------------------------------------------------------------------------------- the checks can fail
class Good(nn.Module):
    """A block that keeps every promise; each test below breaks one of them."""

    def __init__(self, c1, c2):
        super().__init__()
        if min(c1, c2) < 1:
            raise ValueError(f"c1={c1}, c2={c2}: both must be at least 1")
        self.c1 = c1
        self.conv = nn.Conv2d(c1, c2, 3, padding=1)
        self.norm = nn.BatchNorm2d(c2)

    def forward(self, x):
        if x.shape[1] != self.c1:
            raise ValueError(f"built for {self.c1} channels, fed {x.shape[1]}")
        return self.norm(self.conv(x))

    def fuse(self):
        if self.training:
            raise ValueError("eval mode, please")
        self.conv, self.norm = nn.utils.fuse_conv_bn_eval(self.conv, self.norm), nn.Identity()


class UnusedWeight(Good):
    def __init__(self, c1, c2):
        super().__init__(c1, c2)
        self.unused = nn.Parameter(torch.ones(1))


class Remembers(Good):
    """Its output depends on something that no state_dict holds."""

    def forward(self, x):
        self.seen = getattr(self, "seen", 0) + self.training
        return super().forward(x) + self.seen


class Overflows(Good):
    def forward(self, x):
        return super().forward(x * 1e5) / 1e5 if x.dtype == torch.float16 else super().forward(x)


class FusesWrongly(Good):
    def fuse(self):
        if self.training:
            raise ValueError("eval mode, please")
        self.norm = nn.Identity()


class FusesInTraining(Good):
    def fuse(self):
        self.eval()
        super().fuse()


class AcceptsAnything(Good):
    def __init__(self, c1, c2):
        super().__init__(c1, max(c2, 1))


class BreaksInside(Good):
    def forward(self, x):
        return self.norm(self.conv(x))


class BreaksTheGraph(Good):
    def forward(self, x):
        return super().forward(x) if x.sum().item() > -1e9 else x


class FixedSize(Good):
    """Remembers the size of the first picture, as code with int(x.shape[2]) does in ONNX."""

    def forward(self, x):
        y = super().forward(x)
        return nn.functional.interpolate(y, size=(int(x.shape[2]), int(x.shape[3]))) * float(x.shape[3])


BROKEN = [
    (UnusedWeight, contract.check_gradients),
    (Remembers, contract.check_copies),
    (Overflows, contract.check_precision),
    (FusesWrongly, contract.check_fused),
    (FusesInTraining, contract.check_fused),
    (AcceptsAnything, contract.check_refusals),
    (BreaksInside, contract.check_refusals),
    (BreaksTheGraph, contract.check_compiles),
    (FixedSize, contract.check_onnx),
]


def case_of(cls):
    return replace(find("iRMB"), cls=cls, arguments=(8, 8), shape=(2, 8, 12, 15), wrong=({"c2": 0},), golden={})


@pytest.mark.parametrize("check", dict.fromkeys(check for _, check in BROKEN))
def test_check_passes_what_is_good(check):
    check(case_of(Good))


@pytest.mark.parametrize("cls, check", BROKEN, ids=[cls.__name__ for cls, _ in BROKEN])
def test_check_finds_what_is_broken(cls, check):
    with pytest.raises(Exception) as error:
        check(case_of(cls))
    assert error.type is not AttributeError and "Good" not in str(error.value)


def test_golden_finds_other_weights_and_other_names():
    name, make = next(iter(find("iRMB").golden.items()))
    assert contract.golden(name, make()) < 2e-5
    assert contract.golden(name, modules.iRMB(64, 64, window=5)) > 1e-3
    with pytest.raises(AssertionError, match="names or shapes"):
        contract.golden(name, modules.iRMB(64, 64, bias=True))


def test_alone_finds_what_needs_the_repository(tmp_path, monkeypatch):
    case = find("iRMB")
    source = tmp_path / "irmb.py"
    source.write_text("import ultralytics\nclass iRMB: ...")
    fake = type("module", (), {"__file__": str(source)})
    monkeypatch.setattr(importlib, "import_module", lambda name: fake)
    with pytest.raises(AssertionError, match="ultralytics"):
        contract.check_alone(case)
