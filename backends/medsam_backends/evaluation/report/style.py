"""The look of the plots: a colour and a marker a model that people with any colour vision tell apart, and sizes."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

__all__ = ["INK", "LINE", "WIDTH", "Look", "Plot", "logarithmic", "looks", "png", "quiet"]

INK, LINE = "#222222", "#d9d9d9"
WIDTH = 10.0  # inches
_DPI = 110
_COLOURS = ("#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9", "#999933", "#555555")
"""After Okabe and Ito (2008), their yellow darkened and black lightened to be seen on white and on black."""
_MARKERS = ("o", "s", "^", "D", "v", "P", "X")
_RC: dict[Any, Any] = {
    "font.size": 9.5,
    "axes.titlesize": 10,
    "axes.edgecolor": "#888888",
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.grid.axis": "x",
    "axes.axisbelow": True,
    "grid.color": LINE,
    "grid.linewidth": 0.7,
    "text.color": INK,
    "axes.labelcolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "text.parse_math": False,  # a dollar in a case's name is a dollar
    "figure.constrained_layout.use": True,
}


@dataclass(frozen=True)
class Look:
    """How a model is drawn, the same in every plot."""

    colour: str
    marker: str


@dataclass(frozen=True)
class Plot:
    """A picture for the page.

    Attributes
    ----------
    name : of its file, without ending
    image : PNG
    caption : what it shows, for everyone
    alt : what it says, for those who cannot see it
    """

    name: str
    image: bytes
    title: str
    caption: str
    alt: str


def looks(models: Sequence[str]) -> dict[str, Look]:
    """A look for each model; eight colours, then the same ones with another marker."""
    return {
        model: Look(_COLOURS[n % len(_COLOURS)], _MARKERS[(n + n // len(_COLOURS)) % len(_MARKERS)])
        for n, model in enumerate(models)
    }


@contextmanager
def quiet() -> Iterator[None]:
    """The plots' settings, for the time of a block; a caller's own settings come back after it."""
    with matplotlib.rc_context(_RC):
        yield


def logarithmic(axes: Axes, values: Sequence[float], margin: float = 1.3) -> None:
    """A logarithmic axis that holds positive `values`, at least a decade long, with plain numbers.

    Parameters
    ----------
    margin : factor of the space before the first and behind the last value
    """
    low, high = min(values) / margin, max(values) * margin
    stretch = max(1.0, (10 * low / high) ** 0.5)
    low, high = low / stretch, high * stretch
    axes.set_xlim(low, high)
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(numticks=4) if high / low > 200 else LogLocator(subs=(1.0, 2.0, 5.0)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_locator(NullLocator())


def png(figure: Figure) -> bytes:
    """The figure as a file."""
    stream = io.BytesIO()
    figure.savefig(stream, format="png", dpi=_DPI, facecolor="white", metadata={"Software": None})
    return stream.getvalue()
