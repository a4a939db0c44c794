"""Corrective clicks: where a person, seeing a wrong mask, would click."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

__all__ = ["CLICK_SIGMA", "corrective", "paint"]

CLICK_SIGMA = 1.5  # cells
_SMALLEST_ERROR = 6  # cells

Click = tuple[float, float, bool]
"""Row and column in cells (of the cell's centre), and whether the click says "object"."""


def corrective(
    rng: np.random.Generator, target: NDArray[np.float32], shown: NDArray[np.float32] | None, count: int
) -> list[Click]:
    """Up to `count` clicks that set the `shown` mask right; (G, G) grids in 0..1.

    Without a shown mask: the first click inside the object, the further ones on either side.
    """
    truth = target > 0.5
    if shown is None:
        places = [truth] + [truth if rng.random() < 0.5 else ~truth for _ in range(count - 1)]
        clicks = [_random_cell(rng, place, bool(place is truth)) for place in places]
        return [click for click in clicks if click is not None]
    wrong = truth != (shown > 0.5)
    parts, found = ndimage.label(wrong)
    if not found:
        return []
    sizes = np.bincount(parts.ravel())[1:]
    largest = [int(i) + 1 for i in np.argsort(sizes)[::-1][:count] if sizes[i] >= _SMALLEST_ERROR]
    return [_inner_cell(rng, parts == part, truth) for part in largest]


def paint(clicks: list[Click], grid: int) -> NDArray[np.float32]:
    """Positive and negative plane, float32 (2, grid, grid): a gaussian with peak 1 at each click."""
    planes = np.zeros((2, grid, grid), np.float32)
    cells = np.arange(grid)
    for row, col, positive in clicks:
        along_rows = np.exp(-((cells - row) ** 2) / (2 * CLICK_SIGMA**2))
        along_cols = np.exp(-((cells - col) ** 2) / (2 * CLICK_SIGMA**2))
        plane = planes[0 if positive else 1]
        np.maximum(plane, np.outer(along_rows, along_cols), out=plane)
    return planes


def _random_cell(rng: np.random.Generator, place: NDArray[np.bool_], positive: bool) -> Click | None:
    cells = np.flatnonzero(place)
    if not cells.size:
        return None
    row, col = divmod(int(rng.choice(cells)), place.shape[1])
    return float(row), float(col), positive


def _inner_cell(rng: np.random.Generator, part: NDArray[np.bool_], truth: NDArray[np.bool_]) -> Click:
    """A cell well inside `part`: the deeper half of it at random."""
    depth = ndimage.distance_transform_edt(np.pad(part, 1))[1:-1, 1:-1]
    cells = np.flatnonzero(depth >= 0.6 * depth.max())
    row, col = divmod(int(rng.choice(cells)), part.shape[1])
    return float(row), float(col), bool(truth[row, col])
