# Written by notebooks/05_repvit.ipynb. Edit the lesson, then run `make modules`.
"""RepViT: a mobile CNN laid out like a vision transformer, whose branches fuse into single convolutions.

Wang, Chen, Lin, Han and Ding, "RepViT: Revisiting Mobile CNN From ViT Perspective", CVPR 2024, arXiv 2307.09283:
section 3 has the block and the network. The weights have the names of the authors' checkpoints.
"""

import torch
import torch.nn.functional as F
from torch import nn


class ConvNorm(nn.Sequential):
    """Convolution and BatchNorm: (B, c1, H, W) -> (B, c2, ceil(H / stride), ceil(W / stride)) for an odd kernel."""

    def __init__(self, c1: int, c2: int, kernel: int = 1, stride: int = 1, groups: int = 1):
        super().__init__()
        self.c = nn.Conv2d(c1, c2, kernel, stride, kernel // 2, groups=groups, bias=False)
        self.bn = nn.BatchNorm2d(c2)

    def fused(self) -> nn.Conv2d:
        """The one convolution that computes the same as both, in eval mode."""
        return nn.utils.fuse_conv_bn_eval(self.c, self.bn)


class ThreeBranches(nn.Module):
    """BN(BN(depthwise 3x3) + depthwise 1x1 + identity): (B, C, H, W) -> (B, C, H, W)."""

    def __init__(self, channels: int):
        super().__init__()
        self.conv = ConvNorm(channels, channels, 3, groups=channels)
        self.conv1 = nn.Conv2d(channels, channels, 1, groups=channels)
        self.bn = nn.BatchNorm2d(channels)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        # A depthwise 1x1 convolution is a scale and a shift for each channel; plus x, the scale grows by 1.
        scale = 1 + self.conv1.weight.view(-1, 1, 1).to(x.dtype)  # (C, 1, 1)
        shift = self.conv1.bias.view(-1, 1, 1).to(x.dtype)
        return self.bn(self.conv(x) + torch.addcmul(shift, x, scale))

    @torch.no_grad()
    def fused(self) -> nn.Conv2d:
        """The one depthwise 3x3 convolution that computes the same as all three branches, in eval mode."""
        conv = self.conv.fused()
        # In a 3x3 kernel, the 1x1 kernel and the identity are numbers in the middle.
        conv.weight += F.pad(self.conv1.weight + 1, [1, 1, 1, 1])
        conv.bias += self.conv1.bias
        return nn.utils.fuse_conv_bn_eval(conv, self.bn)


def fuse(module: nn.Module) -> None:
    """Replace all parts of `module` that have a `fused()` by the one convolution or linear layer that it gives.

    Raises:
        ValueError: in train mode, where a BatchNorm has no fixed statistics.
    """
    if any(part.training for part in module.modules()):
        raise ValueError("fuse() needs eval mode, and this model is in train mode: call eval() first")
    for name, child in module.named_children():
        if hasattr(child, "fused"):
            setattr(module, name, child.fused())
        else:
            fuse(child)


class SqueezeExcite(nn.Module):
    """Weigh each channel by what the whole map holds: (B, C, H, W) -> (B, C, H, W)."""

    def __init__(self, channels: int):
        super().__init__()
        hidden = max(8, int(channels / 4 + 4) // 8 * 8)  # a quarter, rounded to a multiple of 8
        self.fc1 = nn.Conv2d(channels, hidden, 1)
        self.fc2 = nn.Conv2d(hidden, channels, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        weight = self.fc2(F.relu(self.fc1(x.mean((2, 3), keepdim=True))))  # (B, C, 1, 1)
        return x * weight.sigmoid()


class ChannelMixer(nn.Module):
    """Two 1x1 convolutions with twice the channels between them, and a skip: (B, C, H, W) -> (B, C, H, W)."""

    def __init__(self, channels: int):
        super().__init__()
        self.m = nn.Sequential(ConvNorm(channels, 2 * channels), nn.GELU(), ConvNorm(2 * channels, channels))
        nn.init.zeros_(self.m[2].bn.weight)  # a new mixer is the identity

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.m(x)


class RepViTBlock(nn.Module):
    """A token mixer, then a channel mixer: (B, c1, H, W) -> (B, c2, H / stride, W / stride), rounded up.

    With stride 1 the token mixer has three branches, and c2 must be c1. With stride 2 it halves the map and changes the
    channels. `se` adds a squeeze-and-excitation, with stride 1 only. ValueError: arguments, or an input, that do not fit.
    """

    def __init__(self, c1: int, c2: int, stride: int = 1, se: bool = False):
        super().__init__()
        if stride not in (1, 2) or min(c1, c2) < 1:
            raise ValueError(f"c1={c1}, c2={c2}, stride={stride}: channels must be at least 1, the stride 1 or 2")
        if stride == 1 and c1 != c2:
            raise ValueError(f"stride 1 keeps the channels, but c1={c1} and c2={c2}: use c2={c1} or stride=2")
        if stride == 2 and se:
            raise ValueError("a block with stride 2 has no squeeze-and-excitation: use se=False or stride=1")
        self.c1 = c1
        if stride == 1:
            self.token_mixer = nn.Sequential(ThreeBranches(c1), SqueezeExcite(c1) if se else nn.Identity())
        else:
            self.token_mixer = nn.Sequential(ConvNorm(c1, c1, 3, 2, groups=c1), nn.Identity(), ConvNorm(c1, c2))
        self.channel_mixer = ChannelMixer(c2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if x.shape[1] != self.c1:
            raise ValueError(
                f"the block was built for c1={self.c1} channels and was fed {x.shape[1]}: {tuple(x.shape)}"
            )
        return self.channel_mixer(self.token_mixer(x))

    def fuse(self) -> None:
        """Fold all branches and BatchNorms into single convolutions. Raises ValueError in train mode."""
        fuse(self)


class NormLinear(nn.Sequential):
    """BatchNorm and a linear layer: (B, channels) -> (B, classes)."""

    def __init__(self, channels: int, classes: int):
        super().__init__()
        self.bn = nn.BatchNorm1d(channels)
        self.l = nn.Linear(channels, classes)

    @torch.no_grad()
    def fused(self) -> nn.Linear:
        """The one linear layer that computes the same as both, in eval mode."""
        scale = self.bn.weight / (self.bn.running_var + self.bn.eps).sqrt()
        shift = self.bn.bias - self.bn.running_mean * scale
        linear = nn.Linear(self.l.in_features, self.l.out_features).to(self.l.weight)
        linear.weight.copy_(self.l.weight * scale)
        linear.bias.copy_(self.l.bias + self.l.weight @ shift)
        return linear


class Classifier(nn.Module):
    """One linear classifier, or the mean of two: (B, channels) -> (B, classes)."""

    def __init__(self, channels: int, classes: int, distillation: bool):
        super().__init__()
        self.classifier = NormLinear(channels, classes)
        if distillation:
            self.classifier_dist = NormLinear(channels, classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.stack([head(x) for head in self.children()]).mean(0)


class RepViT(nn.Module):
    """A backbone in four stages: (B, 3, H, W) -> [P2, P3, P4, P5] at strides 4, 8, 16 and 32.

    In a model YAML it is one row, [-1, 1, repvit_m0_9, [width]]. This class has the tables of M0.9; the other sizes are
    subclasses that set their own.

    Args:
        width: factor for all channels; those of P2 become a multiple of 8.
        num_classes: 0 for a backbone; otherwise `classify` works.
        distillation: two classifiers, as in the authors' checkpoints: the second one learned from a teacher.

    Raises:
        ValueError: arguments, or an input, that do not fit.
    """

    channels = 48  # of P2; each later map has twice as many
    depths = (2, 2, 14, 2)  # blocks in each stage

    @classmethod
    def feature_channels(cls, width: float = 1.0, num_classes: int = 0, distillation: bool = False) -> list[int]:
        """Channels of P2, P3, P4 and P5."""
        is_number = isinstance(width, (int, float)) and not isinstance(width, bool) and 0 < width < float("inf")
        c = int(cls.channels * width / 8 + 0.5) * 8 if is_number else 0
        if c < 8:
            raise ValueError(f"width={width!r}: it must be a number that leaves 8 channels or more in P2, such as 0.25")
        return [c, 2 * c, 4 * c, 8 * c]

    def __init__(self, width: float = 1.0, num_classes: int = 0, distillation: bool = False):
        super().__init__()
        if not isinstance(num_classes, int) or num_classes < 0:
            raise ValueError(f"num_classes={num_classes!r}: give 0 for a backbone, or the number of classes")
        channels = self.feature_channels(width)
        half = channels[0] // 2
        stem = nn.Sequential(ConvNorm(3, half, 3, 2), nn.GELU(), ConvNorm(half, channels[0], 3, 2))
        features, self.taps = [stem], []
        for i, (c, depth) in enumerate(zip(channels, self.depths)):
            if i:
                # The extra block stands behind the tap; with the block of stride 2 it is the way down.
                features += [RepViTBlock(c // 2, c // 2), RepViTBlock(c // 2, c, stride=2)]
            features += [RepViTBlock(c, c, se=j % 2 == 0) for j in range(depth)]
            self.taps.append(len(features) - 1)
        self.features = nn.ModuleList(features)
        if num_classes:
            self.classifier = Classifier(channels[-1], num_classes, distillation)

    def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
        if x.ndim != 4 or x.shape[1] != 3 or min(x.shape[2:]) < 32:
            raise ValueError(
                f"RepViT takes pictures (B, 3, H, W) of at least 32x32 pixels and was fed {tuple(x.shape)}"
            )
        # Channels last in memory suits the 1x1 convolutions and the batch norms; every layer hands this order on.
        x = x.contiguous(memory_format=torch.channels_last)
        maps = []
        for i, part in enumerate(self.features):
            x = part(x)
            if i in self.taps:
                maps.append(x)
        return maps

    def classify(self, x: torch.Tensor) -> torch.Tensor:
        """Logits of the classes: (B, 3, H, W) -> (B, num_classes)."""
        if not hasattr(self, "classifier"):
            raise ValueError("this RepViT has num_classes=0 and cannot classify: build it with num_classes=1000")
        return self.classifier(self(x)[-1].mean((2, 3)))

    def fuse(self) -> None:
        """Fold all branches and BatchNorms into single convolutions. Raises ValueError in train mode."""
        fuse(self)


class repvit_m0_6(RepViT):
    """2.49 million parameters, 0.385 GMAC at 224 px; P2 to P5 have 40, 80, 160, 320 channels."""

    channels = 40
    depths = (1, 1, 8, 1)


class repvit_m0_9(RepViT):
    """5.10 million parameters, 0.816 GMAC at 224 px; P2 to P5 have 48, 96, 192, 384 channels."""


class repvit_m1_0(RepViT):
    """6.85 million parameters, 1.106 GMAC at 224 px; P2 to P5 have 56, 112, 224, 448 channels."""

    channels = 56


class repvit_m1_1(RepViT):
    """8.29 million parameters, 1.337 GMAC at 224 px; P2 to P5 have 64, 128, 256, 512 channels."""

    channels = 64
    depths = (2, 2, 12, 2)


class repvit_m1_5(RepViT):
    """14.13 million parameters, 2.274 GMAC at 224 px; P2 to P5 have 64, 128, 256, 512 channels."""

    channels = 64
    depths = (4, 4, 24, 4)


class repvit_m2_3(RepViT):
    """23.05 million parameters, 4.516 GMAC at 224 px; P2 to P5 have 80, 160, 320, 640 channels."""

    channels = 80
    depths = (6, 6, 34, 2)
