"""A picture with sliders: drawn anew when a slider moves, and an ordinary picture on a page where nothing runs."""

import base64
import gc
import io
from collections.abc import Callable
from contextlib import contextmanager
from types import SimpleNamespace

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from PIL import Image

try:
    import ipywidgets as widgets
except ImportError:  # not a dependency: Jupyter belongs to whoever runs it
    widgets = None

# JupyterLab 4.6 with ipykernel 7 moved a slider beside a running cell when we tried; older ones serve one at a time.
BUSY = "Drag, or use the arrow keys. If nothing moves, another cell still computes (<b>[*]</b>): the picture comes after it."


def png(figure: plt.Figure) -> bytes:
    """The figure as a PNG file, in less time than `savefig` takes: that lays the axes out twice and packs small."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    buffer = io.BytesIO()
    Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB").save(buffer, format="png", compress_level=1)
    return buffer.getvalue()


@contextmanager
def no_collection():
    """Leave Python's rubbish until after the picture: with torch loaded, collecting it may take longer than drawing."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


def keep_titles(figure: plt.Figure) -> None:
    """Keep the titles of axes without ticks at their height: matplotlib makes ticks to see whether a title touches them."""
    for ax in figure.axes:
        if not ax.axison:
            ax.set_title(ax.get_title(), y=1, fontproperties=ax.title.get_fontproperties().copy())


class Explorer:
    """Sliders above a picture.

    Args:
        draw: called with one keyword argument for each slider; returns a matplotlib figure.
        sliders: for each argument of `draw` its (first, last, step, start), whole numbers.

    The last line of a cell shows it. `explorer.sliders["name"].value = 3` moves a slider; `explorer.png` is the picture.
    Works with ipywidgets 7 (Colab) and 8. Without ipywidgets it is the picture alone.
    """

    def __init__(self, draw: Callable, **sliders: tuple[int, int, int, int]):
        self.draw = draw
        self.png = b""  # the picture as it stands
        self.places = []  # of its axes
        if widgets is None:
            self.sliders = {name: SimpleNamespace(value=start) for name, (*_, start) in sliders.items()}
        else:
            self.make_widgets(sliders)
        self.update()

    def make_widgets(self, sliders: dict[str, tuple[int, int, int, int]]) -> None:
        self.sliders = {
            name: widgets.IntSlider(
                start, first, last, step, description=name.replace("_", " "), continuous_update=False
            )
            for name, (first, last, step, start) in sliders.items()
        }
        self.image = widgets.Image(format="png", layout=widgets.Layout(width="max-content", max_width="100%"))
        self.box = widgets.VBox([*self.sliders.values(), widgets.HTML(f"<small>{BUSY}</small>"), self.image])
        for slider in self.sliders.values():
            slider.observe(lambda change: self.update(), names="value")

    def update(self) -> None:
        """Draw the picture for the sliders' values."""
        with no_collection():
            self.draw_and_send()

    def draw_and_send(self) -> None:
        figure = self.draw(**{name: slider.value for name, slider in self.sliders.items()})
        plt.close(figure)  # or the notebook would show it a second time
        keep_titles(figure)
        self.keep_layout(figure)
        self.png = png(figure)
        self.places = [ax.get_position(original=True) for ax in figure.axes]
        if widgets is not None:
            self.image.value = self.png

    def keep_layout(self, figure: plt.Figure) -> None:
        """Put the axes where the last picture had them: a third of the time goes into finding their places anew.

        Only for axes without ticks and labels: others may need more room than they did.
        """
        simple = not figure.texts and not any(ax.axison for ax in figure.axes)
        if simple and len(figure.axes) == len(self.places) and figure.get_layout_engine():
            figure.set_layout_engine("none")
            for ax, place in zip(figure.axes, self.places):
                ax.set_position(place)

    def _repr_mimebundle_(self, **kwargs):
        # A page that runs nothing knows no widgets and takes the picture; the text stays the same from run to run.
        bundle = {"text/plain": "Explorer", "image/png": base64.b64encode(self.png).decode()}
        if widgets is not None:  # version 7 writes this entry by itself only where nothing else is shown
            view = {"version_major": 2, "version_minor": 0, "model_id": self.box.model_id}
            bundle["application/vnd.jupyter.widget-view+json"] = view
        return bundle
