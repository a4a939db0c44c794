"""Clicks in a cube: what a fusion network is shown of them.  Training and inference use this function and no other."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

__all__ = ["CLICK_SIGMA", "Click", "paint_clicks"]

CLICK_SIGMA = 1.5  # cells

Click = tuple[float, float, float, bool]
"""Slice, row and column in cells (of a cell's centre), and whether the click says "object"."""


def paint_clicks(clicks: Iterable[Click], grid: int) -> NDArray[np.float32]:
    """Positive and negative cube, float32 (2, grid, grid, grid): a gaussian with peak 1 at each click."""
    cubes = np.zeros((2, grid, grid, grid), np.float32)
    cells = np.arange(grid)
    for *place, positive in clicks:
        z, y, x = (np.exp(-((cells - at) ** 2) / (2 * CLICK_SIGMA**2)) for at in place)
        cube = cubes[0 if positive else 1]
        np.maximum(cube, z[:, None, None] * y[:, None] * x, out=cube)
    return cubes
