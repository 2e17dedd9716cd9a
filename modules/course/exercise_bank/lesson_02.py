"""Exercises of lesson 02: windows, attention with heads, folding a batch norm, an iRMB under a budget."""

from copy import deepcopy

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import nn

from modules.course.exercise_bank import Design, FillIn, Predict
from modules.course.measure import gmac, parameters
from modules.irmb import attention, fold, iRMB, split_heads, window_partition


# --------------------------------------------------------------------------------------------------- 02.1 shape of it
def tokens_of_a_padded_map() -> tuple:
    """The shape of `window_partition` of a (2, 160, 20, 20) map, padded for windows of 7."""
    x = F.pad(torch.zeros(2, 160, 20, 20), (0, 1, 0, 1))
    return tuple(window_partition(x, 7).shape)


# --------------------------------------------------------------------------------------------------- 02.2 windows
def maps() -> list[tuple]:
    return [
        (torch.arange(16.0).view(1, 1, 4, 4), (2, 2)),
        (torch.randn(2, 3, 6, 6), (3, 2)),
        (torch.randn(1, 5, 6, 9), (2, 3)),
        (torch.randn(3, 3, 10, 5), (5, 1)),
        (torch.randn(2, 4, 14, 20, dtype=torch.float64), (7, 5)),
    ]


def partition(x, window, order=(0, 2, 4, 1, 3, 5)):
    """Strided groups of h x w positions: (B, h, groups down, w, groups across, C), put into this order."""
    (B, C, H, W), (h, w) = x.shape, window
    x = x.permute(0, 2, 3, 1).reshape(B, h, H // h, w, W // w, C)
    return x.permute(order).reshape(-1, h * w, C)


def tiles(x, window):
    (B, C, H, W), (h, w) = x.shape, window
    x = x.permute(0, 2, 3, 1).reshape(B, H // h, h, W // w, w, C)
    return x.permute(0, 1, 3, 2, 4, 5).reshape(-1, h * w, C)


def raw_reshape(x, window):
    return x.reshape(-1, window[0] * window[1], x.shape[1])


def channels_after_reshape(x, window):
    (B, C, H, W), (h, w) = x.shape, window
    x = x.reshape(B, h, H // h, w, W // w, C)
    return x.permute(0, 2, 4, 1, 3, 5).reshape(-1, h * w, C)


def sides_swapped(x, window):
    return partition(x, window[::-1])


def positions_by_column(x, window):
    return partition(x, window, (0, 2, 4, 3, 1, 5))


def groups_by_column(x, window):
    return partition(x, window, (0, 4, 2, 1, 3, 5))


def groups_first(x, window):
    return partition(x, window).unflatten(0, (len(x), -1)).transpose(0, 1).flatten(0, 1)


def rows_strided_only(x, window):
    (B, C, H, W), (h, w) = x.shape, window
    x = x.permute(0, 2, 3, 1).reshape(B, h, H // h, W // w, w, C)
    return x.permute(0, 2, 3, 1, 4, 5).reshape(-1, h * w, C)


def viewed(x, window):
    (B, C, H, W), (h, w) = x.shape, window
    x = x.permute(0, 2, 3, 1).view(B, h, H // h, w, W // w, C)
    return x.permute(0, 2, 4, 1, 3, 5).view(-1, h * w, C)


# --------------------------------------------------------------------------------------------------- 02.3 attention
def attend(q, k, v):
    return (q * q.shape[-1] ** -0.5 @ k.mT).softmax(-1) @ v


def with_heads(q, k, v, heads):
    q, k, v = (split_heads(t, heads) for t in (q, k, v))
    return attend(q, k, v).transpose(1, 2).flatten(2)


def tokens() -> list[tuple]:
    def qkv(batch, positions, channels, wide=1, dtype=torch.float32):
        q, k = 2 * torch.randn(2, batch, positions, channels, dtype=dtype)
        return q, k, torch.randn(batch, positions, channels * wide, dtype=dtype)

    return [
        (*qkv(1, 5, 6), 2),
        (*qkv(2, 9, 12), 3),
        (*qkv(3, 4, 8, wide=2), 4),
        (*qkv(2, 7, 15, wide=3, dtype=torch.float64), 5),
    ]


def scaled_by(scale):
    """Attention with heads whose logits are multiplied by `scale(q, v, heads)`."""

    def function(q, k, v, heads):
        factor = scale(q, v, heads)
        q, k, v = (split_heads(t, heads) for t in (q, k, v))
        return ((q * factor @ k.mT).softmax(-1) @ v).transpose(1, 2).flatten(2)

    return function


def softmax_over(dim):
    def function(q, k, v, heads):
        q, k, v = (split_heads(t, heads) for t in (q, k, v))
        return ((q * q.shape[-1] ** -0.5 @ k.mT).softmax(dim) @ v).transpose(1, 2).flatten(2)

    return function


def one_head(q, k, v, heads):
    return attend(q[:, None], k[:, None], v[:, None])[:, 0]


def no_softmax(q, k, v, heads):
    q, k, v = (split_heads(t, heads) for t in (q, k, v))
    return (q * q.shape[-1] ** -0.5 @ k.mT @ v).transpose(1, 2).flatten(2)


def heads_by_reshape(q, k, v, heads):
    B, N = q.shape[:2]
    split = [t.reshape(B, heads, N, -1) for t in (q, k, v)]
    return attend(*split).transpose(1, 2).flatten(2)


def reshaped_both_ways(q, k, v, heads):
    B, N = q.shape[:2]
    return attend(*(t.reshape(B, heads, N, -1) for t in (q, k, v))).reshape(v.shape)


def every_nth_channel(joined):
    """The channels of a head lie `heads` apart."""

    def function(q, k, v, heads):
        found = attend(*(t.unflatten(-1, (-1, heads)).permute(0, 3, 1, 2) for t in (q, k, v)))
        return joined(found)

    return function


def joined_by_reshape(q, k, v, heads):
    split = [split_heads(t, heads) for t in (q, k, v)]
    return attend(*split).reshape(v.shape)


# --------------------------------------------------------------------------------------------------- 02.4 fold
def conv_and_norm() -> list[tuple]:
    convs = [
        (nn.Conv2d(3, 8, 3, padding=1), (1, 3, 5, 5)),
        (nn.Conv2d(4, 6, 1, bias=False), (2, 4, 3, 7)),
        (nn.Conv2d(6, 6, 3, padding=1, groups=6), (1, 6, 4, 6)),
        (nn.Conv2d(5, 5, (3, 5), stride=2, padding=1), (2, 5, 9, 8)),
    ]
    return [(conv.eval(), used_norm(conv.out_channels), torch.randn(shape)) for conv, shape in convs]


def used_norm(channels: int) -> nn.BatchNorm2d:
    """A BatchNorm in eval mode as training leaves it. Its small variances make epsilon count."""
    norm = nn.BatchNorm2d(channels, eps=1e-2)
    nn.init.normal_(norm.weight, 1, 0.3)
    nn.init.normal_(norm.bias)
    norm.running_mean.normal_()
    norm.running_var.uniform_(0.02, 1)
    return norm.eval()


def output_of_fold(function, conv, norm, x):
    folded = function(conv, norm)
    return {"the output of the folded convolution": folded(x)} if isinstance(folded, nn.Conv2d) else folded


def folded_with(scale=None, shift=None):
    """A fold whose scale, or shift, of each channel is computed otherwise."""

    def function(conv, norm):
        right_scale = norm.weight / (norm.running_var + norm.eps).sqrt()
        s = scale(norm) if scale else right_scale
        bias = 0 if conv.bias is None else conv.bias
        t = shift(norm, s, bias) if shift else norm.bias + (bias - norm.running_mean) * s
        new = nn.Conv2d(
            conv.in_channels,
            conv.out_channels,
            conv.kernel_size,
            conv.stride,
            conv.padding,
            conv.dilation,
            conv.groups,
        )
        new.weight.copy_(conv.weight * s.view(-1, 1, 1, 1))
        new.bias.copy_(t)
        return new

    return function


right_fold = folded_with()


def without_groups(fill):
    def function(conv, norm):
        right = right_fold(conv, norm)
        new = nn.Conv2d(conv.in_channels, conv.out_channels, conv.kernel_size, conv.stride, conv.padding)
        fill(new, right)
        new.bias.copy_(right.bias)
        return new

    return function


def set_kernel(new, right):
    new.weight = nn.Parameter(right.weight)


def copy_kernel(new, right):
    new.weight.copy_(right.weight)


def scaled_along(shape, kernel_first):
    """The scale stands along another dimension than that of the output channels."""

    def function(conv, norm):
        s = (norm.weight / (norm.running_var + norm.eps).sqrt()).view(shape)
        new = right_fold(conv, norm)
        new.weight.copy_(conv.weight * s if kernel_first else s * conv.weight)
        return new

    return function


def bias_missing(conv, norm):
    new = deepcopy(conv)
    new.weight.copy_(right_fold(conv, norm).weight)
    if conv.bias is not None:
        new.bias.copy_(right_fold(conv, norm).bias)
    return new


def filled_bias(conv, norm):
    new = deepcopy(conv)
    new.bias.copy_(right_fold(conv, norm).bias)
    new.weight.copy_(right_fold(conv, norm).weight)
    return new


def replaced_bias(conv, norm):
    new = filled_bias(conv, norm) if conv.bias is not None else deepcopy(conv)
    new.bias.data = right_fold(conv, norm).bias.data
    return new


# --------------------------------------------------------------------------------------------------- 02.5 a block
def measured_block(arguments: dict) -> dict:
    """Parameters, million multiply-adds and positions seen from the centre of iRMB(64, 64, **arguments) on 16x16."""
    if not isinstance(arguments, dict):
        raise ValueError(f"a dictionary of iRMB's arguments is asked for, and this is {arguments!r}")
    block = iRMB(64, 64, **arguments).eval()
    if not block.attn or block.window < 2:
        raise ValueError(
            "a block that attends is asked for: leave out attn=False, and let a window have 2 or more rows"
        )
    if not isinstance(block.se, nn.Identity):
        raise ValueError("squeeze-and-excitation sees everything by its mean, without any window: leave out se_ratio")
    x = torch.randn(1, 64, 16, 16, requires_grad=True)
    y = block(x)
    if y.shape != x.shape:
        raise ValueError(f"the block must keep the shape, and gives {tuple(y.shape)}")
    y[..., 8, 8].sum().backward()
    return {
        "parameters": parameters(block),
        "million multiply-adds": round(1e3 * gmac(block, x), 2),
        "positions seen": int((x.grad.abs().sum(1) > 0).sum()),
    }


EXERCISES = {
    "02.1": Predict(
        tokens_of_a_padded_map,
        hints=(
            "First make 20 divisible by 7 by padding. How many windows are there then in a row?",
            "21 / 7 = 3 a row, in two directions, in each picture of the batch. A window holds 7 x 7 positions.",
        ),
        wrong={
            "the map is padded up to 21x21, not cut to 14x14": (8, 49, 160),
            "the batch counts too: both pictures have groups": (9, 49, 160),
            "`window` is the side of a group, not the number of groups in a row": (98, 9, 160),
            "a group has 7 positions down and 7 across, which makes 49": (18, 7, 160),
            "the channels come last, the positions in the middle": (18, 160, 49),
            "the positions of a group lie in one dimension: 7 x 7 = 49": (18, 7, 7, 160),
            "window_partition flattens the 7x7 and puts the channels last": (18, 160, 7, 7),
            "pictures and groups share the first dimension": (2, 9, 49, 160),
        },
    ),
    "02.2": FillIn(
        partition,
        maps,
        hints=(
            "Write a row's number as place * n + group, where n is the number of groups in a column. The last factor of a "
            "reshape counts fast.",
            "permute to (B, H, W, C), reshape to (B, h, H // h, w, W // w, C), then bring the two numbers of groups behind "
            "B, and reshape once more.",
        ),
        wrong={
            "contiguous tiles instead of strided groups: in the reshape the group must count fast, so it stands last": tiles,
            "strided down the rows, but contiguous across the columns": rows_strided_only,
            "a plain reshape takes the numbers as they lie in memory: permute first": raw_reshape,
            "the channels must go last by a permute, before the first reshape": channels_after_reshape,
            "the positions of a group run down the columns: height comes before width": positions_by_column,
            "the groups run down the columns: height comes before width": groups_by_column,
            "height and width of the window have changed places": sides_swapped,
            "the groups run before the pictures: B must stay the first dimension": groups_first,
            "after a permute the numbers do not lie in order any more, and view refuses: use reshape": viewed,
            "uses rearrange, which the task rules out": lambda x, window: rearrange(
                x, "b c (h i) (w j) -> (b i j) (h w) c", h=window[0], w=window[1]
            ),
        },
        ruled_out=(window_partition, rearrange, F.unfold),
    ),
    "02.3": FillIn(
        with_heads,
        tokens,
        hints=(
            "Three steps: share the channels out among the heads, attend within each head, put the heads side by side.",
            "unflatten(-1, (heads, -1)).transpose(1, 2) splits, and transpose(1, 2).flatten(2) joins. The scale is the "
            "root of the channels of one head of q.",
        ),
        wrong={
            "forgot to scale: divide the logits by the root of the channels of a head": scaled_by(
                lambda q, v, heads: 1
            ),
            "scaled by d, not by the root of d": scaled_by(lambda q, v, heads: heads / q.shape[-1]),
            "scaled by the root of all channels: d is the number of channels of one head": scaled_by(
                lambda q, v, heads: q.shape[-1] ** -0.5
            ),
            "scaled by the channels of v: d is the number of channels of a head of q": scaled_by(
                lambda q, v, heads: (v.shape[-1] / heads) ** -0.5
            ),
            "one head for all channels: each head compares and mixes only its own": one_head,
            "softmax over the queries: the weights of one query must sum to one, dim=-1": softmax_over(-2),
            "softmax over the heads: the weights of one query must sum to one, dim=-1": softmax_over(1),
            "multiplied by the root of d: divide by it": scaled_by(lambda q, v, heads: (q.shape[-1] / heads) ** 0.5),
            "no softmax: the logits must become weights that sum to one": no_softmax,
            "the heads were split by a plain reshape, which mixes positions: (B, N, heads, d) first, then transpose": (
                heads_by_reshape,
                reshaped_both_ways,
            ),
            "a head gets every so many-th channel: split the channels into (heads, d), not (d, heads)": (
                every_nth_channel(lambda found: found.transpose(1, 2).flatten(2)),
                every_nth_channel(lambda found: found.permute(0, 2, 3, 1).flatten(2)),
            ),
            "the heads were joined by a plain reshape: transpose back first": joined_by_reshape,
            "uses scaled_dot_product_attention, which the task rules out": lambda q, k, v, heads: (
                F.scaled_dot_product_attention(*(split_heads(t, heads) for t in (q, k, v))).transpose(1, 2).flatten(2)
            ),
        },
        ruled_out=(F.scaled_dot_product_attention, attention),
    ),
    "02.4": FillIn(
        fold,
        conv_and_norm,
        hints=(
            "In eval mode the norm is s * y + t for each channel. What are s and t, and where do they go in a convolution?",
            "s = weight / sqrt(running_var + eps). The kernel becomes s * kernel, one s for each output channel. The bias "
            "becomes s * (bias - running_mean) + norm.bias. deepcopy(conv) keeps stride, padding and groups.",
        ),
        wrong={
            "epsilon is missing, or not the norm's own: use norm.eps": folded_with(
                scale=lambda norm: norm.weight / norm.running_var.sqrt()
            ),
            "epsilon belongs inside the root, beside the variance": folded_with(
                scale=lambda norm: norm.weight / (norm.running_var.sqrt() + norm.eps)
            ),
            "divided by the variance: divide by its root": folded_with(
                scale=lambda norm: norm.weight / (norm.running_var + norm.eps)
            ),
            "the norm's weight is missing from the scale": folded_with(
                scale=lambda norm: 1 / (norm.running_var + norm.eps).sqrt()
            ),
            "the convolution's own bias is lost: it goes through the norm too": folded_with(
                shift=lambda norm, s, bias: norm.bias - norm.running_mean * s
            ),
            "the convolution's own bias must be scaled too": folded_with(
                shift=lambda norm, s, bias: norm.bias + bias - norm.running_mean * s
            ),
            "the running mean is missing from the bias": folded_with(shift=lambda norm, s, bias: norm.bias + bias * s),
            "the running mean must be scaled before it is subtracted": folded_with(
                shift=lambda norm, s, bias: norm.bias + bias * s - norm.running_mean
            ),
            "groups are lost: the kernel has one input channel for each group": (
                without_groups(set_kernel),
                without_groups(copy_kernel),
            ),
            "the scale stands along the wrong dimension: one number for each output channel, s[:, None, None, None]": tuple(
                scaled_along(shape, kernel_first) for shape in ((-1,), (-1, 1, 1)) for kernel_first in (True, False)
            ),
            "where conv has no bias the new convolution still needs one, for what the norm adds": (
                bias_missing,
                filled_bias,
                replaced_bias,
            ),
            "uses fuse_conv_bn_eval, which the task rules out": nn.utils.fuse_conv_bn_eval,
        },
        ruled_out=(nn.utils.fuse_conv_bn_eval, fold),
        call=output_of_fold,
    ),
    "02.5": Design(
        measured_block,
        limits={
            "parameters": ("at most", 20_000),
            "million multiply-adds": ("at most", 6),
            "positions seen": ("at least", 256),
        },
        hints=(
            "A window that does not divide 16 pads the map, and padding is computed too. After the attention, the "
            "depthwise convolution joins what neighbours have seen, and neighbours are in different groups.",
            "With window w there are 16 / w groups in a row. A kernel at least as wide as that touches all of them.",
        ),
        wrong={
            "million multiply-adds, allowed are at most 6": {},
            "144 positions seen, needed are at least 256": {"window": 4},
            "parameters, allowed are at most 20,000": {"window": 2, "kernel": 9},
            "a block that attends is asked for": {"attn": False, "exp_ratio": 0.25, "kernel": 31},
            "let a window have 2 or more rows": {"window": 1, "exp_ratio": 0.25, "kernel": 17},
            "squeeze-and-excitation sees everything by its mean": {"window": 4, "kernel": 3, "se_ratio": 0.25},
            "the block must keep the shape": {"window": 4, "kernel": 5, "stride": 2},
            "use a divisor of 64": {"dim_head": 24},
        },
    ),
}
