"""Prior masks as they are met: the neighbour slice's or the last try's mask, shifted, swollen, torn or wrong.

All work is done on the window's grid, where it costs little.
"""

from __future__ import annotations

import numpy as np
from medsam_backends.window import Rect, sample
from numpy.typing import NDArray
from scipy import ndimage

from .scene import Plane

__all__ = ["damaged"]

Grid = NDArray[np.float32]


def damaged(rng: np.random.Generator, mask: Plane, rect: Rect, grid: int, *, strength: float) -> Grid:
    """`mask` in the window `rect`, damaged; float32 (grid, grid) in 0..1.

    `strength` 0 leaves it nearly whole, 1 ruins it often.
    """
    prior = sample(mask, _moved(rng, rect, strength), grid)
    if rng.random() < 0.6 * strength:
        prior = _swollen(rng, prior, strength)
    if rng.random() < 0.35 * strength:
        prior = prior * (1 - _blob(rng, grid, prior))
    if rng.random() < 0.35 * strength:
        prior = np.maximum(prior, _blob(rng, grid, None))
    if rng.random() < 0.06 * strength:
        prior = _blob(rng, grid, None)
    if rng.random() < 0.4:
        prior = ndimage.gaussian_filter(prior, rng.uniform(0.4, 2.0), truncate=2.5)
    elif rng.random() < 0.5:
        prior = (prior > 0.5).astype(np.float32)
    return np.clip(prior, 0, 1)


def _moved(rng: np.random.Generator, rect: Rect, strength: float) -> Rect:
    """A window that sees the mask shifted and scaled."""
    x0, y0, x1, y1 = rect
    width, height = x1 - x0, y1 - y0
    shift_x, shift_y = rng.normal(0, 0.05 * strength, 2) * (width, height)
    grow_x, grow_y = np.exp(rng.normal(0, 0.12 * strength, 2)) - 1
    return (
        x0 + shift_x - width * grow_x / 2,
        y0 + shift_y - height * grow_y / 2,
        x1 + shift_x + width * grow_x / 2,
        y1 + shift_y + height * grow_y / 2,
    )


def _swollen(rng: np.random.Generator, prior: Grid, strength: float) -> Grid:
    """Dilated, eroded or roughened: a blurred mask cut at a level other than one half."""
    smooth = ndimage.gaussian_filter(prior, rng.uniform(1, 1 + 4 * strength), truncate=2.5)
    if rng.random() < 0.4:
        coarse = rng.normal(0, 0.18, (9, 9)).astype(np.float32)
        smooth = smooth + ndimage.zoom(coarse, prior.shape[0] / 9, order=1, grid_mode=True, mode="nearest")
    return (smooth > rng.uniform(0.25, 0.75)).astype(np.float32)


def _blob(rng: np.random.Generator, grid: int, around: Grid | None) -> Grid:
    """An ellipse or half-plane of ones, centred on a cell of `around` where that is given."""
    centre = rng.uniform(0.15, 0.85, 2) * grid
    if around is not None:
        cells = np.flatnonzero(around > 0.5)
        if cells.size:
            centre = np.array(divmod(int(rng.choice(cells)), grid), float)
    rows, cols = np.ogrid[:grid, :grid]
    if rng.random() < 0.25:
        angle = rng.uniform(0, 2 * np.pi)
        return ((rows - centre[0]) * np.sin(angle) + (cols - centre[1]) * np.cos(angle) > 0).astype(np.float32)
    radius = rng.uniform(0.06, 0.22, 2) * grid
    return (((rows - centre[0]) / radius[0]) ** 2 + ((cols - centre[1]) / radius[1]) ** 2 < 1).astype(np.float32)
