"""Stained tissue: glands with lumen, nuclei, glomeruli and tumour fields on pink stroma."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from .canvas import Canvas, Mask, Points, blob, fill, finish, noise, pick_size, soften, texture

__all__ = ["make"]

Picture = tuple[NDArray[np.uint8], NDArray[np.uint8]]
_PINK, _PURPLE, _WHITE = np.array([0.86, 0.6, 0.74]), np.array([0.4, 0.24, 0.55]), np.array([0.95, 0.93, 0.95])


def make(rng: np.random.Generator) -> Picture:
    """A stained section; labels: nuclei, or glands, or glomeruli, or a tumour field."""
    kinds = (_nuclei, _nuclei, _glands, _glands, _glomeruli, _field)
    return kinds[int(rng.integers(len(kinds)))](rng)


class _Slide:
    """A section under construction: densities of the two stains and of the glass that shows through."""

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
        pink, purple = (-np.log(np.clip(c + rng.normal(0, 0.05, 3), 0.05, 0.97)) for c in (_PINK, _PURPLE))
        tissue = (1 - self.glass * np.clip(1 - 2 * self.purple, 0, 1))[:, :, None]
        image = np.exp(
            -(self.pink[:, :, None] * pink + self.purple[:, :, None] * purple) * tissue * rng.uniform(0.7, 1.3)
        )
        return finish(
            (image * _WHITE).astype(np.float32),
            rng.uniform(0.4, 1.1),
            0.02 * rng.random() * noise(rng, self.shape, 1)[:, :, None],
        )


def _scattered(
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


def _nuclei(rng: np.random.Generator) -> Picture:
    """Nuclei large enough to be told apart."""
    shape = pick_size(rng)
    slide, canvas = _Slide(rng, shape), Canvas(np.zeros(shape, np.float32))
    radius = rng.uniform(4, 13)
    count = int(np.clip(rng.uniform(0.06, 0.35) * shape[0] * shape[1] / (np.pi * radius**2), 4, 120))
    outlines = _scattered(rng, shape, count, radius)
    slide.nuclei(outlines, rng.uniform(0.45, 1.1))
    for outline in outlines:
        canvas.label(fill(shape, outline))
    return slide.picture(), canvas.labels


def _glands(rng: np.random.Generator) -> Picture:
    """Glands: a white lumen in pale cells, with a seam of nuclei, in a stroma of scattered nuclei."""
    shape = pick_size(rng)
    slide, canvas = _Slide(rng, shape), Canvas(np.zeros(shape, np.float32))
    small = rng.uniform(1.6, 3.5)
    seams = _scattered(rng, shape, int(rng.integers(80, 300)), small)
    size = rng.uniform(0.1, 0.24) * min(shape)
    taken = np.zeros(shape, bool)
    for _ in range(int(rng.integers(3, 14))):
        centre = rng.uniform(0, 1, 2) * (shape[1], shape[0])
        outline = blob(rng, tuple(centre), tuple(size * rng.uniform(0.6, 1.4, 2)), roughness=rng.uniform(0.05, 0.22))
        mask = fill(shape, outline)
        if (mask & taken).any():
            continue
        taken |= soften(mask.astype(np.float32), 3) > 0.1
        middle = outline.mean(0)
        lumen = fill(shape, middle + (outline - middle) * rng.uniform(0.15, 0.55))
        cells = soften(mask.astype(np.float32), 1)
        slide.pink = slide.pink * (1 - cells * rng.uniform(0.2, 0.7))
        slide.purple += cells * np.float32(rng.uniform(0, 0.18))
        slide.glass = np.maximum(slide.glass * (1 - cells), soften(lumen.astype(np.float32), 1) * rng.uniform(0.6, 1))
        for depth in (0.92, 0.78)[: int(rng.integers(1, 3))]:
            ring = middle + (outline - middle) * depth
            seams += [
                blob(rng, tuple(p + rng.normal(0, 1, 2)), (small * 1.3, small), roughness=0.05)
                for p in ring[:: int(rng.integers(1, 3))]
            ]
        canvas.label(mask)
    slide.nuclei(seams, rng.uniform(0.5, 1.0))
    return slide.picture(), canvas.labels


def _glomeruli(rng: np.random.Generator) -> Picture:
    """Round tufts full of nuclei in a white cleft, among tubules."""
    shape = pick_size(rng)
    slide, canvas = _Slide(rng, shape), Canvas(np.zeros(shape, np.float32))
    small = rng.uniform(1.5, 3)
    nuclei: list[Points] = []
    for _ in range(int(rng.integers(15, 50))):
        centre = rng.uniform(0, 1, 2) * (shape[1], shape[0])
        tubule = blob(rng, tuple(centre), tuple(rng.uniform(7, 16, 2)), roughness=0.1)
        slide.glass = np.maximum(
            slide.glass, 0.7 * soften(fill(shape, centre + (tubule - centre) * 0.4).astype(np.float32), 1)
        )
        nuclei += [blob(rng, tuple(p), (small, small), roughness=0.05) for p in tubule[:: int(rng.integers(8, 16))]]
    for _ in range(int(rng.integers(1, 4))):
        centre = rng.uniform(0.15, 0.85, 2) * (shape[1], shape[0])
        outline = blob(
            rng, tuple(centre), tuple(rng.uniform(0.1, 0.24) * min(shape) * rng.uniform(0.85, 1.15, 2)), roughness=0.06
        )
        whole, tuft = fill(shape, outline), fill(shape, centre + (outline - centre) * rng.uniform(0.75, 0.92))
        slide.glass = np.where(whole, soften((whole & ~tuft).astype(np.float32), 1), slide.glass)
        slide.purple = np.where(tuft, rng.uniform(0.1, 0.3) * (1 + 0.4 * texture(rng, shape, 7)), slide.purple)
        nuclei += _scattered(rng, shape, int(whole.sum() / (small**2 * rng.uniform(10, 25))), small, tuft)
        canvas.label(whole if rng.random() < 0.7 else tuft)
    slide.nuclei(nuclei, rng.uniform(0.5, 1.0))
    return slide.picture(), canvas.labels


def _field(rng: np.random.Generator) -> Picture:
    """A tumour field: the same tissue with more and larger nuclei."""
    shape = pick_size(rng)
    slide, canvas = _Slide(rng, shape), Canvas(np.zeros(shape, np.float32))
    centre = rng.uniform(0.25, 0.75, 2) * (shape[1], shape[0])
    mask = fill(shape, blob(rng, tuple(centre), tuple(rng.uniform(0.2, 0.5, 2) * min(shape)), roughness=0.25, waves=8))
    small = rng.uniform(1.4, 3)
    area = shape[0] * shape[1] / small**2
    nuclei = _scattered(rng, shape, int(area * rng.uniform(0.005, 0.015)), small)
    nuclei += _scattered(
        rng, shape, int(area * mask.mean() * rng.uniform(0.03, 0.08)), small * rng.uniform(1, 1.5), mask
    )
    slide.purple += soften(mask.astype(np.float32), 2) * np.float32(rng.uniform(0, 0.2))
    slide.nuclei(nuclei, rng.uniform(0.4, 0.9))
    canvas.label(mask)
    return slide.picture(), canvas.labels
