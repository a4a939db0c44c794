"""Mammograms: a breast's outline against black, fibroglandular tissue, pectoral muscle, masses and skin."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .canvas import Canvas, Mask, blob, closed_curve, fill, finish, noise, ribbon, soften, spline, texture

__all__ = ["make"]


def make(rng: np.random.Generator) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """A mammogram; labels: gland and muscle, or masses, or the whole breast."""
    height = int(rng.integers(220, 321))
    shape = (height, int(height * rng.uniform(0.55, 0.9)))
    canvas = Canvas(np.full(shape, rng.uniform(0, 0.05), np.float32))
    reach = rng.uniform(0.6, 0.95)
    outline = closed_curve(
        np.array([(-0.2, rng.uniform(-0.1, 0.05)), (0.15, 0.02), (reach * 0.6, rng.uniform(0.16, 0.3)),
                  (reach, rng.uniform(0.45, 0.62)), (reach * 0.75, 0.82), (0.2, rng.uniform(0.9, 0.98)),
                  (-0.2, 1.0), (-0.3, 0.5)])
        * (shape[1], shape[0])
    )  # fmt: skip
    breast = fill(shape, outline)
    depth = soften(breast.astype(np.float32), shape[1] * 0.06)
    canvas.paint(breast, rng.uniform(0.15, 0.35) * (0.4 + 0.6 * depth) * (1 + 0.1 * texture(rng, shape, 16)))
    gland = _gland(rng, canvas, breast, reach)
    muscle = _muscle(rng, canvas, breast) if rng.random() < 0.6 else None
    _strands(rng, canvas, breast)
    masses = _masses(rng, canvas, breast) if rng.random() < 0.8 else []
    skin = breast & (soften(breast.astype(np.float32), 2.5) < 0.8)
    skin[:, : shape[1] // 12] = False
    canvas.image += skin * np.float32(rng.uniform(0, 0.15))
    _label(rng, canvas, breast, gland, muscle, masses)
    image = np.clip(canvas.image, 0, 1) ** rng.uniform(0.7, 1.4)
    picture = finish(image, rng.uniform(0.4, 1), rng.uniform(0.004, 0.025) * noise(rng, shape, 1.2) * breast)
    return (picture[:, ::-1], canvas.labels[:, ::-1]) if rng.random() < 0.5 else (picture, canvas.labels)


def _gland(rng: np.random.Generator, canvas: Canvas, breast: Mask, reach: float) -> Mask:
    """Fibroglandular tissue: a ragged brighter field behind the nipple, from sparse to dense."""
    height, width = canvas.shape
    centre = (width * reach * rng.uniform(0.35, 0.6), height * rng.uniform(0.4, 0.6))
    field = fill(
        canvas.shape,
        blob(
            rng,
            centre,
            (width * reach * rng.uniform(0.25, 0.5), height * rng.uniform(0.14, 0.33)),
            angle=0.0,
            roughness=0.12,
        ),
    )
    relief = soften(field.astype(np.float32), 14) + 0.22 * texture(rng, canvas.shape, 22, 4, 0.7)
    gland = (relief > rng.uniform(0.4, 0.6)) & breast
    shade = soften(gland.astype(np.float32), rng.uniform(1.2, 4))
    canvas.image += shade * rng.uniform(0.12, 0.4) * (1 + 0.25 * texture(rng, canvas.shape, 9, 3))
    return soften(gland.astype(np.float32), 2.5) > 0.5


def _muscle(rng: np.random.Generator, canvas: Canvas, breast: Mask) -> Mask:
    height, width = canvas.shape
    top, low = width * rng.uniform(0.25, 0.6), height * rng.uniform(0.3, 0.75)
    edge = spline(np.array([[top, -2], [top * rng.uniform(0.5, 0.65), low * 0.5], [-2, low]]), 30)
    mask = fill(canvas.shape, np.vstack([edge, [[-2, -2]]])) & breast
    shade = soften(mask.astype(np.float32), rng.uniform(1, 4))
    canvas.image = canvas.image * (1 - 0.5 * shade) + shade * np.float32(rng.uniform(0.2, 0.5)) * (
        1 + 0.05 * noise(rng, canvas.shape, 20)
    )
    return mask


def _strands(rng: np.random.Generator, canvas: Canvas, breast: Mask) -> None:
    height, width = canvas.shape
    total = np.zeros(canvas.shape, np.float32)
    for _ in range(int(rng.integers(4, 16))):
        start, end = rng.uniform(0, 1, (2, 2)) * (width, height)
        line = spline(np.array([start, (start + end) / 2 + rng.normal(0, 15, 2), end]), 30)
        total += fill(canvas.shape, ribbon(line, rng.uniform(0.8, 2.2)))
    canvas.image += soften(total * breast, 0.9) * np.float32(rng.uniform(0.03, 0.14))


def _masses(rng: np.random.Generator, canvas: Canvas, breast: Mask) -> list[Mask]:
    """Denser masses: smooth, lobed, ragged or with spikes; some with fuzzy edges, some half hidden in the gland."""
    rows, cols = np.nonzero(soften(breast.astype(np.float32), 8) > 0.9)
    made: list[Mask] = []
    for _ in range(int(rng.choice([1, 1, 2, 3])) if rows.size else 0):
        i = int(rng.integers(rows.size))
        radius = np.exp(rng.uniform(np.log(0.02), np.log(0.17))) * canvas.shape[0]
        mask = _mass_shape(rng, canvas.shape, (float(cols[i]), float(rows[i])), radius) & breast
        shade = soften(mask.astype(np.float32), rng.uniform(0.8, 0.25 * radius + 1.2))
        grain = 1 + rng.uniform(0.05, 0.3) * texture(rng, canvas.shape, rng.uniform(4, 12), 3)
        canvas.image += shade * rng.choice([rng.uniform(0.07, 0.2), rng.uniform(0.2, 0.6)]) * grain
        if rng.random() < 0.4:
            canvas.image += _spikes(rng, canvas.shape, (float(cols[i]), float(rows[i])), radius) * breast
        if np.count_nonzero(mask) > 30:
            made.append(mask)
    return made


def _mass_shape(rng: np.random.Generator, shape: tuple[int, int], centre: tuple[float, float], radius: float) -> Mask:
    """An outline that is smooth, lobed or ragged."""
    rough = float(rng.choice([0.06, 0.15, 0.3]))
    core = fill(shape, blob(rng, centre, (radius, radius * rng.uniform(0.5, 1)), roughness=rough, waves=9))
    if rng.random() < 0.4:
        return core
    ragged = soften(core.astype(np.float32), 0.2 * radius + 0.8) + rng.uniform(0.05, 0.2) * texture(
        rng, shape, 0.6 * radius + 3, 3
    )
    return (ragged > 0.5) & (soften(core.astype(np.float32), 0.5 * radius + 1) > 0.1)


def _spikes(
    rng: np.random.Generator, shape: tuple[int, int], centre: tuple[float, float], radius: float
) -> NDArray[np.float32]:
    """Thin bright lines that run out of a mass."""
    total = np.zeros(shape, np.float32)
    for angle in rng.uniform(0, 2 * np.pi, int(rng.integers(6, 22))):
        reach = radius * np.array([0.5, 1.2, rng.uniform(1.5, 3)])
        turns = angle + np.array([0, rng.normal(0, 0.1), rng.normal(0, 0.2)])
        line = np.array(centre) + np.stack([np.cos(turns), np.sin(turns)], 1) * reach[:, None]
        total += fill(shape, ribbon(spline(line, 20), np.linspace(0.12 * radius + 0.8, 0.6, 20)))
    return soften(np.minimum(total, 2), 0.7) * np.float32(rng.uniform(0.05, 0.25))


def _label(
    rng: np.random.Generator,
    canvas: Canvas,
    breast: Mask,
    gland: Mask,
    muscle: Mask | None,
    masses: list[Mask],
) -> None:
    kind = rng.random()
    if masses and kind < 0.8:
        parts = masses
    elif kind < 0.9:
        parts = [m for m in (gland, muscle) if m is not None and np.count_nonzero(m) > 30]
    else:
        parts = [breast]
    for mask in parts or [breast]:
        canvas.label(mask)
