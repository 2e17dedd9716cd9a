"""The capstone: a backbone of one's own in YOLO11n, within a budget, trained with the fixed recipe, beside TinyNet.

python -m modules.course.capstone FOLDER    a table of all finished runs below FOLDER, one folder for each learner
"""

import json
import os
import sys
from collections import defaultdict
from pathlib import Path

import torch
from torch import nn
from ultralytics.nn import tasks

from ..registry import register
from . import results
from .errors import InputError
from .graft import graft, grafted
from .measure import gmac, parameters
from .presets import PRESETS, preset
from .quiet import quiet
from .resume import Run, read_record
from .train import train_once

LIMITS = {"million parameters": ("at most", 1.7), "GFLOPs": ("at most", 4.0)}
RIVAL = "yolo11n-TinyNet"
POINTS = {"budget": 4, "recipe": 4, "score": 6}  # what the table gives; the other 6 of 20 are for the reasons
STRIDES = (4, 8, 16, 32)


def measured(backbone: type) -> dict[str, float]:
    """Million parameters, and GFLOPs at 640 px (two for each multiply-add), of YOLO11n with this backbone.

    Raises:
        ValueError: it is no class of one's own, cannot be registered, or gives other maps than it says.
    """
    if not (isinstance(backbone, type) and issubclass(backbone, nn.Module)):
        raise ValueError(f"a class derived from nn.Module is asked for, and this is {backbone!r}")
    if backbone.__module__.startswith("modules.") and backbone.__module__.count(".") == 1:
        raise ValueError(f"{backbone.__name__} is the course's own: write a class of yours")
    if not hasattr(backbone, "feature_channels"):
        raise ValueError("a backbone has a static feature_channels(width), which gives the channels of P2 to P5")
    register(backbone)
    check_maps(backbone)
    model = graft(tasks.yaml_model_load("yolo11n.yaml"), backbone.__name__) | {"scale": "n"}
    with torch.random.fork_rng(), quiet():
        detector = tasks.DetectionModel(model, verbose=False).eval()
    return {
        "million parameters": round(parameters(detector) / 1e6, 3),
        "GFLOPs": round(2 * gmac(detector, torch.zeros(1, 3, 640, 640)), 2),
    }


def check_maps(backbone: type) -> None:
    """Whether the maps have the channels and strides that they should, and all weights are used."""
    net, (height, width) = backbone(0.25), (64, 96)
    with torch.enable_grad():
        maps = net(torch.randn(2, 3, height, width))
        sum(m.square().mean() for m in maps).backward()
    if len(maps) != len(STRIDES):
        raise ValueError(f"forward returns {len(maps)} maps, and four are asked for: P2, P3, P4 and P5")
    for i, (m, channels, stride) in enumerate(zip(maps, backbone.feature_channels(0.25), STRIDES)):
        right = (2, channels, height // stride, width // stride)
        if tuple(m.shape) != right:
            raise ValueError(f"P{i + 2} of a picture of {height}x{width} is {tuple(m.shape)}, and should be {right}")
    if idle := [name for name, p in net.named_parameters() if p.grad is None]:
        raise ValueError(f"{idle[0]} gets no gradient: forward does not use it")


def train_backbone(backbone: type, seed: int = 0) -> Run:
    """Train YOLO11n with this backbone by the fixed recipe, or find the finished run of this request.

    The recipe is the preset "results", under the preset smoke that one. The run lies in runs/capstone/.

    Raises:
        InputError: the backbone is not within the budget.
    """
    try:
        facts = measured(backbone)
    except ValueError as error:
        raise InputError(f"{backbone!r} cannot be trained: {error}.") from None
    for name, (_, bound) in LIMITS.items():
        if facts[name] > bound:
            raise InputError(f"{backbone.__name__} has {facts[name]} {name}, allowed are at most {bound}.")
    place = Path(os.environ.get("COURSE_RUNS", "runs")) / "capstone"
    file = place / "models" / f"yolo11n-{backbone.__name__}.yaml"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(grafted("yolo11.yaml", backbone.__name__), encoding="utf-8")
    recipe = "smoke" if preset().name == "smoke" else "results"
    name = f"{backbone.__name__}-{recipe}-{seed}"
    run = train_once(str(file), preset=recipe, seed=seed, project=str(place), name=name)
    facts = {"backbone": backbone.__name__, **facts}
    (run.folder / "capstone.json").write_text(json.dumps(facts), encoding="utf-8")
    return run


def verdict(mine: list[float], theirs: list[float]) -> str:
    """What the scores of several seeds say of two models: "better", "worse" or "within noise".

    Better is only what is better with its worst seed than the other with its best. One seed says nothing.
    """
    if min(len(mine), len(theirs)) < 2:
        return "says nothing yet"
    if min(mine) > max(theirs):
        return "better"
    return "worse" if max(mine) < min(theirs) else "within noise"


# --------------------------------------------------------------------------------------------------------- the table
def finished(folder: Path) -> dict[tuple[str, str], list[tuple[dict, dict]]]:
    """{(learner, backbone): [(capstone.json, run.json), ...]} of the finished runs below `folder`."""
    found = defaultdict(list)
    for path in sorted(folder.rglob("capstone.json")):
        facts, record = json.loads(path.read_text(encoding="utf-8")), read_record(path.parent)
        if record and record["scores"]:
            learner = path.relative_to(folder).parts[0] if len(path.relative_to(folder).parts) > 2 else "-"
            found[learner, facts["backbone"]].append((facts, record))
    return found


def by_the_recipe(request: dict) -> bool:
    """Whether a run was asked for as the recipe says. Where the pictures lie in memory does not matter."""
    recipe = {k: v for k, v in PRESETS["results"].settings().items() if k not in ("cache", "plots")}
    return all(request.get(key) == value for key, value in recipe.items()) and not request.get("pretrained")


def table(folder: str | Path) -> results.Table:
    """Each learner's backbone beside TinyNet, with the points of the rubric that can be counted.

    Raises:
        InputError: there is no such folder.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise InputError(f"no folder {folder}: give one that holds a folder for each learner, with runs in it.")
    rival = results.trained([RIVAL]).get(RIVAL)
    theirs = list(rival.of("mAP50")) if rival else []
    heading = ("learner", "backbone", "seeds", *LIMITS, "recipe", "mAP50", "against TinyNet", "points of 14")
    lines = [row(*key, runs, theirs) for key, runs in finished(folder).items()]
    note = f"TinyNet: {rival.text()}." if rival else "TinyNet's trainings are not finished: `make results` runs them."
    return results.Table(heading, tuple(lines), note if lines else f"No finished run of the capstone in {folder}.")


def row(learner: str, backbone: str, runs: list, theirs: list[float]) -> tuple[str, ...]:
    """One line of the table."""
    facts = runs[-1][0]
    scores = {record["request"].get("seed", 0): record["scores"]["mAP50"] for _, record in runs}
    within = all(facts[name] <= bound for name, (_, bound) in LIMITS.items())
    recipe = all(by_the_recipe(record["request"]) for _, record in runs)
    said = verdict(list(scores.values()), theirs) if recipe else "another recipe"
    points = POINTS["budget"] * within + POINTS["recipe"] * (recipe and len(scores) >= 3)
    points += {"better": POINTS["score"], "within noise": POINTS["score"] // 2}.get(said, 0) * within
    mean = sum(scores.values()) / len(scores)
    shown = f"{mean:.3f} ({min(scores.values()):.3f} .. {max(scores.values()):.3f})"
    numbers = (f"{facts[name]:g}" for name in LIMITS)
    return learner, backbone, str(len(scores)), *numbers, "yes" if recipe else "no", shown, said, str(points)


def main(words: list[str]) -> int:
    if len(words) != 1:
        print(__doc__)
        return 2
    try:
        print(table(words[0]))
    except InputError as error:
        print(error)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
