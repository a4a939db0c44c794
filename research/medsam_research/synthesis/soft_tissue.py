"""Superficial ultrasound: lesions of the breast between fat and muscle, and nerves between muscle layers."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .canvas import Canvas, Mask, blob, fill, noise, ribbon, soften, spline, texture

__all__ = ["draw_breast_lesion", "draw_nerve"]


def draw_breast_lesion(rng: np.random.Generator, canvas: Canvas) -> None:
    """Skin, fat, gland and muscle with one or two lesions, as a linear probe shows them."""
    height, width = canvas.shape
    _layers(rng, canvas)
    for _ in range(int(rng.choice([1, 1, 1, 2]))):
        centre = (rng.uniform(0.2, 0.8) * width, rng.uniform(0.22, 0.65) * height)
        long = min(canvas.shape) * np.exp(rng.uniform(np.log(0.05), np.log(0.32)))
        benign = rng.random() < 0.5
        radii = (long, long * (rng.uniform(0.35, 0.75) if benign else rng.uniform(0.6, 1.3)))
        rough = rng.uniform(0.03, 0.1) if benign else rng.uniform(0.08, 0.2)
        outline = blob(rng, centre, radii, angle=rng.normal(0, 0.25), roughness=rough, waves=6 if benign else 9)
        mask = fill(canvas.shape, outline)
        if not mask.any():
            continue
        _lesion(rng, canvas, mask, radii[1], benign=benign)
        canvas.label(mask)


def draw_nerve(rng: np.random.Generator, canvas: Canvas) -> None:
    """A nerve, a honeycomb of dark fascicles in a bright net, between muscles; vessels beside it."""
    height, width = canvas.shape
    _layers(rng, canvas)
    for _ in range(int(rng.integers(0, 3))):
        place = (rng.uniform(0, 1) * width, rng.uniform(0.3, 0.8) * height)
        vessel = fill(canvas.shape, blob(rng, place, tuple(rng.uniform(0.03, 0.09, 2) * width), roughness=0.05))
        edge = soften(vessel.astype(np.float32), 1.5)
        canvas.image = canvas.image * (1 - edge) + np.float32(0.03) * edge
    long = width * np.exp(rng.uniform(np.log(0.06), np.log(0.22)))
    centre = (rng.uniform(0.2, 0.8) * width, rng.uniform(0.25, 0.7) * height)
    outline = blob(
        rng, centre, (long, long * rng.uniform(0.3, 0.9)), angle=rng.normal(0, 0.35), roughness=rng.uniform(0.04, 0.14)
    )
    mask = fill(canvas.shape, outline)
    around = float(canvas.image[mask].mean()) if mask.any() else 0.3
    cell = rng.uniform(0.12, 0.35) * long + 2
    fascicles = np.clip(noise(rng, canvas.shape, (cell * 0.8, cell)), -1.5, 1.5)
    inner = around * rng.uniform(0.55, 1.35) * (1 - rng.uniform(0.05, 0.4) * fascicles)
    edge = soften(mask.astype(np.float32), rng.uniform(1.0, 4))
    opacity = rng.uniform(0.5, 1)
    canvas.image = canvas.image * (1 - opacity * edge) + inner * opacity * edge
    sheath = np.clip(soften(mask.astype(np.float32), 1) * (1 - soften(mask.astype(np.float32), 1)) * 4, 0, 1)
    patchy = np.clip(0.5 + noise(rng, canvas.shape, 14), 0, 1)
    canvas.image += sheath * patchy * np.float32(rng.uniform(0, 0.3))
    canvas.label(mask)


def _layers(rng: np.random.Generator, canvas: Canvas) -> None:
    """Skin, then layers of fat, gland or muscle with bright fasciae between them."""
    shape = canvas.shape
    height, width = shape
    edges = np.sort(rng.uniform(0.08, 0.95, int(rng.integers(3, 7)))) * height
    cols = np.arange(width, dtype=np.float32)
    rows = np.arange(height, dtype=np.float32)[:, None]
    image = np.full(shape, rng.uniform(0.3, 0.7), np.float32)
    for edge in (rng.uniform(0.02, 0.06) * height, *edges):
        line = edge + noise(rng, shape, (height, rng.uniform(40, 120)))[0] * 0.02 * height
        line = line + rng.normal(0, 0.06) * (cols - width / 2)
        below = soften((rows > line).astype(np.float32), 1.2)
        image = image * (1 - below) + _filling(rng, shape) * below
        fascia = np.exp(-(((rows - line) / rng.uniform(0.8, 2.2)) ** 2)) * np.clip(0.6 + noise(rng, shape, 25), 0, 1.3)
        image = image + fascia * np.float32(rng.uniform(0.1, 0.6))
    canvas.image = np.clip(image, 0.02, 1.2).astype(np.float32)


def _filling(rng: np.random.Generator, shape: tuple[int, int]) -> NDArray[np.float32]:
    """Fat (dark with strands), gland (bright, mottled) or muscle (fine stripes)."""
    kind = rng.random()
    if kind < 0.35:
        strands = np.abs(noise(rng, shape, (rng.uniform(5, 10), rng.uniform(30, 60))))
        return rng.uniform(0.12, 0.3) + np.float32(0.3) * np.clip(strands - 1.3, 0, 1)
    if kind < 0.6:
        return rng.uniform(0.35, 0.65) * (1 + 0.25 * texture(rng, shape, rng.uniform(10, 30), 3))
    slant = rng.normal(0, 0.25)
    rows, cols = np.indices(shape, dtype=np.float32)
    wavy = (rows + slant * cols + 3 * noise(rng, shape, 30)) / rng.uniform(2.5, 6)
    stripes = np.clip(np.sin(wavy) + 0.8 * noise(rng, shape, (4, 20)) - 0.6, 0, 1.5)
    return rng.uniform(0.15, 0.35) * (1 + rng.uniform(0.4, 1.6) * stripes)


def _lesion(rng: np.random.Generator, canvas: Canvas, mask: Mask, depth: float, *, benign: bool) -> None:
    """Dark and even with enhancement behind, or dark and uneven with a halo, spicules and shadow."""
    shape = canvas.shape
    around = float(canvas.image[mask].mean())
    level = around * rng.uniform(0.08, 0.75)
    inner = level * (1 + rng.uniform(0.05, 0.45) * texture(rng, shape, rng.uniform(4, 0.5 * depth + 5), 3))
    edge = soften(mask.astype(np.float32), rng.uniform(0.7, 2) if benign else rng.uniform(1.5, 0.2 * depth + 2.5))
    if not benign and rng.random() < 0.7:
        halo = soften(mask.astype(np.float32), 0.25 * depth + 2) * (1 - edge)
        canvas.image += halo * np.float32(rng.uniform(0.1, 0.6))
        canvas.image *= 1 - _spicules(rng, mask) * np.float32(rng.uniform(0, 0.6))
    canvas.image = canvas.image * (1 - edge) + inner * edge
    if rng.random() < 0.2:
        chalk = (noise(rng, shape, 2.2) > 2.2) & mask
        canvas.image += soften(chalk.astype(np.float32), 0.6) * np.float32(rng.uniform(0.3, 1))
    gain = rng.uniform(1.0, 1.8) if benign else float(rng.choice([rng.uniform(0.25, 0.8), 1.0]))
    below = np.maximum.accumulate(mask, 0) & ~mask
    fade = np.exp(-np.cumsum(below, 0) / (shape[0] * rng.uniform(0.2, 1.0))).astype(np.float32)
    canvas.image *= 1 + (gain - 1) * soften(below.astype(np.float32), 3) * fade


def _spicules(rng: np.random.Generator, mask: Mask) -> NDArray[np.float32]:
    rows, cols = np.nonzero(mask)
    middle = np.array([cols.mean(), rows.mean()])
    size = np.sqrt(rows.size / np.pi)
    total = np.zeros(mask.shape, np.float32)
    for angle in rng.uniform(0, 2 * np.pi, int(rng.integers(3, 12))):
        way = np.array([np.cos(angle), np.sin(angle)]) * size
        tip = middle + way * rng.uniform(1.2, 2) + rng.normal(0, 0.15, 2) * size
        line = spline(np.array([middle, middle + way, tip]), 16)
        total = np.maximum(total, fill(mask.shape, ribbon(line, np.linspace(0.25 * size, 0.8, 16))))
    return soften(total, 0.8)
