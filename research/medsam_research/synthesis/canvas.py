"""Drawing tools shared by all families: smooth noise, outlines, tubes, masks and a picture with its labels.

Grey values are float32 in 0..1; points are (x, y) in pixels.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from scipy import ndimage

__all__ = [
    "Canvas",
    "blob",
    "closed_curve",
    "fill",
    "finish",
    "noise",
    "pick_size",
    "ribbon",
    "soften",
    "spline",
    "texture",
]

Grey = NDArray[np.float32]
Mask = NDArray[np.bool_]
Points = NDArray[np.float64]
_MOST_LABELS = 250


class Canvas:
    """A grey picture and its label map, drawn from back to front.

    Attributes
    ----------
    image : float32 (H, W)
    labels : uint8 (H, W); later objects cover earlier ones
    """

    def __init__(self, image: Grey) -> None:
        self.image = image.astype(np.float32)
        self.labels = np.zeros(image.shape, np.uint8)
        self._used = 0

    @property
    def shape(self) -> tuple[int, int]:
        return self.image.shape

    def paint(self, mask: Mask, value: Grey | float, opacity: float = 1.0) -> None:
        """Lay `value` over the picture where `mask` is set."""
        laid = value[mask] if isinstance(value, np.ndarray) else np.float32(value)
        self.image[mask] = self.image[mask] * (1 - opacity) + laid * opacity

    def label(self, mask: Mask, *, over: bool = True) -> None:
        """Give `mask` the next label; with `over` False only where nothing is labelled yet."""
        if self._used >= _MOST_LABELS:
            return
        self._used += 1
        self.labels[mask if over else mask & (self.labels == 0)] = self._used


def pick_size(rng: np.random.Generator) -> tuple[int, int]:
    """Height and width: the longer side 192 to 320 pixels, the shorter at least two thirds of it."""
    longer = int(rng.integers(192, 321))
    shorter = longer if rng.random() < 0.5 else int(longer * rng.uniform(0.67, 1))
    return (shorter, longer) if rng.random() < 0.6 else (longer, shorter)


def noise(rng: np.random.Generator, shape: tuple[int, int], cell: float | tuple[float, float]) -> Grey:
    """Smooth noise of standard deviation about 1 whose features are about `cell` pixels (y, x) wide."""
    cell_y, cell_x = cell if isinstance(cell, tuple) else (cell, cell)
    rows, cols = int(np.ceil(shape[0] / cell_y)) + 3, int(np.ceil(shape[1] / cell_x)) + 3
    coarse = rng.standard_normal((rows, cols)).astype(np.float32)
    size = (int(np.ceil(cols * cell_x)), int(np.ceil(rows * cell_y)))
    fine = np.asarray(Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC))
    top, left = int(cell_y), int(cell_x)
    return fine[top : top + shape[0], left : left + shape[1]] * np.float32(1.25)


def texture(
    rng: np.random.Generator, shape: tuple[int, int], cell: float, octaves: int = 3, falloff: float = 0.6
) -> Grey:
    """A sum of smooth noises, each half as wide and `falloff` as strong as the last; deviation about 1."""
    total, power = np.zeros(shape, np.float32), 0.0
    for octave in range(octaves):
        weight = falloff**octave
        total += weight * noise(rng, shape, max(1.0, cell / 2**octave))
        power += weight**2
    return total / np.float32(np.sqrt(power))


def blob(
    rng: np.random.Generator,
    centre: tuple[float, float],
    radii: tuple[float, float],
    *,
    angle: float | None = None,
    roughness: float = 0.15,
    waves: int = 5,
) -> Points:
    """Outline (72, 2) of a deformed ellipse; `roughness` is the deviation of its radius."""
    theta = np.linspace(0, 2 * np.pi, 72, endpoint=False)
    wave = np.arange(2, 2 + waves)
    height = rng.normal(0, roughness, waves) / np.sqrt(wave - 1)
    radius = np.exp(np.sin(np.outer(theta, wave) + rng.uniform(0, 2 * np.pi, waves)) @ height)
    turn = rng.uniform(0, np.pi) if angle is None else angle
    x, y = radius * np.cos(theta) * radii[0], radius * np.sin(theta) * radii[1]
    return np.stack(
        [centre[0] + x * np.cos(turn) - y * np.sin(turn), centre[1] + x * np.sin(turn) + y * np.cos(turn)], 1
    )


def closed_curve(points: Points, count: int = 120) -> Points:
    """A smooth closed outline through `points`."""
    return _catmull_rom(np.vstack([points[-1:], points, points[:2]]), count, closed=True)


def spline(points: Points, count: int = 60) -> Points:
    """A smooth open curve through `points`."""
    first, last = 2 * points[:1] - points[1:2], 2 * points[-1:] - points[-2:-1]
    return _catmull_rom(np.vstack([first, points, last]), count, closed=False)


def _catmull_rom(knots: Points, count: int, *, closed: bool) -> Points:
    """The Catmull-Rom curve between the second and the last but one of `knots`."""
    place = np.linspace(0, len(knots) - 3, count, endpoint=not closed)
    start = np.minimum(place.astype(int), len(knots) - 4)
    u = (place - start)[:, None]
    before, here, there, after = (knots[start + i] for i in range(4))
    return here + 0.5 * u * (
        there - before + u * (2 * before - 5 * here + 4 * there - after + u * (3 * (here - there) + after - before))
    )


def ribbon(line: Points, widths: NDArray[np.float64] | float) -> Points:
    """Outline of a tube of full `widths` (a number, or one for each point) round the curve `line`."""
    along = np.gradient(line, axis=0)
    normal = np.stack([-along[:, 1], along[:, 0]], 1) / (np.linalg.norm(along, axis=1, keepdims=True) + 1e-9)
    half = np.broadcast_to(np.asarray(widths, float), len(line))[:, None] / 2
    return np.vstack([line + normal * half, (line - normal * half)[::-1]])


def fill(shape: tuple[int, int], outline: Points) -> Mask:
    """The inside of `outline` as a boolean (H, W) mask."""
    canvas = Image.new("L", (shape[1], shape[0]))
    ImageDraw.Draw(canvas).polygon(outline.astype(np.float32).ravel().tolist(), fill=1)
    return np.array(canvas).view(bool)


def soften(image: Grey, sigma: float) -> Grey:
    """Gaussian blur, float32."""
    return ndimage.gaussian_filter(image.astype(np.float32, copy=False), sigma, truncate=3)


def finish(image: Grey, sigma: float = 0.0, grain: Grey | float = 0.0) -> NDArray[np.uint8]:
    """Blur a picture in 0..1, add `grain` and round to uint8."""
    if sigma > 0:
        blur = (sigma, sigma, 0)[: image.ndim]
        image = ndimage.gaussian_filter(image.astype(np.float32, copy=False), blur, truncate=3)
    return (np.clip(image + grain, 0, 1) * 255).astype(np.uint8)
