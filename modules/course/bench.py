"""`python -m modules bench`: what backbones and detectors cost, measured in turns on this machine.

Everything takes turns, so that whatever else the machine does is spread over all of it.
"""

import csv
import importlib.util
import json
import os
import platform
import statistics
import time
from collections.abc import Callable
from functools import cache, cached_property
from pathlib import Path
from typing import NamedTuple

import psutil
import timm
import torch
import ultralytics
from tqdm import tqdm

from .costed import Backbone, everything, forward, named, onnx_file, onnx_session, training_step
from .costs import own_table
from .errors import InputError, plain, shown, warn
from .files import replace
from .inputs import LARGEST as LARGEST_SIDE
from .measure import seconds
from .memory import MIB, step_memory
from .progress import live_stream
from .quiet import tensors_in
from .threads import threads

HELP = """\
python -m modules bench [MODEL ...] key=value ...

Measures parameters, multiply-adds by two counters, milliseconds forwards (as trained, fused, and in ONNX Runtime where
it is installed), of a training step, and its peak memory: with 1 and with all threads, and on the GPU where there is one.

  MODEL      a backbone of the course, a model YAML, or a model of timm: bench EMO_1M yolo11n-EMO resnet18
             Without any: all of the course, seven peers and two stock detectors, about 13 minutes and 6 GB of memory.
  sizes=     sides of the pictures; by default 224 for a backbone and 320 for a detector
  batches=   pictures at a time; by default 1,8
  rounds=5   how often each takes its turn; more are added to what is there
  minutes=12 no turn begins later than this
  device=    cpu or cuda; by default both, where there are both
  out=runs/bench.csv   the table; beside it, in bench.json, the machine and all that was measured

Stop it at any time: the same command goes on. A call of more than 60 GMAC (20 for a detector) is left out, and models of
more than 31 million parameters are counted, not timed."""

COLUMNS = ("model", "kind", "device", "imgsz", "batch", "threads", "measure", "value", "low", "high", "rounds")
LARGEST = 31e6  # parameters of a model that is timed
LIMIT = {"course": 60, "timm": 60, "detector": 20}  # GMAC of a call that is timed
SWEPT = ("EMO_1M", "repvit_m0_9", "fasternet_t0", "revcol_tiny", "mobilenetv3_large_100")  # over sizes and batches
SIZES, BATCHES = (160, 320, 640, 1280), (2, 4, 16)
LONG = 0.25  # seconds; a call that takes longer is made once in a turn
SHORT = 0.1  # seconds that a turn of shorter calls lasts


class Cell(NamedTuple):
    """One thing to measure. `threads` is 0 where it has no meaning."""

    model: str
    device: str
    imgsz: int
    batch: int
    threads: int
    measure: str


# ------------------------------------------------------------------------------------------------------------- storing
def cpu_name() -> str:
    """What the processor is called."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8", errors="replace").splitlines() if info.is_file() else []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.processor() or platform.machine())


def machine() -> dict[str, str]:
    """What measured times depend on: the processor and the versions."""
    found = {
        "cpu": cpu_name(),
        "instructions": torch.backends.cpu.get_cpu_capability(),
        "threads": str(threads()),
        "memory": f"{psutil.virtual_memory().total / 2**30:.0f} GiB",
        "system": f"{platform.system()} {platform.machine()}",
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else "none",
        "python": platform.python_version(),
        "torch": torch.__version__,
        "timm": timm.__version__,
        "ultralytics": ultralytics.__version__,
    }
    if importlib.util.find_spec("onnxruntime"):
        import onnxruntime

        found["onnxruntime"] = onnxruntime.__version__
    return found


class Store:
    """All samples of one machine, in a .json; the .csv beside it has their medians."""

    def __init__(self, table: Path):
        self.table, self.path = table, table.with_suffix(".json")
        self.machine, self.samples, self.kinds = machine(), {}, {}
        if self.path.is_file():
            self.read()

    def read(self):
        try:
            stored = json.loads(self.path.read_text(encoding="utf-8"))
            self.kinds = stored["kinds"]
            self.samples = {Cell(*cell): samples for *cell, samples in stored["samples"]}
        except (ValueError, KeyError, TypeError):
            raise InputError(f"{shown(self.path)}: this is no file of the bench. Give another out=.") from None
        for key, now in self.machine.items():
            if (then := stored["machine"].get(key)) != now:
                raise InputError(
                    f"{shown(self.path)} was measured with {key} {then}, and here it is {now}: times of two machines do "
                    f"not mix. Give another out=, or delete that file."
                )

    def add(self, cell: Cell, kind: str, value: float) -> None:
        self.kinds[cell.model] = kind
        self.samples.setdefault(cell, []).append(value if isinstance(value, int) else float(f"{value:.6g}"))

    def write(self) -> None:
        """Whoever looks meanwhile finds the old files or the new ones, never half of one."""
        self.table.parent.mkdir(parents=True, exist_ok=True)
        samples = [json.dumps([*cell, values]) for cell, values in self.samples.items()]
        head = json.dumps({"machine": self.machine, "kinds": self.kinds}, indent=1)[:-2]
        text = f'{head},\n "samples": [\n' + ",\n".join(samples) + "\n ]\n}\n"
        replace(self.path, lambda beside: beside.write_text(text, encoding="utf-8"))
        rows = [
            (cell.model, self.kinds[cell.model], *cell[1:], statistics.median(v), min(v), max(v), len(v))
            for cell, v in self.samples.items()
        ]

        def fill(beside: Path):
            with beside.open("w", encoding="utf-8", newline="") as file:
                csv.writer(file, lineterminator="\n").writerows([COLUMNS, *rows])

        replace(self.table, fill)


# ----------------------------------------------------------------------------------------------------------- measuring
class Bench:
    """One model with all that is to be measured of it; the network is built when it is first needed."""

    def __init__(self, entry: Backbone, sizes: tuple | None, batches: tuple | None, devices: tuple):
        self.entry, self.devices = entry, devices
        self.sizes, self.batches = sizes or (entry.imgsz,), batches or (1, 8)
        self.swept = entry.name in SWEPT and not (sizes or batches)
        self.cells: list[Cell] = []

    @cached_property
    def network(self):
        torch.manual_seed(0)
        return self.entry.build("cpu")

    @cached_property
    def fused(self):
        return self.entry.fused(self.network)

    @cache
    def onnx_file(self, imgsz: int) -> bytes:
        return onnx_file(self.network.cpu(), imgsz)

    @cache
    def onnx_session(self, imgsz: int, count: int):
        return onnx_session(self.onnx_file(imgsz), count)

    def count(self, store: Store) -> None:
        """Count, and from that plan what is timed."""
        name, kind, imgsz = self.entry.name, self.entry.kind, self.entry.imgsz
        cell = Cell(name, "any", imgsz, 1, 0, "gmac")
        if cell not in store.samples:
            found = self.entry.count()
            if not found.agree:
                warn(f"{name}: operations {found.gmac:.4f}, layers {found.layers:.4f}, matmuls {found.matmul:.4f} GMAC")
            for measure in ("parameters", "gmac", "layers", "matmul"):
                store.add(cell._replace(measure=measure), kind, getattr(found, measure))
        gmac, size = (store.samples[cell._replace(measure=m)][0] for m in ("gmac", "parameters"))
        if size <= LARGEST:
            self.cells = [c for c in self.plan() if self.cost(c, gmac) <= LIMIT[kind]]

    def cost(self, cell: Cell, gmac: float) -> float:
        """About how many GMAC a cell's call takes, given those of one picture of the usual size."""
        steps = 3 if cell.measure in ("training step", "peak memory") else 1
        return gmac * steps * cell.batch * (cell.imgsz / self.entry.imgsz) ** 2

    def plan(self):
        """The cells, those of one thread first."""
        for device in self.devices:
            counts = dict.fromkeys((1, threads())) if device == "cpu" else (0,)
            for count in counts:
                for imgsz in self.sizes:
                    for batch in self.batches:
                        measures = ["forward", "fused"]
                        measures += ["ONNX Runtime"] if device == "cpu" and self.exportable else []
                        if batch * (imgsz // 32) ** 2 > 1:  # a BatchNorm cannot learn from one position
                            measures += ["training step"]
                            measures += ["peak memory"] if count != 1 or len(counts) == 1 else []
                        yield from (Cell(self.entry.name, device, imgsz, batch, count, m) for m in measures)
            if self.swept:
                points = [(size, 1) for size in SIZES] + [(self.entry.imgsz, batch) for batch in BATCHES]
                yield from (Cell(self.entry.name, device, *point, count, "forward") for point in points)

    @property
    def exportable(self) -> bool:
        """Whether ONNX Runtime is asked: of detectors at scale n only, whose export takes as long as all else."""
        small = self.entry.kind != "detector" or self.entry.name.startswith(("yolo11n", "yolov10n"))
        return small and importlib.util.find_spec("onnxruntime") is not None

    def measure(self, cell: Cell) -> float | None:
        """One sample: milliseconds, MiB of peak memory, or None where the model has no such form."""
        network = self.fused if cell.measure == "fused" else self.network
        if network is None:
            return None
        x = torch.rand(cell.batch, 3, cell.imgsz, cell.imgsz, device=cell.device)
        if cell.measure == "ONNX Runtime":
            return 1e3 * turn(self.in_onnx(cell, x))
        network.to(cell.device)
        if cell.measure == "peak memory":
            return peak_memory(network, x)
        call = (training_step if cell.measure == "training step" else forward)(network, x)
        try:
            return 1e3 * turn(call)
        finally:
            network.zero_grad()

    def in_onnx(self, cell: Cell, x: torch.Tensor) -> Callable[[], object]:
        session, picture = self.onnx_session(cell.imgsz, cell.threads), x.numpy()
        return lambda: session.run(None, {"x": picture})


def turn(call: Callable[[], object]) -> float:
    """Seconds of one call: of the first if it is long, else the median of some, after a first one with cold caches."""
    first = seconds(call)
    if first > LONG:
        return first
    found = []
    while sum(found) < SHORT and len(found) < 9:
        found.append(seconds(call))
    return statistics.median(found)


def peak_memory(network: torch.nn.Module, x: torch.Tensor) -> float:
    """MiB that a training step needs at its highest point, without parameters and their gradients."""
    network.train()
    if x.is_cuda:
        step = training_step(network, x)
        step()
        before = torch.cuda.memory_allocated()
        torch.cuda.reset_peak_memory_stats()
        step()
        return (torch.cuda.max_memory_allocated() - before) / MIB
    try:
        return step_memory(lambda: sum(map(torch.sum, tensors_in(network(x)))), network.parameters()).peak
    finally:
        network.zero_grad()


def run(benches: list[Bench], store: Store, rounds: int, minutes: float) -> None:
    """Count all, then let them take turns until each has `rounds` samples or the time is over."""
    until, stream = time.monotonic() + 60 * minutes, live_stream()
    for bench in tqdm(benches, "counting ", leave=False, file=stream, disable=stream is None):
        bench.count(store)
    store.write()
    all_threads = torch.get_num_threads()
    left = sum(max(0, goal(cell, rounds) - len(store.samples.get(cell, []))) for b in benches for cell in b.cells)
    try:
        with tqdm(total=left, desc="measuring ", leave=False, file=stream, disable=stream is None) as bar:
            for number in range(1, rounds + 1):
                take_turns(benches, store, number, until, bar)
    finally:
        torch.set_num_threads(all_threads)
        store.write()


def goal(cell: Cell, rounds: int) -> int:
    """How many samples a cell gets. What a step needs in memory does not change."""
    return 1 if cell.measure == "peak memory" else rounds


def take_turns(benches: list[Bench], store: Store, number: int, until: float, bar: tqdm) -> None:
    """One sample for each cell that has fewer than `number`, those with the same number of threads together."""
    for count in sorted({cell.threads for bench in benches for cell in bench.cells}):
        torch.set_num_threads(count or threads())
        for bench in benches:
            mine = [cell for cell in bench.cells if cell.threads == count]
            for cell in mine:
                if len(store.samples.get(cell, [])) >= goal(cell, number):
                    continue
                if time.monotonic() > until:
                    return
                bar.set_postfix_str(f"round {number}: {cell.model}", refresh=False)
                value = bench.measure(cell)
                if value is None:
                    bench.cells.remove(cell)
                else:
                    store.add(cell, bench.entry.kind, value)
                bar.update()
            store.write()


# ------------------------------------------------------------------------------------------------------------- command
MOST = {"sizes": LARGEST_SIDE, "batches": 1024, "rounds": 1000, "minutes": 10_000}


def numbers(given: dict, key: str, default: str = "") -> tuple[int, ...]:
    """`sizes=160,320` -> (160, 320).

    Raises:
        InputError: it holds something else than whole numbers from 1 to MOST[key].
    """
    text = given.get(key, default)
    words = text.split(",") if text else []
    if not all(word.isdecimal() and len(word) < 9 and 1 <= int(word) <= MOST[key] for word in words):
        raise InputError(
            f"{key}={text[:80]}: give whole numbers from 1 to {MOST[key]}, with commas between them, as {key}=1,8."
        )
    return tuple(map(int, words))


def choose_devices(text: str) -> tuple[str, ...]:
    there = ("cpu", "cuda") if torch.cuda.is_available() else ("cpu",)
    if text and text not in there:
        raise InputError(f"device={text}: there is {' and '.join(there)} here.")
    return (text,) if text else there


def main(words: list[str]) -> None:
    """Run `bench WORDS`.

    Raises:
        InputError: a model, a key or a value is not known.
    """
    given = dict(word.split("=", 1) for word in words if "=" in word)
    if unknown := set(given) - {"sizes", "batches", "rounds", "minutes", "device", "out"}:
        raise InputError(f"bench has no argument '{min(unknown)}'. `python -m modules bench --help` lists them.")
    sizes, batches = numbers(given, "sizes"), numbers(given, "batches")
    (rounds,) = numbers(given, "rounds", "5")[:1]
    (minutes,) = numbers(given, "minutes", "12")[:1]
    devices, table = choose_devices(given.get("device", "")), Path(given["out"]) if "out" in given else own_table()
    if table.suffix != ".csv":
        raise InputError(f"out={table}: give a file that ends in .csv.")
    chosen = [named(word) for word in words if "=" not in word] or everything()
    with plain():
        store = Store(table)
        if os.getloadavg()[0] > 0.5 if hasattr(os, "getloadavg") else False:
            warn(f"this machine is busy (load {os.getloadavg()[0]:.1f}): times will be longer and less certain.")
        run([Bench(entry, sizes, batches, devices) for entry in chosen], store, rounds, minutes)
    print(summary(store, [entry.name for entry in chosen]))
    print(f"\nwritten: {shown(table)}, {shown(store.path)}")


def summary(store: Store, models: list[str]) -> str:
    """A line for each model: what it costs, and milliseconds for one picture with all threads."""
    lines = [f"{'':30}parameters     GMAC  forward ms     fused  ONNX Runtime  training step"]
    for name in models:
        found = {
            c.measure: statistics.median(v) for c, v in reversed(store.samples.items()) if c.model == name and fits(c)
        }
        times = [found.get(measure) for measure in ("forward", "fused", "ONNX Runtime", "training step")]
        cells = [f"{time:.1f}" if time else "-" for time in times]
        line = f"{name:30}{found['parameters']:10,.0f}{found['gmac']:9.3f}"
        lines.append(f"{line}{cells[0]:>12}{cells[1]:>10}{cells[2]:>14}{cells[3]:>15}")
    return "\n".join(lines)


def fits(cell: Cell) -> bool:
    return cell.batch == 1 and (cell.device == "any" or cell.device == "cpu" and cell.threads == threads())
