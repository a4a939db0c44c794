"""A second task for the encoder while it learns to segment: to tell a teacher's features from its own.

The published winners learned their encoder this way before they saw a label. Here both are learned at once, so that the
decoder never loses its footing.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from medsam_backends.window import sample
from numpy.typing import NDArray
from torch import Tensor, nn

from medsam_research.data.archives import open_archives
from medsam_research.data.config import ENCODER_SIDE
from medsam_research.data.intensity import vary
from medsam_research.data.packed import Pack
from medsam_research.data.teacher import Taught
from medsam_research.models.encoder import FEATURE_CHANNELS, Encoder

from .distil import feature_loss

__all__ = ["Teaching"]

_WIDTH = 192


class Teaching:
    """Pictures with a teacher's features, and the head that guesses these from an encoder's map.

    The student sees a picture mirrored and in other tones; the teacher saw it as it is.

    Parameters
    ----------
    folders : written by ``medsam_research.data.teacher``
    pack : the pictures that these name
    pictures : shown a step
    weight : of the loss
    """

    def __init__(self, folders: list[Path], pack: Pack, seed: int, pictures: int = 3, weight: float = 0.5) -> None:
        self._taught = [Taught(folder) for folder in folders]
        self._pack, self._pictures, self.weight = pack, pictures, weight
        self._rng = np.random.default_rng(seed)
        channels = self._taught[0].features(0).shape[0]
        self._head = nn.Sequential(
            nn.Conv2d(FEATURE_CHANNELS, _WIDTH, 1), nn.Hardswish(), nn.Conv2d(_WIDTH, channels, 1)
        )
        self._optimiser = torch.optim.AdamW(self._head.parameters(), 2e-3)

    @classmethod
    def of(cls, folders: str, data: str, cache: str, seed: int) -> Teaching:
        """From the texts of a `TrainConfig`: folders parted by commas."""
        return cls([Path(name) for name in folders.split(",")], open_archives(Path(data), Path(cache)), seed)

    def loss(self, encoder: Encoder) -> Tensor:
        """Weighted error of the head on a few pictures; its gradient reaches the encoder and the head."""
        made = [self._example() for _ in range(self._pictures)]
        images = torch.from_numpy(np.stack([image for image, _ in made])).contiguous(memory_format=torch.channels_last)
        wanted = torch.from_numpy(np.stack([features for _, features in made]))
        return self.weight * feature_loss(self._head(encoder(images)), wanted)

    def step(self) -> None:
        """Update the head from the gradients that the loss left."""
        self._optimiser.step()
        self._optimiser.zero_grad()

    def _example(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Image (3, side, side) in 0..255 and features (channels, cells, cells) that belong together."""
        rng = self._rng
        taught = self._taught[int(rng.choice(len(self._taught), p=self._shares()))]
        number = int(rng.integers(len(taught)))
        pixels = self._pack[taught.indices[number]].pixels
        side = float(max(pixels.shape[:2]))
        shown = sample(vary(rng, pixels, grey=pixels.ndim == 2), (0.0, 0.0, side, side), ENCODER_SIDE)
        image, features = np.broadcast_to(shown, (3, ENCODER_SIDE, ENCODER_SIDE)), taught.features(number)
        if rng.random() < 0.5:
            image, features = image[:, :, ::-1], features[:, :, ::-1]
        return np.ascontiguousarray(image, np.float32), np.ascontiguousarray(features, np.float32)

    def _shares(self) -> NDArray[np.float64]:
        sizes = np.array([len(taught) for taught in self._taught], float)
        return sizes / sizes.sum()
