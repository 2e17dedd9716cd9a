"""Try every family and task of the installed Ultralytics: `matrix.py make FOLDER`, then `matrix.py load FOLDER`.

`make` builds each model, compares it with its fused form, and trains until it is interrupted after the first epoch.
`load`, in a process of its own, opens each checkpoint, predicts, and resumes the training to its end.
"""

import os
import sys
from pathlib import Path

os.environ.setdefault("YOLO_OFFLINE", "true")
os.environ.setdefault("YOLO_AUTOINSTALL", "false")

import cv2
import torch
import yaml
from models import FAMILIES, TASKS, stock_model, with_ours, write_data
from ultralytics import YOLO
from ultralytics.utils import LOGGER

EPOCHS = 2


class Interrupted(Exception):
    """What the test raises in place of a learner's Ctrl-C."""


def stop_after_first_epoch(trainer):
    if trainer.epoch == 0:
        raise Interrupted


def make(folder: Path) -> None:
    differences = []
    for family in FAMILIES:
        for task in TASKS:
            stock = stock_model(family, task)
            if stock is None:
                print(f"{family:>4} {task:8} not in this version")
                continue
            model = {key: value for key, value in with_ours(stock).items() if key not in ("scale", "yaml_file")}
            home = folder / f"{family}-{task}-2n"  # a digit and an n: such a path misleads Ultralytics' own search
            data = write_data(home, task)
            if task == "pose":
                model["kpt_shape"] = [4, 3]
            (home / f"{FAMILIES[family]}-ours{TASKS[task]}.yaml").write_text(yaml.safe_dump(model))
            path = home / f"{FAMILIES[family]}n-ours{TASKS[task]}.yaml"
            difference = compare_fused(path)
            differences.append(difference)
            yolo = YOLO(str(path))
            yolo.add_callback("on_model_save", stop_after_first_epoch)
            try:
                yolo.train(**settings(home, data))
            except Interrupted:
                pass
            print(f"{family:>4} {task:8} built, fused (difference {difference:.0e}), trained one epoch")
    print(f"{len(differences)} models built, fused (difference at most {max(differences):.0e}), trained one epoch")


def compare_fused(path: Path) -> float:
    """How far the maps that reach the head move when the model is fused, relative to their size.

    The maps are compared and not the boxes, since a head's choice of the best may flip on rounding.
    """
    net = YOLO(str(path)).model
    generator = torch.Generator().manual_seed(0)
    for norm in net.modules():
        if isinstance(norm, torch.nn.BatchNorm2d):  # else fusing an untrained model proves nothing
            norm.running_mean.normal_(0, 0.1, generator=generator)
            norm.running_var.uniform_(0.5, 1.5, generator=generator)
    net.eval()
    seen = []
    hook = net.model[-1].register_forward_pre_hook(
        lambda head, given: seen.append(torch.cat([x.flatten() for x in given[0]]))
    )
    picture = torch.rand(1, 3, 64, 64, generator=generator)
    with torch.no_grad():
        net(picture)
        net.fuse(verbose=False)(picture)
    hook.remove()
    difference = ((seen[0] - seen[1]).abs().max() / seen[0].abs().max()).item()
    assert difference < 1e-4, f"fusing moved the features by {difference}"
    return difference


def settings(home: Path, data: Path) -> dict:
    return {
        "data": str(data), "epochs": EPOCHS, "imgsz": 64, "batch": 4, "workers": 0, "plots": False, "device": "cpu",
        "pretrained": False, "project": str(home), "name": "run", "exist_ok": True, "verbose": False, "val": True,
    }  # fmt: skip


def load(folder: Path) -> None:
    homes = sorted(folder.iterdir())
    for home in homes:
        last = home / "run" / "weights" / "last.pt"
        picture = cv2.imread(str(home / "images" / "0.png"))
        YOLO(str(last)).predict(picture, imgsz=64, verbose=False)
        YOLO(str(last)).train(resume=True)
        lines = (home / "run" / "results.csv").read_text().splitlines()
        assert len(lines) == 1 + EPOCHS, f"{home.name}: {len(lines) - 1} epochs in results.csv, {EPOCHS} expected"
        print(f"{home.name:20} loaded in a fresh process, predicted, resumed to epoch {EPOCHS}")
    print(f"{len(homes)} checkpoints loaded in a fresh process, predicted, resumed to epoch {EPOCHS}")


if __name__ == "__main__":
    LOGGER.setLevel("ERROR")
    torch.set_num_threads(1)
    step, folder = sys.argv[1], Path(sys.argv[2]).resolve()
    if step == "make":
        import modules  # noqa: F401  `load` goes without: opening a checkpoint imports the package

        make(folder)
    else:
        load(folder)
