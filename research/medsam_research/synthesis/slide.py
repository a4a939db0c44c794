"""A stained section under construction: what each stain and the glass absorb, by the law of Lambert and Beer."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from .canvas import Mask, Points, blob, finish, noise, soften, texture

__all__ = ["Slide", "scattered"]

# Transmitted red, green and blue of the counterstain and of the nuclear stain: haematoxylin with eosin, pale,
# strong, brownish, and with periodic acid-Schiff.
_STAINS = (
    ((0.86, 0.6, 0.74), (0.4, 0.24, 0.55)),
    ((0.92, 0.75, 0.82), (0.5, 0.42, 0.68)),
    ((0.85, 0.4, 0.62), (0.33, 0.18, 0.5)),
    ((0.88, 0.72, 0.72), (0.42, 0.33, 0.45)),
    ((0.78, 0.45, 0.62), (0.3, 0.3, 0.5)),
)
_GLASS = np.array([0.95, 0.94, 0.95])


class Slide:
    """Densities of the two stains, `pink` and `purple`, and how far bare `glass` shows, 0..1; float32 (H, W)."""

    def __init__(self, rng: np.random.Generator, shape: tuple[int, int]) -> None:
        self.rng, self.shape = rng, shape
        fibres = texture(rng, shape, (rng.uniform(6, 16)), 3)
        self.pink = np.clip(0.75 + 0.25 * fibres, 0.1, 1.6).astype(np.float32)
        self.purple = np.clip(0.08 + 0.05 * noise(rng, shape, 12), 0, 1)
        self.glass = soften((noise(rng, shape, rng.uniform(14, 40)) > rng.uniform(1.3, 2.5)).astype(np.float32), 1.5)

    def nuclei(self, outlines: list[Points], density: float) -> None:
        """Add nuclei by their outlines, quickly: all in one drawing."""
        sheet = Image.new("F", (self.shape[1], self.shape[0]))
        draw = ImageDraw.Draw(sheet)
        for outline in outlines:
            draw.polygon(
                outline.astype(np.float32).ravel().tolist(), fill=float(density * np.exp(self.rng.normal(0, 0.25)))
            )
        added = soften(np.array(sheet), 0.7)
        self.purple = np.maximum(self.purple, added * (1 + 0.2 * texture(self.rng, self.shape, 4, 2)))

    def picture(self) -> NDArray[np.uint8]:
        """Absorption of both stains, with this laboratory's tints."""
        rng = self.rng
        stains = np.array(_STAINS[int(rng.integers(len(_STAINS)))])
        pink, purple = (-np.log(np.clip(c + rng.normal(0, 0.04, 3), 0.05, 0.97)) for c in stains)
        tissue = (1 - self.glass * np.clip(1 - 2 * self.purple, 0, 1))[:, :, None]
        image = np.exp(
            -(self.pink[:, :, None] * pink + self.purple[:, :, None] * purple) * tissue * rng.uniform(0.7, 1.3)
        )
        return finish(
            (image * _GLASS * rng.uniform(0.95, 1.04)).astype(np.float32),
            rng.uniform(0.4, 1.1),
            0.02 * rng.random() * noise(rng, self.shape, 1)[:, :, None],
        )


def scattered(
    rng: np.random.Generator, shape: tuple[int, int], count: int, radius: float, where: Mask | None = None
) -> list[Points]:
    """Nuclei at random, or inside the mask `where`."""
    if where is None:
        places = rng.uniform(0, 1, (count, 2)) * (shape[1], shape[0])
    else:
        rows, cols = np.nonzero(where)
        if not rows.size:
            return []
        chosen = rng.integers(0, rows.size, count)
        places = np.stack([cols[chosen], rows[chosen]], 1).astype(float)
    return [
        blob(rng, tuple(p), (radius * s, radius * s * f), roughness=0.06)
        for p, s, f in zip(places, np.exp(rng.normal(0, 0.2, count)), rng.uniform(0.45, 1, count), strict=True)
    ]
