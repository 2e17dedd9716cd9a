"""What a training step of a whole detector costs, plain and with RevCol's memory saving."""

from torch import nn
from ultralytics import YOLO
from ultralytics.cfg import get_cfg

from .contract.checks import detection_batch
from .fire import fire_pictures
from .measure import compare_speed
from .memory import step_memory

HEADER = "scale  px  batch   plain MiB  segment 1 MiB  ratio   plain s  segment 1 s  ratio"
LIMIT = 4096  # MiB; a laptop may not have more to spare


def revcol_detector(scale: str) -> nn.Module:
    """YOLO11 with RevCol at a scale, ready for training steps."""
    model = YOLO(f"yolo11{scale}-RevColV1.yaml").model.train()
    model.args = get_cfg()
    return model


def compare_steps(detector: nn.Module, imgsz: int, count: int) -> tuple[list[float], list[float]]:
    """Training steps on `count` pictures, plain and with segment 1: the two peaks in MiB, the two times in seconds."""
    batch, backbone = detection_batch(fire_pictures()[:count], imgsz, imgsz), detector.model[0]

    def loss(segment):
        backbone.segment = segment
        return detector.loss(batch)[0].sum()

    peaks = [step_memory(lambda s=s: loss(s), detector.parameters()).peak for s in (0, 1)]
    speed = compare_speed({s: lambda s=s: loss(s).backward() for s in (0, 1)}, rounds=3 if count == 1 else 1)
    return peaks, [speed.median(0), speed.median(1)]


def print_step_costs(scale: str, imgsz: int) -> None:
    """Two rows for HEADER, with batches of 1 and 8. A plain step that needs more than LIMIT is only estimated."""
    detector = revcol_detector(scale)
    one, seconds = compare_steps(detector, imgsz, 1)
    print(row(scale, imgsz, 1, one, seconds))
    if 8 * one[0] > LIMIT:
        print(f"{row(scale, imgsz, 8, [8 * peak for peak in one])}   (8 times a batch of 1, not run)")
    else:
        print(row(scale, imgsz, 8, *compare_steps(detector, imgsz, 8)))


def row(scale, imgsz, count, peaks, seconds=None) -> str:
    start = f"{scale:5}{imgsz:4}{count:7}{peaks[0]:12.0f}{peaks[1]:15.0f}{peaks[1] / peaks[0]:7.2f}"
    return start + (f"{seconds[0]:10.2f}{seconds[1]:13.2f}{seconds[1] / seconds[0]:7.2f}" if seconds else "")
