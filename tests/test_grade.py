"""make grade: a class whose notebooks loop, end, delete and fill the memory is marked to its end, and nothing is touched."""

import csv
import re
import subprocess
import sys

import nbformat
import pytest

pytest.importorskip("nbgrader", reason="nbgrader is not installed: make test-grade installs it")
from tools import grade, sandbox  # noqa: E402

NAME = "02_toy"
TOY = ["a = 1", "def double(x):\n    return 2 * x", "words = ['one', 'two']"]
CHECKS = ["assert a == 1", "assert double(4) == 8", "assert len(words) == 2"]


def answer(i, source):
    facts = {"grade_id": f"answer-02-{i}", "grade": False, "locked": False, "solution": True, "task": False}
    return nbformat.v4.new_code_cell(source, metadata={"nbgrader": facts | {"schema_version": 3}})


def check(i, source):
    facts = {"grade_id": f"check-02-{i}", "grade": True, "locked": True, "solution": False, "task": False}
    return nbformat.v4.new_code_cell(source, metadata={"nbgrader": facts | {"schema_version": 3, "points": 2}})


def notebook(answers, checks=CHECKS):
    """A notebook with three answers and the cells that check them; None leaves one out."""
    pairs = [
        (answer(i, text), check(i, test)) for i, (text, test) in enumerate(zip(answers, checks), 1) if text is not None
    ]
    return nbformat.v4.new_notebook(cells=[cell for pair in pairs for cell in pair])


def hand_in(folder, student, notebook):
    (folder / student).mkdir(parents=True)
    nbformat.write(notebook, folder / student / f"{NAME}.ipynb")


@pytest.fixture
def toy(tmp_path, monkeypatch):
    """A course of one small notebook. `toy(*arguments)` grades what lies in tmp_path/class; returns the rows of details.csv."""
    solutions = tmp_path / "solutions"
    solutions.mkdir()
    source = [f"{text.split('=')[0]}= None\n### BEGIN SOLUTION\n{text}\n### END SOLUTION" for text in TOY]
    source[1] = "def double(x):\n    ### BEGIN SOLUTION\n    return 2 * x\n    ### END SOLUTION"
    hidden = [
        f"print('02.{i} seen')\n### BEGIN HIDDEN TESTS\n{test}\n### END HIDDEN TESTS"
        for i, test in enumerate(CHECKS, 1)
    ]
    nbformat.write(notebook(source, hidden), solutions / f"{NAME}.ipynb")
    monkeypatch.setattr(grade, "SOLUTIONS", solutions)
    monkeypatch.setattr(grade, "WARM_UP", "")

    def run(*arguments):
        out = tmp_path / "grades"
        monkeypatch.setattr(sys, "argv", ["grade", str(tmp_path / "class"), "--out", str(out), *arguments])
        grade.main()
        with open(out / "details.csv", newline="", encoding="utf-8") as file:
            return list(csv.DictReader(file))

    return run


def points(rows, student):
    return [float(row["points"]) for row in rows if row["student"] == student]


def note(rows, student, exercise):
    return next(row["note"] for row in rows if (row["student"], row["exercise"]) == (student, exercise))


needs_sandbox = pytest.mark.skipif(not sandbox.best(), reason="neither bwrap nor unshare works here")


@needs_sandbox
def test_a_class_with_every_fault_is_graded_to_the_end(toy, tmp_path, capsys):
    canary = tmp_path / "canary"
    canary.write_text("alive")
    delete = f"""
import os, pathlib, shutil
shutil.rmtree({str(tmp_path)!r}, ignore_errors=True)
shutil.rmtree({str(sandbox.ROOT)!r}, ignore_errors=True)
try:
    pathlib.Path({str(canary)!r}).write_text("dead")
except OSError:
    pass
a = 1"""
    folder = tmp_path / "class"
    hand_in(folder, "right", notebook(TOY))
    hand_in(
        folder, "untouched", notebook(["a = None", "def double(x):\n    raise NotImplementedError", "words = None"])
    )
    hand_in(folder, "loops", notebook(["while True:\n    pass", "import os\nos._exit(1)", TOY[2]]))
    hand_in(folder, "deletes", notebook([delete, None, "exit()"]))
    hand_in(
        folder,
        "greedy",
        notebook([TOY[0], "def twice(x):\n    return 2 * x", "words = [bytearray(10**8) for _ in range(99)]"]),
    )
    (folder / "broken").mkdir()
    (folder / "broken" / f"{NAME}.ipynb").write_text("{ this is no notebook")

    rows = toy("--seconds", "10", "--gigabytes", "1")
    assert points(rows, "right") == [2, 2, 2]
    assert points(rows, "untouched") == points(rows, "broken") == [0, 0, 0]
    assert points(rows, "loops") == [0, 0, 2]
    assert points(rows, "deletes") == [2, 0, 0]
    assert points(rows, "greedy") == [2, 0, 0]
    assert canary.read_text() == "alive" and (sandbox.ROOT / "README.md").exists()
    assert "NameError: name 'double'" in note(rows, "greedy", "02.2")
    assert "no notebook" in note(rows, "broken", "02.1")

    with open(tmp_path / "grades" / "grades.csv", newline="", encoding="utf-8") as file:
        table = list(csv.reader(file))
    assert table[0] == ["student", "02_toy (of 6)", "sum (of 6)"]
    assert ["right", "6", "6"] in table and ["loops", "2", "2"] in table and len(table) == 7
    assert "right      6" in capsys.readouterr().out
    assert (tmp_path / "grades" / "feedback" / "right" / NAME / f"{NAME}.html").exists()


def solved(full):
    """A student's notebook with the answers of the solution notebook `full`."""
    texts = {cell.metadata.nbgrader.grade_id: cell.source for cell in full.cells if "nbgrader" in cell.metadata}
    given = grade.as_given(full)
    for cell in given.cells:
        if cell.metadata.get("nbgrader", {}).get("solution"):
            text = texts[cell.metadata.nbgrader.grade_id]
            cell.source = re.sub(r"^ *### (?:BEGIN|END) SOLUTION\n?", "", text, flags=re.M)
    return given


@needs_sandbox
def test_every_notebook_finds_what_it_needs_in_the_sandbox(tmp_path, monkeypatch):
    for path in grade.SOLUTIONS.glob("*.ipynb"):
        full = nbformat.read(path, as_version=4)
        for student, given in (("solved", solved(full)), ("untouched", grade.as_given(full))):
            (tmp_path / "class" / student).mkdir(parents=True, exist_ok=True)
            nbformat.write(given, tmp_path / "class" / student / path.name)
    monkeypatch.setattr(sys, "argv", ["grade", str(tmp_path / "class"), "--out", str(tmp_path / "grades")])
    grade.main()
    with open(tmp_path / "grades" / "details.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row for row in rows if row["student"] == "solved" and float(row["points"]) < float(row["of"])] == []
    assert [row for row in rows if row["student"] == "untouched" and float(row["points"])] == []


@needs_sandbox
def test_time_of_the_whole_notebook(toy, tmp_path):
    stubborn = "while True:\n    try:\n        while True: pass\n    except BaseException: pass"
    hand_in(tmp_path / "class", "slow", notebook([TOY[0], TOY[1], stubborn]))
    rows = toy("--seconds", "600", "--total", "30")
    assert points(rows, "slow") == [2, 2, 0] and "not reached" in note(rows, "slow", "02.3")


def test_checks_that_were_lost_come_back(toy, tmp_path):
    given = notebook(TOY, [f"print('02.{i} seen')" for i in (1, 2, 3)])
    del given.cells[3]  # the check of the second answer
    for cell in given.cells:
        cell.metadata.clear()  # as an editor does that does not know nbgrader
    hand_in(tmp_path / "class", "anna", given)
    found = grade.restored(tmp_path / "class" / "anna" / f"{NAME}.ipynb")
    ids = [cell.metadata.nbgrader.grade_id for cell in found.cells if "nbgrader" in cell.metadata]
    assert ids == ["check-02-1", "check-02-3", "check-02-2"]


def test_a_warning_costs_nothing_and_a_number_earns_nothing():
    warning = nbformat.v4.new_output("stream", name="stderr", text="UserWarning")
    number = nbformat.v4.new_output("execute_result", data={"text/plain": "100"})
    kept = grade.marked({"outputs": [warning, number], "why": ""})
    assert [output.name for output in kept] == ["stdout"]
    assert grade.marked({"outputs": [], "why": "stopped"})[0].output_type == "error"


@pytest.mark.parametrize(
    "line",
    [b"", b"{", b"[]", b'{"cell": 99, "outputs": [], "why": ""}', b'{"cell": 0, "outputs": [{"a": 1}], "why": ""}'],
)
def test_what_is_no_answer_of_the_runner_is_left_out(line):
    assert grade.answer(line, notebook(TOY)) is None


def test_without_a_sandbox_it_refuses(toy, tmp_path, monkeypatch):
    monkeypatch.setattr(sandbox, "best", lambda: None)
    with pytest.raises(grade.Problem, match="--unsafe"):
        toy()


def test_unsafe_runs_without_one(toy, tmp_path, capsys):
    hand_in(tmp_path / "class", "anna", notebook(TOY))
    assert points(toy("--unsafe"), "anna") == [2, 2, 2]
    assert "without a sandbox" in capsys.readouterr().out


@pytest.mark.parametrize("folder, line", [("missing", "no folder"), ("class", "no STUDENT/NN_name.ipynb")])
def test_a_folder_without_submissions(folder, line, tmp_path):
    (tmp_path / "class").mkdir()
    with pytest.raises(grade.Problem, match=line):
        grade.handed_in(tmp_path / folder)


def test_files_that_are_not_understood_are_named(toy, tmp_path):
    hand_in(tmp_path / "class", "anna", notebook(TOY))
    for name in ("anna/essay.ipynb", "02_toy.ipynb"):
        nbformat.write(notebook(TOY), tmp_path / "class" / name)
    found, strange = grade.handed_in(tmp_path / "class")
    assert list(found) == [("anna", NAME)]
    assert len(strange) == 2 and "no student's folder" in strange[0] and "no exercise of this course" in strange[1]


# --------------------------------------------------------------------------------------------------------- sandbox
TRY = """
import pathlib, socket, sys
for place in sys.argv[1:]:
    try:
        pathlib.Path(place).write_text("here")
        print("wrote", place)
    except OSError:
        pass
try:
    socket.create_connection(("192.0.2.1", 80), timeout=1)
    print("network")
except OSError:
    pass
pathlib.Path("note").write_text("scratch")
print("scratch works")
"""


@pytest.mark.parametrize("kind", sandbox.KINDS)
def test_a_sandbox_keeps_to_itself(kind, tmp_path):
    if not sandbox.works(kind):
        pytest.skip(f"{kind} does not work here")
    places = [
        tmp_path / "file",
        sandbox.ROOT / "modules" / "file",
        f"{sys.prefix}/file",
        "/usr/file",
        "/proc/sys/kernel/core_pattern",
    ]
    command = sandbox.KINDS[kind]([sys.executable, "-c", TRY, *map(str, places)])
    run = subprocess.run(command, env=sandbox.environment(), capture_output=True, text=True)
    assert run.stdout == "scratch works\n", run.stdout + run.stderr
    assert not any((tmp_path / name).exists() for name in ("file", "note"))
    assert not (sandbox.ROOT / "modules" / "file").exists()
