"""Films of bones: hands, long bones with a joint, and a spine from the side, with bright cortex and soft tissue."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .canvas import Canvas, Points, closed_curve, fill, finish, noise, pick_size, ribbon, soften, spline, texture

__all__ = ["make"]


def make(rng: np.random.Generator) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """A film; labels: the bones, one each."""
    shape = pick_size(rng)
    canvas = Canvas(np.full(shape, rng.uniform(0.02, 0.15), np.float32))
    kind = rng.random()
    bones = _hand(rng, shape) if kind < 0.4 else _joint(rng, shape) if kind < 0.75 else _spine(rng, shape)
    _soft_tissue(rng, canvas, bones)
    grain = 1 + 0.12 * texture(rng, shape, 5, 2)
    for bone in bones:
        _project(rng, canvas, bone, grain)
    for bone in bones:
        mask = fill(shape, bone)
        if np.count_nonzero(mask) > 30:
            canvas.label(mask, over=bool(rng.random() < 0.5))
    canvas.image *= 1 + 0.1 * noise(rng, shape, 90)
    image = np.clip(canvas.image, 0, 1) ** rng.uniform(0.6, 1.3)
    return finish(image, rng.uniform(0.4, 1.2), rng.uniform(0.004, 0.03) * noise(rng, shape, 1.2)), canvas.labels


def _project(rng: np.random.Generator, canvas: Canvas, bone: Points, grain: NDArray[np.float32]) -> None:
    """Add a bone: its cortex is crossed lengthwise at the rim and so brighter there; overlaps add up."""
    low, high = np.maximum(bone.min(0).astype(int) - 8, 0), bone.max(0).astype(int) + 8
    view = np.s_[low[1] : high[1], low[0] : high[0]]
    if not canvas.image[view].size:
        return
    mask = fill(canvas.image[view].shape, bone - low).astype(np.float32)
    core = soften(mask, np.sqrt(mask.sum()) / 9 + 1)
    rim = mask * (1 - np.clip(core, 0, 1)) * 1.6
    shade = soften(mask * (0.7 + rng.uniform(0.1, 0.5) * rim) * grain[view], 0.7)
    canvas.image[view] += shade * np.float32(rng.uniform(0.18, 0.34))


def _soft_tissue(rng: np.random.Generator, canvas: Canvas, bones: list[Points]) -> None:
    around = np.zeros(canvas.shape, np.float32)
    for bone in bones:
        centre = bone.mean(0)
        around = np.maximum(
            around, fill(canvas.shape, centre + (bone - centre) * rng.uniform(1.3, 2.2)).astype(np.float32)
        )
    flesh = soften((soften(around, 7) > 0.35).astype(np.float32), 2.5)
    canvas.image += flesh * (rng.uniform(0.1, 0.35) + 0.02 * noise(rng, canvas.shape, 15))


def _long_bone(
    start: NDArray[np.float64], end: NDArray[np.float64], width: float, flare: float, bend: NDArray[np.float64]
) -> Points:
    """A shaft with wider, rounded ends."""
    line = spline(np.array([start, (start + end) / 2 + bend, end]), 30)
    u = np.linspace(-1, 1, 30)
    widths = width * (1 + flare * np.abs(u) ** 4) * np.clip((1.02 - np.abs(u)) / 0.12, 0.15, 1) ** 0.5
    return ribbon(line, widths)


def _hand(rng: np.random.Generator, shape: tuple[int, int]) -> list[Points]:
    height, width = shape
    size, bones = min(height, width) * rng.uniform(0.9, 1.1), []
    wrist = np.array([width * rng.uniform(0.42, 0.58), height * rng.uniform(0.85, 0.98)])
    spread = rng.uniform(0.16, 0.3)
    for finger in range(5):
        angle = -np.pi / 2 + (finger - 2) * spread + rng.normal(0, 0.04)
        reach = size * (0.2 if finger == 0 else 0.26)
        place = wrist + np.array([(finger - 2) * size * 0.055, -size * 0.08])
        lengths = (0.19, 0.14, 0.1) if finger == 0 else (0.27, 0.17, 0.11, 0.08)
        for k, share in enumerate(lengths):
            direction = np.array([np.cos(angle), np.sin(angle)])
            length = size * share * rng.uniform(0.9, 1.1) * (1 if finger in (2, 3) else 0.9)
            end = place + direction * length
            bones.append(_long_bone(place, end, reach * (0.17 - 0.02 * k), 0.5, rng.normal(0, 0.01 * size, 2)))
            place = end + direction * size * 0.012
            angle += rng.normal(0, 0.06)
    for i in range(6):
        centre = wrist + np.array([(i % 3 - 1) * size * 0.07, -size * (0.06 if i < 3 else 0.0)])
        radius = size * rng.uniform(0.025, 0.042)
        bones.append(closed_curve(centre + radius * (1 + rng.normal(0, 0.12, (7, 1))) * _circle(7)))
    for side in (-1, 1):
        top = wrist + np.array([side * size * 0.07, size * 0.05])
        bones.append(_long_bone(top, top + [side * size * 0.01, size * 0.6], size * 0.09, 0.6, np.zeros(2)))
    return bones


def _joint(rng: np.random.Generator, shape: tuple[int, int]) -> list[Points]:
    """Two or four shafts that meet at a joint, as at a knee, an ankle or an elbow."""
    height, width = shape
    middle = np.array([width, height]) * rng.uniform(0.4, 0.6, 2)
    size, turn = max(height, width), rng.uniform(0, 2 * np.pi)
    bones = []
    for side in (0, 1):
        angle = turn + side * (np.pi + rng.normal(0, 0.3))
        direction, across = np.array([np.cos(angle), np.sin(angle)]), np.array([-np.sin(angle), np.cos(angle)])
        count = int(rng.integers(1, 3))
        for k in range(count):
            off = across * (k - (count - 1) / 2) * size * 0.14
            start = middle + direction * size * rng.uniform(0.01, 0.03) + off
            wide = size * rng.uniform(0.07, 0.15) / count**0.5
            bones.append(
                _long_bone(
                    start,
                    start + direction * size * rng.uniform(0.5, 0.9),
                    wide,
                    rng.uniform(0.4, 1.1),
                    rng.normal(0, 0.02 * size, 2),
                )
            )
    if rng.random() < 0.5:
        bones.append(
            closed_curve(
                middle
                + rng.normal(0, 0.02 * size, 2)
                + size * rng.uniform(0.04, 0.08) * (1 + rng.normal(0, 0.1, (8, 1))) * _circle(8)
            )
        )
    return bones


def _spine(rng: np.random.Generator, shape: tuple[int, int]) -> list[Points]:
    height, width = shape
    x = width * rng.uniform(0.35, 0.65)
    line = spline(
        np.array(
            [
                [x + rng.normal(0, 0.08) * width, -10],
                [x, height * 0.35],
                [x + rng.normal(0, 0.06) * width, height * 0.7],
                [x + rng.normal(0, 0.1) * width, height + 10],
            ]
        ),
        200,
    )
    bones, count = [], int(rng.integers(5, 10))
    pitch, wide = height / count, width * rng.uniform(0.14, 0.26)
    for i in range(count + 1):
        j = min(198, int((i + rng.uniform(0.45, 0.55)) * 200 / (count + 1)))
        along = (line[j + 1] - line[j]) / np.linalg.norm(line[j + 1] - line[j])
        across = np.array([-along[1], along[0]])
        w, h = wide * rng.uniform(0.92, 1.08) / 2, pitch * rng.uniform(0.72, 0.85) / 2
        corners = [(-1, -1), (-0.9, 0), (-1, 1), (0, 0.93), (1, 1), (0.9, 0), (1, -1), (0, -0.93)]
        bones.append(
            closed_curve(
                np.array([line[j] + across * w * u + along * h * v + rng.normal(0, 0.4, 2) for u, v in corners])
            )
        )
    return bones


def _circle(count: int) -> Points:
    angle = np.linspace(0, 2 * np.pi, count, endpoint=False)
    return np.stack([np.cos(angle), np.sin(angle)], 1)
