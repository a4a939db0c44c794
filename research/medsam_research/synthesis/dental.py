"""Dental films: intraoral and panoramic; teeth with enamel, dentine and canal, jaw bone, decay and root lesions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .canvas import (
    Canvas,
    Mask,
    Points,
    blob,
    closed_curve,
    fill,
    finish,
    noise,
    pick_size,
    ribbon,
    soften,
    spline,
    texture,
)

__all__ = ["make"]


@dataclass(frozen=True)
class _Tooth:
    whole: Mask
    crown: Mask
    root: Mask
    tips: Points
    neck: tuple[Points, Points]
    height: float


def make(rng: np.random.Generator) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """A film; labels: roots with lesions and decay, or whole teeth, or crowns, or decay alone."""
    shape = pick_size(rng)
    panoramic = rng.random() < 0.4
    canvas = Canvas(rng.uniform(0.03, 0.2) + 0.03 * noise(rng, shape, 50))
    rows = _panoramic_rows(rng, shape) if panoramic else _intraoral_rows(rng, shape)
    _bone(rng, canvas, rows, panoramic)
    teeth = [_tooth(rng, canvas, *place) for row in rows for place in row]
    lesions = [m for tooth in teeth if rng.random() < 0.18 for m in [_root_lesion(rng, canvas, tooth)]]
    decay = [_decay(rng, canvas, tooth) for tooth in teeth if rng.random() < (0.25 if panoramic else 0.35)]
    for tooth in teeth:
        if rng.random() < 0.12:
            _filling(rng, canvas, tooth)
    _label(rng, canvas, teeth, lesions, decay)
    # A projection: the bone before and behind a root shows through it.
    canvas.image += 0.05 * noise(rng, shape, 70) + rng.uniform(0.01, 0.05) * texture(rng, shape, 8, 2)
    image = np.clip(canvas.image, 0, 1) ** rng.uniform(0.7, 1.4)
    return finish(image, rng.uniform(0.6, 1.8), rng.uniform(0.005, 0.035) * noise(rng, shape, 1.3)), canvas.labels


Place = tuple[tuple[float, float], float, float, float]
"""Centre of the neck, tooth width, length of the whole tooth, direction of the root in radians."""


def _intraoral_rows(rng: np.random.Generator, shape: tuple[int, int]) -> list[list[Place]]:
    height, width = shape
    count = rng.uniform(2.2, 5.0)
    pitch = width / count
    both = rng.random() < 0.35
    rows = []
    for upper in (True, False) if both else (rng.random() < 0.5,):
        neck_y = (
            height * ((0.24 if upper else 0.76) if both else (0.62 if upper else 0.38)) + rng.normal(0, 0.03) * height
        )
        length = height * (rng.uniform(0.5, 0.65) if both else rng.uniform(0.6, 0.85))
        lean, phase = rng.normal(0, 0.08), rng.uniform(-1, 0)
        row: list[Place] = []
        for i in range(int(count) + 3):
            x = (i + phase) * pitch + rng.normal(0, 0.04) * pitch
            y = neck_y + (x / width - 0.5) * lean * height
            angle = (-np.pi / 2 if upper else np.pi / 2) + lean + rng.normal(0, 0.08) + 0.15 * (x / width - 0.5)
            row.append(((x, y), pitch * rng.uniform(0.85, 1.02), length * rng.uniform(0.9, 1.1), angle))
        rows.append(row)
    return rows


def _panoramic_rows(rng: np.random.Generator, shape: tuple[int, int]) -> list[list[Place]]:
    height, width = shape
    rows, sag = [], rng.uniform(0.02, 0.14) * height
    pitch = width / rng.uniform(8, 14)
    middle, far = height * rng.uniform(0.42, 0.55), width * rng.choice([0.0, 0.5, 1.0])
    for upper in (True, False):
        row: list[Place] = []
        for i in range(int(width / pitch) + 1):
            x = (i + 0.5) * pitch + rng.normal(0, 0.06) * pitch
            drop = sag * (1 - ((x - far) / width) ** 2)
            length = pitch * rng.uniform(2.0, 2.7)
            y = middle + drop + (-1 if upper else 1) * length * 0.36
            angle = (
                (-np.pi / 2 if upper else np.pi / 2)
                + 0.35 * (x - far) / width * (1 if upper else -1)
                + rng.normal(0, 0.08)
            )
            if rng.random() > 0.06:
                row.append(((x, y), pitch * rng.uniform(0.85, 1.05), length, angle))
        rows.append(row)
    return rows


def _bone(rng: np.random.Generator, canvas: Canvas, rows: list[list[Place]], panoramic: bool) -> None:
    """Jaw bone with its trabecular grain, from a little behind the necks outward."""
    level = rng.uniform(0.3, 0.5)
    for row in rows:
        if not row:
            continue
        upper = row[0][3] < 0
        away = -1 if upper else 1
        edge = [(x, y + away * length * rng.uniform(0.03, 0.1)) for (x, y), _, length, _ in row]
        beyond = -20 if upper else canvas.shape[0] + 20
        if panoramic:
            beyond = np.mean([y for _, y in edge]) + away * row[0][2] * rng.uniform(1.0, 1.6)
        line = [(-20, edge[0][1]), *edge, (canvas.shape[1] + 20, edge[-1][1])]
        area = fill(canvas.shape, np.array([*line, (canvas.shape[1] + 20, beyond), (-20, beyond)]))
        grain = level + 0.04 * texture(rng, canvas.shape, 9, 2) + 0.07 * noise(rng, canvas.shape, 45)
        shade = soften(area.astype(np.float32), 2.5)
        canvas.image = canvas.image * (1 - shade) + grain * shade
    if rng.random() < 0.4:
        soft = soften(
            fill(
                canvas.shape,
                blob(rng, (canvas.shape[1] / 2, canvas.shape[0] / 2), (canvas.shape[1] * 0.7, canvas.shape[0] * 0.5)),
            ).astype(np.float32),
            9,
        )
        canvas.image += soft * np.float32(rng.uniform(0, 0.12))


def _tooth(
    rng: np.random.Generator, canvas: Canvas, neck: tuple[float, float], width: float, length: float, angle: float
) -> _Tooth:
    """Draw one tooth: `angle` points from the neck to the root's tip."""
    crown_h, root_h = length * rng.uniform(0.34, 0.42), length * rng.uniform(0.58, 0.66)
    molar = width > length * 0.36 and rng.random() < 0.8
    along, across = np.array([np.cos(angle), np.sin(angle)]), np.array([-np.sin(angle), np.cos(angle)])

    def at(u: float, v: float) -> NDArray[np.float64]:
        return np.array(neck) + across * u * width + along * v

    bite = rng.normal(0, 0.06, 3)
    crown = closed_curve(
        np.array([at(-0.4, 0), at(-0.5, -crown_h * 0.5), at(-0.42, -crown_h * (0.92 + bite[0])),
                  at(0, -crown_h * (0.9 + bite[1])), at(0.42, -crown_h * (0.92 + bite[2])),
                  at(0.5, -crown_h * 0.5), at(0.4, 0), at(0, crown_h * 0.12)])
    )  # fmt: skip
    roots, tips = _roots(rng, at, root_h, molar)
    crown_mask = fill(canvas.shape, crown)
    root_mask = np.logical_or.reduce([fill(canvas.shape, r) for r in roots])
    whole = crown_mask | root_mask
    dentine = rng.uniform(0.42, 0.66)
    canvas.image[_rim(whole)] -= 0.1
    canvas.paint(whole, dentine + 0.03 * noise(rng, canvas.shape, 12), 0.9)
    inner = fill(
        canvas.shape,
        closed_curve(
            np.array(
                [
                    at(-0.36, 0.02 * length),
                    at(-0.38, -crown_h * 0.5),
                    at(-0.28, -crown_h * 0.66),
                    at(0.28, -crown_h * 0.66),
                    at(0.38, -crown_h * 0.5),
                    at(0.36, 0.02 * length),
                ]
            )
        ),
    )
    canvas.paint(crown_mask & ~inner, min(0.95, dentine + rng.uniform(0.1, 0.28)), 0.9)
    for tip in tips:
        line = spline(np.array([at(0, -crown_h * 0.3), at(0, root_h * 0.1), (at(0, root_h * 0.5) + tip) / 2, tip]), 24)
        canal = fill(canvas.shape, ribbon(line, np.linspace(0.16, 0.03, 24) * width))
        canvas.paint(canal, dentine - rng.uniform(0.08, 0.2) if rng.random() < 0.85 else 0.95, 0.8)
    return _Tooth(whole, crown_mask, root_mask & ~crown_mask, np.array(tips), (at(-0.42, 0), at(0.42, 0)), length)


def _roots(
    rng: np.random.Generator, at: Callable[[float, float], NDArray[np.float64]], root_h: float, molar: bool
) -> tuple[list[Points], list[NDArray[np.float64]]]:
    if not molar:
        bend = rng.normal(0, 0.12)
        tip = at(bend, root_h)
        line = np.array(
            [
                at(-0.4, -0.04 * root_h),
                at(-0.33, root_h * 0.4),
                at(bend - 0.14, root_h * 0.9),
                tip,
                at(bend + 0.14, root_h * 0.9),
                at(0.33, root_h * 0.4),
                at(0.4, -0.04 * root_h),
                at(0.0, -0.1 * root_h),
            ]
        )
        return [closed_curve(line)], [tip]
    outlines, tips = [], []
    for side in (-1, 1):
        bend = side * rng.uniform(0.2, 0.45)
        tip = at(bend, root_h * rng.uniform(0.85, 1.0))
        line = np.array(
            [
                at(side * 0.42, -0.04 * root_h),
                at(side * 0.42, root_h * 0.3),
                at(bend + side * 0.1, root_h * 0.75),
                tip,
                at(bend - side * 0.12, root_h * 0.75),
                at(side * 0.06, root_h * 0.32),
                at(-side * 0.08, 0.1 * root_h),
                at(-side * 0.1, -0.05 * root_h),
            ]
        )
        outlines.append(closed_curve(line))
        tips.append(tip)
    return outlines, tips


def _rim(mask: Mask) -> Mask:
    grown = mask.copy()
    for shift, axis in ((1, 0), (-1, 0), (1, 1), (-1, 1), (2, 1), (-2, 1)):
        grown |= np.roll(mask, shift, axis)
    return grown & ~mask


def _root_lesion(rng: np.random.Generator, canvas: Canvas, tooth: _Tooth) -> Mask:
    """A dark round hollow in the bone at a root's tip."""
    tip = tooth.tips[int(rng.integers(len(tooth.tips)))]
    size = tooth.height * rng.uniform(0.05, 0.14)
    spot = fill(canvas.shape, blob(rng, tuple(tip), (size, size * rng.uniform(0.7, 1.2)), roughness=0.2))
    depth = soften((spot & ~tooth.root).astype(np.float32) + 0.3 * spot, 1.2)
    canvas.image -= depth * np.float32(rng.uniform(0.12, 0.3))
    return spot & ~tooth.root if rng.random() < 0.5 else spot


def _decay(rng: np.random.Generator, canvas: Canvas, tooth: _Tooth) -> Mask:
    """A dark bite out of the crown, mostly at its sides near a neighbour, or on the biting surface."""
    edge = _rim(~tooth.crown) & tooth.crown & ~tooth.root
    rows, cols = np.nonzero(edge)
    if not rows.size:
        return np.zeros(canvas.shape, bool)
    i = int(rng.integers(rows.size))
    size = tooth.height * rng.uniform(0.03, 0.12)
    spot = fill(canvas.shape, blob(rng, (cols[i], rows[i]), (size, size * rng.uniform(0.5, 1)), roughness=0.3))
    spot &= tooth.crown
    canvas.image -= soften(spot.astype(np.float32), rng.uniform(0.6, 1.6)) * np.float32(rng.uniform(0.15, 0.45))
    return spot


def _filling(rng: np.random.Generator, canvas: Canvas, tooth: _Tooth) -> None:
    rows, cols = np.nonzero(tooth.crown)
    if rows.size:
        i = int(rng.integers(rows.size))
        size = tooth.height * rng.uniform(0.05, 0.12)
        canvas.paint(fill(canvas.shape, blob(rng, (cols[i], rows[i]), (size, size), roughness=0.25)) & tooth.crown, 1.0)


def _label(
    rng: np.random.Generator, canvas: Canvas, teeth: list[_Tooth], lesions: list[Mask], decay: list[Mask]
) -> None:
    kind = rng.random()
    if kind < 0.4:
        parts = [tooth.root for tooth in teeth]
    elif kind < 0.6:
        parts = [tooth.whole for tooth in teeth]
    elif kind < 0.7:
        parts = [tooth.crown for tooth in teeth]
    else:
        parts = [] if decay or lesions else [tooth.whole for tooth in teeth]
    for mask in [*parts, *lesions, *decay]:
        if mask.any():
            canvas.label(mask)
