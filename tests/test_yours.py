"""What the learner changes in a lesson is what YOLO builds, trains and stores."""

import ast
import re
import subprocess
import sys

import nbformat
import pytest
import torch
from torch import nn
from ultralytics import YOLO
from ultralytics.nn import tasks
from versions.models import write_data

import modules
from modules import registry
from modules.course import yours
from tools import lessons

# For each lesson that ships registered classes: a class whose constructor is changed, and a model that holds it.
CHANGED = {
    "01": ("TinyBlock", "yolo11n-TinyNet.yaml"),
    "02": ("iRMB", "yolo11n-EMO.yaml"),
    "03": ("EMO", "yolo11n-EMO.yaml"),
    "04": ("C2f_iRMB", "yolov10n-C2f_iRMB.yaml"),
    "05": ("RepViT", "yolo11n-RepViT.yaml"),
    "06": ("FasterNet", "yolo11n-FasterNet.yaml"),
    "07": ("RevCol", "yolo11n-RevColV1.yaml"),
}
BUILDS = re.compile(r"(?<![.\w])(YOLO|DetectionModel|train|trace|draw_model)\(")
ADDED = "self.added_by_learner = nn.Conv2d(1, 7, 1)"  # 14 parameters


def cells_of(number: str) -> list[str]:
    (path,) = lessons.NOTEBOOKS.glob(f"{number}_*.ipynb")
    return [cell.source for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]


def with_added(cells: list[str], name: str) -> list[str]:
    """The cells of a lesson with one more layer in the constructor of class `name`."""
    changed = list(cells)
    for number, cell in enumerate(cells):
        for node in yours.statements(cell) if cell.startswith("#| export") else []:
            if isinstance(node, ast.ClassDef) and node.name == name:
                for method in node.body:
                    if getattr(method, "name", "") == "__init__":
                        lines = cell.splitlines()
                        lines.insert(method.end_lineno, f"        {ADDED}")
                        changed[number] = "\n".join(lines)
    assert changed != cells, f"no exported cell has a constructor of {name}"
    return changed


def parameters(net: nn.Module) -> int:
    return sum(p.numel() for p in net.parameters())


@pytest.fixture
def notebook(monkeypatch):
    """`notebook(cells)` is a notebook in which these cells ran."""
    yield lambda cells: monkeypatch.setattr(yours, "executed_cells", lambda: list(cells))
    yours.bundle_of_cells.cache_clear()


@pytest.mark.parametrize("number", CHANGED)
def test_unchanged_cells_change_nothing_wherever_a_model_is_built(number, notebook):
    cells = cells_of(number)
    moments = [count for count, cell in enumerate(cells, 1) if BUILDS.search(cell)]
    assert moments
    for count in (*moments, len(cells)):
        assert yours.changed_files(cells[:count]) == {}
    notebook(cells)
    assert yours.bundle() == {}


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    return tmp_path_factory.mktemp("checkpoints")


@pytest.mark.parametrize(("number", "name", "model"), [(k, *v) for k, v in CHANGED.items()], ids=CHANGED)
def test_a_changed_class_is_built_and_learns(number, name, model, notebook, saved, capsys):
    shipped = parameters(YOLO(model).model)
    notebook(with_added(cells_of(number), name))
    net = YOLO(model).model
    mine = [m for m in net.modules() if hasattr(m, "added_by_learner")]
    assert mine and parameters(net) == shipped + 14 * len(mine)
    assert all(yours.PACKAGE in type(m).__module__ for m in mine)
    said = capsys.readouterr().out.splitlines()
    assert (
        len(said) == 1
        and said[0].endswith(f"modules/{type(net.model[0]).__module__.split('.')[1]}.py is unchanged")
        or (number == "04" and "C2f_iRMB: yours" in said[0])
    )
    mine[0].added_by_learner.weight.grad = torch.ones(7, 1, 1, 1)
    torch.optim.SGD(net.parameters(), lr=1.0).step()
    torch.save({"model": net}, saved / f"{number}-{parameters(net)}.pt")


def test_checkpoints_open_in_a_fresh_process(saved):
    script = """
import pathlib, sys
from ultralytics import YOLO
from ultralytics.nn.tasks import DetectionModel
for path in map(pathlib.Path, sys.argv[1:]):
    net = YOLO(path).model
    again = DetectionModel(net.yaml, verbose=False)  # as a resumed training builds it
    count = lambda net: sum(p.numel() for p in net.parameters())
    assert count(net) == count(again) == int(path.stem.split("-")[1]), path
    net.fuse(verbose=False)
print("all of them")
"""
    files = sorted(saved.glob("*.pt"))
    if not files:
        pytest.skip("runs after the tests that write them")
    done = subprocess.run([sys.executable, "-c", script, *files], capture_output=True, text=True)
    assert done.stdout.endswith("all of them\n"), done.stderr[-2000:]
    assert "from the checkpoint; modules/tinynet.py is unchanged" in done.stdout


def test_training_writes_the_source_beside_the_run(notebook, tmp_path):
    notebook(with_added(cells_of("01"), "TinyBlock"))
    yolo = YOLO("yolo11n-TinyNet.yaml")
    assert yours.fingerprint(yolo.model).startswith(yours.PACKAGE)
    few = {"epochs": 1, "imgsz": 32, "batch": 4, "workers": 0, "plots": False, "val": False, "pretrained": False}
    yolo.train(data=str(write_data(tmp_path / "set", "detect", 4)), project=str(tmp_path), name="run", **few)
    assert "added_by_learner" in (tmp_path / "run" / "yours" / "tinynet.py").read_text()
    trained = YOLO(tmp_path / "run" / "weights" / "last.pt").model
    assert sum("added_by_learner.weight" in key for key in trained.state_dict()) == 8


def test_what_comes_back_is_the_shipped_class(notebook):
    shipped = registry.REGISTERED["TinyNet"].cls
    notebook(with_added(cells_of("01"), "TinyBlock"))
    YOLO("yolo11n-TinyNet.yaml")
    assert registry.REGISTERED["TinyNet"].cls is tasks.TinyNet is shipped is modules.TinyNet
    assert yours.current("TinyNet") is not shipped and yours.current("iRMB") is modules.iRMB
    notebook(cells_of("01"))
    assert type(YOLO("yolo11n-TinyNet.yaml").model.model[0]) is shipped


def test_a_cell_may_use_what_another_cell_defines(notebook):
    other = "import math\n\ndef doubled(x):\n    return 2 * int(math.floor(x))"
    cell = "#| export tinynet\nclass TinyNet(TinyNet):\n    @staticmethod\n    def feature_channels(width=1.0):\n"
    cell += "        return [doubled(c * width) for c in (64, 128, 256, 512)]"
    notebook([*cells_of("01"), other, cell])
    net = YOLO("yolo11n-TinyNet.yaml").model
    assert net.model[0].stem.out_channels == 32


@pytest.mark.parametrize("decorator", ["", "@register\n"])
def test_a_class_that_no_lesson_ships_travels_too(decorator, notebook, monkeypatch, tmp_path):
    monkeypatch.setattr(registry, "REGISTERED", registry.REGISTERED)
    cell = f"import torch\nfrom torch import nn\n\n{decorator}class Calm(nn.Module):\n    def __init__(self, c1, c2):\n"
    cell += "        super().__init__()\n        self.cv = nn.Conv2d(c1, c2, 1)\n"
    cell += "    def forward(self, x):\n        return torch.sigmoid(self.cv(x))"
    space = {"__name__": "__main__", "register": registry.register}
    exec(cell, space)
    registry.register(space["Calm"])
    try:
        notebook([*cells_of("01"), cell])  # lesson 01 has a `register` of its own
        model = tasks.yaml_model_load("yolo11n-TinyNet.yaml")
        model["head"][2] = [-1, 1, "Calm", [512]]
        net = tasks.DetectionModel(model, verbose=False)
        torch.save({"model": net}, tmp_path / "calm.pt")
    finally:
        del registry.REGISTERED["Calm"], tasks.Calm
    script = "import sys; from ultralytics import YOLO; print(YOLO(sys.argv[1]).model.model[9])"
    done = subprocess.run([sys.executable, "-c", script, tmp_path / "calm.pt"], capture_output=True, text=True)
    assert "Calm(" in done.stdout, done.stderr[-1000:]


def test_a_cell_that_cannot_run_is_named(notebook):
    notebook([*cells_of("01"), "#| export tinynet\nclass TinyBlock(nn.Modul):\n    pass"])
    with pytest.raises(registry.ModelError, match="TinyBlock.*changed in this notebook.*Modul"):
        YOLO("yolo11n-TinyNet.yaml")


def test_what_is_missing_in_a_cell_that_ran_again_comes_from_the_file():
    start = (
        "#| export tinynet\nclass TinyBlock(nn.Module):\n    def __init__(self, c1, c2):\n        super().__init__()"
    )
    body, differ = yours.changed_files([start])["tinynet"]
    assert differ == {"TinyBlock"}
    assert [node.name for node in yours.bindings(body)["TinyBlock"].body] == ["__init__", "forward"]
