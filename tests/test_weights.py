"""Weights of others: timm's names are the authors' after renaming, files are read and checked, YOLO() trains from them."""

import re
from copy import deepcopy

import pytest
import timm
import torch
from safetensors.torch import save_file
from torch import nn
from ultralytics import YOLO

import modules
from modules import registry, weights
from modules.course import contract
from modules.course.fire import FIRE_YAML
from modules.fasternet import FasterNet, fasternet_t0
from modules.repvit import RepViT, repvit_m0_9
from modules.weights import authors_names, load_pretrained

SHARED = [f"repvit_{size}" for size in ("m0_9", "m1_0", "m1_1", "m1_5", "m2_3")] + [
    f"fasternet_{size}" for size in ("t0", "t1", "t2", "s", "m", "l")
]


class Small(RepViT):
    """A RepViT small enough for a test."""

    channels, depths = 8, (1, 2, 1, 1)


def timm_small() -> nn.Module:
    """timm's model of the same size."""
    return timm.models.repvit.RepVit(embed_dim=(8, 16, 32, 64), depth=(1, 2, 1, 1), num_classes=5)


@pytest.fixture
def file(tmp_path):
    """Weights of a `Small`, in a file."""
    path = tmp_path / "small.pt"
    torch.manual_seed(1)
    torch.save(Small(num_classes=5, distillation=True).state_dict(), path)
    return path


def maps_of(theirs: nn.Module, x: torch.Tensor) -> list[torch.Tensor]:
    return theirs.forward_intermediates(x, intermediates_only=True)


# -------------------------------------------------------------------------------------------------------------- names
@pytest.mark.parametrize("name", SHARED)
def test_names_and_shapes_are_the_authors(name):
    two_heads = {"distillation": True} if name.startswith("repvit") else {}
    with torch.device("meta"):
        ours = getattr(modules, name)(num_classes=1000, **two_heads).state_dict()
        theirs = authors_names(timm.create_model(name).state_dict())
    assert {key: value.shape for key, value in theirs.items()} == {key: value.shape for key, value in ours.items()}


@pytest.mark.parametrize("name", ["repvit_m1_1", "fasternet_t1"])
@pytest.mark.parametrize("kind", ["pt", "safetensors"])
def test_timm_file_gives_timms_features(name, kind, tmp_path):
    torch.manual_seed(0)
    theirs, ours = timm.create_model(name).eval(), getattr(modules, name)().eval()
    for norm in (m for m in theirs.modules() if isinstance(m, nn.BatchNorm2d)):
        nn.init.normal_(norm.weight, 1, 0.2)  # among them those that start at zero and would hide their branch
        norm.running_mean.normal_(0, 0.1)
    path = tmp_path / f"{name}.{kind}"
    (save_file if kind == "safetensors" else torch.save)(theirs.state_dict(), path)
    report = load_pretrained(ours, path)
    assert not report.missing and not report.misfitting and len(report.copied) == len(ours.state_dict())
    assert all(key.startswith(("classifier.", "head.", "avgpool_pre_head.")) for key in report.unexpected)
    x = torch.randn(1, 3, 64, 96)
    with torch.no_grad():
        assert contract.largest_difference(ours(x), maps_of(theirs, x)) < 2e-5


@pytest.mark.parametrize("wrapper", weights.WRAPPERS)
def test_wrapped_checkpoint(wrapper, file):
    state = torch.load(file)
    wrapped = {f"module.{key}": value for key, value in state.items()}
    torch.save({"epoch": 3, wrapper: wrapped, "optimizer": {"lr": 0.1}}, file)
    model = Small()
    assert len(load_pretrained(model, file).copied) == len(model.state_dict())
    assert all(torch.equal(value, state[key]) for key, value in model.state_dict().items())


def test_averaged_weights_come_first(file):
    state = torch.load(file)
    torch.save({"state_dict": {k: v + 1 for k, v in state.items()}, "state_dict_ema": state}, file)
    model = Small()
    load_pretrained(model, str(file))
    assert torch.equal(model.features[0][0].c.weight, state["features.0.0.c.weight"])


# ------------------------------------------------------------------------------------------------------------- report
def test_report_counts_everything(file):
    state = torch.load(file)
    state["another.weight"] = torch.zeros(2)
    del state["features.1.channel_mixer.m.0.c.weight"]
    torch.save(state, file)
    model = Small(num_classes=7, distillation=True)
    before = deepcopy(model.state_dict())
    report = load_pretrained(model, file)
    assert report.missing == ["features.1.channel_mixer.m.0.c.weight"]
    assert report.unexpected == ["another.weight"]
    assert "classifier.classifier.l.weight [5, 64] for [7, 64]" in report.misfitting and len(report.misfitting) == 4
    assert len(report.copied) == len(before) - 5
    after = model.state_dict()
    changed = {key for key in after if not torch.equal(after[key], before[key])}
    assert changed <= set(report.copied) and "features.1.channel_mixer.m.2.c.weight" in changed
    rows = str(report).splitlines()
    assert [re.split(" +", row)[:2] for row in rows] == [
        [kind, str(len(keys))] for kind, keys in report._asdict().items()
    ]


class Wider(Small):
    channels = 16


class Deeper(Small):
    depths = (3, 2, 5, 3)


@pytest.mark.parametrize("make", [Wider, Deeper, lambda: Small(2.0), fasternet_t0])
def test_what_does_not_fit_is_refused_and_nothing_copied(make, file):
    model = make()
    before = deepcopy(model.state_dict())
    with pytest.raises(
        ValueError, match=f"small.pt does not fit this {type(model).__name__}.*same size(?s:.*)misfitting"
    ):
        load_pretrained(model, file)
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())


# -------------------------------------------------------------------------------------------------------------- fused
FUSIBLE = [Small, lambda: Small(num_classes=5), lambda: FasterNet(0.25), lambda: modules.EMO_1M(0.25)]


def fused(model: nn.Module) -> nn.Module:
    model = deepcopy(model).eval()
    model.fuse()
    return model


def refused(model: nn.Module, path, message: str) -> str:
    """What `load_pretrained` says in one line, after copying nothing."""
    before = deepcopy(model.state_dict())
    with pytest.raises(ValueError, match=message) as error:
        load_pretrained(model, path)
    assert "\n" not in str(error.value)
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())
    return str(error.value)


@pytest.mark.parametrize("prefix", ["", "module.", "model.0."])
@pytest.mark.parametrize("make", FUSIBLE)
def test_fused_weights_are_refused(make, prefix, tmp_path):
    model = make()
    torch.save({prefix + key: value for key, value in fused(model).state_dict().items()}, tmp_path / "fused.pt")
    refused(model, tmp_path / "fused.pt", r"fused.pt holds weights of a fused network.*saved before fuse\(\)")


@pytest.mark.parametrize("make", FUSIBLE)
def test_a_fused_backbone_is_refused(make, tmp_path):
    model = make()
    torch.save(model.state_dict(), tmp_path / "plain.pt")
    refused(fused(model), tmp_path / "plain.pt", r"is fused: its .*into a new \w+, then call fuse\(\)")


def test_fused_fits_fused(tmp_path):
    model = fused(FasterNet(0.25))
    torch.save(fused(FasterNet(0.25)).state_dict(), tmp_path / "fused.pt")
    report = load_pretrained(model, tmp_path / "fused.pt")
    assert len(report.copied) == len(model.state_dict()) and not report.unexpected


def test_weights_that_timm_fused(tmp_path):
    theirs = timm_small().eval()
    theirs.fuse()
    torch.save(theirs.state_dict(), tmp_path / "timm.pt")
    refused(Small(), tmp_path / "timm.pt", "holds weights of a fused network")


def test_a_fused_detector(tmp_path):
    """Its neck has no backbone, and its backbone is row 0."""
    detector = YOLO("yolo11n-FasterNet.yaml").model.eval().fuse(verbose=False)
    torch.save(detector.state_dict(), tmp_path / "detector.pt")
    refused(FasterNet(0.25), tmp_path / "detector.pt", "holds weights of a fused network")


# ------------------------------------------------------------------------------------------------------------ numbers
@pytest.mark.parametrize(
    "spoil, said",
    [
        (
            lambda value: value.index_fill_(0, torch.tensor(1), torch.nan),
            "1 of .* tensors in .* hold NaN.* take an earlier checkpoint",
        ),
        (lambda value: value.mul_(torch.inf), "hold NaN, infinite"),
        (lambda value: value.half().mul_(70000), "hold NaN, infinite"),
        (lambda value: value.char(), "is torch.int8, torch.strided: give weights as float32"),
        (lambda value: torch.quantize_per_tensor(value, 0.1, 0, torch.qint8), "is torch.qint8"),
        (lambda value: value.long(), "is torch.int64"),
        (lambda value: value.to(torch.complex64), "is torch.complex64"),
        (lambda value: value.to(torch.float8_e4m3fn), "is torch.float8_e4m3fn"),
        (lambda value: value.to_sparse(), "is torch.float32, torch.sparse_coo"),
        (lambda value: value.to("meta"), "is without numbers"),
    ],
    ids=["nan", "inf", "half overflow", "int8", "qint8", "int64", "complex", "float8", "sparse", "meta"],
)
@pytest.mark.parametrize("key", ["features.0.0.c.weight", "features.4.channel_mixer.m.2.bn.bias"])
def test_useless_numbers_are_refused(spoil, said, key, file):
    state = torch.load(file)
    state[key] = spoil(state[key].clone() + 1)
    torch.save(state, file)
    assert key in refused(Small(), file, said)


def test_a_variance_below_zero_is_refused(file):
    state = torch.load(file)
    state["features.0.0.bn.running_var"][3] = -1e-3
    torch.save(state, file)
    refused(Small(), file, "variances below zero, first features.0.0.bn.running_var")


def test_useless_numbers_that_nobody_copies_do_no_harm(file):
    state = torch.load(file)
    state["another.weight"] = torch.tensor([torch.nan])
    state["classifier.classifier.l.weight"] *= torch.nan
    torch.save(state, file)
    assert not load_pretrained(Small(), file).missing


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_precisions_are_converted(dtype, file):
    state = {key: value.to(dtype) for key, value in torch.load(file).items()}  # the counts of batches, too
    torch.save(state, file)
    model = Small()
    assert len(load_pretrained(model, file).copied) == len(model.state_dict())
    assert model.features[0][0].c.weight.dtype == torch.float32


# ----------------------------------------------------------------------------------------------------------- prefixes
@pytest.mark.parametrize(
    "prefix",
    ["module.", "model.", "backbone.", "_orig_mod.", "model.0.", "model.model.0.", "module.backbone.", "model.backbone.",
     "module.model.0.", "_orig_mod.module.", "module._orig_mod.backbone."],
)  # fmt: skip
@pytest.mark.parametrize("whose", ["authors", "timm"])
def test_prefixes(prefix, whose, tmp_path):
    theirs = (timm_small() if whose == "timm" else Small()).state_dict()
    state = {prefix + key: value for key, value in theirs.items()} | {
        "head.weight": torch.zeros(1),
        "1.x": torch.ones(1),
    }
    torch.save(state, tmp_path / "x.pt")
    model = Small()
    report = load_pretrained(model, tmp_path / "x.pt")
    assert len(report.copied) == len(model.state_dict())
    assert torch.equal(model.features[0][0].c.weight, list(theirs.values())[0])
    assert {"head.weight", "1.x"} <= set(report.unexpected)


class Wrapping(nn.Module):
    """A backbone of a learner's own whose names begin as the prefixes do."""

    def __init__(self):
        super().__init__()
        self.model = nn.ModuleList([Small()])

    @staticmethod
    def feature_channels():
        return [8, 16, 32, 64]

    def forward(self, x):
        return self.model[0](x)


@pytest.mark.parametrize("prefix", ["", "module.", "model.", "backbone."])
def test_names_of_the_backbone_are_no_prefixes(prefix, tmp_path):
    torch.save({prefix + key: value for key, value in Wrapping().state_dict().items()}, tmp_path / "x.pt")
    report = load_pretrained(Wrapping(), tmp_path / "x.pt")
    assert not report.missing and not report.unexpected


# ---------------------------------------------------------------------------------------------------------- bad sources
def test_no_backbone(file):
    with pytest.raises(ValueError, match="no backbone of the course in this Conv2d"):
        load_pretrained(nn.Conv2d(1, 1, 1), file)


def test_no_file():
    with pytest.raises(FileNotFoundError, match="no file nowhere.pt .*'timm'"):
        load_pretrained(Small(), "nowhere.pt")


@pytest.mark.parametrize("content", [b"", b"no weights", None], ids=["empty", "text", "whole model"])
def test_file_of_something_else(content, tmp_path):
    path = tmp_path / "x.pt"
    torch.save(Small(), path) if content is None else path.write_bytes(content)
    with pytest.raises(ValueError, match=r"x.pt is no file of plain weights .*save what state_dict\(\) returns"):
        load_pretrained(Small(), path)


@pytest.mark.parametrize("content", [[1, 2], {"a": 1}, torch.zeros(3)], ids=["list", "numbers", "tensor"])
def test_file_without_names(content, tmp_path):
    torch.save(content, tmp_path / "x.pt")
    with pytest.raises(ValueError, match="x.pt holds no weights by name"):
        load_pretrained(Small(), tmp_path / "x.pt")


# --------------------------------------------------------------------------------------------------------------- timm
@pytest.mark.parametrize(
    "make, name", [(repvit_m0_9, "repvit_m0_9"), (RepViT, "repvit_m0_9"), (FasterNet, "fasternet_t0")]
)
def test_timm_is_asked_for_its_pretrained_model(make, name, monkeypatch):
    torch.manual_seed(2)
    theirs = timm.create_model(name)
    asked = []
    monkeypatch.setattr(weights.timm, "create_model", lambda *args, **kwargs: asked.append((args, kwargs)) or theirs)
    model = make()
    report = load_pretrained(model, "timm")
    assert asked == [((name,), {"pretrained": True})]
    assert len(report.copied) == len(model.state_dict())


def test_offline_error_names_the_file(monkeypatch):
    def offline(*args, **kwargs):
        raise OSError("no route to host")

    monkeypatch.setattr(weights.timm, "create_model", offline)
    said = r"https://huggingface.co/timm/fasternet_t0\.\w+/resolve/main/model.safetensors .*'fasternet_t0.safetensors'"
    with pytest.raises(ConnectionError, match=rf"{said}.*no route to host"):
        load_pretrained(fasternet_t0(), "timm")


def test_timm_has_no_such_weights():
    with pytest.raises(ValueError, match="timm has no weights for repvit_m0_6"):
        load_pretrained(modules.repvit_m0_6(), "timm")


# --------------------------------------------------------------------------------------------------------------- YOLO
class Started(Exception):
    """Training has come to its first batch."""


def test_yolo_trains_from_loaded_weights(file, tmp_path, monkeypatch):
    monkeypatch.setattr(registry.tasks, "Small", Small, raising=False)
    monkeypatch.setitem(registry.REGISTERED, "Small", registry.Entry(Small))
    registry.KNOWN.add(Small)
    text = (registry.Path(modules.__file__).parent / "cfg" / "yolo11-RepViT.yaml").read_text(encoding="utf-8")
    yaml = tmp_path / "yolo11n-Small.yaml"
    yaml.write_text(text.replace("repvit_m0_9, [width]", "Small, []"), encoding="utf-8")
    yolo = YOLO(yaml)
    report = load_pretrained(yolo, file)
    assert not report.missing and not report.misfitting
    weight = torch.load(file)["features.0.0.c.weight"]

    def on_train_start(trainer):
        assert torch.equal(trainer.model.model[0].features[0][0].c.weight.cpu(), weight)
        raise Started

    yolo.add_callback("on_train_start", on_train_start)
    with pytest.raises(Started):
        yolo.train(
            data=FIRE_YAML, imgsz=64, epochs=1, batch=2, fraction=0.05, workers=0, device="cpu",
            project=str(tmp_path), plots=False, val=False, amp=False, verbose=False,
        )  # fmt: skip
