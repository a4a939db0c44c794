"""The rule of models that know a slice's place in the box and may take the neighbours' masks.

Every slice is segmented on its own from the user's box and its place between the box's ends, then
averaged with its neighbours and weighed lightly against the ellipsoid inscribed in the box.  Only where
the user spoke on single slices is the stack walked outwards from them, each slice with the masks beside
it as prior: without such a key, measured, the walk did not help.
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
        state = _State(request, model, Region.of(request, model.shape[1:]))
        for index in state.todo:
            prompt = request.keys.get(index) or Prompt(request.box, position=place(index, request.first, request.last))
            state.ask(index, prompt)
            yield state.result(index, state.maps[index])
        if request.keys and "prior" in model.prompts:
            state.walk(self.own)
        for index in state.todo:
            yield state.result(index, state.agreed(index, self.smooth, self.shape))


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
        """Segment again outwards from the key slices, each slice with the mean of its neighbours as prior."""
        keys = self.request.keys
        rest = (n for n in self.todo if n not in keys)
        for index in sorted(rest, key=lambda n: min(abs(n - key) for key in keys)):
            beside = [self.maps[n] for n in (index - 1, index + 1) if n in self.maps]
            prior = np.asarray(np.mean([1 / (1 + np.exp(-values)) for values in beside], axis=0), np.float32)
            if not (prior > 0.5).any():
                continue
            before, sure = self.maps[index], self.sure[index]
            self.ask(index, replace(self.prompts[index], prior=self.region.full(prior)))
            self.maps[index] = own * before + (1 - own) * self.maps[index]
            self.sure[index] = own * sure + (1 - own) * self.sure[index]

    def agreed(self, index: int, smooth: float, shape: float) -> NDArray[np.float32]:
        """Logits averaged with the neighbours' and the ellipsoid's, except where the user spoke."""
        if index in self.request.keys:
            return self.maps[index]
        beside = [self.maps[n] for n in (index - 1, index + 1) if n in self.maps]
        total = self.maps[index] + smooth * np.sum(beside, axis=0) if beside else self.maps[index]
        ellipsoid = self.region.ellipsoid(self.request, index)
        return np.asarray(total / (1 + smooth * len(beside)) + shape * ellipsoid, np.float32)

    def result(self, index: int, logits: NDArray[np.float32]) -> SliceResult:
        mask = self.region.full(logits > 0)
        note = "" if mask.any() else "empty mask"
        return SliceResult(index, mask, self.sure[index], self.prompts[index], note)
