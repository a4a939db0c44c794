"""Every slice on its own, then again with what its two neighbours say as the prior mask; the two answers' mean.

Masks are handed on by one slice from both sides, never further: a mistake cannot drift through the volume, as it does
where each mask prompts the next.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..types import Prompt
from .base import Request, SliceModel, SliceResult
from .maps import Logits, SliceMaps
from .region import Region

__all__ = ["Neighbours"]

_EXPECTED = 16
"""Slices announced to the model before they are asked for."""


@dataclass(frozen=True)
class Neighbours:
    """The rule; see the module.

    A slice that the user prompted stays as it was answered, and speaks to its neighbours.
    """

    def __call__(self, request: Request, model: SliceModel) -> Iterator[SliceResult]:
        first, end = request.first, request.last + 1
        maps = SliceMaps(request, model, Region.of(request, model.shape[1:]), tuple(range(first, end)))
        todo = [n for n in range(first, end) if n not in request.known]
        seen = sorted({n for index in todo for n in (index - 1, index, index + 1) if first <= n < end})
        alone: dict[int, Logits] = {}
        for at, n in enumerate(seen):
            for coming in seen[at : at + _EXPECTED]:
                maps.expect(coming)
            alone[n] = maps.answer(n, request.keys[n])[0] if n in request.keys else maps.logits(n)
            if n in todo:
                yield self._result(maps, n, alone[n])
        for n in todo:
            if n not in request.keys:
                yield self._result(maps, n, np.float32(0.5) * (alone[n] + self._again(maps, n, alone)))

    def _again(self, maps: SliceMaps, index: int, alone: dict[int, Logits]) -> Logits:
        """The slice's answer with its neighbours' mask as prior; at the ends its own stands for the missing one."""
        beside = [alone.get(n, alone[index]) for n in (index - 1, index + 1)]
        prior: NDArray[np.bool_] = maps.region.full(beside[0] + beside[1] > 0)
        return maps.answer(index, replace(maps.prompt(index), prior=prior))[0]

    def _result(self, maps: SliceMaps, index: int, logits: Logits) -> SliceResult:
        key: Prompt | None = maps.request.keys.get(index)
        maps.ask(index)  # for its confidence
        mask = maps.region.full(logits > 0)
        note = "" if mask.any() else "empty mask"
        return SliceResult(index, mask, maps.confidence(index), key or maps.prompt(index), note)
