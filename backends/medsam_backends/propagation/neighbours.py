"""Every slice on its own, then again with what its two neighbours say as the prior mask; the two answers' mean.

Masks are handed on by one slice from both sides, never further: a mistake cannot drift through the volume, as it does
where each mask prompts the next.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

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
        alone: dict[int, tuple[Logits, float]] = {}
        for at, n in enumerate(seen):
            for coming in seen[at : at + _EXPECTED]:
                maps.expect(coming)
            alone[n] = maps.answer(n, request.keys.get(n) or maps.prompt(n))
            if n in todo:
                yield self._result(maps, n, *alone[n])
        for n in todo:
            if n not in request.keys:
                logits, confidence = alone[n]
                both = np.float32(0.5) * (logits + self._again(maps, n, alone))
                yield self._result(maps, n, both, confidence)

    def _again(self, maps: SliceMaps, index: int, alone: dict[int, tuple[Logits, float]]) -> Logits:
        """The slice's answer with its neighbours' mask as prior; at the ends its own stands for the missing one."""
        before, after = (alone.get(n, alone[index])[0] for n in (index - 1, index + 1))
        prior: NDArray[np.bool_] = maps.region.full(before + after > 0)
        return maps.answer(index, replace(maps.prompt(index), prior=prior))[0]

    def _result(self, maps: SliceMaps, index: int, logits: Logits, confidence: float) -> SliceResult:
        mask = maps.region.full(logits > 0)
        return SliceResult(index, mask, confidence, "" if mask.any() else "empty mask")
