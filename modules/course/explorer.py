"""A picture with sliders: drawn anew when a slider moves, and an ordinary picture on a page where nothing runs."""

import base64
import io
from collections.abc import Callable

import ipywidgets as widgets
import matplotlib.pyplot as plt


class Explorer:
    """Sliders above a picture.

    Args:
        draw: called with one keyword argument for each slider; returns a matplotlib figure.
        sliders: for each argument of `draw` its (first, last, step, start), whole numbers.

    The last line of a cell shows it. `explorer.sliders["name"].value = 3` moves a slider; `explorer.png` is the picture.
    """

    def __init__(self, draw: Callable, **sliders: tuple[int, int, int, int]):
        self.draw = draw
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
        self.update()

    @property
    def png(self) -> bytes:
        """The picture as it stands."""
        return bytes(self.image.value)

    def update(self) -> None:
        """Draw the picture for the sliders' values."""
        figure = self.draw(**{name: slider.value for name, slider in self.sliders.items()})
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png")
        plt.close(figure)  # or the notebook would show it a second time
        self.image.value = buffer.getvalue()

    def _repr_mimebundle_(self, **kwargs):
        view = self.box._repr_mimebundle_(**kwargs)
        # A page that runs nothing knows no widgets and takes the picture; the text stays the same from run to run.
        return view | {"text/plain": "Explorer", "image/png": base64.b64encode(self.png).decode()}
