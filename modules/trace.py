# Written by notebooks/01_from_yaml_to_network.ipynb. Edit the lesson, then run `make modules`.
"""Print every row of a model with its shapes, its stride and its parameters."""

from typing import NamedTuple

import torch
from torch import nn
from ultralytics import YOLO


class Row(NamedTuple):
    """One row of a built model. Shapes are without the batch: (channels, height, width)."""

    index: int
    source: int | list[int]
    module: str
    inputs: list[tuple]
    outputs: list[tuple]
    stride: float | None
    parameters: int


def shapes(x) -> list[tuple]:
    """Shapes of the tensors in a layer's input or output, without the batch."""
    tensors = x.values() if isinstance(x, dict) else x if isinstance(x, (list, tuple)) else [x]
    return [tuple(t.shape[1:]) for t in tensors if isinstance(t, torch.Tensor)]


def model_rows(model: str, imgsz: int = 640) -> list[Row]:
    """Build `model` from its YAML, run it once on an empty square picture of `imgsz` pixels, and note every row.

    Raises:
        ModelError: the model cannot be built; the message names the row.
        ValueError: `imgsz` is no multiple of 32.
    """
    if isinstance(imgsz, bool) or not isinstance(imgsz, int) or imgsz < 32 or imgsz % 32:
        raise ValueError(f"imgsz={imgsz!r}: give a multiple of 32 pixels, as 640.")
    net = YOLO(model).model.eval()
    rows = []

    def note(layer: nn.Module, given: tuple, out) -> None:
        outputs = shapes(out)
        stride = imgsz / outputs[0][-1] if len(outputs) == 1 and len(outputs[0]) == 3 else None
        parameters = sum(p.numel() for p in layer.parameters())
        rows.append(Row(layer.i, layer.f, type(layer).__name__, shapes(given[0]), outputs, stride, parameters))

    hooks = [layer.register_forward_hook(note) for layer in net.model]
    with torch.no_grad():
        net(torch.zeros(1, 3, imgsz, imgsz))
    for hook in hooks:
        hook.remove()
    return rows


def trace(model: str, imgsz: int = 640) -> None:
    """Print every row of `model`: index, from, class, input and output shape, stride, parameters."""

    def text(shapes: list[tuple]) -> str:
        return " + ".join("x".join(map(str, shape)) for shape in shapes)

    rows = model_rows(model, imgsz)
    print(f"{'row':>3} {'from':>12} {'module':<12} {'parameters':>10} {'stride':>6}  input -> output")
    for row in rows:
        stride = f"{row.stride:g}" if row.stride else ""
        print(
            f"{row.index:>3} {row.source!s:>12} {row.module:<12} {row.parameters:>10,} {stride:>6}  "
            f"{text(row.inputs)} -> {text(row.outputs)}"
        )
    print(f"{sum(row.parameters for row in rows):,} parameters at {imgsz} x {imgsz} pixels")
