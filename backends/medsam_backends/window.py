"""The window round a box: what a window decoder sees of a picture, and the way back.

A window is the prompt's box grown by a factor about its centre and stretched to a square grid of
cells, so that small and large objects look alike to the decoder.  Training and inference use these
functions and no others, so that both see the same numbers.

All coordinates are pixel edges, ``(x0, y0, x1, y1)``: pixel ``i`` covers ``[i, i + 1)``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Rect = tuple[float, float, float, float]

__all__ = ["Rect", "covered", "paste", "sample", "window_rect"]

_CALL = 1 << 16
"""Multiplications that take about as long as a call of numpy. Products stay near it, and so too small for numpy's BLAS
to share out among threads, which on a busy machine costs a hundred times what it saves."""


@dataclass(frozen=True, eq=False)
class _Band:
    """Weights (cells, pixels) of a few neighbouring cells; all others beside them are zero."""

    cells: slice
    pixels: slice
    weights: NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class _Line:
    """What makes `cells` cells of a line's pixels ``start:stop``; the bands' pixels count from `start`."""

    cells: int
    start: int
    stop: int
    bands: tuple[_Band, ...]

    def sums(self) -> NDArray[np.float32]:
        """The sum of each cell's weights, (cells,)."""
        out = np.zeros(self.cells, np.float32)
        for band in self.bands:
            out[band.cells] = band.weights.sum(axis=1)
        return out


def window_rect(box: Rect, scale: float) -> Rect:
    """Grow `box` by the factor `scale` about its centre; not clipped to the picture."""
    x0, y0, x1, y1 = box
    grow_x, grow_y = (x1 - x0) * (scale - 1) / 2, (y1 - y0) * (scale - 1) / 2
    return x0 - grow_x, y0 - grow_y, x1 + grow_x, y1 + grow_y


@lru_cache(maxsize=64)  # a box is looked at on many slices
def _line(low: float, high: float, cells: int, length: int, lines: int, keep_outside: bool = True) -> _Line:
    """Weights of a line's pixels ``0..length`` for `cells` cells of [low, high), for `lines` lines at once.

    A triangle of half-width ``max(1, cell size)`` pixels round each cell's centre: bilinear
    interpolation where cells are smaller than pixels, an anti-aliased mean where they are larger.
    A cell's weights sum to one over an endless line; pixels beyond ``0..length`` count as zero when
    `keep_outside`, else the sum is one over the pixels that exist.
    """
    size = (high - low) / cells
    reach = max(1.0, size)
    start, stop = max(0, int(np.floor(low - reach))), min(length, int(np.ceil(high + reach)))
    if stop <= start:
        return _Line(cells, 0, 0, ())
    centres = low + (np.arange(cells) + 0.5) * size
    pixels = np.floor(centres - reach).astype(int)[:, None] + np.arange(int(np.ceil(2 * reach)) + 1)
    weights = np.maximum(0.0, 1.0 - np.abs(centres[:, None] - 0.5 - pixels) / reach)
    there = weights * ((pixels >= start) & (pixels < stop))
    share = (there / (weights if keep_outside else there).sum(axis=1, keepdims=True)).astype(np.float32)
    step = min(cells, max(1, round((_CALL / (size * lines)) ** 0.5)))
    parts = [slice(first, min(first + step, cells)) for first in range(0, cells, step)]
    bands = (_band(part, pixels[part] - start, share[part], stop - start) for part in parts)
    return _Line(cells, start, stop, tuple(bands))


def _band(cells: slice, pixels: NDArray[np.int64], share: NDArray[np.float32], length: int) -> _Band:
    """Cells, each the sum of its `pixels` weighed by its `share`, of which those beyond ``0..length`` are left out."""
    begin, end = int(pixels[0, 0]), int(pixels[-1, -1]) + 1
    weights = np.zeros((len(share), end - begin), np.float32)
    weights[np.arange(len(share))[:, None], pixels - begin] = share
    held = slice(max(begin, 0), max(begin, 0, min(end, length)))
    return _Band(cells, held, np.ascontiguousarray(weights[:, held.start - begin : held.stop - begin]))


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
    planes = picture if picture.ndim == 2 else np.moveaxis(picture, 2, 0)
    height, width = planes.shape[-2:]
    count = planes.size // (height * width)
    rows = _line(rect[1], rect[3], grid, height, width)
    cols = _line(rect[0], rect[2], grid, width, count * grid)
    return _resampled(planes, rows, cols)


def covered(rect: Rect, shape: tuple[int, int], grid: int) -> NDArray[np.float32]:
    """How much of each cell lies on a picture of `shape` (H, W): what `sample` makes of ones, (grid, grid) float32."""
    column = _line(rect[1], rect[3], grid, shape[0], grid).sums()
    return column[:, None] * _line(rect[0], rect[2], grid, shape[1], grid).sums()


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
    (left, right), (top, bottom) = ((x - rect[0]) * to_x for x in (x0, x1)), ((y - rect[1]) * to_y for y in (y0, y1))
    rows = _line(top, bottom, y1 - y0, grid_y, grid_x, keep_outside=False)
    cols = _line(left, right, x1 - x0, grid_x, y1 - y0, keep_outside=False)
    out[y0:y1, x0:x1] = _resampled(values, rows, cols)
    return out


def _resampled(planes: NDArray[np.generic], rows: _Line, cols: _Line) -> NDArray[np.float32]:
    """`planes` (..., H, W) to (..., rows.cells, cols.cells)."""
    part = np.ascontiguousarray(planes[..., rows.start : rows.stop, cols.start : cols.stop], np.float32)
    low = np.zeros((*part.shape[:-2], rows.cells, part.shape[-1]), np.float32)
    for band in rows.bands:
        np.matmul(band.weights, part[..., band.pixels, :], out=low[..., band.cells, :])
    flat = low.reshape(math.prod(low.shape[:-1]), part.shape[-1])
    small = np.zeros((len(flat), cols.cells), np.float32)
    for band in cols.bands:
        np.matmul(flat[:, band.pixels], band.weights.T, out=small[:, band.cells])
    return small.reshape(*low.shape[:-1], cols.cells)
