"""The ellipse inscribed in the box: a model that does not look at the picture at all."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from medsam_backends import Backend, BackendSpec, Embedding, Prediction, Prompt
from numpy.typing import NDArray

__all__ = ["EllipseInBox"]


class EllipseInBox(Backend):
    """In a volume, the section of the ellipsoid inscribed in the 3-D box."""

    spec = BackendSpec(
        id="ellipse-in-box",
        name="Ellipse in the box",
        version="1.0",
        licence="Apache-2.0",
        prompts=frozenset({"box", "position"}),  # of what it is told, it uses these
        rule="sweep",  # the user's box on every slice, smaller towards the ends
        limits=("Does not look at the image: a baseline, no segmentation.",),
    )

    def encode(self, image: NDArray[np.generic]) -> Embedding:
        self.check_image(image)
        return Embedding(self.spec.identity, (image.shape[0], image.shape[1]))

    def decode(self, embedding: Embedding, prompts: Sequence[Prompt]) -> list[Prediction]:
        self.check_prompts(embedding, prompts)
        return [Prediction(self._ellipse(prompt, embedding.size), iou=1.0) for prompt in prompts]

    def _ellipse(self, prompt: Prompt, size: tuple[int, int]) -> NDArray[np.bool_]:
        """The pixels whose centre lies inside, (H, W) bool."""
        x0, y0, x1, y1 = self.image_box(prompt, size)
        rows, columns = np.ogrid[: size[0], : size[1]]
        u = (columns + 0.5 - (x0 + x1) / 2) / ((x1 - x0) / 2)
        v = (rows + 0.5 - (y0 + y1) / 2) / ((y1 - y0) / 2)
        w = prompt.position or 0.0  # -1 and 1 at the ends of a 3-D box
        inside: NDArray[np.bool_] = u**2 + v**2 + w**2 <= 1
        return inside
