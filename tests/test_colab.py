"""`make test-colab` goes on where it was stopped, and its table counts what failed. What it runs takes too long for here."""

import pytest

from tools import colab


@pytest.fixture
def ran(tmp_path, monkeypatch):
    """The names of the notebooks that were run; those that hold a 1 fail."""
    names = []

    def imitate(version, paths):
        for path in paths:
            names.append(path.stem)
            yield colab.title(version, path), 2.0, "cell 3 shows an error" if "1" in path.stem else ""

    monkeypatch.setattr(colab, "PASSED", tmp_path / "passed.json")
    monkeypatch.setattr(colab, "commit", lambda: "abc")
    monkeypatch.setattr(colab, "imitate", imitate)
    return names


PLAN = {"3.12": [colab.ROOT / "notebooks" / name for name in ("00.ipynb", "01.ipynb")]}


def test_what_passed_at_this_commit_is_not_run_again(ran, monkeypatch, capsys):
    assert not colab.run_all(PLAN, again=False)
    assert "1 of 2 passed" in capsys.readouterr().out
    assert not colab.run_all(PLAN, again=False)
    assert ran == ["00", "01", "01"]
    assert "1 of 2 passed" in capsys.readouterr().out
    colab.run_all(PLAN, again=True)
    assert ran[3:] == ["00", "01"]
    for other in ("def", "abc-dirty"):
        monkeypatch.setattr(colab, "commit", lambda other=other: other)
        colab.run_all(PLAN, again=False)
        assert ran[-2:] == ["00", "01"]


def test_part_of_the_plan_forgets_nothing(ran):
    assert colab.run_all({"3.12": PLAN["3.12"][:1]}, again=False)
    colab.run_all({"3.12": PLAN["3.12"][1:]}, again=False)
    colab.run_all(PLAN, again=False)
    assert ran == ["00", "01", "01"]
