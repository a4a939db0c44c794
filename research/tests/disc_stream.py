"""Batches of bright discs on dark ground: training without data and without a second process."""

from __future__ import annotations

import numpy as np
import torch
from medsam_research.training.feed import to_tensors


class DiscStream:
    """Bright discs on dark ground, one box each: what the data process would give."""

    def __init__(self, seed: int = 0, pictures: int = 2, boxes: int = 2, grid: int = 64) -> None:
        self.random = np.random.default_rng(seed)
        self.pictures, self.boxes, self.grid = pictures, boxes, grid

    def arrays(self) -> dict[str, np.ndarray]:
        n, g = self.pictures * self.boxes, self.grid
        line = ((np.arange(g) + 0.5) * 2 / g - 1) * 1.4
        radius = self.random.uniform(0.5, 1, (n, 1, 1, 1))
        target = ((line[None, :] ** 2 + line[:, None] ** 2)[None, None] < radius**2).astype(np.float16)
        noise = self.random.uniform(0, 60, (n, 3, g, g))
        return {
            "image": self.random.integers(0, 255, (self.pictures, 3, 256, 256), np.uint8),
            "window": (target * 150 + noise).astype(np.uint8),
            "valid": np.ones((n, 1, g, g), np.float32),
            "rect": np.tile(np.float32([0.2, 0.2, 0.6, 0.6]), (n, 1)),
            "scale": np.zeros((n, 2), np.float32),
            "position": np.zeros((n, 2), np.float32),
            "prior": np.zeros((n, 1, g, g), np.float16),
            "has_prior": np.zeros((n, 1), np.float32),
            "points": np.zeros((n, 2, g, g), np.float16),
            "target": target,
            "inside": np.ones((n, 1), np.float32),
            "modality": np.zeros(n, np.int64),
        }

    def next(self) -> dict[str, torch.Tensor]:
        return to_tensors(self.arrays())
