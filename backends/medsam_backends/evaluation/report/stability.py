"""How sure a ranking is: ranks under resampling of the cases, and which model is better than which beyond chance."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from numpy.typing import NDArray

from .style import INK, LINE, WIDTH, Look, Plot, png, quiet

__all__ = ["blobs", "significance"]

_LARGEST = 900.0  # square points of a rank that a model always had
_BETTER, _NOT = "#56B4E9", "#F4F4F4"


def blobs(models: Sequence[str], shares: NDArray[np.float64], look: dict[str, Look], samples: int) -> Plot:
    """A column a model; the area of a disc says how often the model had that rank.

    Parameters
    ----------
    models : the best first
    shares : (M, M), ``[model, rank - 1]``, rows sum to 1
    samples : number of bootstrap samples
    """
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
        axes.set_ylabel("rank")
        image = png(figure)
    caption = (
        f"Ranks in {samples} bootstrap samples of the cases. Area: how often the model had the rank; cross: median "
        "rank; line: 95 % of the samples."
    )
    first = ", ".join(f"{model} {100 * share[0]:.0f} %" for model, share in zip(models, shares, strict=True))
    return Plot("stability", image, "Stability of the ranking", caption, f"How often each model was first: {first}.")


def significance(models: Sequence[str], better: NDArray[np.bool_], level: float, how: str) -> Plot:
    """A grid: is the model of the row better than that of the column?

    Parameters
    ----------
    models : the best first
    better : (M, M), ``[row, column]``
    level : of significance
    how : the test and its correction, for the caption
    """
    count = len(models)
    with quiet():
        side = min(WIDTH - 2.4, 0.55 * count + 1.2)
        figure = Figure(figsize=(side + 2.2, side + 1.1))
        axes = figure.subplots()
        axes.imshow(better, cmap=ListedColormap([_NOT, _BETTER]), vmin=0, vmax=1)
        for row, column in np.argwhere(better):
            axes.text(column, row, "✓", ha="center", va="center", color=INK)
        axes.set_xticks(range(count), models, rotation=35, ha="right", rotation_mode="anchor")
        axes.set_yticks(range(count), models)
        axes.set_xticks(np.arange(count + 1) - 0.5, minor=True)
        axes.set_yticks(np.arange(count + 1) - 0.5, minor=True)
        axes.grid(False)
        axes.grid(True, which="minor", axis="both", color="white", lw=2)
        axes.tick_params(which="both", length=0)
        axes.spines[:].set_visible(False)
        axes.set_xlabel("than this one")
        axes.set_ylabel("is this model better")
        image = png(figure)
    caption = f"Ticked: the model of the row is better than that of the column at the level {level:g} ({how})."
    pairs = [f"{models[row]} over {models[column]}" for row, column in np.argwhere(better)]
    return Plot("significance", image, "Significance", caption, f"Better beyond chance: {', '.join(pairs) or 'none'}.")


def _quantiles(share: NDArray[np.float64], levels: Sequence[float]) -> list[int]:
    """Ranks below or at which the given shares of the samples lie."""
    total = np.cumsum(share)
    return [int(np.searchsorted(total, level * total[-1] - 1e-12) + 1) for level in levels]
