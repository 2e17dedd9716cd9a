"""A picture with sliders: drawn anew when a slider moves, and an ordinary picture on a page where nothing runs."""

import base64
import io
from collections.abc import Callable
from types import SimpleNamespace

import matplotlib.pyplot as plt

try:
    import ipywidgets as widgets
except ImportError:  # not a dependency: Jupyter belongs to whoever runs it
    widgets = None


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
        self.box = widgets.VBox([*self.sliders.values(), self.image])
        for slider in self.sliders.values():
            slider.observe(lambda change: self.update(), names="value")

    def update(self) -> None:
        """Draw the picture for the sliders' values."""
        figure = self.draw(**{name: slider.value for name, slider in self.sliders.items()})
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png")
        plt.close(figure)  # or the notebook would show it a second time
        self.png = buffer.getvalue()
        if widgets is not None:
            self.image.value = self.png

    def _repr_mimebundle_(self, **kwargs):
        # A page that runs nothing knows no widgets and takes the picture; the text stays the same from run to run.
        bundle = {"text/plain": "Explorer", "image/png": base64.b64encode(self.png).decode()}
        if widgets is not None:  # version 7 writes this entry by itself only where nothing else is shown
            view = {"version_major": 2, "version_minor": 0, "model_id": self.box.model_id}
            bundle["application/vnd.jupyter.widget-view+json"] = view
        return bundle
