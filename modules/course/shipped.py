"""Weights that come with the course, trained on the fire set: `load("yolo11n-RepViT")`.

A file of results/weights/ holds plain numbers in half precision, and as text the model's YAML: nothing in it is run.
"""

import hashlib
import json
import os
from copy import deepcopy
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from ultralytics import YOLO
from ultralytics.nn.tasks import DetectionModel

from .errors import InputError, nothing_left
from .files import replace
from .quiet import quiet
from .results import RESULTS

FOLDER = RESULTS / "weights"


def names() -> list[str]:
    """The models whose trained weights come with the course."""
    return sorted(path.stem for path in FOLDER.glob("*.safetensors"))


def load(name: str) -> YOLO:
    """A detector trained on the fire set, as `load("yolo11n-RepViT")`; `names()` lists them.

    Raises:
        InputError: the course has no weights of this name.
    """
    with quiet():
        return YOLO(str(checkpoint(name)))


def checkpoint(name: str) -> Path:
    """The same as a .pt file, which Ultralytics' commands take. It is written to runs/fire/ once."""
    name = name.removeprefix("fire/")
    path = FOLDER / f"{name}.safetensors"
    if not path.is_file():
        raise InputError(
            f"model=fire/{name}: the course has no weights of this name; it has {', '.join(names()) or 'none yet'}."
        )
    number = hashlib.sha256(path.read_bytes()).hexdigest()[:8]
    written = Path(os.environ.get("COURSE_RUNS", "runs")).resolve() / "fire" / number / f"{name}.pt"
    if not written.is_file():
        written.parent.mkdir(parents=True, exist_ok=True)
        network, facts = unpack(path)
        held = {"model": network.half(), "epoch": -1, "train_args": {"task": "detect", "imgsz": facts["imgsz"]}}
        held["confidence"] = facts.get("confidence")
        with nothing_left(written.parent):
            replace(written, lambda beside: torch.save(held, beside))
    return written


def pack(network: DetectionModel, path: Path, **facts) -> None:
    """Write a network's weights and YAML, and `facts` about them. Vectors keep 32 bits: they are few, and some tiny."""
    tensors = {
        key: tensor.half().contiguous() if tensor.is_floating_point() and tensor.ndim > 1 else tensor.contiguous()
        for key, tensor in network.float().state_dict().items()
    }
    rows = {key: value for key, value in network.yaml.items() if key != "yaml_file"}
    facts = {"yaml": rows, "names": {str(i): name for i, name in network.names.items()}, **facts}
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(tensors, path, {key: json.dumps(value) for key, value in facts.items()})


def unpack(path: Path) -> tuple[DetectionModel, dict]:
    """The network that `pack` wrote, and its facts."""
    with safe_open(path, "pt") as file:
        facts = {key: json.loads(value) for key, value in file.metadata().items()}
    with quiet():
        network = DetectionModel(deepcopy(facts["yaml"]), nc=len(facts["names"]), verbose=False)
    network.load_state_dict(load_file(path))
    network.names = {int(i): name for i, name in facts["names"].items()}
    return network.eval(), facts
