# Written by notebooks/03_emo.ipynb. Edit the lesson, then run `make modules`.
"""EMO, the efficient model: a backbone made of iRMB blocks, in the sizes EMO_1M, EMO_2M, EMO_5M and EMO_6M.

Zhang et al., "Rethinking Mobile Block for Efficient Attention-based Models", ICCV 2023, arXiv 2301.01146, section 2.4.
The weights have the names of the authors' checkpoints.
"""

import torch
from torch import nn

from .irmb import LayerNorm2d, fold, iRMB


class Stem(nn.Module):
    """The first convolution: (B, 3, H, W) -> (B, channels, H / 2, W / 2)."""

    def __init__(self, channels: int):
        super().__init__()
        norm = nn.BatchNorm2d(channels, eps=1e-6)
        self.convs = nn.Sequential(nn.Sequential(nn.Conv2d(3, channels, 3, 2, 1), norm))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.convs(x)

    def fuse(self) -> None:
        """Fold the BatchNorm into the convolution, in eval mode."""
        conv, norm = self.convs[0]
        if isinstance(norm, nn.BatchNorm2d):
            self.convs[0] = nn.Sequential(fold(conv, norm), nn.Identity())


def scaled(channels: int, width: float, unit: int) -> int:
    """`channels` times `width`, rounded to a multiple of `unit` but at least one."""
    return max(1, int(channels * width / unit + 0.5)) * unit


class EMO(nn.Module):
    """A backbone of iRMB blocks in four stages: (B, 3, H, W) -> [P2, P3, P4, P5] at strides 4, 8, 16 and 32.

    In a model YAML it is one row, [-1, 1, EMO_1M, [width]]. A size is a subclass that sets the five tables below.

    Args:
        width: factor for all channels. Attention heads keep their size, so there are fewer or more of them.
        num_classes: 0 for a backbone; otherwise `classify` works and the authors' checkpoints fit as they are.

    Raises:
        ValueError: arguments, or an input, that do not fit.
    """

    depths = (3, 3, 9, 3)  # blocks in each stage
    channels = (32, 48, 80, 168)
    exp_ratios = (2.0, 2.5, 3.0, 3.5)  # twice that in the first block of a stage
    dim_heads = (8, 8, 20, 21)  # the first two stages have no attention; there it is only the unit of rounding
    drop_path = 0.05  # of the last block, growing evenly from 0

    @classmethod
    def feature_channels(cls, width: float = 1.0, num_classes: int = 0) -> list[int]:
        """Channels of P2, P3, P4 and P5."""
        is_number = isinstance(width, (int, float)) and not isinstance(width, bool) and 0 < width < float("inf")
        if not is_number or int(cls.channels[0] * width / 8 + 0.5) < 1:
            raise ValueError(f"width={width!r}: it must be a number that leaves 8 channels or more in P2, such as 0.25")
        return [scaled(channels, width, unit) for channels, unit in zip(cls.channels, cls.dim_heads)]

    def make_stage(self, i: int, c1: int, c2: int) -> nn.Sequential:
        """Stage i: the first block halves the map and has neither attention nor skip, the others keep it."""
        late = {"norm": "ln", "act": "gelu", "kernel": 5} if i >= 2 else {"norm": "bn", "act": "silu", "kernel": 3}
        shared = {"dim_head": self.dim_heads[i], "attn_pre": True, "bias": True, **late}
        blocks = [iRMB(c1, c2, exp_ratio=2 * self.exp_ratios[i], stride=2, attn=False, **shared)]
        before, last = sum(self.depths[:i]), sum(self.depths) - 1
        for j in range(1, self.depths[i]):
            rate = self.drop_path * (before + j) / last
            blocks.append(iRMB(c2, c2, exp_ratio=self.exp_ratios[i], attn=i >= 2, drop_path=rate, **shared))
        return nn.Sequential(*blocks)

    def __init__(self, width: float = 1.0, num_classes: int = 0):
        super().__init__()
        if num_classes < 0:
            raise ValueError(f"num_classes={num_classes}: give 0 for a backbone, or the number of classes")
        channels = self.feature_channels(width)
        c = scaled(24, width, 8)
        first = iRMB(c, c, norm="none", act="silu", attn=False, expand=False, skip=False, se_ratio=1)
        self.stage0 = nn.Sequential(Stem(c), first)
        for i, c2 in enumerate(channels):
            setattr(self, f"stage{i + 1}", self.make_stage(i, c, c2))
            c = c2
        if num_classes:
            self.norm = LayerNorm2d(c)
            self.head = nn.Linear(c, num_classes)
            nn.init.trunc_normal_(self.head.weight, std=0.02)

    def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
        if x.ndim != 4 or x.shape[1] != 3 or min(x.shape[2:]) < 32:
            raise ValueError(f"EMO takes pictures (B, 3, H, W) of at least 32x32 pixels and was fed {tuple(x.shape)}")
        # Channels last in memory: the 1x1 convolutions and the windows run faster, and every block hands it on.
        x = self.stage0(x.contiguous(memory_format=torch.channels_last))  # (B, C, H / 2, W / 2)
        maps = []
        for stage in (self.stage1, self.stage2, self.stage3, self.stage4):
            x = stage(x)  # half the sides of the map before
            maps.append(x)
        return maps

    def classify(self, x: torch.Tensor) -> torch.Tensor:
        """Logits of the classes: (B, 3, H, W) -> (B, num_classes)."""
        if not hasattr(self, "head"):
            raise ValueError("this EMO has num_classes=0 and cannot classify: build it with num_classes=1000")
        return self.head(self.norm(self(x)[-1]).mean((2, 3)))

    def fuse(self) -> None:
        """Fold every BatchNorm that follows a convolution into it, in eval mode."""
        for module in self.modules():
            if isinstance(module, (Stem, iRMB)):
                module.fuse()


class EMO_1M(EMO):
    """1.36 million parameters, 0.255 GMAC at 224 px; P2 to P5 have 32, 48, 80, 168 channels."""

    depths = (2, 2, 8, 3)
    drop_path = 0.04036


class EMO_2M(EMO):
    """2.38 million parameters, 0.432 GMAC at 224 px; P2 to P5 have 32, 48, 120, 200 channels."""

    channels = (32, 48, 120, 200)
    dim_heads = (8, 8, 20, 20)


class EMO_5M(EMO):
    """5.11 million parameters, 0.892 GMAC at 224 px; P2 to P5 have 48, 72, 160, 288 channels."""

    channels = (48, 72, 160, 288)
    exp_ratios = (2.0, 3.0, 4.0, 4.0)
    dim_heads = (8, 8, 32, 32)


class EMO_6M(EMO):
    """6.17 million parameters, 0.950 GMAC at 224 px; P2 to P5 have 48, 72, 160, 320 channels."""

    channels = (48, 72, 160, 320)
    exp_ratios = (2.0, 3.0, 4.0, 5.0)
    dim_heads = (8, 8, 20, 32)
