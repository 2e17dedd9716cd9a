"""The classes of the ablations: each is a class of the course with one idea taken out or exchanged.

They serve the comparison alone and ship nowhere else. Importing this file makes them known to the model YAML.
"""

import torch.nn.functional as F
from torch import nn

from modules.emo import EMO_1M
from modules.fasternet import FasterNetBlock, fasternet_t0
from modules.irmb import iRMB
from modules.registry import register
from modules.repvit import ConvNorm, RepViTBlock, repvit_m0_9
from modules.revcol import Block, revcol_tiny


# --------------------------------------------------------------------------------------------------- lessons 02 and 04
@register
class iRMB_no_attention(iRMB):
    """iRMB with the 1x1 expansion alone in place of the attention: (B, c1, H, W) -> (B, c2, H, W)."""

    def __init__(self, c1, c2):
        super().__init__(c1, c2, attn=False)


@register
class iRMB_contiguous(iRMB):
    """iRMB whose windows hold neighbours, as Swin's do, not a grid over the map: (B, c1, H, W) -> (B, c2, H, W)."""

    def attend(self, x):
        H, W = x.shape[2:]
        x = F.pad(x, (0, -W % self.window, 0, -H % self.window))
        # With its rows and columns in this order, the strided windows of the map are blocks of the one given.
        rows, columns = (self.strided(n // self.window) for n in x.shape[2:])
        y = super().attend(x[:, :, rows][..., columns])
        back = [sorted(range(len(order)), key=order.__getitem__) for order in (rows, columns)]
        return y[:, :, back[0]][..., back[1]][:, :, :H, :W]

    def strided(self, groups):
        """The order of positions that puts block g of `window` neighbours at g, g + groups, g + 2 groups, ..."""
        return [g * self.window + i for i in range(self.window) for g in range(groups)]


# ----------------------------------------------------------------------------------------------------------- lesson 05
def mixers(network):
    """The token mixers of all RepViT blocks that keep the size of their map."""
    return [m.token_mixer for m in network.modules() if isinstance(m, RepViTBlock) and len(m.token_mixer) == 2]


@register
class RepViT_plain(repvit_m0_9):
    """RepViT M0.9 with a depthwise 3x3 convolution and its BatchNorm in place of the three branches."""

    def __init__(self, width=1.0):
        super().__init__(width)
        for mixer in mixers(self):
            channels = mixer[0].bn.num_features
            mixer[0] = ConvNorm(channels, channels, 3, groups=channels)


@register
class RepViT_no_SE(repvit_m0_9):
    """RepViT M0.9 without squeeze-and-excitation."""

    def __init__(self, width=1.0):
        super().__init__(width)
        for mixer in mixers(self):
            mixer[1] = nn.Identity()


# ----------------------------------------------------------------------------------------------------------- lesson 06
@register
class FasterNet_depthwise(fasternet_t0):
    """FasterNet T0 with a depthwise 3x3 convolution in place of the partial one."""

    def __init__(self, width=1.0):
        super().__init__(width)
        for block in [m for m in self.modules() if isinstance(m, FasterNetBlock)]:
            block.spatial_mixing = self.mixer(block.mlp[0].in_channels)
            nn.init.trunc_normal_(block.spatial_mixing.weight, std=0.02)  # as FasterNet starts its convolutions

    @staticmethod
    def mixer(channels):
        return nn.Conv2d(channels, channels, 3, padding=1, groups=channels, bias=False)


@register
class FasterNet_full(FasterNet_depthwise):
    """FasterNet T0 with a 3x3 convolution over all channels, with fewer channels for the same latency."""

    channels = 16

    @staticmethod
    def mixer(channels):
        return nn.Conv2d(channels, channels, 3, padding=1, bias=False)


# ----------------------------------------------------------------------------------------------------------- lesson 07
@register
class RevCol_2(revcol_tiny):
    """RevCol Tiny in two columns that cost as much as its four."""

    columns = 2
    depths = (4, 4, 9, 4)


@register
class RevCol_1(revcol_tiny):
    """RevCol Tiny in one column that costs as much as its four: a plain network, for nothing comes before it."""

    columns = 1
    depths = (8, 8, 18, 8)


# ------------------------------------------------------------------- lesson 08: what holds some back in a short training
@register
class EMO_no_drop_path(EMO_1M):
    """EMO 1M without drop path."""

    drop_path = 0.0


@register
class RevCol_no_drop_path(revcol_tiny):
    """RevCol Tiny without drop path."""

    drop_path = 0.0


@register
class RevCol_layer_scale(revcol_tiny):
    """RevCol Tiny whose blocks begin at a tenth of their strength, not at a millionth."""

    def __init__(self, width=1.0):
        super().__init__(width)
        for block in [m for m in self.modules() if isinstance(m, Block)]:
            nn.init.constant_(block.gamma, 0.1)


@register
class FasterNet_default_start(fasternet_t0):
    """FasterNet T0 that begins with PyTorch's own random weights, not with the authors' narrow normal distribution."""

    def __init__(self, width=1.0):
        super().__init__(width)
        for conv in [m for m in self.modules() if isinstance(m, nn.Conv2d)]:
            conv.reset_parameters()
