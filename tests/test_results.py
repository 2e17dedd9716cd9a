"""The comparison: which trainings are run, which rows hold, and what may be said of a difference."""

import csv
import functools
import itertools
import math
import shutil
from types import SimpleNamespace

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from filelock import FileLock
from matplotlib.figure import Figure
from PIL import Image

from modules.course import results, shipped
from modules.course.costs import best_for_less
from modules.course.fire import fire_pictures
from modules.course.measure import gmac
from modules.course.results_figures import (
    accuracy_against,
    colour_of,
    costs_figure,
    curves_figure,
    distance,
    draw_curves,
    draws_figure,
    families_figure,
    gallery,
)
from results import page, run, validity
from results.__main__ import main
from results.plan import ABLATIONS, CAUSES, MAIN, MODELS, ORDER
from results.variants import RevCol_1, RevCol_2, iRMB_contiguous, revcol_tiny


def forget():
    for remembered in (results.scored, results.resampled):
        remembered.cache_clear()


@pytest.fixture(autouse=True)
def figures_closed():
    """What pyplot keeps open would be found by other tests of the same process."""
    yield
    plt.close("all")


@pytest.fixture
def scratch(tmp_path, monkeypatch):
    """An empty results/ and an empty folder to train in."""
    monkeypatch.setattr(results, "RESULTS", tmp_path)
    monkeypatch.setattr(run, "WORK", tmp_path / "runs")
    forget()
    return tmp_path


# ------------------------------------------------------------------------------------------------------------- the plan
def test_plan_begins_with_one_seed_of_every_main_model_and_has_no_training_twice():
    assert [model for model, _ in ORDER[: len(MAIN)]] == list(MAIN)
    assert {seed for _, seed in ORDER[: len(MAIN)]} == {0}
    keys = [(model.name, seed) for model, seed in ORDER]
    assert len(set(keys)) == len(keys) == 3 * len(MAIN) + 2 * len(ABLATIONS + CAUSES)
    for model in MODELS.values():
        assert not model.against or model.against in MODELS


@functools.cache
def outputs_of_base(name):
    return validity.outputs_of(validity.build(MODELS[name].rows()))


@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
def test_every_model_of_the_plan_builds_and_differs_from_its_base(model, tmp_path):
    numbers = validity.numbers_of(model.rows())
    for row in results.read("runs.csv"):
        assert row["name"] != model.name or not validity.why_stale(row, numbers), f"`make results` for {model.name}"
    assert all(math.isfinite(float(number)) for number in numbers["outputs"].split())
    if model.swap:
        base = MODELS[model.base].rows()
        assert numbers["yaml_hash"] != validity.yaml_number(base)
        same = numbers["outputs"] == outputs_of_base(model.base)
        assert same == ("drop path" in model.variant)  # which counts in training alone
        assert model.file(tmp_path) == str(tmp_path / f"{model.name}.yaml")


def test_a_swap_of_a_class_that_is_not_there_is_refused():
    with pytest.raises(ValueError, match="yolo11n-EMO.yaml has no row of FasterNet: correct wrong in the plan"):
        type(MAIN[0])("wrong", "03", base="yolo11n-EMO", swap={"FasterNet": ("EMO_2M", [])}).rows()


def test_columns_of_revcol_cost_the_same():
    with torch.device("meta"):
        x = torch.zeros(1, 3, 256, 256)
        four, *fewer = (gmac(cls(0.25).eval(), x) for cls in (revcol_tiny, RevCol_2, RevCol_1))
    assert all(abs(cost / four - 1) < 0.05 for cost in fewer)


def test_contiguous_windows_mix_neighbours():
    block, x = iRMB_contiguous(8, 8).eval(), torch.rand(1, 8, 14, 14)
    changed = x.clone()
    changed[:, :, 0, 0] += 1
    touched = (block.attend(changed) - block.attend(x)).abs().sum(1)[0] > 1e-6
    assert touched[:7, :7].all() and touched.sum() == 49


# ------------------------------------------------------------------------------------------------------- which rows hold
def test_a_change_of_code_that_computes_the_same_keeps_a_row():
    rows = MODELS["yolo11n-TinyNet"].rows()
    now = validity.numbers_of(rows)
    assert validity.why_stale(now, now) == ""
    other_code = {**now, "code_hash": "another file"}
    assert validity.why_stale(other_code, now) == ""
    assert validity.why_stale({**other_code, "outputs": "1 2 3 4"}, now) == "the network computes something else"
    assert validity.why_stale({**now, "yaml_hash": "x"}, now) == "the model file changed"
    assert validity.why_stale({**now, "recipe_hash": "x"}, now) == "the recipe or the pictures changed"


def test_outputs_tell_networks_and_their_first_weights_apart():
    network = validity.build(MODELS["yolo11n-TinyNet"].rows())
    first = validity.outputs_of(network)
    assert validity.same_outputs(first, validity.outputs_of(validity.build(MODELS["yolo11n-TinyNet"].rows())))
    larger = validity.build(MODELS["yolo11n-TinyNet"].rows())
    for parameter in larger.parameters():
        parameter.data *= 2
    assert not validity.same_outputs(first, validity.outputs_of(larger))


# -------------------------------------------------------------------------------------------------------------- running
@pytest.fixture
def quick(scratch, monkeypatch):
    """Trainings that leave behind in no time what a training leaves behind, and a count of them."""
    begun = []

    def train_once(model, preset, project, name, seed):
        begun.append(name)
        folder = scratch / "runs" / name
        (folder / "weights").mkdir(parents=True)
        (folder / "weights" / "best.pt").touch()
        head = "epoch,time,train/box_loss,train/cls_loss,metrics/mAP50(B),metrics/mAP50-95(B),val/box_loss"
        (folder / "results.csv").write_text(f"{head}\n1,5,2,1,0.1,0.05,3\n2,9,1,1,nan,nan,nan\n3,4,1,0.5,nan,nan,nan\n")
        scores = {"precision": 0.5, "recall": 0.5, "mAP50": 0.5 + seed / 10, "mAP50-95": 0.25}
        return SimpleNamespace(folder=folder, weights=folder / "weights" / "best.pt", scores=scores)

    monkeypatch.setattr(run, "train_once", train_once)
    monkeypatch.setattr(
        run, "YOLO", lambda path: SimpleNamespace(model=validity.build(MODELS["yolo11n-TinyNet"].rows()))
    )
    monkeypatch.setattr(run, "find", lambda yolo: labels_as_detections())
    return begun


def labels_as_detections(shift=0.0, sure=0.9):
    """Every labelled box is found, moved by `shift` parts of the picture."""
    boxes = results.labelled()
    pictures = np.concatenate([[i] * len(b) for i, b in enumerate(boxes)]).astype(int)
    return results.Detections(pictures, np.full(len(pictures), sure), np.concatenate(boxes) + shift)


def test_rows_that_are_there_are_not_run_again(quick, scratch, capsys):
    assert main(["run", "yolo11n-TinyNet-0", "yolo11n-TinyNet-1"]) == 0
    assert quick == ["yolo11n-TinyNet-0", "yolo11n-TinyNet-1"]
    assert "[2 of 2, about 0 minutes left] yolo11n-TinyNet, seed 1" in capsys.readouterr().out
    assert main(["run", "yolo11n-TinyNet"]) == 0 and quick[2:] == ["yolo11n-TinyNet-2"]
    assert main(["status", "yolo11n-TinyNet"]) == 0 and "3 of 3 are there" in capsys.readouterr().out
    rows = list(csv.DictReader((scratch / "runs.csv").open()))
    assert [row["seed"] for row in rows] == ["0", "1", "2"] and tuple(rows[0]) == results.COLUMNS
    epochs, losses = results.curve("yolo11n-TinyNet")
    assert epochs.tolist() == [1, 2, 3] and losses.tolist() == [[3, 2, 1.5]] * 3
    scores = results.curve("yolo11n-TinyNet", "mAP50")[1]
    assert scores[0][0] == 0.1 and np.isnan(scores[0][1:]).all()
    assert not list(scratch.glob("*.part*"))


def test_a_stale_row_is_run_again(quick, scratch):
    main(["run", "yolo11n-TinyNet-0"])
    text = (scratch / "runs.csv").read_text()
    (scratch / "runs.csv").write_text(text.replace(validity.recipe_number(), "another"))
    shutil.rmtree(scratch / "runs" / "yolo11n-TinyNet-0")
    main(["run", "yolo11n-TinyNet-0"])
    assert len(quick) == 2 and (scratch / "runs.csv").read_text().count("yolo11n-TinyNet") == 1


def test_two_runners_share_the_work(scratch, quick, capsys):
    (scratch / "runs").mkdir()
    with FileLock(scratch / "runs" / "yolo11n-TinyNet-1.lock"):
        assert main(["run", "yolo11n-TinyNet"]) == 0
    assert "yolo11n-TinyNet-1: another process is running it" in capsys.readouterr().out
    assert quick == ["yolo11n-TinyNet-0", "yolo11n-TinyNet-2"]


def test_what_another_runner_has_just_finished_is_not_run_again(scratch, quick):
    main(["run", "yolo11n-TinyNet-0"])
    assert run.run_unless_taken(MODELS["yolo11n-TinyNet"], 0) is False and len(quick) == 1


def test_what_is_not_planned_is_named(scratch, capsys):
    assert main(["run", "yolo11n-Emo"]) == 2 and "'yolo11n-Emo' is not planned. Planned are" in capsys.readouterr().err
    assert main(["start"]) == 2 and "choose one of status, run" in capsys.readouterr().err


def test_seconds_are_those_since_the_last_interruption():
    assert run.since_last_start([{"time": t} for t in ("5", "9", "4", "8")]) == 2
    assert run.since_last_start([{"time": "5"}, {"time": "9"}]) == 2


# ------------------------------------------------------------------------------------------------- what may be said of it
def test_detections_survive_the_file(scratch):
    found = labels_as_detections()
    found.save(results.detections_file("a", 0))
    back = results.Detections.load("a")
    assert np.abs(back.boxes - found.boxes).max() < 1e-4 and (back.picture == found.picture).all()
    assert back.hits(results.labelled()).all()
    with pytest.raises(FileNotFoundError, match="no stored detections of b, seed 0; there are a-0"):
        results.Detections.load("b")


def test_a_label_is_found_once():
    box = np.array([[0, 0, 1, 1]])
    assert results.match(results.iou(np.concatenate([box, box]), box)).sum(0).tolist() == [1] * 10
    half = results.match(results.iou(np.array([[0, 0, 1, 0.62]]), box))
    assert half[0].tolist() == [True] * 3 + [False] * 7
    assert results.match(results.iou(box, np.zeros((0, 4)))).sum() == 0


def test_average_precision():
    hit, one = np.array([True, False, True]), np.ones(3)
    assert results.average_precision(np.array([True, True]), np.ones(2), 2) == 1
    assert results.average_precision(hit, one, 2) == pytest.approx((51 + 50 * 2 / 3) / 101)
    assert results.average_precision(hit, one, 0) == results.average_precision(hit[:0], one[:0], 2) == 0


def fill(scratch, scores, hits):
    """Rows of models: their mAP50 for each seed, and how many of ten pictures' boxes each finds."""
    rows, boxes = [], labels_as_detections()
    for name in scores:
        for seed, score in enumerate(scores[name]):
            row = dict.fromkeys(results.COLUMNS, "1") | {
                "name": name,
                "variant": "",
                "lesson": "03",
                "against": "" if name == "yolo11n" else "yolo11n",
            }
            rows.append(row | {"seed": seed, "mAP50": score, "mAP50-95": score / 2})
            keep = boxes.picture % 10 < hits[name]
            results.Detections(boxes.picture[keep], boxes.confidence[keep], boxes.boxes[keep]).save(
                results.detections_file(name, seed)
            )
    results.write("runs.csv", results.COLUMNS, rows)
    forget()


@pytest.mark.parametrize(
    ("theirs", "ours", "hits", "said"),
    [
        ((0.5, 0.52, 0.51), (0.7, 0.72, 0.71), 9, "+0.200, gain"),
        ((0.5, 0.52, 0.51), (0.3, 0.32, 0.31), 1, "-0.200, loss"),
        ((0.5, 0.52), (0.7, 0.72), 9, "+0.200, higher in both seeds: a direction, not shown"),
        ((0.5, 0.6, 0.4), (0.55, 0.65, 0.45), 9, "+0.050, within noise"),
        ((0.5, 0.52, 0.51), (0.7, 0.72, 0.71), 5, "+0.200, higher in every seed; 120 pictures are too few to show it"),
        ((0.5, 0.52), (0.3, 0.32, 0.31), 5, "-0.200, lower in every seed; 120 pictures are too few to show it"),
        ((0.5, 0.52), (0.52, 0.54), 9, "+0.020, within noise"),
        ((0.5,), (0.7,), 9, "+0.200, one seed: says nothing yet"),
    ],
)
def test_a_difference_is_called_one_only_if_seeds_and_pictures_agree(scratch, theirs, ours, hits, said):
    fill(scratch, {"yolo11n": theirs, "yolo11n-EMO": ours}, {"yolo11n": 5, "yolo11n-EMO": hits})
    assert results.compare("yolo11n-EMO", "yolo11n") == said


def test_tables_are_sorted_and_say_how_many_seeds(scratch):
    assert "No training of these models is finished yet" in str(results.table())
    fill(scratch, {"yolo11n": (0.5, 0.52), "yolo11n-EMO": (0.7,)}, {"yolo11n": 5, "yolo11n-EMO": 9})
    text = str(results.rows_of("03"))
    first, second = text.splitlines()[1:3]  # one seed comes last, however well it did
    assert second.startswith("yolo11n-EMO ") and first.split()[:5] == ["yolo11n", "2", "0.510", "(0.500", ".."]
    assert "1 to 2 seeds a model" in text and results.table(["yolo11n"]).markdown().startswith("| model | seeds |")


def test_without_any_row_everything_says_so_and_draws_nothing(scratch, capsys):
    for lesson in ("02", "05"):
        assert "No training of these models is finished yet" in results.rows_of(lesson).markdown()
    assert results.common_seeds("yolo11n", "yolo11n-EMO") == [] and results.main_models() == {}
    assert len(results.bootstrap("yolo11n", "yolo11n-EMO", [])) == 0
    assert len(results.detections("yolo11n").picture) == 0
    assert "no stored detections of yolo11n, seed 0; there are none" in capsys.readouterr().out
    ax = Figure().subplots()
    accuracy_against(ax, {"yolo11n": 1.0}, "GMAC")
    draw_curves(ax, "mAP50", ["yolo11n"])
    assert not ax.lines
    assert [ax.get_title() for ax in curves_figure(["yolo11n"]).axes] == ["no training is finished yet"]
    assert families_figure("08").axes[0].get_title() == "no variant is trained yet"
    (legend,) = (figure := costs_figure()).legends
    assert len(figure.axes) == 1
    assert [text.get_text() for text in legend.get_texts()][:2] == ["range over the seeds", "one seed"]


def test_a_lessons_rows_are_its_models_and_what_they_are_compared_with(scratch):
    fill(scratch, {"yolo11n": (0.5, 0.52), "yolo11n-EMO": (0.7, 0.72)}, {"yolo11n": 5, "yolo11n-EMO": 9})
    assert [line[0] for line in results.rows_of("03").lines] == ["yolo11n-EMO", "yolo11n"]
    assert results.rows_of("05").lines == ()


def test_what_a_lessons_variants_change_stands_beside_the_model_as_it_was(scratch):
    assert results.tried("08").lines == () and "No training of these models" in results.tried("08").note
    fill(scratch, {"yolo11n": (0.8, 0.8), "yolo11n-EMO": (0.6, 0.68)}, {"yolo11n": 9, "yolo11n-EMO": 5})
    row = results.read("runs.csv")[0] | {"variant": "without drop path", "lesson": "08", "against": "yolo11n-EMO"}
    rows = [row | {"name": "yolo11n-EMO-no_drop_path", "mAP50": score} for score in (0.75, 0.77)]
    rows[1]["seed"] = "1"
    results.write("runs.csv", results.COLUMNS, [*results.read("runs.csv"), *rows])
    for seed in (0, 1):
        shutil.copy(results.detections_file("yolo11n", seed), results.detections_file(rows[0]["name"], seed))
    said = "+0.120, higher in both seeds: a direction, not shown"
    texts = ("0.640 (0.600 .. 0.680)", "0.760 (0.750 .. 0.770)")
    assert results.tried("08").lines == (("yolo11n-EMO", "without drop path", *texts, said, "80% -> 95%"),)
    epochs = [
        {"name": row["name"], "seed": row["seed"], "epoch": e, "train_loss": 9 - e} for row in rows for e in (1, 2)
    ]
    results.write("curves.csv", results.CURVE, epochs)
    (above, below) = families_figure("08").axes
    assert [line.get_label() for line in above.lines] == ["yolo11n-EMO-no_drop_path"] and not below.lines


def test_bootstrap_compares_on_the_same_samples(scratch):
    fill(scratch, {"yolo11n": (0.5, 0.52), "yolo11n-EMO": (0.7, 0.72)}, {"yolo11n": 5, "yolo11n-EMO": 5})
    assert results.common_seeds("yolo11n", "yolo11n-EMO") == [0, 1]
    assert results.resampled("yolo11n", (0,)).std() > 0
    assert not results.bootstrap("yolo11n", "yolo11n-EMO", [0, 1]).any()


def test_figures_show_what_was_measured(scratch):
    fill(scratch, {"yolo11n": (0.5, 0.52), "yolo11n-EMO": (0.7, 0.72)}, {"yolo11n": 5, "yolo11n-EMO": 9})
    epochs = [{"name": "yolo11n", "seed": seed, "epoch": e, "train_loss": 9 - e} for seed in (0, 1) for e in (1, 2)]
    epochs[1]["mAP50"] = 0.25
    results.write("curves.csv", results.CURVE, epochs)
    ax, other, costs = Figure().subplots(1, 3)
    draw_curves(ax, "train_loss", ["yolo11n", "yolo11n-EMO"])
    draw_curves(other, "mAP50", ["yolo11n"])
    assert [line.get_ydata().tolist() for line in (*ax.lines, *other.lines)] == [[8, 7], [0.25]]
    accuracy_against(costs, {"yolo11n": 3.0}, "ms")
    assert [text.get_text() for text in costs.texts] == ["yolo11n"] and costs.get_xlabel() == "ms"
    # No training measured the validation loss, so it gets no empty panel.
    assert [ax.get_title() for ax in curves_figure(["yolo11n", "yolo11n-EMO"]).axes] == ["training loss", "mAP50"]


def test_names_touch_no_other_name_and_no_bar_and_the_front_needs_several_seeds(scratch):
    scores = {"yolo11n": (0.5, 0.6), "yolov10n": (0.54, 0.56), "yolo11n-EMO": (0.7,), "yolo11n-RepViT": (0.55, 0.551)}
    fill(scratch, scores, dict.fromkeys(scores, 5))
    ax = Figure().subplots()
    accuracy_against(ax, {"yolo11n": 3, "yolov10n": 3.4, "yolo11n-EMO": 5, "yolo11n-RepViT": 3.2}, "ms")
    *lines, steps = ax.lines
    boxes = [text.get_window_extent() for text in ax.texts]
    assert len(boxes) == 4 and len(lines) == 8
    assert not any(one.overlaps(other) for one, other in itertools.combinations(boxes, 2))
    paths = [line.get_path().transformed(ax.transData) for line in ax.lines]
    assert not any(path.intersects_bbox(box, filled=False) for box in boxes for path in paths)
    dots = [line.get_xydata()[0] for line in lines if line.get_marker() == "o"]
    for box, text in zip(boxes, ax.texts):
        assert min(dots, key=lambda dot: distance(box, ax.transData.transform(dot))) == pytest.approx(text.xy)
    assert [line.get_mfc() for line in lines].count("white") == 1  # EMO's, of one seed
    corners = [(3, 0.55), (3.2, 0.55), (3.2, 0.5505), (5, 0.5505)]
    assert steps.get_xydata() == pytest.approx(np.array(corners))
    points = {"a": (1, 0.5), "b": (2, 0.4), "c": (3, 0.7), "d": (1, 0.6)}
    assert [points[name] for name in best_for_less(points)] == [(1, 0.6), (3, 0.7)] and best_for_less({}) == []


def test_a_family_has_one_colour():
    assert colour_of("yolo11n-RepViT") == colour_of("yolo11n-RepViT-m0_6") == colour_of("repvit_m0_9")
    assert colour_of("yolo11n-RepViT") != colour_of("yolo11n-EMO")
    assert (
        colour_of("yolo11n") == colour_of("yolov10n") not in {colour_of("yolov10n-iRMB"), colour_of("yolo11n-TinyNet")}
    )


def test_draws_and_a_gallery_are_drawn():
    drawn = np.linspace(0, 1, 50)
    scores, difference = draws_figure({"a": drawn, "b": drawn}, drawn - 0.5).axes
    assert scores.get_xlabel() == "mAP50, 50 draws" and difference.get_xlabel() == "a minus b"
    figure = gallery([(0, np.array([0.1, 0.1, 0.2, 0.3]))], "red", "one of them")
    assert [len(ax.images) for ax in figure.axes] == [1, 0, 0, 0, 0] and figure.get_suptitle() == "one of them: 1"


@pytest.mark.parametrize(
    "box", [(0, 0, 1, 1), (0.1, 0, 1, 1), (0, 0.4, 1, 0.5), (0.98, 0.98, 1, 1), (0.4, 0.4, 0.6, 0.6)]
)
def test_a_gallery_shows_each_box_whole(box):
    ax = gallery([(0, np.array(box))], "red", "boxes").axes[0]
    (left, right), (below, above) = ax.get_xlim(), ax.get_ylim()
    width, height = Image.open(fire_pictures("val")[0]).size
    x1, y1, x2, y2 = np.array(box) * [width, height, width, height]
    assert left <= x1 and x2 <= right and above <= y1 and y2 <= below


def test_latencies_are_those_of_fused_detectors_on_a_cpu(scratch):
    assert results.latencies() == ({}, "", "")
    heading = "model kind device imgsz batch threads measure value".split()
    row = dict(zip(heading, ("yolo11n", "detector", "cpu", "320", "1", "2", "fused", "30.5")))
    others = [{"device": "cuda:0"}, {"measure": "forward"}, {"batch": "8"}, {"kind": "timm"}, {"imgsz": "640"}]
    rows = [row, row | {"model": "yolo11n-EMO", "value": "40"}, *(row | other | {"value": "9"} for other in others)]
    results.write("bench.csv", heading, rows)
    assert results.latencies() == ({"yolo11n": 30.5, "yolo11n-EMO": 40}, "320", "2")


def test_pages_and_figure_are_those_of_the_csv():
    stale = "stale: python -m results page"
    assert (results.RESULTS / "README.md").read_text(encoding="utf-8") == page.page(), stale
    assert page.FRONT.read_text(encoding="utf-8") == page.front(), stale
    assert (shipped.FOLDER / "README.md").read_text(encoding="utf-8") == page.card(), stale
    for lesson in page.LESSONS:
        assert lesson.read_text(encoding="utf-8") == page.with_rows(lesson), f"{lesson.name} {stale}"
    assert results.trained() and "| model |" in page.front()
    assert Image.open(results.RESULTS / "comparison.png").text["Source"] == page.number_of_csv(), stale
    assert Image.open(page.FOUND).info["comment"].decode() == page.number_of_weights(), stale


def test_the_readme_answers_who_beats_the_stock_detector(scratch):
    scores = {"yolo11n": (0.5, 0.52, 0.51), "yolo11n-EMO": (0.7, 0.72, 0.71), "yolo11n-RevColV1": (0.9,)}
    scores |= {"yolo11n-RepViT": (0.3, 0.32), "yolo11n-FasterNet": (0.3, 0.32, 0.31), "yolov10n": (0.4, 0.41, 0.42)}
    fill(scratch, scores, dict(zip(scores, (5, 9, 9, 1, 1, 5))))
    said = page.answer()
    assert "Shown to be better than stock YOLO11n, mAP50 0.510 (0.500 .. 0.520): EMO." in said
    assert "Not to be told from it: none. Shown to be worse: FasterNet." in said and "One seed only: RevColV1." in said
    assert "Lower, and not shown: yolov10n, RepViT." in said and "Higher" not in said


def test_stored_rows_have_their_detections_and_curves():
    """Of what results/ holds, nothing lacks a part."""
    rows = results.read("runs.csv")
    curves = {(row["name"], row["seed"]) for row in results.read("curves.csv")}
    for row in rows:
        assert (row["name"], row["seed"]) in curves and results.detections_file(row["name"], int(row["seed"])).is_file()
        assert row["name"] in MODELS
    assert len(fire_pictures("val")) == len(results.labelled())
