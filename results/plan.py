"""Which models are trained for the comparison, with which seeds, and in which order."""

from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path

import yaml
from ultralytics.nn import tasks

from . import variants  # noqa: F401  (registers the classes that the swaps name)


@dataclass(frozen=True)
class Model:
    """A model of the comparison.

    Args:
        name: of the model file without .yaml, with its scale. A variant's file is made from that of `base`.
        lesson: the number of the lesson that the model belongs to.
        against: the model that it is compared with.
        base, swap, variant: for a variant, the file it is made from, {class in its rows: (class, arguments) instead},
            and in words what was changed.
        seeds: how many trainings.
    """

    name: str
    lesson: str
    against: str = "yolo11n"
    base: str = ""
    swap: dict = field(default_factory=dict)
    variant: str = ""
    seeds: int = 3

    @property
    def is_main(self) -> bool:
        """Whether the model stands in the main table, and is no ablation."""
        return self.seeds == 3

    def rows(self) -> dict:
        """The model file as a dictionary, without its own path."""
        model = deepcopy(tasks.yaml_model_load(f"{self.base or self.name}.yaml"))
        swapped = [row for row in model["backbone"] + model["head"] if row[2] in self.swap]
        if len(swapped) < len(self.swap):
            raise ValueError(f"{self.base}.yaml has no row of {', '.join(self.swap)}: correct {self.name} in the plan")
        for row in swapped:
            row[2:] = self.swap[row[2]][0], list(self.swap[row[2]][1])
        model.pop("yaml_file", None)
        return model

    def file(self, folder: Path) -> str:
        """What `train` takes as its model: a name that the course or Ultralytics knows, or a file in `folder`."""
        if not self.swap:
            return f"{self.name}.yaml"
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{self.name}.yaml"
        path.write_text(yaml.safe_dump(self.rows(), sort_keys=False), encoding="utf-8")
        return str(path)


def ablation(base: str, suffix: str, lesson: str, variant: str, old: str, new: str, *arguments, against: str = ""):
    """A variant of `base` with two seeds, compared with `base` itself unless something else is said."""
    name = f"{base}-{suffix}"
    return Model(name, lesson, against or base, base, {old: (new, arguments)}, variant, seeds=2)


# The cheap ones first, so that an unfinished comparison says as much as it can.
MAIN = (
    Model("yolo11n-FasterNet", "06"),
    Model("yolo11n-TinyNet", "01"),
    Model("yolo11n", "08", against=""),
    Model("yolo11n-EMO", "03"),
    Model("yolo11n-RepViT", "05"),
    Model("yolov10n", "04", against="yolo11n"),
    Model("yolov10n-iRMB", "04", against="yolov10n"),
    Model("yolov10n-C2f_iRMB", "04", against="yolov10n"),
    Model(
        "yolo11n-RepViT-m0_6",
        "05",
        base="yolo11n-RepViT",
        swap={"repvit_m0_9": ("repvit_m0_6", [0.5])},
        variant="repvit_m0_6, [0.5]",
    ),
    Model("yolo11n-RevColV1", "07"),
)

WIDER = "yolo11n-FasterNet-24"  # at scale n, a quarter of the channels of P2 to P5 would be 2, 4, 8 and 16
ABLATIONS = (
    ablation("yolov10n-iRMB", "no_attention", "02", "without attention", "iRMB", "iRMB_no_attention", 1024),
    ablation("yolov10n-iRMB", "contiguous", "02", "contiguous windows", "iRMB", "iRMB_contiguous", 1024),
    ablation("yolov10n-iRMB", "attn_pre", "02", "attn_pre", "iRMB", "iRMB", 1024, 8, 7, 1.0, True),
    ablation("yolo11n-RepViT", "plain", "05", "plain 3x3 for three branches", "repvit_m0_9", "RepViT_plain", "width"),
    ablation("yolo11n-RepViT", "no_SE", "05", "without SE", "repvit_m0_9", "RepViT_no_SE", "width"),
    ablation("yolo11n-FasterNet", "24", "06", "24 channels in P2", "FasterNet", "fasternet_t0", 0.5),
    ablation(
        "yolo11n-FasterNet", "depthwise", "06", "depthwise 3x3", "FasterNet", "FasterNet_depthwise", 0.5, against=WIDER
    ),
    ablation(
        "yolo11n-FasterNet", "full", "06", "full 3x3, 16 channels", "FasterNet", "FasterNet_full", 1.0, against=WIDER
    ),
    ablation("yolo11n-RevColV1", "1_column", "07", "1 column, equal cost", "revcol_tiny", "RevCol_1", "width"),
    ablation("yolo11n-RevColV1", "2_columns", "07", "2 columns, equal cost", "revcol_tiny", "RevCol_2", "width"),
)
# What may hold back those that learn slowly from scratch.
CAUSES = (
    ablation("yolo11n-EMO", "no_drop_path", "08", "without drop path", "EMO_1M", "EMO_no_drop_path", "width"),
    ablation("yolo11n-FasterNet", "start", "08", "PyTorch's start", "FasterNet", "FasterNet_default_start", "width"),
    ablation(
        "yolo11n-RevColV1", "no_drop_path", "08", "without drop path", "revcol_tiny", "RevCol_no_drop_path", "width"
    ),
    ablation("yolo11n-RevColV1", "scale", "08", "layer scale from 0.1", "revcol_tiny", "RevCol_layer_scale", "width"),
)

MODELS = {model.name: model for model in (*MAIN, *ABLATIONS, *CAUSES)}
ORDER = (
    *((model, seed) for seed in (0, 1) for model in MAIN),
    *((model, seed) for seed in (0, 1) for model in (*ABLATIONS, *CAUSES)),
    *((model, 2) for model in MAIN),
)
