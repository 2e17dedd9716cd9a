"""What every module of the course keeps: checks that the tests run for each class, and that lessons print as a table.

A new module joins by one entry in CASES. Each check takes a case, asserts what must hold and returns what it measured.
"""

import copy
import importlib
import io
import json
import math
import re
import shutil
import subprocess
import sys
import tempfile
import warnings
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import nn
from torch.overrides import TorchFunctionMode
from ultralytics.cfg import get_cfg
from ultralytics.nn.tasks import DetectionModel, yaml_model_load

import modules

from .fire import fire_pictures, read_boxes
from .measure import gmac, parameters
from .presets import preset

ROOT = Path(modules.__file__).parents[1]
GOLDEN = ROOT / "tests" / "golden"


# ------------------------------------------------------------------------------------------------------------ the cases
@dataclass(frozen=True)
class Size:
    """A row of the paper's table: parameters and GMAC at 224 px with the classifier, channels of P2, P3, P4, P5."""

    parameters: int
    gmac: float
    channels: tuple[int, ...]


@dataclass(frozen=True)
class Case:
    """One class of `modules` and what is to be checked of it.

    `arguments` and `shape` give a small instance and its input; `model` is a YAML that holds it, at `scales`;
    `golden` says how to build what each file of tests/golden was measured on; `wrong` are arguments to be refused.
    `size` is given for a backbone. `variant` names the class whose code this one shares: then the cheap checks do.
    `silent` matches the names of parameters whose gradient is zero by the mathematics.
    """

    name: str
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
    def cls(self) -> type:
        return getattr(modules, self.name)

    def make(self) -> nn.Module:
        """A small instance, always with the same weights."""
        torch.manual_seed(0)
        return self.cls(*self.arguments)

    def input(self) -> torch.Tensor:
        return torch.randn(self.shape, generator=torch.Generator().manual_seed(0))

    def yolo(self, scale: str) -> DetectionModel:
        """The detector of `model` at a scale, with this class in it."""
        torch.manual_seed(0)
        config = yaml_model_load(re.sub(r"^(yolov?\d+)", rf"\g<1>{scale}", self.model)) | {"nc": 1}
        for row in config["backbone"]:
            row[2] = self.name if row[2] == self.variant else row[2]
        model = DetectionModel(config, verbose=False)
        model.args = get_cfg()
        return model


def classifier(name: str) -> Callable[[], nn.Module]:
    return lambda: getattr(modules, name)(num_classes=1000)


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


def emo(name: str, size: Size, golden: bool, variant: str | None = "EMO_1M") -> Case:
    files = {name: classifier(name)} if golden else {}
    wrong = ({"width": 0}, {"width": -1}, {"num_classes": -1})
    return Case(name, (0.25,), (2, 3, 128, 160), "yolo11-EMO.yaml", "nsmlx", wrong, files, size, variant)


def repvit(name: str, size: Size, golden: bool = False, variant: str | None = "repvit_m0_9") -> Case:
    def two_heads():  # as in the authors' checkpoints
        return getattr(modules, name)(num_classes=1000, distillation=True)

    wrong = ({"width": 0}, {"width": 0.05}, {"num_classes": -1})
    files = {name: two_heads} if golden else {}
    return Case(name, (0.25,), (2, 3, 128, 160), "yolo11-RepViT.yaml", "nsmlx", wrong, files, size, variant)


def fasternet(name: str, size: Size, golden: str | None = None, variant: str | None = "FasterNet") -> Case:
    files = {golden: classifier(name)} if golden else {}
    wrong = ({"width": 0}, {"width": 0.05}, {"num_classes": -1})
    return Case(name, (0.25,), (2, 3, 128, 160), "yolo11-FasterNet.yaml", "nsmlx", wrong, files, size, variant)


def revcol(name: str, golden: bool = False, variant: str | None = "revcol_tiny") -> Case:
    wrong = (
        {"width": 0},
        {"width": 0.05},
        {"width": "1"},
        {"segment": -1},
        {"segment": 1.5},
        {"columns": 0},
        {"columns": "4"},
    )
    files = {name: lambda: getattr(modules, name)()} if golden else {}
    shape, first = (2, 3, 128, 160), r"subnet0\.alpha"  # nothing stands before the first column
    return Case(name, (0.25,), shape, "yolo11-RevColV1.yaml", "nsmlx", wrong, files, variant=variant, silent=first)


CASES = (
    Case(
        "iRMB",
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
        "C2f_iRMB",
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
    emo("EMO_1M", Size(1_361_168, 0.255, (32, 48, 80, 168)), golden=True, variant=None),
    emo("EMO_2M", Size(2_377_472, 0.432, (32, 48, 120, 200)), golden=False),
    emo("EMO_5M", Size(5_108_848, 0.892, (48, 72, 160, 288)), golden=True),
    emo("EMO_6M", Size(6_168_496, 0.950, (48, 72, 160, 320)), golden=False),
    # GMAC without the 1x1 branches, which are no convolutions here; the paper's are 0.1 to 0.2 percent more.
    repvit("repvit_m0_9", Size(5_103_560, 0.8156, (48, 96, 192, 384)), golden=True, variant=None),
    repvit("repvit_m0_6", Size(2_487_292, 0.3851, (40, 80, 160, 320)), golden=True),
    repvit("repvit_m1_0", Size(6_852_900, 1.1061, (56, 112, 224, 448))),
    repvit("repvit_m1_1", Size(8_288_888, 1.3371, (64, 128, 256, 512))),
    repvit("repvit_m1_5", Size(14_130_408, 2.2736, (64, 128, 256, 512))),
    repvit("repvit_m2_3", Size(23_046_512, 4.5160, (80, 160, 320, 640))),
    fasternet("FasterNet", Size(3_905_500, 0.335, (40, 80, 160, 320)), golden="fasternet_t0", variant=None),
    fasternet("fasternet_t0", Size(3_905_500, 0.335, (40, 80, 160, 320)), golden="fasternet_t0"),
    fasternet("fasternet_t1", Size(7_595_368, 0.851, (64, 128, 256, 512))),
    fasternet("fasternet_t2", Size(14_982_888, 1.904, (96, 192, 384, 768)), golden="fasternet_t2"),
    fasternet("fasternet_s", Size(31_181_032, 4.550, (128, 256, 512, 1024))),
    fasternet("fasternet_m", Size(53_521_464, 8.722, (144, 288, 576, 1152))),
    fasternet("fasternet_l", Size(93_465_192, 15.494, (192, 384, 768, 1536))),
    # tests/test_revcol.py has the sizes: there is no classifier here.
    revcol("revcol_tiny", golden=True, variant=None),
    revcol("revcol_small"),
    revcol("revcol_base"),
    revcol("revcol_large"),
    revcol("revcol_xlarge"),
)


def find(name: str) -> Case:
    """The case of a class."""
    return next(case for case in CASES if case.name == name)


def maps(output) -> list[torch.Tensor]:
    """A block's one map and a backbone's list alike, as a list."""
    return list(output) if isinstance(output, (list, tuple)) else [output]


def largest_difference(ours, theirs) -> float:
    """Over all maps, in units of a map's standard deviation."""
    return max(((a - b).abs().max() / b.std()).item() for a, b in zip(maps(ours), maps(theirs)))


# ------------------------------------------------------------------------------------------------------- golden vectors
def fill(module: nn.Module) -> nn.Module:
    """Fill every tensor with random numbers that follow from its name alone (see tests/golden/README.md)."""
    state = module.state_dict()
    for key, old in state.items():
        kind = key.rsplit(".", 1)[-1]
        generator = torch.Generator().manual_seed(zlib.crc32(key.encode()))
        if kind == "num_batches_tracked":
            state[key] = torch.zeros((), dtype=torch.int64)
        elif kind == "running_var":
            state[key] = 1 + torch.rand(old.shape, generator=generator)
        else:
            z = torch.randn(old.shape, generator=generator)
            if re.fullmatch("alpha[0-3]", kind):
                state[key] = 0.5 + 0.1 * z
            elif kind == "weight" and old.ndim == 1:
                state[key] = 1 + 0.1 * z
            elif kind == "weight":
                state[key] = 0.5 / math.sqrt(old.numel() / old.shape[0]) * z
            else:
                state[key] = 0.1 * z
    module.load_state_dict(state)
    return module.eval()


def layout(tree: dict, before: str = "") -> dict[str, list[int]]:
    """The nested names of a golden file as a flat {name: shape}."""
    flat = {}
    for key, value in tree.items():
        flat |= layout(value, f"{before}{key}.") if isinstance(value, dict) else {before + key: value}
    return flat


def golden(name: str, module: nn.Module) -> float:
    """The largest error of `module` against tests/golden/`name`.json, in units of the output's standard deviation.

    Asserts the names and shapes of all weights on the way.
    """
    expected = json.loads((GOLDEN / f"{name}.json").read_text(encoding="utf-8"))
    shapes = {key: list(value.shape) for key, value in module.state_dict().items()}
    assert shapes == layout(expected["manifest"]), f"{name}: names or shapes of the weights differ from the authors'"
    fill(module)
    worst = 0.0
    for run in expected["runs"]:
        x = torch.randn(run["input"], generator=torch.Generator().manual_seed(0))
        with torch.no_grad():
            outputs = maps(module(x)) + ([module.classify(x)] if "logits" in run else [])
        records = run["features"] + ([run["logits"]] if "logits" in run else [])
        assert len(outputs) == len(records)
        for output, record in zip(outputs, records):
            assert list(output.shape) == record["shape"], f"{name}: {list(output.shape)} is not {record['shape']}"
            values = output.reshape(-1)[record["idx"]] - torch.tensor(record["val"])
            mean, std = output.double().mean() - record["mean"], output.double().std(correction=0) - record["std"]
            worst = max(worst, *(error.abs().max().item() / record["std"] for error in (values, mean, std)))
    return worst


# ----------------------------------------------------------------------------------------------------------- the checks
def check_size(case: Case) -> str:
    """Parameters, GMAC and shapes are those of the paper's model."""
    if case.size is None:
        return f"{parameters(case.make()):,} parameters"
    model = case.cls(num_classes=1000).eval()
    assert parameters(model) == case.size.parameters, parameters(model)
    assert tuple(case.cls.feature_channels()) == case.size.channels
    cost = gmac(model.classify, torch.randn(1, 3, 224, 224))
    assert abs(cost - case.size.gmac) < 6e-4, cost
    with torch.device("meta"):
        features = case.cls()(torch.empty(1, 3, 640, 480))
    sides = [(640 // s, 480 // s) for s in (4, 8, 16, 32)]
    assert [tuple(f.shape[1:]) for f in features] == [(c, *side) for c, side in zip(case.size.channels, sides)]
    return f"{case.size.parameters:,} parameters, {cost:.3f} GMAC"


def check_golden(case: Case) -> str:
    """Outputs and names of the weights are those of the authors' code."""
    if not case.golden:
        return "no golden file for this size"
    worst = max(golden(name, make()) for name, make in case.golden.items())
    assert worst < 2e-5, worst
    return f"largest error {worst:.0e} std in {len(case.golden)} file(s)"


def check_gradients(case: Case) -> str:
    """Every parameter gets a gradient, finite and not zero."""
    module = case.make().train()
    for norm in (m for m in module.modules() if isinstance(m, nn.BatchNorm2d)):
        if not norm.weight.any():  # a branch that starts silent gets no gradient before its second step
            nn.init.ones_(norm.weight)
    sum(m.square().mean() for m in maps(module(case.input()))).backward()
    for name, p in module.named_parameters():
        assert p.grad is not None and p.grad.isfinite().all(), f"{name} gets no gradient"
        assert p.grad.any() != bool(re.match(case.silent, name)), f"{name} gets no gradient"
    return f"all {len(list(module.parameters()))} tensors"


def check_copies(case: Case) -> str:
    """A deep copy after a training step and a reloaded state_dict compute the same."""
    module, x = case.make().train(), case.input()
    module(x)
    twin, reloaded = copy.deepcopy(module).eval(), case.cls(*case.arguments).eval()
    buffer = io.BytesIO()
    torch.save(module.state_dict(), buffer)
    buffer.seek(0)
    reloaded.load_state_dict(torch.load(buffer, weights_only=True))
    module.eval()
    with torch.no_grad():
        for other in (twin, reloaded):
            assert largest_difference(other(x), module(x)) == 0
    return "deepcopy, state_dict"


def check_precision(case: Case) -> str:
    """Half and bfloat16 stay finite and near float32, as a type and under autocast, forward and backward."""
    devices = ["cpu", "cuda"] if torch.cuda.is_available() else ["cpu"]
    x = case.input()
    with torch.no_grad():
        exact = maps(case.make().eval()(x))
    for device in devices:
        for kind in (torch.float16, torch.bfloat16):
            with torch.no_grad():
                low = maps(case.make().eval().to(device, kind)(x.to(device, kind)))
            assert largest_difference([m.float().cpu() for m in low], exact) < 0.3, f"{kind} on {device}"
            module = case.make().to(device)
            with torch.autocast(device, kind):
                loss = sum(m.float().square().mean() for m in maps(module(x.to(device))))
            loss.backward()
            assert all(p.grad.isfinite().all() for p in module.parameters()), f"autocast {kind} on {device}"
    return f"float16, bfloat16, autocast on {', '.join(devices)}"


def check_fused(case: Case) -> str:
    """`fuse()` folds batch norms away without changing the output, and refuses train mode."""
    module, x = case.make(), case.input()
    if not hasattr(module, "fuse") and not any(isinstance(m, nn.BatchNorm2d) for m in module.modules()):
        return "no batch norm to fold"
    generator = torch.Generator().manual_seed(1)
    for norm in (m for m in module.modules() if isinstance(m, nn.BatchNorm2d)):
        norm.running_mean = 0.3 * torch.randn(norm.num_features, generator=generator)
        norm.running_var = 0.5 + torch.rand(norm.num_features, generator=generator)
        nn.init.normal_(norm.weight, 1, 0.3)
        nn.init.normal_(norm.bias, 0, 0.3)
    try:
        copy.deepcopy(module).train().fuse()
        raise AssertionError("fuse() works in train mode, where it changes the function")
    except ValueError:
        pass
    fused = copy.deepcopy(module.eval())
    fused.fuse()
    counts = [sum(isinstance(m, nn.BatchNorm2d) for m in one.modules()) for one in (module, fused)]
    assert counts[1] < counts[0]
    with torch.no_grad():
        difference = largest_difference(fused(x), module(x))
    assert difference < 1e-4, difference
    return f"{counts[0]} batch norms become {counts[1]}, difference {difference:.0e} std"


def check_refusals(case: Case) -> str:
    """Wrong arguments and inputs raise a ValueError that names what was given."""
    names = list(case.cls.__init__.__code__.co_varnames[1:])
    right = dict(zip(names, case.arguments))
    for wrong in case.wrong:
        try:
            case.cls(**right | wrong)
        except ValueError as error:
            for name, value in wrong.items():
                assert name in str(error) and str(value) in str(error), f"{wrong}: the message hides it: {error}"
        else:
            raise AssertionError(f"{case.name} accepts {wrong}")
    B, C, H, W = case.shape
    try:
        case.make()(torch.randn(B, C + 1, H, W))
        raise AssertionError("an input with one channel too many is accepted")
    except ValueError as error:
        assert str(C + 1) in str(error)
    return f"{len(case.wrong)} kinds of wrong arguments, wrong input"


def detection_batch(pictures: list[Path], height: int, width: int) -> dict:
    """Pictures and boxes as Ultralytics' loss wants them."""
    images = [np.array(Image.open(p).convert("RGB").resize((width, height))) for p in pictures]
    rows = [torch.as_tensor(read_boxes(p), dtype=torch.float32) for p in pictures]
    return {
        "img": torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).float() / 255,
        "cls": torch.zeros(sum(map(len, rows)), 1),
        "bboxes": torch.cat(rows),
        "batch_idx": torch.cat([torch.full((len(r),), float(i)) for i, r in enumerate(rows)]),
    }


def training_step(model: DetectionModel, batch: dict, optimizer: torch.optim.Optimizer) -> float:
    """One step of the optimizer; returns the loss before it."""
    loss = model.loss(batch)[0].sum()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


class StridesAreNumbers(TorchFunctionMode):
    """Keeps what torch.tensor makes on the CPU. Ultralytics computes with the strides while it builds a model."""

    def __torch_function__(self, function, types, arguments=(), keywords=None):
        place = {"device": "cpu"} if function is torch.tensor else {}
        return function(*arguments, **(keywords or {}) | place)


def check_builds(case: Case) -> str:
    """The YAML builds at every scale, with this class in it. On the meta device: the sizes of weights, not the weights."""
    sizes = []
    for scale in case.scales:
        with torch.device("meta"), StridesAreNumbers():
            model = case.yolo(scale)
        assert any(type(m) is case.cls for m in model.modules()), f"no {case.name} at scale {scale}"
        assert model.stride.tolist() == [8, 16, 32], f"strides {model.stride.tolist()} at scale {scale}"
        sizes.append(f"{scale} {parameters(model) / 1e6:.2f}")
    return "million parameters: " + ", ".join(sizes)


def check_trains(case: Case) -> str:
    """The detector makes a training step and a prediction at several sizes and batch sizes."""
    model = case.yolo("n")
    optimizer = torch.optim.AdamW(model.parameters(), 1e-4)
    pictures = fire_pictures(kind="campfire")
    sizes = ((2, 160, 160), (1, 320, 320), (2, 320, 416), (1, 640, 640))
    for count, height, width in sizes:
        batch = detection_batch(pictures[:count], height, width)
        assert math.isfinite(training_step(model.train(), batch, optimizer))
        with torch.no_grad():
            found = model.eval()(batch["img"])
        assert maps(found)[0].shape[0] == count and maps(found)[0].isfinite().all()
    return ", ".join(f"{count} x {height}x{width}" for count, height, width in sizes)


def check_learns(case: Case) -> str:
    """40 steps on eight fire pictures bring the loss to half or less."""
    model = case.yolo("n").train()
    batch = detection_batch(fire_pictures(kind="campfire")[:8], 160, 160)
    optimizer = torch.optim.AdamW(model.parameters(), 3e-3)
    losses = [training_step(model, batch, optimizer) for _ in range(40)]
    assert losses[-1] <= losses[0] / 2, f"from {losses[0]:.1f} to {losses[-1]:.1f}"
    return f"loss from {losses[0]:.1f} to {losses[-1]:.1f}"


def run_python(code: str, folder: Path) -> None:
    """Run `code` in a process of its own, in `folder`."""
    done = subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]


def check_pickles(case: Case) -> str:
    """A pickled detector loads in a fresh process and computes the same."""
    model = case.yolo("n").eval()
    x = torch.rand(1, 3, 160, 160)
    with tempfile.TemporaryDirectory() as folder, torch.no_grad():
        torch.save({"model": model, "x": x, "y": maps(model(x))[0]}, Path(folder) / "model.pt")
        run_python(
            f"import sys, torch; sys.path.insert(0, {str(ROOT)!r})\n"
            "saved = torch.load('model.pt', weights_only=False)\n"
            "with torch.no_grad(): y = saved['model'](saved['x'])[0]\n"
            "assert torch.allclose(y, saved['y'], atol=1e-4)",
            Path(folder),
        )
    return "in a fresh process"


def check_alone(case: Case) -> str:
    """Copied into an empty package, the file runs without Ultralytics and without this repository."""
    source = Path(importlib.import_module(case.cls.__module__).__file__)
    needs = re.findall(r"^from \.(\w+) import", source.read_text(encoding="utf-8"), re.M)
    with tempfile.TemporaryDirectory() as folder:
        package = Path(folder) / "mine"
        package.mkdir()
        (package / "__init__.py").touch()
        for name in [source.stem, *needs]:
            shutil.copy(source.with_name(f"{name}.py"), package)
        run_python(
            "import sys; sys.modules.update(ultralytics=None, modules=None); sys.path.insert(0, '.')\n"
            f"import torch; from mine.{source.stem} import {case.name}\n"
            f"{case.name}(*{case.arguments})(torch.randn({case.shape}))",
            Path(folder),
        )
    return " and ".join(f"{name}.py" for name in [source.stem, *needs])


def check_compiles(case: Case) -> str:
    """torch.compile traces it, forward and backward, without a change in the output."""
    module, x = case.make().eval(), case.input()
    compiled = torch.compile(module, backend="aot_eager", fullgraph=True)
    output = maps(compiled(x))
    assert largest_difference(output, module(x)) < 1e-4
    sum(m.square().mean() for m in output).backward()
    return "one graph, forward and backward"


def check_onnx(case: Case) -> str:
    """One ONNX file with free batch, height and width equals PyTorch at a square and other sizes."""
    import onnxruntime

    B, C, H, W = case.shape
    square = torch.randn(1, C, H, H)
    module = case.make().eval()
    names = [f"map{i}" for i in range(len(maps(module(square))))]
    free = {name: {0: "batch", 2: f"height_{name}", 3: f"width_{name}"} for name in ["x", *names]}
    file = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # on what tracing makes constant, and on the older exporter that YOLO uses
        torch.onnx.export(
            module,
            square,
            file,
            input_names=["x"],
            output_names=names,
            dynamic_axes=free,
            opset_version=17,
            dynamo=False,
        )
    session = onnxruntime.InferenceSession(file.getvalue(), providers=["CPUExecutionProvider"])
    worst = 0.0
    for x in (square, torch.randn(B, C, H, W), torch.randn(1, C, 2 * H, W)):
        with torch.no_grad():
            expected = module(x)
        output = [torch.from_numpy(y) for y in session.run(None, {"x": x.numpy()})]
        worst = max(worst, largest_difference(output, expected))
    assert worst < 1e-3, worst
    return f"difference {worst:.0e} std"


QUICK = (check_size, check_golden, check_gradients, check_copies, check_precision, check_fused, check_refusals)
SLOW = (check_builds, check_trains, check_learns, check_pickles, check_alone, check_compiles, check_onnx)


def checks(case: Case) -> tuple[Callable[[Case], str], ...]:
    """The checks that are run for a case: all of them, or for a variant those that depend on its size."""
    return (check_size, check_golden, check_builds) if case.variant else QUICK + SLOW


def table(*names: str) -> None:
    """Run the checks of some classes and print a row for each; under the smoke preset only the quick ones."""
    for name in names:
        case = find(name)
        print(name)
        for check in checks(case):
            if check in QUICK or preset().name != "smoke":
                print(f"  {check.__name__.removeprefix('check_'):10} ok   {check(case)}")
