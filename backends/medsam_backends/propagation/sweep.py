"""The rule of models that know a slice's place in the box and take the neighbours' masks.

Every slice is first segmented on its own from the user's box and its place between the box's ends.
Then the surest slices speak to their neighbours: walking outwards from the key slices (else from
the surest), each slice is segmented again with the masks beside it as prior.  What both passes say is
averaged and smoothed across slices.  No published system does this; there the first slice decides alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from ..types import Prompt
from .base import Request, SliceModel, SliceResult
from .geometry import place
from .region import Region

__all__ = ["Sweep"]


@dataclass(frozen=True)
class Sweep:
    """Two passes over all slices; see the module.

    Attributes
    ----------
    passes : how often slices are segmented with their neighbours as prior; 0 leaves out the walk
    own : weight of what a slice said before, against what it says with the prior
    smooth : weight of each neighbouring slice relative to the slice itself
    """

    passes: int = 1
    own: float = 0.5
    smooth: float = 0.25

    def __call__(self, request: Request, model: SliceModel) -> Iterator[SliceResult]:
        state = _State(request, model, Region.of(request, model.shape[1:]))
        for index in state.todo:
            prompt = request.keys.get(index) or Prompt(
                request.box, position=place(index, request.first, request.last)
            )
            state.ask(index, prompt)
            yield state.result(index, state.maps[index])
        if len(state.todo) > 1 and "prior" in model.prompts:
            for _ in range(self.passes):
                state.walk(self.own)
        for index in state.todo:
            yield state.result(index, state.smoothed(index, self.smooth))


@dataclass(eq=False)
class _State:
    request: Request
    model: SliceModel
    region: Region
    maps: dict[int, NDArray[np.float32]] = field(default_factory=dict)  # logits by slice
    sure: dict[int, float] = field(default_factory=dict)
    prompts: dict[int, Prompt] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for index, result in self.request.known.items():
            self.maps[index], self.sure[index] = self.region.of_mask(result.mask), result.confidence
        self.todo = [n for n in range(self.request.first, self.request.last + 1) if n not in self.maps]

    def ask(self, index: int, prompt: Prompt) -> None:
        """Segment a slice and remember what came of it."""
        prediction = self.model.predict(index, [prompt])[0]
        self.prompts[index] = prompt
        self.maps[index], self.sure[index] = self.region.logits(prediction), prediction.iou

    def walk(self, own: float) -> None:
        """Segment again outwards from the seeds, each slice with the mean of its neighbours as prior."""
        seeds = {*self.request.keys, *self.request.known} or {max(self.todo, key=lambda n: self.sure[n])}
        rest = (n for n in self.todo if n not in seeds)
        for index in sorted(rest, key=lambda n: min(abs(n - seed) for seed in seeds)):
            beside = [self.maps[n] for n in (index - 1, index + 1) if n in self.maps]
            chances = [1 / (1 + np.exp(-values)) for values in beside]
            prior = np.asarray(np.mean(chances, axis=0), np.float32)
            if not (prior > 0.5).any():
                continue
            before, sure = self.maps[index], self.sure[index]
            prompt = replace(self.prompts[index], prior=self.region.full(prior))
            self.ask(index, prompt)
            self.maps[index] = own * before + (1 - own) * self.maps[index]
            self.sure[index] = own * sure + (1 - own) * self.sure[index]

    def smoothed(self, index: int, weight: float) -> NDArray[np.float32]:
        """Logits averaged with the neighbours', except where the user spoke."""
        if index in self.request.keys:
            return self.maps[index]
        beside = [self.maps[n] for n in (index - 1, index + 1) if n in self.maps]
        total = self.maps[index] + weight * np.sum(beside, axis=0) if beside else self.maps[index]
        return np.asarray(total / (1 + weight * len(beside)), np.float32)

    def result(self, index: int, logits: NDArray[np.float32]) -> SliceResult:
        mask = self.region.full(logits > 0)
        note = "" if mask.any() else "empty mask"
        return SliceResult(index, mask, self.sure[index], self.prompts[index], note)
