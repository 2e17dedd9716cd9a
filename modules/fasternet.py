# Written by notebooks/06_fasternet.ipynb. Edit the lesson, then run `make modules`.
"""FasterNet: a backbone of partial convolutions, in the sizes fasternet_t0, t1, t2, s, m and l.

Chen et al., "Run, Don't Walk: Chasing Higher FLOPS for Faster Neural Networks", CVPR 2023, arXiv 2303.03667: sections
3.2 and 3.3 have the partial convolution, section 3.4 the network. The weights have the names of the authors' checkpoints.
"""

from collections import OrderedDict

import torch
import torch.nn.functional as F
from torch import nn


class PConv(nn.Module):
    """Partial convolution: 3x3 on the first quarter of the channels, the others pass. (B, C, H, W) -> (B, C, H, W)."""

    def __init__(self, channels: int):
        super().__init__()
        self.mixed = channels // 4
        self.partial_conv3 = nn.Conv2d(self.mixed, self.mixed, 3, padding=1, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        first, rest = x.split([self.mixed, x.shape[1] - self.mixed], dim=1)  # (B, C/4, H, W), (B, 3C/4, H, W)
        return torch.cat((self.partial_conv3(first), rest), dim=1)


class DropPath(nn.Module):
    """Leave a block out for some pictures, in training, each with probability `drop_prob`: (B, C, H, W) -> (B, C, H, W).

    What stays grows by 1 / (1 - drop_prob), so that the mean does not change.
    """

    def __init__(self, drop_prob: float):
        super().__init__()
        self.drop_prob = drop_prob

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * F.dropout(x.new_ones(len(x), 1, 1, 1), self.drop_prob) if self.training else x


class FasterNetBlock(nn.Module):
    """A partial convolution and two 1x1 convolutions, with a skip around them: (B, C, H, W) -> (B, C, H, W)."""

    def __init__(self, channels: int, act: type[nn.Module] = nn.GELU, drop_path: float = 0.0):
        super().__init__()
        expand = nn.Conv2d(channels, 2 * channels, 1, bias=False)
        project = nn.Conv2d(2 * channels, channels, 1, bias=False)
        self.mlp = nn.Sequential(expand, nn.BatchNorm2d(2 * channels), act(), project)
        self.spatial_mixing = PConv(channels)
        self.drop_path = DropPath(drop_path) if drop_path else nn.Identity()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.drop_path(self.mlp(self.spatial_mixing(x)))
        y += x  # in place, which saves one map: nothing needs y as it was
        return y


def downsample(c1: int, c2: int, stride: int, name: str) -> nn.Sequential:
    """A convolution called `name` with a kernel as large as its stride, and BatchNorm: H and W shrink by `stride`."""
    conv = nn.Conv2d(c1, c2, stride, stride, bias=False)
    return nn.Sequential(OrderedDict([(name, conv), ("norm", nn.BatchNorm2d(c2))]))


def initialize(module: nn.Module) -> None:
    """Start convolutions and the classifier from a narrow normal distribution, as the authors do."""
    if isinstance(module, (nn.Conv2d, nn.Linear)):
        nn.init.trunc_normal_(module.weight, std=0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)


class FasterNet(nn.Module):
    """A backbone in four stages: (B, 3, H, W) -> [P2, P3, P4, P5] at strides 4, 8, 16 and 32.

    In a model YAML it is one row, [-1, 1, FasterNet, [width]]. This class is T0, the smallest size. The other sizes are
    subclasses with tables of their own.

    Args:
        width: factor for all channels; those of P2 become a multiple of 8.
        num_classes: 0 for a backbone; otherwise `classify` works and the authors' checkpoints fit as they are.

    Raises:
        ValueError: arguments, or an input, that do not fit.
    """

    channels = 40  # of P2; each later map has twice as many
    depths = (1, 2, 8, 2)  # blocks in each stage
    act = nn.GELU
    drop_path = 0.0  # of the last block, growing evenly from 0

    @classmethod
    def feature_channels(cls, width: float = 1.0, num_classes: int = 0) -> list[int]:
        """Channels of P2, P3, P4 and P5."""
        is_number = isinstance(width, (int, float)) and not isinstance(width, bool) and 0 < width < float("inf")
        c = int(cls.channels * width / 8 + 0.5) * 8 if is_number else 0
        if c < 8:
            raise ValueError(f"width={width!r}: it must be a number that leaves 8 channels or more in P2, such as 0.25")
        return [c, 2 * c, 4 * c, 8 * c]

    def __init__(self, width: float = 1.0, num_classes: int = 0):
        super().__init__()
        if not isinstance(num_classes, int) or num_classes < 0:
            raise ValueError(f"num_classes={num_classes!r}: give 0 for a backbone, or the number of classes")
        channels = self.feature_channels(width)
        self.patch_embed = downsample(3, channels[0], 4, "proj")
        stages = [self.make_stage(0, channels[0])]
        for i, c in enumerate(channels[1:], 1):
            stages += [downsample(c // 2, c, 2, "reduction"), self.make_stage(i, c)]
        self.stages = nn.Sequential(*stages)
        if num_classes:
            pre_head = nn.Conv2d(channels[-1], 1280, 1, bias=False)
            self.avgpool_pre_head = nn.Sequential(nn.AdaptiveAvgPool2d(1), pre_head, self.act())
            self.head = nn.Linear(1280, num_classes)
        self.apply(initialize)

    def make_stage(self, i: int, c: int) -> nn.Sequential:
        """The blocks of stage i, with `c` channels."""
        before, last = sum(self.depths[:i]), sum(self.depths) - 1
        rates = [self.drop_path * (before + j) / last for j in range(self.depths[i])]
        blocks = nn.Sequential(*(FasterNetBlock(c, self.act, rate) for rate in rates))
        return nn.Sequential(OrderedDict(blocks=blocks))

    def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
        if x.ndim != 4 or x.shape[1] != 3 or min(x.shape[2:]) < 32:
            raise ValueError(
                f"FasterNet takes pictures (B, 3, H, W) of at least 32x32 pixels and was fed {tuple(x.shape)}"
            )
        # Channels last in memory suits the 1x1 convolutions and the batch norms; every layer hands this order on.
        x = self.patch_embed(x.contiguous(memory_format=torch.channels_last))
        maps = []
        for i, stage in enumerate(self.stages):
            x = stage(x)
            if i % 2 == 0:  # the odd ones shrink the map
                maps.append(x)
        return maps

    def classify(self, x: torch.Tensor) -> torch.Tensor:
        """Logits of the classes: (B, 3, H, W) -> (B, num_classes)."""
        if not hasattr(self, "head"):
            raise ValueError("this FasterNet has num_classes=0 and cannot classify: build it with num_classes=1000")
        return self.head(self.avgpool_pre_head(self(x)[-1]).flatten(1))

    def fuse(self) -> None:
        """Fold every BatchNorm into the convolution before it. Raises ValueError in train mode."""
        if any(part.training for part in self.modules()):
            raise ValueError("fuse() needs eval mode, and this model is in train mode: call eval() first")
        for part in self.modules():
            if isinstance(part, nn.Sequential) and len(part) > 1 and isinstance(part[1], nn.BatchNorm2d):
                part[0], part[1] = nn.utils.fuse_conv_bn_eval(part[0], part[1]), nn.Identity().eval()


class fasternet_t0(FasterNet):
    """3.91 million parameters, 0.335 GMAC at 224 px; P2 to P5 have 40, 80, 160, 320 channels."""


class fasternet_t1(FasterNet):
    """7.60 million parameters, 0.851 GMAC at 224 px; P2 to P5 have 64, 128, 256, 512 channels."""

    channels = 64
    drop_path = 0.02


class fasternet_t2(FasterNet):
    """14.98 million parameters, 1.904 GMAC at 224 px; P2 to P5 have 96, 192, 384, 768 channels."""

    channels = 96
    act = nn.ReLU
    drop_path = 0.05


class fasternet_s(FasterNet):
    """31.18 million parameters, 4.550 GMAC at 224 px; P2 to P5 have 128, 256, 512, 1024 channels."""

    channels = 128
    depths = (1, 2, 13, 2)
    act = nn.ReLU
    drop_path = 0.1


class fasternet_m(FasterNet):
    """53.52 million parameters, 8.722 GMAC at 224 px; P2 to P5 have 144, 288, 576, 1152 channels."""

    channels = 144
    depths = (3, 4, 18, 3)
    act = nn.ReLU
    drop_path = 0.2


class fasternet_l(FasterNet):
    """93.47 million parameters, 15.494 GMAC at 224 px; P2 to P5 have 192, 384, 768, 1536 channels."""

    channels = 192
    depths = (3, 4, 18, 3)
    act = nn.ReLU
    drop_path = 0.3
