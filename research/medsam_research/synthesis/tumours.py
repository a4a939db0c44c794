"""Tumours to lay into bodies: lobed masses with dead parts, sarcomas in flesh, lung tumours, lesions of an organ."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage

from .canvas import spline
from .phantom import Mould, Phantom
from .solid import Field, Mask, Triple, rotation

__all__ = ["lay_lesion", "lay_lung_tumour", "lay_mass", "lay_sarcoma", "lump", "place_in"]

Point = NDArray[np.float64]


def lump(phantom: Phantom, spot: ArrayLike, radius: float, stretch: Triple = (1, 1, 1)) -> Mould:
    """A mass of about `radius` mm with a few lobes; `stretch` draws it out along the body's axes."""
    rng, middle, long = phantom.rng, np.asarray(spot, float), np.array(stretch)
    mould = phantom.mould().ball(
        middle, radius * rng.uniform(0.7, 1.1, 3) * long, power=rng.uniform(1.9, 2.5), turn=rotation(rng, 0.25)
    )
    for _ in range(int(rng.integers(0, 6))):
        lobe = middle + _direction(rng) * radius * rng.uniform(0.4, 0.85) * long
        mould.ball(lobe, radius * rng.uniform(0.3, 0.6, 3) * np.sqrt(long))
    return mould.roughen(radius * rng.uniform(0.02, 0.07)).roughen(min(0.06 * radius, 1.2) * rng.random(), "fine")


def place_in(phantom: Phantom, organ: Mask, *, rim: bool = False) -> Point | None:
    """A point of `organ` in the middle of the raster, at its surface if `rim`; None where there is none."""
    step = tuple(slice(n // 4, n - n // 4, 2) for n in phantom.shape)
    if not organ[step].any():
        step = (slice(None, None, 2),) * 3
    near = organ[step]
    if rim:
        near = near & ~ndimage.binary_erosion(near, border_value=1)
    spots = np.argwhere(near if near.any() else organ[step])
    if not len(spots):
        return None
    chosen = tuple(spots[int(phantom.rng.integers(len(spots)))])
    return np.array([float(np.broadcast_to(at, phantom.shape)[step][chosen]) for at in phantom.at])


def lay_mass(
    phantom: Phantom, mass: Mould, within: Mask, tissue: str, radius: float, *, label: int | None = None
) -> int:
    """A tumour that fills `mass`: even, patchy, or with a dead or watery core; all of it is one object."""
    rng, inside = phantom.rng, mass.mask() & within
    before = phantom.values[inside]
    label = phantom.lay(inside, tissue, label=label)
    if not inside.any():
        return 0
    scale = ("coarse", "fine") if radius > rng.uniform(12, 35) else ("fine", "grain")
    noise = sum(np.float32(w) * phantom.noise(kind)[inside] for w, kind in zip((0.85, 0.5), scale, strict=True))
    phantom.values[inside] = phantom.scanner.uneven(phantom.values[inside], noise, rng.random())
    kind = rng.random()
    if kind < 0.35:
        _decay(phantom, inside, mass, noise, deep=radius * rng.uniform(0.15, 0.4), level=rng.uniform(-2, 0.2))
    elif kind < 0.65:
        _decay(phantom, inside, mass, noise, deep=radius * rng.uniform(0, 0.15), level=rng.uniform(0.2, 1.2))
    pet = phantom.scanner.modality == "PET"
    if rng.random() < (0.6 if pet else 0.15):
        fade = np.float32(radius * rng.uniform(0.05, 0.5))
        share = np.clip(0.3 - mass.field[inside] / fade, 0, 1)
        phantom.values[inside] = before + share * (phantom.values[inside] - before)
    if rng.random() < 0.03:
        specks = (phantom.noise("grain") > rng.uniform(0.5, 1.5)) & (phantom.noise("coarse") > rng.uniform(0.3, 1.2))
        phantom.lay(inside & specks, "calcium", named=False)
        phantom.name(inside, label)
    if label and pet and rng.random() < 0.4:
        phantom.name(mass.mask(-rng.uniform(0.5, 3)) & within, label)
    return label


def _decay(phantom: Phantom, inside: Mask, mass: Mould, noise: Field, *, deep: float, level: float) -> None:
    """Dead, swollen or watery parts below `deep` mm where `noise` exceeds `level`; their edges may be hard or soft."""
    rng = phantom.rng
    tone = np.float32(phantom.scanner.tone(phantom.pick("necrosis", "necrosis", "water", "oedema")))
    soft = np.float32(rng.uniform(0.1, 1))
    share = np.clip((noise - np.float32(level)) / soft, 0, 1) * np.float32(rng.uniform(0.4, 1))
    share *= np.clip((-mass.field[inside] - np.float32(deep)) / np.float32(rng.uniform(0.5, 4)), 0, 1)
    phantom.values[inside] += share * (tone - phantom.values[inside])


def lay_sarcoma(phantom: Phantom, flesh: Mask, spot: ArrayLike, radius: float) -> int:
    """A mass drawn out along the muscles, hardly unlike them in CT and T1, with a swollen or fatty rim at times."""
    rng = phantom.rng
    mass = lump(phantom, spot, radius, (rng.uniform(1, 1.8), 1, 1))
    pet = phantom.scanner.modality == "PET"
    if rng.random() < 0.5:
        rim = mass.mask(-rng.uniform(0.5, 3)) & flesh & (phantom.noise("coarse") > rng.uniform(-1, 0.6))
        phantom.lay(rim, phantom.pick("fat", "oedema"), named=False)
    plain = ("sarcoma",) * 5 + (() if pet else ("muscle", "water", "oedema", "fat"))
    label = lay_mass(phantom, mass, flesh, phantom.pick(*plain, "tumour"), radius)
    if rng.random() < 0.3 and not pet:
        bent = phantom.smooth(rng.uniform(9, 20)) + np.float32(0.5) * phantom.noise("fine")
        strands = np.abs(bent) < rng.uniform(0.03, 0.09)
        phantom.lay(strands & mass.mask(2) & flesh, phantom.pick("fat", "wall"), label=label, named=bool(label))
    return label


def lay_lung_tumour(phantom: Phantom, lung: Mask, side: int, radius: float) -> int:
    """A nodule or mass within the lung or at its edge: smooth, lobed or with spikes, fed by vessels."""
    rng = phantom.rng
    spot = place_in(phantom, lung, rim=rng.random() < 0.55)
    if spot is None:
        return 0
    _feed(phantom, lung, spot, side, radius)
    mass = lump(phantom, spot, radius)
    if rng.random() < 0.15:
        phantom.lay(mass.mask(-radius * rng.uniform(0.2, 0.7)) & lung, "ground glass", named=False)
    if rng.random() < 0.12:
        beyond = lump(phantom, spot + (spot - (0, 0, side * 40)) * 0.3, radius * rng.uniform(0.8, 1.3))
        phantom.lay(beyond.mask() & lung, "collapsed lung", named=False)
    mass.roughen(min(0.12 * radius, 1.5) * rng.random(), "fine")
    if rng.random() < 0.6:
        mass = _spiked(phantom, mass, lung, spot, radius)
    grown = rng.random() < 0.12
    within = lung | mass.mask(radius * rng.uniform(0.2, 0.5)) if grown else lung
    label = lay_mass(phantom, mass, within, phantom.pick("tumour", "metastasis"), radius)
    if rng.random() < 0.1 and label:
        hole = mass.mask(radius * rng.uniform(0.3, 0.6)) & within
        phantom.lay(hole, "gas", label=label)
    return label


def _feed(phantom: Phantom, lung: Mask, spot: Point, side: int, radius: float) -> None:
    """Vessels from the root of the lung, and some from the neighbourhood, that run into the tumour."""
    rng, root = phantom.rng, np.array((10, 15, side * 38.0))
    vessels = phantom.mould()
    for start in (root, *(spot + _direction(rng) * radius * rng.uniform(1.5, 4) for _ in range(int(rng.integers(4))))):
        middle = (start + spot) / 2 + rng.normal(0, 0.12, 3) * np.linalg.norm(start - spot)
        vessels.rod(spline(np.array([start, middle, spot]), 8), np.linspace(rng.uniform(1.5, 4), 1, 8))
    phantom.lay(vessels.mask() & lung, "vein", named=False)


def _spiked(phantom: Phantom, mass: Mould, lung: Mask, spot: Point, radius: float) -> Mould:
    """Thin strands that radiate into the lung; they belong to the tumour or to nothing."""
    rng, spikes = phantom.rng, phantom.mould()
    long = rng.uniform(0.3, 1.2) * max(radius, 6)
    for _ in range(int(rng.integers(8, 30))):
        way = _direction(rng)
        tip = spot + way * (radius + long * rng.uniform(0.2, 1)) + rng.normal(0, 0.1 * radius, 3)
        spikes.rod([spot + way * radius * 0.6, tip], [min(0.25 * radius, 2.8), 0.4])
    if rng.random() < 0.4:
        np.minimum(mass.field, spikes.field, out=mass.field)
    else:
        phantom.lay(spikes.mask() & lung, "metastasis", named=False)
    return mass


def lay_lesion(phantom: Phantom, organ: Mask, spot: ArrayLike, radius: float, *, label: int | None = None) -> int:
    """A cyst, a metastasis with or without a rim, or a tumour that takes up contrast agent, in `organ`."""
    rng = phantom.rng
    if rng.random() < 0.25 and phantom.scanner.modality != "PET":
        cyst = phantom.mould().ball(spot, radius * rng.uniform(0.85, 1.1, 3)).mask() & organ
        return phantom.lay(cyst, "bile", label=label)
    mass = lump(phantom, spot, radius)
    tissue = phantom.pick("metastasis", "metastasis", "enhancing tumour", "tumour")
    if tissue == "metastasis" and rng.random() < 0.3:
        label = phantom.lay(mass.mask() & organ, "enhancing tumour", label=label)
        mass.field += np.float32(rng.uniform(1, 3))
    return lay_mass(phantom, mass, organ, tissue, radius, label=label)


def _direction(rng: np.random.Generator) -> Point:
    way = rng.normal(0, 1, 3)
    return way / np.linalg.norm(way)
