"""OCT B-scans of the retina: layers with their own reflectance, pockets of fluid, speckle and vessel shadows."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .canvas import Canvas, Mask, blob, fill, finish, noise, soften

__all__ = ["make"]

# Thickness (fraction of the retina's) and reflectance from the vitreous to the choroid's top.
_LAYERS = (
    ("nerve fibres", 0.10, 0.8),
    ("ganglion cells", 0.20, 0.5),
    ("inner nuclear", 0.11, 0.3),
    ("outer plexiform", 0.09, 0.5),
    ("outer nuclear", 0.26, 0.22),
    ("photoreceptors", 0.12, 0.7),
    ("pigment epithelium", 0.12, 0.9),
)
_INNER, _OUTER_NUCLEAR, _PHOTORECEPTORS, _EPITHELIUM = 2, 4, 5, 6


def make(rng: np.random.Generator) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """A B-scan; labels: fluid pockets, or layers as bands, or the whole retina."""
    shape = (int(rng.integers(192, 300)), int(rng.integers(200, 321)))
    edges, swelling = _edges(rng, shape)
    dome = _dome(rng, shape, edges) if rng.random() < 0.5 else None
    if dome is not None:
        edges[: _EPITHELIUM + 1] -= dome[None]
    image, bands = _layers(rng, shape, edges)
    canvas = Canvas(image)
    pockets = _pockets(rng, canvas, bands, swelling)
    if dome is not None:
        pockets.extend(_under_dome(rng, canvas, edges, dome))
    shadows = 1 - np.clip(noise(rng, (1, shape[1]), (1, 7))[0] - 1.6, 0, 0.5) * rng.uniform(0, 1)
    canvas.image *= shadows.astype(np.float32)[None] * (1 + 0.15 * noise(rng, shape, 60))
    _label(rng, canvas, bands, pockets)
    return _speckled(rng, canvas.image), canvas.labels


def _edges(rng: np.random.Generator, shape: tuple[int, int]) -> tuple[NDArray[np.float64], float]:
    """Row of each layer's top (8, W), with fovea, tilt and bow; and how far cysts swell the retina."""
    height, width = shape
    x = np.linspace(-1, 1, width)
    thickness = height * rng.uniform(0.22, 0.42)
    swelling = rng.uniform(0, 1)
    bottom = height * rng.uniform(0.55, 0.75) + height * (rng.normal(0, 0.06) * x + rng.normal(0, 0.06) * x**2)
    bottom = bottom + noise(rng, (1, width), (1, width / 4))[0] * height * 0.006
    parts = np.array([share * np.exp(rng.normal(0, 0.15)) for _, share, _ in _LAYERS])
    share = parts / parts.sum()
    pit = (
        rng.uniform(0.3, 0.9)
        * np.exp(-(((x - rng.uniform(-0.5, 0.5)) / rng.uniform(0.1, 0.3)) ** 2))
        * (rng.random() < 0.75)
    )
    local = np.array([noise(rng, (1, width), (1, width / 5))[0] for _ in _LAYERS])
    bands = share[:, None] * thickness * (1 + 0.12 * local)
    bands[:4] *= 1 - pit
    bands[4] *= 1 + 0.3 * pit
    bands = np.maximum(bands, 0.5)
    tops = bottom - np.cumsum(bands[::-1], 0)[::-1]
    return np.vstack([tops, bottom]), swelling


def _layers(
    rng: np.random.Generator, shape: tuple[int, int], edges: NDArray[np.float64]
) -> tuple[NDArray[np.float32], list[Mask]]:
    rows = np.arange(shape[0])[:, None] + 0.5
    image = np.full(shape, rng.uniform(0.02, 0.12), np.float32)
    gain = rng.uniform(0.6, 1)
    bands = []
    for i, (_, _, level) in enumerate(_LAYERS):
        band = (rows >= edges[i]) & (rows < edges[i + 1])
        image[band] = gain * np.clip(level * np.exp(rng.normal(0, 0.15)), 0, 1)
        bands.append(band)
    tissue = edges[_PHOTORECEPTORS + 1] - edges[_PHOTORECEPTORS]
    line = np.abs(rows - edges[_PHOTORECEPTORS] - tissue * 0.45) < tissue * 0.12
    image[line] *= 0.5
    depth = np.clip((rows - edges[-1]) / (shape[0] * rng.uniform(0.1, 0.3)), 0, None)
    below = rows >= edges[-1]
    choroid = gain * rng.uniform(0.3, 0.6) * np.exp(-depth) * (1 + 0.35 * noise(rng, shape, (7, 11)))
    image[below] = choroid.astype(np.float32)[below]
    return image * (1 + 0.1 * noise(rng, shape, (6, 24))), bands


def _pockets(rng: np.random.Generator, canvas: Canvas, bands: list[Mask], swelling: float) -> list[Mask]:
    """Cysts in the nuclear layers: dark, rounded, often in groups parted by thin bright walls."""
    count = int(rng.integers(1, 12)) if rng.random() < 0.75 else 0
    home = bands[_INNER] | bands[_OUTER_NUCLEAR] | bands[3] | bands[1]
    cols = np.arange(canvas.shape[1])
    centre, reach = rng.uniform(0.2, 0.8) * canvas.shape[1], rng.uniform(0.08, 0.3) * canvas.shape[1]
    near = home & (np.abs(cols - centre) < reach)[None]
    rows, columns = np.nonzero(near)
    pockets: list[Mask] = []
    taken = np.zeros(canvas.shape, bool)
    level = rng.uniform(0.03, 0.14)
    for _ in range(count if rows.size else 0):
        i = int(rng.integers(rows.size))
        tall = canvas.shape[0] * rng.uniform(0.012, 0.03 + 0.05 * swelling)
        wide = tall * rng.uniform(0.6, 2.6)
        pocket = fill(
            canvas.shape, blob(rng, (columns[i], rows[i]), (wide, tall), angle=rng.normal(0, 0.25), roughness=0.2)
        )
        pocket &= ~taken
        if np.count_nonzero(pocket) < 20:
            continue
        wall = soften(pocket.astype(np.float32), 2)
        canvas.image += wall * np.float32(rng.uniform(0, 0.08))
        canvas.paint(pocket, level * rng.uniform(0.7, 1.6), 1 - 0.45 * rng.random() ** 2)
        taken |= wall > 0.12
        pockets.append(pocket)
    return pockets


def _dome(rng: np.random.Generator, shape: tuple[int, int], edges: NDArray[np.float64]) -> NDArray[np.float64]:
    """How far fluid under the retina lifts it, for each column."""
    x = np.arange(shape[1])
    centre, half = rng.uniform(0.2, 0.8) * shape[1], rng.uniform(0.08, 0.4) * shape[1]
    profile = np.clip(1 - ((x - centre) / half) ** 2, 0, None) ** rng.uniform(0.6, 1.6)
    return profile * shape[0] * rng.uniform(0.02, 0.14) * (1 + 0.1 * noise(rng, (1, shape[1]), (1, 25))[0])


def _under_dome(
    rng: np.random.Generator, canvas: Canvas, edges: NDArray[np.float64], dome: NDArray[np.float64]
) -> list[Mask]:
    """The fluid between photoreceptors and pigment epithelium, which stays (or, detached, rises)."""
    rows = np.arange(canvas.shape[0])[:, None] + 0.5
    top, bottom = edges[_EPITHELIUM], edges[_EPITHELIUM] + dome
    if rng.random() < 0.3:  # the epithelium itself is lifted: the fluid lies below it
        top, bottom = edges[_EPITHELIUM + 1] - dome, edges[_EPITHELIUM + 1]
        canvas.paint((rows >= edges[_EPITHELIUM]) & (rows < top), rng.uniform(0.6, 0.9), 0.9)
    else:
        canvas.paint((rows >= bottom) & (rows < edges[_EPITHELIUM + 1]), rng.uniform(0.6, 0.9), 0.9)
    pocket = (rows >= top) & (rows < bottom)
    canvas.paint(pocket, rng.uniform(0.02, 0.2), 0.95)
    return [pocket] if np.count_nonzero(pocket) > 20 else []


def _speckled(rng: np.random.Generator, image: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Speckle multiplies; averaging of frames and the display's logarithm weaken it."""
    image = soften(np.clip(image, 0.01, 1), rng.uniform(0.5, 1.4))
    looks = rng.uniform(2, 14)
    grain = noise(rng, image.shape, (1.0, rng.uniform(1, 2.2)))
    image = image * np.exp(grain * np.float32(1 / np.sqrt(looks))) + np.float32(0.02) * noise(rng, image.shape, 1)
    low = rng.uniform(0, 0.06)
    return finish(np.clip((image - low) / (1 - low), 0, 1) ** rng.uniform(0.55, 1.2), rng.uniform(0.2, 0.7))


def _label(rng: np.random.Generator, canvas: Canvas, bands: list[Mask], pockets: list[Mask]) -> None:
    if pockets and rng.random() < 0.75:
        parts = pockets
    elif rng.random() < 0.7:
        parts = [band for band in bands if rng.random() < 0.7] or bands
    else:
        parts = [np.logical_or.reduce(bands)]
    for mask in parts:
        canvas.label(mask)
