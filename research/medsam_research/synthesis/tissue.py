"""Stained tissue: nuclei, glands, glomeruli among tubules, and nests of tumour, on fibrous stroma."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from .canvas import Canvas, Mask, Points, blob, fill, noise, pick_size, soften, texture
from .glands import make_glands
from .slide import Slide, scattered

__all__ = ["make"]

Picture = tuple[NDArray[np.uint8], NDArray[np.uint8]]


def make(rng: np.random.Generator) -> Picture:
    """A stained section; labels: nuclei, or glands, or glomeruli, or a tumour field."""
    kinds = (_nuclei, make_glands, _glomeruli, _nests)
    return kinds[int(rng.choice(len(kinds), p=[0.2, 0.45, 0.2, 0.15]))](rng)


def _nuclei(rng: np.random.Generator) -> Picture:
    """Nuclei large enough to be told apart, some touching."""
    shape = pick_size(rng)
    slide, canvas = Slide(rng, shape), Canvas(np.zeros(shape, np.float32))
    radius = rng.uniform(4, 13)
    count = int(np.clip(rng.uniform(0.06, 0.35) * shape[0] * shape[1] / (np.pi * radius**2), 4, 120))
    outlines = scattered(rng, shape, count, radius)
    slide.nuclei(outlines, rng.uniform(0.45, 1.1))
    for outline in outlines:
        canvas.label(fill(shape, outline))
    return slide.picture(), canvas.labels


def _glomeruli(rng: np.random.Generator) -> Picture:
    """Round tufts of capillary loops in a narrow white space, among packed tubules; often at the section's edge."""
    shape = pick_size(rng)
    slide, canvas = Slide(rng, shape), Canvas(np.zeros(shape, np.float32))
    radius = min(shape) * np.exp(rng.uniform(np.log(0.1), np.log(0.34)))
    small = float(np.clip(radius * rng.uniform(0.035, 0.06), 1.0, 3.5))
    nuclei = _tubules(rng, slide, radius * rng.uniform(0.22, 0.4), small)
    whole = np.zeros(shape, bool)
    for _ in range(int(rng.integers(1, 4))):
        centre = rng.uniform(0.0, 1.0, 2) * (shape[1], shape[0])
        radii = radius * rng.uniform(0.8, 1.15, 2)
        outline = blob(rng, tuple(centre), tuple(radii), roughness=rng.uniform(0.03, 0.1))
        mask = fill(shape, outline)
        if np.count_nonzero(mask) < 60 or (mask & whole).any():
            continue
        nuclei = [n for n in nuclei if not _within(mask, n)] + _tuft(rng, slide, outline, mask, small)
        whole |= mask
        canvas.label(mask)
    slide.nuclei(nuclei, rng.uniform(0.45, 1.0))
    if rng.random() < 0.4:
        canvas.labels[_bare(rng, slide)] = 0
    return slide.picture(), canvas.labels


def _tubules(rng: np.random.Generator, slide: Slide, size: float, small: float) -> list[Points]:
    """Tubules on a disturbed grid: walls between them, cytoplasm, a lumen in some; returns their nuclei."""
    shape = slide.shape
    walls = np.ones(shape, np.float32)
    lumens = np.zeros(shape, bool)
    nuclei: list[Points] = []
    for y in np.arange(0, shape[0] + size, 2.0 * size):
        for x in np.arange(0, shape[1] + size, 2.0 * size):
            centre = np.array([x, y]) + rng.normal(0, 0.3, 2) * size
            outline = blob(rng, tuple(centre), tuple(size * rng.uniform(0.7, 1.35, 2)), roughness=0.08)
            walls[fill(shape, outline)] = 0
            if rng.random() < 0.6:
                lumens |= fill(shape, centre + (outline - centre) * rng.uniform(0.2, 0.6))
            ring = centre + (outline - centre) * 0.72
            around = ring[int(rng.integers(12)) :: int(rng.integers(14, 40))]
            nuclei += [blob(rng, tuple(p), (small, small * 0.9), roughness=0.05) for p in around]
    slide.pink = slide.pink * (0.45 + rng.uniform(0.3, 1.1) * soften(walls, 0.9))
    slide.glass = np.maximum(slide.glass, soften(lumens.astype(np.float32), 1) * rng.uniform(0.5, 1))
    return nuclei


def _tuft(rng: np.random.Generator, slide: Slide, outline: Points, mask: Mask, small: float) -> list[Points]:
    """Paint one glomerulus; returns its nuclei."""
    shape = slide.shape
    middle = outline.mean(0) + rng.normal(0, 0.02, 2) * np.ptp(outline, 0)
    tuft = fill(shape, middle + (outline - middle) * rng.uniform(0.8, 0.97)) & mask
    loops = np.abs(texture(rng, shape, rng.uniform(2.5, 5) * small, 2))
    strands = np.clip(1 - loops * rng.uniform(1, 2.2), 0, 1) * rng.uniform(0.5, 1.3)
    inside, within = soften(mask.astype(np.float32), 0.8), soften(tuft.astype(np.float32), 0.8)
    slide.pink = slide.pink * (1 - inside) + within * (rng.uniform(0.3, 0.8) + strands)
    slide.purple = slide.purple * (1 - inside) + within * rng.uniform(0.03, 0.25)
    open_loops = np.clip(loops - rng.uniform(1.0, 1.8), 0, 1) * within
    slide.glass = slide.glass * (1 - inside) + np.maximum(open_loops, inside * (1 - within) * rng.uniform(0.5, 1))
    core = ndimage.binary_erosion(mask, iterations=2).astype(np.float32)
    rim = inside - soften(core, 0.8)
    slide.pink = slide.pink + np.clip(rim, 0, 1) * np.float32(rng.uniform(0, 0.8))
    return scattered(rng, shape, int(min(tuft.sum() / (small**2 * rng.uniform(12, 40)), 350)), small, tuft)


def _nests(rng: np.random.Generator) -> Picture:
    """Nests of tumour epithelium with ragged edges and pale pearls; one label for all or one for each."""
    shape = pick_size(rng)
    slide, canvas = Slide(rng, shape), Canvas(np.zeros(shape, np.float32))
    relief = texture(rng, shape, rng.uniform(40, 120), 4, 0.45)
    mask = soften((relief > np.quantile(relief, rng.uniform(0.25, 0.75))).astype(np.float32), 2) > 0.5
    pearls = mask & (noise(rng, shape, rng.uniform(14, 40)) > rng.uniform(1.7, 3))
    nest, pearl = soften(mask.astype(np.float32), 1.5), soften(pearls.astype(np.float32), 1)
    slide.pink *= 1 + nest * np.float32(rng.normal(0, 0.2))
    slide.purple += nest * np.float32(rng.uniform(0.0, 0.25)) * (1 + 0.3 * texture(rng, shape, 8, 2))
    swirl = np.clip(0.5 + 0.5 * np.sin(ndimage.distance_transform_edt(pearls) * rng.uniform(0.8, 2)), 0, 1)
    slide.purple = slide.purple * (1 - pearl) + pearl * swirl.astype(np.float32) * rng.uniform(0.1, 0.5)
    small = rng.uniform(1.4, 3.5)
    area = shape[0] * shape[1] / small**2
    packed = int(min(area * rng.uniform(0.015, 0.06), 800))
    nuclei = scattered(rng, shape, packed, small * rng.uniform(1, 1.5), mask & ~pearls)
    nuclei += scattered(rng, shape, int(min(area * rng.uniform(0.003, 0.05), 600)), small * 0.75, ~mask)
    slide.nuclei(nuclei, rng.uniform(0.35, 0.9))
    labels = mask & ~pearls & ~_bare(rng, slide) if rng.random() < 0.35 else mask & ~pearls
    parts, count = ndimage.label(labels)
    for value in range(1, count + 1) if rng.random() < 0.6 else ():
        part = parts == value
        if np.count_nonzero(part) > 150:
            canvas.label(part)
    if not canvas.labels.any():
        canvas.label(labels)
    return slide.picture(), canvas.labels


def _bare(rng: np.random.Generator, slide: Slide) -> Mask:
    """Wipe the slide clean on one side, as beyond the edge of a biopsy; returns where."""
    rows, cols = np.indices(slide.shape, dtype=np.float32)
    angle = rng.uniform(0, 2 * np.pi)
    along = (cols / slide.shape[1] - 0.5) * np.cos(angle) + (rows / slide.shape[0] - 0.5) * np.sin(angle)
    clean = along + 0.05 * texture(rng, slide.shape, 50, 4, 0.6) > rng.uniform(0.1, 0.45)
    bare = soften(clean.astype(np.float32), 0.8)
    slide.glass = np.maximum(slide.glass, bare)
    slide.purple = slide.purple * (1 - bare)
    return clean


def _within(mask: Mask, outline: Points) -> bool:
    x, y = outline.mean(0)
    return bool(0 <= x < mask.shape[1] and 0 <= y < mask.shape[0] and mask[int(y), int(x)])
