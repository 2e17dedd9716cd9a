"""Run columns there and back, and say how much was lost. Lesson 07 measures with it how far columns can be undone."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

Maps = list[Tensor]


@torch.no_grad()
def wake(module: nn.Module, alpha: float = 0.5) -> nn.Module:
    """Give all weights an ordinary size. As they start, `gamma` of 1e-6 makes blocks that do almost nothing."""
    for name, p in module.named_parameters():
        if "alpha" in name:
            p.fill_(alpha)
        elif "gamma" in name:
            p.normal_(0, 0.3)
        elif p.ndim > 1:
            p.normal_(0, p[0].numel() ** -0.5)
    return module


@torch.no_grad()
def there_and_back(columns: Sequence[nn.Module], stem: Tensor, undo: Callable) -> tuple[list[Maps], list[Maps]]:
    """The maps after each column on the way there, and the same as found again from the last ones alone.

    Column 0 starts from zeros. `undo(column, stem, maps)` gives the maps of the column before.
    """
    there = [columns[0](stem, [torch.zeros(())] * 4)]
    for column in columns[1:]:
        there.append(column(stem, there[-1]))
    back = [there[-1]]
    for column in reversed(columns[1:]):
        back.insert(0, undo(column, stem, back[0]))
    return there, back


def relative_error(found: Sequence[Tensor], right: Sequence[Tensor]) -> float:
    """How far all of `found` are from `right`, in units of the size of `right`."""
    wrong = sum((f - r).square().sum() for f, r in zip(found, right))
    return (wrong / sum(r.square().sum() for r in right)).sqrt().item()


def errors_back(columns: Sequence[nn.Module], stem: Tensor, undo: Callable) -> list[float]:
    """The relative error of the maps after 1, 2, ... of the columns were undone."""
    there, back = there_and_back(columns, stem, undo)
    return [relative_error(b, t) for b, t in zip(back, there)][-2::-1]


def watch_way_back(columns: Sequence[nn.Module], stem: Tensor, segment_end: type) -> list[tuple[int, int, list]]:
    """Run `columns` as one segment and let it run back.

    Returns (column, level, state) for each level that is computed again: of which columns the maps in the state are at
    that moment, found by comparing them with the maps of the way there. "-" where it holds no map of these columns.
    """
    there, state, maps, moments = [], [None] * 4, [torch.zeros(())] * 4, []

    def owner(i, found):
        same = (k for k, maps in enumerate(there) if found is not None and torch.allclose(found, maps[i], atol=1e-3))
        return next(same, "-")

    for k, column in enumerate(columns):
        maps = column(stem, maps, state, begins=k == 0)
        there.append([m.detach() for m in maps])
        for i in range(4):
            note = lambda *_, k=k, i=i: moments.append((k, i, [owner(j, m) for j, m in enumerate(state)]))  # noqa: E731
            column.part(i)[0].register_forward_pre_hook(note)
    sum(m.sum() for m in segment_end.apply(state, *maps)).backward()
    return moments


def gradients(net: nn.Module, segment: int, x: Tensor) -> list[Tensor]:
    """Gradients of all weights of `net`, with the same drop path masks and the same loss for every `segment`."""
    net.segment = segment
    net.zero_grad()
    torch.manual_seed(0)
    weigh = torch.Generator().manual_seed(0)
    sum((m * torch.randn(m.shape, generator=weigh)).mean() for m in net(x)).backward()
    return [p.grad.clone() for p in net.parameters()]


def worst_errors(net: nn.Module, segments: Sequence[int], x: Tensor) -> dict[int, float]:
    """For each segment, the relative error of the gradient of the worst of all weight tensors."""
    plain = gradients(net, 0, x)
    return {
        segment: max(
            ((ours - right).norm() / right.norm().clamp(min=1e-9)).item()
            for ours, right in zip(gradients(net, segment, x), plain)
        )
        for segment in segments
    }
