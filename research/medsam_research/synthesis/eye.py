"""Pictures of the eye's ground: colour fundus with disc, cup and vessels, and OCT angiograms with their dark centre."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .canvas import Canvas, blob, fill, finish, noise, ribbon, soften, spline, texture

__all__ = ["make_angiogram", "make_fundus"]

Picture = tuple[NDArray[np.uint8], NDArray[np.uint8]]


def make_fundus(rng: np.random.Generator) -> Picture:
    """A fundus photograph, whole or a crop round the disc; labels: the disc, or cup and rim, or bright lesions."""
    side = int(rng.integers(200, 321))
    shape = (side, int(side * rng.uniform(1, 1.4)))
    field = min(shape) * (rng.uniform(0.47, 0.62) if rng.random() < 0.7 else 2)
    middle = np.array([shape[1] / 2, shape[0] / 2])
    close = 1.0 if field < side else rng.uniform(2, 4)
    disc_radius = side * rng.uniform(0.055, 0.095) * close
    off = (
        np.array([rng.choice([-1, 1]) * rng.uniform(0.15, 0.36), rng.normal(0, 0.05)])
        * side
        * (1 if close == 1 else 0.3)
    )
    centre = middle + off
    base = np.array([rng.uniform(0.55, 0.9), rng.uniform(0.22, 0.5), rng.uniform(0.05, 0.25)])
    image = base * (1 + 0.12 * noise(rng, shape, 60) + 0.05 * texture(rng, shape, 10))[:, :, None]
    macula = fill(shape, blob(rng, tuple(middle - off * 0.6), (disc_radius * 1.3,) * 2)).astype(np.float32)
    image *= 1 - soften(macula, disc_radius / 2)[:, :, None] * rng.uniform(0.1, 0.4)
    disc_line = blob(
        rng, tuple(centre), (disc_radius, disc_radius * rng.uniform(0.85, 1.15)), angle=0.0, roughness=0.03
    )
    disc = fill(shape, disc_line)
    image = _glow(
        image,
        soften(disc.astype(np.float32), rng.uniform(1, 3.5)),
        base * rng.uniform(1.25, 1.7) + [0.1, 0.12, 0.1],
        rng.uniform(0.6, 1),
    )
    cup_line = centre + rng.normal(0, 0.05, 2) * disc_radius + (disc_line - centre) * rng.uniform(0.3, 0.75)
    cup = fill(shape, cup_line)
    image = _glow(
        image, soften(cup.astype(np.float32), rng.uniform(1.2, 4)), np.array([1.0, 0.95, 0.8]), rng.uniform(0.2, 0.7)
    )
    vessels = soften(_tree(rng, shape, centre, disc_radius), 0.6)[:, :, None]
    image *= 1 - vessels * (rng.uniform(0.25, 0.6) * np.array([0.5, 1.0, 0.8]))
    canvas = Canvas(np.zeros(shape, np.float32))
    lesions = _bright_spots(rng, shape, side) if rng.random() < 0.25 else []
    for spot in lesions:
        image = _glow(image, soften(spot.astype(np.float32), 1), np.array([0.98, 0.9, 0.55]), 0.8)
    kind = rng.random()
    if lesions and kind < 0.4:
        for spot in lesions:
            canvas.label(spot)
    elif kind < 0.8:
        canvas.label(disc)
    else:
        canvas.label(disc)
        canvas.label(cup)
    rows, cols = np.indices(shape)
    away = np.hypot(rows - middle[1], cols - middle[0]) / field
    image *= (np.clip((1 - away) * 40, 0, 1) * (1 - 0.4 * away**2 * rng.random()))[:, :, None]
    return finish(
        image.astype(np.float32), rng.uniform(0.3, 1), 0.012 * noise(rng, shape, 1.2)[:, :, None]
    ), canvas.labels


def _glow(
    image: NDArray[np.float64], strength: NDArray[np.float64], colour: NDArray[np.float64], opacity: float
) -> NDArray[np.float64]:
    soft = (strength * opacity)[:, :, None]
    return image * (1 - soft) + np.clip(colour, 0, 1) * soft


def _tree(
    rng: np.random.Generator, shape: tuple[int, int], root: NDArray[np.float64], radius: float
) -> NDArray[np.float32]:
    """Vessels that leave the disc up and down in arcs and fork."""
    total = np.zeros(shape, np.float32)
    stems = [
        (root + rng.normal(0, 0.2, 2) * radius, a + rng.normal(0, 0.3), radius * rng.uniform(0.14, 0.24), 0)
        for a in (-1.9, -1.2, 1.2, 1.9)
    ]
    while stems:
        place, angle, width, depth = stems.pop()
        points = [place]
        for _ in range(6):
            angle += rng.normal(0, 0.22)
            place = place + radius * 0.75 * np.array([np.cos(angle), np.sin(angle)])
            points.append(place)
            if depth < 3 and rng.random() < 0.3:
                stems.append((place, angle + rng.choice([-1, 1]) * rng.uniform(0.4, 0.9), width * 0.7, depth + 1))
        line = spline(np.array(points), 40)
        total = np.maximum(
            total,
            fill(shape, ribbon(line, np.linspace(width, width * 0.6, 40))).astype(np.float32) * rng.uniform(0.5, 1),
        )
    return total


def _bright_spots(rng: np.random.Generator, shape: tuple[int, int], side: int) -> list[NDArray[np.bool_]]:
    spots = []
    for _ in range(int(rng.integers(1, 6))):
        place = rng.uniform(0.25, 0.75, 2) * (shape[1], shape[0])
        spots.append(fill(shape, blob(rng, tuple(place), tuple(rng.uniform(0.015, 0.05, 2) * side), roughness=0.3)))
    return spots


def make_angiogram(rng: np.random.Generator) -> Picture:
    """An angiogram: a net of vessels with a ragged dark centre; labels: that centre, or further gaps too."""
    side = int(rng.integers(200, 321))
    shape = (side, side)
    centre = rng.uniform(0.42, 0.58, 2) * side
    hole = fill(shape, blob(rng, tuple(centre), tuple(rng.uniform(0.05, 0.15, 2) * side), roughness=0.14, waves=9))
    mesh = np.zeros(shape, np.float32)
    cell = side / rng.uniform(28, 60)
    for _ in range(2):
        mesh = np.maximum(mesh, np.clip(1 - np.abs(noise(rng, shape, cell)) * 2.2, 0, 1))
    image = mesh * rng.uniform(0.25, 0.6) * (1 + 0.2 * noise(rng, shape, 50))
    total = np.zeros(shape, np.float32)
    for _ in range(int(rng.integers(6, 16))):
        angle = rng.uniform(0, 2 * np.pi)
        start = np.array([side / 2, side / 2]) + side * 0.75 * np.array([np.cos(angle), np.sin(angle)])
        end = centre + (start - centre) * rng.uniform(0.2, 0.5)
        line = spline(
            np.array(
                [
                    start,
                    (start * 2 + end) / 3 + rng.normal(0, 0.04, 2) * side,
                    (start + end * 2) / 3 + rng.normal(0, 0.04, 2) * side,
                    end,
                ]
            ),
            40,
        )
        total = np.maximum(total, fill(shape, ribbon(line, np.linspace(rng.uniform(0.01, 0.022), 0.004, 40) * side)))
    image = np.maximum(image, soften(total, 0.6) * rng.uniform(0.5, 0.9))
    canvas = Canvas(image)
    gaps = [hole]
    if rng.random() < 0.3:
        gaps += [
            fill(
                shape,
                blob(
                    rng, tuple(rng.uniform(0.1, 0.9, 2) * side), tuple(rng.uniform(0.03, 0.08, 2) * side), roughness=0.3
                ),
            )
            for _ in range(3)
        ]
    for gap in gaps:
        canvas.image *= 1 - soften(gap.astype(np.float32), 1.5) * rng.uniform(0.75, 1)
        canvas.label(gap)
    grain = rng.uniform(0.02, 0.12) * np.abs(noise(rng, shape, 1.1))
    return finish(canvas.image, rng.uniform(0.3, 1), grain), canvas.labels
