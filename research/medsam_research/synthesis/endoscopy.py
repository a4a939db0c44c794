"""Endoscopic views: mucosa with folds, vessels and a lumen, polyps of all forms, remnants, instruments and the frame.

Light comes from the camera, so that a surface is bright where it faces the viewer and stands near.
"""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from scipy import ndimage

from .canvas import Canvas, Mask, blob, fill, finish, noise, pick_size, ribbon, soften, spline, texture
from .polyp import Surface, add_polyp

__all__ = ["make"]

Colour = NDArray[np.float32]
# Red, green and blue of the mucosa: usual, pale, inflamed, bile-stained, brownish, narrow-band.
_MUCOSA = ((0.86, 0.52, 0.42), (0.9, 0.66, 0.58), (0.85, 0.36, 0.28), (0.85, 0.55, 0.2), (0.62, 0.42, 0.3),
           (0.5, 0.58, 0.5))  # fmt: skip


def make(rng: np.random.Generator) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """A view into the bowel; labels: polyps, sometimes an instrument."""
    shape = pick_size(rng)
    surface = _mucosa(rng, shape)
    canvas = Canvas(surface.light)
    for _ in range(int(rng.choice([1, 1, 1, 1, 2, 3]))):
        canvas.label(add_polyp(rng, surface))
    if rng.random() < 0.15:
        canvas.labels[_fold_in_front(rng, surface)] = 0
    for _ in range(int(rng.choice([0, 0, 1, 3]))):
        _remnant(rng, surface)
    if rng.random() < 0.12:
        canvas.label(_instrument(rng, surface))
    _highlights(rng, surface)
    image = surface.picture()
    if rng.random() < 0.3:
        _bubbles(rng, image)
    seen = _frame(rng, shape)
    image *= _vignette(rng, shape)[:, :, None]
    if rng.random() < 0.12:
        image = _shaken(rng, image)
    image *= soften(seen.astype(np.float32), 0.6)[:, :, None]
    canvas.labels[~seen] = 0
    pixels = finish(image, rng.uniform(0.3, 1.2), 0.01 * noise(rng, shape, 1.4)[:, :, None] * seen[:, :, None])
    if rng.random() < 0.35:
        pixels = _overlay(rng, pixels, canvas.labels)
    return _compressed(rng, pixels), canvas.labels


def _mucosa(rng: np.random.Generator, shape: tuple[int, int]) -> Surface:
    """The wall: bright near the camera, dark in the lumen, with folds round it and vessels in it."""
    height, width = shape
    rows, cols = np.indices(shape, dtype=np.float32)
    lumen = rng.uniform(-0.1, 1.1, 2) * (width, height)
    warp = texture(rng, shape, 90, 2) * max(shape) * rng.uniform(0.02, 0.06)
    turn = np.arctan2(rows - lumen[1], cols - lumen[0])
    squash = 1 + 0.3 * rng.uniform(-1, 1) * np.cos(2 * turn + rng.uniform(0, 6))
    away = np.maximum(np.hypot(rows - lumen[1], cols - lumen[0]) * squash + warp, 1) / max(shape)
    hole = rng.choice([0.0, rng.uniform(0.02, 0.3)], p=[0.3, 0.7])
    light = 0.75 + 0.25 * np.tanh((away - 0.5) * 2)
    if hole:
        light *= 0.12 + 0.88 / (1 + np.exp(-(away - hole) / rng.uniform(0.015, 0.1)))
    light = light + _folds(rng, away, turn)
    glow = rng.uniform(-0.1, 1.1, 2) * (width, height)
    near = np.exp(-((rows - glow[1]) ** 2 + (cols - glow[0]) ** 2) / (rng.uniform(0.25, 0.7) * max(shape)) ** 2)
    light = light * (0.75 + rng.uniform(0.1, 0.6) * near) * (1 + 0.06 * texture(rng, shape, 60, 3))
    light *= 1 + rng.uniform(0.01, 0.04) * texture(rng, shape, 5, 2)
    light *= rng.uniform(0.8, 1.35) / max(float(np.percentile(light, 90)), 0.2)
    base = np.array(_MUCOSA[int(rng.choice(len(_MUCOSA), p=[0.35, 0.15, 0.2, 0.1, 0.12, 0.08]))])
    base = np.clip(base * np.exp(rng.normal(0, 0.08, 3)), 0.05, 1)
    hue = np.broadcast_to(base, (*shape, 3)).astype(np.float32)
    blush = np.clip(0.06 * texture(rng, shape, rng.uniform(25, 80), 2), -0.2, 0.2)
    hue = hue * (1 + blush[:, :, None] * np.float32([0.2, -1, -1]))
    vessels = _vessels(rng, shape) * rng.choice([0.0, rng.uniform(0.1, 0.45)])
    hue = hue * (1 - vessels[:, :, None] * np.float32([0.35, 1, 0.9]))
    return Surface(light.astype(np.float32), hue.astype(np.float32), np.zeros(shape, np.float32))


def _folds(rng: np.random.Generator, away: Colour, turn: Colour) -> Colour:
    """Rings round the lumen: each rises slowly to its crest and falls into shadow behind it."""
    if rng.random() < 0.25:
        return np.zeros_like(away)
    wobble = rng.uniform(0, 0.5) * np.sin(turn * int(rng.integers(1, 4)) + rng.uniform(0, 6))
    phase = np.log(away + 0.08) * rng.uniform(0.8, 2.6) + wobble + 0.3 * texture(rng, away.shape, 60, 2)
    step = phase - np.floor(phase)
    crest = np.clip((1 - step) / rng.uniform(0.06, 0.3), 0, 1) * step
    partly = np.clip(0.5 + 0.8 * noise(rng, away.shape, max(away.shape) / 2), 0, 1)
    return soften((crest - 0.4) * partly, rng.uniform(0.8, 2.5)) * np.float32(rng.uniform(0.1, 0.5))


def _vessels(rng: np.random.Generator, shape: tuple[int, int]) -> Colour:
    """Branching dark lines where smooth noises cross zero, coarse and fine."""
    total = np.zeros(shape, np.float32)
    for cell, width in ((rng.uniform(35, 60), 0.09), (rng.uniform(14, 26), 0.13)):
        line = np.clip(1 - np.abs(texture(rng, shape, cell, 3, 0.5)) / width, 0, 1)
        total = np.maximum(total, line * np.clip(noise(rng, shape, 50) + 0.5, 0, 1))
    return soften(total, 0.7)


def _fold_in_front(rng: np.random.Generator, surface: Surface) -> Mask:
    """A fold near the camera that hides what lies behind; returns what it covers."""
    height, width = surface.light.shape
    angle = rng.uniform(0, 2 * np.pi)
    out = np.array([np.cos(angle), np.sin(angle)]) * (width, height)
    centre = np.array([width, height]) / 2 + out * rng.uniform(0.75, 0.95)
    radii = tuple(rng.uniform(0.4, 0.6, 2) * max(height, width))
    mask = fill((height, width), blob(rng, tuple(centre), radii, roughness=0.08))
    depth = np.minimum(ndimage.distance_transform_edt(mask) / rng.uniform(15, 50), 1).astype(np.float32)
    foot = np.clip(soften(mask.astype(np.float32), rng.uniform(3, 10)) * 1.5, 0, 1) * ~mask
    surface.light[:] *= 1 - foot * np.float32(rng.uniform(0.3, 0.7))
    lit = (rng.uniform(0.5, 0.8) + rng.uniform(0.2, 0.5) * np.sqrt(depth)) * (
        1 + 0.05 * texture(rng, mask.shape, 30, 3)
    )
    surface.light[mask] = lit[mask]
    surface.hue[mask] = np.median(surface.hue[~mask], 0) * (1 + rng.normal(0, 0.03, 3)) if (~mask).any() else 0.5
    return mask


def _remnant(rng: np.random.Generator, surface: Surface) -> None:
    """Stool or mucus: yellow to brown, ragged, grainy."""
    height, width = surface.light.shape
    centre = tuple(rng.uniform(0, 1, 2) * (width, height))
    core = fill((height, width), blob(rng, centre, tuple(rng.uniform(3, 26, 2)), roughness=0.3))
    ragged = soften(core.astype(np.float32), 3) + 0.15 * texture(rng, core.shape, 10, 3)
    cover = np.clip((ragged - 0.45) * rng.uniform(3, 10), 0, rng.uniform(0.4, 1))[:, :, None]
    tone = np.array([rng.uniform(0.6, 1), rng.uniform(0.5, 0.8), rng.uniform(0.1, 0.5)])
    grain = (1 + 0.2 * texture(rng, core.shape, 5, 2))[:, :, None]
    surface.hue[:] = surface.hue * (1 - cover) + np.float32(tone) * grain * cover


def _instrument(rng: np.random.Generator, surface: Surface) -> Mask:
    """A forceps, snare or tube from the edge: shaded across its width."""
    height, width = surface.light.shape
    side = rng.uniform(0, 2 * np.pi)
    end = np.array([width, height]) * (0.5 + 0.8 * np.array([np.cos(side), np.sin(side)]))
    start = np.array([width, height]) * rng.uniform(0.3, 0.7, 2)
    thick = rng.uniform(0.025, 0.09) * width
    line = spline(np.array([start, (start + end) / 2 + rng.normal(0, 8, 2), end]))
    mask = fill((height, width), ribbon(line, thick))
    across = np.minimum(ndimage.distance_transform_edt(mask) / (thick / 2), 1).astype(np.float32)
    tone = np.array([(0.8, 0.85, 0.9), (0.9, 0.9, 0.85), (0.5, 0.6, 0.75), (0.25, 0.25, 0.28)][int(rng.integers(4))])
    surface.light[mask] = (0.35 + 0.75 * np.sqrt(across))[mask]
    surface.hue[mask] = tone * rng.uniform(0.8, 1.1)
    surface.shine[mask] = (np.clip(across - 0.8, 0, 1) * rng.uniform(0, 4))[mask]
    return mask


def _highlights(rng: np.random.Generator, surface: Surface) -> None:
    """Wet spots that mirror the lamp: in swarms, on the brighter parts."""
    shape = surface.light.shape
    if rng.random() < 0.2:
        return
    swarm = noise(rng, shape, rng.uniform(40, 90))
    fine = noise(rng, shape, (rng.uniform(2.5, 7), rng.uniform(2.5, 10)))
    spots = fine + 0.6 * swarm + 1.2 * (surface.light - 0.8) > rng.uniform(2.7, 4.2)
    surface.shine[:] += soften(spots.astype(np.float32), 0.7) * np.float32(rng.uniform(0.6, 1.3))


def _bubbles(rng: np.random.Generator, image: Colour) -> None:
    """Foam: small discs with a bright rim and a glint."""
    height, width = image.shape[:2]
    centre = rng.uniform(0.1, 0.9, 2) * (width, height)
    rows, cols = np.indices((height, width), dtype=np.float32)
    for _ in range(int(rng.integers(2, 14))):
        x, y = centre + rng.normal(0, 22, 2)
        radius = rng.uniform(2, 8)
        away = np.hypot(cols - x, rows - y) / radius
        rim = np.exp(-(((away - 0.9) / 0.15) ** 2)) * rng.uniform(0.05, 0.3)
        glint = np.exp(-(((cols - x + radius / 3) ** 2 + (rows - y + radius / 3) ** 2) / (0.08 * radius**2 + 0.3)))
        image += (rim + 0.6 * glint)[:, :, None]


def _vignette(rng: np.random.Generator, shape: tuple[int, int]) -> Colour:
    rows, cols = np.indices(shape, dtype=np.float32)
    away = np.hypot((rows / shape[0] - 0.5), (cols / shape[1] - 0.5))
    return 1 - np.float32(rng.uniform(0, 1.1)) * np.clip(away - 0.3, 0, 1)


def _shaken(rng: np.random.Generator, image: Colour) -> Colour:
    """Motion blur along a line."""
    reach, angle = rng.uniform(2, 7), rng.uniform(0, np.pi)
    steps = [(round(reach * t * np.sin(angle)), round(reach * t * np.cos(angle))) for t in np.linspace(-1, 1, 5)]
    return np.mean([np.roll(image, step, (0, 1)) for step in steps], 0, dtype=np.float32)


def _frame(rng: np.random.Generator, shape: tuple[int, int]) -> Mask:
    """What the optics show: all, an octagon, a disc or a rounded square, seldom with a hole for an inlay."""
    rows, cols = np.indices(shape, dtype=np.float32)
    y, x = np.abs(rows / shape[0] - 0.5) * 2, np.abs(cols / shape[1] - 0.5) * 2
    kind = rng.random()
    if kind < 0.25:
        seen = np.ones(shape, bool)
    elif kind < 0.7:
        edge = rng.uniform(0.94, 1.0)
        seen = (x < edge) & (y < edge) & (x + y < rng.uniform(1.25, 1.7))
    elif kind < 0.85:
        seen = np.hypot(x * rng.uniform(0.8, 1), y * rng.uniform(0.8, 1)) < rng.uniform(0.92, 1.1)
    else:
        seen = x**4 + y**4 < rng.uniform(0.8, 1.2)
    if rng.random() < 0.3:
        seen[int(shape[0] * rng.uniform(0.62, 0.75)) :, : int(shape[1] * rng.uniform(0.25, 0.35))] = False
    return seen


def _overlay(rng: np.random.Generator, pixels: NDArray[np.uint8], labels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The recorder's small white writing at the left."""
    sheet = Image.fromarray(pixels)
    draw = ImageDraw.Draw(sheet)
    top, left = rng.uniform(0.05, 0.4) * labels.shape[0], rng.uniform(0, 6)
    for line in range(int(rng.integers(1, 6))):
        text = "".join(rng.choice(list("0123456789:/."), int(rng.integers(3, 10))))
        draw.text((left, top + 11 * line), text, fill=(225, 225, 225), font_size=int(rng.integers(7, 10)))
    return np.array(sheet)


def _compressed(rng: np.random.Generator, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "jpeg", quality=int(rng.integers(45, 95)))
    return np.array(Image.open(stream))
