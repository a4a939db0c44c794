"""Two models that any other must beat: the ellipse in the box and Otsu's threshold in the box.

Importing this module registers them; they show all that a model of one's own needs.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..backend import Backend, BackendSpec
from ..registry import register_backend
from ..types import Embedding, Prediction, Prompt

__all__ = ["EllipseInBox", "OtsuInBox"]

_BINS = 256


class _Baseline(Backend):
    """The embedding is the picture itself, as grey values."""

    def encode(self, image: NDArray[np.generic]) -> Embedding:
        self.check_image(image)
        grey = image.mean(axis=2) if image.ndim == 3 else image
        return Embedding(self.spec.identity, (image.shape[0], image.shape[1]), {"grey": grey.astype(np.float32)})

    def decode(self, embedding: Embedding, prompts: Sequence[Prompt]) -> list[Prediction]:
        self.check_prompts(embedding, prompts)
        grey = embedding.arrays["grey"].astype(np.float32, copy=False)
        return [Prediction(self.mask(grey, prompt), 1.0) for prompt in prompts]

    def mask(self, grey: NDArray[np.float32], prompt: Prompt) -> NDArray[np.bool_]:
        """The object, (H, W) bool."""
        raise NotImplementedError


@register_backend
class EllipseInBox(_Baseline):
    """The ellipse inscribed in the box; in a volume, the section of the ellipsoid inscribed in the 3-D box."""

    spec = BackendSpec(
        id="ellipse",
        name="Ellipse in the box",
        version="1",
        licence="Apache-2.0",
        prompts=frozenset({"box", "position"}),
        rule="sweep",
    )

    def mask(self, grey: NDArray[np.float32], prompt: Prompt) -> NDArray[np.bool_]:
        x0, y0, x1, y1 = prompt.box
        rows, columns = np.ogrid[: grey.shape[0], : grey.shape[1]]
        u = (columns + 0.5 - (x0 + x1) / 2) / ((x1 - x0) / 2)
        v = (rows + 0.5 - (y0 + y1) / 2) / ((y1 - y0) / 2)
        inside: NDArray[np.bool_] = u**2 + v**2 + (prompt.position or 0.0) ** 2 <= 1
        return inside


@register_backend
class OtsuInBox(_Baseline):
    """Otsu's threshold (1979) of the box's pixels; the object is the side that touches the box's border less."""

    spec = BackendSpec(id="otsu-box", name="Otsu in the box", version="1", licence="Apache-2.0", rule="sweep")

    def mask(self, grey: NDArray[np.float32], prompt: Prompt) -> NDArray[np.bool_]:
        height, width = grey.shape
        x0, y0 = max(0, math.floor(prompt.box[0])), max(0, math.floor(prompt.box[1]))
        x1, y1 = min(width, math.ceil(prompt.box[2])), min(height, math.ceil(prompt.box[3]))
        part = grey[y0:y1, x0:x1]
        bright = part > _otsu(part)
        border = np.concatenate([bright[0], bright[-1], bright[:, 0], bright[:, -1]])
        out = np.zeros(grey.shape, bool)
        out[y0:y1, x0:x1] = ~bright if border.mean() > 0.5 else bright
        return out


def _otsu(values: NDArray[np.float32]) -> float:
    """The threshold with the largest variance between what lies below or at it and what lies above."""
    low, high = float(values.min()), float(values.max())
    counts, edges = np.histogram(values, _BINS, (low, high) if high > low else (low, low + 1))
    centres = (edges[:-1] + edges[1:]) / 2
    below = np.cumsum(counts)
    sums = np.cumsum(counts * centres)
    above = below[-1] - below
    with np.errstate(divide="ignore", invalid="ignore"):
        between = below * above * (sums / below - (sums[-1] - sums) / above) ** 2
    return float(edges[1 + int(np.argmax(np.nan_to_num(between)))])
