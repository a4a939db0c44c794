"""Glands in stained tissue: walls of epithelium round a lumen, from regular and apart to irregular and crowded."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from .canvas import Canvas, Mask, Points, blob, fill, noise, pick_size, soften, texture
from .slide import Slide, scattered

__all__ = ["make_glands"]

Picture = tuple[NDArray[np.uint8], NDArray[np.uint8]]


@dataclass(frozen=True)
class _Habit:
    """How the glands of one picture look; lengths in pixels."""

    radius: float
    roughness: float
    gap: float
    nucleus: float
    rows: int
    wall: float
    cells: float
    goblets: float
    holes: int
    debris: float
    ink: float


def make_glands(rng: np.random.Generator) -> Picture:
    """Glands in a stroma of spindle cells; labels: each whole gland, wall and lumen."""
    shape = pick_size(rng)
    slide, canvas = Slide(rng, shape), Canvas(np.zeros(shape, np.float32))
    habit = _habit(rng, shape)
    stroma = _stroma(rng, slide, habit)
    taken = np.zeros(shape, bool)
    seams: list[Points] = []
    room = shape[0] * shape[1] / habit.radius**2
    for _ in range(int(np.clip(room * rng.uniform(0.3, 2.5), 6, 90))):
        centre = rng.uniform(-0.1, 1.1, 2) * (shape[1], shape[0])
        radii = habit.radius * rng.uniform(0.6, 1.35) * np.array([1, rng.uniform(0.5, 1)])
        outline = blob(rng, tuple(centre), tuple(radii), roughness=habit.roughness, waves=6)
        mask = fill(shape, outline)
        if np.count_nonzero(mask) < 40 or (mask & taken).any():
            continue
        seams += _gland(rng, slide, outline, mask, habit)
        canvas.label(mask)
        middle = outline.mean(0)
        taken |= fill(shape, middle + (outline - middle) * (1 + habit.gap / radii.min()))
    slide.nuclei([n for n in stroma if not _inside(canvas.labels, n)], habit.ink)
    slide.nuclei(seams, habit.ink)
    return slide.picture(), canvas.labels


def _habit(rng: np.random.Generator, shape: tuple[int, int]) -> _Habit:
    """Benign habits have round walls of one or two rows of nuclei; malignant ones are crowded and pierced."""
    malignant = rng.random() < 0.5
    radius = min(shape) * np.exp(rng.uniform(np.log(0.07), np.log(0.32)))
    nucleus = float(np.clip(radius * rng.uniform(0.05, 0.11), 1.2, 6))
    return _Habit(
        radius=radius,
        roughness=rng.uniform(0.08, 0.2) if malignant else rng.uniform(0.03, 0.12),
        gap=rng.uniform(1.5, 6) if malignant else rng.uniform(3, 0.4 * radius + 4),
        nucleus=nucleus,
        rows=int(rng.integers(2, 5)) if malignant else int(rng.integers(1, 3)),
        wall=rng.uniform(0.35, 1.0) if malignant else rng.uniform(0.35, 0.75),
        cells=rng.uniform(0.1, 0.45) if malignant else rng.uniform(0.02, 0.25),
        goblets=0.0 if malignant else float(rng.choice([0, rng.uniform(0.3, 1)])),
        holes=int(rng.choice([1, 1, 3, 6])) if malignant else 1,
        debris=rng.uniform(0, 0.8) if rng.random() < 0.4 else 0.0,
        ink=rng.uniform(0.45, 1.0),
    )


def _stroma(rng: np.random.Generator, slide: Slide, habit: _Habit) -> list[Points]:
    """Wavy fibres, spindle nuclei along them and swarms of round dark cells."""
    shape = slide.shape
    area = shape[0] * shape[1] / habit.nucleus**2
    along = rng.uniform(0, np.pi)
    count = int(min(area * rng.uniform(0.004, 0.03), 500))
    spindle = [
        blob(rng, tuple(place), (habit.nucleus * rng.uniform(1, 1.9), habit.nucleus * rng.uniform(0.3, 0.6)),
             angle=along + rng.normal(0, 0.5), roughness=0.05)
        for place in rng.uniform(0, 1, (count, 2)) * (shape[1], shape[0])
    ]  # fmt: skip
    swarm = noise(rng, shape, rng.uniform(20, 60)) > rng.uniform(0.6, 2.2)
    return spindle + scattered(
        rng, shape, int(min(swarm.sum() / habit.nucleus**2 * rng.uniform(0.03, 0.12), 400)), habit.nucleus * 0.7, swarm
    )


def _inside(labels: NDArray[np.uint8], outline: Points) -> bool:
    x, y = outline.mean(0)
    row, col = min(max(int(y), 0), labels.shape[0] - 1), min(max(int(x), 0), labels.shape[1] - 1)
    return bool(labels[row, col])


def _gland(rng: np.random.Generator, slide: Slide, outline: Points, mask: Mask, habit: _Habit) -> list[Points]:
    """Paint one gland's cytoplasm and lumen; returns the outlines of its nuclei."""
    rows, cols = ndimage.find_objects(mask.view(np.uint8))[0]
    corner = np.array([max(cols.start - 4, 0), max(rows.start - 4, 0)])
    window = np.s_[corner[1] : rows.stop + 4, corner[0] : cols.stop + 4]
    mask, outline = mask[window], outline - corner
    depth = ndimage.distance_transform_edt(mask).astype(np.float32)
    deepest = max(float(depth.max()), 2.0)
    ragged = depth + 0.1 * deepest * noise(rng, mask.shape, 0.4 * habit.radius + 3)
    lumen = (ragged > habit.wall * deepest) if habit.holes == 1 else _holes(rng, mask, depth, habit)
    _stain(rng, slide, window, mask, lumen, depth, habit)
    middle = outline.mean(0)
    nuclei = []
    for row in range(habit.rows):
        inward = habit.nucleus * (1.5 + 1.8 * row) / deepest
        nuclei += _row(rng, middle + (outline - middle) * max(1 - inward, 0.25), middle, habit)
    if habit.holes > 1 or habit.wall > 0.85:
        count = int(min(mask.sum() / habit.nucleus**2 * rng.uniform(0.05, 0.14), 250))
        nuclei += scattered(rng, mask.shape, count, habit.nucleus, mask & ~lumen)
    return [n + corner for n in nuclei if not _inside(lumen.view(np.uint8), n)]


def _stain(
    rng: np.random.Generator,
    slide: Slide,
    window: tuple[slice, slice],
    mask: Mask,
    lumen: Mask,
    depth: NDArray[np.float32],
    habit: _Habit,
) -> None:
    """Give the cells in `window` their stain, the lumen glass or debris, and some cells drops of mucus."""
    shape = mask.shape
    cells, opening = soften((mask & ~lumen).astype(np.float32), 0.8), soften(lumen.astype(np.float32), 0.8)
    filled = habit.debris * np.clip(0.5 + texture(rng, shape, 9, 2), 0, 1) * opening
    mottled = habit.cells * (1 + 0.2 * texture(rng, shape, 6, 2))
    slide.pink[window] = slide.pink[window] * (1 - cells * rng.uniform(0.2, 0.6)) * (1 - 0.8 * opening) + filled
    slide.purple[window] = slide.purple[window] * ~mask + cells * mottled
    glass = np.maximum(slide.glass[window] * ~mask, opening * rng.uniform(0.7, 1) - filled)
    if habit.goblets:
        swollen = (noise(rng, shape, 1.8 * habit.nucleus + 1) > 0.5) & mask & (depth > 1.8 * habit.nucleus) & ~lumen
        glass = np.maximum(glass, soften(swollen.astype(np.float32), 0.8) * habit.goblets)
    slide.glass[window] = glass


def _holes(rng: np.random.Generator, mask: Mask, depth: NDArray[np.float32], habit: _Habit) -> Mask:
    """Punched-out spaces of a cribriform gland."""
    lumen = np.zeros(mask.shape, bool)
    rows, cols = np.nonzero(depth > 0.3 * depth.max())
    for i in rng.integers(0, rows.size, habit.holes):
        radii = tuple(habit.radius * rng.uniform(0.08, 0.25, 2))
        lumen |= fill(mask.shape, blob(rng, (cols[i], rows[i]), radii, roughness=0.1))
    return lumen & (depth > 0.15 * depth.max())


def _row(rng: np.random.Generator, line: Points, middle: Points, habit: _Habit) -> list[Points]:
    """Nuclei side by side along a closed line, their long axes towards the middle."""
    steps = np.linalg.norm(np.diff(line, axis=0, append=line[:1]), axis=1)
    length = np.concatenate([[0], np.cumsum(steps)])
    spacing = habit.nucleus * rng.uniform(1.2, 1.9)
    at = np.arange(0, length[-1], spacing) + rng.normal(0, 0.25 * spacing, len(np.arange(0, length[-1], spacing)))
    closed = np.vstack([line, line[:1]])
    places = np.stack([np.interp(at % length[-1], length, closed[:, i]) for i in range(2)], 1)
    places += rng.normal(0, 0.3 * habit.nucleus, places.shape)
    inward = np.arctan2(*(middle - places).T[::-1])
    tall = rng.uniform(1.0, 1.9)
    return [
        blob(rng, tuple(p), (habit.nucleus * tall * s, habit.nucleus * 0.75 * s), angle=a, roughness=0.05)
        for p, a, s in zip(places, inward, np.exp(rng.normal(0, 0.15, len(places))), strict=True)
    ]
