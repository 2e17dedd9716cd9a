"""modules/course/explorer.py, without a browser."""

import base64

import matplotlib.pyplot as plt

from modules.course import explorer as explorer_file
from modules.course.explorer import Explorer


def draw(height, number_of_bars):
    fig, ax = plt.subplots(figsize=(2, 2))
    ax.bar(range(number_of_bars), height)
    return fig


def test_a_slider_changes_the_picture():
    explorer = Explorer(draw, height=(1, 9, 2, 3), number_of_bars=(1, 5, 1, 2))
    first = explorer.png
    explorer.sliders["number_of_bars"].value = 4
    second = explorer.png
    explorer.sliders["number_of_bars"].value = 2
    assert first.startswith(b"\x89PNG") and first != second and explorer.png == first
    assert plt.get_fignums() == []


def test_sliders_are_as_asked_for():
    slider = Explorer(draw, height=(1, 9, 2, 3), number_of_bars=(1, 5, 1, 2)).sliders["height"]
    assert (slider.min, slider.max, slider.step, slider.value) == (1, 9, 2, 3)
    assert (
        Explorer(draw, height=(1, 9, 2, 3), number_of_bars=(1, 5, 1, 2)).sliders["number_of_bars"].description
        == "number of bars"
    )


def test_it_is_a_widget_and_on_a_page_that_runs_nothing_a_picture():
    explorer = Explorer(draw, height=(1, 9, 2, 3), number_of_bars=(1, 5, 1, 2))
    bundle = explorer._repr_mimebundle_()
    assert bundle["application/vnd.jupyter.widget-view+json"]["model_id"] == explorer.box.model_id
    assert base64.b64decode(bundle["image/png"]) == explorer.png
    assert bundle["text/plain"] == "Explorer"


def test_without_ipywidgets_it_is_a_picture(monkeypatch):
    monkeypatch.setattr(explorer_file, "widgets", None)
    explorer = Explorer(draw, height=(1, 9, 2, 3), number_of_bars=(1, 5, 1, 2))
    assert set(explorer._repr_mimebundle_()) == {"text/plain", "image/png"}
    first = explorer.png
    explorer.sliders["height"].value = 5
    explorer.update()
    assert explorer.png != first
