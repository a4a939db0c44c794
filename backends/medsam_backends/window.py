"""The window round a box: what a window decoder sees of a picture, and the way back.

A window is the prompt's box grown by a factor about its centre and stretched to a square grid of
cells, so that small and large objects look alike to the decoder.  Training and inference use these
functions and no others, so that both see the same numbers.

All coordinates are pixel edges, ``(x0, y0, x1, y1)``: pixel ``i`` covers ``[i, i + 1)``.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Rect = tuple[float, float, float, float]

__all__ = ["Rect", "box_in_window", "paste", "sample", "window_rect"]

_BAND = 8
"""Cells taken together: such a product is too small for numpy's BLAS to share out among threads, which
on a busy machine costs a hundred times what it saves; and most weights beside the band are zero."""


@dataclass(frozen=True, eq=False)
class _Band:
    """Weights (cells, pixels) of a few neighbouring cells."""

    cells: slice
    pixels: slice
    weights: NDArray[np.float32]


def window_rect(box: Rect, scale: float) -> Rect:
    """Grow `box` by the factor `scale` about its centre; not clipped to the picture."""
    x0, y0, x1, y1 = box
    grow_x, grow_y = (x1 - x0) * (scale - 1) / 2, (y1 - y0) * (scale - 1) / 2
    return x0 - grow_x, y0 - grow_y, x1 + grow_x, y1 + grow_y


def box_in_window(box: Rect, rect: Rect) -> NDArray[np.float32]:
    """Edges of `box` as fractions of the window `rect`, float32 (4,)."""
    x0, y0, x1, y1 = rect
    origin, size = np.array([x0, y0, x0, y0]), np.array([x1 - x0, y1 - y0] * 2)
    return np.asarray((np.asarray(box) - origin) / size, np.float32)


@lru_cache(maxsize=64)  # one window is sampled several times: picture, prior, what is valid
def _weights(low: float, high: float, cells: int, length: int, keep_outside: bool) -> tuple[list[_Band], int, int]:
    """Weights, in bands, of source pixels ``start:stop`` for `cells` cells of [low, high).

    A triangle of half-width ``max(1, cell size)`` pixels round each cell's centre: bilinear
    interpolation where cells are smaller than pixels, an anti-aliased mean where they are larger.
    Rows sum to one over an endless source; pixels beyond ``0..length`` count as zero when
    `keep_outside`, else the row is renormalised over the pixels that exist.
    """
    size = (high - low) / cells
    reach = max(1.0, size)
    first, last = int(np.floor(low - reach)), int(np.ceil(high + reach))
    centres = low + (np.arange(cells) + 0.5) * size
    pixels = np.arange(first, last + 1) + 0.5
    weights = np.maximum(0.0, 1.0 - np.abs(centres[:, None] - pixels[None]) / reach)
    start, stop = max(first, 0), min(last + 1, length)
    if stop <= start:
        return _bands(np.zeros((cells, 0), np.float32)), 0, 0
    inside = weights[:, start - first : stop - first]
    total = weights.sum(1) if keep_outside else inside.sum(1)
    nothing = total <= 0
    if nothing.any():  # cells wholly beyond the source take its nearest pixel
        nearest = np.clip(np.floor(centres).astype(int), start, stop - 1) - start
        inside = inside.copy()
        inside[np.flatnonzero(nothing), nearest[nothing]] = 1.0
        total = np.where(nothing, 1.0, total)
    return _bands((inside / total[:, None]).astype(np.float32)), start, stop


def sample(picture: NDArray[np.generic], rect: Rect, grid: int) -> NDArray[np.float32]:
    """Resample the part of `picture` under `rect` to a square grid.

    Parameters
    ----------
    picture : (H, W) or (H, W, C) array, any real or boolean dtype
    rect : pixel edges of the window; may reach beyond the picture, which counts as zero there
    grid : cells a side

    Returns
    -------
    (grid, grid) or (C, grid, grid) float32 array in the units of `picture`
    """
    height, width = picture.shape[:2]
    cols, x_start, x_stop = _weights(rect[0], rect[2], grid, width, keep_outside=True)
    rows, y_start, y_stop = _weights(rect[1], rect[3], grid, height, keep_outside=True)
    part = picture[y_start:y_stop, x_start:x_stop].astype(np.float32)
    if part.ndim == 3:
        part = np.ascontiguousarray(np.moveaxis(part, 2, 0))
    return _resampled(part, rows, cols)


def paste(values: NDArray[np.float32], rect: Rect, shape: tuple[int, int], outside: float) -> NDArray[np.float32]:
    """Bring a window's `values` back to a picture of `shape`.

    Parameters
    ----------
    values : (G, G) float32, say logits
    rect : the window's pixel edges
    shape : (H, W) of the picture
    outside : the value of pixels whose centre is not under the window

    Returns
    -------
    (H, W) float32
    """
    height, width = shape
    grid_y, grid_x = values.shape
    x0, y0 = max(0, int(np.ceil(rect[0] - 0.5))), max(0, int(np.ceil(rect[1] - 0.5)))
    x1, y1 = min(width, int(np.floor(rect[2] - 0.5)) + 1), min(height, int(np.floor(rect[3] - 0.5)) + 1)
    out = np.full(shape, outside, np.float32)
    if x1 <= x0 or y1 <= y0:
        return out
    to_x, to_y = grid_x / (rect[2] - rect[0]), grid_y / (rect[3] - rect[1])
    cols, c0, c1 = _weights((x0 - rect[0]) * to_x, (x1 - rect[0]) * to_x, x1 - x0, grid_x, keep_outside=False)
    rows, r0, r1 = _weights((y0 - rect[1]) * to_y, (y1 - rect[1]) * to_y, y1 - y0, grid_y, keep_outside=False)
    out[y0:y1, x0:x1] = _resampled(values[r0:r1, c0:c1], rows, cols)
    return out


def _resampled(part: NDArray[np.float32], rows: list[_Band], cols: list[_Band]) -> NDArray[np.float32]:
    """``rows @ part @ cols.T`` for weights in bands; `part` is (..., H, W)."""
    wide = np.empty((*part.shape[:-1], cols[-1].cells.stop), np.float32)
    for band in cols:
        np.matmul(part[..., band.pixels], band.weights.T, out=wide[..., band.cells])
    out = np.empty((*part.shape[:-2], rows[-1].cells.stop, wide.shape[-1]), np.float32)
    for band in rows:
        np.matmul(band.weights, wide[..., band.pixels, :], out=out[..., band.cells, :])
    return out


def _bands(weights: NDArray[np.float32]) -> list[_Band]:
    """Groups of cells, each with the source pixels in which it has weights that are not zero."""
    bands = []
    for first in range(0, len(weights), _BAND):
        cells = slice(first, min(first + _BAND, len(weights)))
        held = np.flatnonzero(weights[cells].any(axis=0))
        pixels = slice(held[0], held[-1] + 1) if held.size else slice(0, 0)
        bands.append(_Band(cells, pixels, np.ascontiguousarray(weights[cells, pixels])))
    return bands
