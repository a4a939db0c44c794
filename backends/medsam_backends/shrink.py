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
            _halve(plane, out)
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


def _halve(plane: NDArray[np.uint8], out: NDArray[np.float32]) -> None:
    """Write `plane` (H, W), whose longest side is twice that of the zeros `out` (side, side), into these.

    A cell's weights are 1, 3, 3 and 1 eighths each way: in whole numbers, and so as exact as by blocks.
    """
    rows, columns = (min(len(out), -(-length // 2) + 1) for length in plane.shape)  # cells that touch the picture
    picture = plane
    if plane.shape != (2 * rows, 2 * columns):
        picture = np.zeros((2 * rows, 2 * columns), np.uint8)
        picture[: plane.shape[0], : plane.shape[1]] = plane
    pairs = np.ascontiguousarray(picture).view("<u2")
    even, odd = pairs & 255, pairs >> 8
    across = even + odd
    across *= 3
    line = across.reshape(-1)  # one long line is added far faster than many; what came from other rows goes again
    line[1:] += odd.reshape(-1)[:-1]
    line[:-1] += even.reshape(-1)[1:]
    across[1:, 0] -= odd[:-1, -1]
    across[:-1, -1] -= even[1:, 0]
    upper, lower = across[0::2], across[1::2]
    cells = upper + lower
    cells *= 3
    cells[1:] += lower[:-1]
    cells[:-1] += upper[1:]
    out[:rows, :columns] = cells
    out[:rows, :columns] *= np.float32(1 / 64)
