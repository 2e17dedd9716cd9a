# Written by notebooks/02_irmb.ipynb. Edit the lesson, then run `make modules`.
"""iRMB, the inverted residual mobile block: an inverted residual with attention in strided windows inside.

Zhang et al., "Rethinking Mobile Block for Efficient Attention-based Models", ICCV 2023, arXiv 2301.01146:
section 2.2 has the Meta Mobile Block, section 2.3 iRMB. The weights have the names of the authors' checkpoints.
"""

import torch
import torch.nn.functional as F
from torch import nn


def window_partition(x: torch.Tensor, window: int) -> torch.Tensor:
    """Group the positions of a map into strided windows: (B, C, H, W) -> (B * groups, window * window, C).

    With n = H / window, group 0 holds rows 0, n, 2n, ...: a coarse grid over the whole map.

    Raises:
        ValueError: H or W is no multiple of the window.
    """
    B, C, H, W = x.shape
    if H % window or W % window:
        raise ValueError(
            f"a {H}x{W} map does not divide into {window}x{window} windows: pad it to multiples of {window}"
        )
    x = x.permute(0, 2, 3, 1)  # (B, H, W, C)
    x = x.reshape(B, window, H // window, window, W // window, C)  # row = place * n + group, and so for columns
    x = x.permute(0, 2, 4, 1, 3, 5)  # (B, groups down, groups across, window, window, C)
    return x.reshape(-1, window * window, C)


def window_reverse(tokens: torch.Tensor, window: int, H: int, W: int) -> torch.Tensor:
    """Undo `window_partition`: (B * groups, window * window, C) -> (B, C, H, W)."""
    x = tokens.unflatten(1, (window, window)).unflatten(0, (-1, H // window, W // window))
    x = x.permute(0, 3, 1, 4, 2, 5)  # (B, window, groups down, window, groups across, C)
    return x.reshape(-1, H, W, tokens.shape[-1]).permute(0, 3, 1, 2)


def split_heads(tokens: torch.Tensor, heads: int) -> torch.Tensor:
    """(B, N, C) -> (B, heads, N, C / heads)."""
    return tokens.unflatten(-1, (heads, -1)).transpose(1, 2)


def attention(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
    """softmax(q k^T / sqrt(d)) v for q and k (B, heads, N, d), v (B, heads, N, dv): -> (B, heads, N, dv)."""
    if q.shape[-1] == v.shape[-1]:
        return F.scaled_dot_product_attention(q, k, v)
    # Where v is wider than q, SDPA has no fused kernel on a CPU and is the slower one.
    return (q * q.shape[-1] ** -0.5 @ k.transpose(-2, -1)).softmax(-1) @ v


class LayerNorm2d(nn.Module):
    """LayerNorm over the channels of a map: (B, C, H, W) -> (B, C, H, W)."""

    def __init__(self, channels: int):
        super().__init__()
        self.norm = nn.LayerNorm(channels, eps=1e-6)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.norm(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


NORMS = {
    "none": lambda channels: nn.Identity(),
    "bn": lambda channels: nn.BatchNorm2d(channels, eps=1e-6),
    "ln": LayerNorm2d,
}
ACTS = {"none": nn.Identity, "relu": nn.ReLU, "silu": nn.SiLU, "gelu": nn.GELU}


def choose(what: str, name: str, table: dict):
    """The entry `name` of a table of norms or activations. Raises ValueError for a name that is not in it."""
    if name not in table:
        raise ValueError(f"unknown {what} {name!r}: use one of {', '.join(table)}")
    return table[name]


def fold(conv: nn.Conv2d, norm: nn.BatchNorm2d) -> nn.Conv2d:
    """One convolution that does the work of `conv` and of the BatchNorm `norm` behind it.

    Raises:
        ValueError: in train mode, where a BatchNorm has no fixed statistics.
    """
    if conv.training or norm.training:
        raise ValueError("fuse() needs eval mode, and this model is in train mode: call eval() first")
    return nn.utils.fuse_conv_bn_eval(conv, norm)


class ConvNormAct(nn.Module):
    """Convolution, norm, activation: (B, c1, H, W) -> (B, c2, ceil(H / stride), ceil(W / stride)) for an odd kernel."""

    def __init__(self, c1: int, c2: int, kernel=1, stride=1, groups=1, bias=False, norm="none", act="none"):
        super().__init__()
        self.conv = nn.Conv2d(c1, c2, kernel, stride, kernel // 2, groups=groups, bias=bias)
        self.norm = choose("norm", norm, NORMS)(c2)
        self.act = choose("activation", act, ACTS)()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.act(self.norm(self.conv(x)))

    def fuse(self) -> None:
        """Fold a BatchNorm into the convolution, in eval mode."""
        if isinstance(self.norm, nn.BatchNorm2d):
            self.conv, self.norm = fold(self.conv, self.norm), nn.Identity()


class SqueezeExcite(nn.Module):
    """Weigh each channel by what the whole map holds: (B, C, H, W) -> (B, C, H, W)."""

    def __init__(self, channels: int, hidden: int, act: str):
        super().__init__()
        self.conv_reduce = nn.Conv2d(channels, hidden, 1)
        self.act = choose("activation", act, ACTS)()
        self.conv_expand = nn.Conv2d(hidden, channels, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        weight = x.mean((2, 3), keepdim=True)  # (B, C, 1, 1)
        weight = self.conv_expand(self.act(self.conv_reduce(weight)))
        return x * weight.sigmoid()


class DropPath(nn.Module):
    """Leave a block out for some pictures, in training, each with probability `drop_prob`: (B, C, H, W) -> (B, C, H, W).

    What stays grows by 1 / (1 - drop_prob), so that the mean does not change.
    """

    def __init__(self, drop_prob: float):
        super().__init__()
        self.drop_prob = drop_prob

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * F.dropout(x.new_ones(len(x), 1, 1, 1), self.drop_prob) if self.training else x


class iRMB(nn.Module):
    """Inverted residual mobile block: (B, c1, H, W) -> (B, c2, ceil(H / stride), ceil(W / stride)).

    norm -> attention in windows and 1x1 expansion -> depthwise convolution, with a skip -> 1x1 projection; and a skip
    around it all. Both skips need c1 == c2 and stride 1. In a model YAML: [-1, 1, iRMB, [c2, dim_head, window, ...]].

    Args:
        c1, c2: channels in and out.
        dim_head: channels of an attention head, a divisor of c1.
        window: side of an attention window. A map whose sides are no multiples of it (or are smaller) is padded with
            zeros at the right and at the bottom; like the authors' block, it lets the padding take part in the softmax.
        exp_ratio: channels inside the block, in multiples of c1.
        attn_pre: attend to the c1 channels before the expansion (cheaper), or to the expanded ones.
        kernel, stride: of the depthwise convolution.
        norm, act: names from NORMS and ACTS.
        attn, expand, skip: False leaves out the attention, the 1x1 expansion, the skips.
        se_ratio: hidden channels of a squeeze-and-excitation, in multiples of those inside; 0 for none.
        bias: whether the 1x1 convolutions before the depthwise one have a bias.
        drop_path: probability of leaving the block out, in training.

    Raises:
        ValueError: arguments, or an input, that do not fit.
    """

    def __init__(
        self,
        c1: int,
        c2: int,
        dim_head: int = 8,
        window: int = 7,
        exp_ratio: float = 1.0,
        attn_pre: bool = False,
        *,
        kernel: int = 3,
        stride: int = 1,
        norm: str = "bn",
        act: str = "relu",
        attn: bool = True,
        expand: bool = True,
        skip: bool = True,
        se_ratio: float = 0.0,
        bias: bool = False,
        drop_path: float = 0.0,
    ):
        super().__init__()
        mid = inner_channels(c1, c2, dim_head, window, exp_ratio, attn_pre, kernel, stride, attn, expand)
        self.c1, self.window, self.attn, self.attn_pre = c1, window, attn, attn_pre
        self.skip = skip and c1 == c2 and stride == 1
        self.norm = choose("norm", norm, NORMS)(c1)
        if attn:
            self.heads = c1 // dim_head
            self.qk = ConvNormAct(c1, 2 * c1, bias=bias)
        self.v = ConvNormAct(c1, mid, bias=bias, act=act) if expand else nn.Identity()
        self.conv_local = ConvNormAct(mid, mid, kernel, stride, groups=mid, norm="bn", act="silu")
        self.se = SqueezeExcite(mid, max(1, round(mid * se_ratio)), act) if se_ratio else nn.Identity()
        self.proj = ConvNormAct(mid, c2)
        self.drop_path = DropPath(drop_path) if drop_path else nn.Identity()

    def attend(self, x: torch.Tensor) -> torch.Tensor:
        """Attention and expansion of a normalised map: (B, c1, H, W) -> (B, mid, H, W)."""
        H, W = x.shape[2:]
        x = F.pad(x, (0, -W % self.window, 0, -H % self.window))
        qk = window_partition(self.qk(x), self.window)  # (B * groups, N, 2 * c1)
        q, k = split_heads(qk, 2 * self.heads).chunk(2, dim=1)  # (B * groups, heads, N, dim_head) each
        v = window_partition(x if self.attn_pre else self.v(x), self.window)  # (B * groups, N, c1 or mid)
        y = attention(q, k, split_heads(v, self.heads))  # (B * groups, heads, N, c1 or mid / heads)
        y = y.transpose(1, 2).flatten(2)  # (B * groups, N, c1 or mid): the heads side by side
        y = window_reverse(y, self.window, *x.shape[2:])[:, :, :H, :W]  # (B, c1 or mid, H, W), padding cut off
        return self.v(y) if self.attn_pre else y

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if x.shape[1] != self.c1:
            raise ValueError(f"iRMB was built for c1={self.c1} channels and was fed {x.shape[1]}: {tuple(x.shape)}")
        y = self.norm(x)  # (B, c1, H, W)
        y = self.attend(y) if self.attn else self.v(y)  # (B, mid, H, W)
        local = self.se(self.conv_local(y))  # (B, mid, H / stride, W / stride)
        y = self.proj(y + local if self.skip else local)  # (B, c2, H / stride, W / stride)
        return x + self.drop_path(y) if self.skip else y

    def fuse(self) -> None:
        """Fold the BatchNorm behind the depthwise convolution into it, in eval mode."""
        self.conv_local.fuse()


def inner_channels(c1, c2, dim_head, window, exp_ratio, attn_pre, kernel, stride, attn, expand) -> int:
    """The channels inside an iRMB. Raises ValueError for arguments that cannot work, saying what to change."""
    mid = int(c1 * exp_ratio)
    if min(c1, c2, mid, stride) < 1:
        raise ValueError(f"c1={c1}, c2={c2}, int(c1 * exp_ratio)={mid}, stride={stride}: all must be at least 1")
    if kernel < 1 or kernel % 2 == 0:
        raise ValueError(f"kernel={kernel}: an even kernel would change the size of the map, use 3, 5, 7, ...")
    if not expand and (attn or mid != c1):
        raise ValueError(f"expand=False with attn={attn}, exp_ratio={exp_ratio}: it needs attn=False and exp_ratio=1")
    if not attn:
        return mid
    if window < 1:
        raise ValueError(f"window={window}: a window has at least 1 position a side, the authors use 7")
    if dim_head < 1 or c1 % dim_head:
        raise ValueError(f"c1={c1} channels do not divide into heads of dim_head={dim_head}: use a divisor of {c1}")
    heads = c1 // dim_head
    if not attn_pre and mid % heads:
        raise ValueError(
            f"attn_pre=False attends to the {mid} expanded channels, which do not divide among {heads} heads: "
            f"use attn_pre=True, or change exp_ratio={exp_ratio} or dim_head={dim_head}"
        )
    return mid
