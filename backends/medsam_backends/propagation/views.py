"""The rule that looks at the object from three sides: `sweep` along the user's axis, and a few slices across it.

A slice alone cannot tell an organ from its neighbour of equal brightness; a slice across it often can.  A few slices
each along the two other axes carry nearly all of the gain, so the cost does not grow with the box.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .base import Request, SliceModel, SliceResult
from .maps import SliceMaps
from .side_view import SideView, side_views

__all__ = ["Views"]


@dataclass(frozen=True)
class Views:
    """Logits of three orthogonal views, averaged; see the module.

    Attributes
    ----------
    slices : slices of each view across, at most
    least : slices the user's box must have for views across it to show anything
    own, smooth, shape : see `Sweep`
    reach : share of the box within which a slice that the user spoke on counts more than the views across
    """

    slices: int = 12
    least: int = 4
    own: float = 0.5
    smooth: float = 0.5
    shape: float = 0.5
    reach: float = 0.2

    def __call__(self, request: Request, model: SliceModel) -> Iterator[SliceResult]:
        maps = SliceMaps.of(request, model)
        sides = side_views(maps, self.slices) if request.last - request.first + 1 >= self.least else []
        across = [(side, n) for side in sides for n in side.indices]
        for done, index in enumerate(maps.todo, 1):
            maps.ask(index)
            while across and len(across) * len(maps.todo) > (len(maps.todo) - done) * _total(sides):
                side, n = across.pop()
                side.maps.ask(n)
            yield maps.result(index, maps.maps[index])
        maps.walk(self.own)
        for index in maps.todo:
            key = index in request.keys
            yield maps.result(index, maps.maps[index] if key else self._together(maps, sides, index))

    def _together(self, maps: SliceMaps, sides: list[SideView], index: int) -> NDArray[np.float32]:
        """The mean of all views on a main slice; near a key slice that of the main view prevails."""
        request = maps.request
        weight, total = 1.0, maps.smoothed(index, self.smooth)
        if request.keys:
            reach = max(1.0, self.reach * (request.last - request.first + 1))
            weight = min(1.0, min(abs(index - key) for key in request.keys) / reach)
        for side in sides:
            total = total + weight * side.plane(index)
        total = total / (1 + weight * len(sides))
        return np.asarray(total + self.shape * maps.region.ellipsoid(request, index), np.float32)


def _total(sides: list[SideView]) -> int:
    return sum(len(side.indices) for side in sides)
