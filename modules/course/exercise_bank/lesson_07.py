"""Exercises of lesson 07: what is kept, columns undone, gradients of a step by hand, weights as inputs, a memory budget."""

import re
from unittest import mock

import torch
from torch import Tensor, nn

from modules import revcol
from modules.course.columns import gradients, relative_error, wake
from modules.course.exercise_bank import Design, Fault, FillIn, Predict
from modules.course.exercise_bank.parts import parts
from modules.course.memory import step_memory
from modules.revcol import Column, RevCol, neighbours


# --------------------------------------------------------------------------------------------------- 07.1 what is kept
class Narrow(RevCol):
    """The smallest RevCol that there is."""

    channels, depths, drop_path = 8, (1, 1, 1, 1), 0.0


def ends_of_segments(segment: int) -> int:
    """How often RevCol with 16 columns remembers four maps at the end of a segment."""
    with torch.enable_grad(), mock.patch.object(revcol, "SegmentEnd", wraps=revcol.SegmentEnd) as end:
        Narrow(columns=16, segment=segment)(torch.zeros(1, 3, 32, 32))
    return end.apply.call_count


def kept_sets() -> tuple:
    return tuple(map(ends_of_segments, (1, 3, 5)))


# ---------------------------------------------------------------------------------------------------- 07.2 columns
@torch.no_grad()
def lists_of_columns() -> list[tuple]:
    def case(number, batch, channels, height, width, first=False):
        def column():
            made = wake(Column(channels, (1,) * len(channels), [0.0] * len(channels), first)).double().eval()
            for i in range(len(channels)):
                getattr(made, f"alpha{i}").uniform_(0.4, 1.5)
            return made

        sizes = [(batch, c, height >> i, width >> i) for i, c in enumerate(channels)]
        maps = (torch.randn(size, dtype=torch.float64) for size in (sizes[0], *sizes))
        return [column() for _ in range(number)], *maps

    return [
        case(1, 1, [3, 5], 4, 6),
        case(2, 2, [4, 6, 8], 8, 4),
        case(3, 1, [3, 4, 5, 6], 16, 8),
        case(1, 2, [5, 7], 2, 2, True),
    ]


def undo_columns(
    columns, stem, maps, along=reversed, order=reversed, above=None, one=lambda x, f, alpha: (x - f) / alpha
):
    """The maps before the first of `columns`.

    `along` and `order` give the order of columns and of levels, `above(new, maps)` says whose map above a level reads,
    if not the one found last, and `one(x, f, alpha)` finds a map.
    """
    for column in along(columns):
        new, maps = [*maps], [*maps]
        for i in order(range(len(maps))):
            level, alpha = column.part(i)
            below, up = neighbours(i, stem, maps)
            if above:
                _, up = neighbours(i, stem, above(new, maps))
            maps[i] = one(maps[i], level(below, up), alpha)
    return maps


def undone_with(**changes):
    return lambda *inputs: undo_columns(*inputs, **changes)


def always_four(columns, stem, maps):
    return undo_columns(columns, stem, maps, order=lambda levels: range(3, -1, -1))


def always_four_neighbours_first(columns, stem, maps):
    return neighbours(3, stem, maps) and always_four(columns, stem, maps)


def run_forwards(columns, stem, maps):
    for column in columns:
        maps = column(stem, maps)
    return maps


def undone(function, columns, stem, *maps):
    names = [f"map {i}" for i in range(len(maps))]
    return parts(*names)(lambda: function(columns, stem, list(maps)))


# ----------------------------------------------------------------------------------------------------- 07.3 gradients
def steps() -> list[tuple]:
    def case(channels, *shape, bias=True):
        level = nn.Sequential(nn.Conv2d(channels, channels, 3, padding=1, bias=bias), nn.GELU())
        alpha = torch.empty(1, channels, 1, 1).uniform_(0.4, 1.5)
        new, below, grad = torch.randn(3, shape[0], channels, *shape[1:])
        return level.eval(), alpha, new, below, grad

    return [case(3, 1, 5, 5), case(5, 2, 4, 7), case(8, 3, 3, 6, bias=False), case(1, 2, 3, 3)]


def backward(level, alpha, new, below, grad, old_of=None, **otherwise):
    """old, and the gradients for old, below and alpha. `otherwise` replaces one of the four by name."""
    with torch.enable_grad():
        x = below.detach().requires_grad_()
        out = level(x)
    (grad_below,) = torch.autograd.grad(out, x, grad)
    old = (new - out.detach()) / alpha
    if old_of:
        old = old_of(out.detach())
    found = {"old": old, "grad_old": grad * alpha, "grad_below": grad_below}
    found["grad_alpha"] = (grad * old).sum((0, 2, 3), keepdim=True)
    facts = {"alpha": alpha, "new": new, "grad": grad, "out": out.detach(), **found}
    for name, function in otherwise.items():
        found[name] = function(facts)
    return tuple(found.values())


def backward_with(**otherwise):
    return lambda *inputs: backward(*inputs, **otherwise)


def not_divided(level, alpha, new, below, grad):
    return backward(level, alpha, new, below, grad, old_of=lambda out: new - out)


def not_undone(level, alpha, new, below, grad):
    return backward(level, alpha, new, below, grad, old_of=lambda out: new)


def divided_only(level, alpha, new, below, grad):
    return backward(level, alpha, new, below, grad, old_of=lambda out: new / alpha)


def of_the_sum(level, alpha, new, below, grad):
    old, grad_old, _, grad_alpha = backward(level, alpha, new, below, grad)
    return old, grad_old, backward(level, alpha, new, below, torch.ones_like(grad))[2], grad_alpha


def alpha_into_the_level(level, alpha, new, below, grad):
    old, grad_old, _, grad_alpha = backward(level, alpha, new, below, grad)
    return old, grad_old, backward(level, alpha, new, below, grad * alpha)[2], grad_alpha


def without_notes(level, alpha, new, below, grad):
    out = level(below)
    (grad_below,) = torch.autograd.grad(out, below, grad)
    return (new - out) / alpha, grad * alpha, grad_below, (grad * (new - out) / alpha).sum((0, 2, 3), keepdim=True)


NO_NOTES = (
    "autograd took no notes: inside backward gradients are off. Compute the level under torch.enable_grad(), from "
    "below.detach().requires_grad_()"
)


def by_hand(function, *inputs):
    """As autograd calls `backward`: with gradients switched off."""
    try:
        return parts("old", "grad_old", "grad_below", "grad_alpha")(function, *inputs)
    except RuntimeError as error:
        if "does not require grad" not in str(error):
            raise
        raise Fault(NO_NOTES) from None


# -------------------------------------------------------------------------------------------- 07.4 weights as inputs
class Careful(torch.autograd.Function):
    """Remembers the input alone, and gives the weights their gradients."""

    @staticmethod
    def forward(ctx, layer, x, *weights):
        ctx.layer = layer
        ctx.save_for_backward(x)
        return layer(x)

    @staticmethod
    def backward(ctx, grad):
        (x,), weights = ctx.saved_tensors, list(ctx.layer.parameters())
        with torch.enable_grad():
            x = x.detach().requires_grad_()
            y = ctx.layer(x)
        return None, *torch.autograd.grad(y, [x, *weights], grad)


class NoGradientForWeights(Careful):
    @staticmethod
    def backward(ctx, grad):
        _, x, *weights = Careful.backward(ctx, grad)
        return None, x, *(None for _ in weights)


class NoGradientForInput(Careful):
    @staticmethod
    def backward(ctx, grad):
        _, _, *weights = Careful.backward(ctx, grad)
        return None, None, *weights


class GradientOfTheSum(Careful):
    @staticmethod
    def backward(ctx, grad):
        _, x, *weights = Careful.backward(ctx, torch.ones_like(grad))
        return None, x, *weights


class Doubled(Careful):
    @staticmethod
    def backward(ctx, grad):
        with torch.enable_grad():
            x = ctx.saved_tensors[0].detach().requires_grad_()
            ctx.layer(x).backward(grad)
        return None, x.grad, *(p.grad for p in ctx.layer.parameters())


class KeptGraph(Careful):
    @staticmethod
    def forward(ctx, layer, x, *weights):
        with torch.enable_grad():
            ctx.layer, ctx.x = layer, x.detach().requires_grad_()
            ctx.y = layer(ctx.x)
        return ctx.y.detach()

    @staticmethod
    def backward(ctx, grad):
        return None, *torch.autograd.grad(ctx.y, [ctx.x, *ctx.layer.parameters()], grad)


class KeptOutput(Careful):
    @staticmethod
    def forward(ctx, layer, x, *weights):
        y = Careful.forward(ctx, layer, x)
        ctx.save_for_backward(x, y)
        return y

    @staticmethod
    def backward(ctx, grad):
        x, weights = ctx.saved_tensors[0].detach(), list(ctx.layer.parameters())
        with torch.enable_grad():
            x = x.requires_grad_()
            return None, *torch.autograd.grad(ctx.layer(x), [x, *weights], grad)


class TooFew(Careful):
    @staticmethod
    def backward(ctx, grad):
        return Careful.backward(ctx, grad)[:2]


class WithoutNotes(Careful):
    @staticmethod
    def backward(ctx, grad):
        x = ctx.saved_tensors[0].detach().requires_grad_()
        return None, *torch.autograd.grad(ctx.layer(x), [x, *ctx.layer.parameters()], grad)


def no_requires_grad(prepare):
    class NoRequiresGrad(Careful):
        @staticmethod
        def backward(ctx, grad):
            x = prepare(ctx.saved_tensors[0])
            with torch.enable_grad():
                y = ctx.layer(x)
            return None, *torch.autograd.grad(y, [x, *ctx.layer.parameters()], grad)

    return NoRequiresGrad


def layers() -> list[tuple]:
    def case(needs_grad, c1, c2, *shape):
        layer = nn.Sequential(nn.Linear(c1, 2 * c1), nn.GELU(), nn.Linear(2 * c1, c2))
        return layer, torch.randn(*shape, c1), needs_grad

    return [case(False, 3, 5, 1), case(True, 4, 4, 2, 3), case(False, 5, 2, 3, 2, 2), case(True, 1, 3, 4)]


NOT_AGAIN = "the layer is not computed again on the way back: you kept its graph"
MORE_KEPT = "more than the input is remembered: save x alone"
NOT_UNDER = "autograd took no notes: inside backward gradients are off. Run the layer under torch.enable_grad()"
NOT_ASKED = "x needs requires_grad_() before the layer runs again"


@torch.enable_grad()
def trained(function, layer, x, needs_grad):
    """Output and gradients, with an input that needs a gradient or none; where one is missing, zeros.

    The gradients are found twice, as autograd.grad gives them and as a training finds them, in `.grad`.
    """
    x, runs = x.clone().requires_grad_(needs_grad), []
    named = dict(layer.named_parameters()) | ({"x": x} if needs_grad else {})
    layer.register_forward_hook(lambda *_: runs.append(layer))
    y = function.apply(layer, x, *layer.parameters())
    if not isinstance(y, Tensor):
        return y
    before, kept = len(runs), remembered(y.grad_fn)
    loss = (y * torch.arange(y.numel()).view_as(y)).sum()
    try:
        found = torch.autograd.grad(loss, list(named.values()), allow_unused=True)
    except RuntimeError as error:
        raise Fault(explained(str(error))) if explained(str(error)) else error from None
    if len(runs) == before:
        raise Fault(NOT_AGAIN)
    if not all(any(t.shape == a.shape and t.equal(a) for a in (x, *layer.parameters())) for t in kept):
        raise Fault(MORE_KEPT)
    for tensor in named.values():
        tensor.grad = None
    y = function.apply(layer, x, *layer.parameters())
    (y * torch.arange(y.numel()).view_as(y)).sum().backward()
    result = {"the output": y.detach()}
    for (name, tensor), gradient in zip(named.items(), found):
        result[f"the gradient of {name}"] = torch.zeros_like(tensor) if gradient is None else gradient
        result[f"after loss.backward() the gradient of {name}"] = (
            torch.zeros_like(tensor) if tensor.grad is None else tensor.grad
        )
    return result


def remembered(node) -> list[Tensor]:
    """The tensors that a Function keeps between the passes."""
    kept = [*getattr(node, "saved_tensors", ()), *vars(node).values()] if hasattr(node, "__dict__") else []
    return [value for value in kept if isinstance(value, Tensor)]


def explained(error: str) -> str:
    """Autograd's own words in the learner's."""
    if counts := re.search(r"incorrect number of gradients \(expected (\d+), got (\d+)\)", error):
        return f"backward returned {counts[2]} values for {counts[1]} inputs: None for the layer, x, then each weight"
    if "differentiated Tensors does not require grad" in error:
        return NOT_ASKED
    return NOT_UNDER if "does not require grad" in error else ""


# ------------------------------------------------------------------------------------------------------ 07.5 a budget
def measured_network(choice: dict) -> dict:
    """Million parameters, columns, MiB between the passes for one picture of 64 px, and the error of the gradients.

    The error is given as digits: 5 means a relative error of 1e-5.
    """
    if not isinstance(choice, dict) or not set(choice) <= {"width", "columns", "segment"}:
        raise ValueError(f"a dictionary with width, columns and segment is asked for, and this is {choice!r}")
    with torch.random.fork_rng(), torch.enable_grad():
        torch.manual_seed(0)
        net = revcol.revcol_tiny(**choice)
        net.drop_path = 0.0
        wake(net)
        for module in net.modules():
            if isinstance(module, revcol.Level):
                module.drop = [0.0] * len(module.drop)
        x = torch.randn(1, 3, 64, 64)
        memory = step_memory(lambda: sum(m.square().mean() for m in net(x)), net.parameters())
        right = gradients(net, 0, x)
        error = relative_error(gradients(net, choice.get("segment", 1), x), right)
    return {
        "million parameters": round(sum(p.numel() for p in net.parameters()) / 1e6, 2),
        "columns": net.columns,
        "channels in P2": net.feature_channels(choice.get("width", 1.0))[0],
        "MiB between the passes": round(memory.saved, 2),
        "right digits of the gradients": round(-torch.tensor(error).clamp(min=1e-9).log10().item(), 1),
    }


EXERCISES = {
    "07.1": Predict(
        kept_sets,
        hints=(
            "The last column is treated apart, since the way back begins with it. How many columns are left for segments?",
            "15 columns in segments of 1, 3 and 5. Each segment remembers the four maps at its end.",
        ),
        wrong={
            "the last column is in no segment: 15 columns are shared out": (16, 6, 4),
            "the last column is in no segment, and a segment that is not full is one, too": (16, 5, 3),
            "the last segment has an end, too": (14, 4, 2),
            "sets of four maps are asked for, not maps": (60, 20, 12),
            "the larger the segments, the fewer there are": (1, 3, 5),
        },
    ),
    "07.2": FillIn(
        undo_columns,
        lists_of_columns,
        hints=(
            "Solve new = alpha * old + level(below, above) for old. Which column is undone first, and which of its levels "
            "reads only maps that are known?",
            "Columns from the last to the first, and in each the levels from the last to the first: maps[i] = (maps[i] - "
            "level(*neighbours(i, stem, maps))) / alpha. So maps holds new maps below i and old ones above it.",
        ),
        wrong={
            "the last column is undone first: go through the columns backwards": undone_with(along=iter),
            "only the last column is undone: go on with the one before": undone_with(
                along=lambda columns: columns[-1:]
            ),
            "the way back begins at the top level, which reads nothing of the column before": undone_with(order=iter),
            "the map above belongs to the column before: read the one that you have just found": undone_with(
                above=lambda new, maps: new
            ),
            "divide by alpha: on the way there it was multiplied": undone_with(one=lambda x, f, alpha: (x - f) * alpha),
            "alpha is missing: on the way there the old map was multiplied by it": undone_with(
                one=lambda x, f, alpha: x - f
            ),
            "parentheses: (new - F) / alpha": undone_with(one=lambda x, f, alpha: x - f / alpha),
            "subtract what the level gives: on the way there it was added": undone_with(
                one=lambda x, f, alpha: (x + f) / alpha
            ),
            "subtract first, then divide: alpha multiplied the old map only": undone_with(
                one=lambda x, f, alpha: x / alpha - f
            ),
            "not every column has four maps: count from len(maps) - 1 down": (
                always_four,
                always_four_neighbours_first,
            ),
            "that runs the columns once more, forwards": run_forwards,
        },
        call=undone,
    ),
    "07.3": FillIn(
        backward,
        steps,
        hints=(
            "Three parts: compute the level again with autograd, find old from new, then write each gradient of alpha * old + "
            "level(below) by the rules of sum and product.",
            "under torch.enable_grad(): x = below.detach().requires_grad_(), out = level(x). Then old = (new - out) / alpha, "
            "grad_old = grad * alpha, grad_below from torch.autograd.grad(out, x, grad), and grad_alpha is the sum of "
            "grad * old over all that alpha does not tell apart.",
        ),
        wrong={
            NO_NOTES: without_notes,
            "old must be divided by alpha": not_divided,
            "old is not new: subtract what the level gives, then divide by alpha": not_undone,
            "old: what the level gives must be subtracted before the division": divided_only,
            "grad_old: alpha is missing, by which old was multiplied": backward_with(grad_old=lambda f: f["grad"]),
            "grad_old is multiplied by alpha, not divided": backward_with(grad_old=lambda f: f["grad"] / f["alpha"]),
            "grad_below: alpha multiplies old, not what the level gives": alpha_into_the_level,
            "grad_below must go through the level": backward_with(grad_below=lambda f: f["grad"]),
            "grad_below: the gradient that comes in is not used; it is the third argument of autograd.grad": of_the_sum,
            "grad_alpha: alpha was multiplied by old, not by new": backward_with(
                grad_alpha=lambda f: (f["grad"] * f["new"]).sum((0, 2, 3), keepdim=True)
            ),
            "grad_alpha: alpha has one number for each channel, so sum over pictures and positions": backward_with(
                grad_alpha=lambda f: f["grad"] * f["old"]
            ),
            "grad_alpha: sum over the pictures, too": backward_with(
                grad_alpha=lambda f: (f["grad"] * f["old"]).sum((2, 3), keepdim=True)
            ),
            "grad_alpha is a sum over pictures and positions, not a mean": backward_with(
                grad_alpha=lambda f: (f["grad"] * f["old"]).mean((0, 2, 3), keepdim=True)
            ),
            "grad_alpha has the shape of alpha: keepdim=True": backward_with(
                grad_alpha=lambda f: (f["grad"] * f["old"]).sum((0, 2, 3))
            ),
        },
        call=by_hand,
    ),
    "07.4": FillIn(
        Careful,
        layers,
        hints=(
            "backward returns one value for each input of forward after ctx: None for the layer, then the gradients of x and "
            "of all weights, in the order in which they came in.",
            "Compute the layer again under torch.enable_grad() from x.detach().requires_grad_(), and return None, "
            "*torch.autograd.grad(y, [x, *layer.parameters()], grad).",
        ),
        wrong={
            "the weights get no gradient: return one for each, in the order in which they came in": NoGradientForWeights,
            "x gets no gradient: the layers before this one would not train": NoGradientForInput,
            "the gradient that comes in is not used: it is the third argument of autograd.grad": GradientOfTheSum,
            "the weights' gradients are doubled: y.backward adds them to .grad, and autograd adds what you return. Use "
            "torch.autograd.grad": Doubled,
            "backward returned 2 values for 6 inputs: None for the layer, x, then each weight": TooFew,
            NOT_AGAIN: KeptGraph,
            MORE_KEPT: KeptOutput,
            NOT_UNDER: WithoutNotes,
            NOT_ASKED: (no_requires_grad(lambda x: x), no_requires_grad(lambda x: x.detach())),
        },
        call=trained,
    ),
    "07.5": Design(
        measured_network,
        limits={
            "million parameters": ("at most", 6),
            "columns": ("at least", 12),
            "channels in P2": ("at least", 16),
            "MiB between the passes": ("at most", 0.7),
            "right digits of the gradients": ("at least", 4.5),
        },
        hints=(
            "Which of the three numbers decides about parameters, which about memory, which about precision? Change one at "
            "a time.",
            "A width of 0.25 and 12 columns keep the parameters. Segment 1 remembers too much; each further column in a "
            "segment costs about half a digit.",
        ),
        wrong={
            "MiB between the passes, allowed are at most 0.7": {"width": 0.25, "columns": 12, "segment": 1},
            "right digits of the gradients, needed are at least 4.5": {"width": 0.25, "columns": 12, "segment": 8},
            "0.74 MiB between the passes, allowed are at most 0.7": {"width": 0.25, "columns": 12, "segment": 2},
            "8 channels in P2, needed are at least 16": {"width": 0.125, "columns": 12, "segment": 1},
            "8 columns, needed are at least 12": {"width": 0.25, "columns": 8, "segment": 3},
            "million parameters, allowed are at most 6": {"width": 0.5, "columns": 12, "segment": 3},
            "segment=-1: it must be a whole number": {"width": 0.25, "columns": 12, "segment": -1},
        },
    ),
}
