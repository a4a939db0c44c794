"""Spines in three dimensions: vertebrae with all their processes, discs, cord, ribs and the flesh round them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .canvas import spline
from .phantom import Mould, Phantom
from .scanner import Scanner
from .solid import Mask

__all__ = ["lay_vertebra", "make_spine"]


@dataclass(frozen=True)
class _Region:
    """Sizes in mm of the vertebrae of one region of the spine."""

    width: float
    depth: float
    height: float
    disc: float
    canal: float
    spinous: tuple[float, float]  # how far back, how far down
    transverse: float
    ribs: bool = False


_REGIONS = (
    _Region(18, 15, 13, 5, 15, (18, -6), 24),
    _Region(28, 24, 20, 5, 15, (28, -24), 30, ribs=True),
    _Region(44, 33, 27, 10, 17, (30, -6), 42),
)


class _Frame:
    """A vertebra's own place and turn; points given in its frame come out in the phantom's."""

    def __init__(self, centre: NDArray[np.float64], lean: float) -> None:
        self.centre = centre
        cos, sin = np.cos(lean), np.sin(lean)
        self.turn = np.array([[cos, sin, 0], [-sin, cos, 0], [0, 0, 1]])

    def __call__(self, *points: tuple[float, float, float]) -> NDArray[np.float64]:
        return self.centre + np.array(points, float) @ self.turn


def _body(phantom: Phantom, region: _Region, frame: _Frame) -> Mould:
    """The vertebral body: plates wider than the waist."""
    half = np.array([region.height, region.depth, region.width]) / 2
    mould = phantom.mould().ball(frame.centre, half * (1, 0.93, 0.93), power=4, turn=frame.turn)
    for side in (-1, 1):
        plate = frame((side * half[0] * 0.72, 0, 0))[0]
        mould.ball(plate, (half[0] * 0.28, half[1], half[2]), power=3, turn=frame.turn)
    return mould


def _arch(phantom: Phantom, region: _Region, frame: _Frame) -> Mould:
    """Pedicles, laminae and the spinous, transverse and articular processes."""
    rng, mould = phantom.rng, phantom.mould()
    behind, rear = region.depth / 2, region.depth / 2 + region.canal
    thick = region.height * rng.uniform(0.13, 0.18)
    up = region.height * 0.15
    for side in (-1, 1):
        out = side * (region.canal / 2 + thick * 1.1)
        mould.rod(
            frame((up, behind - 3, out), (up, behind + region.canal * 0.45, out * 1.05)),
            thick * 1.05,
            stretch=(1.4, 1, 0.9),
        )
        mould.rod(
            frame((up * 0.5, behind + region.canal * 0.45, out * 1.05), (-up, rear + 1, side * 1.5)),
            thick * 0.8,
            stretch=(2.1, 1, 1),
        )
        tip = (up * rng.uniform(0, 2), behind + region.canal * rng.uniform(0.4, 0.9), side * region.transverse)
        mould.rod(frame((up * 0.6, behind + region.canal * 0.4, out), tip), [thick * 0.95, thick * 0.75])
        joint = (region.height + region.disc) / 2
        facet = behind + region.canal * 0.5
        mould.rod(frame((0, facet, out * 1.15), (joint * 1.05, facet - 1, out * 1.25)), [thick, thick * 0.8])
        mould.rod(frame((0, facet + 2, out), (-joint * 1.1, facet + thick * 1.2, out * 1.1)), [thick, thick * 0.8])
    back, down = region.spinous
    length = back * rng.uniform(0.8, 1.15)
    mould.rod(
        frame((-up, rear, 0), (-up + down, rear + length, rng.normal(0, 1.5))),
        [thick * 0.7, thick * 0.85],
        stretch=(2.2, 1, 0.8),
    )
    return mould


def lay_vertebra(
    phantom: Phantom, region: _Region, frame: _Frame, *, label: int | None = None, named: bool = True
) -> tuple[Mask, int]:
    """A vertebra with its bright shell and spongy inside; returns where it lies and its label."""
    rng = phantom.rng
    body, arch = _body(phantom, region, frame), _arch(phantom, region, frame)
    body.field = np.minimum(body.field, arch.field)
    whole = body.roughen(rng.uniform(0.1, 0.7), "fine")
    inside = whole.mask()
    number = phantom.lay(inside, "cortex bone", named=named, label=label)
    shell = rng.uniform(0.6, 1.6)
    phantom.lay(whole.mask(shell), "spongy bone", named=False)
    return inside, number


def _flesh(phantom: Phantom, region: _Region, behind: float) -> None:
    """Fat with muscles behind and beside, vessels and gut in front."""
    rng = phantom.rng
    phantom.fill("fat" if rng.random() < 0.7 else "muscle")
    length = 400.0
    for side in (-1, 1):
        for _ in range(4):
            out, deep = side * rng.uniform(0.3, 1.3) * region.transverse, behind + rng.uniform(0.4, 2.2) * region.canal
            belly = phantom.mould().rod([(-length, deep, out), (length, deep, out)], rng.uniform(12, 24))
            phantom.lay(belly.roughen(1.5).mask(), "muscle", named=False)
        psoas = side * (region.width * 0.5 + 15)
        belly = phantom.mould().rod([(-length, 0, psoas), (length, 0, psoas * 1.2)], rng.uniform(8, 18))
        phantom.lay(belly.roughen(1.5).mask(), "muscle" if not region.ribs else "lung", named=False)
    front = -region.depth / 2 - rng.uniform(10, 16)
    for out in (-12, 12):
        line = [(-length, front, out), (length, front + rng.normal(0, 4), out + rng.normal(0, 4))]
        phantom.lay(
            phantom.mould().rod(line, rng.uniform(7, 12)).roughen(0.8).mask(), "blood", named=rng.random() < 0.3
        )


def make_spine(rng: np.random.Generator) -> Phantom:
    """Three to eight vertebrae of one region, all labelled, in CT or MR."""
    scanner = Scanner(rng, str(rng.choice(["CT", "CT", "MR"])), "bone")
    base = _REGIONS[int(rng.integers(3))]
    grow = rng.uniform(0.8, 1.15)
    region = _Region(*(np.array([base.width, base.depth, base.height, base.disc, base.canal]) * grow),
                     (base.spinous[0] * grow, base.spinous[1] * grow), base.transverse * grow, base.ribs)  # fmt: skip
    pitch = region.height + region.disc
    tall = pitch * rng.uniform(1.6, 5.5)
    deep = region.depth + region.canal + region.spinous[0]
    extent = (tall, deep * rng.uniform(1.15, 1.9), region.transverse * rng.uniform(2.0, 3.2))
    behind = region.depth / 2
    phantom = Phantom(rng, scanner, extent, (0, deep / 2 - behind + rng.normal(0, 4), rng.normal(0, 4)))
    _flesh(phantom, region, behind)
    curve, tilt = rng.normal(0, 0.0012), rng.normal(0, 0.15)
    discs_named = rng.random() < 0.3
    count = int(np.ceil(tall / pitch / 2)) + 1
    offset = rng.uniform(-0.5, 0.5) * pitch
    spots = [i * pitch + offset for i in range(-count, count + 1)]
    _canal(phantom, region, behind, [(u, curve * u * u + tilt * u, 0.0) for u in np.linspace(-tall, tall, 25)])
    for up in spots:
        lean = -float(np.arctan(2 * curve * up + tilt)) + rng.normal(0, 0.03)
        between = up + pitch / 2
        disc = _Frame(np.array([between, curve * between**2 + tilt * between, 0.0]), lean)
        _disc(phantom, region, disc, named=discs_named)
        frame = _Frame(np.array([up, curve * up * up + tilt * up, rng.normal(0, 0.7)]), lean)
        if region.ribs:
            _ribs(phantom, region, frame)
        lay_vertebra(phantom, region, frame)
    return phantom


def _canal(phantom: Phantom, region: _Region, behind: float, line: list[tuple[float, float, float]]) -> None:
    rng = phantom.rng
    middle = np.array(line) + (0, behind + region.canal / 2, 0)
    named = rng.random() < 0.4
    sac = phantom.mould().rod(middle, region.canal * 0.46)
    phantom.lay(sac.mask(), "water", named=named and rng.random() < 0.5)
    cord = phantom.mould().rod(middle, region.canal * rng.uniform(0.2, 0.32), stretch=(1, 1, 1.25))
    phantom.lay(cord.roughen(0.3).mask(), "cord", named=named)


def _disc(phantom: Phantom, region: _Region, frame: _Frame, *, named: bool) -> None:
    radii = np.array([region.disc * 0.55, region.depth * 0.5, region.width * 0.5])
    label = phantom.lay(phantom.mould().ball(frame.centre, radii, power=3, turn=frame.turn).mask(), "disc", named=named)
    core = phantom.mould().ball(frame.centre, radii * (0.75, 0.6, 0.6), turn=frame.turn)
    phantom.lay(core.mask(), "nucleus" if phantom.rng.random() < 0.7 else "disc", named=named, label=label)


def _ribs(phantom: Phantom, region: _Region, frame: _Frame) -> None:
    """The two ribs of a thoracic vertebra, from its side backwards, outwards and down."""
    for side in (-1, 1):
        knots = frame(
            (region.height * 0.4, region.depth * 0.4, side * region.width * 0.55),
            (region.height * 0.3, region.depth * 1.1, side * region.transverse * 1.1),
            (-region.height * 0.3, region.depth * 1.0, side * region.transverse * 1.9),
            (-region.height, 0, side * region.transverse * 2.6),
        )
        rib = phantom.mould().rod(spline(knots, 12), 4.0, stretch=(1.4, 1, 1)).roughen(0.3, "fine")
        phantom.lay(rib.mask(), "cortex bone", named=phantom.rng.random() < 0.4)
        phantom.lay(rib.mask(1.2), "spongy bone", named=False)
