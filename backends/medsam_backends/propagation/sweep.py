"""The rule of models that know a slice's place in the box and may take the neighbours' masks.

Every slice is segmented on its own from the user's box and its place between the box's ends, then
averaged with its neighbours and weighed lightly against the ellipsoid inscribed in the box.  Only where
the user spoke on single slices is the stack walked outwards from them, each slice with the masks beside
it as prior: without such a key, measured, the walk did not help.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from .base import Request, SliceModel, SliceResult
from .maps import SliceMaps

__all__ = ["Sweep"]


@dataclass(frozen=True)
class Sweep:
    """All slices on their own, then together; see the module.

    Attributes
    ----------
    own : weight of what a slice said on its own, against what it says with its neighbours as prior
    smooth : weight of each neighbouring slice relative to the slice itself
    shape : weight of the ellipsoid, in logits at its centre
    """

    own: float = 0.5
    smooth: float = 0.5
    shape: float = 1.0

    def __call__(self, request: Request, model: SliceModel) -> Iterator[SliceResult]:
        maps = SliceMaps.of(request, model)
        for index in maps.todo:
            maps.ask(index)
            yield maps.result(index, maps.maps[index])
        maps.walk(self.own)
        for index in maps.todo:
            agreed = maps.smoothed(index, self.smooth) + self.shape * maps.region.ellipsoid(request, index)
            yield maps.result(index, maps.maps[index] if index in request.keys else agreed)
