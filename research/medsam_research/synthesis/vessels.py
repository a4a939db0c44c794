"""The aorta with its arch, branches and calcified wall, among heart, veins, lungs and spine."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .canvas import spline
from .phantom import Phantom
from .scanner import Scanner
from .vertebra import LUMBAR, THORACIC, Bone, Frame, add_vertebra, between, lay_bone, lay_vertebra

__all__ = ["lay_backbone", "lay_calcium", "make_aorta"]

Points = NDArray[np.float64]


def make_aorta(rng: np.random.Generator) -> Phantom:
    """The chest's aorta with its arch, or the belly's with its fork, or a piece of either."""
    scanner = Scanner(rng, str(rng.choice(["CT", "CT", "CT", "MR"])), "soft" if rng.random() < 0.7 else "chest")
    low = rng.random() < 0.35
    extent = rng.uniform((90, 90, 90), (260, 190, 200))
    centre = (rng.uniform(-230, -120) if low else rng.uniform(-60, 40), -20 + rng.normal(0, 8), 5 + rng.normal(0, 8))
    phantom = Phantom(rng, scanner, extent, centre)
    blood = phantom.pick("blood", "blood", "bright blood")
    _surroundings(phantom)
    lay_backbone(phantom, (40, 0))
    if not low:
        _heart(phantom, blood)
    line, radii = _course(rng)
    _veins(phantom)
    _aorta(phantom, line, radii, blood)
    return phantom


def _course(rng: np.random.Generator) -> tuple[Points, Points]:
    """The middle line from the valve over the arch down to the fork, in mm, and the radius along it."""
    wide = rng.uniform(0.8, 1.25)
    sway = rng.normal(0, 6, (13, 3)) * (1, 1, 1)
    knots = np.array(
        [(-20, -30, 5), (0, -38, -10), (25, -38, -18), (50, -28, -12), (62, -8, 2), (55, 14, 16), (35, 22, 22),
         (0, 24, 20), (-50, 22, 14), (-100, 14, 8), (-160, 6, 4), (-220, 4, 2), (-265, 2, 0)], float,
    )  # fmt: skip
    knots = (knots + sway * 0.5) * (1, wide, wide)
    line = spline(knots, 90)
    place = np.linspace(0, 1, 90)
    radii = np.interp(place, [0, 0.1, 0.4, 0.7, 1], [16, 15, 12.5, 11, 8.5]) * rng.uniform(0.75, 1.25)
    if rng.random() < 0.25:
        at, more = rng.uniform(0.1, 0.95), rng.uniform(0.3, 1.2)
        radii = radii * (1 + more * np.exp(-(((place - at) / 0.06) ** 2)))
    return line, radii * (1 + 0.04 * np.sin(place * rng.uniform(10, 40)))


def _aorta(phantom: Phantom, line: Points, radii: Points, blood: str) -> None:
    """Wall and lumen under one label; branches are its neighbours, or belong to it."""
    rng = phantom.rng
    tube = phantom.mould().rod(line, radii).roughen(0.4, "fine")
    for stem in _branches(rng, line):
        branch = phantom.mould().rod(stem, np.linspace(rng.uniform(3, 5), 2, len(stem)))
        phantom.lay(branch.mask(), blood, named=False)
    for side in (-1, 1):
        end = line[-1]
        leg = np.array([end, end + (-25, -6, side * 14), end + (-70, -10, side * 38), end + (-120, -30, side * 55)])
        phantom.lay(phantom.mould().rod(spline(leg, 14), rng.uniform(5, 7)).mask(), blood, named=rng.random() < 0.6)
    label = phantom.lay(tube.mask(), "wall")
    phantom.lay(tube.mask(rng.uniform(1.2, 2.4)), blood, label=label, named=bool(label))
    if rng.random() < 0.25:
        clot = phantom.mould().ball(line[int(rng.integers(55, 88))], (40, 12, 12)).roughen(3).mask()
        phantom.lay(clot & tube.mask(1) & ~tube.mask(rng.uniform(3, 6)), "wall", label=label, named=bool(label))
    if rng.random() < 0.5 and label:
        lay_calcium(phantom, line, radii, label)


def lay_calcium(phantom: Phantom, line: Points, radii: Points, label: int) -> None:
    """Flat stones in the wall of a vessel, part of it."""
    rng = phantom.rng
    for _ in range(int(rng.integers(3, 25))):
        k, way = int(rng.integers(len(line))), rng.normal(0, 1, 3)
        spot = line[k] + way / np.linalg.norm(way) * (radii[k] - 1)
        stone = phantom.mould().ball(spot, rng.uniform(1, 3.2, 3)).mask() & (phantom.labels == label)
        phantom.lay(stone, "calcium", named=False)


def _branches(rng: np.random.Generator, line: Points) -> list[Points]:
    """Three to the head from the arch, four to the belly's organs."""
    stems = [
        np.array([line[k], line[k] + (20, -4, d), line[k] + (70, -4, 3 * d)]) for k, d in ((24, -8), (28, 2), (33, 9))
    ]
    for k, way in ((70, (-4, -30, 5)), (73, (-20, -32, 0)), (76, (-8, 4, 40)), (76, (-8, 4, -40))):
        bend = np.array(way) + rng.normal(0, 6, 3)
        stems.append(np.array([line[k], line[k] + bend * 0.6, line[k] + bend * 1.5 + (-8, 0, 0)]))
    return [spline(stem, 8) for stem in stems]


def _veins(phantom: Phantom) -> None:
    """The caval veins on the right, the lungs' arteries round the arch, the gullet behind."""
    rng = phantom.rng
    lower = spline(
        np.array([(-20, -15, -28), (-80, -5, -24), (-170, 2, -22), (-300, 6, -20)]) + rng.normal(0, 3, (4, 3)), 20
    )
    phantom.lay(phantom.mould().rod(lower, rng.uniform(9, 13), stretch=(1, rng.uniform(0.6, 1), 1)).mask(), "vein")
    upper = np.array([(130, -25, -30), (60, -28, -32), (0, -25, -32)], float)
    phantom.lay(phantom.mould().rod(upper, rng.uniform(7, 11)).mask(), "vein")
    trunk = phantom.pick("vein", "blood")
    stem = spline(np.array([(-15, -50, 12), (15, -42, 18), (28, -12, 8), (26, 4, -30), (20, 8, -60)], float), 16)
    lung = phantom.mould().rod(stem, np.linspace(14, 8, 16))
    lung.rod(spline(np.array([(28, -14, 12), (30, 0, 36), (24, 8, 66)], float), 8), np.linspace(11, 7, 8))
    phantom.lay(lung.mask(), trunk, named=rng.random() < 0.7)
    gullet = phantom.mould().rod([(150, 22, 2), (40, 14, 2), (-90, 4, 8)], 7, stretch=(1, 0.7, 1))
    phantom.lay(gullet.mask(), "wall", named=rng.random() < 0.5)
    phantom.lay(
        phantom.mould().rod([(150, 4, 0), (32, 6, 0)], rng.uniform(7, 9)).mask(), "gas", named=rng.random() < 0.5
    )


def _surroundings(phantom: Phantom) -> None:
    """Fat and muscle, lungs at both sides above, liver, gut and kidneys below."""
    rng = phantom.rng
    phantom.fill("fat")
    for side in (-1, 1):
        lung = phantom.mould().ball((30, 0, side * 85), (125, 85, 62), power=3).roughen(3)
        phantom.lay(lung.mask(), "lung", named=rng.random() < 0.3)
        for _ in range(8):
            start = np.array((20 + rng.normal(0, 30), 0, side * 40.0))
            twig = np.array(
                [
                    start,
                    start + (rng.normal(0, 20), rng.normal(0, 20), side * 30),
                    start + (rng.normal(0, 50), rng.normal(0, 40), side * 70),
                ]
            )
            phantom.lay(phantom.mould().rod(twig, [4, 2.5, 1.2]).mask(), "vein", named=False)
        kidney = phantom.mould().ball((-150, 15, side * 60), (52, 24, 27)).roughen(1.5).mask()
        phantom.lay(kidney, "kidney cortex", named=rng.random() < 0.4)
        psoas = phantom.mould().rod([(-120, 34, side * 26), (-300, 20, side * 50)], [10, 22]).mask()
        phantom.lay(psoas, "muscle", named=rng.random() < 0.3)
    liver = phantom.mould().ball((-95, -30, -70), (62, 70, 75)).roughen(4).mask()
    phantom.lay(liver, "liver", named=rng.random() < 0.3)
    for _ in range(10):
        spot = rng.uniform((-300, -90, -70), (-110, -25, 90))
        loop = phantom.mould().ball(spot, rng.uniform(10, 24, 3)).roughen(2).mask()
        phantom.lay(loop, phantom.pick("chyme", "gas", "wall", "oral contrast"), named=False)


def _heart(phantom: Phantom, blood: str) -> None:
    """The heart's muscle with four chambers, in its fat."""
    rng = phantom.rng
    named = rng.random() < 0.6
    phantom.lay(phantom.mould().ball((-50, -40, 15), (58, 48, 66)).roughen(3).mask(), "fat", named=False)
    left = phantom.mould().ball((-58, -38, 38), (38, 32, 45)).roughen(1.5).mask()
    phantom.lay(left, "muscle", named=named)
    for spot, radii, tissue in (((-56, -38, 34), (24, 19, 30), blood), ((-62, -62, -2), (32, 20, 38), "vein"),
                                ((-40, -30, -36), (28, 22, 20), "vein"),
                                ((-28, -4, 8), (22, 17, 34), blood)):  # fmt: skip
        chamber = phantom.mould().ball(np.array(spot) + rng.normal(0, 3, 3), radii).roughen(2).mask()
        phantom.lay(chamber, tissue, named=named)


def lay_backbone(phantom: Phantom, back: tuple[float, float], named: float = 0.3) -> None:
    """The column of vertebrae as a neighbour, from chest to loin; `back` is its place (back, left)."""
    rng = phantom.rng
    low, high = float(phantom.at[0].min()), float(phantom.at[0].max())
    share, grow, top = rng.random() < named, rng.uniform(0.85, 1.1), rng.uniform(20, 90)
    bone, lean = Bone.of(rng, phantom.scanner.modality), rng.normal(0, 0.06)
    back = (back[0] - 7, back[1])
    discs = phantom.mould().rod([(low - 40, *back), (high + 40, *back)], 14 * grow, stretch=(1, 0.9, 1.2)).mask()
    phantom.lay(discs, "disc", named=False)
    behind = (back[0] + 24 * grow, back[1])
    canal = phantom.mould().rod([(low - 40, *behind), (high + 40, *behind)], 8 * grow, stretch=(1, 1, 1.2)).mask()
    phantom.lay(canal, "fat", named=False)
    cord = phantom.mould().rod([(low - 40, *behind), (high + 40, *behind)], rng.uniform(4.5, 7)).mask()
    phantom.lay(cord, "cord", named=rng.random() < named)
    column, up = phantom.mould(), low - rng.uniform(0, 30)
    while up < high + 20:
        region = between(THORACIC, LUMBAR, float(np.clip((top - up) / 120, 0, 1)), grow)
        frame = Frame(np.array((up, *back)) + rng.normal(0, 0.7, 3), lean + rng.normal(0, 0.03))
        if share:
            lay_vertebra(phantom, region, frame, bone)
        else:
            add_vertebra(column, rng, region, frame, bone.wear)
        up += region.pitch
    if not share:
        lay_bone(phantom, column.roughen(bone.rough, "fine"), bone, named=False)
