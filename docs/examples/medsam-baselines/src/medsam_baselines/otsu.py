"""Otsu's threshold inside the box: a model whose embedding is the picture itself."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from medsam_backends import Backend, BackendSpec, Embedding, Prediction, Prompt
from numpy.typing import NDArray

__all__ = ["OtsuInBox"]


class OtsuInBox(Backend):
    """The object is that side of the threshold which touches the box's border less."""

    spec = BackendSpec(
        id="otsu-in-box",
        name="Otsu's threshold in the box",
        version="1.0",
        licence="Apache-2.0",
        citation="Otsu N. A threshold selection method from gray-level histograms. IEEE Trans SMC 9(1), 1979",
        rule="sweep",
        limits=("Sees brightness alone: objects as bright as their surroundings are missed.",),
    )

    def encode(self, image: NDArray[np.generic]) -> Embedding:
        self.check_image(image)
        grey = image.mean(axis=2) if image.ndim == 3 else image
        return Embedding(self.spec.identity, (image.shape[0], image.shape[1]), {"grey": grey.astype(np.float32)})

    def decode(self, embedding: Embedding, prompts: Sequence[Prompt]) -> list[Prediction]:
        self.check_prompts(embedding, prompts)
        grey = embedding.arrays["grey"].astype(np.float32, copy=False)  # the cache may keep it as float16
        return [
            Prediction(_object(grey, self.image_box(prompt, embedding.size)), iou=1.0) for prompt in prompts
        ]


def _object(grey: NDArray[np.float32], box: tuple[float, ...]) -> NDArray[np.bool_]:
    """The object's pixels, (H, W) bool."""
    height, width = grey.shape
    x0, y0 = max(0, math.floor(box[0])), max(0, math.floor(box[1]))
    x1, y1 = min(width, math.ceil(box[2])), min(height, math.ceil(box[3]))
    part = grey[y0:y1, x0:x1]
    bright = part > _threshold(part)
    border = np.concatenate([bright[0], bright[-1], bright[:, 0], bright[:, -1]])
    mask = np.zeros(grey.shape, bool)
    mask[y0:y1, x0:x1] = ~bright if border.mean() > 0.5 else bright
    return mask


def _threshold(values: NDArray[np.float32]) -> float:
    """The value that splits `values` in two groups with the largest variance between them."""
    ordered = np.sort(values, axis=None).astype(np.float64)
    below = np.arange(1, ordered.size)
    if not below.size:
        return float(ordered[0])
    sums = np.cumsum(ordered)
    above = ordered.size - below
    between = below * above * (sums[:-1] / below - (sums[-1] - sums[:-1]) / above) ** 2
    return float(ordered[np.argmax(between)])
