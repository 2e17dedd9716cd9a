"""Every module keeps what the course promises of it, and each check can fail."""

from dataclasses import replace

import pytest
import torch
from torch import nn

import modules
from modules.course import contract
from modules.course.contract import CASES, find


@pytest.mark.parametrize(
    "case, check",
    [
        pytest.param(case, check, id=f"{case}-{check.__name__.removeprefix('check_')}")
        for case in CASES
        for check in contract.checks(case)
    ],
)
def test_contract(case, check):
    if check is contract.check_onnx:
        pytest.importorskip("onnxruntime")
    check(case)


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


def case_of(cls, monkeypatch):
    monkeypatch.setattr(modules, cls.__name__, cls, raising=False)
    return replace(
        find("iRMB"), name=cls.__name__, arguments=(8, 8), shape=(2, 8, 12, 15), wrong=({"c2": 0},), golden={}
    )


@pytest.mark.parametrize("check", dict.fromkeys(check for _, check in BROKEN))
def test_check_passes_what_is_good(check, monkeypatch):
    check(case_of(Good, monkeypatch))


@pytest.mark.parametrize("cls, check", BROKEN, ids=[cls.__name__ for cls, _ in BROKEN])
def test_check_finds_what_is_broken(cls, check, monkeypatch):
    with pytest.raises(Exception) as error:
        check(case_of(cls, monkeypatch))
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
    monkeypatch.setattr(contract.importlib, "import_module", lambda name: type("module", (), {"__file__": str(source)}))
    with pytest.raises(AssertionError, match="ultralytics"):
        contract.check_alone(case)
