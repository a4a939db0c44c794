"""The rule of models that know a slice's place in the box: slices on their own, from up to three sides, then together.

Slices along the user's axis are segmented from his box and their place between its ends, a few slices across it
likewise; logits are averaged, weighed lightly against the ellipsoid inscribed in the box.  A slice alone cannot tell an
organ from its neighbour of equal brightness; one across it often can, and a few carry nearly all of the gain.  Where
the user spoke on a slice, what he changed there fades out over the slices beside it.  A model that has a fusion network
then looks at all of this, the user's clicks and the picture together, in 3-D.  All of it is done for the box as it was
drawn, and with fewer slices for a tighter one: see `either_box`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from .base import Request, SliceModel, SliceResult
from .either_box import EitherBox
from .maps import SliceMaps, spread
from .region import Region
from .side_view import side_views
from .viewed_object import ViewedObject

__all__ = ["Views"]


@dataclass(frozen=True)
class Views:
    """Views together; see the module.

    Attributes
    ----------
    along : most slices segmented along the user's axis; the slices between are interpolated
    across : most slices of each view across it; 0 for the user's view alone
    least : slices the box must have for views across it, and for a tighter box, to show anything
    weight : of a view across relative to the user's own
    smooth : weight of each neighbouring slice relative to the slice itself
    shape : weight of the ellipsoid, in logits at its centre
    reach : share of the box over which a change that the user made on a slice fades, one standard deviation
    again : weight of the answer to clicks shown together with the mask that they were made on
    tighter : share of the box by which each side of the tighter one lies further in; 0 for the drawn box alone
    """

    along: int = 12
    across: int = 8
    least: int = 4
    weight: float = 0.6
    smooth: float = 0.5
    shape: float = 0.25
    reach: float = 0.1
    again: float = 0.3
    tighter: float = 0.1

    def __call__(self, request: Request, model: SliceModel) -> Iterator[SliceResult]:
        request = _without_echoes(request)
        object_ = EitherBox.of(self, request, model)
        key = (self, request.box, request.first, request.last, object_.drawn.maps.region)
        before = model.kept.take(key)
        if isinstance(before, EitherBox):
            object_ = before.again(request)
        todo = [n for n in range(request.first, request.last + 1) if n not in request.known]
        yield from object_.look(todo)
        object_.settle()
        for index in todo:
            yield object_.result(index)
        object_.forget_shown()
        model.kept.put(key, object_, object_.nbytes)

    def begin(self, request: Request, model: SliceModel) -> ViewedObject:
        """The object of `request` with its views, nothing segmented yet."""
        first, end = request.first, request.last + 1
        maps = SliceMaps(request, model, Region.of(request, model.shape[1:]), spread(first, end, self.along))
        sides = side_views(maps, self.across) if self.across and end - first >= self.least else []
        return ViewedObject(self, maps, sides)

    def begin_within(self, object_: ViewedObject, request: Request) -> ViewedObject:
        """The object of `request`, whose box lies inside that of `object_`, with half of its slices, no others."""
        maps = object_.maps
        asked = spread(request.first, request.last + 1, max(1, self.along // 2), among=maps.asked)
        maps = SliceMaps(request, maps.model, maps.region, asked)
        seen = [side.maps.asked for side in object_.sides]
        return ViewedObject(self, maps, side_views(maps, max(1, self.across // 2), among=seen))


def _without_echoes(request: Request) -> Request:
    """`request` without prompts that only say its box again, as a panel gives for the slice where it was drawn."""
    return replace(request, keys={n: key for n, key in request.keys.items() if not key.only_says(request.box)})
