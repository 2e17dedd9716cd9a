# Written by notebooks/04_irmb_in_yolov10.ipynb. Edit the lesson, then run `make modules`.
"""C2f_iRMB: YOLO's C2f block with an iRMB at the end of each of its bottlenecks.

C2f is from Ultralytics' YOLOv8, iRMB from Zhang et al., ICCV 2023, arXiv 2301.01146. The weights that C2f has too bear
its names, so that they can be moved between the two.
"""

import torch
from torch import nn

from .irmb import fold, iRMB


class Conv(nn.Module):
    """Convolution, BatchNorm, SiLU with the names and epsilon of YOLO's Conv: (B, c1, H, W) -> (B, c2, H, W)."""

    def __init__(self, c1: int, c2: int, kernel: int = 1, groups: int = 1):
        super().__init__()
        self.conv = nn.Conv2d(c1, c2, kernel, padding=kernel // 2, groups=groups, bias=False)
        self.bn = nn.BatchNorm2d(c2, eps=1e-3, momentum=0.03)
        self.act = nn.SiLU()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.act(self.bn(self.conv(x)))

    def fuse(self) -> None:
        """Fold the BatchNorm into the convolution, in eval mode."""
        if isinstance(self.bn, nn.BatchNorm2d):
            self.conv, self.bn = fold(self.conv, self.bn), nn.Identity()


class Bottleneck(nn.Module):
    """Two 3x3 convolutions and an iRMB, perhaps with a skip: (B, c, H, W) -> (B, c, H, W)."""

    def __init__(self, c: int, shortcut: bool, g: int):
        super().__init__()
        self.cv1 = Conv(c, c, 3)
        self.cv2 = Conv(c, c, 3, g)
        self.iRMB = iRMB(c, c)
        self.shortcut = shortcut

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.iRMB(self.cv2(self.cv1(x)))
        return x + y if self.shortcut else y


class C2f_iRMB(nn.Module):
    """C2f with iRMB: (B, c1, H, W) -> (B, c2, H, W). In a model YAML: [-1, n, C2f_iRMB, [c2, shortcut, g, e]].

    Args:
        c1, c2: channels in and out.
        n: number of bottlenecks.
        shortcut: whether a bottleneck adds its input to its output.
        g: groups of a bottleneck's second convolution.
        e: channels of a bottleneck, as a part of c2; they must be a multiple of 8, iRMB's head size.

    Raises:
        ValueError: arguments, or an input, that do not fit.
    """

    def __init__(self, c1: int, c2: int, n: int = 1, shortcut: bool = False, g: int = 1, e: float = 0.5):
        super().__init__()
        c = int(c2 * e)
        if min(c1, c2, n, g, c) < 1 or c % 8 or c % g:
            raise ValueError(
                f"c1={c1}, c2={c2}, n={n}, g={g}, e={e}: all must be above 0, "
                f"and int(c2 * e)={c} must be a multiple of 8 and of g"
            )
        self.c1 = c1
        self.cv1 = Conv(c1, 2 * c)
        self.cv2 = Conv((2 + n) * c, c2)
        self.m = nn.ModuleList(Bottleneck(c, shortcut, g) for _ in range(n))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if x.shape[1] != self.c1:
            raise ValueError(f"C2f_iRMB was built for c1={self.c1} channels and was fed {x.shape[1]}: {tuple(x.shape)}")
        parts = list(self.cv1(x).chunk(2, dim=1))  # two halves, (B, c, H, W) each
        for bottleneck in self.m:
            parts.append(bottleneck(parts[-1]))  # (B, c, H, W)
        return self.cv2(torch.cat(parts, dim=1))  # (B, (2 + n) * c, H, W) -> (B, c2, H, W)

    def fuse(self) -> None:
        """Fold every BatchNorm that follows a convolution into it, in eval mode."""
        for module in self.modules():
            if isinstance(module, (Conv, iRMB)):
                module.fuse()
