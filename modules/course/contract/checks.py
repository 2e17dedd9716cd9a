"""The checks. Each takes a case, asserts what must hold and returns what it measured, as one line."""

import copy
import importlib
import inspect
import io
import math
import re
import shutil
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import nn
from torch.overrides import TorchFunctionMode
from ultralytics.nn.tasks import DetectionModel

from ..fire import fire_pictures, read_boxes
from ..measure import gmac, parameters
from .cases import Case
from .golden_vectors import ROOT, golden, largest_difference, maps


class NotChecked(Exception):
    """A check that cannot be made here; the message says why."""


def check_size(case: Case) -> str:
    """Parameters, GMAC and shapes are those of the paper's model.

    Without it a model of the same name could be another one, and so could its speed and its scores.
    """
    if case.size is None:
        if hasattr(case.cls, "feature_channels"):
            check_maps(case.cls, case.arguments)
        return f"{parameters(case.make()):,} parameters"
    model = case.cls(num_classes=1000).eval()
    assert parameters(model) == case.size.parameters, parameters(model)
    assert tuple(case.cls.feature_channels()) == case.size.channels
    cost = gmac(model.classify, torch.randn(1, 3, 224, 224))
    assert abs(cost - case.size.gmac) < 6e-4, cost
    check_maps(case.cls, ())
    return f"{case.size.parameters:,} parameters, {cost:.3f} GMAC"


def check_maps(cls: type, arguments: tuple) -> None:
    """A backbone returns P2 to P5 at strides 4 to 32, with the channels that it declares."""
    with torch.device("meta"):
        found = [tuple(f.shape[1:]) for f in cls(*arguments)(torch.empty(1, 3, 640, 480))]
    declared = list(zip(cls.feature_channels(*arguments), (160, 80, 40, 20), (120, 60, 30, 15)))
    assert found == declared, f"at 640 x 480 the maps are {found}; feature_channels and strides 4 to 32 say {declared}"


def check_golden(case: Case) -> str:
    """Outputs and names of the weights are those of the authors' code.

    Without it their weights would not load, or load and compute something else.
    """
    if not case.golden:
        return "no golden file for this one"
    worst = max(golden(name, make()) for name, make in case.golden.items())
    assert worst < 2e-5, worst
    return f"largest error {worst:.0e} std in {len(case.golden)} file(s)"


def check_gradients(case: Case) -> str:
    """Every parameter gets a gradient, finite and not zero.

    A parameter without one is never trained, and no error says so.
    """
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
    """A deep copy after a training step and a reloaded state_dict compute the same.

    YOLO trains with a moving average of the weights, which is such a copy, and saves that.
    """
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
    """Half and bfloat16 stay finite and near float32, as a type and under autocast, forward and backward.

    On a GPU, YOLO trains under autocast: a sum that overflows there ends in a loss of NaN.
    """
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
    """`fuse()` folds batch norms away without changing the output, and refuses train mode.

    YOLO calls it before it predicts and exports: a wrong one changes every box.
    """
    module, x = case.make(), case.input()
    if not hasattr(module, "fuse"):
        if norms := sum(isinstance(m, nn.BatchNorm2d) for m in module.modules()):
            raise NotChecked(f"it has no fuse(), so its {norms} batch norms stay")
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
    """Wrong arguments and inputs raise a ValueError that names what was given.

    Otherwise a typing error in a YAML ends in a message from deep inside, or in another network.
    """
    names = inspect.signature(case.cls).parameters
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
    except RuntimeError as error:
        raise AssertionError(f"{C + 1} channels in place of {C} are refused by torch, not by a ValueError") from error
    except ValueError as error:
        assert str(C + 1) in str(error), f"{C + 1} channels in place of {C}: the message hides it: {error}"
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
    """The YAML builds at every scale, with this class in it. On the meta device: the sizes of weights, not the weights.

    Channels that fit at scale n may not fit at m, where max_channels cuts.
    """
    sizes = []
    for scale in case.scales:
        with torch.device("meta"), StridesAreNumbers():
            model = case.yolo(scale)
        assert any(type(m) is case.cls for m in model.modules()), f"no {case.name} at scale {scale}"
        assert model.stride.tolist() == [8, 16, 32], f"strides {model.stride.tolist()} at scale {scale}"
        sizes.append(f"{scale} {parameters(model) / 1e6:.2f}")
    return "million parameters: " + ", ".join(sizes)


def check_trains(case: Case) -> str:
    """The detector makes a training step and a prediction at several sizes and batch sizes.

    A block that knows only its first picture's size fails here, as do windows that do not divide a map.
    """
    model = case.yolo(case.scales[0])
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
    """40 steps on eight fire pictures bring the loss to half or less.

    What cannot learn eight pictures by heart will not learn a data set.
    """
    model = case.yolo(case.scales[0]).train()
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
    """A pickled detector loads in a fresh process and computes the same.

    best.pt is such a pickle: it holds the name of the class and the file that defines it, not the code.
    """
    if case.cls.__module__ == "__main__":
        raise NotChecked("a class of a notebook; write it to a file")
    model = case.yolo(case.scales[0]).eval()
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
    """Copied into an empty package, the file runs without Ultralytics and without this repository.

    So it can be taken into a project of another kind.
    """
    if case.cls.__module__ == "__main__":
        raise NotChecked("a class of a notebook; write it to a file")
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
    """torch.compile traces it, forward and backward, without a change in the output.

    A branch that depends on a tensor's values would cut the graph into pieces.
    """
    module, x = case.make().eval(), case.input()
    compiled = torch.compile(module, backend="aot_eager", fullgraph=True)
    output = maps(compiled(x))
    assert largest_difference(output, module(x)) < 1e-4
    sum(m.square().mean() for m in output).backward()
    return "one graph, forward and backward"


def check_onnx(case: Case) -> str:
    """One ONNX file with free batch, height and width equals PyTorch at a square and other sizes.

    A size that was taken as a number while exporting is right for one picture, and silently wrong for others.
    """
    try:
        import onnx  # noqa: F401 (torch.onnx.export needs it)
        import onnxruntime
    except ImportError as error:
        raise NotChecked(f"{error.name} is missing") from None
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
