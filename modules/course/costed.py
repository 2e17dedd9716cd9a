"""What can be measured: the course's backbones, their peers in timm, and detectors made from a model YAML."""

import io
import re
import warnings
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path

import timm
import torch
from timm.utils.model import reparameterize_model
from torch import nn
from ultralytics import YOLO
from ultralytics.nn import tasks

import modules

from .contract import StridesAreNumbers
from .counting import Count, count
from .errors import InputError, read_yaml
from .inputs import similar
from .quiet import quiet, tensors_in

PEERS = (
    *("mobilenetv3_large_100", "mobilevit_xxs", "efficientnet_b0", "resnet18"),
    *("convnext_atto", "fastvit_t8", "swin_tiny_patch4_window7_224"),
)
STOCK = ("yolo11n", "yolov10n")  # the detectors that those of cfg/ are made from
CFG = Path(modules.__file__).parent / "cfg"


class Backbone:
    """One of the course's backbones, at the size that its authors publish, without a classifier."""

    kind, imgsz = "course", 224

    def __init__(self, name: str):
        self.name = name

    def build(self, device: str) -> nn.Module:
        with torch.device(device):
            return getattr(modules, self.name)()

    def count(self) -> Count:
        """For one picture, on the meta device, where no size is too large."""
        network = self.build("meta").eval()
        return count(network, network, torch.empty(1, 3, self.imgsz, self.imgsz, device="meta"))

    def fused(self, network: nn.Module) -> nn.Module | None:
        """A copy as it is used after training, or None where nothing can be fused."""
        copy = deepcopy(network).eval()
        if not hasattr(copy, "fuse"):
            return None
        copy.fuse()
        return copy


class Peer(Backbone):
    """A model of timm, which returns its maps as ours do, and has no classifier."""

    kind = "timm"

    def build(self, device: str) -> nn.Module:
        with torch.device(device):
            return timm.create_model(self.name, features_only=True)

    def fused(self, network: nn.Module) -> nn.Module | None:
        copy = reparameterize_model(network.eval())
        return copy if len(copy.state_dict()) < len(network.state_dict()) else None


class Detector(Backbone):
    """A whole YOLO model, as a model YAML describes it, for one class."""

    kind, imgsz = "detector", 320

    def build(self, device: str) -> nn.Module:
        with quiet(), torch.device(device), StridesAreNumbers():
            return tasks.DetectionModel(f"{self.name}.yaml", nc=1, verbose=False)

    def fused(self, network: nn.Module) -> nn.Module:
        with quiet():
            return deepcopy(network).eval().fuse(verbose=False)


def detectors() -> list[str]:
    """Every model of cfg/ at every scale that it has, as yolo11n-EMO."""
    names = []
    for path in sorted(CFG.glob("*.yaml")):
        family, rest = re.fullmatch(r"(yolov?\d+)(.*)", path.stem).groups()
        scales = read_yaml(path).get("scales", {})
        if rest.startswith("b-"):  # a file of its own for scale b
            names.append(path.stem)
        else:
            names += [
                f"{family}{scale}{rest}" for scale in scales if not (CFG / f"{family}{scale}{rest}.yaml").exists()
            ]
    return names


def everything() -> list[Backbone]:
    """All of the course, its peers in timm, and the detectors that its own are compared with."""
    ours = [cls.__name__ for cls in modules.BACKBONES if cls is not modules.FasterNet]  # the same as fasternet_t0
    return [*map(Backbone, ours), *map(Peer, PEERS), *map(Detector, (*STOCK, *detectors()))]


def named(name: str) -> Backbone:
    """What a reader calls so: a class of the course, a model YAML without or with `.yaml`, or a model of timm.

    Raises:
        InputError: there is nothing of that name.
    """
    known = {entry.name: entry for entry in everything()}
    stem = name.removesuffix(".yaml")
    if stem in known:
        return known[stem]
    if hasattr(modules, stem) and getattr(modules, stem) in modules.BACKBONES:
        return Backbone(stem)
    if stem.startswith("yolo"):
        try:
            YOLO(f"{stem}.yaml")
        except FileNotFoundError:
            pass
        else:
            return Detector(stem)
    if timm.is_model(stem):
        return Peer(stem)
    raise InputError(
        f"There is no model '{name}'.{similar(stem, known)} Give a class of the course, a model YAML, or a model of timm."
    )


# ------------------------------------------------------------------------------------------------------ what is timed
def forward(network: nn.Module, x: torch.Tensor) -> Callable[[], object]:
    """A call as prediction makes it."""

    def run():
        network.eval()
        with torch.no_grad():  # a detector that keeps tensors of inference_mode could not be trained afterwards
            return network(x)

    return run


def training_step(network: nn.Module, x: torch.Tensor) -> Callable[[], object]:
    """A call forwards and backwards as training makes it, without a loss: the sum of all outputs stands for it."""

    def run():
        network.train()
        network.zero_grad()
        sum(map(torch.sum, tensors_in(network(x)))).backward()

    return run


def onnx_file(network: nn.Module, imgsz: int) -> bytes:
    """The network in the format ONNX, for any batch size at this size of picture."""
    file = io.BytesIO()
    network = network.eval()
    outputs = [f"map{i}" for i in range(len(tensors_in(network(torch.zeros(1, 3, imgsz, imgsz)))))]
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # on what tracing makes constant, and on the older exporter, which YOLO uses
        torch.onnx.export(
            network,
            torch.zeros(2, 3, imgsz, imgsz),
            file,
            input_names=["x"],
            output_names=outputs,
            dynamic_axes={name: {0: "batch"} for name in ("x", *outputs)},
            opset_version=17,
            dynamo=False,
        )
    return file.getvalue()


def onnx_session(file: bytes, threads: int):
    """ONNX Runtime with so many threads, on the CPU."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
