"""Colour pictures of the skin under the dermatoscope: lesions, pigment and hair."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .canvas import Canvas, blob, fill, finish, noise, pick_size, ribbon, soften, spline, texture

__all__ = ["make_skin"]

Picture = tuple[NDArray[np.uint8], NDArray[np.uint8]]


def make_skin(rng: np.random.Generator) -> Picture:
    """A skin lesion under the dermatoscope; label: the lesion."""
    shape = pick_size(rng)
    height, width = shape
    skin = np.array([rng.uniform(0.7, 0.95), rng.uniform(0.5, 0.8), rng.uniform(0.4, 0.75)])
    image = skin * (1 + 0.05 * noise(rng, shape, 70) + 0.03 * texture(rng, shape, 8))[:, :, None]
    canvas = Canvas(np.zeros(shape, np.float32))
    centre = rng.uniform(0.38, 0.62, 2) * (width, height)
    radii = rng.uniform(0.1, 0.42, 2) * min(shape)
    core = fill(shape, blob(rng, tuple(centre), tuple(radii), roughness=0.12, waves=7)).astype(np.float32)
    ragged = soften(core, rng.uniform(2, 6)) + rng.uniform(0.02, 0.12) * texture(rng, shape, 14, 3)
    mask = ragged > 0.5
    pigment = soften(mask.astype(np.float32), rng.uniform(1, 7)) * (
        0.7 + 0.25 * texture(rng, shape, rng.uniform(8, 40), 3)
    )
    tone = skin * np.array([rng.uniform(0.35, 0.85), rng.uniform(0.25, 0.7), rng.uniform(0.25, 0.7)])
    image = image + np.clip(pigment, 0, 1.3)[:, :, None] * (tone - skin) * rng.uniform(0.5, 1.1)
    for _ in range(int(rng.choice([0, 0, 3, 10, 30]))):
        start = rng.uniform(0, 1, 2) * (width, height)
        end = start + rng.normal(0, 0.35, 2) * max(shape)
        hair = fill(
            shape,
            ribbon(spline(np.array([start, (start + end) / 2 + rng.normal(0, 14, 2), end]), 30), rng.uniform(0.8, 2.2)),
        )
        image[hair] *= rng.uniform(0.2, 0.6)
    rows, cols = np.indices(shape)
    if rng.random() < 0.35:
        away = np.hypot(rows - height / 2, cols - width / 2) / max(shape)
        image *= np.clip((rng.uniform(0.46, 0.62) - away) * rng.uniform(6, 40), 0, 1)[:, :, None]
    canvas.label(mask)
    return finish(
        image.astype(np.float32), rng.uniform(0.4, 1.2), 0.012 * noise(rng, shape, 1.2)[:, :, None]
    ), canvas.labels
