# Written by notebooks/07_revcol.ipynb. Edit the lesson, then run `make modules`.
"""RevCol, the reversible column network: columns that can be run backwards, so that training need not remember them.

Cai et al., "Reversible Column Networks", ICLR 2023, arXiv 2212.11696. The weights have the names of the authors'
checkpoints.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable


class LayerNorm2d(nn.LayerNorm):
    """LayerNorm over the channels of every pixel: (B, C, H, W) -> (B, C, H, W)."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class Block(nn.Module):
    """A ConvNeXt block with a 3x3 depthwise convolution: (B, C, H, W) -> (B, C, H, W).

    `mask` is the drop path mask, (B, 1, 1, 1): 0 for the pictures for which the block is left out.
    """

    def __init__(self, channels: int):
        super().__init__()
        self.gamma = nn.Parameter(torch.full((channels,), 1e-6))
        self.dwconv = nn.Conv2d(channels, channels, 3, padding=1, groups=channels)
        self.norm = nn.LayerNorm(channels, eps=1e-6)
        self.pwconv1 = nn.Linear(channels, 4 * channels)
        self.pwconv2 = nn.Linear(4 * channels, channels)

    def forward(self, x: Tensor, mask: Tensor | None = None, value: bool = True) -> Tensor:
        """Without `value` the last product may be left out, and the result serves for its gradients alone."""
        h = self.dwconv(x).permute(0, 2, 3, 1)  # (B, H, W, C)
        h = F.gelu(self.pwconv1(self.norm(h)))  # (B, H, W, 4C)
        if value or h.dtype == torch.float16:  # in which the sums of UncomputedProduct could overflow
            y = self.gamma * self.pwconv2(h)  # (B, H, W, C)
        else:
            y = UncomputedProduct.apply(h, self.pwconv2.weight, self.pwconv2.bias, self.gamma)
        y = y.permute(0, 3, 1, 2)  # (B, C, H, W)
        return x + y if mask is None else x + y * mask


class Up(nn.Module):
    """From a level to the one below: (B, c1, H, W) -> (B, c2, 2H, 2W)."""

    def __init__(self, c1: int, c2: int):
        super().__init__()
        self.channel_reschedule = nn.Sequential(nn.Linear(c1, c2), nn.LayerNorm(c2, eps=1e-6))

    def forward(self, x: Tensor) -> Tensor:
        x = self.channel_reschedule(x.permute(0, 2, 3, 1))  # (B, H, W, c2)
        return F.interpolate(x.permute(0, 3, 1, 2), scale_factor=2.0, mode="nearest")


class Fusion(nn.Module):
    """What enters a level: the map below it in its own column, and the map above it in the column before."""

    def __init__(self, channels: list[int], i: int, first: bool):
        super().__init__()
        self.down = nn.Identity()  # level 0 reads the stem, which has its channels and size
        if i > 0:
            conv = nn.Conv2d(channels[i - 1], channels[i], 2, stride=2)
            self.down = nn.Sequential(conv, LayerNorm2d(channels[i], eps=1e-6))
        last = i == len(channels) - 1
        self.up = None if first or last else Up(channels[i + 1], channels[i])

    def forward(self, below: Tensor, above: Tensor | None) -> Tensor:
        x = self.down(below)
        return x if self.up is None else x + self.up(above)


class Level(nn.Module):
    """The function F_i of a level (paper, section 2.1): fusion, then blocks. `drop` has each block's drop path rate."""

    def __init__(self, channels: list[int], i: int, drop: list[float], first: bool):
        super().__init__()
        self.fusion = Fusion(channels, i, first)
        self.blocks = nn.ModuleList(Block(channels[i]) for _ in drop)
        self.drop = drop

    def drop_path_mask(self, x: Tensor) -> Tensor | None:
        """Sample a mask for each block and picture of `x`: (blocks, B, 1, 1, 1), or None where nothing is dropped."""
        if not self.training or not any(self.drop):
            return None
        keep = 1 - torch.tensor(self.drop, device=x.device).view(-1, 1, 1, 1, 1)
        return ((torch.rand(len(keep), len(x), 1, 1, 1, device=x.device) < keep) / keep).to(x.dtype)

    def forward(self, below: Tensor, above: Tensor | None, mask: Tensor | None = None, value: bool = True) -> Tensor:
        x = self.fusion(below, above)
        for i, block in enumerate(self.blocks):
            x = block(x, None if mask is None else mask[i], value or i + 1 < len(self.blocks))
        return x

    def shows_value(self) -> bool:
        """Whether more than `gamma * linear(h)` depends on the value of the last product: hooks, pruning, another layer."""
        if not self.blocks:
            return True
        last = self.blocks[-1]
        kinds = ("_forward_pre_hooks", "_forward_hooks", "_backward_pre_hooks", "_backward_hooks")
        hooked = any(getattr(module, kind) for module in (self, last, last.pwconv2) for kind in kinds)
        return hooked or type(last.pwconv2) is not nn.Linear or last.pwconv2.bias is None


def away_from_zero(alpha: Tensor, least: float = 1e-3) -> Tensor:
    """`alpha` with every magnitude at least `least`. The gradient passes unchanged, so that alpha can leave 0 again."""
    bounded = torch.where(alpha < 0, alpha.clamp(max=-least), alpha.clamp(min=least))
    return alpha + (bounded - alpha).detach()


def neighbours(i: int, stem: Tensor, maps: list[Tensor]) -> tuple[Tensor, Tensor | None]:
    """What level i reads: the map below (for level 0 the stem's), and the map above (None for the top level)."""
    return maps[i - 1] if i > 0 else stem, maps[i + 1] if i + 1 < len(maps) else None


class Column(nn.Module):
    """One column: from the stem's map and the four maps of the column before, four maps of the same shapes.

    Level i gives alpha_i * c_i(column before) + F_i(c_{i-1}(this column), c_{i+1}(column before)).
    """

    def __init__(self, channels: list[int], depths: tuple[int, ...], drop: list[float], first: bool):
        super().__init__()
        for i, c in enumerate(channels):
            self.register_parameter(f"alpha{i}", nn.Parameter(torch.full((1, c, 1, 1), 0.5)))
        for i, depth in enumerate(depths):
            start = sum(depths[:i])
            self.add_module(f"level{i}", Level(channels, i, drop[start : start + depth], first))

    def part(self, i: int) -> tuple[Level, Tensor]:
        """Level i and its alpha."""
        return getattr(self, f"level{i}"), away_from_zero(getattr(self, f"alpha{i}"))

    def forward(self, x, maps, state=None, begins=False, recomputed=4):
        """With the `state` of a segment, which may begin here, the first `recomputed` levels are ReversibleLevels."""
        maps = [*maps]
        for i in range(len(maps)):
            level, alpha = self.part(i)
            mask, (below, above) = level.drop_path_mask(x), neighbours(i, x, maps)
            if state is None or i >= recomputed:
                maps[i] = alpha * maps[i] + level(below, above, mask)
            else:
                tensors = (mask, below, above, maps[i], alpha, *level.parameters())
                maps[i] = ReversibleLevel.apply(level, i, state, begins, *tensors)
        return maps


class ReversibleLevel(torch.autograd.Function):
    """`alpha * old + level(below, above)`, remembering maps only where a segment of columns begins.

    All levels of a segment share the list `state`. On the way back it holds the maps c0 to c3 of the column that has
    been reached: each level replaces its own map by that of the column before. Autograd runs a level after all that
    read its output, and those are the levels that find again what it needs.
    """

    @staticmethod
    def forward(ctx, level, i, state, begins, mask, below, above, old, alpha, *weights):
        device = below.device.type
        ctx.level, ctx.i, ctx.state, ctx.begins = level, i, state, begins
        ctx.autocast = {
            "device_type": device,
            "enabled": torch.is_autocast_enabled(device),
            "dtype": torch.get_autocast_dtype(device),
            "cache_enabled": False,  # weights that are cast here, without gradients, must not be met in backward
        }
        kept = (below if i == 0 else None, above if begins else None, old if begins else None)
        ctx.save_for_backward(mask, *kept, alpha, *weights)
        with torch.autocast(**ctx.autocast):
            return alpha * old + level(below, above, mask)

    @staticmethod
    def recompute(ctx, mask, below, above, *weights):
        """The output of F_i again, with all that its gradients need; without its value where nobody asks for that."""
        named = dict(zip(dict(ctx.level.named_parameters()), weights))
        value = not ctx.begins or ctx.level.shows_value()
        with torch.enable_grad(), torch.autocast(**ctx.autocast):
            return torch.func.functional_call(ctx.level, named, (below, above, mask, value))

    @staticmethod
    def undo(ctx, out, old, alpha):
        """The level's map of the column before, which takes the place of the new one in the state."""
        if not ctx.begins:
            old = (ctx.state[ctx.i] - out.detach()) / alpha
        ctx.state[ctx.i] = None if ctx.begins else old
        return old

    @staticmethod
    @once_differentiable
    def backward(ctx, grad):
        i, state, begins = ctx.i, ctx.state, ctx.begins
        mask, below, above, old, alpha, *weights = ctx.saved_tensors
        if i > 0:
            below = state[i - 1]
        if not begins and i + 1 < len(state):
            above = state[i + 1]

        # inputs of forward: 0 level, 1 i, 2 state, 3 begins, 4 mask | 5 below, 6 above | 7 old, 8 alpha | 9.. weights
        needs = [*ctx.needs_input_grad[5:7], *ctx.needs_input_grad[9:]]
        inputs = [t if t is None else t.detach().requires_grad_(n) for t, n in zip([below, above, *weights], needs)]
        out = ReversibleLevel.recompute(ctx, mask, *inputs)
        old = ReversibleLevel.undo(ctx, out, old, alpha)

        grad_old = grad * alpha if ctx.needs_input_grad[7] else None
        grad_alpha = (grad * old).sum((0, 2, 3), keepdim=True) if ctx.needs_input_grad[8] else None
        wanted = [t for t, n in zip(inputs, needs) if n]
        found = iter(torch.autograd.grad(out, wanted, grad) if wanted else ())
        grads = [next(found) if n else None for n in needs]
        return (None,) * 5 + (*grads[:2], grad_old, grad_alpha, *grads[2:])  # in the order of the inputs


class SegmentEnd(torch.autograd.Function):
    """The end of a segment: passes the maps on and remembers them, to start from there on the way back."""

    @staticmethod
    def forward(ctx, state, *maps):
        ctx.state = state
        ctx.save_for_backward(*maps)
        return tuple(m.view_as(m) for m in maps)

    @staticmethod
    @once_differentiable
    def backward(ctx, *grads):
        ctx.state[:] = ctx.saved_tensors
        return None, *grads


class RevCol(nn.Module):
    """A backbone of reversible columns: (B, 3, H, W) -> [P2, P3, P4, P5] of the last column, strides 4, 8, 16, 32.

    In a model YAML it is one row, [-1, 1, revcol_tiny, [width]]. A size is a subclass that sets the tables below.

    Args:
        width: factor for all channels.
        segment: how much a training step remembers. 0: all, plain autograd; torch.func, second derivatives and threads
            that share one network need it. 1: the four maps of each column, from which the rest is computed again,
            exactly. k: those of every k-th column; the columns between are run backwards, which costs precision
            (relative error of gradients some 1e-5 at 3 and 4, in float32 with alpha 0.5, and far more where alpha has
            become small).
        columns: how many, if not as many as the size has.

    Raises:
        ValueError: arguments, or an input, that do not fit.
    """

    channels = 64  # of P2; each later map has twice as many
    depths = (2, 2, 4, 2)  # blocks in each level
    columns = 4
    drop_path = 0.1  # of the last block of a column, growing evenly from 0

    @classmethod
    def feature_channels(cls, width: float = 1.0, segment: int = 1, columns: int | None = None) -> list[int]:
        """Channels of P2, P3, P4 and P5. Raises ValueError where an argument does not fit."""
        for name, number, least in (
            ("segment", segment, 0),
            ("columns", cls.columns if columns is None else columns, 1),
        ):
            if type(number) is not int or number < least:
                raise ValueError(f"{name}={number!r}: it must be a whole number, at least {least}")
        is_number = isinstance(width, (int, float)) and not isinstance(width, bool) and 0 < width < float("inf")
        c = int(cls.channels * width / 8 + 0.5) * 8 if is_number else 0
        if c < 8:
            raise ValueError(f"width={width!r}: it must be a number that leaves 8 channels or more in P2, such as 0.25")
        return [c, 2 * c, 4 * c, 8 * c]

    def __init__(self, width: float = 1.0, segment: int = 1, columns: int | None = None):
        super().__init__()
        channels = self.feature_channels(width, segment, columns)
        self.segment, self.columns = segment, self.columns if columns is None else columns
        self.stem = nn.Sequential(nn.Conv2d(3, channels[0], 4, stride=4), LayerNorm2d(channels[0], eps=1e-6))
        blocks = sum(self.depths)
        drop = [self.drop_path * i / max(1, blocks - 1) for i in range(blocks)]
        for i in range(self.columns):
            self.add_module(f"subnet{i}", Column(channels, self.depths, drop, first=i == 0))
        self.apply(self.initialize)

    @staticmethod
    def initialize(module: nn.Module) -> None:
        """Start as the authors do: convolutions and linear layers from a narrow normal distribution."""
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            nn.init.trunc_normal_(module.weight, std=0.02)
            nn.init.zeros_(module.bias)

    def forward(self, x: Tensor) -> list[Tensor]:
        if x.ndim != 4 or x.shape[1] != 3 or x.shape[2] < 32 or x.shape[3] < 32:
            raise ValueError(
                f"RevCol takes pictures (B, 3, H, W) of at least 32x32 pixels and was fed {tuple(x.shape)}"
            )
        height, width = x.shape[2:]
        if height % 32 == 0 and width % 32 == 0:
            return self.run_columns(x)
        maps = self.run_columns(F.pad(x, (0, -width % 32, 0, -height % 32)))  # at the right and at the bottom
        return [m[..., : -(-height // s), : -(-width // s)] for m, s in zip(maps, (4, 8, 16, 32))]

    def run_plain(self, x: Tensor) -> list[Tensor]:
        """The maps of the last column, from the stem's map; autograd remembers everything."""
        maps = [x.new_zeros(())] * len(self.depths)  # of the column before the first
        for i in range(self.columns):
            maps = getattr(self, f"subnet{i}")(x, maps)
        return maps

    def run_segments(self, x: Tensor) -> list[Tensor]:
        """The same maps; autograd remembers those at the end of each segment, and most of the last column."""
        maps = [x.new_zeros(())] * len(self.depths)
        columns = [getattr(self, f"subnet{i}") for i in range(self.columns)]
        for start in range(0, len(columns) - 1, self.segment):
            state = [None] * len(maps)
            for i, column in enumerate(columns[start:-1][: self.segment]):
                maps = column(x, maps, state, begins=i == 0)
            maps = SegmentEnd.apply(state, *maps)
        # Backward starts with the last column and would compute at once what is forgotten here. Levels 1 to 3 have
        # most of its work in half of its memory, and are gone again before level 0 needs the other half.
        return columns[-1](x, maps, [None] * len(maps), begins=True, recomputed=1)

    def run_columns(self, x: Tensor) -> list[Tensor]:
        """The maps of the last column, from the picture."""
        run = self.run_segments if self.saves_memory(x) else self.run_plain
        return run(self.stem(x))

    def saves_memory(self, x: Tensor) -> bool:
        """Whether there may be a backward pass to save for; exporters and compilers see the plain network.

        So do the copies that DataParallel makes: they have no parameters of their own to hand to ReversibleLevel.
        """
        seen_by_tool = x.is_meta or torch.jit.is_tracing() or torch.compiler.is_compiling()
        is_copy = getattr(self, "_is_replica", False)
        return self.segment > 0 and torch.is_grad_enabled() and not seen_by_tool and not is_copy

    def load_state_dict(self, state_dict, *args, **kwargs):
        """As always, except that the authors' classifier heads and decoders, which a detector lacks, are left out."""
        extra = [key for key in state_dict if key.startswith(("cls_blocks.", "decoder_blocks."))]
        if extra:
            print(f"{type(self).__name__}: {len(extra)} tensors of classifier heads and decoders are left out.")
        kept = {key: value for key, value in state_dict.items() if key not in extra}
        return super().load_state_dict(kept, *args, **kwargs)


class revcol_tiny(RevCol):
    """29.9 million parameters, 4.52 GMAC at 224 px; P2 to P5 have 64, 128, 256, 512 channels, in 4 columns."""


class revcol_small(RevCol):
    """60.1 million parameters, 9.04 GMAC at 224 px; P2 to P5 have 64, 128, 256, 512 channels, in 8 columns."""

    columns, drop_path = 8, 0.3


class revcol_base(RevCol):
    """138.0 million parameters, 16.58 GMAC at 224 px; P2 to P5 have 72, 144, 288, 576 channels, in 16 columns."""

    channels, depths = 72, (1, 1, 3, 2)
    columns, drop_path = 16, 0.4


class revcol_large(RevCol):
    """272.1 million parameters, 39.3 GMAC at 224 px; P2 to P5 have 128, 256, 512, 1024 channels, in 8 columns."""

    channels, depths = 128, (1, 2, 6, 2)
    columns, drop_path = 8, 0.5


class revcol_xlarge(RevCol):
    """832.0 million parameters, 120.2 GMAC at 224 px; P2 to P5 have 224, 448, 896, 1792 channels, in 8 columns."""

    channels, depths = 224, (1, 2, 6, 2)
    columns, drop_path = 8, 0.5


class UncomputedProduct(torch.autograd.Function):
    """`gamma * linear(h)` for its gradients alone: (..., C1) -> (..., C2). The forward pass gives zeros."""

    @staticmethod
    def forward(ctx, h, weight, bias, gamma):
        ctx.save_for_backward(h, weight, bias, gamma)
        return gamma.new_zeros(()).expand(*h.shape[:-1], len(gamma))

    @staticmethod
    def backward(ctx, grad):
        h, weight, bias, gamma = ctx.saved_tensors
        grad = grad.flatten(0, -2)  # (positions, C2)
        total = grad.sum(0)
        grad_h = ((grad * gamma).to(h.dtype) @ weight.to(h.dtype)).view_as(h)  # under autocast h has fewer bits
        if not (ctx.needs_input_grad[1] or ctx.needs_input_grad[3]):
            return grad_h, None, gamma * total, None
        product = (grad.to(h.dtype).T @ h.flatten(0, -2)).to(weight.dtype)  # (C2, C1)
        return grad_h, gamma[:, None] * product, gamma * total, (weight * product).sum(1) + bias * total
