"""Chest films: lungs, heart and clavicles as projections, with ribs, vessels, spine and opacities."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .canvas import Canvas, Mask, Points, blob, closed_curve, fill, finish, noise, pick_size, ribbon, soften, spline

__all__ = ["make"]

# Outlines on a unit square, x to the picture's right; corner points of a usual frontal film.
_LUNG_ON_LEFT = [
    (0.36, 0.14), (0.27, 0.2), (0.2, 0.34), (0.155, 0.52), (0.135, 0.7), (0.13, 0.84),
    (0.22, 0.8), (0.33, 0.76), (0.43, 0.79), (0.44, 0.66), (0.42, 0.5), (0.42, 0.34), (0.42, 0.2),
]  # fmt: skip
_LUNG_ON_RIGHT = [
    (0.64, 0.14), (0.73, 0.2), (0.8, 0.34), (0.85, 0.52), (0.87, 0.7), (0.875, 0.86),
    (0.82, 0.83), (0.76, 0.78), (0.71, 0.72), (0.63, 0.58), (0.58, 0.46), (0.58, 0.34), (0.58, 0.2),
]  # fmt: skip
_LUNG_ON_RIGHT_WHOLE = [*_LUNG_ON_RIGHT[:6], (0.78, 0.82), (0.68, 0.8), (0.58, 0.8), (0.56, 0.64), *_LUNG_ON_RIGHT[10:]]
_HEART = [
    (0.5, 0.42),
    (0.6, 0.46),
    (0.68, 0.58),
    (0.73, 0.72),
    (0.68, 0.79),
    (0.52, 0.8),
    (0.42, 0.77),
    (0.4, 0.66),
    (0.43, 0.52),
]


def make(rng: np.random.Generator) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """A frontal film; labels: lungs and heart, or whole lungs, or clavicles, or heart alone."""
    shape = pick_size(rng)
    place = _Placer(rng, shape)
    lungs = [fill(shape, place(_LUNG_ON_LEFT)), fill(shape, place(_LUNG_ON_RIGHT_WHOLE))]
    heart = fill(shape, place(_HEART))
    canvas = Canvas(_body(rng, shape, place))
    dark = rng.uniform(0.35, 0.55)
    air = soften(np.logical_or(*lungs).astype(np.float32), rng.uniform(1.2, 3))
    canvas.image -= air * dark * (1 + 0.15 * noise(rng, shape, 60))
    canvas.image += 0.02 * noise(rng, shape, 9) * air
    _ribs(rng, canvas, place)
    _vessels(rng, canvas, place, air)
    shadow = soften(heart.astype(np.float32), rng.uniform(1, 2.5))
    canvas.image += shadow * (0.15 + 0.85 * air) * dark * np.float32(rng.uniform(0.55, 0.95))
    clavicles = _clavicles(rng, canvas, place)
    _opacities(rng, canvas, lungs)
    _label(rng, canvas, lungs, heart, clavicles)
    image = _exposed(rng, canvas.image)
    return finish(image, rng.uniform(0.3, 0.9), rng.uniform(0.003, 0.025) * noise(rng, shape, 1.2)), canvas.labels


class _Placer:
    """Maps outlines on the unit square to this patient: stretched, shifted, sheared, corner by corner."""

    def __init__(self, rng: np.random.Generator, shape: tuple[int, int]) -> None:
        self._rng = rng
        self._size = np.array([shape[1], shape[0]]) * rng.uniform(0.92, 1.2, 2)
        self._origin = (np.array([shape[1], shape[0]]) - self._size) / 2 + rng.normal(0, 0.02, 2) * shape[0]
        self._lean = rng.normal(0, 0.03)
        self._bend = rng.normal(0, 0.02, (2, 2))

    def __call__(self, points: list[tuple[float, float]], jitter: float = 0.012) -> Points:
        return closed_curve(self.points(points, jitter))

    def points(self, points: list[tuple[float, float]], jitter: float = 0.012) -> Points:
        unit = np.array(points) + self._rng.normal(0, jitter, (len(points), 2))
        unit[:, 0] += self._lean * (unit[:, 1] - 0.5)
        unit += np.sin(2 * np.pi * unit[:, ::-1]) @ self._bend
        return self._origin + unit * self._size


def _body(rng: np.random.Generator, shape: tuple[int, int], place: _Placer) -> NDArray[np.float32]:
    outline = place(
        [
            (0.38, 0.0),
            (0.2, 0.1),
            (0.06, 0.25),
            (0.05, 0.6),
            (0.04, 1.05),
            (0.96, 1.05),
            (0.95, 0.6),
            (0.94, 0.25),
            (0.8, 0.1),
            (0.62, 0.0),
        ]
    )
    outline[:, 0] = (outline[:, 0] - shape[1] / 2) * rng.uniform(1, 1.25) + shape[1] / 2
    body = soften(fill(shape, outline).astype(np.float32), 3)
    rows = np.linspace(0, 1, shape[0], dtype=np.float32)[:, None]
    image = body * (rng.uniform(0.55, 0.68) + 0.16 * rows + 0.04 * noise(rng, shape, 50))
    spine = place.points([(0.5, -0.05), (0.5, 0.35), (0.5, 0.7), (0.5, 1.05)], 0.006)
    width = rng.uniform(0.06, 0.09) * shape[1]
    bones = np.zeros(shape, np.float32)
    for start in np.arange(0, 60, 5):
        bone = fill(shape, ribbon(spline(spine)[start : start + 5], width * rng.uniform(0.95, 1.05)))
        bones += bone
    image += soften(bones, 1.5) * np.float32(0.08)
    middle = fill(shape, ribbon(spline(spine), 0.16 * shape[1]))
    return image + soften(middle.astype(np.float32), 6) * np.float32(0.12)


def _ribs(rng: np.random.Generator, canvas: Canvas, place: _Placer) -> None:
    strength, width = rng.uniform(0.04, 0.16), rng.uniform(0.02, 0.034) * canvas.shape[0]
    total = np.zeros(canvas.shape, np.float32)
    count, slope = int(rng.integers(7, 11)), rng.uniform(0.05, 0.12)
    for i in range(count):
        top = 0.08 + 0.75 * i / count
        reach = 0.42 - 0.2 * np.exp(-i / 1.5)
        for side in (-1, 1):
            back = [(0.5 + side * 0.05, top), (0.5 + side * reach * 0.6, top - 0.01), (0.5 + side * reach, top + slope)]
            front = [
                (0.5 + side * reach, top + slope),
                (0.5 + side * reach * 0.75, top + slope * 2.2),
                (0.5 + side * 0.16, top + slope * 3),
            ]
            for k, bone in enumerate((back, front)):
                line = spline(place.points(bone, 0.003))
                outer = fill(canvas.shape, ribbon(line, width)).astype(np.float32)
                inner = fill(canvas.shape, ribbon(line, width * 0.6)).astype(np.float32)
                total += (outer - 0.45 * inner) * np.float32(1 if k == 0 else 0.6)
    canvas.image += soften(total, 0.8) * np.float32(strength)


def _vessels(rng: np.random.Generator, canvas: Canvas, place: _Placer, air: NDArray[np.float32]) -> None:
    total = np.zeros(canvas.shape, np.float32)
    for side in (-1, 1):
        hilum = np.array([0.5 + side * 0.11, 0.44])
        for _ in range(14):
            direction = rng.uniform(-1.2, 1.2)
            end = hilum + rng.uniform(0.1, 0.26) * np.array([side * np.cos(direction), np.sin(direction)])
            middle = (hilum + end) / 2 + rng.normal(0, 0.015, 2)
            line = spline(place.points([tuple(hilum), tuple(middle), tuple(end)], 0.003), 24)
            total += fill(canvas.shape, ribbon(line, np.linspace(0.016, 0.004, 24) * canvas.shape[0]))
    canvas.image += soften(total, 1) * air * np.float32(rng.uniform(0.04, 0.12))


def _clavicles(rng: np.random.Generator, canvas: Canvas, place: _Placer) -> list[Mask]:
    made, rise = [], rng.uniform(-0.03, 0.05)
    for side in (-1, 1):
        ends = [
            (0.5 + side * 0.06, 0.2),
            (0.5 + side * 0.16, 0.175 - rise / 2),
            (0.5 + side * 0.26, 0.155 - rise),
            (0.5 + side * 0.38, 0.13 - rise),
        ]
        widths = np.interp(np.linspace(0, 1, 60), [0, 0.15, 0.5, 1], [0.042, 0.034, 0.026, 0.034]) * canvas.shape[0]
        bone = fill(canvas.shape, ribbon(spline(place.points(ends, 0.004)), widths))
        marrow = fill(canvas.shape, ribbon(spline(place.points(ends, 0.0)), widths * 0.5))
        shade = soften(bone.astype(np.float32) - 0.35 * marrow, 0.8)
        canvas.image += shade * np.float32(rng.uniform(0.08, 0.2))
        made.append(bone)
    return made


def _opacities(rng: np.random.Generator, canvas: Canvas, lungs: list[Mask]) -> None:
    """Consolidations, and seldom a lung that is mostly white: its border must be guessed."""
    if rng.random() < 0.5:
        return
    for _ in range(int(rng.integers(1, 5))):
        rows, cols = np.nonzero(lungs[int(rng.integers(2))])
        if rows.size:
            i = int(rng.integers(rows.size))
            size = rng.uniform(0.03, 0.16, 2) * canvas.shape[0]
            spot = fill(canvas.shape, blob(rng, (cols[i], rows[i]), tuple(size), roughness=0.3)).astype(np.float32)
            canvas.image += soften(spot, rng.uniform(2, 9)) * np.float32(rng.uniform(0.05, 0.28))


def _label(rng: np.random.Generator, canvas: Canvas, lungs: list[Mask], heart: Mask, clavicles: list[Mask]) -> None:
    kind = rng.random()
    if kind < 0.35:
        for mask in (*lungs, heart):
            canvas.label(mask)
    elif kind < 0.65:
        for mask in lungs:
            canvas.label(mask)
    elif kind < 0.9:
        for mask in clavicles:
            canvas.label(mask)
        canvas.label(heart)
    else:
        canvas.label(np.logical_or(*lungs))


def _exposed(rng: np.random.Generator, image: NDArray[np.float32]) -> NDArray[np.float32]:
    low, high = np.percentile(image[::4, ::4], [1, 99.5])
    image = np.clip((image - low) / (high - low + 1e-6), 0, 1) ** rng.uniform(0.7, 1.5)
    return image * rng.uniform(0.8, 1) + rng.uniform(0, 0.1)
