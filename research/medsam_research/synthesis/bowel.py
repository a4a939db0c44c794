"""Colon and small bowel: a long bent tube with haustra whose content may be gas, fluid, stool or contrast in levels."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import cKDTree

from .canvas import spline
from .phantom import Mould, Phantom
from .scanner import Scanner
from .solid import Mask
from .vessels import lay_backbone

__all__ = ["lay_loops", "make_bowel"]

Points = NDArray[np.float64]


# What fills a stretch of gut, and how often.
_COLON = {"stool": 0.36, "gas": 0.28, "chyme": 0.2, "oral contrast": 0.16}
_SMALL = {"chyme": 0.55, "wall": 0.2, "oral contrast": 0.17, "gas": 0.08}


def make_bowel(rng: np.random.Generator) -> Phantom:
    """The colon's frame in the belly with loops of small bowel inside, or a part of it."""
    scanner = Scanner(rng, str(rng.choice(["CT", "CT", "CT", "MR"])), "soft")
    whole = rng.random() < 0.55
    extent = rng.uniform((220, 160, 250), (340, 220, 340)) if whole else rng.uniform((80, 80, 80), (200, 150, 200))
    centre = rng.normal(0, 10, 3) if whole else rng.uniform((-80, -20, -90), (80, 20, 90))
    voxel = np.full(3, rng.uniform(2.4, 4)) * rng.uniform(0.97, 1.03, 3) if rng.random() < 0.45 else None
    phantom = Phantom(rng, scanner, extent, centre, voxel)
    _belly(phantom)
    lay_loops(phantom, (-30, -20, 0), (70, 45, 85), named=rng.random() < 0.5)
    _colon(phantom)
    if rng.random() < 0.5:
        way = spline(np.array([(125, 10, 70), (100, -20, 60), (70, -45, 20), (75, -45, -20)], float), 14)
        radii = np.linspace(32, 16, 14) * rng.uniform(0.6, 1.1)
        stomach = phantom.mould().rod(way, radii).roughen(2)
        _gut(phantom, stomach, way, rng.uniform(2, 5), _SMALL, named=rng.random() < 0.8)
    return phantom


def _belly(phantom: Phantom) -> None:
    """Fat in a wall of muscle, air outside, with liver, spleen, kidneys and spine."""
    rng = phantom.rng
    phantom.fill("air")
    trunk = phantom.mould().ball((0, 0, 0), (600, 105, 160), power=2.5).roughen(2)
    phantom.lay(trunk.mask(), "fat", named=False)
    phantom.lay(trunk.mask(rng.uniform(5, 22)), "muscle", named=False)
    phantom.lay(trunk.mask(rng.uniform(28, 36)), "fat", named=False)
    lay_backbone(phantom, (45, 0), 0.1)
    for side in (-1, 1):
        kidney = phantom.mould().ball((40, 40, side * 62), (54, 25, 28)).roughen(1.5).mask()
        phantom.lay(kidney, "kidney cortex", named=rng.random() < 0.3)
        psoas = phantom.mould().rod([(60, 40, side * 28), (-200, 30, side * 50)], [12, 24]).mask()
        phantom.lay(psoas, "muscle", named=rng.random() < 0.2)
    organs = (("liver", (125, -10, -70), (60, 80, 85)), ("spleen", (120, 30, 105), (45, 40, 25)))
    for tissue, spot, radii in organs:
        phantom.lay(phantom.mould().ball(spot, radii).roughen(4).mask(), tissue, named=rng.random() < 0.3)


def _colon(phantom: Phantom) -> None:
    """From the caecum round the belly to the rectum, one label."""
    rng = phantom.rng
    sag = rng.uniform(0, 90)
    knots = np.array(
        [(-95, -5, -95), (-60, 0, -105), (0, 10, -108), (55, 0, -100), (70, -35, -75), (60 - sag * 0.7, -65, -35),
         (55 - sag, -70, 5), (70 - sag * 0.6, -60, 45), (105, -20, 90), (110, 20, 105), (60, 30, 112), (0, 28, 112),
         (-60, 15, 105), (-95, -10, 85), (-110, -25, 45), (-85, -30, 15), (-105, -10, -15),
         (-130, 15, 0), (-170, 40, 0)],
        float,
    )  # fmt: skip
    knots = knots + rng.normal(0, 9, knots.shape)
    line = _wiggled(rng, spline(knots, 190), rng.uniform(0, 6), 5)
    along = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(line, axis=0), axis=1))])
    pouch = rng.uniform(18, 40)
    radii = _haustra(rng, along, rng.uniform(13, 24), pouch)
    colon = phantom.mould().rod(line, radii).roughen(rng.uniform(0.5, 2), "fine")
    wall = rng.uniform(1.2, 3.5)
    label = _gut(phantom, colon, line, wall, _COLON)
    if label and rng.random() < 0.8:
        _folds(phantom, colon.mask(wall), (line, radii, along / pouch))


def _haustra(rng: np.random.Generator, along: Points, wide: float, pouch: float) -> Points:
    """Radii along the line: wide at its start, pouches with creases between, stretches that lie collapsed."""
    place = along / along[-1]
    course = np.interp(place, [0, 0.25, 0.5, 0.75, 0.9, 1], [1.3, 1.1, 1, 0.75, 0.8, 1.1] * rng.uniform(0.8, 1.25, 6))
    notch = np.abs(np.cos(np.pi * along / pouch)) ** 4
    slow = np.exp(rng.uniform(0.1, 0.35) * np.sin(along / rng.uniform(40, 120) + rng.uniform(0, 6)))
    shut = np.ones_like(along)
    for _ in range(int(rng.integers(0, 4))):
        middle, half = rng.random(), rng.uniform(0.02, 0.09)
        shut *= 1 - rng.uniform(0.3, 0.65) * np.exp(-(((place - middle) / half) ** 2))
    return np.maximum(wide * course * slow * shut * (1 - rng.uniform(0.1, 0.45) * notch), 5.0)


def _folds(phantom: Phantom, inside: Mask, tube: tuple[Points, Points, Points]) -> None:
    """Half-moon folds between the pouches, each across a part of the way round; they belong to the colon's label."""
    rng, (line, radii, turns) = phantom.rng, tube
    nearest = cKDTree(line).query(np.stack([at[inside] for at in phantom.at], 1))[1]
    way = np.gradient(line, axis=0)
    way /= np.linalg.norm(way, axis=1, keepdims=True) + 1e-9
    off = np.stack([at[inside] for at in phantom.at], 1) - line[nearest]
    ahead = np.einsum("ij,ij->i", off, way[nearest])
    step = np.gradient(turns) / (np.linalg.norm(np.gradient(line, axis=0), axis=1) + 1e-9)
    turn = turns[nearest] + ahead * step[nearest]
    number = np.round(turn).astype(int)
    faces = rng.normal(0, 1, (int(turns[-1]) + 3, 3))
    faces /= np.linalg.norm(faces, axis=1, keepdims=True)
    reach = rng.uniform(0.1, 0.9) * rng.uniform(0.5, 1, len(faces))
    index = np.clip(number, 0, len(faces) - 1)
    lean = np.einsum("ij,ij->i", off, faces[index]) / radii[nearest]
    thin = np.abs(turn - number) < rng.uniform(1.0, 1.8) * step[nearest]
    fold = inside.copy()
    fold[inside] = thin & (lean > 1 - reach[index])
    phantom.lay(fold, "wall", named=False)


def _wiggled(rng: np.random.Generator, line: Points, size: float, smooth: float) -> Points:
    shake = ndimage.gaussian_filter1d(rng.standard_normal(line.shape), smooth, axis=0)
    return line + size * shake / (shake.std() + 1e-6)


def _gut(
    phantom: Phantom,
    gut: Mould,
    line: Points,
    wall: float,
    menu: dict[str, float],
    *,
    named: bool = True,
    label: int | None = None,
) -> int:
    """A wall round what gut holds: stretch by stretch something from the menu, with gas above a flat level."""
    rng = phantom.rng
    inside = gut.mask(wall)
    label = phantom.lay(gut.mask(), "wall", named=named, label=label)
    named = named and bool(label)
    stretch, gas = _stretches(phantom, inside, line)
    share = np.array(list(menu.values())) * rng.uniform(0, 1.5, len(menu)) ** 2
    chosen = rng.choice(len(menu), size=int(stretch.max(initial=0)) + 1, p=share / share.sum())
    for number, kind in enumerate(menu):
        mask = inside.copy()
        mask[inside] = chosen[stretch] == number
        _fill(phantom, mask, kind, label, named)
    if rng.random() < 0.3 + menu["gas"]:
        above = inside.copy()
        above[inside] = gas
        phantom.lay(above, "gas", label=label, named=named)
    return label


def _stretches(phantom: Phantom, inside: Mask, line: Points) -> tuple[NDArray[np.int_], NDArray[np.bool_]]:
    """For every voxel inside, the number of its stretch of gut, and whether it lies in front of the level there.

    Gas gathers at the front, as the patient lies on the back.
    """
    rng = phantom.rng
    nearest = cKDTree(line).query(np.stack([at[inside] for at in phantom.at], 1))[1]
    starts = np.sort(rng.choice(len(line), max(len(line) // int(rng.integers(8, 30)), 1), replace=False))
    number = np.searchsorted(starts, np.arange(len(line)))
    middle = ndimage.mean(line[:, 1], number, np.arange(number.max() + 1))
    level = np.asarray(middle) + rng.normal(-4, 8, number.max() + 1)
    stretch = number[nearest]
    return stretch, phantom.at[1][inside] < level[stretch]


def _fill(phantom: Phantom, mask: Mask, kind: str, label: int, named: bool) -> None:
    phantom.lay(mask, kind, label=label, named=named)
    if kind == "stool":
        bubbles = mask & (phantom.noise("grain") > phantom.rng.uniform(0.8, 1.8))
        phantom.lay(bubbles, "gas", label=label, named=named)


def lay_loops(
    phantom: Phantom, centre: tuple[float, float, float], room: tuple[float, float, float], *, named: bool
) -> None:
    """Small bowel: one long thin tube wound up in an ellipsoid of radii `room`, one label."""
    rng, label = phantom.rng, 0
    for _ in range(int(rng.integers(2, 5))):
        way = ndimage.gaussian_filter1d(rng.standard_normal((160, 3)), rng.uniform(4, 7), axis=0)
        line = np.array(centre) + np.clip(way / way.std() * 0.6, -1.1, 1.1) * np.array(room)
        wide = rng.uniform(7, 14) * (1 + 0.25 * np.sin(np.linspace(0, rng.uniform(20, 80), len(line))))
        loop = phantom.mould().rod(line, wide).roughen(0.6, "fine")
        label = _gut(phantom, loop, line, rng.uniform(1, 2.5), _SMALL, named=named, label=label)
