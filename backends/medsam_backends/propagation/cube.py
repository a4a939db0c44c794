"""The cube round a 3-D box: what a fusion network sees of a volume, and the way back to its slices.

A cube is the box grown by a factor about its centre and stretched to equally many cells along each axis, so that small
and large objects look alike.  Training and inference use these functions and no others.

Axes are (slices, rows, columns) of the stack, coordinates are voxel edges: voxel ``i`` covers ``[i, i + 1)``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..types import Prompt
from ..window import Rect, covered, paste, sample, window_rect
from .base import Request
from .click_cubes import paint_clicks
from .region import LIMIT, Region

__all__ = ["Cube"]

Plane = NDArray[np.float32]
Range = tuple[float, float]


@dataclass(frozen=True)
class Cube:
    """``grid`` cells a side over ``slices`` (low, high) and ``rect`` of a stack of `shape` (S, H, W)."""

    slices: Range
    rect: Rect
    grid: int
    shape: tuple[int, int, int]

    @classmethod
    def of(cls, request: Request, shape: tuple[int, int, int], grid: int, scale: float) -> Cube:
        """Round the box of `request`, `scale` times its size."""
        beyond = (request.last + 1 - request.first) * (scale - 1) / 2
        return cls((request.first - beyond, request.last + 1 + beyond), window_rect(request.box, scale), grid, shape)

    @property
    def voxels_per_cell(self) -> tuple[float, float, float]:
        """Along the slices, rows and columns."""
        x0, y0, x1, y1 = self.rect
        return ((self.slices[1] - self.slices[0]) / self.grid, (y1 - y0) / self.grid, (x1 - x0) / self.grid)

    def picture(self, plane: Callable[[int], NDArray[np.uint8]]) -> NDArray[np.float32]:
        """Slices (H, W) on the cells, (G, G, G) float32 in 0..255; zero beyond the volume.

        `plane` is asked for each slice once. Where cells are larger than slices, the slice at a cell's centre stands
        for it: reading all of them would cost more than the network.
        """
        return self._stacked(lambda index: sample(plane(index), self.rect, self.grid), range(self.shape[0]), 0.0)

    def valid(self) -> NDArray[np.float32]:
        """How much of each cell lies in the volume, (G, G, G) float32."""
        plane = covered(self.rect, self.shape[1:], self.grid)
        return self._stacked(lambda _: plane, range(self.shape[0]), 0.0)

    def logits(self, plane: Callable[[int], Plane], region: Region, slices: range) -> NDArray[np.float32]:
        """Logits of `region` on `slices` on the cells, (G, G, G) float32 in ±LIMIT; -LIMIT beyond either."""
        rect = self._rect_on(region)

        def sampled(index: int) -> Plane:
            return sample(np.clip(plane(index), -LIMIT, LIMIT) + LIMIT, rect, self.grid) - LIMIT

        return self._stacked(sampled, slices, -LIMIT)

    def clicks(self, keys: Mapping[int, Prompt]) -> NDArray[np.float32]:
        """The clicks among the user's prompts on single slices, (2, G, G, G) float32, see `paint_clicks`."""
        said = [(index, point) for index, prompt in keys.items() for point in prompt.points]
        return paint_clicks([(*self._cell(n + 0.5, p.y, p.x), p.positive) for n, p in said], self.grid)

    def plane(self, values: NDArray[np.float32], region: Region, index: int) -> Plane:
        """Values of cells (G, G, G) on `region` of slice `index`, linear between cells.

        Zero beyond the cube's rows and columns; beyond its slices the outermost cells hold.
        """
        low, size = self.slices[0], self.voxels_per_cell[0]
        at = min(max((index + 0.5 - low) / size - 0.5, 0.0), self.grid - 1.0)
        below = min(int(at), self.grid - 2)
        between = (1 - (at - below)) * values[below] + (at - below) * values[below + 1]
        shape = (region.y1 - region.y0, region.x1 - region.x0)
        return paste(between.astype(np.float32), self._rect_on(region), shape, 0.0)

    def _cell(self, *place: float) -> tuple[float, float, float]:
        """A place (slice, row, column) of the stack in cells, counted from the centre of the first."""
        low = (self.slices[0], self.rect[1], self.rect[0])
        z, y, x = ((at - start) / size - 0.5 for at, start, size in zip(place, low, self.voxels_per_cell, strict=True))
        return z, y, x

    def _rect_on(self, region: Region) -> Rect:
        x0, y0, x1, y1 = self.rect
        return x0 - region.x0, y0 - region.y0, x1 - region.x0, y1 - region.y0

    def _stacked(self, plane: Callable[[int], Plane], there: range, outside: float) -> NDArray[np.float32]:
        """Planes (G, G) of slices on the cells along the stack; `outside` for slices that are not `there`."""
        planes: dict[int, Plane] = {}
        out = np.empty((self.grid, self.grid, self.grid), np.float32)
        beyond = np.full((self.grid, self.grid), outside, np.float32)
        for cell in range(self.grid):
            below, share = self._slices_at(cell)
            needed = [n for n, part in ((below, 1 - share), (below + 1, share)) if part > 0]
            for n in needed:
                if n in there and n not in planes:
                    planes[n] = plane(n)
            low, high = planes.get(below, beyond), planes.get(below + 1, beyond)
            out[cell] = low if share == 0 else (1 - share) * low + share * high
        return out

    def _slices_at(self, cell: int) -> tuple[int, float]:
        """The slice below the centre of a cell, and how far it is to the next; the nearest where cells are larger."""
        size = self.voxels_per_cell[0]
        at = self.slices[0] + (cell + 0.5) * size - 0.5
        if size >= 1:
            return math.floor(at + 0.5), 0.0
        return math.floor(at), at - math.floor(at)
