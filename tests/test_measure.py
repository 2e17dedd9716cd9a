"""modules/course/measure.py counts what a pencil counts, and is not fooled by a slow moment."""

import time

import torch
from torch import nn

from modules.course.measure import Speed, compare_speed, gmac, parameters


def test_parameters():
    assert parameters(nn.Conv2d(3, 8, 5, bias=True)) == 3 * 8 * 25 + 8


def test_gmac_counts_convolutions_and_attention():
    conv = nn.Conv2d(16, 32, 3, padding=1)
    assert gmac(conv, torch.randn(2, 16, 10, 10)) == 2 * 32 * 16 * 9 * 100 / 1e9
    q = torch.randn(1, 2, 49, 8)
    assert gmac(nn.functional.scaled_dot_product_attention, q, q, q) == 2 * (2 * 49 * 49 * 8) / 1e9


def test_gmac_takes_any_callable_and_leaves_no_graph():
    seen = []
    gmac(lambda x: seen.append(nn.functional.linear(x, x)), torch.randn(4, 4, requires_grad=True))
    assert not seen[0].requires_grad


def test_ratio_is_paired_by_round():
    """A machine that is ten times slower in some rounds does not change the ratio."""
    speed = Speed({"a": [1.0, 10.0, 1.0, 10.0, 1.0], "b": [2.0, 20.0, 2.0, 20.0, 2.0]})
    assert speed.ratio("b") == 2 and speed.ratio("a", to="b") == 0.5 and speed.median("a") == 1


def test_functions_take_turns():
    order = []
    speed = compare_speed({"a": lambda: order.append("a"), "b": lambda: order.append("b")}, rounds=3)
    assert order == ["a", "b"] * 4  # one untimed turn
    assert [len(seconds) for seconds in speed.rounds.values()] == [3, 3]


def test_a_slower_function_has_a_larger_ratio():
    speed = compare_speed({"short": lambda: time.sleep(0.005), "long": lambda: time.sleep(0.05)}, rounds=5)
    assert speed.ratio("long") > 2
    lines = str(speed).splitlines()
    assert len(lines) == 3 and "in units of short" in lines[0] and lines[2].startswith("long")
