"""Spines in three dimensions: rows of vertebrae with discs, endplates, cord and ribs in the flesh round them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .canvas import spline
from .phantom import Phantom
from .scanner import Scanner
from .vertebra import CERVICAL, LUMBAR, THORACIC, Bone, Frame, Region, between, lay_bone, lay_vertebra

__all__ = ["make_spine"]

_LONG = 500.0  # mm, beyond every raster
_NECK = 24.0  # mm; narrower bodies are the neck's


@dataclass(frozen=True)
class _Curve:
    """The column's middle line: bends back and sideways as it goes up."""

    bend: float
    tilt: float
    side: float

    def at(self, up: float) -> np.ndarray:
        """The point at this height."""
        return np.array([up, self.bend * up * up + self.tilt * up, self.side * up * up])

    def frame(self, up: float, shake: np.ndarray) -> Frame:
        """A frame there, upright to the line but for a little shaking."""
        lean = -float(np.arctan(2 * self.bend * up + self.tilt)) + shake[0]
        return Frame(self.at(up), lean, float(np.arctan(2 * self.side * up)) + shake[1])


def _region(rng: np.random.Generator) -> Region:
    """Neck, chest or loin, or somewhere between chest and loin."""
    one, other = ((CERVICAL, CERVICAL), (THORACIC, THORACIC), (THORACIC, LUMBAR), (LUMBAR, LUMBAR))[
        int(rng.choice(4, p=[0.2, 0.3, 0.15, 0.35]))
    ]
    return between(one, other, rng.random(), rng.uniform(0.82, 1.15))


def _raster(rng: np.random.Generator, region: Region, modality: str) -> tuple[np.ndarray, np.ndarray | None]:
    """Extent and voxel in mm: a tight crop, sagittal slices as in MR, a coarse even crop, or anything."""
    tall = region.pitch * rng.uniform(1.8, 5.5)
    wide = 2 * region.wing_out
    kind = rng.random()
    if modality == "MR" and kind < 0.6:
        voxel = np.array([1, 1, 1]) * rng.uniform(0.8, 1.6)
        voxel[2] = rng.uniform(3.2, 5)
        extent = (region.pitch * rng.uniform(3, 7.5), region.deep * rng.uniform(1.3, 2.8), wide * rng.uniform(0.6, 1.3))
        return np.array(extent), voxel
    if kind < 0.5:
        extent = np.array((tall, region.deep * rng.uniform(0.9, 1.4), wide * rng.uniform(0.85, 1.4)))
        return extent, np.full(3, rng.uniform(1.2, 3)) * rng.uniform(0.97, 1.03, 3)
    if kind < 0.65:
        extent = np.array((tall, region.deep * rng.uniform(1, 1.8), wide * rng.uniform(1, 2)))
        return extent, np.array((rng.uniform(2, 5), *np.full(2, rng.uniform(0.7, 1.3))))
    return np.array((tall, region.deep * rng.uniform(1.0, 1.9), wide * rng.uniform(0.9, 1.7))), None


def make_spine(rng: np.random.Generator) -> Phantom:
    """Two to eight neighbouring vertebrae, each named whole (in MR at times its body only), in CT or MR."""
    modality = str(rng.choice(["CT", "CT", "MR"]))
    scanner = Scanner(rng, modality, "bone" if rng.random() < 0.5 else "soft")
    region = _region(rng)
    extent, voxel = _raster(rng, region, modality)
    middle = (0, region.deep / 2 - region.depth / 2 + rng.normal(0, 5), rng.normal(0, 6))
    phantom = Phantom(rng, scanner, extent, middle, voxel)
    curve = _Curve(rng.normal(0, 0.0012), rng.normal(0, 0.18), rng.normal(0, 0.0006) * (rng.random() < 0.5))
    bone = Bone.of(rng, modality)
    _flesh(phantom, region, curve)
    _canal(phantom, region, curve)
    _column(phantom, region, curve, bone)
    return phantom


def _column(phantom: Phantom, region: Region, curve: _Curve, bone: Bone) -> None:
    """All vertebrae, from bottom to top, larger below; discs first, so that bone lies over their rims."""
    rng = phantom.rng
    low, high = float(phantom.at[0].min()), float(phantom.at[0].max())
    only_body = rng.random() < 0.12
    discs, plates = rng.random() < (0.3 if phantom.scanner.modality == "CT" else 0.55), rng.random() < 0.15
    grow, narrow = rng.uniform(0, 0.03), rng.uniform(0.35, 1.2)
    start = low - region.pitch * rng.uniform(0.2, 1)
    count = int(np.ceil((high - start) / region.pitch)) + 1
    for number in range(count):
        up = start + number * region.pitch
        size = between(region, region, 0, 1 + grow * (count / 2 - number))
        frame = curve.frame(up, rng.normal(0, 0.03, 2))
        disc = curve.frame(up + region.pitch / 2, np.zeros(2))
        _disc(phantom, size, disc, narrow if rng.random() < 0.7 else rng.uniform(0.3, 1), named=discs)
        if rng.random() < region.ribs:
            _ribs(phantom, size, frame, bone)
        inside = lay_vertebra(phantom, size, frame, bone, only_body=only_body)
        if plates:
            _endplates(phantom, size, frame, inside)


def _disc(phantom: Phantom, region: Region, frame: Frame, tall: float, *, named: bool) -> None:
    """A ring of fibres round a core, at times bulging, at times with gas in it."""
    rng = phantom.rng
    radii = np.array([region.disc * 0.62, region.depth * 0.5, region.width * 0.5]) * (1, *rng.uniform(0.95, 1.1, 2))
    shape = phantom.mould().ball(frame.centre, radii, power=3, turn=frame.turn).roughen(0.3, "fine")
    phantom.clear(shape.mask())
    label = phantom.lay(shape.mask(), "disc", named=named)
    if rng.random() < 0.6:
        core = phantom.mould().ball(frame.centre, radii * (0.75 * tall, 0.6, 0.6), turn=frame.turn)
        phantom.lay(core.mask(), phantom.pick("nucleus", "nucleus", "disc"), named=bool(label), label=label)
    elif rng.random() < 0.15:
        crack = phantom.mould().ball(frame.centre, radii * (0.2, 0.6, 0.6), turn=frame.turn).mask()
        phantom.lay(crack, "gas", named=bool(label), label=label)


def _endplates(phantom: Phantom, region: Region, frame: Frame, inside: np.ndarray) -> None:
    """The two plates of a vertebral body as objects of their own."""
    for side in (-1, 1):
        spot = frame((side * region.height * 0.47, 0, 0))[0]
        plate = phantom.mould().ball(spot, (1.6, region.depth * 0.48, region.width * 0.48), power=3, turn=frame.turn)
        phantom.name(plate.mask() & inside)


def _canal(phantom: Phantom, region: Region, curve: _Curve) -> None:
    """Fat, the sac of fluid and the cord or its roots, with a nerve leaving at each level."""
    rng = phantom.rng
    line = np.array([curve.at(up) for up in np.linspace(-_LONG / 2, _LONG / 2, 41)])
    middle = line + (0, region.depth / 2 + region.canal / 2, 0)
    wide = region.canal_width / region.canal
    around = phantom.mould().rod(middle, region.canal * 0.52, stretch=(1, 1, wide))
    phantom.lay(around.mask(), "fat", named=False)
    named = rng.random() < 0.45
    sac = phantom.mould().rod(middle, region.canal * rng.uniform(0.36, 0.48), stretch=(1, 1, 0.5 + wide / 2))
    label = phantom.lay(sac.mask(), "water", named=named)
    apart = rng.random() < 0.5
    cord = phantom.mould().rod(middle, region.canal * rng.uniform(0.2, 0.32), stretch=(1, 1, 1.25)).roughen(0.3)
    phantom.lay(cord.mask(), "cord", named=named, label=None if apart else label)


def _ribs(phantom: Phantom, region: Region, frame: Frame, bone: Bone) -> None:
    """The two ribs of a thoracic vertebra, from its side backwards, outwards and down."""
    named = phantom.rng.random() < 0.4
    for side in (-1, 1):
        knots = frame(
            (region.height * 0.4, region.depth * 0.45, side * region.width * 0.55),
            (region.height * 0.3, region.depth * 1.05, side * region.wing_out * 1.1),
            (-region.height * 0.3, region.depth * 1.0, side * region.wing_out * 1.9),
            (-region.height, 0, side * region.wing_out * 2.6),
        )
        rib = phantom.mould().rod(spline(knots, 12), 3.8, stretch=(1.4, 1, 1)).roughen(0.3, "fine")
        lay_bone(phantom, rib, bone, named=named)


class _Along:
    """Lays what runs beside the column from end to end."""

    def __init__(self, phantom: Phantom, curve: _Curve) -> None:
        self._phantom = phantom
        self._line = np.array([curve.at(up) for up in np.linspace(-_LONG / 2, _LONG / 2, 21)])

    def __call__(self, place: tuple[float, float], wide: float, tissue: str, share: float = 0, flat: float = 1) -> None:
        belly = self._phantom.mould().rod(self._line + (0, *place), wide, stretch=(1, flat, 1)).roughen(1.5)
        self._phantom.lay(belly.mask(), tissue, named=self._phantom.rng.random() < share)


def _flesh(phantom: Phantom, region: Region, curve: _Curve) -> None:
    """Muscles packed along the column, what lies in front of it, and fat and skin behind."""
    rng, along = phantom.rng, _Along(phantom, curve)
    phantom.fill("fat")
    behind, scale = region.depth / 2, max(region.depth / 33, 0.6)
    for side in (-1, 1):
        if region.width < _NECK:
            along((-5, side * rng.uniform(48, 60)), 16, "muscle")
        elif region.ribs > 0.5:
            along((-5, side * rng.uniform(56, 68)), 45, "lung")
        else:
            along((2, side * (region.width * 0.5 + 13)), rng.uniform(10, 19), "muscle", 0.3)
        room = behind + region.canal * 1.6
        for out, wide in ((13, 15), (32, 20), (52, 14)):
            place = (room + rng.normal(6, 3) * scale, side * out * scale)
            along(place, wide * scale * rng.uniform(0.9, 1.2), "muscle", 0.2)
    skin = region.deep - behind + rng.uniform(6, 30)
    far = phantom.at[1] - np.float32(skin) + 2 * phantom.noise("coarse")
    phantom.lay(far > 0, "fat", named=False)
    phantom.lay(far > rng.uniform(4, 40), "air", named=False)
    _front(phantom, region, along)


def _front(phantom: Phantom, region: Region, along: _Along) -> None:
    """Windpipe and gullet before the neck; aorta, caval vein and gut before the rest."""
    rng, front = phantom.rng, -region.depth / 2
    if region.width < _NECK:
        along((front - 5, 0), 5, "muscle", 0.1, 0.7)
        along((front - 9, 4), 6, "wall", 0.2, 0.6)
        along((front - 20, 0), rng.uniform(7, 10), "gas", 0.3)
        for side in (-1, 1):
            along((front - 10, side * 24), 4, "blood", 0.2)
            along((front - 6, side * 30), 5, "vein", 0.2)
        return
    for _ in range(int(rng.integers(0, 7))):
        spot = (rng.uniform(-80, 80), front - rng.uniform(35, 70), rng.uniform(-60, 60))
        loop = phantom.mould().ball(spot, rng.uniform(9, 22, 3)).roughen(2).mask()
        phantom.lay(loop, phantom.pick("chyme", "gas", "wall", "liver", "oral contrast"), named=False)
    along((front - rng.uniform(10, 14), rng.uniform(4, 16)), rng.uniform(8, 12), "blood", 0.3)
    if region.ribs < 0.5:
        along((front - rng.uniform(9, 14), -rng.uniform(14, 22)), rng.uniform(8, 12), "vein", 0.3, rng.uniform(0.6, 1))
    else:
        along((front - 18, rng.normal(0, 5)), 7, "wall", 0.2, 0.7)
        along((front - 50, rng.normal(0, 5)), 28, "blood", 0.2)
