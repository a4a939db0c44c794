"""Microscopy: nuclei in crowds, blood and smear cells with nuclei, membranes in electron micrographs."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.spatial import cKDTree

from .canvas import Canvas, Mask, Points, blob, fill, finish, noise, pick_size, soften, texture

__all__ = ["make"]

Picture = tuple[NDArray[np.uint8], NDArray[np.uint8]]


def make(rng: np.random.Generator) -> Picture:
    """A micrograph; labels: nuclei, or cells, or cell sections between membranes."""
    kinds = (_nuclei, _nuclei, _smear, _smear, _membranes, _cultured)
    return kinds[int(rng.integers(len(kinds)))](rng)


def _crowd(rng: np.random.Generator, shape: tuple[int, int], radius: float, count: int, overlap: float) -> list[Points]:
    """Outlines of roughly equal cells that overlap at most a little, often in clusters."""
    clusters = rng.uniform(0, 1, (max(1, count // 8), 2)) * (shape[1], shape[0])
    placed: list[tuple[NDArray[np.float64], float]] = []
    outlines = []
    flat = rng.uniform(0.6, 1)
    for _ in range(count * 3):
        if len(outlines) >= count:
            break
        spot = rng.uniform(0, 1, 2) * (shape[1], shape[0])
        if rng.random() < 0.6:
            spot = clusters[int(rng.integers(len(clusters)))] + rng.normal(0, radius * 2.5, 2)
        size = radius * np.exp(rng.normal(0, 0.2))
        if any(np.hypot(*(spot - other)) < (size + r) * (1 - overlap) for other, r in placed):
            continue
        placed.append((spot, size))
        squeeze = np.clip(rng.normal(flat, 0.12), 0.45, 1.0)
        outlines.append(blob(rng, tuple(spot), (size, size * squeeze), roughness=rng.uniform(0.02, 0.1)))
    return outlines


def _nuclei(rng: np.random.Generator) -> Picture:
    """Fluorescent nuclei on dark ground, sometimes inverted, of uneven brightness."""
    shape = pick_size(rng)
    canvas = Canvas(rng.uniform(0.01, 0.12) + 0.02 * noise(rng, shape, 60))
    radius = rng.uniform(6, 24)
    count = int(np.clip(rng.uniform(0.1, 0.7) * shape[0] * shape[1] / (np.pi * radius**2), 3, 110))
    grain = texture(rng, shape, radius / 2, 3)
    bright = rng.uniform(0.15, 0.8)
    for outline in _crowd(rng, shape, radius, count, rng.uniform(0, 0.25)):
        mask = fill(shape, outline)
        canvas.paint(mask, bright * np.exp(rng.normal(0, 0.3)) * (1 + 0.15 * grain), 0.9)
        canvas.label(mask)
    glow = soften(canvas.image, radius * 0.6) * rng.uniform(0, 0.4)
    image = canvas.image + glow
    image = 0.95 - image if rng.random() < 0.2 else image
    return finish(image, rng.uniform(0.6, 1.8), rng.uniform(0.003, 0.04) * noise(rng, shape, 1.1)), canvas.labels


_STAINS = (
    ((0.93, 0.88, 0.86), (0.82, 0.62, 0.62), (0.75, 0.68, 0.86), (0.38, 0.2, 0.55)),
    ((0.92, 0.92, 0.9), (0.85, 0.72, 0.66), (0.62, 0.72, 0.85), (0.22, 0.2, 0.5)),
    ((0.8, 0.8, 0.74), (0.72, 0.62, 0.52), (0.68, 0.66, 0.6), (0.34, 0.2, 0.42)),
    ((0.87, 0.87, 0.89), (0.8, 0.75, 0.82), (0.6, 0.75, 0.78), (0.3, 0.25, 0.4)),
)


def _smear(rng: np.random.Generator) -> Picture:
    """A stained smear: one or some cells with cytoplasm and a dark, at times lobed nucleus, among paler ones."""
    side = int(rng.integers(110, 290))
    shape = (side, int(side * rng.uniform(0.9, 1.2)))
    ground, pale, plasm, dark = (np.array(c) + rng.normal(0, 0.04, 3) for c in _STAINS[int(rng.integers(len(_STAINS)))])
    image = ground + 0.02 * noise(rng, shape, 40)[:, :, None]
    single = rng.random() < 0.6
    radius = side * (rng.uniform(0.18, 0.34) if single else rng.uniform(0.1, 0.2))
    for outline in _crowd(rng, shape, side * rng.uniform(0.12, 0.2), int(rng.integers(0, 14)), 0.15):
        image = _over(image, fill(shape, outline), pale * np.exp(rng.normal(0, 0.04)), rng.uniform(0.6, 1), 1.2)
    labels = Canvas(np.zeros(shape, np.float32))
    whole_cells = rng.random() < 0.5
    centre = (shape[1] * rng.uniform(0.4, 0.6), shape[0] * rng.uniform(0.4, 0.6))
    cells = [blob(rng, centre, (radius, radius * rng.uniform(0.8, 1)), roughness=0.06)]
    if not single:
        cells += [
            c
            for c in _crowd(rng, shape, radius, int(rng.integers(2, 7)), 0.1)
            if np.hypot(*(c.mean(0) - centre)) > 2 * radius
        ]
    for outline in cells:
        cell = fill(shape, outline)
        nucleus = _nucleus(rng, shape, outline) & cell
        tint = plasm * np.exp(rng.normal(0, 0.05)) * (1 + 0.05 * texture(rng, shape, 6)[:, :, None])
        image = _over(image, cell, tint, rng.uniform(0.5, 0.95), 1.0)
        shade = dark * (1 + 0.18 * texture(rng, shape, 5, 2)[:, :, None]) + rng.uniform(0, 0.12)
        image = _over(image, nucleus, shade, rng.uniform(0.8, 1), 0.8)
        labels.label(cell if whole_cells else nucleus)
        if whole_cells and rng.random() < 0.3:
            labels.label(nucleus)
    return finish(
        image.astype(np.float32), rng.uniform(0.4, 1.2), 0.015 * rng.random() * noise(rng, shape, 1)[:, :, None]
    ), labels.labels


def _over(
    image: NDArray[np.float64], mask: Mask, colour: NDArray[np.float64], opacity: float, blur: float
) -> NDArray[np.float64]:
    soft = (soften(mask.astype(np.float32), blur) * opacity)[:, :, None]
    return image * (1 - soft) + colour * soft


def _nucleus(rng: np.random.Generator, shape: tuple[int, int], cell: Points) -> Mask:
    centre, extent = cell.mean(0), float(np.ptp(cell, 0).mean()) / 2
    share = rng.uniform(0.25, 0.9)
    lobes = int(rng.choice([1, 1, 1, 2, 3, 4]))
    mask = np.zeros(shape, bool)
    start = rng.uniform(0, 2 * np.pi)
    for i in range(lobes):
        off = np.array([np.cos(start + i * 1.4), np.sin(start + i * 1.4)]) * extent * (0.15 if lobes == 1 else 0.36)
        size = extent * share * (1 if lobes == 1 else 0.55)
        mask |= fill(shape, blob(rng, tuple(centre + off), (size, size * rng.uniform(0.7, 1)), roughness=0.1))
    return mask


def _membranes(rng: np.random.Generator) -> Picture:
    """Cells packed without gaps: dark membranes, grey plasm with darker organelles."""
    shape = pick_size(rng)
    count = int(rng.integers(12, 70))
    places = rng.uniform(-0.05, 1.05, (count, 2)) * shape
    rows, cols = np.indices(shape, dtype=np.float32)
    pull = shape[0] / np.sqrt(count)
    rows += noise(rng, shape, pull * 0.7) * pull * 0.2
    cols += noise(rng, shape, pull * 0.7) * pull * 0.2
    distance, nearest = cKDTree(places).query(np.stack([rows, cols], -1)[::2, ::2].reshape(-1, 2), k=2)
    small = rows[::2, ::2].shape
    gap = _enlarged((distance[:, 1] - distance[:, 0]).reshape(small).astype(np.float32), shape)
    index = np.kron(nearest[:, 0].reshape(small), np.ones((2, 2), int))[: shape[0], : shape[1]]
    width = rng.uniform(2.5, 6)
    wall = np.clip(1 - gap / width, 0, 1)
    plasm = rng.uniform(0.5, 0.8) + 0.06 * rng.standard_normal(count)[index].astype(np.float32)
    image = plasm * (1 + 0.1 * texture(rng, shape, 8, 3))
    for _ in range(int(rng.integers(5, 30))):
        place = rng.uniform(0, 1, 2) * (shape[1], shape[0])
        spot = fill(shape, blob(rng, tuple(place), tuple(rng.uniform(3, 11, 2)), roughness=0.2)).astype(np.float32)
        image -= soften(spot, 0.8) * np.float32(rng.uniform(0.05, 0.3))
    image = image * (1 - wall * rng.uniform(0.5, 0.9))
    labels = np.where(wall < 0.4, index % 250 + 1, 0).astype(np.uint8)
    return finish(image, rng.uniform(0.5, 1.2), rng.uniform(0.01, 0.07) * noise(rng, shape, 1.2)), labels


def _enlarged(plane: NDArray[np.float32], shape: tuple[int, int]) -> NDArray[np.float32]:
    return np.asarray(Image.fromarray(plane).resize((shape[1], shape[0]), Image.Resampling.BILINEAR))


def _cultured(rng: np.random.Generator) -> Picture:
    """Unstained cells in phase contrast: little contrast inside, a bright halo and dark rim."""
    shape = pick_size(rng)
    canvas = Canvas(rng.uniform(0.4, 0.6) + 0.03 * texture(rng, shape, 40))
    grain = texture(rng, shape, 6, 3)
    radius = rng.uniform(10, 30)
    for outline in _crowd(rng, shape, radius, int(rng.integers(4, 40)), 0.1):
        mask = fill(shape, outline)
        soft = soften(mask.astype(np.float32), 1.5)
        canvas.image += (soften(mask.astype(np.float32), 4) - soft) * np.float32(rng.uniform(0.2, 0.6))
        canvas.image += soft * (rng.uniform(-0.15, 0.08) + 0.06 * grain)
        canvas.label(mask)
    return finish(canvas.image, 0.7, rng.uniform(0.005, 0.03) * noise(rng, shape, 1.2)), canvas.labels
