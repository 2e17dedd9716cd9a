"""Weights of a model that was never trained."""

from ultralytics import YOLO


def save(yolo: YOLO, path: str) -> None:
    """Write a checkpoint. Ultralytics 8.3.0 adds to the one that the model came from, so there has to be one."""
    yolo.ckpt = yolo.ckpt or {}
    yolo.save(path)
