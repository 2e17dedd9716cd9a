"""Exercises of lesson 05: where SE stands, branches into one kernel and back, a RepViT under a budget."""

from copy import deepcopy

import torch
import torch.nn.functional as F
from torch import nn

from modules.course.compare import close
from modules.course.exercise_bank import Design, Fault, FillIn, Predict
from modules.course.exercise_bank.parts import parts
from modules.course.measure import gmac, parameters
from modules.repvit import RepViT, RepViTBlock, SqueezeExcite, ThreeBranches


def of_size(channels: int, depths: tuple) -> RepViT:
    """A RepViT with these channels in P2 and these blocks in its stages."""
    return type("Size", (RepViT,), {"channels": channels, "depths": depths})()


# ------------------------------------------------------------------------------------------------ 05.1 the place of SE
def blocks_with_se() -> tuple:
    """For each of the four maps, the blocks with SE between the map before and this one."""
    model = of_size(8, (1, 3, 9, 2))
    has_se = [any(isinstance(m, SqueezeExcite) for m in part.modules()) for part in model.features]
    ends = [0, *(tap + 1 for tap in model.taps)]
    return tuple(sum(has_se[a:b]) for a, b in zip(ends, ends[1:]))


# ------------------------------------------------------------------------------------------- 05.2 a norm as a kernel
def used_norm(channels: int) -> nn.BatchNorm2d:
    """A BatchNorm in eval mode as training leaves it. Its small variances make epsilon count."""
    norm = nn.BatchNorm2d(channels, eps=1e-2)
    nn.init.normal_(norm.weight, 1, 0.3)
    nn.init.normal_(norm.bias)
    norm.running_mean.normal_()
    norm.running_var.uniform_(0.02, 1)
    return norm.eval()


def norms() -> list[tuple]:
    return [(used_norm(c),) for c in (3, 1, 5, 16)]


def scale_and_shift(norm):
    scale = norm.weight / (norm.running_var + norm.eps).sqrt()
    return scale, norm.bias - norm.running_mean * scale


def norm_to_kernel(norm, scale=None, shift=None, padding=(1, 1, 1, 1)):
    s, t = scale_and_shift(norm)
    s = scale(norm) if scale else s
    t = shift(norm, s) if shift else norm.bias - norm.running_mean * s
    return F.pad(s.view(-1, 1, 1, 1), padding), t


def with_other(**parts_of_it):
    return lambda norm: norm_to_kernel(norm, **parts_of_it)


def scale_everywhere(norm):
    s, t = scale_and_shift(norm)
    return s.view(-1, 1, 1, 1).expand(-1, 1, 3, 3).clone(), t


def for_groups_of_one(norm):
    kernel, t = norm_to_kernel(norm)
    return torch.diag_embed(kernel[:, 0].permute(1, 2, 0)).permute(2, 3, 0, 1), t


# -------------------------------------------------------------------------------------------------- 05.3 one kernel
def branches() -> list[tuple]:
    def case(c, side, *shape):
        conv = nn.Conv2d(c, c, side, padding=side // 2, groups=c)
        return conv.eval(), nn.Conv2d(c, c, 1, groups=c).eval(), used_norm(c), torch.randn(shape[0], c, *shape[1:])

    return [case(3, 3, 1, 5, 5), case(5, 5, 2, 6, 7), case(8, 3, 3, 6, 3), case(1, 7, 1, 8, 9)]


def middle(kernel1, half):
    return F.pad(kernel1, [half] * 4)


def corner(kernel1, half):
    return F.pad(kernel1, [0, 2 * half, 0, 2 * half])


def everywhere(kernel1, half):
    return kernel1.expand(-1, -1, 2 * half + 1, 2 * half + 1)


def nowhere(kernel1, half):
    return 0 * middle(kernel1, half)


def for_3x3(kernel1, half):
    return middle(kernel1, 1)


def merged(conv, conv1, norm, at=middle, one_at=middle, bias1=1.0, after=None):
    """One convolution for norm(conv(x) + conv1(x) + x), or for something like it.

    `at` and `one_at` place the 1x1 kernel and the 1 of the identity; `after` changes what has come out.
    """
    s, t = scale_and_shift(norm)
    new, half = deepcopy(conv), conv.kernel_size[0] // 2
    kernel = conv.weight + at(conv1.weight, half) + one_at(torch.ones_like(conv1.weight), half)
    kernel, bias = kernel * s.view(-1, 1, 1, 1), (conv.bias + bias1 * conv1.bias) * s + t
    new.weight.copy_(kernel)
    new.bias.copy_(bias)
    return after(new, kernel, bias, s, t) if after else new


def with_branches(**changes):
    return lambda conv, conv1, norm: merged(conv, conv1, norm, **changes)


def refilled(weight, bias):
    """For `after`: other numbers in the new convolution."""

    def after(new, kernel, old_bias, s, t):
        new.weight.copy_(weight(kernel, s.view(-1, 1, 1, 1)))
        new.bias.copy_(bias(old_bias, s, t))
        return new

    return after


def norm_after_the_first(conv, conv1, norm):
    (s, t), new = scale_and_shift(norm), deepcopy(conv)
    new.weight.copy_(conv.weight * s.view(-1, 1, 1, 1) + middle(conv1.weight + 1, conv.kernel_size[0] // 2))
    new.bias.copy_(conv.bias * s + t + conv1.bias)
    return new


def another_convolution(fill, **arguments):
    """For `after`: the numbers in a new convolution of these arguments, put there by `fill`."""

    def after(new, kernel, bias, s, t):
        channels, side = len(kernel), new.kernel_size[0]
        other = nn.Conv2d(channels, channels, **{"kernel_size": side, "padding": side // 2, **arguments})
        fill(other, kernel)
        other.bias.copy_(bias)
        return other

    return after


def set_kernel(conv, kernel):
    conv.weight = nn.Parameter(kernel)


def copy_kernel(conv, kernel):
    conv.weight.copy_(kernel)


def centre_of(kernel):
    """A kernel of these sides with a 1 in the middle."""
    return middle(torch.ones(len(kernel), 1, 1, 1), kernel.shape[-1] // 2)


def output_of(function, conv, conv1, norm, x):
    made = function(conv, conv1, norm)
    return {"the output of the new convolution": made(x)} if isinstance(made, nn.Conv2d) else made


# ---------------------------------------------------------------------------------------------------- 05.4 and back
def fused_and_maps() -> list[tuple]:
    def case(c, *shape):
        return nn.Conv2d(c, c, 3, padding=1, groups=c).eval(), 2 * torch.randn(shape[0], c, *shape[1:]) + 1

    return [case(3, 4, 6, 6), case(5, 2, 3, 5), case(8, 1, 7, 4)]


def unfuse(conv, x, identity=1.0, statistics=True, unbiased=False, bias=True, of_x=False):
    mixer = ThreeBranches(conv.in_channels)
    mixer.conv1.weight.zero_()
    mixer.conv1.bias.copy_(conv.bias if bias else torch.zeros_like(conv.bias))
    mixer.conv.c.weight.copy_(conv.weight - identity * centre_of(conv.weight))
    for norm, y in ((mixer.conv.bn, mixer.conv.c(x)), (mixer.bn, conv(x))):
        if statistics:
            y = x if of_x else y
            norm.running_mean.copy_(y.mean((0, 2, 3)))
            norm.running_var.copy_(y.var((0, 2, 3), unbiased=unbiased))
            norm.bias.copy_(norm.running_mean)
        norm.weight.copy_((norm.running_var + norm.eps).sqrt())
    return mixer


def unfused_with(**changes):
    return lambda conv, x: unfuse(conv, x, **changes)


def random_branch(weight=False):
    """The 1x1 branch keeps a bias, or a kernel, that nobody asked for."""

    def function(conv, x):
        mixer = unfuse(conv, x)
        mixer.conv.bn.bias += conv.bias
        mixer.conv1.bias.copy_(torch.rand_like(conv.bias) + 1 if not weight else torch.zeros_like(conv.bias))
        mixer.conv1.weight += weight
        return mixer

    return function


def without_second_norm(conv, x):
    mixer = unfuse(conv, x)
    mixer.bn = nn.Identity()
    return mixer


def other_forward(conv, x):
    mixer = ThreeBranches(conv.in_channels)
    mixer.forward = conv.forward
    return mixer


BIASED = "in train mode a norm divides by the biased variance: var(..., correction=0)"
OF_X = "take mean and variance of what each norm reads, not of x"
NOT_UNDONE = (
    "right in eval mode; in train mode the norms still use the batch's mean and deviation: undo both by weight and bias"
)


def in_both_modes(function, conv, x):
    mixer = function(conv, x)
    if mixer is None:
        return None
    check_parts(mixer, ThreeBranches(conv.in_channels))
    other = x.flip(1, 2) - 2
    found = {"in eval mode the output": mixer.eval()(other)}
    if not close(found["in eval mode the output"], conv(other), 1e-3):
        for name, words in ("bias", "bias"), ("weight", "kernel"):
            still = deepcopy(mixer)
            getattr(still.conv1, name).zero_()
            if close(still(other), conv(other), 1e-3):
                raise Fault(f"the 1x1 branch starts with a random {words}: set it")
    found["in train mode the output on x"] = deepcopy(mixer).train()(x)
    if close(mixer(x), conv(x), 1e-3) and not close(found["in train mode the output on x"], conv(x), 1e-3):
        raise Fault(why_not_in_train_mode(mixer, x))
    return found


def check_parts(mixer, whole: ThreeBranches) -> None:
    """Raises Fault unless `mixer` is made as a ThreeBranches is."""
    if type(mixer) is not ThreeBranches:
        raise Fault(f"returns a {type(mixer).__name__}: a ThreeBranches with its two norms is asked for")
    if any("forward" in vars(part) for part in mixer.modules()):
        raise Fault("forward was replaced: set weights and statistics, and leave the code as it is")
    found = dict(mixer.named_modules())
    for name, part in whole.named_modules():
        if type(found.get(name)) is not type(part):
            raise Fault(f"{name} is {type(found.get(name)).__name__}, and it must be {type(part).__name__}")


def why_not_in_train_mode(mixer: ThreeBranches, x: torch.Tensor) -> str:
    """What is wrong with the norms of a mixer that is right in eval mode."""
    for norm in (mixer.conv.bn, mixer.bn):
        read = []
        hook = norm.register_forward_pre_hook(lambda _, inputs, read=read: read.append(inputs[0]))
        mixer(x)
        hook.remove()
        for y, correction, line in ((read[0], 1, BIASED), (x, 0, OF_X), (x, 1, OF_X)):
            mean, var = y.mean((0, 2, 3)), y.var((0, 2, 3), correction=correction)
            if close(norm.running_mean, mean, 1e-3) and close(norm.running_var, var, 1e-3):
                return line
    return NOT_UNDONE


# ------------------------------------------------------------------------------------------------------ 05.5 a budget
def measured_backbone(size: dict) -> dict:
    """Million parameters, GMAC at 224 px, blocks and channels of P5 of a RepViT of this size."""
    if not isinstance(size, dict) or set(size) != {"channels", "depths"}:
        raise ValueError(f"a dictionary with the keys channels and depths is asked for, and this is {size!r}")
    if type(size["channels"]) is not int or len(size["depths"]) != 4 or min(size["depths"]) < 1:
        raise ValueError("channels must be a whole number, and depths four numbers of 1 or more")
    model = of_size(**size).eval()
    return {
        "million parameters": round(parameters(model) / 1e6, 3),
        "GMAC": round(gmac(model, torch.zeros(1, 3, 224, 224)), 3),
        "blocks": sum(isinstance(m, RepViTBlock) for m in model.features),
        "channels in P5": model.feature_channels()[-1],
    }


EXERCISES = {
    "05.1": Predict(
        blocks_with_se,
        hints=(
            "Look at the figure of the network: which bars are dark blue, and where does the counting begin anew?",
            "Within a stage the blocks 0, 2, 4, ... have SE. The two blocks on the way down have none.",
        ),
        wrong={
            "every second block has SE, not every one": (1, 3, 9, 2),
            "the first block of each stage has SE": (0, 1, 4, 1),
            "the counting begins anew in each stage": (1, 1, 5, 1),
            "the extra block on the way down has no SE": (2, 3, 6, 1),
            "of the blocks on the way down none has SE": (1, 3, 6, 2),
            "one number for each map is asked for, not their sum": 9,
            "each stretch counts alone, without those before it": (1, 3, 8, 9),
        },
    ),
    "05.2": FillIn(
        norm_to_kernel,
        norms,
        hints=(
            "In eval mode the norm is y = s * x + t for each channel. Where does a scale stand in a 3x3 kernel, and where "
            "the shift?",
            "s and t are those of lesson 05's ConvNorm, for a convolution that changes nothing. A kernel that is 0 but in its "
            "middle multiplies every position by that middle; F.pad puts zeros around a 1x1 kernel.",
        ),
        wrong={
            "the scale stands in the middle of the kernel only; the eight places around it are 0": scale_everywhere,
            "the scale belongs in the middle of the kernel, not in a corner": with_other(padding=(0, 2, 0, 2)),
            "the kernel of a depthwise convolution is (C, 1, 3, 3): each channel reads only itself": for_groups_of_one,
            "epsilon is missing, or not the norm's own: use norm.eps": with_other(
                scale=lambda norm: norm.weight / norm.running_var.sqrt()
            ),
            "divided by the variance: divide by its root": with_other(
                scale=lambda norm: norm.weight / (norm.running_var + norm.eps)
            ),
            "the norm's weight is missing from the scale": with_other(
                scale=lambda norm: 1 / (norm.running_var + norm.eps).sqrt()
            ),
            "the running mean is missing from the bias": with_other(shift=lambda norm, s: norm.bias.clone()),
            "the running mean must be scaled before it is subtracted": with_other(
                shift=lambda norm, s: norm.bias - norm.running_mean
            ),
            "the running mean is subtracted, not added": with_other(
                shift=lambda norm, s: norm.bias + norm.running_mean * s
            ),
        },
        call=parts("the kernel", "the bias"),
    ),
    "05.3": FillIn(
        merged,
        branches,
        hints=(
            "Write each branch as a kernel of the sides of conv's, add the three, and let the norm scale the sum and its "
            "bias.",
            "A 1x1 kernel with k // 2 zeros on each side is a kernel of side k, and the identity is the 1x1 kernel 1. Each "
            "convolution brings a bias, and the norm scales those, too. deepcopy(conv) has weights of its own.",
        ),
        wrong={
            "the identity is missing: it is a kernel with 1 in the middle": with_branches(one_at=nowhere),
            "the identity is a 1 in the middle of the kernel, not in all its places": with_branches(one_at=everywhere),
            "the 1x1 kernel is missing from the middle": with_branches(at=nowhere),
            "the 1x1 kernel belongs in the middle only": (
                with_branches(at=everywhere),
                with_branches(at=everywhere, one_at=everywhere),
            ),
            "the 1x1 kernel stands in a corner of the large one: pad it on all four sides": with_branches(at=corner),
            "not every kernel is 3x3: pad by half of the kernel, conv.kernel_size[0] // 2": (
                with_branches(at=for_3x3),
                with_branches(after=another_convolution(copy_kernel, kernel_size=3, padding=1)),
            ),
            "the bias of the 1x1 branch is missing": with_branches(bias1=0.0),
            "the norm behind the sum is missing": with_branches(
                after=refilled(lambda kernel, s: kernel / s, lambda bias, s, t: (bias - t) / s)
            ),
            "the norm comes after the sum: it scales all three kernels": norm_after_the_first,
            "the identity goes through the norm too: add it before": with_branches(
                after=refilled(lambda kernel, s: kernel + centre_of(kernel) * (1 - s), lambda bias, s, t: bias)
            ),
            "the bias must go through the norm too": with_branches(
                after=refilled(lambda kernel, s: kernel, lambda bias, s, t: (bias - t) / s)
            ),
            "the norm must scale the bias too": with_branches(
                after=refilled(lambda kernel, s: kernel, lambda bias, s, t: (bias - t) / s + t)
            ),
            "the bias is scaled by the norm and its shift is forgotten": with_branches(
                after=refilled(lambda kernel, s: kernel, lambda bias, s, t: bias - t)
            ),
            "the kernel must be scaled by the norm, as the bias is": with_branches(
                after=refilled(lambda kernel, s: kernel / s, lambda bias, s, t: bias)
            ),
            "groups are lost: a depthwise kernel has one input channel": (
                with_branches(after=another_convolution(set_kernel)),
                with_branches(after=another_convolution(copy_kernel)),
            ),
        },
        call=output_of,
    ),
    "05.4": FillIn(
        unfuse,
        fused_and_maps,
        hints=(
            "Which branch can hold the kernel, which one the bias, and what must the kernel leave to the identity? In train "
            "mode a norm subtracts the mean of the batch and divides by its deviation; its weight and bias can undo both.",
            "The 1x1 kernel is 0 and its bias that of conv. mixer.conv.c holds the kernel minus 1 in the middle. Each of the "
            "two norms gets the mean and the biased variance of what it reads, sqrt(running_var + eps) as weight and the "
            "mean as bias.",
        ),
        wrong={
            NOT_UNDONE: unfused_with(statistics=False),
            BIASED: unfused_with(unbiased=True),
            OF_X: unfused_with(of_x=True),
            "returns a Conv2d: a ThreeBranches with its two norms is asked for": lambda conv, x: conv,
            "bn is Identity, and it must be BatchNorm2d": without_second_norm,
            "forward was replaced: set weights and statistics, and leave the code as it is": other_forward,
            "the 1x1 branch starts with a random bias: set it": random_branch(),
            "the 1x1 branch starts with a random kernel: set it": random_branch(weight=0.5),
            "the identity adds the input once more: the 3x3 kernel must have 1 less in the middle": unfused_with(
                identity=0.0
            ),
            "1 is added in the middle of the kernel, where it must be subtracted": unfused_with(identity=-1.0),
            "the bias of the convolution is lost": unfused_with(bias=False),
        },
        call=in_both_modes,
        tolerance=1e-3,
    ),
    "05.5": Design(
        measured_backbone,
        limits={
            "million parameters": ("at most", 1.35),
            "GMAC": ("at most", 0.35),
            "blocks": ("at least", 24),
            "channels in P5": ("at least", 256),
        },
        hints=(
            "Print parameters and GMAC of RepViTBlock(c, c) for 32 channels on 56x56 and for 256 channels on 7x7. What "
            "grows fourfold from a stage to the next, and what does not?",
            "From stage to stage a block costs about the same GMAC and four times the parameters. So take 32 channels, one "
            "block in the last stage, and give the others to the early stages.",
        ),
        wrong={
            "2.166 million parameters, allowed are at most 1.35": {"channels": 40, "depths": (1, 1, 8, 1)},
            "17 blocks, needed are at least 24": {"channels": 32, "depths": (2, 2, 6, 1)},
            "1.803 million parameters, allowed are at most 1.35": {"channels": 32, "depths": (3, 4, 9, 2)},
            "GMAC, allowed are at most 0.35": {"channels": 32, "depths": (12, 12, 1, 1)},
            "128 channels in P5, needed are at least 256": {"channels": 16, "depths": (4, 4, 8, 4)},
            "depths four numbers of 1 or more": {"channels": 32, "depths": (4, 8, 4, 0)},
        },
    ),
}
