"""The default rule for models that only take a box: walk outwards from the key slices.

Each slice is asked twice: with the user's box, and with a box half-way between the last mask's and the
cross-section of the ellipsoid inscribed in the user's box.  The answers are averaged and weighed
against that ellipsoid, which knows nothing of the image but never drifts away; the published rules
follow the last mask alone, and measured, that costs more than anything else.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np

from ..types import Prompt
from .base import Request, SliceModel, SliceResult
from .geometry import blend, intersection, mask_box, place, reference_box
from .region import Region

__all__ = ["Track"]


@dataclass(frozen=True)
class Track:
    """Walk from the key slices (the middle one when there is none) to the ends of the box.

    Attributes
    ----------
    share : weight of the last mask's box against the expected one
    margin : pixels by which the last mask's box is grown
    least : smallest size of the expected box as a fraction of the user's
    shape : weight of the ellipsoid inscribed in the user's box, in logits at its centre
    jump : area of a mask relative to the last one's, or its inverse, from which it is not followed
    unsure : predicted IoU below which a mask is not followed
    """

    share: float = 0.5
    margin: float = 1.0
    least: float = 0.35
    shape: float = 6.0
    jump: float = 3.0
    unsure: float = 0.3

    def __call__(self, request: Request, model: SliceModel) -> Iterator[SliceResult]:
        region = Region.of(request, model.shape[1:])
        keys = dict(request.keys) or {(request.first + request.last) // 2: Prompt(request.box)}
        done: dict[int, SliceResult] = {}  # only those that a slice still to come looks at
        for index, prompt in keys.items():
            if index not in request.known:
                own = index in request.keys  # what the user drew on this very slice is not second-guessed
                done[index] = self._ask(request, model, region, index, [prompt], 0.0 if own else self.shape)
                yield done[index]
        order = [pair for pair in _order(request, keys) if pair[0] not in request.known]
        followers = Counter(last for _, last in order)
        for index, last in order:
            before = done[last] if last in done else request.known[last]
            prompts = self._prompts(request, keys, index, before)
            done[index] = self._judge(self._ask(request, model, region, index, prompts, self.shape), before)
            yield done[index]
            followers[last] -= 1
            for n in (index, last):
                if not followers[n]:
                    done.pop(n, None)

    def _ask(
        self, request: Request, model: SliceModel, region: Region, index: int, prompts: list[Prompt], shape: float
    ) -> SliceResult:
        predictions = model.predict(index, prompts)
        logits = np.mean([region.logits(prediction) for prediction in predictions], axis=0)
        mask = region.full(logits + shape * region.ellipsoid(request, index) > 0)
        confidence = float(np.mean([prediction.iou for prediction in predictions]))
        return SliceResult(index, mask, confidence, "" if mask.any() else "empty mask")

    def _prompts(self, request: Request, keys: Mapping[int, Prompt], index: int, last: SliceResult) -> list[Prompt]:
        expected = reference_box(request, keys, index, self.least)
        walked = Prompt(expected, position=place(index, request.first, request.last))
        found = None if last.note else mask_box(last.mask)
        if found is not None:
            grown = (found[0] - self.margin, found[1] - self.margin, found[2] + self.margin, found[3] + self.margin)
            inside = intersection(grown, request.box)
            if inside is not None:
                walked = replace(walked, box=blend(inside, expected, self.share), prior=last.mask)
        return [walked, replace(walked, box=request.box)]

    def _judge(self, result: SliceResult, last: SliceResult) -> SliceResult:
        """Note a mask that the next slice should not follow."""
        before, now = np.count_nonzero(last.mask), np.count_nonzero(result.mask)
        if result.note:
            return result
        if result.confidence < self.unsure:
            return replace(result, note="low confidence")
        if before and not last.note and not 1 / self.jump <= now / before <= self.jump:
            return replace(result, note="jump in area")
        return result


def _order(request: Request, keys: Mapping[int, Prompt]) -> Iterator[tuple[int, int]]:
    """(slice, the slice before it on the walk), nearest to a key first: walks meet in the middle."""
    distance = {n: min(abs(n - key) for key in keys) for n in range(request.first, request.last + 1)}
    for index in sorted(distance, key=lambda n: (distance[n], n)):
        if distance[index]:
            yield index, next(n for n in (index - 1, index + 1) if distance.get(n) == distance[index] - 1)
