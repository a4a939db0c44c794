"""Bodies made for their tumours: pieces of limb, pelvis, chest and belly round one, and PET of a head or a torso."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .pelvis import lay_limb, lay_pelvis
from .phantom import Phantom
from .scanner import Scanner
from .solid import Mask
from .trunk import lay_belly, lay_chest, lay_wall
from .tumours import lay_lesion, lay_lung_tumour, lay_mass, lay_sarcoma, lump, place_in

__all__ = ["make_belly_lesion", "make_lung_tumour", "make_pet_body", "make_pet_head", "make_sarcoma"]


def _modality(rng: np.random.Generator, ct: float, mr: float) -> str:
    return str(rng.choice(["CT", "MR", "PET"], p=[ct, mr, 1 - ct - mr]))


def _radius(rng: np.random.Generator, low: float, high: float) -> float:
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def _piece(rng: np.random.Generator, scanner: Scanner, spot: ArrayLike, radius: float, least: float = 45) -> Phantom:
    """A box round `spot` in which a tumour of `radius` takes a quarter to two thirds of every side."""
    extent = np.clip(2 * radius * rng.uniform(1.5, 3) * rng.uniform(0.8, 1.25, 3), least, 260)
    return Phantom(rng, scanner, extent, np.asarray(spot, float) + rng.normal(0, 0.12, 3) * extent)


def make_sarcoma(rng: np.random.Generator) -> Phantom:
    """A soft-tissue tumour in a limb, in the pelvis or on the wall of the trunk up to the shoulder."""
    scanner = Scanner(rng, _modality(rng, 0.36, 0.38), "soft")
    radius, site = _radius(rng, 9, 55), rng.random()
    if site < 0.6:
        wide = max(rng.uniform(30, 95), 1.15 * radius)
        turn, off = rng.uniform(0, 2 * np.pi), wide * rng.uniform(0.35, 0.85)
        spot = np.array((0, off * np.cos(turn), off * np.sin(turn)))
        phantom = _piece(rng, scanner, spot, radius)
        flesh = lay_limb(phantom, wide)
    elif site < 0.85:
        spot = rng.normal(0, 1, 3) * (45, 30, 12) + (10, 15, rng.choice([-1, 1]) * rng.uniform(30, 120))
        phantom = _piece(rng, scanner, spot, radius)
        flesh = ~lay_pelvis(phantom)
    else:
        turn, side = rng.uniform(0.4, 2.6), rng.choice([-1, 1])
        spot = np.array((rng.uniform(0, 120), 95 * np.cos(turn), side * 148 * np.sin(turn)))
        phantom = _piece(rng, scanner, spot, radius)
        flesh = _on_the_wall(phantom)
    lay_sarcoma(phantom, flesh, spot, radius)
    return phantom


def _on_the_wall(phantom: Phantom) -> Mask:
    """The wall of the chest with lung behind; the whole body may be grown into."""
    hollow = lay_wall(phantom, 0.2)
    phantom.lay(hollow.mask(2), "lung", named=False)
    return hollow.field < 30


def make_lung_tumour(rng: np.random.Generator) -> Phantom:
    """A tumour of the lung in a piece of chest, half a chest or all of it."""
    scanner = Scanner(rng, _modality(rng, 0.84, 0.05), "chest")
    radius, side = _radius(rng, 4, 38), int(rng.choice([-1, 1]))
    spot = np.array((rng.uniform(-45, 90), rng.uniform(-50, 50), side * rng.uniform(45, 105)))
    kind = rng.random()
    if kind < 0.55:
        phantom = _piece(rng, scanner, spot, radius)
    elif kind < 0.85:
        phantom = Phantom(rng, scanner, rng.uniform((120, 150, 140), (220, 230, 200)), (spot[0], 0, side * 75))
    else:
        phantom = Phantom(rng, scanner, rng.uniform((180, 220, 300), (280, 260, 370)), (20, 0, 0))
    lungs = lay_chest(phantom)
    lay_lung_tumour(phantom, lungs[side], side, radius)
    return phantom


def make_belly_lesion(rng: np.random.Generator) -> Phantom:
    """A piece of belly round a lesion of liver, kidney, pancreas or spleen."""
    scanner = Scanner(rng, _modality(rng, 0.58, 0.34), "soft")
    organ, middle, spread = _ORGANS[int(rng.choice(len(_ORGANS), p=[0.5, 0.25, 0.17, 0.08]))]
    side = rng.choice([-1, 1]) if organ == "kidney" else 1
    spot = (np.array(middle) + rng.normal(0, 1, 3) * spread) * (1, 1, side)
    radius = _radius(rng, 4, 32 if organ == "liver" else 20)
    phantom = _piece(rng, scanner, spot, radius, least=rng.uniform(45, 90))
    whole = lay_belly(phantom)[organ]
    place = place_in(phantom, whole, rim=rng.random() < 0.4)
    if place is not None:
        within = whole | (lump(phantom, place, radius).mask() if organ != "liver" else False)
        lay_lesion(phantom, within, place, radius)
    return phantom


_ORGANS: tuple[tuple[str, tuple[float, float, float], tuple[float, float, float]], ...] = (
    ("liver", (35, 0, -75), (25, 28, 22)),
    ("kidney", (-20, 38, 62), (25, 8, 9)),
    ("pancreas", (-2, -12, 5), (12, 5, 30)),
    ("spleen", (40, 30, 96), (15, 12, 8)),
)


def make_pet_body(rng: np.random.Generator) -> Phantom:
    """PET of a whole chest, belly or pelvis, or a piece, with several tumours."""
    scanner = Scanner(rng, "PET")
    region = int(rng.integers(3))
    small = rng.random() < 0.5
    extent = rng.uniform(100, 190, 3) if small else rng.uniform((150, 200, 280), (280, 250, 360))
    centre = rng.uniform((-40, -20, -90), (60, 20, 90)) if small else np.array((10.0, 0, 0))
    phantom = Phantom(rng, scanner, extent, centre)
    (lay_chest, lay_belly, lay_pelvis)[region](phantom)
    body = phantom.values > 0.05
    for _ in range(int(rng.integers(1, 7))):
        radius = _radius(rng, 5, 30)
        spot = centre + rng.uniform(-0.42, 0.42, 3) * extent
        lay_mass(phantom, lump(phantom, spot, radius), body, phantom.pick("tumour", "metastasis"), radius)
    return phantom


def make_pet_head(rng: np.random.Generator) -> Phantom:
    """PET of a head or part of it: a bright folded rim, grey nuclei, and at times tumours hot or cold."""
    small = rng.random() < 0.4
    extent = rng.uniform(80, 130, 3) if small else rng.uniform((130, 180, 150), (190, 230, 200))
    phantom = Phantom(rng, Scanner(rng, "PET", "brain"), extent, rng.normal(0, 12, 3) if small else (0, 5, 0))
    brain = _lay_brain(phantom)
    for _ in range(int(rng.choice([0, 1, 1, 1, 2]))):
        spot, radius = rng.normal(0, 1, 3) * (25, 35, 28) + (10, 5, 0), _radius(rng, 6, 25)
        tissue = phantom.pick("tumour", "bright rim", "metastasis", "necrosis", "oedema")
        lay_mass(phantom, lump(phantom, spot, radius), brain, tissue, radius)
    return phantom


def _lay_brain(phantom: Phantom) -> NDArray[np.bool_]:
    """Scalp, skull, cortex, white matter, ventricles and deep nuclei, no finer than PET shows; the brain."""
    rng = phantom.rng
    phantom.fill("air")
    outer = phantom.mould().ball((8, 5, 0), (72, 88, 70), power=2.3).ball((-45, 25, 0), (32, 38, 50)).roughen(1.2)
    for depth, tissue in ((-14, "muscle"), (-9, "cortex bone"), (-5, "water")):
        phantom.lay(outer.mask(depth), tissue, named=False)
    brain = outer.mask()
    phantom.lay(brain, "grey matter", named=rng.random() < 0.6)
    fold = np.abs(phantom.smooth(rng.uniform(12, 18)))
    phantom.lay(outer.mask(5) & (fold > 0.9 - outer.field / -25), "white matter", named=rng.random() < 0.3)
    for side in (-1, 1):
        for tissue, line, wide in (
            ("water", [(2, -30, 10), (22, -8, 9), (22, 12, 14), (0, 32, 29)], 4.5),
            ("deep nucleus", [(2, -14, 23), (3, 10, 28)], 7.5),
            ("deep nucleus", [(6, 2, 8), (6, 19, 14)], 8),
            ("deep nucleus", [(6, -22, 12), (20, 0, 17)], 5.5),
        ):
            part = phantom.mould().rod(np.array(line, float) * (1, 1, side), wide * rng.uniform(0.7, 1.1)).mask()
            phantom.lay(part, tissue, named=rng.random() < 0.6)
    return brain
