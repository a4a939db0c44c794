"""Hearts in three dimensions: chambers, muscle and great vessels, as short-axis stacks or in a body's own planes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .canvas import spline
from .phantom import Mould, Phantom
from .scanner import Scanner
from .solid import Mask

__all__ = ["make_heart"]

_SPLIT = 0.5  # share of hearts seen along their own axis
_ENHANCED = 110.0  # HU


class _Pose:
    """Points of the heart (base, back, left: along its axis, round it) as points of the phantom."""

    def __init__(self, turn: NDArray[np.float64], grow: float) -> None:
        self.turn, self.grow = turn, grow

    def __call__(self, *points: tuple[float, float, float]) -> NDArray[np.float64]:
        return np.array(points, float) @ self.turn * self.grow


def make_heart(rng: np.random.Generator) -> Phantom:
    """A short-axis stack of a few thick slices, or a box round the heart in CT or MR."""
    short = rng.random() < _SPLIT
    modality = "MR" if short and rng.random() < 0.9 else str(rng.choice(["CT", "CT", "MR"]))
    scanner = _scanner(rng, modality)
    grow = rng.uniform(0.8, 1.25)
    if short:
        angle = rng.uniform(-np.pi, np.pi)
        turn = np.array([[1, 0, 0], [0, np.cos(angle), np.sin(angle)], [0, -np.sin(angle), np.cos(angle)]])
        extent = np.array((rng.uniform(65, 120), *rng.uniform(110, 190, 2)))
        voxel: NDArray[np.float64] | None = np.array((rng.uniform(6, 10), *np.full(2, rng.uniform(1.2, 1.9))))
    else:
        turn, extent, voxel = _oblique(rng), rng.uniform((80, 100, 100), (170, 190, 210)), None
    phantom = Phantom(rng, scanner, extent, rng.normal(0, 6, 3) + (0, 0, -8), voxel)
    _chest(phantom, _Pose(turn, grow))
    _lay_heart(phantom, _Pose(turn, grow))
    return phantom


def _scanner(rng: np.random.Generator, modality: str) -> Scanner:
    """In CT with contrast agent: without it no chamber can be told from its wall."""
    scanner = Scanner(rng, modality, "soft")
    while modality == "CT" and scanner.tone("bright blood") < _ENHANCED:
        scanner = Scanner(rng, modality, "soft")
    return scanner


def _oblique(rng: np.random.Generator) -> NDArray[np.float64]:
    """The turn of a heart in its chest: the tip points left, forwards and down."""
    tip = np.array((-0.45, -0.6, 0.65)) + rng.normal(0, 0.12, 3)
    base = -tip / np.linalg.norm(tip)
    left = np.array((0.5, 0.35, 0.8)) + rng.normal(0, 0.1, 3)
    left -= (left @ base) * base
    left /= np.linalg.norm(left)
    return np.stack([base, np.cross(left, base), left])


def _chest(phantom: Phantom, pose: _Pose) -> None:
    """Lung on all sides, the wall of the chest in front, the liver's dome below, fat round the heart."""
    rng = phantom.rng
    phantom.fill("lung")
    wall = phantom.at[1] + np.float32(rng.uniform(52, 75)) + 3 * phantom.noise("coarse")
    phantom.lay(wall < 0, "muscle", named=False)
    phantom.lay(wall < -rng.uniform(8, 20), "fat", named=False)
    for _ in range(7):
        start = np.array((35, 25, rng.choice([-35, 55])), float)
        way = spline(np.array([start, start + rng.normal(0, 25, 3), start + rng.normal(0, 60, 3)]), 6)
        phantom.lay(phantom.mould().rod(way, np.linspace(5, 1, 6)).mask(), "bright blood", named=False)
    fat = phantom.mould().ball(pose((-5, 0, -12))[0], np.array((62, 46, 58)) * pose.grow, turn=pose.turn)
    phantom.lay(fat.roughen(5).mask(), "fat", named=False)
    if rng.random() < 0.8:
        dome = phantom.mould().ball(pose((-35, 0, -20))[0] + (-75, 0, -30), (62, 95, 95)).roughen(3)
        phantom.lay(dome.mask(), "liver", named=rng.random() < 0.3)
    down = phantom.mould().rod([(-200, 60, 12), (200, 60, 12)], rng.uniform(9, 13)).mask()
    phantom.lay(down, "bright blood", named=rng.random() < 0.3)


def _lay_heart(phantom: Phantom, pose: _Pose) -> None:
    """Right heart first, then the muscle of the left with its cavity and the vessels that leave it."""
    rng, grow = phantom.rng, pose.grow
    blood = phantom.pick("bright blood", "bright blood", "blood")
    thick, wide = rng.uniform(6, 15) * grow, rng.uniform(17, 30) * grow
    long = rng.uniform(40, 52) * grow
    outer = phantom.mould().ball(pose((0, 0, 0))[0], (long + thick, wide + thick, wide + thick), turn=pose.turn)
    outer.roughen(rng.uniform(0.5, 1.2))
    basal = _height(phantom, pose) - np.float32(rng.uniform(12, 26) * grow)
    outer.field = np.maximum(outer.field, basal)
    _right(phantom, pose, outer, basal, wide + thick)
    chosen = rng.random()
    muscle = phantom.lay(outer.mask(), "heart wall", named=chosen < 0.75)
    cavity = phantom.mould().ball(pose((3, 0, 0))[0], (long, wide, wide * rng.uniform(0.85, 1)), turn=pose.turn)
    cavity.field = np.maximum(cavity.roughen(rng.uniform(0.3, 0.8)).field, basal)
    inside = cavity.mask() & outer.mask()
    together = 0.6 < chosen < 0.75
    label = phantom.lay(inside, blood, label=muscle if together else None)
    rough = np.abs(phantom.noise("fine")) * np.float32(rng.uniform(0.5, 3))
    trabeculae = inside & (cavity.field > -rough)
    phantom.lay(trabeculae, "heart wall", named=False)
    _papillary(phantom, pose, inside, wide, long)
    if label and not together and rng.random() < 0.15:
        phantom.name(trabeculae, muscle or None)
    _great_vessels(phantom, pose, basal > 0, blood)


def _height(phantom: Phantom, pose: _Pose) -> NDArray[np.float32]:
    """How far towards the base, in mm, along the heart's axis."""
    return sum(np.float32(a) * at for a, at in zip(pose.turn[0], phantom.at, strict=True))  # type: ignore[return-value]


def _papillary(phantom: Phantom, pose: _Pose, inside: Mask, wide: float, long: float) -> None:
    """Two muscles in the cavity; they are part of its label."""
    rng = phantom.rng
    for angle in (rng.normal(0.9, 0.25), rng.normal(-1.4, 0.25)):
        out = wide / pose.grow * rng.uniform(0.5, 0.75)
        foot, tip = (-0.55 * long / pose.grow, 0.0), (0.1 * long / pose.grow, 0.9)
        knots = [(up, np.sin(angle) * out * k, np.cos(angle) * out * k) for up, k in (foot[:1] + (1.0,), tip)]
        pillar = phantom.mould().rod(pose(*knots), rng.uniform(2.5, 5.5) * pose.grow).roughen(0.6, "fine")
        phantom.lay(pillar.mask() & inside, "heart wall", named=False)


def _right(phantom: Phantom, pose: _Pose, outer: Mould, basal: NDArray[np.float32], wide: float) -> None:
    """The right ventricle: a crescent round the septum in a thin wall, with coarse beams in it."""
    rng, grow = phantom.rng, pose.grow
    spot = pose((rng.uniform(2, 8), -rng.uniform(4, 16), -wide / grow * rng.uniform(0.75, 1.1)))[0]
    radii = np.array((rng.uniform(40, 52), rng.uniform(28, 42), rng.uniform(22, 36))) * grow
    crescent = phantom.mould().ball(spot, radii, power=2.3, turn=pose.turn).roughen(1.5)
    crescent.field = np.maximum(crescent.field, basal - np.float32(6))
    beyond = outer.field > 0
    named = rng.random() < 0.7
    phantom.lay(crescent.mask(-rng.uniform(2, 4)) & beyond, "heart wall", named=False)
    hollow = crescent.mask() & beyond
    phantom.lay(hollow, phantom.pick("bright blood", "bright blood", "vein"), named=named)
    beams = hollow & (crescent.field > -rng.uniform(2, 9)) & (phantom.noise("fine") > rng.uniform(0.3, 1.2))
    phantom.lay(beams, "heart wall", named=False)


def _great_vessels(phantom: Phantom, pose: _Pose, above: Mask, blood: str) -> None:
    """Both atria, the aorta's root and the pulmonary trunk, above the valves' plane."""
    rng, share = phantom.rng, phantom.rng.random() < 0.7
    atria = (((34, 14, 4), (20, 24, 30), blood), ((28, 2, -44), (28, 26, 24), "vein"))
    for spot, radii, tissue in atria:
        place = pose(spot)[0] + rng.normal(0, 3, 3)
        chamber = phantom.mould().ball(place, np.array(radii) * pose.grow * rng.uniform(0.85, 1.2, 3), turn=pose.turn)
        chamber.roughen(2)
        phantom.lay(chamber.mask(-1.8) & above, "heart wall", named=False)
        phantom.lay(chamber.mask() & above, tissue, named=share)
    aorta = spline(pose((14, -8, -8), (38, -18, -16), (60, -12, -24), (95, 0, -20)), 12)
    trunk = spline(pose((14, -34, -16), (40, -36, 0), (66, -22, 8), (90, 0, 10)), 12)
    for line, radius, tissue in ((trunk, 13, "bright blood"), (aorta, 13, blood)):
        tube = phantom.mould().rod(line, radius * pose.grow * rng.uniform(0.8, 1.2)).roughen(0.5)
        phantom.lay(tube.mask(-1.5) & above, "wall", named=False)
        phantom.lay(tube.mask() & above, tissue, named=share)
