"""The bench counts in two ways that agree, goes on after an interruption, and says what is wrong in one line."""

import csv
import json
import math
import subprocess
import sys

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import modules
from modules.course import bench, costs, roofline
from modules.course.bench import Cell
from modules.course.contract import CASES
from modules.course.costed import CFG, Detector, Peer, detectors, everything, named
from modules.course.counting import count
from modules.course.errors import InputError
from modules.course.measure import gmac

SHORT = ("TinyNet", "sizes=64", "batches=1")


class Mixed(nn.Module):
    """Every kind of layer that is counted, and a product of activations."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(4, 8, 3, stride=2, padding=1, groups=2)
        self.up = nn.ConvTranspose2d(8, 6, 2, stride=2)
        self.linear = nn.Linear(6, 10)

    def forward(self, x):
        x = self.linear(self.up(self.conv(x)).flatten(2).mT)  # (B, 64, 10)
        return F.scaled_dot_product_attention(x, x, x)


# ------------------------------------------------------------------------------------------------------------ counting
def test_both_counters_count_what_a_pencil_counts():
    found = count(net := Mixed(), net, torch.randn(1, 4, 8, 8))
    layers = 8 * 16 * 2 * 9 + 8 * 16 * 6 * 4 + 64 * 6 * 10
    assert found.layers == layers / 1e9 and found.matmul == 2 * 64 * 64 * 10 / 1e9
    assert found.gmac == pytest.approx((layers + 2 * 64 * 64 * 10) / 1e9) and found.agree


def test_a_convolution_that_is_no_layer_makes_them_disagree():
    net = nn.Module()
    net.weight = nn.Parameter(torch.randn(3, 3, 1, 1))
    found = count(net, lambda x: F.conv2d(x, net.weight), torch.randn(1, 3, 4, 4))
    assert found.layers == 0 and found.gmac > 0 and not found.agree


@pytest.mark.parametrize("name", ["EMO_1M", "revcol_tiny", "mobilevit_xxs", "yolov10n-C2f_iRMB"])
def test_counters_agree(name):
    assert named(name).count().agree


def test_everything_is_there():
    names = [entry.name for entry in everything()]
    assert len(set(names)) == len(names)
    assert {cls.__name__ for cls in modules.BACKBONES} - set(names) == {"FasterNet"}  # it is fasternet_t0
    assert {"yolo11n", "yolov10n"} < set(names)  # what the comparison compares with
    assert {"yolo11n-EMO", "yolo11x-TinyNet", "yolov10b-iRMB", "yolov10n-C2f_iRMB"} < set(detectors())
    assert len(detectors()) >= 5 * len([path for path in CFG.glob("*.yaml") if "v10b" not in path.name])


def test_models_are_named_in_several_ways():
    assert isinstance(named("yolo11n-EMO.yaml"), Detector) and isinstance(named("resnet10t"), Peer)
    with pytest.raises(InputError, match="no model 'EMO_1N'. Did you mean 'EMO_1M'"):
        named("EMO_1N")


# ------------------------------------------------------------------------------------------------------------ the bench
@pytest.fixture
def table(tmp_path):
    return tmp_path / "new" / "bench.csv"


def rows(table):
    with table.open() as file:
        return list(csv.DictReader(file))


def run(table, *words):
    bench.main([*SHORT, f"out={table}", *words])


def test_bench_measures_and_goes_on(table, capsys):
    run(table, "rounds=1")
    first = {(row["measure"], row["threads"]): row for row in rows(table)}
    measures = {what for what, _ in first}
    assert {"parameters", "gmac", "layers", "matmul", "forward", "training step", "peak memory"} <= measures
    assert all(float(row["low"]) <= float(row["value"]) <= float(row["high"]) for row in first.values())
    stored = json.loads(table.with_suffix(".json").read_text())
    assert stored["machine"]["torch"] == torch.__version__ and stored["machine"]["cpu"]
    run(table, "rounds=2")
    second = {(row["measure"], row["threads"]): row["rounds"] for row in rows(table)}
    assert second["forward", "1"] == "2" and second["parameters", "0"] == "1" and second["peak memory", "1"] == "1"
    said = capsys.readouterr().out
    assert "TinyNet" in said and "bench.csv" in said


def test_interrupted_bench_keeps_what_it_has(table, monkeypatch):
    measure, calls = bench.Bench.measure, []

    def interrupted(self, cell):
        calls.append(cell)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return measure(self, cell)

    monkeypatch.setattr(bench.Bench, "measure", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run(table, "rounds=1")
    timed = [row for row in rows(table) if row["threads"] != "0"]
    assert len(timed) == 1  # and there is nothing to fuse in TinyNet
    run(table, "rounds=1")
    assert calls.count(calls[0]) == 1 and calls.count(calls[2]) == 2


def test_large_models_are_counted_only(table):
    bench.main(["fasternet_l", f"out={table}"])
    assert {row["measure"] for row in rows(table)} == {"parameters", "gmac", "layers", "matmul"}


def test_long_calls_are_left_out(table):
    plan = bench.Bench(named("swin_tiny_patch4_window7_224"), None, None, ("cpu",))
    plan.count(bench.Store(table))
    steps = {cell.batch for cell in plan.cells if cell.measure == "training step"}
    assert steps == {1} and {cell.batch for cell in plan.cells if cell.measure == "forward"} == {1, 8}


def test_no_turn_begins_when_the_time_is_over(table, monkeypatch):
    monkeypatch.setattr(bench.Bench, "measure", lambda self, cell: pytest.fail("measured"))
    store = bench.Store(table)
    bench.run([bench.Bench(named("TinyNet"), (32,), (1,), ("cpu",))], store, rounds=1, minutes=0)
    assert {cell.measure for cell in store.samples} == {"parameters", "gmac", "layers", "matmul"}


@pytest.mark.parametrize(
    "words, line",
    [
        (("size=32",), "no argument 'size'"),
        (("batches=0",), "batches=0: give whole numbers"),
        (("sizes=a",), "sizes=a: give whole numbers"),
        (("device=tpu",), "device=tpu: there is cpu"),
        (("out=bench.txt",), "ends in .csv"),
        (("EMO_9M",), "no model 'EMO_9M'"),
    ],
)
def test_wrong_words(words, line):
    with pytest.raises(InputError, match=line):
        bench.main([*words])


def test_another_machine_does_not_mix(table, monkeypatch):
    store = bench.Store(table)
    store.add(Cell("TinyNet", "cpu", 32, 1, 1, "forward"), "course", 1.0)
    store.write()
    monkeypatch.setattr(bench, "machine", lambda: {**store.machine, "cpu": "another"})
    with pytest.raises(InputError, match="with cpu .*, and here it is another"):
        bench.Store(table)
    table.with_suffix(".json").write_text("[]")
    with pytest.raises(InputError, match="no file of the bench"):
        bench.Store(table)


def test_a_long_call_is_made_once_and_short_ones_often(monkeypatch):
    for length, calls in ((1.0, 1), (0.02, 6), (0.001, 10)):
        made = []
        monkeypatch.setattr(bench, "seconds", lambda call: made.append(1) or length)
        assert bench.turn(None) == length and len(made) == calls


# -------------------------------------------------------------------------------------------------------- reading it
@pytest.fixture
def measured(table):
    store = bench.Store(table)
    for imgsz, batch, ms in ((160, 1, 1.0), (224, 1, 2.0), (224, 4, 6.0), (640, 1, 16.0)):
        for value in (ms, 0.5 * ms, 3 * ms):
            store.add(Cell("TinyNet", "cpu", imgsz, batch, 2, "forward"), "course", value)
    store.write()
    return costs.Costs(table)


def test_costs_are_found_with_their_spread(measured):
    assert measured("TinyNet", "forward") == 2 and math.isnan(measured("TinyNet", "forward", batch=3))
    found = measured.find("TinyNet", "forward", imgsz=160)
    assert (found.value, found.low, found.high) == (1, 0.5, 3)
    assert measured.models("course") == ["TinyNet"] and measured.models("detector") == []


def test_between_the_measured_sizes(measured):
    assert measured.between("TinyNet", 640, 1) == pytest.approx(16)
    assert measured.between("TinyNet", 224, 4) == pytest.approx(6)
    assert measured.between("TinyNet", 320, 1) == pytest.approx(2 * 8 ** (math.log(320 / 224) / math.log(640 / 224)))


def test_a_missing_table_names_the_command(tmp_path):
    with pytest.raises(FileNotFoundError, match="python -m modules bench"):
        costs.Costs(tmp_path / "none.csv")


def test_published_figures_are_about_our_models_and_near_our_counts():
    sizes = {case.name: case.size for case in CASES if case.size}
    for name, row in costs.published().items():
        assert hasattr(modules, name) and "commit" in row["source"] and 70 < row["top1"] < 90
        if name in sizes and not math.isnan(row["gmac"]):
            assert row["gmac"] == pytest.approx(sizes[name].gmac, rel=0.04)
            assert row["million_parameters"] == pytest.approx(sizes[name].parameters / 1e6, rel=0.05)


def test_numbers_of_a_table():
    assert costs.padded(3.14159, 6, 2) == "  3.14" and costs.padded(math.nan, 4) == "   -"


def test_the_spread_stands_beside_the_median(measured):
    assert measured.text("TinyNet", "forward", imgsz=160) == "1.0 (0.5 .. 3.0)"
    assert measured.text("TinyNet", "forward", batch=3) == "-"


def test_best_for_less_is_what_no_other_beats_in_both():
    points = {"dear": (4, 9), "worse": (3, 2), "cheap": (1, 1), "middle": (2, 5), "unmeasured": (math.nan, 10)}
    assert costs.best_for_less(points) == ["cheap", "middle", "dear"]
    assert costs.best_for_less({"worse": (1, 3), "better": (1, 4)}) == ["better"]


def test_weights_are_timms_or_the_authors():
    names = ("TinyNet", "EMO_1M", "repvit_m0_6", "repvit_m0_9", "revcol_tiny")
    assert [costs.weights_of(name) for name in names] == ["none", "authors", "authors", "timm", "authors"]


def test_rank_correlation():
    assert costs.rank_correlation([1, 2, 3, 7], [10, 20, 40, 50]).value == pytest.approx(1)
    assert costs.rank_correlation([1, 2, 3, 7], [4, 3, 2, 1]).value == pytest.approx(-1)
    assert str(costs.rank_correlation([1, 2, 3, 4], [1, 3, 2, 4])) == "+0.80 over 4 pairs of values"


def test_rank_correlation_leaves_out_what_was_not_measured():
    ms, peaks = [10, 20, 30, 40, 50, 60], [6, math.nan, 4, math.nan, 2, 1]
    assert costs.rank_correlation(peaks, ms) == costs.rank_correlation([6, 4, 2, 1], [10, 30, 50, 60])
    assert str(costs.rank_correlation(peaks, ms)) == "-1.00 over 4 pairs of values"
    assert math.isnan(costs.rank_correlation(peaks[:5], ms[:5]).value)
    assert "3 pairs of values are too few" in str(costs.rank_correlation(peaks[:5], ms[:5]))


def test_the_stored_table_is_of_this_course():
    stored = costs.Costs()
    known = {entry.name for entry in everything()}
    assert set(stored.kinds) == known and stored.machine["cpu"]
    for name in stored.kinds:
        found = stored(name, "gmac"), stored(name, "layers") + stored(name, "matmul")
        assert found[0] == pytest.approx(found[1], rel=1e-4)


# ------------------------------------------------------------------------------------------------------------ roofline
@pytest.mark.parametrize("name", ["EMO_1M", "repvit_m0_6", "fasternet_t0", "revcol_tiny"])
def test_stages_together_are_the_network(name):
    network, x = named(name).build("cpu").eval(), torch.rand(1, 3, 64, 64)
    found = roofline.stages(network, x, rounds=1)
    assert [stage.stride for stage in found][-4:] == [4, 8, 16, 32]
    assert sum(stage.gmac for stage in found) == pytest.approx(gmac(network, x))
    assert all(stage.gb > 0 and stage.seconds > 0 for stage in found)


def test_the_roof_is_the_smaller_limit():
    roof = roofline.Machine(gmacs=100, gb=10)
    assert roof.limit(2) == 20 and roof.limit(50) == 100


def test_views_move_nothing():
    x = torch.rand(8, 8)
    with roofline.Traffic() as traffic:
        x.view(64).unflatten(0, (4, 16)).mT
    assert traffic.bytes == 0
    with roofline.Traffic() as traffic:
        x + x
    assert traffic.bytes == 3 * x.nbytes


# ------------------------------------------------------------------------------------------------------ the course's own
def test_importing_the_course_is_quick():
    """timm and torchvision together take longer to import than all of Ultralytics, and only few things need them."""
    code = "import sys, modules; print({'timm', 'torchvision', 'matplotlib.pyplot'} & set(sys.modules))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout == "set()\n"
