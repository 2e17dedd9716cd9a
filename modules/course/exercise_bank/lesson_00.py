"""Exercises of lesson 00: intersection over union, average precision, counting steps, a training that fits a budget."""

from functools import cache

import numpy as np
import torch
from torchvision.ops import box_iou
from ultralytics.nn import tasks

from modules.course.exercise_bank import Design, FillIn, Predict
from modules.course.fire import fire_pictures, read_boxes
from modules.course.measure import gmac


# --------------------------------------------------------------------------------------------------- 00.1 a shifted box
def first_wrong_shifts() -> tuple:
    """The first whole shift in pixels at which a box of 100x100 has an IoU below 0.5 with itself, and one of 10x10."""
    return tuple(next(d for d in range(size) if iou_after_shift(size, d) < 0.5) for size in (100, 10))


def iou_after_shift(size: int, shift: int) -> float:
    label = torch.tensor([[0.0, 0.0, size, size]])
    found = label + torch.tensor([shift, 0.0, shift, 0.0])
    return box_iou(label, found).item()


# --------------------------------------------------------------------------------------------------- 00.2 pairwise IoU
def boxes(n: int, dtype=torch.float32) -> torch.Tensor:
    corner = 50 * torch.rand(n, 2, dtype=dtype)
    return torch.cat([corner, corner + 1 + 40 * torch.rand(n, 2, dtype=dtype)], dim=1)


def pairs_of_boxes() -> list[tuple]:
    apart = torch.tensor([[0.0, 0, 2, 2], [10, 10, 14, 13], [0, 10, 3, 14]])  # right of it, below it, and both
    return [
        (boxes(1), boxes(1)),
        (apart, torch.tensor([[5.0, 5, 8, 9], [1, 1, 3, 3]])),
        (boxes(4), boxes(3)),
        (boxes(2, torch.float64), boxes(5, torch.float64)),
        (torch.zeros(0, 4), boxes(3)),  # a picture in which nothing was found
    ]


def areas(boxes: torch.Tensor) -> torch.Tensor:
    return (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])


def overlaps(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Width and height of what each pair shares, below 0 where they do not meet: (N, M, 2)."""
    return torch.minimum(a[:, None, 2:], b[:, 2:]) - torch.maximum(a[:, None, :2], b[:, :2])


def iou_of(shared=lambda sides: sides.clamp(min=0).prod(-1), over=lambda a, b, shared: a + b - shared):
    """Pairwise IoU whose shared area, or whose divisor, is computed otherwise."""

    def function(a, b):
        common = shared(overlaps(a, b))
        return common / over(areas(a)[:, None], areas(b), common)

    return function


def one_pixel_more(a, b):
    wider = torch.tensor([0, 0, 1, 1])
    return iou_of()(a + wider.to(a), b + wider.to(b))


def centre_and_size(a, b):
    a, b = (torch.cat([t[:, :2] - t[:, 2:] / 2, t[:, :2] + t[:, 2:] / 2], 1) for t in (a, b))
    return iou_of()(a, b)


def box_around_both(a, b):
    hull = torch.maximum(a[:, None, 2:], b[:, 2:]) - torch.minimum(a[:, None, :2], b[:, :2])
    return overlaps(a, b).clamp(min=0).prod(-1) / hull.prod(-1)


# --------------------------------------------------------------------------------------------------- 00.3 steps
def changes_of_the_weights() -> tuple:
    """Changes in 28 epochs of 480 pictures in batches of 8, gathered until there are 8, or 64, pictures."""
    return tuple(count_changes(nbs) for nbs in (8, 64))


def count_changes(nbs: int) -> int:
    changes = waiting = 0
    for _ in range(28 * 480 // 8):
        waiting += 8
        if waiting >= nbs:
            changes, waiting = changes + 1, 0
    return changes


# --------------------------------------------------------------------------------------------------- 00.4 AP
def average_precision(right: torch.Tensor, fires: int) -> float:
    """Area under the curve of precision over recall, after the envelope; `right` is sorted by confidence."""
    precision, recall = curve(right, fires)
    return under_steps(recall, from_behind(precision))


def curve(right, fires):
    return right.cumsum(0) / torch.arange(1, len(right) + 1), right.cumsum(0) / fires


def from_behind(precision):
    return precision.flip(0).cummax(0).values.flip(0)


def under_steps(recall, precision) -> float:
    return (recall.diff(prepend=torch.zeros(1)) * precision).sum().item()


def found_boxes() -> list[tuple]:
    by_hand = [([1, 1, 0, 0, 1], 3), ([0, 1, 0, 1, 1], 4), ([1], 2), ([0, 0], 1), ([1, 1, 0, 1, 0, 0], 4)]
    random = [(torch.rand(n).round().tolist(), n) for n in (7, 20)]
    return [(torch.tensor(right, dtype=torch.float32), fires) for right, fires in by_hand + random]


def no_envelope(right, fires):
    precision, recall = curve(right, fires)
    return under_steps(recall, precision)


def envelope_from_the_front(right, fires):
    precision, recall = curve(right, fires)
    return under_steps(recall, precision.cummax(0).values)


def recall_of_what_was_found(right, fires):
    return average_precision(right, max(right.sum().item(), 1))


def mean_over_boxes(right, fires):
    return from_behind(curve(right, fires)[0]).mean().item()


def last_point_only(right, fires):
    precision, recall = curve(right, fires)
    return (precision[-1] * recall[-1]).item()


# --------------------------------------------------------------------------------------------------- 00.5 a plan
@cache
def sides_of_fires() -> np.ndarray:
    """The square root of each training box's area, as a part of the picture's side."""
    found = np.concatenate([read_boxes(picture) for picture in fire_pictures("train")])
    return np.sqrt(found[:, 2] * found[:, 3])


@cache
def cost_of_a_picture(imgsz: int) -> float:
    """Billion multiply-adds of yolo11n-TinyNet, forward."""
    config = {**tasks.yaml_model_load("yolo11n-TinyNet.yaml"), "nc": 1}
    return gmac(tasks.DetectionModel(config, verbose=False).eval(), torch.zeros(1, 3, imgsz, imgsz))


def measured_plan(plan: dict) -> dict:
    """What a training on the fire set does and costs that changes the weights after every batch."""
    if not isinstance(plan, dict) or plan.keys() != {"imgsz", "epochs", "batch"}:
        raise ValueError(f"a dictionary with imgsz, epochs and batch is asked for, and this is {plan!r}")
    for name, value in plan.items():
        if type(value) is not int or value < 1 or (name == "imgsz" and (value % 32 or value > 640)):
            allowed = "a multiple of 32 up to 640" if name == "imgsz" else "a whole number above 0"
            raise ValueError(f"{name}={value!r}: give {allowed}")
    pictures = len(fire_pictures("train"))
    costs = 3 * cost_of_a_picture(plan["imgsz"]) * pictures * plan["epochs"]  # backward costs twice the forward
    wide = sides_of_fires() * plan["imgsz"] >= 16
    return {
        "changes of the weights": plan["epochs"] * -(-pictures // plan["batch"]),
        "pictures a change": plan["batch"],
        "percent of the fires two cells of P3 wide": round(100 * wide.mean().item(), 1),
        "trillion multiply-adds": round(costs / 1000, 2),
    }


EXERCISES = {
    "00.1": Predict(
        first_wrong_shifts,
        hints=(
            "A box of side s that is shifted by d shares (s - d) * s pixels with its label. And the union?",
            "The union is s * s + d * s, so the IoU is (s - d) / (s + d). Solve for one half.",
        ),
        wrong={
            "half of the box is still shared there, but the union has grown too": (50, 5),
            "at half the side plus one the IoU is far below 0.5: the union grows with the shift": (51, 6),
            "there the IoU is still above 0.5": (33, 3),
            "a small box has not the same tolerance in pixels": (34, 34),
            "what both boxes share counts once in the union, not twice": (1, 1),
        },
    ),
    "00.2": FillIn(
        box_iou,
        pairs_of_boxes,
        hints=(
            "Give the first boxes one more dimension, a[:, None], and minimum and maximum compare each with each.",
            "Where two boxes do not meet, the width or the height comes out below 0. clamp(min=0) both before you "
            "multiply. The union is the one area plus the other minus what is shared.",
        ),
        wrong={
            "boxes that do not meet share nothing: a width or height below 0 must become 0": iou_of(
                lambda sides: sides.prod(-1)
            ),
            "two sides below 0 make an area above 0: clamp width and height, not their product": iou_of(
                lambda sides: sides.prod(-1).clamp(min=0)
            ),
            "the union counts what is shared twice: subtract it once": iou_of(over=lambda a, b, shared: a + b),
            "divided by the smaller box: divide by the union": iou_of(over=lambda a, b, shared: torch.minimum(a, b)),
            "divided by the label's area alone: divide by the union": iou_of(over=lambda a, b, shared: 0 * a + b),
            "divided by the box around both: the union leaves out its empty corners": box_around_both,
            "the boxes of `a` go down and those of `b` across: this is (M, N)": lambda a, b: iou_of()(b, a),
            "a box from 0 to 2 is 2 wide: do not add a pixel": one_pixel_more,
            "the four numbers are two corners, not a centre and a size": centre_and_size,
            "uses box_iou, which the task rules out": box_iou,
        },
        ruled_out=(box_iou,),
    ),
    "00.3": Predict(
        changes_of_the_weights,
        hints=(
            "The gradients of several batches are summed up until `nbs` pictures have been seen. Then the weights change.",
            "The number of changes is epochs * pictures / pictures for one change.",
        ),
        wrong={
            "`nbs` decides how many pictures are gathered for one change, so the two differ": (1680, 1680),
            "this is one epoch, there are 28": (60, 7),
            "the weights change far more often than once an epoch": (28, 28),
            "one picture does not change the weights, a batch of 8 does": (13440, 1680),
            "this is the batches of the second run; with nbs=64 eight of them are gathered": (13440, 210),
            "the smaller nbs gives more changes": (210, 1680),
        },
    ),
    "00.4": FillIn(
        average_precision,
        found_boxes,
        hints=(
            "Three steps: precision and recall after each box, the envelope, the area. cumsum and cummax do the work.",
            "The envelope is the largest precision from here to the end: flip, cummax, flip. The area sums up, box by box, "
            "the step of recall times the envelope. The first step begins at recall 0.",
        ),
        wrong={
            "the envelope is missing: a lower threshold may raise the precision again": no_envelope,
            "the envelope looks ahead, at the best precision still to come: this one looks back": envelope_from_the_front,
            "recall divides by the labelled fires, not by those that were found": recall_of_what_was_found,
            "averaged over the boxes: each step of recall counts, and a false alarm has none": mean_over_boxes,
            "this is one threshold, the lowest: the area goes through all of them": last_point_only,
        },
    ),
    "00.5": Design(
        measured_plan,
        limits={
            "changes of the weights": ("at least", 1500),
            "pictures a change": ("at least", 8),
            "percent of the fires two cells of P3 wide": ("at least", 85),
            "trillion multiply-adds": ("at most", 12),
        },
        hints=(
            "Begin with the smallest pictures on which enough fires are wide enough. What is left for the epochs?",
            "The cost grows with the square of imgsz and with the epochs; the changes are epochs * 480 / batch.",
        ),
        wrong={
            "76.8 percent of the fires two cells of P3 wide, needed are at least 85": {
                "imgsz": 192,
                "epochs": 28,
                "batch": 8,
            },
            "trillion multiply-adds, allowed are at most 12": {"imgsz": 640, "epochs": 100, "batch": 16},
            "840 changes of the weights, needed are at least 1,500": {"imgsz": 256, "epochs": 28, "batch": 16},
            "4 pictures a change, needed are at least 8": {"imgsz": 256, "epochs": 28, "batch": 4},
            "imgsz=250: give a multiple of 32 up to 640": {"imgsz": 250, "epochs": 28, "batch": 8},
        },
    ),
}
