"""iRMB, EMO and C2f_iRMB: what the contract suite does not say."""

import pytest
import timm
import torch
from torch import nn
from ultralytics.nn.tasks import DetectionModel

import modules
from modules import EMO_1M, EMO_2M, EMO_5M, EMO_6M, C2f_iRMB, iRMB
from modules.course.contract import layout
from modules.irmb import attention, split_heads, window_partition, window_reverse

SIZES = (EMO_1M, EMO_2M, EMO_5M, EMO_6M)


# ------------------------------------------------------------------------------------------------------------- windows
@pytest.mark.parametrize("B, C, H, W, window", [(1, 1, 6, 6, 3), (2, 3, 14, 21, 7), (3, 2, 7, 7, 7), (2, 5, 4, 6, 1)])
def test_windows_hold_the_positions_that_counting_gives(B, C, H, W, window):
    x = torch.arange(B * C * H * W).reshape(B, C, H, W)
    tokens = window_partition(x, window)
    down, across = H // window, W // window
    assert tokens.shape == (B * down * across, window * window, C)
    for group, token in enumerate(tokens):
        picture, i, j = group // (down * across), group // across % down, group % across
        for position, values in enumerate(token):
            row, column = i + position // window * down, j + position % window * across
            assert values.tolist() == [int(((picture * C + c) * H + row) * W + column) for c in range(C)]
    assert torch.equal(window_reverse(tokens, window, H, W), x)


def test_windows_refuse_a_map_that_does_not_divide():
    with pytest.raises(ValueError, match="20x21 map.*7x7.*multiples of 7"):
        window_partition(torch.zeros(1, 1, 20, 21), 7)


def test_a_raw_reshape_is_something_else():
    """It has the right shape and survives the way back, and still mixes pictures of a batch."""
    x = torch.randn(2, 8, 14, 14)
    raw = x.reshape(-1, 49, 8)
    assert raw.shape == window_partition(x, 7).shape
    assert torch.equal(raw.reshape(x.shape), x)
    assert not torch.equal(raw, window_partition(x, 7))


@pytest.mark.parametrize("width", [4, 16])
def test_attention(width):
    q, k, v = torch.randn(3, 2, 49, 4), torch.randn(3, 2, 49, 4), torch.randn(3, 2, 49, width)
    weights = torch.einsum("bhid,bhjd->bhij", q, k).div(2).exp()
    expected = torch.einsum("bhij,bhjd->bhid", weights / weights.sum(-1, keepdim=True), v)
    torch.testing.assert_close(attention(q, k, v), expected)


def test_heads_take_neighbouring_channels():
    tokens = torch.arange(2 * 3 * 8).reshape(2, 3, 8)
    assert torch.equal(split_heads(tokens, 4)[1, 2], tokens[1, :, 4:6])


# --------------------------------------------------------------------------------------------------------------- block
def plain_attention(block, x, masked=False):
    """Window attention position by position, from its definition: each query against the keys of its group."""
    B, C, H, W = x.shape
    down, across = -(-H // block.window), -(-W // block.window)
    padded = torch.zeros(B, C, down * block.window, across * block.window)
    padded[:, :, :H, :W] = x
    q, k = block.qk(padded).chunk(2, 1)
    out, size = torch.zeros_like(x), C // block.heads
    for row in range(H):
        for column in range(W):
            rows, columns = (
                slice(row % down, H if masked else None, down),
                slice(column % across, W if masked else None, across),
            )
            for head in (slice(h * size, h * size + size) for h in range(block.heads)):
                key, value = (t[:, head, rows, columns].flatten(2) for t in (k, padded))
                logits = (q[:, head, row, column, None] * key).sum(1) / size**0.5
                out[:, head, row, column] = (logits.softmax(-1)[:, None] * value).sum(-1)
    return out


@pytest.mark.parametrize("H, W", [(6, 6), (5, 7), (2, 4)])
def test_attention_is_strided_and_lets_the_padding_in(H, W):
    torch.manual_seed(0)
    block = iRMB(16, 16, window=3, attn_pre=True, bias=True)
    block.v = nn.Identity()
    x = 3 * torch.randn(2, 16, H, W)
    with torch.no_grad():
        torch.testing.assert_close(block.attend(x), plain_attention(block, x))
        if H % 3 or W % 3:
            assert (block.attend(x) - plain_attention(block, x, masked=True)).abs().max() > 0.1


def test_one_picture_does_not_see_its_batch_mates():
    block, x = iRMB(32, 32).eval(), torch.randn(3, 32, 15, 11)
    with torch.no_grad():
        torch.testing.assert_close(block(x)[1:2], block(x[1:2]))


@pytest.mark.parametrize("side", [1, 3, 6, 7, 8])
def test_a_map_smaller_than_a_window_is_padded(side):
    assert iRMB(16, 16)(torch.randn(2, 16, side, side)).shape == (2, 16, side, side)


@pytest.mark.parametrize("stride, shape", [(1, (2, 48, 15, 22)), (2, (2, 48, 8, 11))])
def test_shapes(stride, shape):
    assert iRMB(32, 48, stride=stride)(torch.randn(2, 32, 15, 22)).shape == shape


def test_skips_need_equal_shapes():
    assert iRMB(16, 16).skip
    assert not iRMB(16, 24).skip and not iRMB(16, 16, stride=2).skip and not iRMB(16, 16, skip=False).skip


def test_attn_pre_false_that_cannot_work_says_what_to_change():
    with pytest.raises(ValueError, match="588 expanded channels.*8 heads.*attn_pre=True"):
        iRMB(168, 168, dim_head=21, exp_ratio=3.5)
    iRMB(168, 168, dim_head=21, exp_ratio=3.5, attn_pre=True)


# ----------------------------------------------------------------------------------------------------------------- EMO
@pytest.mark.parametrize("cls", SIZES)
@pytest.mark.parametrize("width", [0.125, 0.25, 0.33, 0.5, 0.75, 1.0, 1.25, 1.5, 2])
def test_width_scales_channels_and_heads_still_divide(cls, width):
    with torch.device("meta"):
        features = cls(width)(torch.empty(1, 3, 64, 96))
    assert [f.shape[1] for f in features] == cls.feature_channels(width)
    assert [tuple(f.shape[2:]) for f in features] == [(16, 24), (8, 12), (4, 6), (2, 3)]
    for full, now, unit in zip(cls.channels, cls.feature_channels(width), cls.dim_heads):
        assert now % unit == 0 and abs(now - full * width) <= max(unit / 2, unit - full * width)


def test_width_grows():
    sums = [sum(EMO_1M.feature_channels(w / 20)) for w in range(3, 41)]
    assert sums == sorted(sums) and sums[0] < sums[17] < sums[-1]


@pytest.mark.parametrize("width", [0, -1, 0.1, float("nan"), float("inf"), "n", None])
def test_a_width_that_cannot_be_is_refused_at_both_doors(width):
    for ask in (EMO_1M, EMO_1M.feature_channels):
        with pytest.raises(
            ValueError, match=f"width={width!r}: it must be a number that leaves 8 channels or more in P2"
        ):
            ask(width)


def test_norms_have_the_authors_epsilon_in_yolo_too():
    emo = EMO_1M()
    norms = [m for m in emo.modules() if isinstance(m, (nn.BatchNorm2d, nn.LayerNorm))]
    assert {m.eps for m in norms} == {1e-6} and len(norms) == 32
    detector = DetectionModel("yolo11n-EMO.yaml", verbose=False).model[0]
    assert {m.eps for m in detector.modules() if isinstance(m, (nn.BatchNorm2d, nn.LayerNorm))} == {1e-6}


def test_drop_path_grows_evenly_and_skips_the_first_blocks():
    rates = [[getattr(b.drop_path, "drop_prob", 0) for b in getattr(EMO_1M(), f"stage{i}")] for i in (1, 2, 3, 4)]
    assert [stage[0] for stage in rates] == [0, 0, 0, 0]
    even = torch.linspace(0, 0.04036, 15)
    for stage, first in zip(rates, (0, 2, 4, 12)):
        torch.testing.assert_close(torch.tensor(stage[1:]), even[first + 1 : first + len(stage)])


def test_channels_last_from_the_first_convolution_on():
    """The reason why it is fast: every map has its channels side by side in memory."""
    for map in EMO_1M(0.25)(torch.randn(2, 3, 64, 96)):
        assert map.is_contiguous(memory_format=torch.channels_last)


def test_a_backbone_has_no_classifier_and_says_so():
    with pytest.raises(ValueError, match="num_classes=1000"):
        EMO_1M(0.25).classify(torch.randn(1, 3, 64, 64))
    assert EMO_1M(0.25, 10).classify(torch.randn(2, 3, 64, 64)).shape == (2, 10)


@pytest.mark.parametrize("shape", [(1, 3, 31, 64), (1, 1, 64, 64)])
def test_pictures_that_do_not_fit(shape):
    with pytest.raises(ValueError, match="at least 32x32"):
        EMO_1M(0.25)(torch.randn(shape))


# ------------------------------------------------------------------------------------------------------------ in YOLO
@pytest.mark.parametrize("name, count", [("yolov10n-iRMB", 354), ("yolov10n-C2f_iRMB", 595)])
def test_stock_weights_that_fit_by_name(name, count):
    """An iRMB as row 23 moves the detection head by one row; C2f_iRMB moves nothing."""
    stock, ours = (DetectionModel(f"{n}.yaml", verbose=False).state_dict() for n in ("yolov10n", name))
    assert len(stock) == 595
    assert sum(key in ours and ours[key].shape == value.shape for key, value in stock.items()) == count


def test_c2f_irmb_has_the_names_of_c2f():
    stock = DetectionModel("yolov10n.yaml", verbose=False).model[6].state_dict()
    ours = DetectionModel("yolov10n-C2f_iRMB.yaml", verbose=False).model[6]
    assert type(ours) is C2f_iRMB
    shared = {key for key in ours.state_dict() if ".iRMB." not in key}
    assert {key: stock[key].shape for key in stock} == {key: ours.state_dict()[key].shape for key in shared}
    assert {m.eps for m in ours.modules() if isinstance(m, nn.BatchNorm2d)} == {1e-3, 1e-6}


def test_layout_reads_nested_names():
    assert layout({"a": {"b": [1], "c": {"d": []}}, "e": [2, 3]}) == {"a.b": [1], "a.c.d": [], "e": [2, 3]}


def test_all_classes_are_in_the_package():
    assert {"iRMB", "C2f_iRMB", *(cls.__name__ for cls in SIZES)} <= set(modules.__all__)


def test_drop_path_is_timms():
    """The same numbers from the same seed, so that nothing that was trained changes."""
    theirs, ours = timm.layers.DropPath(0.4), modules.irmb.DropPath(0.4)
    x = torch.randn(16, 3, 2, 2)
    for part in (theirs, ours):
        torch.manual_seed(1)
        part.y = part(x), part(x)
    assert all(map(torch.equal, theirs.y, ours.y)) and not torch.equal(*ours.y)
    assert torch.equal(ours.eval()(x), x)
