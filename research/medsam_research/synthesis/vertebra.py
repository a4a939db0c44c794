"""The shape of one vertebra from neck to loin, with all its processes; it lays the bone and names it whole."""

from __future__ import annotations

from dataclasses import astuple, dataclass

import numpy as np
from numpy.typing import NDArray

from .phantom import Mould, Phantom
from .solid import Mask

__all__ = [
    "CERVICAL",
    "LUMBAR",
    "THORACIC",
    "Bone",
    "Frame",
    "Region",
    "add_vertebra",
    "between",
    "lay_bone",
    "lay_vertebra",
]

Point = tuple[float, float, float]


@dataclass(frozen=True)
class Region:
    """Sizes in mm of the vertebrae of one region of the spine, along (up, back, left)."""

    width: float
    depth: float
    height: float
    disc: float
    canal: float  # depth
    canal_width: float
    pedicle: float  # radius
    facet_upper: float  # how far out the processes lie that reach up, and those that reach down
    facet_lower: float
    pillar: float  # radius of either
    spine_back: float
    spine_down: float
    spine_half: float  # half of the spinous plate's height
    wing_out: float  # tips of the transverse processes
    wing_back: float  # from the back of the body
    wing_up: float
    wing: float  # radius
    ribs: float = 0.0  # share of a rib's presence

    @property
    def pitch(self) -> float:
        """From one vertebra to the next."""
        return self.height + self.disc

    @property
    def deep(self) -> float:
        """From the front of the body to the spinous tip."""
        return self.depth + self.canal + self.spine_back


CERVICAL = Region(19, 15, 13, 5, 14, 24, 2.8, 20, 19, 5.5, 18, -7, 3.5, 26, -5, 0, 3.5)
THORACIC = Region(29, 25, 20, 5, 15, 17, 4, 12, 11.5, 4.6, 26, -26, 4, 31, 16, 5, 4.6, 1)
LUMBAR = Region(45, 33, 27, 10, 16, 24, 6, 17.5, 12.5, 5.6, 31, -8, 9.5, 43, 10, 3, 3.4)


def between(one: Region, other: Region, share: float, grow: float = 1.0) -> Region:
    """The sizes `share` of the way from `one` to `other`, times `grow`."""
    mixed = np.array(astuple(one)) * (1 - share) + np.array(astuple(other)) * share
    mixed[:-1] *= grow
    return Region(*(float(size) for size in mixed))


class Frame:
    """A vertebra's own place and turn; points given in its frame come out in the phantom's."""

    def __init__(self, centre: NDArray[np.float64], lean: float, side: float = 0.0) -> None:
        self.centre = centre
        cos, sin, c, s = np.cos(lean), np.sin(lean), np.cos(side), np.sin(side)
        forwards = np.array([[cos, sin, 0], [-sin, cos, 0], [0, 0, 1]])
        self.turn = np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]]) @ forwards

    def __call__(self, *points: Point) -> NDArray[np.float64]:
        return self.centre + np.array(points, float) @ self.turn


@dataclass(frozen=True)
class Bone:
    """How one patient's bones are: thickness of the shell in mm, tissues of shell and inside, wear from 0 to 1."""

    shell: float
    cortex: str
    inside: str
    wear: float
    rough: float

    @classmethod
    def of(cls, rng: np.random.Generator, modality: str) -> Bone:
        """From dense to porous, young to worn."""
        inside = "spongy bone" if rng.random() < 0.15 else str(rng.choice(["marrow", "marrow", "porous bone"]))
        cortex = "cortex bone" if modality == "MR" or rng.random() < 0.4 else "thin cortex"
        return cls(rng.uniform(0.5, 1.5), cortex, inside, max(0.0, rng.uniform(-0.6, 1)), rng.uniform(0.1, 0.5))


def _add_body(mould: Mould, rng: np.random.Generator, region: Region, frame: Frame, wear: float) -> None:
    """The vertebral body: plates wider than the waist, flattened where it broke, lipped where it is worn."""
    half = np.array([region.height, region.depth, region.width]) / 2
    sink = 1 - rng.uniform(0.1, 0.5) * (rng.random() < 0.25 * wear)
    mould.ball(frame.centre, half * (sink, 0.92, 0.92), power=4, turn=frame.turn)
    for side in (-1, 1):
        plate = frame((side * half[0] * 0.74 * sink, 0, 0))[0]
        mould.ball(plate, (half[0] * 0.27, half[1], half[2]), power=3, turn=frame.turn)
        for _ in range(int(rng.poisson(5 * wear))):
            way = rng.uniform(-2.2, 2.2)
            rim = (side * half[0] * rng.uniform(0.8, 1.15), -half[1] * np.cos(way), half[2] * np.sin(way))
            mould.ball(frame(rim)[0], rng.uniform(1.5, 4) * (0.5 + half[0] / 25))
        if region.canal_width > 1.5 * region.canal and region.width < 30:
            lip = [(half[0], k * half[1], side * half[2] * 0.92) for k in (-0.4, 0.6)]
            mould.rod(frame(*[(up + 1.5, back, left) for up, back, left in lip]), 2.0)


def _add_arch(mould: Mould, rng: np.random.Generator, region: Region, frame: Frame, wear: float) -> None:
    """Pedicles, laminae and the spinous, transverse and articular processes, each to the neighbour's own."""
    behind, rear, half = region.depth / 2, region.depth / 2 + region.canal, region.pitch / 2
    up, pillar = region.height * rng.uniform(0.12, 0.22), region.pillar * (1 + 0.35 * wear * rng.random())
    thick = region.spine_half * 0.32 + 1.1
    for side in (-1, 1):
        out = side * (region.canal_width / 2 + region.pedicle * 0.8)
        root = behind + region.canal * 0.55
        upper, lower = side * region.facet_upper, side * region.facet_lower
        start = side * min(abs(out), region.width / 2 - 1)
        mould.rod(frame((up, behind - 4, start), (up, root, out)), region.pedicle, stretch=(1.35, 1, 0.9))
        mould.rod(
            frame((up * 0.5, root, (out + upper) / 2), (half + 0.1 * region.height, root + 1, upper)),
            [pillar, pillar * 0.75],
        )
        mould.rod(
            frame((up * 0.5, root + 1, out), (-up, rear - 1, lower), (-half - 0.22 * region.height, rear - 1, lower)),
            [pillar * 0.9, pillar * 0.85, pillar * 0.7],
        )
        mould.rod(
            frame((-up, rear - 1, lower), (-up * 1.5, rear + thick, side)),
            thick,
            stretch=(max(1.0, region.height * 0.3 / thick), 1, 1),
        )
        tip = (region.wing_up + rng.normal(0, 2), behind + region.wing_back + rng.normal(0, 2), side * region.wing_out)
        stem = (up * 0.6, root - max(0.0, -region.wing_back), out)
        mould.rod(frame(stem, tip), [region.wing * 1.15, region.wing], stretch=(1.35, 0.9, 1))
    back, down = region.spine_back * rng.uniform(0.85, 1.15), region.spine_down * rng.uniform(0.7, 1.2)
    end = (-up * 1.5 + down, rear + back, rng.normal(0, 1.5))
    mould.rod(
        frame((-up * 1.2, rear, 0), end), [thick * 0.8, thick], stretch=(max(1.2, region.spine_half / thick), 1, 0.8)
    )


def add_vertebra(mould: Mould, rng: np.random.Generator, region: Region, frame: Frame, wear: float) -> None:
    """Add the outside of a vertebra to `mould`."""
    _add_body(mould, rng, region, frame, wear)
    _add_arch(mould, rng, region, frame, wear)


def lay_bone(phantom: Phantom, mould: Mould, bone: Bone, *, named: bool = True) -> Mask:
    """Spongy bone in a shell; voxels thicker than the shell show its share of them. Returns where it lies."""
    inside = mould.mask()
    phantom.clear(inside)
    phantom.lay(inside, bone.inside, named=named)
    depth, voxel = -mould.field[inside], np.float32(phantom.spacing.mean())
    share = (np.minimum(depth + voxel / 2, np.float32(bone.shell)) - np.maximum(depth - voxel / 2, 0)) / voxel
    cortex = np.float32(phantom.scanner.tone(bone.cortex))
    phantom.values[inside] += np.clip(share, 0, 1) * (cortex - phantom.values[inside])
    return inside


def lay_vertebra(phantom: Phantom, region: Region, frame: Frame, bone: Bone, *, only_body: bool = False) -> Mask:
    """Lay a vertebra with its shell and spongy inside, and name it, or its body alone; returns where it lies."""
    rng, whole = phantom.rng, phantom.mould()
    _add_body(whole, rng, region, frame, bone.wear)
    box = whole.mask() if only_body else None
    _add_arch(whole, rng, region, frame, bone.wear)
    inside = lay_bone(phantom, whole.roughen(bone.rough, "fine"), bone, named=not only_body)
    if box is not None:
        phantom.name(box & inside)
    return inside
