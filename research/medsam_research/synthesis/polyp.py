"""Polyps on a wall lit from the camera: sessile, on a stalk, flat, lobed, cut by the picture's edge."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from .canvas import Mask, Points, blob, fill, noise, ribbon, soften, spline, texture

__all__ = ["Surface", "add_polyp"]

Plane = NDArray[np.float32]


@dataclass(frozen=True)
class Surface:
    """A wall under construction, painted in place.

    Parameters
    ----------
    light : float32 (H, W), how much light comes back; about 0 (lumen) to 1.2 (near)
    hue : float32 (H, W, 3), its colour in full light
    shine : float32 (H, W), white mirrored light on top
    """

    light: Plane
    hue: Plane
    shine: Plane

    def picture(self) -> Plane:
        """Colour of every pixel, float32 (H, W, 3); bright parts run into white like in a camera."""
        lit = self.hue * self.light[:, :, None] + self.shine[:, :, None]
        return np.where(lit > 0.8, 0.8 + 0.2 * np.tanh((lit - 0.8) / 0.2), np.maximum(lit, 0)).astype(np.float32)


def add_polyp(rng: np.random.Generator, surface: Surface) -> Mask:
    """Draw one polyp and return its mask."""
    shape = surface.light.shape
    outlines, radius = _outlines(rng, shape)
    mask = np.zeros(shape, bool)
    height = np.zeros(shape, np.float32)
    flat = rng.random() < 0.2
    for outline in outlines:
        part = fill(shape, outline)
        mask |= part
        away = ndimage.distance_transform_edt(part).astype(np.float32)
        slope = np.clip(away / (max(float(away.max()), 1) * (0.35 if flat else rng.uniform(0.6, 1))), 0, 1)
        height = np.maximum(height, np.sqrt(1 - (1 - slope) ** 2) * max(float(away.max()), 1))
    if not mask.any():
        return mask
    lumps = texture(rng, shape, rng.uniform(0.2, 0.8) * radius + 3, 3) * rng.uniform(0, 0.12) * radius
    height = soften(
        (height + lumps * mask) * (rng.uniform(0.05, 0.2) if flat else rng.uniform(0.35, 1.0)), 0.04 * radius + 0.8
    )
    facing, mirrored = _lit(rng, height)
    edge = soften(mask.astype(np.float32), rng.uniform(0.6, 2.0))
    _shadow(rng, surface, mask, radius, 0.25 if flat else 1.0)
    level = max(float(np.median(surface.light[mask])), rng.uniform(0.45, 0.85)) * rng.uniform(0.9, 1.25)
    own = (level + rng.uniform(0, 0.5) * (surface.light - level)) * facing / max(float(np.median(facing[mask])), 0.1)
    surface.light[:] = surface.light * (1 - edge) + own * edge
    _colour(rng, surface, edge, radius)
    wet = mirrored + 0.08 * noise(rng, shape, rng.uniform(2, 5)) * rng.uniform(0, 2)
    glints = soften((wet > rng.uniform(0.9, 1.05)).astype(np.float32), rng.uniform(0.5, 1.2))
    surface.shine[:] = surface.shine * (1 - edge) + glints * edge * np.float32(rng.uniform(0, 1.2))
    return mask


def _outlines(rng: np.random.Generator, shape: tuple[int, int]) -> tuple[list[Points], float]:
    """Outlines that make up one polyp, and the radius of its head."""
    height, width = shape
    radius = min(shape) * np.exp(rng.uniform(np.log(0.05), np.log(0.42)))
    centre = rng.uniform(0.12, 0.88, 2) * (width, height)
    oblong = rng.uniform(0.55, 1)
    rough = rng.uniform(0.015, 0.1)
    made = [blob(rng, tuple(centre), (radius, radius * oblong), roughness=rough)]
    kind = rng.random()
    if kind < 0.2:
        foot = centre + rng.normal(0, 1, 2) * radius * 1.6
        line = spline(np.array([centre, (centre + foot) / 2 + rng.normal(0, 0.2, 2) * radius, foot]))
        made.append(ribbon(line, np.linspace(0.7, rng.uniform(0.4, 1.2), len(line)) * radius))
    elif kind < 0.45:
        for _ in range(int(rng.integers(1, 5))):
            side = centre + rng.normal(0, 0.55, 2) * radius
            made.append(blob(rng, tuple(side), tuple(radius * rng.uniform(0.4, 0.8, 2)), roughness=rough))
    return made, float(radius)


def _lit(rng: np.random.Generator, height: Plane) -> tuple[Plane, Plane]:
    """Light that a relief sends back, about 1 where it is level, and how well it mirrors the lamp, up to 1."""
    down, right = np.gradient(height)
    size = np.sqrt(1 + down**2 + right**2)
    tilt = rng.normal(0, 0.35, 2)
    lamp = np.array([tilt[0], tilt[1], 1.0]) / np.sqrt(1 + tilt @ tilt)
    facing = (lamp[2] - lamp[0] * down - lamp[1] * right) / size
    strength = rng.uniform(0.4, 1.0)
    return (1 - strength + strength * np.clip(facing, 0, 1)).astype(np.float32), np.clip(facing, 0, 1) ** 12


def _shadow(rng: np.random.Generator, surface: Surface, mask: Mask, radius: float, strength: float) -> None:
    """Darkness at the foot, deeper on one side."""
    plain = mask.astype(np.float32)
    angle, reach = rng.uniform(0, 2 * np.pi), rng.uniform(0, 0.25) * radius
    cast = ndimage.shift(plain, (reach * np.sin(angle), reach * np.cos(angle)), order=1)
    dark = np.maximum(soften(cast, 0.08 * radius + 1), soften(plain, 0.05 * radius + 1) * rng.uniform(0, 1))
    surface.light[:] *= 1 - dark * np.float32(strength * rng.uniform(0, 0.6) ** 1.3)


def _colour(rng: np.random.Generator, surface: Surface, edge: Plane, radius: float) -> None:
    """Tint of the polyp: that of the wall, redder or paler, with pits or vessels of its own."""
    shape = surface.light.shape
    kind = rng.random()
    strength = rng.uniform(0, 0.3) if kind < 0.6 else rng.uniform(0.3, 0.7)
    towards = np.array([(0.85, 0.32, 0.28), (0.95, 0.82, 0.72), (0.85, 0.62, 0.3), (0.55, 0.25, 0.28)][
        int(rng.choice(4, p=[0.45, 0.3, 0.15, 0.1]))
    ])  # fmt: skip
    mean = surface.hue.mean((0, 1))
    keep = rng.uniform(0, 0.8)
    own = (mean + (surface.hue - mean) * keep) * (1 - strength) + towards * strength
    pits = np.clip(noise(rng, shape, rng.uniform(2, 0.15 * radius + 3.5)), -2, 2)
    if rng.random() < 0.4:
        pits = np.abs(pits) - 0.8
    marks = (rng.choice([0.02, rng.uniform(0.03, 0.2)]) * pits + 0.05 * texture(rng, shape, 0.5 * radius + 4))[
        :, :, None
    ]
    own = own * (1 + marks * np.float32([0.35, 1, 1]))
    surface.hue[:] = surface.hue * (1 - edge[:, :, None]) + own * edge[:, :, None]
