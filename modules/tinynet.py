# Written by notebooks/01_from_yaml_to_network.ipynb. Edit the lesson, then run `make modules`.
"""TinyNet, the backbone of lesson 01: small enough to read at a glance and to train in minutes."""

import torch
from torch import nn


class TinyBlock(nn.Module):
    """A depthwise and a pointwise convolution with a skip: (B, c1, H, W) -> (B, c2, H, W)."""

    def __init__(self, c1: int, c2: int):
        super().__init__()
        self.spatial = nn.Conv2d(c1, c1, 3, padding=1, groups=c1, bias=False)
        self.channel = nn.Conv2d(c1, c2, 1, bias=False)
        self.norm = nn.BatchNorm2d(c2)
        self.act = nn.SiLU()
        self.skip = c1 == c2

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.act(self.norm(self.channel(self.spatial(x))))
        return x + y if self.skip else y


class TinyNet(nn.Module):
    """A backbone of four stages: (B, 3, H, W) -> [P2, P3, P4, P5] at strides 4, 8, 16 and 32.

    `width` multiplies the channels 64, 128, 256 and 512.
    """

    @staticmethod
    def feature_channels(width: float = 1.0) -> list[int]:
        """Channels of P2, P3, P4 and P5.

        Raises:
            ValueError: `width` is no number above 0.
        """
        is_number = isinstance(width, (int, float)) and not isinstance(width, bool)
        if not is_number or not 0 < width < float("inf"):
            raise ValueError(f"width={width!r}: it must be a number above 0, such as 0.25")
        return [max(8, int(c * width)) for c in (64, 128, 256, 512)]

    def __init__(self, width: float = 1.0):
        super().__init__()
        channels = self.feature_channels(width)
        self.stem = nn.Conv2d(3, channels[0], 4, stride=4)
        self.downs = nn.ModuleList(nn.Conv2d(c1, c2, 2, stride=2) for c1, c2 in zip(channels, channels[1:]))
        self.stages = nn.ModuleList(nn.Sequential(TinyBlock(c, c), TinyBlock(c, c)) for c in channels)

    def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
        if x.ndim != 4 or x.shape[1] != 3 or min(x.shape[2:]) < 32:
            raise ValueError(
                f"TinyNet takes pictures (B, 3, H, W) of at least 32x32 pixels and was fed {tuple(x.shape)}"
            )
        maps = [self.stages[0](self.stem(x))]
        for down, stage in zip(self.downs, self.stages[1:]):
            maps.append(stage(down(maps[-1])))
        return maps
