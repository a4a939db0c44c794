"""The default rule for models that only take a box: walk outwards from the key slices.

The next prompt lies half-way between the last mask's box and what the user's box leads to expect on
that slice (the cross-section of the ellipsoid inscribed in it).  The published rules follow the last
mask alone and drift away; measured, that costs more than anything else.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..types import Box, Prompt
from .base import Request, SliceModel, SliceResult
from .geometry import blend, intersection, mask_box, place, reference_box

__all__ = ["Track"]


@dataclass(frozen=True)
class Track:
    """Walk from the key slices (the middle one when there is none) to the ends of the box.

    Attributes
    ----------
    share : weight of the last mask's box against the expected one
    margin : pixels by which the last mask's box is grown
    least : smallest size of the expected box as a fraction of the user's
    jump : area of a mask relative to the last one's, or its inverse, from which it is not followed
    unsure : predicted IoU below which a mask is not followed
    """

    share: float = 0.5
    margin: float = 1.0
    least: float = 0.35
    jump: float = 3.0
    unsure: float = 0.3

    def __call__(self, request: Request, model: SliceModel) -> Iterator[SliceResult]:
        keys = dict(request.keys) or {(request.first + request.last) // 2: Prompt(request.box)}
        done: dict[int, SliceResult] = dict(request.known)
        for index, prompt in keys.items():
            if index not in done:
                done[index] = self._ask(model, request, index, prompt)
                yield done[index]
        for index, last in _order(request, keys):
            if index not in done:
                prompt = self._prompt(request, model, keys, index, done[last])
                done[index] = self._judge(self._ask(model, request, index, prompt), done[last])
                yield done[index]

    def _ask(self, model: SliceModel, request: Request, index: int, prompt: Prompt) -> SliceResult:
        prediction = model.predict(index, [prompt])[0]
        note = "" if prediction.mask.any() else "empty mask"
        return SliceResult(index, prediction.mask, prediction.iou, prompt, note)

    def _prompt(
        self, request: Request, model: SliceModel, keys: Mapping[int, Prompt], index: int, last: SliceResult
    ) -> Prompt:
        box: Box = reference_box(request, keys, index, self.least)
        prior: NDArray[np.bool_] | None = None
        if not last.note:
            found = mask_box(last.mask)
            if found is not None:
                grown = (found[0] - self.margin, found[1] - self.margin, found[2] + self.margin, found[3] + self.margin)
                inside = intersection(grown, request.box)
                box = blend(inside, box, self.share) if inside is not None else box
                prior = last.mask
        return Prompt(box, prior=prior, position=place(index, request.first, request.last))

    def _judge(self, result: SliceResult, last: SliceResult) -> SliceResult:
        """Note a mask that the next slice should not follow."""
        note = result.note
        before, now = np.count_nonzero(last.mask), np.count_nonzero(result.mask)
        if not note and result.confidence < self.unsure:
            note = "low confidence"
        elif not note and before and not last.note and not 1 / self.jump <= now / before <= self.jump:
            note = "jump in area"
        return SliceResult(result.index, result.mask, result.confidence, result.prompt, note)


def _order(request: Request, keys: Mapping[int, Prompt]) -> Iterator[tuple[int, int]]:
    """(slice, the slice before it on the walk), nearest to a key first: walks meet in the middle."""
    distance = {n: min(abs(n - key) for key in keys) for n in range(request.first, request.last + 1)}
    for index in sorted(distance, key=lambda n: (distance[n], n)):
        if distance[index]:
            yield index, next(n for n in (index - 1, index + 1) if distance.get(n) == distance[index] - 1)
