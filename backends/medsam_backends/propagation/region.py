"""The part of a slice where an object may lie, and logits on it: a rule's working memory, small and soft."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..types import Prediction
from ..window import paste
from .base import Request
from .geometry import place

__all__ = ["LIMIT", "Region"]

LIMIT = 10.0
"""Logits are cut to ±LIMIT; it is the logit, negative, of pixels the model did not look at."""

_CERTAIN = 4.0  # logit of a mask's pixels where a model gives no logits
_SLACK = 0.1  # of the box: objects may lean a little over a hand-drawn box


@dataclass(frozen=True)
class Region:
    """Pixels ``[x0, x1) x [y0, y1)`` of slices of `size` (H, W)."""

    x0: int
    y0: int
    x1: int
    y1: int
    size: tuple[int, int]

    @classmethod
    def of(cls, request: Request, size: tuple[int, int]) -> Region:
        """Round the user's box and every key's box, with a little slack."""
        boxes = np.array([request.box, *(prompt.box for prompt in request.keys.values())])
        (x0, y0), (x1, y1) = boxes[:, :2].min(axis=0).tolist(), boxes[:, 2:].max(axis=0).tolist()
        slack_x, slack_y = _SLACK * (x1 - x0) + 1, _SLACK * (y1 - y0) + 1
        return cls(
            max(0, math.floor(x0 - slack_x)),
            max(0, math.floor(y0 - slack_y)),
            min(size[1], math.ceil(x1 + slack_x)),
            min(size[0], math.ceil(y1 + slack_y)),
            size,
        )

    def logits(self, prediction: Prediction) -> NDArray[np.float32]:
        """A prediction's logits on the region, (h, w) float32 in ±LIMIT."""
        if prediction.logits is None or prediction.extent is None:
            return self.of_mask(prediction.mask)
        x0, y0, x1, y1 = prediction.extent
        extent = (x0 - self.x0, y0 - self.y0, x1 - self.x0, y1 - self.y0)
        shape = (self.y1 - self.y0, self.x1 - self.x0)
        return paste(np.clip(prediction.logits, -LIMIT, LIMIT), extent, shape, -LIMIT)

    def of_mask(self, mask: NDArray[np.bool_]) -> NDArray[np.float32]:
        """Logits of a mask known only as such."""
        part = mask[self.y0 : self.y1, self.x0 : self.x1]
        return np.where(part, np.float32(_CERTAIN), np.float32(-_CERTAIN))

    def ellipsoid(self, request: Request, index: int) -> NDArray[np.float32]:
        """``1 - r²`` of the ellipsoid inscribed in the user's box: 1 at its centre, 0 on its surface."""
        bx0, by0, bx1, by1 = request.box
        u = (np.arange(self.x0, self.x1) + 0.5 - (bx0 + bx1) / 2) / ((bx1 - bx0) / 2)
        v = (np.arange(self.y0, self.y1) + 0.5 - (by0 + by1) / 2) / ((by1 - by0) / 2)
        t = place(index, request.first, request.last)
        return (1 - t**2 - v[:, None] ** 2 - u[None] ** 2).astype(np.float32)

    def full(self, values: NDArray[Any]) -> NDArray[Any]:
        """`values` of the region on a whole slice, zero elsewhere."""
        out = np.zeros(self.size, values.dtype)
        out[self.y0 : self.y1, self.x0 : self.x1] = values
        return out
