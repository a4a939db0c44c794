"""One object from its box as it was drawn and from a tighter one, each counted by how sure the model is of it.

Models take a box for a close one, and where the picture shows no edge they fill it: what a person left round the object
goes into the mask.  A model is surer of the tighter box then, as long as the object fits it.  The answers' mean as
probabilities, weighed like this, is nearly as good as the best of them, and needs no decision.

A side on the border of the volume may be room, too, or the object goes on outside: then there are two tighter boxes.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from ..types import Prompt
from .base import Request, SliceModel, SliceResult
from .maps import Logits
from .region import LIMIT
from .viewed_object import ViewedObject

if TYPE_CHECKING:
    from .views import Views

__all__ = ["ROOM", "EitherBox"]

_ODDS, _GAIN = math.exp(-2.5), 0.05
"""How likely the tighter box is before anybody looks, to the drawn one, and the confidence that makes it e times as
likely; chosen on training volumes, their boxes drawn with care and with room on all sides.  Two share the odds."""
_LEAST = 0.02
"""Share that changes next to nothing: less is none, and spares corrections the tighter box's questions."""
ROOM = "room in the box"
"""Note of the slices on which a tighter box counts more than the one that was drawn."""


@dataclass(eq=False)
class EitherBox:
    """The object of `drawn`, which is one of `tighter` perhaps.

    Attributes
    ----------
    drawn : the object of the user's box
    tighter : those of tighter boxes; none where these would be the same
    odds : how likely each of `tighter` is to `drawn`, by its place among them; known once it was looked at
    """

    drawn: ViewedObject
    tighter: list[ViewedObject]
    odds: dict[int, float] = field(default_factory=dict)

    @classmethod
    def of(cls, rule: Views, request: Request, model: SliceModel) -> EitherBox:
        """Nothing segmented yet."""
        drawn = rule.begin(request, model)
        boxes = _tightened(request, rule.tighter, model.shape) if drawn.sides else []
        return cls(drawn, [rule.begin_within(drawn, box) for box in boxes])

    def again(self, request: Request) -> EitherBox:
        """The same box with what the user says now."""
        drawn = self.drawn.again(request)
        boxes = _tightened(request, drawn.rule.tighter, drawn.maps.model.shape)
        tighter = [object_.again(box) for object_, box in zip(self.tighter, boxes, strict=False)]
        return EitherBox(drawn, tighter, self.odds)

    @property
    def nbytes(self) -> int:
        """Bytes of the arrays that they hold, some of them together."""
        objects = (self.drawn, *self.tighter)
        return sum({id(array): array.nbytes for object_ in objects for array in object_.arrays}.values())

    def look(self, todo: list[int]) -> Iterator[SliceResult]:
        """Segment what is to be seen of all; yields the slices `todo`, as the drawn box's views see them."""
        return self.drawn.look(todo, list(self._shares()))

    def settle(self) -> None:
        """Let fusion network and user have their say; everything was looked at."""
        looked_at = [self.drawn, *self._shares()]
        for object_ in looked_at:
            object_.fuse({})
        for place, object_ in enumerate(self.tighter):
            if place not in self.odds and object_ in looked_at:
                gain = object_.confidence - self.drawn.confidence
                self.odds[place] = _ODDS / len(self.tighter) * math.exp(gain / _GAIN)
        for object_ in (self.drawn, *self._shares()):
            # the user's prompts are answered alike, whatever the box
            object_.said = {n: answer for n, answer in self.drawn.said.items() if n in object_.slices}
            if object_.heed():
                object_.fuse(object_.maps.request.keys)

    def result(self, index: int) -> SliceResult:
        """What all say of a slice of the drawn box, after `settle`."""
        drawn, logits, shares = self.drawn, self.drawn.agreed(index), self._shares()
        if not shares:
            return drawn.result(index, logits, settled=True)
        own = 1 - sum(shares.values())
        seen = {object_: share for object_, share in shares.items() if index in object_.slices}
        probability = own * _probability(logits)
        for object_, share in seen.items():
            probability += share * _probability(object_.agreed(index))
        found = drawn.result(index, probability - np.float32(0.5), settled=True)
        if not seen or index in drawn.said:
            return found
        gain = sum(share * (object_.maps.confidence(index) - found.confidence) for object_, share in seen.items())
        return replace(found, confidence=found.confidence + gain, note=found.note or (ROOM if own < 0.5 else ""))

    def forget_shown(self) -> None:
        """Free what is of no use after the last result."""
        for object_ in (self.drawn, *self.tighter):
            object_.shown.clear()

    def _shares(self) -> dict[ViewedObject, float]:
        """Those of `tighter` that count, and how much.

        None that is unlikely, or that the user refuted by showing his object outside its box.
        """
        keys = self.drawn.maps.request.keys
        odds = {
            object_: self.odds.get(place, 1.0)
            for place, object_ in enumerate(self.tighter)
            if not _reach_beyond(keys, object_.maps.request)
        }
        total = 1 + sum(odds.values())
        return {object_: value / total for object_, value in odds.items() if value / total >= _LEAST}


def _tightened(request: Request, share: float, shape: tuple[int, int, int]) -> list[Request]:
    """`request` with each side of its box moved in by a share of it, in whole voxels, unless that changes nothing.

    Where a side lies on the border of the volume of `shape`, also with such sides as they are.
    """
    boxes: list[Request] = []
    for rims in (False, True) if share else ():
        (x0, y0, x1, y1), lengths = request.box, shape if rims else (0, 0, 0)
        (x0, x1), (y0, y1) = _moved_in(x0, x1, share, lengths[2]), _moved_in(y0, y1, share, lengths[1])
        first, end = (round(edge) for edge in _moved_in(request.first, request.last + 1, share, lengths[0]))
        keys = {n: key for n, key in request.keys.items() if first <= n < end}
        box = replace(request, box=(x0, y0, x1, y1), first=first, last=end - 1, keys=keys)
        if all((box.box, box.first, box.last) != (other.box, other.first, other.last) for other in (request, *boxes)):
            boxes.append(box)
    return boxes


def _moved_in(low: float, high: float, share: float, length: int) -> tuple[float, float]:
    """A line's ends nearer to its middle, but for those on the border of a volume of `length`, if that is not 0."""
    by = round(share * (high - low))
    return (low if length and low <= 0 else low + by), (high if length and high >= length else high - by)


def _reach_beyond(keys: Mapping[int, Prompt], request: Request) -> bool:
    """Whether one of the user's prompts shows the object outside the box of `request`."""
    x0, y0, x1, y1 = request.box
    for index, key in keys.items():
        outside = not request.first <= index <= request.last
        if key.points:
            inside = [x0 <= p.x <= x1 and y0 <= p.y <= y1 and not outside for p in key.points if p.positive]
            if not all(inside):
                return True
        elif outside or key.box[0] < x0 or key.box[1] < y0 or key.box[2] > x1 or key.box[3] > y1:
            return True
    return False


def _probability(logits: Logits) -> Logits:
    return np.asarray(1 / (1 + np.exp(-np.clip(logits, -LIMIT, LIMIT))), np.float32)
