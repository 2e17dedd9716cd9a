"""RevCol: the reversible step computes what plain autograd computes, in the memory that the lesson promises."""

import contextlib
import copy
import json
import math
import signal
import sys

import pytest
import torch
from interrupted import start
from torch.nn.utils import prune
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry
from ultralytics import YOLO
from ultralytics.nn.tasks import DetectionModel

from modules import revcol
from modules.course import contract
from modules.course.measure import gmac, parameters
from modules.course.memory import LiveMemory, saved_bytes, step_memory
from modules.course.train import train
from modules.revcol import RevCol, away_from_zero, revcol_tiny

SIZES = {  # parameters and GMAC at 224 px, both with the classifier; GMAC at 640 px without
    "revcol_tiny": (30_456_168, 4.517, 36.87, (64, 128, 256, 512)),
    "revcol_small": (60_568_424, 9.044, 73.82, (64, 128, 256, 512)),
    "revcol_base": (138_616_408, 16.585, 135.4, (72, 144, 288, 576)),
    "revcol_large": (273_095_400, 39.306, 320.9, (128, 256, 512, 1024)),
    "revcol_xlarge": (833_807_400, 120.2, 981.3, (224, 448, 896, 1792)),
}


class Small(RevCol):
    """A network for tests: narrow, shallow, with drop path on every block but the first."""

    channels = 8
    depths = (1, 1, 2, 1)
    drop_path = 0.3


def small(columns=4, segment=1, dtype=torch.float32):
    """Weights of an ordinary size, so that every level counts; the initial gamma of 1e-6 would hide errors."""
    torch.manual_seed(0)
    model = Small(segment=segment, columns=columns).to(dtype)
    for name, p in model.named_parameters():
        with torch.no_grad():
            if "gamma" in name:
                p.normal_(0, 0.3)
            elif "alpha" in name:
                p.uniform_(0.4, 0.7)
            elif p.ndim > 1:
                p.normal_(0, p[0].numel() ** -0.5)
            else:
                p.add_(torch.randn_like(p) * 0.3)
    return model


def picture(batch=2, height=64, width=96, dtype=torch.float32):
    return torch.randn(batch, 3, height, width, generator=torch.Generator().manual_seed(1), dtype=dtype)


def is_of_a_last_product(name):
    """Whether a parameter belongs to the product that is not computed again where nothing is rebuilt."""
    return any(
        f"level{i}.blocks.{depth - 1}.{part}" in name
        for i, depth in enumerate(Small.depths)
        for part in ("gamma", "pwconv2")
    )


def loss_of(maps):
    """A loss that weighs every pixel differently."""
    generator = torch.Generator().manual_seed(2)
    return sum((m.float() * torch.randn(m.shape, generator=generator)).mean() for m in maps)


def gradients(model, segment, x=None, context=None):
    """Gradients by name (None where there is none) after one step; the same drop path masks each time."""
    model.segment = segment
    model.zero_grad()
    torch.manual_seed(3)
    with context or contextlib.nullcontext():
        maps = model(picture() if x is None else x)
    loss_of(maps).backward()
    return {name: p.grad for name, p in model.named_parameters()}


def worst(found, expected):
    """The largest relative error of a tensor's gradient. Tensors without a gradient must be the same."""
    assert {n for n, g in found.items() if g is None} == {n for n, g in expected.items() if g is None}
    pairs = [(found[n], g) for n, g in expected.items() if g is not None]
    return max(((f - g).norm() / g.norm().clamp(min=1e-12)).item() for f, g in pairs)


# ------------------------------------------------------------------------------------------------- the authors' network
@pytest.mark.parametrize("name", SIZES)
def test_size(name):
    count, cost, cost_640, channels = SIZES[name]
    cls, maps = getattr(revcol, name), []
    with torch.device("meta"):
        model, x = cls(), torch.empty(1, 3, 640, 640)
    found = gmac(lambda x: maps.extend(model(x)), x)
    classifier = 2 * channels[3] + 1000 * channels[3] + 1000  # a LayerNorm and a linear layer
    assert parameters(model) + classifier == count
    assert found == pytest.approx(cost_640, rel=1e-3)
    assert found * (224 / 640) ** 2 + channels[3] * 1e-6 == pytest.approx(cost, abs=0.007 if cost > 100 else 6e-4)
    assert tuple(cls.feature_channels()) == channels
    assert [tuple(m.shape) for m in maps] == [(1, c, 160 >> i, 160 >> i) for i, c in enumerate(channels)]


def test_golden():
    assert contract.golden("revcol_tiny", revcol_tiny()) < 2e-5


def test_authors_checkpoint_loads_without_its_heads(capsys):
    model = small()
    weights = {k: v + 1 for k, v in model.state_dict().items()}
    extra = {"cls_blocks.3.classifier.1.weight": torch.ones(2), "decoder_blocks.0.projback.0.bias": torch.ones(2)}
    model.load_state_dict(weights | extra)
    assert capsys.readouterr().out.splitlines() == ["Small: 2 tensors of classifier heads and decoders are left out."]
    assert all(v.equal(weights[k]) for k, v in model.state_dict().items())
    with pytest.raises(RuntimeError, match="cls_block.3"):  # a misspelt name is still an error
        model.load_state_dict(weights | {"cls_block.3.bias": torch.ones(2)})


# ------------------------------------------------------------------------------------------------------------ gradients
@pytest.mark.parametrize("segment", [1, 2, 3, 5])
def test_gradcheck(segment):
    model = small(columns=5, segment=segment, dtype=torch.float64)
    names = ["stem.0.weight", "subnet1.alpha2", "subnet3.level1.fusion.up.channel_reschedule.0.weight"]
    names += ["subnet2.level3.blocks.0.gamma", "subnet4.level0.blocks.0.dwconv.weight"]
    weights = [model.get_parameter(name).detach().requires_grad_() for name in names]

    def function(x, *weights):
        torch.manual_seed(3)
        return torch.func.functional_call(model, dict(zip(names, weights)), x)

    x = picture(2, 32, 32, torch.float64).requires_grad_()
    assert torch.autograd.gradcheck(function, (x, *weights), fast_mode=True)


@pytest.mark.parametrize("columns", [4, 8, 16])
def test_float32_gradients_with_drop_path(columns):
    model = small(columns)
    plain = gradients(model, 0)
    assert worst(gradients(model, 1), plain) < 1e-5
    assert worst(gradients(model, 2), plain) < 1e-4
    assert worst(gradients(model, 3), plain) < 1e-4


def test_drop_path_drops():
    model = small()
    x = picture()
    assert not model(x)[3].equal(model(x)[3])
    model.eval()
    assert model(x)[3].equal(model(x)[3])


def test_random_numbers_are_used_as_by_plain_autograd():
    model = small()
    states = []
    for segment in (0, 1, 2):
        gradients(model, segment)
        states.append(torch.get_rng_state())
    assert states[0].equal(states[1]) and states[0].equal(states[2])


@pytest.mark.parametrize("segment", [1, 2])
def test_bfloat16_autocast(segment):
    model = small()
    exact = gradients(model, 0)
    plain = gradients(model, 0, context=torch.autocast("cpu", torch.bfloat16))
    found = gradients(model, segment, context=torch.autocast("cpu", torch.bfloat16))
    assert worst(plain, exact) > 5e-3  # autocast was on
    assert worst(found, plain) < 3e-2
    if segment == 1:
        # The columns do the same sums, but for the last product of a level. So does not the stem: its map is bfloat16.
        last = {name for name in plain if is_of_a_last_product(name)}
        same = {name for name in plain if name.startswith("subnet")} - last
        assert worst({n: found[n] for n in same}, {n: plain[n] for n in same}) < 1e-5
        assert len(last) == 4 * len(Small.depths) * 3
        for name in last:  # other sums, as exact
            error, usual = (worst({name: g[name]}, {name: exact[name]}) for g in (found, plain))
            assert error < 1.5 * usual + 2e-3


def test_backward_inside_autocast():
    model = small()
    exact = gradients(model, 0)
    plain = gradients(model, 0, context=torch.autocast("cpu", torch.bfloat16))
    model.segment = 1
    model.zero_grad()
    torch.manual_seed(3)
    with torch.autocast("cpu", torch.bfloat16):
        loss_of(model(picture())).backward()
    found = {n: p.grad for n, p in model.named_parameters()}
    summed = "stem.1.bias"  # over all pixels, in bfloat16: the order of the sum alone changes it by 2e-2
    assert (
        worst({n: g for n, g in found.items() if n != summed}, {n: g for n, g in plain.items() if n != summed}) < 2e-2
    )
    assert worst(found, exact) < 1.1 * worst(plain, exact)


def test_deepcopy_after_a_training_forward():
    model = small()
    model(picture())
    twin = copy.deepcopy(model)
    assert worst(gradients(twin, 1), gradients(model, 0)) < 1e-5


FROZEN = {
    "stem": lambda name: name.startswith("stem"),
    "first columns": lambda name: name.startswith(("stem", "subnet0", "subnet1")),
    "last column": lambda name: name.startswith("subnet3"),
    "norms": lambda name: "norm" in name,
    "alpha": lambda name: "alpha" in name,
    "all but one level": lambda name: not name.startswith("subnet1.level3"),
    "all but level 0": lambda name: "level0" not in name,
    "all but alpha": lambda name: "alpha" not in name,
    "every other tensor": lambda name: sum(map(ord, name)) % 2,
}


@pytest.mark.parametrize("segment", [1, 2, 3, 4])
@pytest.mark.parametrize("part", FROZEN)
def test_frozen_part(part, segment):
    model = small()
    for name, p in model.named_parameters():
        p.requires_grad_(not FROZEN[part](name))
    plain = gradients(model, 0)
    assert any(g is not None for g in plain.values())
    assert worst(gradients(model, segment), plain) < (1e-5 if segment == 1 else 1e-4)


@pytest.mark.parametrize("segment", [1, 4])
@pytest.mark.parametrize("name", ["stem.0.weight", "subnet1.level3.blocks.0.gamma", "subnet2.alpha0"])
def test_autograd_grad_to_a_parameter(name, segment):
    model = small()
    plain = gradients(model, 0)[name]
    model.segment = segment
    torch.manual_seed(3)
    found = torch.autograd.grad(loss_of(model(picture())), model.get_parameter(name))[0]
    assert ((found - plain).norm() / plain.norm()).item() < 1e-4


@pytest.mark.parametrize("segment", [1, 2, 4])
@pytest.mark.parametrize("used", [[0], [2], [3], [1, 2, 3]])
def test_only_some_maps_are_used(used, segment):
    model = small().eval()
    found = []
    for model.segment in (0, segment):
        model.zero_grad()
        maps = model(picture())
        loss_of([maps[i] for i in used]).backward()
        grads = {n: p.grad for n, p in model.named_parameters()}
        found.append({n: torch.zeros(1) if g is None else g for n, g in grads.items()})
    # Plain autograd leaves None where this gives zeros.
    assert max((b - a).norm() / a.norm().clamp(min=1e-12) for a, b in zip(found[0].values(), found[1].values())) < 1e-4


@pytest.mark.parametrize("segment", [1, 4])
def test_backward_twice(segment):
    model = small(segment=segment)
    loss = loss_of(model(picture()))
    first = torch.autograd.grad(loss, list(model.parameters()), retain_graph=True)
    second = torch.autograd.grad(loss, list(model.parameters()))
    assert all(a.equal(b) for a, b in zip(first, second))


def test_derivative_of_a_gradient_is_refused():
    model = small()
    weight = model.stem[0].weight
    gradient = torch.autograd.grad(loss_of(model(picture())), weight, create_graph=True)[0]
    with pytest.raises(RuntimeError, match="once_differentiable"):
        gradient.sum().backward()


def test_changed_weights_are_noticed():
    model = small()
    loss = loss_of(model(picture()))
    with torch.no_grad():
        model.subnet2.level1.blocks[0].pwconv1.weight.mul_(2)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()


# --------------------------------------------------------------------------------------------------------------- memory
@pytest.fixture(scope="module")
def memory():
    """(saved, peak) in MiB of a training step of the paper's channels, by (columns, segment)."""
    x = picture(1, 224, 224)
    found = {}
    for columns, segment in [(4, 0), (4, 1), (16, 1), (16, 4)]:
        with torch.device("meta"):  # values do not matter here, and initialising takes longer than the step
            model = revcol_tiny(columns=columns, segment=segment)
        model.to_empty(device="cpu").load_state_dict({k: torch.zeros_like(v) for k, v in model.state_dict().items()})
        memory = step_memory(lambda: sum(m.sum() for m in model(x)), model.parameters())
        found[columns, segment] = (memory.saved, memory.peak)
    return found


def test_memory_of_plain_autograd(memory):
    assert memory[4, 0] == pytest.approx((170, 174), abs=10)


def test_memory_of_the_reversible_step(memory):
    (saved_4, peak_4), (saved_16, peak_16) = memory[4, 1], memory[16, 1]
    assert (saved_16 - saved_4) / 12 <= 1.5
    assert peak_4 < 36 and peak_16 < 54  # the authors' code: 67.0 and 84.5


def test_memory_of_segments(memory):
    # Four borders here, three there; four maps at each.
    assert memory[16, 4][0] - memory[4, 1][0] == pytest.approx(1.436, abs=0.1)
    assert memory[16, 4][1] < memory[16, 1][1] - 12


def test_peak_counts_what_is_alive():
    with LiveMemory() as live:
        a = torch.zeros(256, 1024)  # 1 MiB
        b = a + 1
        view = b[:10]
        del a
        c = b.add_(1)
        del b, c
    assert (live.now, live.peak) == (2**20, 2**21)
    del view
    assert live.now == 0


def test_saved_bytes_leave_parameters_out():
    layer = torch.nn.Linear(256, 512)
    x = torch.randn(64, 256)
    assert saved_bytes(layer, x, parameters=layer.parameters()) == x.nbytes


def test_nothing_is_kept_after_the_step():
    model = small(segment=2)
    gradients(model, 2)
    with LiveMemory() as live:
        loss = loss_of(model(picture()))
        loss.backward()
        del loss
    assert live.now == 0


# ----------------------------------------------------------------------------------------------------------------- time
class Multiplications(TorchDispatchMode):
    """Counts those of convolutions and matrix products. (FlopCounterMode cannot look into autograd functions.)"""

    count = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        if formula := flop_registry.get(function._overloadpacket):
            self.count += formula(*args, **(kwargs or {}), out_val=result) // 2
        return result


@pytest.mark.parametrize("columns", [4, 8, 16])
def test_work_of_the_reversible_step(columns):
    counts = {}
    for segment in (0, 1, 3):
        model = revcol_tiny(0.25, segment, columns)
        with Multiplications() as multiplications:
            loss_of(model(picture(1, 32, 32))).backward()
        counts[segment] = multiplications.count
    assert counts[1] < 1.2 * counts[0] and counts[1] < counts[3] < 1.25 * counts[0]


@pytest.mark.parametrize("mask", [None, torch.tensor([0.0, 2.0]).view(-1, 1, 1, 1)])
def test_gradients_need_no_value(mask):
    block = small().subnet1.level1.blocks[0].double()
    x = torch.randn(2, 16, 3, 5, dtype=torch.float64, requires_grad=True)
    full, short = block(x, mask), block(x, mask, value=False)
    assert short.equal(x) and not full.equal(x)
    wanted, g = [x, *block.parameters()], torch.randn_like(x)
    pairs = zip(torch.autograd.grad(full, wanted, g), torch.autograd.grad(short, wanted, g))
    assert all(torch.allclose(f, s) for f, s in pairs)


def hooked(model):
    model.subnet1.level1.blocks[0].pwconv2.register_forward_hook(lambda module, inputs, output: output.tanh())


def hooked_before(model):
    model.subnet1.level1.blocks[0].pwconv2.register_forward_pre_hook(lambda module, inputs: inputs[0] * 2)


def hooked_block(model):
    model.subnet1.level2.blocks[1].register_forward_hook(lambda module, inputs, output: output.tanh())


def pruned(model):
    prune.l1_unstructured(model.subnet1.level1.blocks[0].pwconv2, "weight", 0.5)


def parametrized(model):
    torch.nn.utils.parametrizations.weight_norm(model.subnet1.level1.blocks[0].pwconv2)


def without_bias(model):
    model.subnet1.level1.blocks[0].pwconv2.bias = None


def replaced(model):
    block = model.subnet1.level1.blocks[0]
    block.pwconv2 = torch.nn.Sequential(block.pwconv2, torch.nn.Tanh())


@pytest.mark.parametrize(
    "change",
    [hooked, hooked_before, hooked_block, pruned, parametrized, without_bias, replaced],
    ids=lambda f: f.__name__,
)
def test_changed_last_product(change):
    model = small()
    before = gradients(model, 0)
    change(model)
    plain = gradients(model, 0)
    assert not plain["stem.0.weight"].equal(before["stem.0.weight"])  # the change matters
    assert worst(gradients(model, 1), plain) < 1e-5


@pytest.mark.parametrize("segment", [0, 1, 2])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_trains_in_half_precision(dtype, segment):
    found = gradients(small().to(dtype), segment, picture().to(dtype))
    exact = gradients(small(), 0)
    assert all(g.isfinite().all() for g in found.values())
    error = sum((found[n].float() - g).norm() for n, g in exact.items()) / sum(g.norm() for g in exact.values())
    assert error < (0.01 if dtype is torch.float16 else 0.1)


def test_copies_of_dataparallel_are_plain():
    """Their weights are plain attributes, so that the reversible step would find no parameters."""
    model = small()
    assert model.saves_memory(picture()) and not model._replicate_for_data_parallel().saves_memory(picture())


# ------------------------------------------------------------------------------------------------------ alpha, the door
def test_alpha_stays_away_from_zero():
    alpha = torch.tensor([0.0, -0.0, 1e-9, -1e-9, 0.5, -2.0], requires_grad=True)
    assert away_from_zero(alpha).tolist() == pytest.approx([1e-3, 1e-3, 1e-3, -1e-3, 0.5, -2.0])
    away_from_zero(alpha).sum().backward()
    assert alpha.grad.eq(1).all()


@pytest.mark.parametrize("segment", [0, 1, 2])
def test_alpha_of_zero_trains(segment):
    model = small()
    with torch.no_grad():
        for column in range(4):
            model.get_parameter(f"subnet{column}.alpha1").zero_()
    found = gradients(model, segment)
    assert all(g.isfinite().all() for g in found.values()) and found["subnet2.alpha1"].any()
    assert worst(found, gradients(model, 0)) < (0.1 if segment == 2 else 1e-5)


def test_eval_mode_edits_no_weight():
    model = small().eval()
    with torch.no_grad():
        model.subnet1.alpha0.zero_()
        before = copy.deepcopy(model.state_dict())
        assert all(m.isfinite().all() for m in model(picture()))
    assert all(v.equal(before[k]) for k, v in model.state_dict().items())


def test_first_alpha_has_gradient_zero():
    found = gradients(small(), 1)
    assert all(not found[f"subnet0.alpha{i}"].any() for i in range(4))


@pytest.mark.parametrize("shape", [(1, 3, 31, 64), (1, 3, 64, 16), (1, 4, 64, 64), (3, 64, 64), (1, 3, 0, 64)])
def test_wrong_pictures(shape):
    with pytest.raises(ValueError, match="at least 32x32") as error:
        small()(torch.zeros(shape))
    assert str(shape) in str(error.value)


@pytest.mark.parametrize("arguments", [{"segment": True}, {"columns": True}, {"width": True}, {"width": None}])
def test_arguments_that_are_no_numbers(arguments):
    for function in (RevCol, RevCol.feature_channels):
        with pytest.raises(ValueError, match="must be a") as error:
            function(**arguments)
        (name, value), *_ = arguments.items()
        assert f"{name}={value}" in str(error.value)


@pytest.mark.parametrize("segment", [0, 1])
@pytest.mark.parametrize("side", [(200, 312), (80, 96), (33, 64)])
def test_other_sides_are_padded(side, segment):
    """As if the picture had zeros at the right and at the bottom, and maps that were cut; gradients flow."""
    model, x = small(segment=segment).eval(), picture(1, *side)
    maps = model(x)
    assert [m.shape[2:] for m in maps] == [tuple(math.ceil(n / s) for n in side) for s in (4, 8, 16, 32)]
    whole = model(torch.nn.functional.pad(x, (0, -side[1] % 32, 0, -side[0] % 32)))
    assert all(m.equal(w[..., : m.shape[2], : m.shape[3]]) for m, w in zip(maps, whole))
    loss_of(maps).backward()
    assert model.stem[0].weight.grad.any()


def test_golden_file_is_complete():
    expected = json.loads((contract.GOLDEN / "revcol_tiny.json").read_text(encoding="utf-8"))
    assert len(expected["runs"]) == 2 and len(contract.layout(expected["manifest"])) == len(revcol_tiny().state_dict())


# -------------------------------------------------------------------------------------------------------------- in YOLO
def test_test_time_augmentation_without_p5():
    """A detector for small objects has stride 16. Its test-time augmentation gives sides that are multiples of 16."""
    head = [[3, 1, "Conv", [64, 1, 1]], [-1, 1, "nn.Upsample", [None, 2, "nearest"]], [[-1, 2], 1, "Concat", [1]]]
    head += [[-1, 1, "C3k2", [64, False]], [[8, 5], 1, "Detect", ["nc"]]]
    config = {"nc": 1, "backbone": [[-1, 1, "revcol_tiny", [0.25]]], "head": head}
    model, x = DetectionModel(config, verbose=False).eval(), torch.rand(1, 3, 96, 96)
    assert model.stride.tolist() == [8, 16]
    with torch.no_grad():
        plain, augmented = model(x)[0], model(x, augment=True)[0]
    assert augmented.isfinite().all() and augmented.shape[2] > plain.shape[2]


def test_yolo_trains_behind_a_frozen_stem(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run = train("yolo11n-RevColV1.yaml", preset="smoke", epochs=1, fraction=0.1, freeze=["0.stem"])
    net = YOLO(run.weights).model.model[0]
    # All biases start at zero.
    assert not net.stem[0].bias.any()
    assert all(getattr(net, f"subnet{i}").level1.blocks[0].pwconv1.bias.any() for i in range(4))


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
def test_a_killed_run_goes_on(tmp_path, monkeypatch, capsys):
    monkeypatch.delenv("COURSE_RUNS", raising=False)
    model, settings = "yolo11n-RevColV1.yaml", {"preset": "smoke", "epochs": 3, "imgsz": 64, "fraction": 0.1}
    command = [f"model={model}", *(f"{key}={value}" for key, value in settings.items())]
    code, said = start(tmp_path, command, "1/3", signal.SIGKILL)  # this line comes when last.pt has been written
    assert code == -signal.SIGKILL and "2/3" not in said, said

    monkeypatch.chdir(tmp_path)
    run = train(model, **settings)
    said = capsys.readouterr().out
    assert f"Going on with {run.folder.relative_to(tmp_path)} after epoch 1 of 3" in said and "1/3" not in said
    assert len(run.losses) == 3 and all(math.isfinite(loss) for loss in run.losses)
    assert YOLO(run.weights).model.model[0].segment == 1
