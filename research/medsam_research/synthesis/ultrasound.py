"""Ultrasound: speckle, depth attenuation, fan or rectangle, lesions with shadow or enhancement, heads and chambers."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .canvas import Canvas, Mask, blob, fill, finish, noise, pick_size, soften, texture
from .soft_tissue import draw_breast_lesion, draw_nerve

__all__ = ["make"]


def make(rng: np.random.Generator) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """A scan; labels: lesions and cysts, a nerve, a head, or a chamber with its wall."""
    shape = pick_size(rng)
    canvas = Canvas(_tissue(rng, shape))
    drawings = (_lesions, draw_breast_lesion, draw_nerve, _head, _chambers)
    draw = drawings[int(rng.choice(len(drawings), p=[0.2, 0.3, 0.2, 0.13, 0.17]))]
    draw(rng, canvas)
    image = _speckled(rng, canvas.image)
    linear = draw in (draw_breast_lesion, draw_nerve) and rng.random() < 0.9
    fan = np.ones(shape, bool) if linear else _field(rng, shape)
    canvas.labels[~fan] = 0
    return finish(image * fan), canvas.labels


def _tissue(rng: np.random.Generator, shape: tuple[int, int]) -> NDArray[np.float32]:
    """Layers across the depth with streaks along them."""
    warp = noise(rng, shape, 70) * shape[0] * 0.02
    rows = np.arange(shape[0], dtype=np.float32)[:, None] + warp
    profile = np.clip(0.35 + 0.15 * noise(rng, (shape[0] + 80, 1), (rng.uniform(12, 40), 1))[:, 0], 0.08, 0.9)
    image = profile[np.clip(rows + 40, 0, shape[0] + 79).astype(int)]
    streaks = np.abs(noise(rng, shape, (rng.uniform(3, 7), rng.uniform(20, 50))))
    return image * (0.8 + 0.25 * texture(rng, shape, 30)) + np.float32(0.12) * (streaks > 1.6) * streaks


def _lesions(rng: np.random.Generator, canvas: Canvas) -> None:
    height, width = canvas.shape
    for _ in range(int(rng.choice([1, 1, 1, 2, 3]))):
        centre = (rng.uniform(0.25, 0.75) * width, rng.uniform(0.25, 0.7) * height)
        radii = rng.uniform(0.05, 0.24, 2) * min(canvas.shape)
        mask = fill(
            canvas.shape,
            blob(rng, centre, tuple(radii), angle=rng.normal(0, 0.4), roughness=rng.choice([0.05, 0.1, 0.2])),
        )
        cyst = rng.random() < 0.35
        around = canvas.image[mask].mean() if mask.any() else 0.3
        level = 0.02 if cyst else around * (rng.uniform(1.3, 1.9) if rng.random() < 0.2 else rng.uniform(0.2, 0.75))
        blurred = soften(mask.astype(np.float32), rng.uniform(0.8, 4))
        inner = level * (1 + 0.25 * texture(rng, canvas.shape, 12, 2))
        canvas.image = canvas.image * (1 - blurred) + inner * blurred
        if rng.random() < 0.4:
            rim = soften(mask.astype(np.float32), 3) * (1 - blurred) * 2
            canvas.image += rim * np.float32(rng.uniform(0, 0.35))
        _beam_below(rng, canvas, mask, rng.uniform(1.1, 1.6) if cyst else rng.choice([1.0, rng.uniform(0.3, 0.9)]))
        canvas.label(mask)


def _beam_below(rng: np.random.Generator, canvas: Canvas, mask: Mask, gain: float) -> None:
    """Shadow (gain below 1) or enhancement behind an object."""
    below = (np.cumsum(mask, 0) > 0) & ~mask
    strength = soften(below.astype(np.float32), 3)
    canvas.image *= 1 + (gain - 1) * strength


def _head(rng: np.random.Generator, canvas: Canvas) -> None:
    height, width = canvas.shape
    centre = (rng.uniform(0.42, 0.58) * width, rng.uniform(0.42, 0.58) * height)
    long = min(width, height) * rng.uniform(0.3, 0.48)
    radii = (long, long * rng.uniform(0.68, 0.88))
    angle = rng.normal(0, 0.4)
    outline = blob(rng, centre, radii, angle=angle, roughness=0.015)
    mask = fill(canvas.shape, outline)
    middle = np.array(centre)
    inner = fill(canvas.shape, middle + (outline - middle) * rng.uniform(0.9, 0.96))
    canvas.paint(mask, 0.1 + 0.06 * np.abs(texture(rng, canvas.shape, 20)), 0.85)
    skull = soften((mask & ~inner).astype(np.float32), 1.3)
    facing = np.abs(
        np.sin(np.arctan2(*(np.indices(canvas.shape) - middle[::-1, None, None])[::-1]) - angle + np.pi / 2)
    )
    canvas.image += skull * (0.25 + 0.75 * facing.astype(np.float32)) * np.float32(rng.uniform(0.5, 1))
    for _ in range(int(rng.integers(0, 4))):
        spot = fill(
            canvas.shape,
            blob(rng, tuple(middle + rng.normal(0, 0.3, 2) * long), tuple(rng.uniform(0.05, 0.25, 2) * long)),
        )
        canvas.image += soften((spot & inner).astype(np.float32), 2) * np.float32(rng.uniform(-0.08, 0.2))
    canvas.label(mask)


def _chambers(rng: np.random.Generator, canvas: Canvas) -> None:
    """Fluid-filled chambers in a brighter wall: heart, vessel, bladder, kidney."""
    height, width = canvas.shape
    for _ in range(int(rng.integers(1, 4))):
        centre = (rng.uniform(0.3, 0.7) * width, rng.uniform(0.3, 0.7) * height)
        radii = rng.uniform(0.08, 0.26, 2) * min(canvas.shape)
        outline = blob(rng, centre, tuple(radii), roughness=0.1)
        middle = outline.mean(0)
        wall, cavity = (
            fill(canvas.shape, outline),
            fill(canvas.shape, middle + (outline - middle) * rng.uniform(0.45, 0.85)),
        )
        ring = wall & ~cavity
        canvas.paint(ring, rng.uniform(0.25, 0.6) + 0.1 * texture(rng, canvas.shape, 10), 0.8)
        canvas.paint(cavity, rng.uniform(0.02, 0.12), 0.9)
        if rng.random() < 0.5:
            canvas.label(ring)
            canvas.label(cavity)
        else:
            canvas.label(wall)


def _speckled(rng: np.random.Generator, image: NDArray[np.float32]) -> NDArray[np.float32]:
    """Rayleigh speckle of the machine's point spread, wider across than along the beam, then compressed."""
    spread = (rng.uniform(0.9, 1.8), rng.uniform(1.2, 3.2))
    real, imaginary = noise(rng, image.shape, spread), noise(rng, image.shape, spread)
    envelope = np.sqrt(real**2 + imaginary**2) / np.float32(1.25)
    mix = rng.uniform(0.2, 0.85)
    image = np.clip(image, 0, 1) * (1 - mix + mix * envelope)
    rows = np.linspace(0, 1, image.shape[0], dtype=np.float32)[:, None]
    image = image * np.exp(-rng.uniform(0, 1.2) * rows) * (1 + 0.1 * noise(rng, image.shape, 60))
    return soften(np.clip(image * rng.uniform(0.7, 1.4), 0, 1) ** rng.uniform(0.6, 1.2), rng.uniform(0.2, 0.9))


def _field(rng: np.random.Generator, shape: tuple[int, int]) -> Mask:
    """The part of the picture that the probe sees: all, a rectangle or a fan."""
    if rng.random() < 0.5:
        return np.ones(shape, bool)
    rows, cols = np.indices(shape)
    apex = np.array([-rng.uniform(0.02, 0.4) * shape[0], shape[1] * rng.uniform(0.45, 0.55)])
    away = np.hypot(rows - apex[0], cols - apex[1])
    angle = np.abs(np.arctan2(cols - apex[1], rows - apex[0]))
    return (
        (angle < rng.uniform(0.5, 0.8))
        & (away < shape[0] * rng.uniform(0.95, 1.3))
        & (away > -apex[0] + shape[0] * 0.04)
    )
