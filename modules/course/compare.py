"""Say in one line how an answer differs from the right one: which dimension, which type, by which factor."""

import torch
from torch import nn


def difference(got, want, tolerance: float = 1e-4) -> str:
    """What is wrong with `got`, as "is 8 long in dimension 1, and should be 16"; an empty text where nothing is.

    Tensors, numbers, texts, lists of them, and dictionaries of them, whose keys name the parts.
    """
    if got is None and want is not None:
        return "returns None: is a `return` missing?"
    if isinstance(want, dict):
        return part_fault(got, want, tolerance)
    if isinstance(want, (list, tuple)):
        return entry_fault(got, want, tolerance)
    if isinstance(want, torch.Tensor):
        if not isinstance(got, torch.Tensor):
            return f"returns a {type(got).__name__}, not a tensor"
        return shape_fault(got, want) or type_fault(got, want) or number_fault(got.detach(), want.detach(), tolerance)
    if isinstance(got, torch.Tensor):
        if got.numel() != 1:
            return f"returns a tensor of shape {tuple(got.shape)}, not a {type(want).__name__}"
        got = got.item()
    if isinstance(want, float) and isinstance(got, (int, float)):
        return "" if abs(got - want) <= tolerance * abs(want) else f"is {got:.6g}, not {want:.6g}"
    return "" if got == want else f"is {got}, not {want}"


def part_fault(got, want: dict, tolerance: float) -> str:
    """Which part is wrong, by its name."""
    if not isinstance(got, dict):
        return f"returns a {type(got).__name__}, which is not what is asked for"
    for name, part in want.items():
        if name not in got:
            return f"has nothing under {name!r}"
        if fault := difference(got[name], part, tolerance):
            return f"{name} {fault}"
    extra = [name for name in got if name not in want]
    return f"has {extra[0]!r}, which is not asked for" if extra else ""


def entry_fault(got, want: list | tuple, tolerance: float) -> str:
    """Which entry is wrong, as "[2] is 5, not 6", counted from 0."""
    if not isinstance(got, (list, tuple)):
        return f"returns a {type(got).__name__}, not a {type(want).__name__}"
    if len(got) != len(want):
        return f"has {len(got)} entries, not {len(want)}"
    for i, (entry, right) in enumerate(zip(got, want)):
        if fault := difference(entry, right, tolerance):
            return f"[{i}]{fault}" if fault.startswith("[") else f"[{i}] {fault}"
    return ""


def shape_fault(got: torch.Tensor, want: torch.Tensor) -> str:
    """Which dimension is wrong."""
    a, b = tuple(got.shape), tuple(want.shape)
    if a == b:
        return ""
    if len(a) != len(b):
        return f"has {len(a)} dimensions, {a}, not {len(b)}, {b}"
    if sorted(a) == sorted(b):
        return f"has its dimensions in another order: {a}, not {b}"
    first = next(i for i, (m, n) in enumerate(zip(a, b)) if m != n)
    return f"is {a[first]} long in dimension {first}, and should be {b[first]}: {a}, not {b}"


def type_fault(got: torch.Tensor, want: torch.Tensor) -> str:
    """Whether the numbers have another type."""
    if got.dtype == want.dtype:
        return ""
    return f"has dtype {str(got.dtype).removeprefix('torch.')}, not {str(want.dtype).removeprefix('torch.')}"


def number_fault(got: torch.Tensor, want: torch.Tensor, tolerance: float) -> str:
    """How numbers of the right shape and type differ."""
    if close(got, want, tolerance):
        return ""
    if not got.is_floating_point():
        return f"differs in {(got != want).float().mean():.0%} of the numbers"
    if not got.isfinite().all():
        return "holds NaN or infinity"
    factor = ((got * want).sum() / want.square().sum()).item()
    if abs(factor) > 1e-3 and close(got, factor * want, tolerance * abs(factor)):
        return f"is {factor:.3g} times what it should be"
    if close(got.flatten().sort().values, want.flatten().sort().values, tolerance):
        return f"has the right numbers in the wrong places{first_misplaced(got, want)}"
    if want.ndim == 4 and min(want.shape[2:]) > 4 and close(got[..., 2:-2, 2:-2], want[..., 2:-2, 2:-2], tolerance):
        return "is right inside and wrong at the border of the map"
    off = (got - want).abs()
    share = (off > tolerance * want.abs().max()).float().mean()
    return f"differs in {share:.0%} of the numbers, by up to {off.max():.2g}"


def first_misplaced(got: torch.Tensor, want: torch.Tensor) -> str:
    """The first entry that is wrong, where it is short and holds whole numbers, which a reader can follow."""
    i, entry, right = next((i, a, b) for i, (a, b) in enumerate(zip(got, want)) if not torch.equal(a, b))
    if entry.numel() > 9 or not torch.equal(entry, entry.round()):
        return ""
    entry, right = ([int(value) for value in part.flatten()] for part in (entry, right))
    return f": [{i}] holds {entry}, and should hold {right}"


def close(a: torch.Tensor, b: torch.Tensor, tolerance: float) -> bool:
    """Whether no number differs by more than `tolerance` of the largest one."""
    if not a.is_floating_point() or not a.numel():
        return torch.equal(a, b)
    return bool((a - b).abs().max() <= tolerance * b.abs().max().clamp(min=1e-12))


def same(a, b) -> bool:
    """Whether two inputs of a function hold the same: tensors, modules, plain values, lists of them."""
    if isinstance(a, torch.Tensor):
        return a.shape == b.shape and torch.equal(a, b)
    if isinstance(a, nn.Module):
        return same(a.state_dict(), b.state_dict())
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[name], b[name]) for name in a)
    if isinstance(a, (list, tuple)):
        return type(a) is type(b) and len(a) == len(b) and all(map(same, a, b))
    return callable(a) or a == b


def shapes(args) -> str:
    """The inputs of a case in words: shapes of tensors, modules by what tells them apart, plain values."""
    return ", ".join(map(in_words, args))


def in_words(value) -> str:
    if isinstance(value, torch.Tensor):
        return str(tuple(value.shape)) + (" in float64" if value.dtype == torch.float64 else "")
    if isinstance(value, nn.Conv2d):
        sides = "x".join(map(str, value.kernel_size))
        groups = f" in {value.groups} groups" if value.groups > 1 else ""
        return f"conv {value.in_channels}->{value.out_channels} {sides}{groups}"
    if isinstance(value, nn.BatchNorm2d):
        return "a norm"
    if isinstance(value, nn.Module):
        return type(value).__name__
    if isinstance(value, (list, tuple)) and value and isinstance(value[0], (torch.Tensor, nn.Module)):
        return f"[{shapes(value)}]"
    if isinstance(value, dict):
        return "{" + shortened(", ".join(map(str, value))) + "}"
    return shortened(str(value))


def shortened(text: str) -> str:
    return text if len(text) < 90 else text[:80] + " ..."
