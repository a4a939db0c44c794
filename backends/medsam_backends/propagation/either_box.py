"""One object from its box as it was drawn and from a tighter one, each counted by how sure the model is of it.

Models take a box for a close one, and where the picture shows no edge they fill it: what a person left round the object
goes into the mask.  A model is surer of the tighter box then, as long as the object fits it.  The two answers' mean as
probabilities, weighed like this, is nearly as good as the better of the two, and needs no decision.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
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
likely; chosen on training volumes, their boxes drawn with care and with room on all sides."""
ROOM = "room in the box"
"""Note of the slices on which a tighter box counts more than the one that was drawn."""


@dataclass(eq=False)
class EitherBox:
    """The object of `drawn`, which is `tighter` perhaps.

    Attributes
    ----------
    drawn : the object of the user's box
    tighter : that of the tighter one; None where there is none
    share : how much `tighter` counts, in [0, 1]; None until both were looked at
    """

    drawn: ViewedObject
    tighter: ViewedObject | None = None
    share: float | None = None

    @classmethod
    def of(cls, rule: Views, request: Request, model: SliceModel) -> EitherBox:
        """Nothing segmented yet."""
        drawn = rule.begin(request, model)
        inner = _tightened(request, rule.tighter)
        if not drawn.sides or (inner.box, inner.first, inner.last) == (request.box, request.first, request.last):
            return cls(drawn)
        return cls(drawn, rule.begin_within(drawn, inner))

    def again(self, request: Request) -> EitherBox:
        """The same box with what the user says now."""
        drawn, tighter = self.drawn.again(request), self.tighter
        if tighter is not None:
            tighter = tighter.again(_tightened(request, drawn.rule.tighter))
        return EitherBox(drawn, tighter, self.share)

    @property
    def nbytes(self) -> int:
        """Bytes of the logits that both hold."""
        return self.drawn.nbytes + (self.tighter.nbytes if self.tighter is not None else 0)

    def look(self, todo: list[int]) -> Iterator[SliceResult]:
        """Segment what is to be seen of both; yields the slices `todo`, as the drawn box's views see them."""
        tighter = self._possible()
        return self.drawn.look(todo, [tighter] if tighter is not None else [])

    def settle(self) -> None:
        """Let fusion network and user have their say; everything was looked at."""
        tighter = self._possible()
        both = [self.drawn, tighter] if tighter is not None else [self.drawn]
        for object_ in both:
            object_.fuse({})
        if tighter is not None and self.share is None:
            odds = _ODDS * math.exp((tighter.confidence - self.drawn.confidence) / _GAIN)
            self.share = odds / (1 + odds)
        if tighter is not None:  # the user's prompts are answered alike, whatever the box
            tighter.said = {n: answer for n, answer in self.drawn.said.items() if n in tighter.slices}
        for object_ in both:
            if object_.heed():
                object_.fuse(object_.maps.request.keys)

    def result(self, index: int) -> SliceResult:
        """What both say of a slice of the drawn box, after `settle`."""
        logits, tighter = self.drawn.agreed(index), self._possible()
        if tighter is None or self.share is None:
            return self.drawn.result(index, logits, settled=True)
        probability = (1 - self.share) * _probability(logits)
        if index not in tighter.slices:
            return self.drawn.result(index, probability - np.float32(0.5), settled=True)
        probability += self.share * _probability(tighter.agreed(index))
        found = self.drawn.result(index, probability - np.float32(0.5), settled=True)
        sure = (1 - self.share) * found.confidence + self.share * tighter.maps.confidence(index)
        return replace(found, confidence=sure, note=found.note or (ROOM if self.share > 0.5 else ""))

    def forget_shown(self) -> None:
        """Free what is of no use after the last result."""
        for object_ in (self.drawn, self.tighter):
            if object_ is not None:
                object_.shown.clear()

    def _possible(self) -> ViewedObject | None:
        """The tighter object, unless the user said that the object reaches beyond its box."""
        if self.tighter is None or _reach_beyond(self.drawn.maps.request.keys, self.tighter.maps.request):
            return None
        return self.tighter


def _tightened(request: Request, share: float) -> Request:
    """`request` with each side of its box moved in by a share of it, in whole voxels."""
    x0, y0, x1, y1 = request.box
    dx, dy = round(share * (x1 - x0)), round(share * (y1 - y0))
    slices = round(share * (request.last + 1 - request.first))
    first, last = request.first + slices, request.last - slices
    keys = {n: key for n, key in request.keys.items() if first <= n <= last}
    return replace(request, box=(x0 + dx, y0 + dy, x1 - dx, y1 - dy), first=first, last=last, keys=keys)


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
