"""Lessons become files: a class that grows from cell to cell is one class, and its text is the cells' text."""

import pytest

from tools.fold import Problem, files

BEGIN = '''#| export
class Net(Base):
    """A net."""

    width = 3

    # why it begins so
    def __init__(self):
        super().__init__()

    @property
    def size(self):
        return 1

    @size.setter
    def size(self, value):
        self.width = value'''


def things(*sources):
    """The text of things.py, without its first line."""
    return files("07_things.ipynb", ["#| default_exp things", *sources])["things.py"].split("\n", 1)[1]


def run(text):
    """What a file defines."""
    made = {}
    exec("class Base:\n    def __init__(self):\n        self.born = True\n\n" + text, made)
    return made


def test_cells_go_to_their_files_in_order():
    made = files(
        "07_things.ipynb",
        ["", "#| default_exp things", "#| export\nx = 1", "#| export more\ny = 2", "z = 3", "#| export\nw = 4"],
    )
    header = "# Written by notebooks/07_things.ipynb. Edit the lesson, then run `make modules`.\n"
    assert made == {"things.py": header + "x = 1\n\nw = 4\n", "more.py": header + "y = 2\n"}


def test_a_part_adds_methods():
    part = "#| export\nclass Net(Net):\n    # why\n    @staticmethod\n    def twice(x):\n        return 2 * x\n\n    def add(self):\n        return self.width\n    # the end"
    text = things(BEGIN, "#| export\ndef other():\n    pass", part)
    assert text.count("class Net") == 1 and "class Net(Net)" not in text
    assert "    # why\n    @staticmethod\n    def twice(x):\n        return 2 * x\n\n    def add(self):" in text
    assert text.index("def twice") < text.index("# the end") < text.index("def other"), "a class stays in its place"
    net = run(text)["Net"]()
    assert (net.twice(2), net.add(), net.born) == (4, 3, True)


def test_a_part_replaces_a_method_where_it_stood():
    part = "#| export\nclass Net(Net):\n    # why now so\n    def __init__(self):\n        self.new = True"
    text = things(BEGIN, part)
    assert "# why it begins so" not in text and text.count("__init__") == 1
    assert text.index("# why now so") < text.index("def size")
    assert run(text)["Net"]().new


def test_a_property_is_replaced_with_its_setter():
    text = things(BEGIN, "#| export\nclass Net(Net):\n    @property\n    def size(self):\n        return 2")
    assert "setter" not in text and run(text)["Net"]().size == 2


@pytest.mark.parametrize("source", [BEGIN, BEGIN + "\n\n\nx = [\n    1,\n]\n\n\ndef f():\n    return x"])
def test_text_stays_line_by_line(source):
    assert things(source) == source.split("\n", 1)[1] + "\n"


@pytest.mark.parametrize(
    ("part", "message"),
    [
        ("class Other(Other):\n    def f(self): ...", "goes on with a class that no exported cell before it begins"),
        ("class Net(Net):\n    def f(self): ...\n    def f(self): ...", "Net.f is written twice"),
        ("x = 1\n\n\nclass Net(Net):\n    def f(self): ...", "mixes `class Net.Net.:` with other lines"),
        ("# a note\nclass Net(Net):\n    def f(self): ...", "mixes `class Net.Net.:` with other lines"),
        ("class Net(Net):\n    def f(self): ...\n\n\nx = 1", "mixes `class Net.Net.:` with other lines"),
        ("@mark\nclass Net(Net):\n    def f(self): ...", "mixes `class Net.Net.:` with other lines"),
        ("class Net(Net):\n    depth = 3", "holds methods only; move `depth = 3` to its first part"),
        ("class Net(Base):\n    def f(self): ...", "class Net begins twice; to go on write `class Net.Net.:`"),
        ("class Net(Net):\n    def f(self):\n        super().__init__()", "give the earlier method a name of its own"),
        ("def f(:", "line 1 is not plain Python"),
        ("%time f()", "line 1 is not plain Python"),
    ],
)
def test_what_cannot_be_folded_is_named_with_its_cell(part, message):
    with pytest.raises(Problem, match=f"07_things.ipynb, cell 2.*{message}"):
        things(BEGIN, f"#| export\n{part}")


def test_a_child_stands_below_the_last_part_of_its_parent():
    part = "#| export\nclass Net(Net):\n    def f(self): ..."
    with pytest.raises(Problem, match="cell 3: Child was made from Net before this part; move Child below it"):
        things(BEGIN, "#| export\nclass Child(Net):\n    pass", part)
    assert "class Child(Net)" in things(BEGIN, part, "#| export\nclass Child(Net):\n    pass")


def test_a_file_needs_a_name():
    with pytest.raises(Problem, match="no `#| default_exp name` cell"):
        files("07_things.ipynb", ["#| export\nx = 1"])
