"""How sure a ranking is: ranks under resampling of the cases, and which model is better than which beyond chance."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from numpy.typing import NDArray

from ..ranking import Ranking
from ..scoreboard import METRICS
from ..significance import ALL, Comparison
from .style import INK, LINE, WIDTH, Look, Plot, png, quiet

__all__ = ["LEVEL", "blobs", "significance"]

LEVEL = 0.05

_LARGEST = 900.0  # square points of a rank that a model always had
_SHADES = ["#FFFFFF", "#EEEEEE", "#56B4E9"]  # itself, no better, better
_NAMES = {"dsc": "DSC", "nsd": "NSD", "seconds": "Runtime"}


def blobs(ranking: Ranking, look: dict[str, Look]) -> Plot:
    """A column a model, the best first; the area of a disc says how often the model had that place."""
    models, shares, samples = ranking.models, ranking.shares, len(ranking.places)
    count = len(models)
    with quiet():
        figure = Figure(figsize=(min(WIDTH, 2.6 + 0.85 * count), 1.8 + 0.5 * count))
        axes = figure.subplots()
        largest = _LARGEST * min(1.0, 6 / count)
        for place, (model, share) in enumerate(zip(models, shares, strict=True)):
            ranks = np.arange(1, count + 1)
            low, middle, high = _quantiles(share, (0.025, 0.5, 0.975))
            axes.plot([place, place], [low, high], color=INK, lw=1.2, zorder=1)
            seen = share > 0
            axes.scatter(
                np.full(seen.sum(), place), ranks[seen], s=largest * share[seen], color=look[model].colour, zorder=2
            )
            axes.plot(place, middle, marker="x", color=INK, ms=7, mew=1.8, zorder=3)
        axes.set_xticks(range(count), models, rotation=35, ha="right", rotation_mode="anchor")
        axes.set_yticks(range(1, count + 1))
        axes.set_ylim(count + 0.6, 0.4)
        axes.set_xlim(-0.6, count - 0.4)
        axes.grid(True, axis="y", color=LINE)
        axes.grid(False, axis="x")
        axes.set_ylabel("place")
        image = png(figure)
    caption = (
        f"Places in {samples} bootstrap samples of the cases. Area: how often the model had the place; cross: median; "
        "line: 95 % of the samples."
    )
    first = ", ".join(f"{model} {100 * share[0]:.0f} %" for model, share in zip(models, shares, strict=True))
    return Plot("stability", image, "Stability of the ranking", caption, f"How often each model was first: {first}.")


def significance(models: Sequence[str], comparisons: Sequence[Comparison]) -> Plot:
    """A grid a metric: is the model of the row better than that of the column, over the cases of all modalities?

    Parameters
    ----------
    models : the best first
    """
    grids = [_grid(models, [c for c in comparisons if c.modality == ALL and c.metric == metric]) for metric in METRICS]
    side = max(1.7, 0.4 * len(models))
    with quiet():
        figure = Figure(figsize=(min(WIDTH, 1.9 + (side + 0.5) * len(METRICS)), side + 1.7))
        for axes, metric, (better, tested) in zip(figure.subplots(1, len(METRICS)), METRICS, grids, strict=True):
            _draw_grid(axes, models, better, tested)
            axes.set_title(_NAMES[metric])
        for axes in figure.axes[1:]:
            axes.set_yticklabels([])
        figure.supxlabel("than this one", fontsize=9.5)
        figure.supylabel("is this model better", fontsize=9.5)
        image = png(figure)
    cases = max((one.cases for one in comparisons if one.modality == ALL), default=0)
    caption = (
        f"Ticked: the model of the row is better than that of the column in {cases} cases, p < {LEVEL:g} (Wilcoxon's "
        "signed-rank test, two-sided, Holm's correction for all pairs of a metric)."
    )
    pairs = [
        f"{_NAMES[metric]}: {models[row]} over {models[column]}"
        for metric, (better, _) in zip(METRICS, grids, strict=True)
        for row, column in np.argwhere(better)
    ]
    return Plot("significance", image, "Significance", caption, f"Better beyond chance: {'; '.join(pairs) or 'none'}.")


def _grid(models: Sequence[str], comparisons: Sequence[Comparison]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """(M, M), ``[row, column]``: better beyond chance, and tested at all."""
    better, tested = np.zeros((2, len(models), len(models)), bool)
    for one in comparisons:
        row, column = models.index(one.better), models.index(one.other)
        tested[row, column] = tested[column, row] = True
        better[row, column] = one.p_holm < LEVEL
    return better, tested


def _draw_grid(axes: Axes, models: Sequence[str], better: NDArray[np.bool_], tested: NDArray[np.bool_]) -> None:
    count = len(models)
    axes.imshow(better + tested.astype(int), cmap=ListedColormap(_SHADES), vmin=0, vmax=2)
    for row, column in np.argwhere(better):
        axes.text(column, row, "✓", ha="center", va="center", color=INK)
    axes.set_xticks(range(count), models, rotation=90)
    axes.set_yticks(range(count), models)
    axes.set_xticks(np.arange(count + 1) - 0.5, minor=True)
    axes.set_yticks(np.arange(count + 1) - 0.5, minor=True)
    axes.grid(False)
    axes.grid(True, which="minor", axis="both", color="white", lw=2)
    axes.tick_params(which="both", length=0)
    axes.spines[:].set_visible(False)


def _quantiles(share: NDArray[np.float64], levels: Sequence[float]) -> list[int]:
    """Ranks below or at which the given shares of the samples lie."""
    total = np.cumsum(share)
    return [int(np.searchsorted(total, level * total[-1] - 1e-12) + 1) for level in levels]
