"""Colour pictures of surfaces: endoscopic views with folds, lumen and polyps; skin with lesions and hair."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .canvas import Canvas, blob, fill, finish, noise, pick_size, ribbon, soften, spline, texture

__all__ = ["make_endoscopy", "make_skin"]

Picture = tuple[NDArray[np.uint8], NDArray[np.uint8]]


def make_endoscopy(rng: np.random.Generator) -> Picture:
    """A view into the bowel; labels: polyps, sometimes an instrument."""
    shape = pick_size(rng)
    height, width = shape
    base = np.array([rng.uniform(0.6, 0.95), rng.uniform(0.25, 0.55), rng.uniform(0.15, 0.45)])
    rows, cols = np.indices(shape, dtype=np.float32)
    lumen = rng.uniform(0.2, 0.8, 2) * (height, width)
    away = np.hypot(rows - lumen[0], cols - lumen[1]) / max(shape)
    folds = np.sin(away * rng.uniform(20, 45) + 1.5 * noise(rng, shape, 50)) * np.clip(1 - away, 0, 1)
    relief = rng.uniform(0.05, 0.2) * folds + 0.08 * noise(rng, shape, 40) + 0.03 * texture(rng, shape, 9)
    light = 0.55 + 0.45 * np.clip(away / rng.uniform(0.2, 0.6), 0, 1) + relief
    hue = np.ones((*shape, 3), np.float32)
    canvas = Canvas(light)
    for _ in range(int(rng.choice([1, 1, 1, 2, 3]))):
        _polyp(rng, canvas, hue)
    if rng.random() < 0.15:
        start, end = rng.uniform(0, 1, 2) * (width, height), np.array([rng.uniform(0, 1) * width, height + 20])
        tool = fill(shape, ribbon(spline(np.array([start, (start + end) / 2, end])), rng.uniform(0.03, 0.08) * width))
        canvas.paint(tool, 0.6 + 0.3 * noise(rng, shape, (60, 4)))
        hue[tool] = [0.75, 1.6, 1.9]
        canvas.label(tool)
    vessels = np.clip(1 - np.abs(noise(rng, shape, 24)) * 9, 0, 1) * rng.uniform(0, 0.25)
    image = base * hue * canvas.image[:, :, None] * (1 - vessels[:, :, None] * [0.2, 1, 1])
    shine = noise(rng, shape, rng.uniform(3, 7)) + 2.2 * np.clip(canvas.image - 0.9, 0, 1)
    image += soften((shine > 2.9).astype(np.float32), 0.8)[:, :, None] * 0.9
    if rng.random() < 0.6:
        edge = np.maximum(np.abs(cols / width - 0.5), np.abs(rows / height - 0.5)) + 0.3 * np.hypot(
            cols / width - 0.5, rows / height - 0.5
        )
        seen = edge < rng.uniform(0.6, 0.68)
        image *= seen[:, :, None]
        canvas.labels[~seen] = 0
    return finish(
        image.astype(np.float32), rng.uniform(0.5, 1.3), 0.012 * noise(rng, shape, 1.3)[:, :, None]
    ), canvas.labels


def _polyp(rng: np.random.Generator, canvas: Canvas, hue: NDArray[np.float32]) -> None:
    """A bulge lit from the camera: bright on its top, dark at its foot; tint and grain a little other."""
    height, width = canvas.shape
    centre = np.array([rng.uniform(0.15, 0.85) * width, rng.uniform(0.15, 0.85) * height])
    radii = rng.uniform(0.06, 0.28, 2) * min(canvas.shape)
    outline = blob(rng, tuple(centre), tuple(radii), roughness=rng.uniform(0.04, 0.16))
    mask = fill(canvas.shape, outline)
    plain = mask.astype(np.float32)
    dome = soften(plain, radii.mean() * 0.4) * plain
    lit = soften(np.roll(plain, (-int(radii[1] * 0.3), -int(radii[0] * 0.3)), (0, 1)), radii.mean() * 0.3) * plain
    strength = rng.uniform(0.05, 0.4)
    foot = soften(plain, radii.mean() * 0.12 + 1) * (1 - plain)
    canvas.image += strength * (dome + 0.6 * lit - 0.7 * plain) - foot * np.float32(rng.uniform(0, 0.4))
    canvas.image += plain * (rng.normal(0, 0.06) + 0.05 * texture(rng, canvas.shape, 10))
    hue *= 1 + soften(plain, 1)[:, :, None] * rng.normal(0, 0.12, 3).astype(np.float32)
    canvas.label(mask)


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
