"""FasterNet: what the contract suite does not say."""

import copy
import re

import pytest
import timm
import torch
import torch.nn.functional as F
from torch import nn
from ultralytics.nn import tasks

from modules import fasternet
from modules.course.contract import fill, largest_difference
from modules.fasternet import FasterNet, FasterNetBlock, PConv
from modules.registry import ModelError
from modules.weights import authors_names

SIZES = [getattr(fasternet, f"fasternet_{size}") for size in ("t0", "t1", "t2", "s", "m", "l")]
every_size = pytest.mark.parametrize("size", SIZES, ids=lambda size: size.__name__)


def shake(model):
    """Give every BatchNorm statistics and weights of its own."""
    torch.manual_seed(1)
    for norm in (m for m in model.modules() if isinstance(m, nn.BatchNorm2d)):
        nn.init.normal_(norm.running_mean, 0, 0.3)
        nn.init.uniform_(norm.running_var, 0.5, 1.5)
        nn.init.normal_(norm.weight, 1, 0.3)
        nn.init.normal_(norm.bias, 0, 0.3)
    return model.eval()


# --------------------------------------------------------------------------------------------------------------- parts
@pytest.mark.parametrize("channels", [4, 10, 40])
def test_pconv_is_a_dense_convolution_whose_other_kernels_pass(channels):
    pconv, x = PConv(channels), torch.randn(2, channels, 7, 9)
    mixed = channels // 4
    kernel = torch.zeros(channels, channels, 3, 3)
    kernel[:, :, 1, 1] = torch.eye(channels)
    kernel[:mixed, :mixed] = pconv.partial_conv3.weight.detach()
    torch.testing.assert_close(pconv(x), F.conv2d(x, kernel, padding=1))
    assert torch.equal(pconv(x)[:, mixed:], x[:, mixed:])


def test_both_forms_of_pconv_agree_forward_and_backward():
    pconv = PConv(16)
    x = torch.randn(2, 16, 6, 5, requires_grad=True)
    weight = pconv.partial_conv3.weight
    joined = pconv(x)
    written = x.clone()
    written[:, :4] = F.conv2d(x[:, :4], weight, padding=1)
    assert torch.equal(joined, written)
    loss = torch.randn_like(joined)
    ours = torch.autograd.grad((joined * loss).sum(), (x, weight))
    theirs = torch.autograd.grad((written * loss).sum(), (x, weight))
    torch.testing.assert_close(ours, theirs)


def test_a_pconv_and_a_pointwise_convolution_see_a_t():
    layers = nn.Sequential(PConv(16), nn.Conv2d(16, 16, 1, bias=False))
    jacobian = torch.autograd.functional.jacobian(lambda x: layers(x)[0, :, 1, 1], torch.zeros(1, 16, 3, 3))
    seen = jacobian[:, 0].abs().amax(0) > 0
    t = torch.zeros(16, 3, 3, dtype=torch.bool)
    t[:4], t[:, 1, 1] = True, True
    assert torch.equal(seen, t)


def test_the_block_is_what_the_paper_writes():
    block, x = shake(FasterNetBlock(8)), torch.randn(2, 8, 6, 5)
    norm = block.mlp[1]
    with torch.no_grad():
        y = block.spatial_mixing(x)
        y = torch.einsum("oi,bihw->bohw", block.mlp[0].weight[:, :, 0, 0], y)
        y = (y - norm.running_mean[:, None, None]) / (norm.running_var[:, None, None] + 1e-5).sqrt()
        y = F.gelu(y * norm.weight[:, None, None] + norm.bias[:, None, None])
        expected = x + torch.einsum("oi,bihw->bohw", block.mlp[3].weight[:, :, 0, 0], y)
        before = x.clone()
        torch.testing.assert_close(block(x), expected)
    assert torch.equal(x, before), "the block writes over its input"


def test_drop_path_keeps_or_drops_whole_pictures():
    torch.manual_seed(0)
    block = FasterNetBlock(8, drop_path=0.5).train()
    nn.init.ones_(block.mlp[3].weight)
    x = torch.randn(64, 8, 4, 4)
    dropped = (block(x) == x).flatten(1).all(1).sum().item()
    assert 16 < dropped < 48


# --------------------------------------------------------------------------------------------------------------- sizes
@every_size
def test_equals_timm(size):
    theirs = shake(timm.create_model(size.__name__))
    ours = size(num_classes=1000).eval()
    ours.load_state_dict(authors_names(theirs.state_dict()))
    x = torch.randn(1, 3, 96, 72)
    with torch.no_grad():
        assert largest_difference(ours(x), theirs.forward_intermediates(x, intermediates_only=True)) < 2e-5
        assert largest_difference(ours.classify(x), theirs(x)) < 2e-5


@every_size
def test_trains_as_timm_does(size):
    """Activation, drop path and BatchNorm do not show in the weights, and little in the outputs."""
    with torch.device("meta"):
        theirs, ours = timm.create_model(size.__name__), size(num_classes=1000)
    acts = [{type(m) for m in model.modules() if isinstance(m, (nn.GELU, nn.ReLU))} for model in (ours, theirs)]
    rates = [[m.drop_prob for m in model.modules() if type(m).__name__ == "DropPath"] for model in (ours, theirs)]
    norms = [
        {(m.eps, m.momentum) for m in model.modules() if isinstance(m, nn.BatchNorm2d)} for model in (ours, theirs)
    ]
    assert acts[0] == acts[1] and norms[0] == norms[1]
    assert rates[0] == pytest.approx(rates[1])


def test_fasternet_is_t0():
    with torch.device("meta"):
        plain, t0 = FasterNet(num_classes=1000), fasternet.fasternet_t0(num_classes=1000)
    assert {k: v.shape for k, v in plain.state_dict().items()} == {k: v.shape for k, v in t0.state_dict().items()}


def test_weights_start_narrow():
    torch.manual_seed(0)
    for module in FasterNet(num_classes=10).modules():
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            # The smallest kernel has only 900 weights.
            assert 0.018 < module.weight.std() < 0.022 and module.weight.abs().max() < 0.12
            assert module.bias is None or not module.bias.any()


# --------------------------------------------------------------------------------------------------------------- width
@pytest.mark.parametrize(
    "width, channels",
    [
        (0.1, [8, 16, 32, 64]),
        (0.25, [8, 16, 32, 64]),
        (0.5, [24, 48, 96, 192]),
        (1, [40, 80, 160, 320]),
        (1.5, [64, 128, 256, 512]),
    ],
)
def test_width(width, channels):
    assert FasterNet.feature_channels(width) == channels
    maps = FasterNet(width)(torch.randn(1, 3, 64, 96))
    assert [m.shape[1] for m in maps] == channels
    assert all(m.is_contiguous(memory_format=torch.channels_last) for m in maps)


@every_size
@pytest.mark.parametrize(
    "width",
    [0, -1, 0.01, float("nan"), float("inf"), "wide", "1.0", None, [1], (0.5,), {}, 1j, torch.ones(1)],
    ids=repr,
)
def test_a_width_that_leaves_no_channels(size, width):
    said = rf"^width={re.escape(repr(width))}: it must be a number that leaves 8 channels or more in P2, such as 0.25$"
    for make in (size, size.feature_channels):
        with pytest.raises(ValueError, match=said):
            make(width)


@every_size
def test_the_width_that_the_message_proposes_works(size):
    with pytest.raises(ValueError, match="such as") as error:
        size.feature_channels(0.01)
    assert size.feature_channels(float(str(error.value).split()[-1]))[0] >= 8


# ---------------------------------------------------------------------------------------------------------- bad input
def test_errors():
    for number in (-1, 1.5, "ten", None):
        with pytest.raises(ValueError, match=f"num_classes={number!r}: give 0 for a backbone"):
            FasterNet(0.25, num_classes=number)
    with pytest.raises(ValueError, match="num_classes=0.*num_classes=1000"):
        FasterNet(0.25).classify(torch.zeros(1, 3, 64, 64))
    for shape in ((1, 4, 64, 64), (1, 3, 31, 64), (3, 64, 64)):
        with pytest.raises(ValueError, match=r"of at least 32x32 pixels and was fed \("):
            FasterNet(0.25)(torch.zeros(shape))
    with pytest.raises(ValueError, match=r"eval\(\)"):
        FasterNet(0.25).fuse()
    model = FasterNet(0.25).eval()
    list(model.modules())[-1].train()  # one part that was forgotten is enough
    with pytest.raises(ValueError, match="train mode"):
        model.fuse()


def detector(row):
    model = tasks.yaml_model_load("yolo11n-FasterNet.yaml")
    model["backbone"][0] = row
    return tasks.DetectionModel(model, nc=2, verbose=False)


def test_unknown_size_names_the_known_ones():
    with pytest.raises(ModelError, match=r"unknown module 'fasternet_t3'.*fasternet_t"):
        detector([-1, 1, "fasternet_t3", []])


def test_a_width_too_small_names_the_row():
    with pytest.raises(ModelError, match=r"row 0 .*FasterNet.*width=0.05: it must be a number"):
        detector([-1, 1, "FasterNet", [0.05]])


# ---------------------------------------------------------------------------------------------------------------- fuse
def test_fusing_twice_is_fusing_once():
    model = shake(FasterNet(0.25))
    model.fuse()
    once = copy.deepcopy(model)
    model.fuse()
    x = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        assert largest_difference(model(x), once(x)) == 0


def test_ultralytics_fuses_it():
    model = shake(detector([-1, 1, "FasterNet", ["width"]]))
    x = torch.rand(1, 3, 96, 128)
    with torch.no_grad():
        before = model(x)[0]
        fused = copy.deepcopy(model).fuse(verbose=False)
        assert not any(isinstance(m, nn.BatchNorm2d) for m in fused.modules())
        torch.testing.assert_close(fused(x)[0], before, rtol=1e-3, atol=1e-3)


def test_batch_norms_keep_their_eps_in_a_detector():
    """Ultralytics sets 1e-3 everywhere; with that, a checkpoint would give other features."""
    backbone = detector([-1, 1, "fasternet_t0", []]).model[0]
    alone = fill(fasternet.fasternet_t0())
    backbone.load_state_dict(alone.state_dict())
    x = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        assert largest_difference(backbone.eval()(x), alone(x)) == 0
