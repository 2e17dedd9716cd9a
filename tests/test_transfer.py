"""Weights find their rows again after a change of the YAML, and travel in files without classes."""

import pickletools
import subprocess
import sys
import zipfile
from copy import deepcopy

import pytest
import torch
from ultralytics import YOLO

from modules.course import pretrained
from modules.course.errors import InputError
from modules.transfer import load_portable, loading_by_rows, match_rows, save_portable, transfer


def edited(at, row=None):
    """YOLO11n with one row inserted at `at`, or without `row` the one at `at` removed."""
    stock = YOLO("yolo11n.yaml").model
    model = deepcopy(stock.yaml)
    step = 1 if row else -1

    def moved(f):
        return [moved(g) for g in f] if isinstance(f, list) else f + step * (f >= at)

    for old in model["backbone"] + model["head"]:
        old[0] = moved(old[0])
    if row:
        model["backbone"].insert(at, row)
    else:
        del model["backbone"][at]
    return stock, type(stock)(model, verbose=False)


def by_name(old, new):
    has = old.state_dict()
    return sum(k in has and has[k].shape == v.shape for k, v in new.state_dict().items())


@pytest.mark.parametrize(
    "at, row, named, kept, tensors",
    [
        (3, [-1, 1, "Conv", [256, 3, 1]], 54, 499, 505),
        (3, [-1, 1, "iRMB", [256]], 48, 499, 513),
        (6, None, 84, 445, 445),
    ],
)
def test_rows_are_matched_where_names_are_lost(at, row, named, kept, tensors):
    stock, changed = edited(at, row)
    assert by_name(stock, changed) == named
    report = transfer(stock, changed)
    assert (report.kept, sum(r.tensors for r in report)) == (kept, tensors)
    assert str(report).endswith(f"{kept} of {tensors} tensors taken")
    for j, i in match_rows(stock, changed).items():
        for old, new in zip(stock.model[i].state_dict().values(), changed.model[j].state_dict().values()):
            assert torch.equal(old, new)


def test_a_new_backbone_keeps_neck_and_head():
    report = transfer("yolo11n.yaml", emo := YOLO("yolo11n-EMO.yaml"))
    assert report.kept == 305 and report[0].module == "EMO_1M" and report[0].kept == 0
    assert by_name(YOLO("yolo11n.yaml").model, emo.model) == 8


def test_another_number_of_classes_loses_no_more_than_the_last_layers():
    stock = YOLO("yolo11n.yaml").model
    fire = type(stock)(deepcopy(stock.yaml), nc=1, verbose=False)
    assert transfer(stock, fire).kept >= 499 - 3 * 15


def test_training_s_own_load_goes_by_rows():
    stock, changed = edited(3, [-1, 1, "iRMB", [256]])
    with loading_by_rows():
        changed.load(stock)
    assert torch.equal(
        stock.model[22].state_dict()["cv1.conv.weight"], changed.model[23].state_dict()["cv1.conv.weight"]
    )
    stock, changed = edited(3, [-1, 1, "iRMB", [256]])
    changed.load(stock, verbose=False)  # afterwards Ultralytics goes by names again
    assert not torch.equal(
        stock.model[22].state_dict()["cv1.conv.weight"], changed.model[23].state_dict()["cv1.conv.weight"]
    )


def test_refusals():
    fused = YOLO("yolo11n.yaml")
    fused.model.eval().fuse(verbose=False)
    with pytest.raises(ValueError, match="fused"):
        transfer(fused, YOLO("yolo11n.yaml"))
    with pytest.raises(ValueError, match="holds no rows"):
        transfer(torch.nn.Linear(2, 2), YOLO("yolo11n.yaml"))
    with pytest.raises(ValueError, match="No row of the source fits"):
        transfer(YOLO("yolov8x-cls.yaml"), YOLO("yolo11n.yaml"))


def test_portable_file_holds_no_class_and_gives_the_same_boxes(tmp_path):
    yolo = YOLO("yolo11n-EMO.yaml")
    yolo.model.names = {i: f"thing {i}" for i in range(80)}
    path = save_portable(yolo, tmp_path / "plain.pt")
    with zipfile.ZipFile(path) as archive:
        pickled = archive.read(next(name for name in archive.namelist() if name.endswith("data.pkl")))
    named = {argument for code, argument, _ in pickletools.genops(pickled) if code.name == "GLOBAL"}
    assert named and not any("modules" in name or "ultralytics" in name for name in named)
    again = load_portable(path)
    x = torch.rand(1, 3, 96, 96)
    with torch.no_grad():
        wanted, found = yolo.model.half().float().eval()(x)[0], again.model.eval()(x)[0]
    assert torch.allclose(wanted, found, atol=1e-4)
    assert again.model.names[3] == "thing 3" and again.model.yaml["scale"] == "n" and again.task == "detect"
    with pytest.raises(ValueError, match="not written over"):
        save_portable(yolo, path)


def test_files_of_other_kinds_are_named(tmp_path):
    YOLO("yolo11n.yaml").save(tmp_path / "stock.pt")
    torch.save({"a": torch.zeros(1)}, tmp_path / "other.pt")
    for name in ("stock.pt", "other.pt"):
        with pytest.raises(ValueError, match="was not written by save_portable"):
            load_portable(tmp_path / name)


def test_portable_opens_in_a_fresh_process(tmp_path):
    path = save_portable("yolov10n-C2f_iRMB.yaml", tmp_path / "plain.pt")
    code = f"import modules; from modules.transfer import load_portable; print(load_portable({str(path)!r}).model.yaml['nc'])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert run.stdout.split()[-1] == "80", run.stderr[-500:]


def test_the_stored_comparison_of_two_starts_is_not_stale():
    assert {row["recipe"] for row in pretrained.rows()} == {pretrained.recipe()}, (
        "run `python -m modules.course.pretrained`, some minutes"
    )
    assert list(pretrained.curves()) == list(pretrained.STARTS)
    assert {len(scores) for scores in pretrained.curves().values()} == {pretrained.SETTINGS["epochs"]}


def test_without_the_file_the_command_is_named(monkeypatch, tmp_path):
    monkeypatch.setattr(pretrained, "FILE", tmp_path / "none.csv")
    with pytest.raises(InputError, match="run python -m modules.course.pretrained"):
        pretrained.curves()
