"""The classes of `modules`, and what is to be checked of each. A new one joins by one entry in CASES."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import nn
from ultralytics.cfg import get_cfg
from ultralytics.nn.tasks import DetectionModel, yaml_model_load

import modules


@dataclass(frozen=True)
class Size:
    """A row of the paper's table: parameters and GMAC at 224 px with the classifier, channels of P2, P3, P4, P5."""

    parameters: int
    gmac: float
    channels: tuple[int, ...]


@dataclass(frozen=True)
class Case:
    """A class and what is to be checked of it.

    `arguments` and `shape` give a small instance and its input; `model` is a YAML that holds it, at `scales`;
    `golden` says how to build what each file of tests/golden was measured on; `wrong` are arguments to be refused.
    `size` is given for a backbone. `variant` names the class whose code this one shares: then the cheap checks do.
    `silent` matches the names of parameters whose gradient is zero by the mathematics.
    """

    cls: type
    arguments: tuple
    shape: tuple[int, ...]
    model: str
    scales: str
    wrong: tuple[dict, ...]
    golden: dict[str, Callable[[], nn.Module]] = field(default_factory=dict)
    size: Size | None = None
    variant: str | None = None
    silent: str = "^$"

    def __str__(self):
        return self.name

    @property
    def name(self) -> str:
        return self.cls.__name__

    def make(self) -> nn.Module:
        """A small instance, always with the same weights."""
        torch.manual_seed(0)
        return self.cls(*self.arguments)

    def input(self) -> torch.Tensor:
        return torch.randn(self.shape, generator=torch.Generator().manual_seed(0))

    def yolo(self, scale: str) -> DetectionModel:
        """The detector of `model` at a scale, with this class in it."""
        torch.manual_seed(0)
        path = Path(self.model)
        path = path.with_name(re.sub(r"^(yolov?\d+)", rf"\g<1>{scale}", path.name))  # yolov10b is a file of its own
        config = yaml_model_load(path) | {"scale": scale, "nc": 1}
        for row in config["backbone"]:
            row[2] = self.name if row[2] == self.variant else row[2]
        model = DetectionModel(config, verbose=False)
        model.args = get_cfg()
        return model


def classifier(cls: type) -> Callable[[], nn.Module]:
    return lambda: cls(num_classes=1000)


def irmb(c1, c2, **arguments) -> Callable[[], nn.Module]:
    return lambda: modules.iRMB(c1, c2, **arguments)


def c2f_irmb(*arguments) -> Callable[[], nn.Module]:
    def make():
        block = modules.C2f_iRMB(*arguments)
        for norm in (m.bn for m in block.modules() if hasattr(m, "bn")):
            norm.eps = 1e-5  # the golden file was measured outside YOLO, which sets 1e-3
        return block

    return make


EMO_5M_BLOCK = {"dim_head": 32, "exp_ratio": 4.0, "norm": "ln", "act": "gelu", "kernel": 5, "bias": True}


def emo(cls: type, size: Size, golden: bool, variant: str | None = "EMO_1M") -> Case:
    files = {cls.__name__: classifier(cls)} if golden else {}
    wrong = ({"width": 0}, {"width": -1}, {"num_classes": -1})
    return Case(cls, (0.25,), (2, 3, 128, 160), "yolo11-EMO.yaml", "nsmlx", wrong, files, size, variant)


def repvit(cls: type, size: Size, golden: bool = False, variant: str | None = "repvit_m0_9") -> Case:
    def two_heads():  # as in the authors' checkpoints
        return cls(num_classes=1000, distillation=True)

    wrong = ({"width": 0}, {"width": 0.05}, {"num_classes": -1})
    files = {cls.__name__: two_heads} if golden else {}
    return Case(cls, (0.25,), (2, 3, 128, 160), "yolo11-RepViT.yaml", "nsmlx", wrong, files, size, variant)


def fasternet(cls: type, size: Size, golden: str | None = None, variant: str | None = "FasterNet") -> Case:
    files = {golden: classifier(cls)} if golden else {}
    wrong = ({"width": 0}, {"width": 0.05}, {"num_classes": -1})
    return Case(cls, (0.25,), (2, 3, 128, 160), "yolo11-FasterNet.yaml", "nsmlx", wrong, files, size, variant)


def revcol(cls: type, golden: bool = False, variant: str | None = "revcol_tiny") -> Case:
    wrong = (
        {"width": 0},
        {"width": 0.05},
        {"width": "1"},
        {"segment": -1},
        {"segment": 1.5},
        {"columns": 0},
        {"columns": "4"},
    )
    files = {cls.__name__: cls} if golden else {}
    shape, first = (2, 3, 128, 160), r"subnet0\.alpha"  # nothing stands before the first column
    return Case(cls, (0.25,), shape, "yolo11-RevColV1.yaml", "nsmlx", wrong, files, variant=variant, silent=first)


CASES = (
    Case(
        modules.iRMB,
        (64, 64),
        (2, 64, 15, 23),
        model="yolov10-iRMB.yaml",
        scales="nsmblx",
        wrong=(
            {"c1": 60},
            {"c1": 0},
            {"dim_head": 0},
            {"window": 0},
            {"window": -7},
            {"norm": "batchnorm"},
            {"act": "swish"},
            {"kernel": 4},
            {"stride": 0},
            {"exp_ratio": 3.53},
            {"exp_ratio": 0},
            {"expand": False},
        ),
        golden={
            "iRMB_64": irmb(64, 64),
            "iRMB_emo_stage0": irmb(24, 24, norm="none", act="silu", attn=False, expand=False, skip=False, se_ratio=1),
            "iRMB_emo5m_stage3_down": irmb(72, 160, stride=2, attn=False, **EMO_5M_BLOCK | {"exp_ratio": 8}),
            "iRMB_emo5m_stage3_attn": irmb(160, 160, attn_pre=True, **EMO_5M_BLOCK),
            "iRMB_emo5m_stage3_attn_preFalse": irmb(160, 160, **EMO_5M_BLOCK),
        },
    ),
    Case(
        modules.C2f_iRMB,
        (64, 64, 2, True),
        (2, 64, 15, 23),
        model="yolov10-C2f_iRMB.yaml",
        scales="nsmblx",
        wrong=({"c2": 0}, {"c2": 72}, {"n": -1}, {"g": 5}, {"e": 0}),
        golden={
            "C2f_iRMB_64": c2f_irmb(64, 64, 2),
            "C2f_iRMB_64_shortcut": c2f_irmb(64, 64, 2, True),
        },
    ),
    emo(modules.EMO_1M, Size(1_361_168, 0.255, (32, 48, 80, 168)), golden=True, variant=None),
    emo(modules.EMO_2M, Size(2_377_472, 0.432, (32, 48, 120, 200)), golden=False),
    emo(modules.EMO_5M, Size(5_108_848, 0.892, (48, 72, 160, 288)), golden=True),
    emo(modules.EMO_6M, Size(6_168_496, 0.950, (48, 72, 160, 320)), golden=False),
    # GMAC without the 1x1 branches, which are no convolutions here; the paper's are 0.1 to 0.2 percent more.
    repvit(modules.repvit_m0_9, Size(5_103_560, 0.8156, (48, 96, 192, 384)), golden=True, variant=None),
    repvit(modules.repvit_m0_6, Size(2_487_292, 0.3851, (40, 80, 160, 320)), golden=True),
    repvit(modules.repvit_m1_0, Size(6_852_900, 1.1061, (56, 112, 224, 448))),
    repvit(modules.repvit_m1_1, Size(8_288_888, 1.3371, (64, 128, 256, 512))),
    repvit(modules.repvit_m1_5, Size(14_130_408, 2.2736, (64, 128, 256, 512))),
    repvit(modules.repvit_m2_3, Size(23_046_512, 4.5160, (80, 160, 320, 640))),
    fasternet(modules.FasterNet, Size(3_905_500, 0.335, (40, 80, 160, 320)), golden="fasternet_t0", variant=None),
    fasternet(modules.fasternet_t0, Size(3_905_500, 0.335, (40, 80, 160, 320)), golden="fasternet_t0"),
    fasternet(modules.fasternet_t1, Size(7_595_368, 0.851, (64, 128, 256, 512))),
    fasternet(modules.fasternet_t2, Size(14_982_888, 1.904, (96, 192, 384, 768)), golden="fasternet_t2"),
    fasternet(modules.fasternet_s, Size(31_181_032, 4.550, (128, 256, 512, 1024))),
    fasternet(modules.fasternet_m, Size(53_521_464, 8.722, (144, 288, 576, 1152))),
    fasternet(modules.fasternet_l, Size(93_465_192, 15.494, (192, 384, 768, 1536))),
    # tests/test_revcol.py has the sizes: there is no classifier here.
    revcol(modules.revcol_tiny, golden=True, variant=None),
    revcol(modules.revcol_small),
    revcol(modules.revcol_base),
    revcol(modules.revcol_large),
    revcol(modules.revcol_xlarge),
)
