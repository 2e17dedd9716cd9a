"""What a training says while it runs and at its end, how many cores it takes, and which threshold is used."""

from pathlib import Path
from types import SimpleNamespace as Facts

import nbformat
import pytest
import torch
from fake_training import a_training
from nbclient import NotebookClient
from torch import nn
from ultralytics.utils.torch_utils import select_device

from modules.course import progress, results, threads
from modules.course.fit import fast_memory_order, validate_seldom
from modules.course.judge import choose_threshold
from modules.course.presets import PRESETS
from modules.course.progress import words
from modules.course.report import reason, usual

# -------------------------------------------------------------------------------------------------------- progress
SECONDS = [(1, "10 seconds"), (44, "40 seconds"), (95, "2 minutes"), (600, "10 minutes"), (9000, "2.5 hours")]


@pytest.mark.parametrize("seconds, said", SECONDS)
def test_times_are_said_in_words(seconds, said):
    assert words(seconds) == said


def test_the_time_is_said_after_ten_batches_and_corrected_after_an_epoch(monkeypatch, capsys):
    monkeypatch.setattr(progress, "time", None)
    a_training(progress, verbose=True, seconds=10)
    said = capsys.readouterr().out.splitlines()
    assert [line for line in said if "machine" in line] == [
        "About 4 minutes to go on this machine.",
        "About 24 minutes to go on this machine.",
    ]
    assert [line.split()[0] for line in said if "/" in line] == ["1/3", "2/3", "3/3"]


def test_a_quiet_training_says_nothing_where_no_line_can_be_live(monkeypatch, capsys):
    monkeypatch.setattr(progress, "time", None)
    a_training(progress, verbose=False)
    assert capsys.readouterr() == ("", "")


def test_in_a_notebook_a_live_line_leaves_nothing(monkeypatch):
    monkeypatch.delenv("TQDM_DISABLE", raising=False)
    load = f"import sys; sys.path.insert(0, {str(Path(progress.__file__).parent)!r}); import fake_training, progress"
    cells = [load, *(f"fake_training.a_training(progress, {v})\nprint('scores')" for v in (True, False))]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    place = {"metadata": {"path": str(Path(__file__).parent)}}
    client = NotebookClient(notebook, kernel_name="python3", resources=place, coalesce_streams=True)
    live, process = [], client.process_message
    client.process_message = lambda message, *rest: (live.append(str(message["content"])), process(message, *rest))[1]
    client.execute()
    assert "batches" in "".join(live), "nothing was live"
    for cell, lines in zip(notebook.cells[1:], (5, 1)):
        (output,) = cell.outputs
        assert output.name == "stdout" and len(output.text.splitlines()) == lines
        assert output.text.endswith("scores\n") and "batches" not in output.text and "left" not in output.text


# ------------------------------------------------------------------------------------------------------- the last lines
REASONS = [
    ({"conf": 0.4}, 0.4, 0.5, "asked for"),
    ({}, 0.25, 0.0, "nothing that was found could be measured"),
    ({}, 0.25, 0.5, "highest F1 on these 120"),
    ({}, 0.05, 0.1, "hardly ever sure"),
    ({"conf": None}, 0.31, 0.5, "highest F1"),
]


@pytest.mark.parametrize("settings, threshold, score, said", REASONS)
def test_the_reason_of_a_threshold(settings, threshold, score, said):
    run = Facts(threshold=threshold, scores={"mAP50": score}, validated=120)
    assert said in reason(Facts(settings=settings), run)


LAPTOP = PRESETS["laptop"].settings()


@pytest.mark.parametrize(
    "model, settings, said",
    [
        ("yolo11n-EMO", LAPTOP, "in lesson 08's comparison yolo11n-EMO reached mAP50 0.600 and 0.660; another"),
        ("yolo11n-TinyNet", LAPTOP, "in lesson 08's comparison yolo11n-TinyNet reached mAP50 0.710; another"),
        ("yolo11n-EMO", PRESETS["gpu"].settings(), ""),
        ("yolo11n-EMO", {**LAPTOP, "epochs": 3}, ""),
        ("yolo11s-EMO", LAPTOP, ""),
    ],
)
def test_what_is_usual_is_said_where_the_comparison_trained_the_same(model, settings, said, tmp_path, monkeypatch):
    monkeypatch.setattr(results, "RESULTS", tmp_path)
    rows = "yolo11n-EMO,0,0.6\nyolo11n-EMO,1,0.66\nyolo11n-TinyNet,0,0.71\n"
    (tmp_path / "runs.csv").write_text(f"name,seed,mAP50\n{rows}")
    assert usual(model, settings).startswith(said) and bool(usual(model, settings)) == bool(said)


@pytest.fixture
def weights(tmp_path):
    """Weights that hold a threshold, and some that hold none."""
    for name, facts in (("ours.pt", {"confidence": 0.3123}), ("foreign.pt", {})):
        torch.save({"epoch": -1, "model": nn.Linear(1, 1), **facts}, tmp_path / name)
    return tmp_path


THRESHOLDS = [
    ("ours.pt", {}, 0.312, "conf=0.312 (the threshold stored"),
    ("ours.pt", {"conf": 0.7}, 0.7, ""),
    ("ours.pt", {"conf": None}, 0.312, "conf=0.312"),
    ("foreign.pt", {}, None, "come without a threshold"),
    ("foreign.pt", {"conf": 0.1}, 0.1, ""),
    ("missing.onnx", {}, None, "come without a threshold"),
]


@pytest.mark.parametrize("name, settings, conf, said", THRESHOLDS)
def test_the_stored_threshold_is_used_unless_one_is_given(name, settings, conf, said, weights, capsys):
    settings = {"model": str(weights / name), **settings}
    choose_threshold(settings)
    told = capsys.readouterr().out
    assert settings.get("conf") == conf and said in told and bool(told) == bool(said)


# -------------------------------------------------------------------------------------------------------------- speed
@pytest.mark.parametrize(
    "ours, omp, number", [("3", None, 3), ("3", "5", 3), (None, "5", 5), ("many", "5", 5), ("0", "2", 2)]
)
def test_the_environment_says_how_many_threads(ours, omp, number, monkeypatch):
    monkeypatch.delenv("COURSE_THREADS", raising=False)
    if ours:
        monkeypatch.setenv("COURSE_THREADS", ours)
    monkeypatch.setattr(threads, "WISH", omp)
    assert threads.threads() == number


def test_without_a_wish_all_cores_compute(monkeypatch):
    monkeypatch.delenv("COURSE_THREADS", raising=False)
    monkeypatch.setattr(threads, "WISH", None)
    monkeypatch.setattr("os.sched_getaffinity", lambda process: {0, 1, 2}, raising=False)
    before = torch.get_num_threads()
    try:
        with threads.all_cores():
            select_device("cpu", verbose=False)
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)


def test_weights_and_the_memory_of_the_optimizer_get_the_channels_last():
    net = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8))
    optimizer = torch.optim.AdamW(net.parameters())
    step = lambda: (net(torch.rand(2, 3, 8, 8)).mean().backward(), optimizer.step())  # noqa: E731
    step()
    fast_memory_order(Facts(device=torch.device("cpu"), model=net, optimizer=optimizer))
    for tensor in (net[0].weight, optimizer.state[net[0].weight]["exp_avg"]):
        assert tensor.is_contiguous(memory_format=torch.channels_last) and not tensor.is_contiguous()
    step()


@pytest.mark.parametrize(
    "every, keep_best, validated, fitness",
    [
        (1, False, [1, 2, 3, 4], [None] * 4),
        (2, False, [2, 4], [None] * 4),
        (0, False, [], [None] * 4),
        (1, True, [1, 2, 3, 4], [1, 2, 3, 4]),
        (3, True, [3], [None, None, 3, None]),
    ],
)
def test_it_is_validated_as_seldom_as_asked(every, keep_best, validated, fitness):
    trainer = Facts(metrics={"metrics/mAP50(B)": 0.0}, best_fitness=None)
    trainer.validate = lambda: ({"metrics/mAP50(B)": trainer.epoch + 1}, trainer.epoch + 1)
    validate_seldom(trainer, every, keep_best)
    came = []
    for trainer.epoch in range(4):
        came.append(trainer.validate())
    scores = [metrics["metrics/mAP50(B)"] for metrics, _ in came]
    assert [score for score in scores if score == score] == validated
    assert [value for _, value in came] == fitness
