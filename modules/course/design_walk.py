"""The networks of lesson 05 between MobileNetV3 and RepViT, each built from the choices of one step."""

from torch import Tensor, nn

from ..repvit import ChannelMixer, ConvNorm, NormLinear, SqueezeExcite, ThreeBranches


class MobileBlock(nn.Module):
    """MobileNetV3's, token and channel mixing inside one skip: (B, c1, H, W) -> (B, c2, H / stride, W / stride)."""

    def __init__(self, c1: int, c2: int, kernel: int, stride: int, ratio: int, se: bool):
        super().__init__()
        wide = ratio * c1
        up, down = ConvNorm(c1, wide), ConvNorm(wide, c2)
        depthwise = ConvNorm(wide, wide, kernel, stride, groups=wide)
        self.m = nn.Sequential(up, nn.GELU(), depthwise, SqueezeExcite(wide) if se else nn.Identity(), nn.GELU(), down)
        self.skip = c1 == c2 and stride == 1

    def forward(self, x: Tensor) -> Tensor:
        return x + self.m(x) if self.skip else self.m(x)


def channel_mixer(c: int, ratio: int) -> ChannelMixer:
    """RepViT's channel mixer with another ratio."""
    mixer = ChannelMixer(c)
    mixer.m[0], mixer.m[2] = ConvNorm(c, ratio * c), ConvNorm(ratio * c, c)
    return mixer


def separate_block(c: int, kernel: int, ratio: int, se: bool) -> nn.Sequential:
    """RepViT's block. A kernel of 5x5 stays without branches."""
    token_mixer = ThreeBranches(c) if kernel == 3 else ConvNorm(c, c, kernel, groups=c)
    return nn.Sequential(token_mixer, SqueezeExcite(c) if se else nn.Identity(), channel_mixer(c, ratio))


def network(
    *,
    separate: bool,
    ratio: int,
    widths: tuple[int, ...],
    depths: tuple[int, ...],
    kernels: tuple[int, ...],
    se: tuple[int, ...] | str,
    conv_stem: bool,
    deep: bool,
    simple_head: bool,
) -> nn.Sequential:
    """A classifier: (B, 3, H, W) -> (B, 1000).

    Args:
        separate: token and channel mixer apart, each with a skip of its own, instead of MobileNetV3's block.
        ratio: how many times as many channels a block has inside.
        widths, depths, kernels: channels, blocks and kernel size of each stage.
        se: the stages (0 to 3) whose blocks have SE, or "alternating": every other block of all stages.
        conv_stem: two convolutions as stem instead of MobileNetV3's first blocks.
        deep: a block before each halving and a channel mixer after it.
        simple_head: a batch norm and a linear layer, instead of MobileNetV3's classifier.
    """

    def block(c, kernel, has_se):
        return separate_block(c, kernel, ratio, has_se) if separate else MobileBlock(c, c, kernel, 1, ratio, has_se)

    def halving(c1, c2, kernel, has_se):
        if not separate:
            return [MobileBlock(c1, c2, kernel, 2, ratio, has_se)]
        halve = [ConvNorm(c1, c1, kernel, 2, groups=c1), ConvNorm(c1, c2)]
        return [separate_block(c1, kernel, ratio, False), *halve, channel_mixer(c2, ratio)] if deep else halve

    c = widths[0]
    if conv_stem:
        parts = [ConvNorm(3, c // 2, 3, 2), nn.GELU(), ConvNorm(c // 2, c, 3, 2)]
    else:
        parts = [ConvNorm(3, 16, 3, 2), nn.GELU()]
        parts += [MobileBlock(16, 16, 3, 1, 1, False), MobileBlock(16, c, 3, 2, 4, False)]
    for stage, (c2, depth, kernel) in enumerate(zip(widths, depths, kernels)):
        has_se = [j % 2 == 0 if se == "alternating" else stage in se for j in range(depth)]
        if stage:
            parts += halving(c, c2, kernel, has_se[0])
        parts += [block(c2, kernel, has) for has in has_se]
        c = c2
    head = [nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    if simple_head:
        return nn.Sequential(*parts, *head, NormLinear(c, 1000))
    head += [nn.Linear(960, 1280), nn.GELU(), nn.Linear(1280, 1000)]
    return nn.Sequential(*parts, ConvNorm(c, 960), nn.GELU(), *head)
