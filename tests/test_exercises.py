"""Exercises: solutions get full marks, untouched notebooks none, and typical wrong answers the line meant for them."""

import importlib
import json
from dataclasses import replace

import nbformat
import pytest
import torch
import torch.nn.functional as F

from modules.course import exercises
from modules.course.broken_trainings import BROKEN, HEALTHY, curves
from modules.course.compare import difference
from modules.course.exercise_bank import LESSONS, Design, FillIn, Predict, find
from modules.course.exercises import check, hint, solution
from modules.emo import EMO_1M
from modules.irmb import window_partition
from tools import exercises as students
from tools import lessons

EXERCISES = {
    number: exercise
    for lesson in LESSONS
    for number, exercise in importlib.import_module(f"modules.course.exercise_bank.lesson_{lesson}").EXERCISES.items()
}
NOTEBOOKS = sorted(students.SOLUTIONS.glob("*.ipynb"))
OF_LESSONS = [path for path in NOTEBOOKS if path.stem != "11_capstone"]


@pytest.fixture(autouse=True)
def new_learner(monkeypatch):
    monkeypatch.setattr(exercises, "tried", set())
    monkeypatch.setattr(exercises, "hinted", {})


def cells(path):
    return nbformat.read(path, as_version=4).cells


def marks(notebook_cells):
    """{"02.1": 2, ...}: run the cells in one namespace as a grader does, and go on after an error."""
    namespace, earned = {"__name__": "__main__"}, {}
    for cell in notebook_cells:
        if cell.cell_type != "code" or "setup" in cell.metadata.get("tags", []):
            continue
        facts = cell.metadata.get("nbgrader", {})
        try:
            exec(cell.source, namespace)
            points = facts.get("points", 0)
        except Exception:
            points = 0
        if facts.get("grade"):
            earned[facts["grade_id"].removeprefix("check-").replace("-", ".")] = points
    return earned


def with_hidden_tests(path):
    """The cells of a student's notebook, those that check in the form that the grader has."""
    hidden = {cell.metadata.nbgrader.grade_id: cell for cell in cells(path) if "nbgrader" in cell.metadata}
    for cell in cells(students.STUDENTS / path.name):
        facts = cell.metadata.get("nbgrader", {})
        yield hidden[facts["grade_id"]] if facts.get("grade") else cell


# ------------------------------------------------------------------------------------------------------- notebooks
def test_every_lesson_with_exercises_has_its_notebook():
    assert [path.stem[:2] for path in NOTEBOOKS] == LESSONS
    assert all((lessons.NOTEBOOKS / path.name).exists() for path in OF_LESSONS)


def test_student_notebooks_are_what_the_solutions_give():
    assert students.write(check=True) == [], "run: make exercises"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_form_of_a_notebook(path):
    source, given = cells(path), cells(students.STUDENTS / path.name)
    grade_ids = [cell.metadata.nbgrader.grade_id for cell in source if "nbgrader" in cell.metadata]
    expected = [
        f"{kind}-{n.replace('.', '-')}" for n in EXERCISES if n[:2] == path.stem[:2] for kind in ("answer", "check")
    ]
    assert grade_ids == expected
    assert lessons.badge(students.STUDENTS / path.name) in source[0].source
    assert source[1].source == lessons.setup_cell()
    assert not any("### " in cell.source for cell in given if cell.cell_type == "code")
    assert not any(cell.get("outputs") for cell in source + given)
    for cell in source:
        assert "### BEGIN SOLUTION" in cell.source or not cell.metadata.get("nbgrader", {}).get("solution")


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_solutions_get_full_marks_and_untouched_notebooks_none(path):
    full = {n: 2 for n in EXERCISES if n[:2] == path.stem[:2]}
    assert marks(cells(path)) == full
    assert marks(with_hidden_tests(path)) == dict.fromkeys(full, 0)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_untouched_notebook_runs_to_its_end(path, capsys):
    namespace = {"__name__": "__main__"}
    for cell in cells(students.STUDENTS / path.name):
        if cell.cell_type == "code" and "setup" not in cell.metadata.get("tags", []):
            exec(cell.source, namespace)
    said = capsys.readouterr().out
    assert all(f"{n} not yet: " in said for n in EXERCISES if n[:2] == path.stem[:2])


KINDS = {FillIn: "Fill in", Predict: "Predict", Design: "Design"}


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_kinds_and_minutes_are_said(path):
    texts = [cell.source for cell in cells(path) if cell.cell_type == "markdown"]
    found = {said[1]: said for text in texts if (said := students.HEADING.match(text))}
    kinds = {n: KINDS[type(exercise)] for n, exercise in EXERCISES.items() if n[:2] == path.stem[:2]}
    assert {n: said[2] for n, said in found.items()} == kinds
    assert f"about {sum(int(said[5]) for said in found.values())} minutes" in texts[0]


@pytest.mark.parametrize("path", OF_LESSONS, ids=lambda path: path.stem)
def test_lesson_links_to_its_exercises(path):
    (text,) = [cell.source for cell in cells(lessons.NOTEBOOKS / path.name) if "## Exercises\n" in cell.source]
    assert f"](exercises/{path.name})" in text
    assert "<details>" not in text.partition("## Exercises\n")[2], "solutions stand in the notebook of the exercises"


def test_half_a_region_is_an_error():
    cell = nbformat.v4.new_code_cell("def f():\n    ### BEGIN SOLUTION\n    return 1")
    with pytest.raises(students.Problem, match="without its other half"):
        students.student(nbformat.v4.new_notebook(cells=[cell]))


# ---------------------------------------------------------------------------------------------- typical wrong answers
@pytest.mark.parametrize("number", EXERCISES)
def test_wrong_answers_get_the_line_meant_for_them(number):
    exercise = find(number)
    assert len(exercise.hints) == 2 and exercise.wrong
    for line, answer in exercise.typical():
        fault = exercise.fault(answer)
        assert line in fault if isinstance(exercise, Design) else line == fault


@pytest.mark.parametrize("number", [n for n, exercise in EXERCISES.items() if isinstance(exercise, FillIn)])
def test_the_reference_is_right_with_any_seed(number):
    exercise = replace(find(number), ruled_out=())
    for seed in range(5):
        torch.manual_seed(seed)
        assert exercise.fault(exercise.reference) == ""


@pytest.mark.parametrize("lesson", LESSONS)
def test_kinds_and_number_of_wrong_answers(lesson):
    mine = [exercise for number, exercise in EXERCISES.items() if number[:2] == lesson]
    assert {type(exercise) for exercise in mine} == {FillIn, Predict, Design}
    assert sum(len(exercise.wrong) for exercise in mine) >= 4


def partition(x, window):
    return find("02.2").reference(x, window)


def squares_only(x, window):
    """Takes the number of groups down for the one across."""
    (B, C, H, _), (h, w) = x.shape, window
    x = x.permute(0, 2, 3, 1).reshape(B, h, H // h, w, H // w, C)
    return x.permute(0, 2, 4, 1, 3, 5).reshape(-1, h * w, C)


@pytest.mark.parametrize(
    "answer, line",
    [
        (lambda x, window: None, "returns None: is a `return` missing?"),
        (lambda x, window: partition(x, window).tolist(), "returns a list, not a tensor"),
        (
            lambda x, window: partition(x, window).float(),
            "has dtype float32, not float64 (for (2, 4, 14, 20) in float64,",
        ),
        (lambda x, window: window_partition(x, 2), "uses window_partition, which the task rules out"),
        (lambda x, window: 2 * partition(x, window), "is 2 times what it should be"),
        (lambda x, window: partition(x.zero_(), window), "changes its input in place"),
        (lambda x, window: partition(x, window).flatten(0, 1), "has 2 dimensions, (16, 1), not 3, (4, 4, 1)"),
        (
            lambda x, window: partition(x, window)[:1],
            "is 1 long in dimension 0, and should be 4: (1, 4, 1), not (4, 4, 1)",
        ),
        (lambda x, window: partition(x, window).mT, "has its dimensions in another order: (4, 1, 4), not (4, 4, 1)"),
        (
            lambda x, window: partition(x, window).flip(0),
            "in the wrong places: [0] holds [5, 7, 13, 15], and should hold [0, 2, 8, 10] (for (1, 1, 4, 4), (2, 2))",
        ),
        (lambda x, window: partition(x, window) / 0, "holds NaN or infinity"),
        (
            lambda x, window: partition(x[:1], window),
            "right for a batch of one only: is 6 long in dimension 0, and should be 12",
        ),
        (squares_only, "right on square maps only: raises RuntimeError"),
        (lambda x, window: partition(x), "raises TypeError"),
        (partition(torch.zeros(1, 1, 2, 2), (2, 2)), "this is a Tensor: give the function itself"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_check_says_about_other_faults(answer, line, capsys):
    assert not check("02.2", answer)
    assert line in capsys.readouterr().out


@pytest.mark.parametrize(
    "got, want, line",
    [
        ([[0, "Conv"], [1, "SPPF"]], [[0, "Conv"], [0, "SPPF"]], "[1][0] is 1, not 0"),
        ([1.0, 2.0], (1.0, 2.0), ""),
        ([1], [1, 2], "has 1 entries, not 2"),
        (3, [3], "returns a int, not a list"),
        ([torch.ones(2)], [torch.zeros(2)], "[0] differs in 100% of the numbers, by up to 1"),
        ({"a": 1}, {"a": 1, "b": 2}, "has nothing under 'b'"),
        ({"a": 1, "c": 2}, {"a": 1}, "has 'c', which is not asked for"),
        (torch.tensor(0.5), 0.5, ""),
        (torch.zeros(0, 3), torch.zeros(0, 3), ""),
        (torch.zeros(5), 0.5, "returns a tensor of shape (5,), not a float"),
        ([1], {"a": 1}, "returns a list, which is not what is asked for"),
    ],
)
def test_lists_dictionaries_and_single_numbers_are_compared(got, want, line):
    assert difference(got, want) == line


def test_drop_rates_are_those_of_emo():
    net = EMO_1M()
    rates = [[getattr(b.drop_path, "drop_prob", 0.0) for b in getattr(net, f"stage{i}")] for i in range(1, 5)]
    assert difference(find("03.3").reference(list(net.depths), net.drop_path), rates) == ""


@pytest.mark.parametrize(
    "number, answer, line",
    [
        ("01.3", lambda *given: None, "returns None, and three things are asked for"),
        ("01.5", {"backbone": [1], "head": []}, "a row is [from, repeats, name, [arguments]], and this is 1"),
        ("03.4", lambda *given: [], "returns a list: put the blocks into one nn.Sequential"),
        ("04.2", lambda *given: 256, "returns 256, and two things are asked for"),
    ],
)
def test_what_has_not_even_the_form_of_an_answer_is_told_so(number, answer, line, capsys):
    assert not check(number, answer)
    assert line in capsys.readouterr().out


def test_border_of_a_map_is_named():
    x = torch.randn(1, 1, 9, 9)
    kernel = torch.randn(1, 1, 3, 3)
    padded = F.conv2d(F.pad(x, (1, 1, 1, 1), mode="circular"), kernel)
    assert difference(padded, F.conv2d(x, kernel, padding=1)) == "is right inside and wrong at the border of the map"


def test_predictions_never_give_the_value_away():
    for number, exercise in EXERCISES.items():
        if isinstance(exercise, Predict):
            right = exercise.value()
            wrong = tuple(1 for _ in right) if isinstance(right, tuple) else -1
            for answer in (None, "text", wrong):
                assert str(right) not in exercise.fault(answer)
            assert exercise.fault(right) == ""


def test_broken_trainings_show_what_is_said_of_them():
    trained, validated = curves(HEALTHY)
    lines = {training.cause: curves(training) for training in BROKEN.values()}
    assert validated[-1] < 0.35
    assert lines["batch norm"][0] == trained and lines["batch norm"][1][-1] > 0.4
    assert lines["labels"][1][-1] > 0.6 > lines["labels"][0][-1]
    assert lines["rate"][0][0] > 2 and lines["rate"][1][-1] > validated[-1] + 0.1
    assert lines["by heart"][0][-1] < 0.02 and lines["by heart"][1][-1] > min(lines["by heart"][1]) + 0.05
    assert lines["steps"][0][-1] > 0.4 and abs(lines["steps"][0][-1] - lines["steps"][1][-1]) < 0.15


# ------------------------------------------------------------------------------------------------- hints and solutions
def test_hints_come_one_by_one(capsys):
    hint("02.2")
    first = capsys.readouterr().out
    hint("02.2")
    second = capsys.readouterr().out
    assert (
        "hint 1 of 2" in first and "hint 2 of 2" not in first and second.startswith(first) and "hint 2 of 2" in second
    )


def test_solution_comes_after_a_try_only(capsys):
    solution("02.2")
    assert "try it first" in capsys.readouterr().out
    check("02.2", partition)
    solution("02.2")
    text = capsys.readouterr().out
    assert "def window_partition" in text and "permute(0, 2, 4, 1, 3, 5)" in text and "###" not in text


def test_solution_without_the_folder(capsys, monkeypatch, tmp_path):
    monkeypatch.setattr(exercises, "SOLUTIONS", tmp_path)
    check("02.1", (18, 49, 160))
    solution("02.1")
    assert "comes without solutions" in capsys.readouterr().out


@pytest.mark.parametrize("number", ["02.99", "77.1", "window", 2.2])
def test_unknown_numbers_say_what_there_is(number):
    with pytest.raises(ValueError, match="no exercise"):
        check(number, None)


def test_nbval_leaves_these_notebooks_alone():
    from conftest import collect_ignore

    assert "notebooks/exercises" in collect_ignore
    assert not any("exercises" in str(path) for path in lessons.lessons())


def test_grade_cells_ask_for_other_inputs_than_the_learner_saw():
    for path in NOTEBOOKS:
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
            if cell["metadata"].get("nbgrader", {}).get("grade"):
                assert "seed=1" in "".join(cell["source"])
