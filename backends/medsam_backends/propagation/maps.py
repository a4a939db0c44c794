"""Logits of one object on the slices of one view: what a rule asks, remembers and brings together."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from ..types import Prompt
from .base import Request, SliceModel, SliceResult
from .geometry import place
from .region import Region

__all__ = ["SliceMaps"]


@dataclass(eq=False)
class SliceMaps:
    """The state of a rule that segments every slice of `request` with `model` and then weighs them together.

    Attributes
    ----------
    maps : logits on the region by slice, float32 (h, w)
    sure : confidence by slice, in [0, 1]
    prompts : what was asked, by slice
    todo : slices that no earlier run knows
    """

    request: Request
    model: SliceModel
    region: Region
    maps: dict[int, NDArray[np.float32]] = field(default_factory=dict)
    sure: dict[int, float] = field(default_factory=dict)
    prompts: dict[int, Prompt] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for index, result in self.request.known.items():
            self.maps[index], self.sure[index] = self.region.of_mask(result.mask), result.confidence
        self.todo = [n for n in range(self.request.first, self.request.last + 1) if n not in self.maps]

    @classmethod
    def of(cls, request: Request, model: SliceModel) -> SliceMaps:
        """Nothing asked yet, on the region round the request's boxes."""
        return cls(request, model, Region.of(request, model.shape[1:]))

    def ask(self, index: int, prompt: Prompt | None = None) -> None:
        """Segment a slice and remember what came of it; without a prompt from the user's, or the box and its place."""
        if prompt is None:
            first, last = self.request.first, self.request.last
            plain = Prompt(self.request.box, position=place(index, first, last))
            prompt = self.request.keys.get(index, plain)
        prediction = self.model.predict(index, [prompt])[0]
        self.prompts[index] = prompt
        self.maps[index], self.sure[index] = self.region.logits(prediction), prediction.iou

    def walk(self, own: float) -> None:
        """Segment again outwards from the key slices, each slice with the mean of its neighbours as prior.

        Does nothing without key slices, or where the model takes no prior.

        Parameters
        ----------
        own : weight of what a slice said on its own, against what it says with its neighbours as prior
        """
        keys = self.request.keys
        if not keys or "prior" not in self.model.prompts:
            return
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

    def smoothed(self, index: int, weight: float) -> NDArray[np.float32]:
        """Logits of a slice averaged with its neighbours', which have `weight` relative to its own."""
        beside = [self.maps[n] for n in (index - 1, index + 1) if n in self.maps]
        total = self.maps[index] + weight * np.sum(beside, axis=0) if beside else self.maps[index]
        return np.asarray(total / (1 + weight * len(beside)), np.float32)

    def result(self, index: int, logits: NDArray[np.float32]) -> SliceResult:
        mask = self.region.full(logits > 0)
        note = "" if mask.any() else "empty mask"
        return SliceResult(index, mask, self.sure[index], self.prompts[index], note)
