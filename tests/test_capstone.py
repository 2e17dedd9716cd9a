"""The capstone: a backbone of a learner's own is measured, trained and put into a table beside TinyNet."""

import json

import pytest

from modules.course import capstone
from modules.course.errors import InputError
from modules.course.exercise_bank.lesson_11 import TooWide
from modules.course.presets import PRESETS
from modules.tinynet import TinyNet


class Learners(TinyNet):
    """TinyNet by another name."""


def finished_run(folder, backbone="Mine", seed=0, score=0.5, **changes):
    """A folder as a finished training leaves it."""
    folder.mkdir(parents=True)
    request = {**PRESETS["results"].settings(), "pretrained": False, "seed": seed, **changes}
    record = {"request": request, "asked": {}, "process": {"pid": 1, "started": 0.0}, "scores": {"mAP50": score}}
    (folder / "run.json").write_text(json.dumps(record))
    facts = {"backbone": backbone, "million parameters": 1.6, "GFLOPs": 3.9}
    (folder / "capstone.json").write_text(json.dumps(facts))


@pytest.fixture
def rival(monkeypatch):
    rows = tuple({"name": capstone.RIVAL, "seed": str(i), "mAP50": str(s)} for i, s in enumerate((0.60, 0.62, 0.64)))
    trained = {capstone.RIVAL: capstone.results.Trained(capstone.RIVAL, rows)}
    monkeypatch.setattr(capstone.results, "trained", lambda names: trained)


def test_rival_keeps_within_the_budget():
    facts = capstone.measured(Learners)
    assert all(facts[name] <= bound for name, (_, bound) in capstone.LIMITS.items())


def test_points_of_the_table(tmp_path, rival):
    for seed in range(3):
        finished_run(tmp_path / "ada" / f"run-{seed}", seed=seed, score=0.65 + 0.01 * seed)
        finished_run(tmp_path / "ben" / f"run-{seed}", seed=seed, score=0.61 + 0.01 * seed)
    finished_run(tmp_path / "cyd" / "run-0", score=0.9)
    finished_run(tmp_path / "dot" / "run-0", score=0.9, epochs=300)
    lines = {line[0]: line for line in capstone.table(tmp_path).lines}
    assert [(line[5], line[7], line[8]) for line in lines.values()] == [
        ("yes", "better", "14"),
        ("yes", "within noise", "11"),
        ("yes", "says nothing yet", "4"),
        ("no", "another recipe", "4"),
    ]


def test_unfinished_runs_and_empty_folders(tmp_path, rival):
    (tmp_path / "ada" / "run").mkdir(parents=True)
    (tmp_path / "ada" / "run" / "capstone.json").write_text('{"backbone": "Mine"}')
    assert "No finished run" in str(capstone.table(tmp_path))


def test_command(tmp_path, capsys):
    assert capstone.main([str(tmp_path / "none")]) == 1
    assert "no folder" in capsys.readouterr().out
    assert capstone.main([]) == 2


def test_training_refuses_what_breaks_the_budget(tmp_path, monkeypatch):
    monkeypatch.setenv("COURSE_RUNS", str(tmp_path))
    with pytest.raises(InputError, match="2.028 million parameters, allowed are at most 1.7"):
        capstone.train_backbone(TooWide)
    assert not any(tmp_path.iterdir())


def test_trains_under_smoke_and_stands_in_the_table(tmp_path, monkeypatch):
    monkeypatch.setenv("COURSE_RUNS", str(tmp_path))
    monkeypatch.setenv("COURSE_PRESET", "smoke")
    run = capstone.train_backbone(Learners)
    assert run.folder.parent == tmp_path / "capstone"
    (line,) = capstone.table(tmp_path).lines
    assert line[1:6] == ("Learners", "1", "1.661", "3.91", "no")
