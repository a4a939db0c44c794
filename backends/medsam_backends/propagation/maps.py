"""Logits of one object on the slices of one view: what a rule asks and remembers, and what lies between."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ..types import Prompt
from .base import Request, SliceModel
from .geometry import place
from .region import Region

__all__ = ["SliceMaps", "spread"]

Logits = NDArray[np.float32]


def spread(first: int, end: int, count: int, among: Sequence[int] = ()) -> tuple[int, ...]:
    """At most `count` indices at the centres of equal parts of ``first..end - 1``; the nearest of `among`, if given."""
    count = min(count, end - first)
    centres = [int(first + (n + 0.5) * (end - first) / count) for n in range(count)]
    there = [n for n in among if first <= n < end]
    return tuple(sorted({min(there, key=lambda n: abs(n - at)) for at in centres})) if there else tuple(centres)


@dataclass(eq=False)
class SliceMaps:
    """What `model` says of the box of `request` on the slices `asked`; the slices between are interpolated.

    Attributes
    ----------
    region : the part of every slice that logits are kept of
    asked : slices to segment, rising
    maps : logits on the region by slice, float32 (h, w)
    sure : confidence by slice, in [0, 1]
    """

    request: Request
    model: SliceModel
    region: Region
    asked: tuple[int, ...]
    maps: dict[int, Logits] = field(default_factory=dict)
    sure: dict[int, float] = field(default_factory=dict)

    def prompt(self, index: int) -> Prompt:
        """The user's box and the slice's place between its ends."""
        return Prompt(self.request.box, position=place(index, self.request.first, self.request.last))

    def expect(self, index: int) -> None:
        """Say that a slice will be asked soon, unless that was done before."""
        if index not in self.maps:
            self.model.expect(index, self.prompt(index))

    def ask(self, index: int) -> None:
        """Segment a slice, unless that was done before."""
        if index not in self.maps:
            self.maps[index], self.sure[index] = self.answer(index, self.prompt(index))

    def needed(self, indices: Iterable[int]) -> list[int]:
        """The slices to be asked for the logits of others, rising."""
        return sorted({n for index in indices for n in self._between(index)[:2]})

    def answer(self, index: int, prompt: Prompt) -> tuple[Logits, float]:
        """Logits and confidence of a prompt on a slice; not remembered."""
        prediction = self.model.predict(index, [prompt])[0]
        return self.region.logits(prediction), prediction.iou

    def logits(self, index: int) -> Logits:
        """Logits of a slice, asked for now if need be, or linear between the nearest slices that are."""
        low, high, share = self._between(index)
        self.ask(low)
        if low == high:
            return self.maps[low]
        self.ask(high)
        return (1 - share) * self.maps[low] + share * self.maps[high]

    def confidence(self, index: int) -> float:
        """Confidence of a slice whose `logits` were asked for."""
        low, high, share = self._between(index)
        return (1 - share) * self.sure[low] + share * self.sure[high]

    def smoothed(self, index: int, weight: float) -> Logits:
        """Logits of a slice averaged with its neighbours', which have `weight` relative to its own."""
        beside = [n for n in (index - 1, index + 1) if self.request.first <= n <= self.request.last]
        total = self.logits(index) + sum((weight * self.logits(n) for n in beside), np.float32(0))
        return np.asarray(total / (1 + weight * len(beside)), np.float32)

    def _between(self, index: int) -> tuple[int, int, float]:
        """The asked slices on both sides of `index`, and how far it is from the first to the second."""
        at = bisect_left(self.asked, index)
        if at == len(self.asked):
            return self.asked[-1], self.asked[-1], 0.0
        high = self.asked[at]
        if at == 0 or high == index:
            return high, high, 0.0
        low = self.asked[at - 1]
        return low, high, (index - low) / (high - low)
