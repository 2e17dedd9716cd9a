"""modules/course/explorer.py, without a browser."""

import base64
import gc
import io

import matplotlib.pyplot as plt
import numpy as np
import pytest
from PIL import Image

from modules.course import explorer as explorer_file
from modules.course.explorer import Explorer, png


def draw(height, number_of_bars):
    fig, ax = plt.subplots(figsize=(2, 2))
    ax.bar(range(number_of_bars), height)
    return fig


def test_a_slider_changes_the_picture():
    open_before = plt.get_fignums()  # by other tests of this process
    explorer = Explorer(draw, height=(1, 9, 2, 3), number_of_bars=(1, 5, 1, 2))
    first = explorer.png
    explorer.sliders["number_of_bars"].value = 4
    second = explorer.png
    explorer.sliders["number_of_bars"].value = 2
    assert first.startswith(b"\x89PNG") and first != second and explorer.png == first
    assert plt.get_fignums() == open_before


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


def test_the_picture_is_the_one_that_savefig_gives():
    figure = draw(height=3, number_of_bars=2)
    saved = io.BytesIO()
    figure.savefig(saved, format="png")
    plt.close(figure)
    ours, theirs = (np.asarray(Image.open(file).convert("RGB")) for file in (io.BytesIO(png(figure)), saved))
    assert ours.shape == theirs.shape and (ours == theirs).all()


def test_a_line_says_why_nothing_moves():
    explorer = Explorer(draw, height=(1, 9, 2, 3), number_of_bars=(1, 5, 1, 2))
    *sliders, line, image = explorer.box.children
    assert sliders == list(explorer.sliders.values()) and image is explorer.image
    assert "another cell still computes" in line.value and "arrow keys" in line.value


def test_collecting_goes_on_after_a_picture_that_fails():
    def fails(height):
        assert not gc.isenabled()
        raise ValueError

    with pytest.raises(ValueError):
        Explorer(fails, height=(1, 9, 2, 3))
    assert gc.isenabled()


def squares(side):
    fig, axes = plt.subplots(1, 3, figsize=(6, 2), layout="constrained")
    for ax in axes:
        ax.imshow(np.eye(side))
        ax.set_title("a title", fontsize=9)
        ax.axis("off")
    return fig


def test_titles_stand_where_matplotlib_puts_them():
    assert Explorer(squares, side=(2, 9, 1, 3)).png == png(squares(3))


def test_axes_without_ticks_keep_their_places():
    explorer = Explorer(squares, side=(2, 9, 1, 3))
    explorer.sliders["side"].value = 8
    kept, explorer.places = explorer.png, []
    explorer.update()
    assert kept == explorer.png
