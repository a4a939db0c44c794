"""Masks of single slices, each kept as a packed crop, and put together as one crop of the stack."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["MaskCrops"]


@dataclass(frozen=True, eq=False)
class _Crop:
    """What a mask holds: a bit a pixel of ``rows x columns``, from pixel (row, column) on."""

    row: int
    column: int
    shape: tuple[int, int]
    pixels: int
    bits: NDArray[np.uint8]

    @classmethod
    def of(cls, mask: NDArray[np.bool_]) -> _Crop | None:
        rows = np.flatnonzero(mask.any(axis=1))
        if not rows.size:
            return None
        row, stop = int(rows[0]), int(rows[-1]) + 1
        columns = np.flatnonzero(mask[row:stop].any(axis=0))
        part = mask[row:stop, columns[0] : columns[-1] + 1]
        shape = (part.shape[0], part.shape[1])
        return cls(row, int(columns[0]), shape, int(np.count_nonzero(part)), np.packbits(part))

    def mask(self) -> NDArray[np.bool_]:
        bits = np.unpackbits(self.bits, count=self.shape[0] * self.shape[1])
        return bits.view(bool).reshape(self.shape)


class MaskCrops:
    """Masks by slice; a full-size mask is never held, and whole only the crop that `together` makes."""

    def __init__(self) -> None:
        self._crops: dict[int, _Crop | None] = {}

    def put(self, index: int, mask: NDArray[np.bool_]) -> None:
        """Keep the (H, W) bool mask of a slice instead of an earlier one."""
        self._crops[index] = _Crop.of(mask)

    def pixels(self, index: int) -> int:
        """Number of pixels of a slice's mask."""
        crop = self._crops[index]
        return 0 if crop is None else crop.pixels

    def together(self) -> tuple[NDArray[np.bool_], tuple[int, int, int]]:
        """All masks as one (slices, rows, columns) bool array, cut to what they hold, and where it begins.

        Both are of no size and zero when every mask is empty.
        """
        found = {index: crop for index, crop in self._crops.items() if crop is not None}
        if not found:
            return np.zeros((0, 0, 0), bool), (0, 0, 0)
        first, row, column = min(found), min(c.row for c in found.values()), min(c.column for c in found.values())
        rows = max(c.row + c.shape[0] for c in found.values()) - row
        columns = max(c.column + c.shape[1] for c in found.values()) - column
        whole = np.zeros((max(found) - first + 1, rows, columns), bool)
        for index, crop in found.items():
            top, left = crop.row - row, crop.column - column
            whole[index - first, top : top + crop.shape[0], left : left + crop.shape[1]] = crop.mask()
        return whole, (first, row, column)
