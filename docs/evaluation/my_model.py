"""A model of one's own, in full: what differs from the grey of the box's border belongs to the object.

    python docs/evaluation/my_model.py evaluate phantoms --model border --model ellipse --output evaluation

This is the command `medsamlite` with one more model in it.
"""

from collections.abc import Sequence

import numpy as np
from medsam_backends.backend import Backend, BackendSpec
from medsam_backends.cli.main import main
from medsam_backends.registry import register_backend
from medsam_backends.types import Embedding, Prediction, Prompt


@register_backend
class Border(Backend):
    """Says yes where a pixel is further from the border's median grey than the border's own pixels mostly are."""

    spec = BackendSpec(id="border", name="Unlike the border", version="1", licence="Apache-2.0", rule="sweep")

    def encode(self, image: np.ndarray) -> Embedding:
        """Once an image: (H, W) or (H, W, 3), uint8 or float32 in [0, 255]."""
        self.check_image(image)
        grey = image.mean(axis=2) if image.ndim == 3 else image
        return Embedding(self.spec.identity, grey.shape, {"grey": grey.astype(np.float32)})

    def decode(self, embedding: Embedding, prompts: Sequence[Prompt]) -> list[Prediction]:
        """Once a box: a mask of the image's size, and how good the model thinks it is."""
        self.check_prompts(embedding, prompts)
        return [Prediction(mask(embedding.arrays["grey"], prompt.box), 0.5) for prompt in prompts]


def mask(grey: np.ndarray, box: tuple[float, float, float, float]) -> np.ndarray:
    """The object in the box ``x0 y0 x1 y1``, whose edges lie between pixels."""
    x0, y0, x1, y1 = (round(edge) for edge in np.clip(box, 0, [grey.shape[1], grey.shape[0]] * 2))
    part = grey[y0:y1, x0:x1].astype(np.float32)
    border = np.concatenate([part[0], part[-1], part[:, 0], part[:, -1]])
    unlike = np.abs(part - np.median(border))
    found = np.zeros(grey.shape, bool)
    found[y0:y1, x0:x1] = unlike > np.quantile(np.abs(border - np.median(border)), 0.8)
    return found


if __name__ == "__main__":
    raise SystemExit(main())
