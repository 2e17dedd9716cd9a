"""RepViT: it is the authors' model and timm's, its branches fuse into single convolutions, and wrong use is explained."""

import re
from copy import deepcopy

import pytest
import timm
import torch
from torch import nn
from ultralytics import YOLO
from ultralytics.nn import modules as stock
from ultralytics.nn import tasks

from modules import repvit
from modules.course import contract, peers
from modules.course.measure import gmac, parameters
from modules.repvit import RepViT, RepViTBlock, ThreeBranches, repvit_m0_6, repvit_m0_9
from modules.weights import authors_names

# GMAC at 224 px, blocks with SE, and million parameters when fused, all three counted in the authors' code.
SIZES = {
    "repvit_m0_6": (0.386, 7, 2.468),
    "repvit_m0_9": (0.817, 10, 5.067),
    "repvit_m1_0": (1.108, 10, 6.810),
    "repvit_m1_1": (1.339, 9, 8.244),
    "repvit_m1_5": (2.276, 18, 14.050),
    "repvit_m2_3": (4.521, 24, 22.927),
}


def timm_model(name: str) -> nn.Module:
    """timm's model; it has no M0.6, but the class to make it of."""
    if name == "repvit_m0_6":
        return timm.models.repvit.RepVit(embed_dim=(40, 80, 160, 320), depth=(1, 1, 8, 1))
    return timm.create_model(name)


def randomised(module: nn.Module) -> nn.Module:
    """`module` in eval mode, with batch norms as after a training: none is the identity."""
    torch.manual_seed(0)
    for norm in (m for m in module.modules() if isinstance(m, (nn.BatchNorm1d, nn.BatchNorm2d))):
        norm.running_mean.normal_(0, 0.3)
        norm.running_var.uniform_(0.5, 1.5)
        nn.init.normal_(norm.weight, 1, 0.3)
        nn.init.normal_(norm.bias, 0, 0.3)
    return module.eval()


def norms(module: nn.Module) -> int:
    return sum(isinstance(m, (nn.BatchNorm1d, nn.BatchNorm2d)) for m in module.modules())


@pytest.mark.parametrize("name", SIZES)
def test_is_timms_model(name):
    torch.manual_seed(0)
    theirs = timm_model(name).eval()
    ours = getattr(repvit, name)(num_classes=1000, distillation=True).eval()
    contract.fill(ours)
    names = dict(zip(authors_names(theirs.state_dict()), theirs.state_dict()))
    theirs.load_state_dict({names[key]: value for key, value in ours.state_dict().items()})
    x = torch.randn(2, 3, 72, 104)
    with torch.no_grad():
        maps = theirs.forward_intermediates(x, intermediates_only=True)
        assert contract.largest_difference(ours(x), maps) < 2e-5
        assert contract.largest_difference(ours.classify(x), theirs(x)) < 2e-5
        ours.fuse()
        assert contract.largest_difference(ours(x), maps) < 2e-5
        assert contract.largest_difference(ours.classify(x), theirs(x)) < 2e-5
    assert not norms(ours)


@pytest.mark.parametrize("name", SIZES)
def test_costs_what_the_authors_say(name):
    cost, with_se, fused = SIZES[name]
    with torch.device("meta"):
        model, x = getattr(repvit, name)(num_classes=1000).eval(), torch.empty(1, 3, 224, 224)
        counted = gmac(model.classify, x)
        # The 1x1 branch is a multiply-add here, which the counter does not see: C * H * W in each block.
        area = {c: (56 >> i) ** 2 for i, c in enumerate(model.feature_channels())}
        branches = sum(
            m.bn.num_features * area[m.bn.num_features] for m in model.modules() if isinstance(m, ThreeBranches)
        )
        assert counted + branches / 1e9 == pytest.approx(cost, abs=6e-4)
        assert sum(isinstance(m, repvit.SqueezeExcite) for m in model.modules()) == with_se
        model.fuse()
    assert parameters(model) / 1e6 == pytest.approx(fused, abs=6e-4)


def test_maps_are_taken_before_the_last_block_of_a_stage():
    model = randomised(repvit_m0_6())
    ends, x = [], torch.randn(1, 3, 64, 64)
    for i in (2, 5, 15, 17):
        model.features[i].register_forward_hook(lambda module, inputs, output: ends.append((inputs[0], output)))
    with torch.no_grad():
        maps = model(x)
    for i in range(3):
        assert torch.equal(maps[i], ends[i][0])
        assert contract.largest_difference(maps[i], ends[i][1]) > 0.1
    assert torch.equal(maps[3], ends[3][1])


@pytest.mark.parametrize("arguments", [(16, 16), (16, 16, 1, True), (16, 24, 2)])
def test_block_fuses(arguments):
    block, x = randomised(RepViTBlock(*arguments)), torch.randn(2, 16, 13, 9)
    fused = deepcopy(block)
    fused.fuse()
    assert not norms(fused) and norms(block)
    with torch.no_grad():
        assert contract.largest_difference(fused(x), block(x)) < 1e-5
        fused.fuse()  # a second time changes nothing
        assert contract.largest_difference(fused(x), block(x)) < 1e-5


@pytest.mark.parametrize("make", [repvit_m0_6, lambda: RepViTBlock(16, 16)], ids=["model", "block"])
def test_fuse_refuses_train_mode_and_changes_nothing(make):
    module = make()
    before = norms(module)
    with pytest.raises(ValueError, match=r"train mode: call eval\(\) first"):
        module.fuse()
    module.eval()
    list(module.modules())[-1].train()  # one part that was forgotten is enough
    with pytest.raises(ValueError, match="train mode"):
        module.fuse()
    assert norms(module) == before


def test_detector_is_fused_by_ultralytics():
    model = randomised(tasks.DetectionModel(tasks.yaml_model_load("yolo11n-RepViT.yaml"), verbose=False))
    x = torch.rand(1, 3, 96, 128)
    with torch.no_grad():
        before = model(x)[0]
        after = deepcopy(model).fuse(verbose=False)
        assert (after(x)[0] - before).abs().max() < 1e-3 * before.abs().max()
    assert not norms(after) and after.is_fused()


def test_a_new_channel_mixer_is_silent():
    block = RepViTBlock(16, 16).eval()
    x = torch.randn(1, 16, 8, 8)
    assert torch.equal(block.channel_mixer(x), x)


def test_names_do_not_clash_with_ultralytics():
    assert tasks.RepVGGDW is stock.RepVGGDW
    ours = {name for name, value in vars(repvit).items() if getattr(value, "__module__", "") == repvit.__name__}
    clashes = {name for name in ours if hasattr(stock, name) or hasattr(stock.block, name)}
    assert not clashes


def test_width_scales_all_channels():
    assert repvit_m0_9.feature_channels(0.25) == [16, 32, 64, 128]
    assert repvit_m0_6.feature_channels(0.25) == [8, 16, 32, 64]
    model = repvit_m0_6(0.25).eval()
    assert [m.shape[1] for m in model(torch.zeros(1, 3, 32, 32))] == [8, 16, 32, 64]


@pytest.mark.parametrize(
    "make, said",
    [
        (
            lambda: repvit_m0_9(0.05),
            "width=0.05: it must be a number that leaves 8 channels or more in P2, such as 0.25",
        ),
        (lambda: repvit_m0_9(num_classes=-1), "num_classes=-1"),
        (lambda: RepViTBlock(16, 24), "c1=16 and c2=24"),
        (lambda: RepViTBlock(16, 16, 3), "stride=3"),
        (lambda: RepViTBlock(0, 0), "c1=0"),
        (lambda: RepViTBlock(16, 24, 2, True), "se=False or stride=1"),
        (lambda: RepViTBlock(16, 16)(torch.zeros(1, 8, 4, 4)), "c1=16 channels and was fed 8"),
        (lambda: RepViT()(torch.zeros(1, 1, 64, 64)), r"\(1, 1, 64, 64\)"),
        (lambda: RepViT()(torch.zeros(1, 3, 31, 64)), "at least 32x32"),
        (lambda: RepViT()(torch.zeros(3, 64, 64)), r"\(B, 3, H, W\) .* was fed \(3, 64, 64\)"),
        (lambda: RepViT().classify(torch.zeros(1, 3, 64, 64)), "num_classes=1000"),
        (lambda: YOLO("yolo11n-RepVit.yaml"), "yolo11-RepViT.yaml"),
    ],
)
def test_errors_say_what_to_change(make, said):
    with pytest.raises((ValueError, FileNotFoundError), match=said):
        make()


@pytest.mark.parametrize("width", [0, -1, 0.01, float("nan"), float("inf"), "wide", None, [1], (), 1j], ids=repr)
@pytest.mark.parametrize("name", SIZES)
def test_a_width_that_leaves_no_channels(name, width):
    size = getattr(repvit, name)
    for make in (size, size.feature_channels):
        with pytest.raises(ValueError, match=f"^width={re.escape(repr(width))}: it must be a number .* such as 0.25$"):
            make(width)
    assert size.feature_channels(0.25)[0] >= 8


@pytest.mark.parametrize("number", [-1, 1.5, "ten", None])
def test_a_number_of_classes_that_is_none(number):
    with pytest.raises(ValueError, match=f"num_classes={number!r}: give 0 for a backbone"):
        repvit_m0_6(0.25, num_classes=number)


def test_speed_report(capsys):
    peers.report(["repvit_m0_9"], batches=(1,), imgsz=64, rounds=2)
    forward, backward = capsys.readouterr().out.splitlines()[1:]
    assert forward.count("..") == 3 and backward.count("..") == 1
    with pytest.raises(ValueError, match="repvit_m0_6 is not both"):
        peers.against_timm("repvit_m0_6", 1)
