"""Anti-aliased resampling of a whole picture, equal to `window.sample` to rounding and many times faster.

A cell is made of a few neighbouring pixels, so the matrix that makes all cells of a line is a narrow
band: it is multiplied in blocks of a few cells, each with just the pixels that it needs.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

__all__ = ["shrink"]

# Multiplications of a product that OpenBLAS leaves to one thread; on busy cores more threads take many times longer.
_FEW = 1 << 17
_KEPT = 32  # lines whose blocks are remembered


@dataclass(frozen=True, eq=False)
class _Block:
    """Cells ``first:last`` are `weights` (last - first, stop - start) times pixels ``start:stop``."""

    first: int
    last: int
    start: int
    stop: int
    weights: NDArray[np.float32]


@lru_cache(_KEPT)
def _blocks(length: int, cells: int, pixels: int, lines: int) -> tuple[_Block, ...]:
    """Blocks for `cells` cells over ``0..length`` of `lines` lines of which only the first `pixels` exist.

    A cell's weights are a triangle of half-width ``max(1, cell size)`` pixels round its centre.
    """
    size = length / cells
    reach = max(1.0, size)
    step = next((n for n in (16, 8, 4, 2) if n * (n * size + 2 * reach) * lines <= _FEW), 1)
    blocks = []
    for first in range(0, cells, step):
        last = min(first + step, cells)
        centres = (np.arange(first, last) + 0.5) * size
        low, high = int(np.floor(centres[0] - reach)), int(np.ceil(centres[-1] + reach))
        distance = np.abs(centres[:, None] - (np.arange(low, high) + 0.5)[None])
        weights = np.maximum(0.0, 1.0 - distance / reach)
        weights /= weights.sum(axis=1, keepdims=True)
        start, stop = max(low, 0), min(high, pixels)
        if stop > start:
            inside = np.ascontiguousarray(weights[:, start - low : stop - low], np.float32)
            blocks.append(_Block(first, last, start, stop, inside))
    return tuple(blocks)


def shrink(picture: NDArray[np.generic], side: int) -> NDArray[np.float32]:
    """Bring a picture's longest side to `side` cells, in the top left corner of a square of them.

    Parameters
    ----------
    picture : (H, W) or (H, W, C), any real dtype; beyond it all is zero

    Returns
    -------
    (side, side) or (C, side, side) float32 in the units of `picture`
    """
    planes = picture[None] if picture.ndim == 2 else np.moveaxis(picture, 2, 0)
    small = np.zeros((len(planes), side, side), np.float32)
    longest = max(planes.shape[1:])
    for plane, out in zip(planes, small, strict=True):
        if longest == side:
            out[: plane.shape[0], : plane.shape[1]] = plane
        elif longest == 2 * side and plane.dtype == np.uint8:
            rows = _halved(plane, side)
            np.multiply(_halved(rows.T, side).T, np.float32(1 / 64), out=out)
        else:
            _by_blocks(plane, longest, out)
    return small if picture.ndim == 3 else small[0]


def _by_blocks(plane: NDArray[np.generic], longest: int, out: NDArray[np.float32]) -> None:
    """Write `plane` (H, W) into the zeros `out` (side, side)."""
    (height, width), side = plane.shape, len(out)
    narrow = np.zeros((side, width), np.float32)
    for block in _blocks(longest, side, height, width):
        part = plane[block.start : block.stop].astype(np.float32, order="C", copy=False)
        np.matmul(block.weights, part, out=narrow[block.first : block.last])
    for block in _blocks(longest, side, width, side):
        np.matmul(narrow[:, block.start : block.stop], block.weights.T, out=out[:, block.first : block.last])


def _halved(lines: NDArray[np.generic], cells: int) -> NDArray[np.uint16]:
    """Eight times the cells of two lines each: weights 1, 3, 3 and 1, in whole numbers and so as exact as by blocks.

    Parameters
    ----------
    lines : (2 * cells or fewer, N), whole numbers up to 8 * 255
    """
    even, odd = (lines[n::2].astype(np.uint16) for n in (0, 1))
    sums = np.zeros_like(even, shape=(cells, lines.shape[1]))
    sums[: len(even)] = even
    sums[: len(odd)] += odd
    sums *= 3
    sums[1 : len(odd) + 1] += odd[: cells - 1]
    sums[: max(len(even) - 1, 0)] += even[1:]
    return sums
