"""Synthetic volumes: organs, spine, heart, head, limb and small crops in CT, MR or PET, with labels in every voxel."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from .bodies import make_body
from .phantom import SyntheticVolume
from .solid import Mask, Solid, Triple, smooth_field

__all__ = ["SyntheticVolume", "make_volume"]

_BODY_SHARE = 2 / 3


class _Scan:
    """A volume under construction: objects laid over each other, each with a tone near or far from its surroundings."""

    def __init__(self, rng: np.random.Generator, shape: tuple[int, int, int]) -> None:
        self.rng, self.shape = rng, shape
        self.solid = Solid(rng, shape, bend=rng.uniform(0.03, 0.16))
        self.grey = np.full(shape, rng.uniform(0.15, 0.6), np.float32)
        self.labels = np.zeros(shape, np.uint8)
        self._used = 0
        self._grain = smooth_field(rng, shape, (8, 14, 14))

    def lay(
        self,
        mask: Mask,
        *,
        named: bool = True,
        tone: float | None = None,
        contrast: float = 0.25,
        label: int | None = None,
    ) -> int:
        """Draw an object; `contrast` is the usual step to what lies there, `tone` fixes its grey."""
        rng = self.rng
        if np.count_nonzero(mask) < 12:
            return 0
        around = float(self.grey[mask].mean())
        step = rng.choice([-1, 1]) * abs(rng.normal(contrast, contrast / 2)) + rng.choice([-1, 1]) * 0.02
        level = np.clip(around + step, 0.03, 0.97) if tone is None else tone
        patchy = rng.uniform(0, 0.05)
        self.grey[mask] = level + patchy * np.roll(self._grain, int(rng.integers(50)), 1)[mask]
        if not named or self._used >= 200:
            return 0
        if label is None:
            self._used += 1
            label = self._used
        self.labels[mask] = label
        return label

    def spot(self, spread: float = 0.5) -> Triple:
        """A random place near the middle."""
        return tuple(float(v) for v in np.clip(self.rng.normal(0, spread, 3), -0.75, 0.75))  # type: ignore[return-value]

    def size(self, low: float, high: float) -> Triple:
        """Three random radii."""
        return tuple(float(v) for v in self.rng.uniform(low, high, 3))  # type: ignore[return-value]


def make_volume(rng: np.random.Generator) -> SyntheticVolume:
    """One volume, uint8, with its labels and spacing: mostly a body built in millimetres, else a looser plan."""
    return make_body(rng) if rng.random() < _BODY_SHARE else _loose_volume(rng)


def _loose_volume(rng: np.random.Generator) -> SyntheticVolume:
    """One volume of 12 to 48 slices of 32 to 128 pixels a side."""
    plans: tuple[Callable[[_Scan], None], ...] = (_organs, _organs, _spine, _heart, _head, _limb, _crop, _lesions)
    plan = plans[int(rng.integers(len(plans)))]
    shape = (int(rng.integers(12, 49)), int(rng.integers(56, 129)), int(rng.integers(56, 129)))
    if plan is _crop:
        shape = (int(rng.integers(24, 49)), int(rng.integers(32, 64)), int(rng.integers(32, 64)))
    scan = _Scan(rng, shape)
    plan(scan)
    modality = str(rng.choice(["CT", "MR", "PET", "PET"] if plan in (_lesions, _limb) else ["CT", "MR", "MR"]))
    spacing = (float(40 / shape[0] * rng.uniform(1, 3)), 1.0, 1.0)
    return _scanned(rng, scan.grey, modality), scan.labels, spacing, modality


def _scanned(rng: np.random.Generator, grey: NDArray[np.float32], modality: str) -> NDArray[np.uint8]:
    """The scanner's blur, bias and noise."""
    if modality == "PET":
        grey = ndimage.gaussian_filter(grey, rng.uniform(0.8, 2.5, 3), truncate=3)
        grey = grey + 0.12 * rng.random() * np.sqrt(np.clip(grey, 0, 1)) * _noise(rng, grey.shape, 1.2)
    elif modality == "MR":
        grey = ndimage.gaussian_filter(grey, (rng.uniform(0.3, 0.8), *[rng.uniform(0.4, 1.2)] * 2), truncate=3)
        grey = grey * np.exp(rng.uniform(0, 0.3) * smooth_field(rng, grey.shape, (2, 2, 2)))
        sigma = 0.005 + 0.07 * rng.random() ** 2
        grey = np.hypot(grey + sigma * _noise(rng, grey.shape, 0.5), sigma * _noise(rng, grey.shape, 0.5))
    else:
        grey = ndimage.gaussian_filter(grey, rng.uniform(0.3, 0.9), truncate=3)
        grey = grey + (0.005 + 0.08 * rng.random() ** 2) * _noise(rng, grey.shape, 0.7)
    low, high = np.percentile(grey[::3, ::3, ::3], [rng.uniform(0, 1), rng.uniform(98.5, 100)])
    return (np.clip((grey - low) / max(high - low, 0.05), 0, 1) * 255).astype(np.uint8)


def _noise(rng: np.random.Generator, shape: tuple[int, ...], sigma: float) -> NDArray[np.float32]:
    """Noise correlated within the slice, deviation about 1."""
    plain = ndimage.gaussian_filter(rng.standard_normal(shape, np.float32), (0, sigma, sigma), truncate=2)
    return plain / np.float32(plain.std())


def _body(scan: _Scan, share: float = 0.7) -> Mask:
    """Air outside a rounded body; all of it is body for a crop."""
    rng = scan.rng
    if rng.random() > share:
        return np.ones(scan.shape, bool)
    body = scan.solid.distance((0, 0, 0), (4.0, rng.uniform(0.7, 1.1), rng.uniform(0.7, 1.1))) < 1
    scan.grey[~body] = rng.uniform(0, 0.06)
    if rng.random() < 0.6:
        scan.lay(body & ~scan.solid.eroded(body, int(rng.integers(2, 6))), named=False)
    return body


def _irregular(scan: _Scan, centre: Triple, radius: float, within: Mask) -> Mask:
    """A lesion: anything from a smooth ball to a ragged infiltrate."""
    rng = scan.rng
    radii = tuple(float(radius * v) for v in rng.uniform(0.6, 1.4, 3))
    rough = float(rng.choice([0.05, 0.12, 0.25]))
    return scan.solid.ellipsoid(centre, radii, rough=rough) & within  # type: ignore[arg-type]


def _organs(scan: _Scan) -> None:
    """Several organs that touch, of like or unlike grey, with vessels through and beside them."""
    rng, body = scan.rng, _body(scan)
    for _ in range(int(rng.integers(3, 9))):
        organ = (
            scan.solid.ellipsoid(
                scan.spot(), scan.size(0.15, 0.6), rough=rng.uniform(0.02, 0.18), power=rng.choice([2, 2, 3])
            )
            & body
        )
        scan.lay(organ, contrast=rng.choice([0.05, 0.12, 0.25]))
        if rng.random() < 0.3 and organ.any():
            scan.lay(scan.solid.eroded(organ, int(rng.integers(2, 5))))
    for _ in range(int(rng.integers(1, 5))):
        start = tuple(float(v) for v in rng.uniform(-0.5, 0.5, 2))
        scan.lay(
            scan.solid.tube(int(rng.choice([0, 0, 1, 2])), start, rng.uniform(0.02, 0.3), rng.uniform(0.04, 0.14))
            & body,
            contrast=0.3,
        )
    for _ in range(int(rng.integers(0, 3))):
        scan.lay(_irregular(scan, scan.spot(), rng.uniform(0.08, 0.3), body), contrast=0.12)


def _spine(scan: _Scan) -> None:
    """Vertebrae with arches and spines, discs between, the cord behind, in a bending column."""
    rng, solid = scan.rng, scan.solid
    body = _body(scan, 0.4)
    axis = int(rng.choice([0, 1, 1]))
    column = [i for i in range(3) if i != axis]
    count, wide = int(rng.integers(2, 7)), rng.uniform(0.2, 0.38)
    pitch = 2.2 / count
    bone, disc, lean = rng.uniform(0.3, 0.95), rng.uniform(0.1, 0.8), rng.normal(0, 0.12)

    def place(along: float, depth: float) -> Triple:
        spot = [0.0, 0.0, 0.0]
        spot[axis], spot[column[0]], spot[column[1]] = along, depth + lean * along, lean * along**2
        return tuple(spot)  # type: ignore[return-value]

    def radii(along: float, depth: float, side: float) -> Triple:
        size = [0.0, 0.0, 0.0]
        size[axis], size[column[0]], size[column[1]] = along, depth, side
        return tuple(size)  # type: ignore[return-value]

    one_by_one = rng.random() < 0.8
    label = None
    for i in range(count):
        along = -1.1 + (i + 0.5) * pitch
        solid_body = solid.ellipsoid(place(along, -0.1), radii(pitch * 0.36, wide, wide * 1.25), rough=0.05, power=4)
        arch = solid.ellipsoid(place(along, 0.28), radii(pitch * 0.3, 0.16, wide * 1.2), rough=0.1)
        tail = solid.ellipsoid(place(along + 0.05, 0.55), radii(pitch * 0.22, 0.3, 0.06), rough=0.1)
        vertebra = (solid_body | arch | tail) & body
        label = scan.lay(vertebra, tone=bone + rng.normal(0, 0.03), label=None if one_by_one else label) or label
        cushion = solid.ellipsoid(
            place(along + pitch / 2, -0.1), radii(pitch * 0.15, wide * 0.95, wide * 1.2), rough=0.04, power=3
        )
        scan.lay(cushion & ~vertebra & body, tone=disc + rng.normal(0, 0.05), named=rng.random() < 0.7)
    start = (0.24, 0.0)
    scan.lay(solid.tube(axis, start, 0.02, 0.14), tone=float(rng.uniform(0.05, 0.95)), named=rng.random() < 0.5)
    scan.lay(solid.tube(axis, start, 0.02, 0.08), contrast=0.25)


def _heart(scan: _Scan) -> None:
    """A thick-walled chamber tapering to its tip, with knobs in its cavity, and further chambers."""
    rng = scan.rng
    body = _body(scan, 0.3)
    for _ in range(int(rng.integers(1, 4))):
        scan.lay(scan.solid.ellipsoid(scan.spot(0.4), scan.size(0.25, 0.5), rough=0.06) & body, contrast=0.25)
    centre = scan.spot(0.15)
    distance = scan.solid.distance(centre, (rng.uniform(0.9, 1.5), *[float(rng.uniform(0.28, 0.5))] * 2))  # type: ignore[arg-type]
    wall = distance < 1
    cavity = distance < rng.uniform(0.5, 0.8)
    together = rng.random() < 0.3
    scan.lay(wall, contrast=0.15, named=not together)
    blood = float(rng.uniform(0.5, 0.95))
    chamber = scan.lay(cavity, tone=blood)
    for _ in range(int(rng.integers(0, 4))):
        knob = (
            scan.solid.ellipsoid(tuple(c + float(rng.normal(0, 0.15)) for c in centre), scan.size(0.05, 0.16)) & cavity
        )  # type: ignore[arg-type]
        scan.lay(knob, tone=blood * rng.uniform(0.4, 0.8), label=chamber or None, named=bool(chamber))


def _head(scan: _Scan) -> None:
    """Skull, brain with folds, ventricles, deep nuclei; tumours with core and swelling, or scattered lesions."""
    rng, solid = scan.rng, scan.solid
    size = (rng.uniform(0.9, 1.6), rng.uniform(0.75, 0.95), rng.uniform(0.7, 0.9))
    distance = solid.distance((0, 0, 0), size)
    scan.grey[:] = rng.uniform(0, 0.05)
    if rng.random() < 0.6:
        scan.lay(distance < 1.12, named=False, tone=float(rng.uniform(0.2, 0.9)))
        scan.lay(distance < 1.06, named=False, tone=float(rng.uniform(0.02, 0.2)))
    brain = distance + 0.03 * solid.roughness() < 1
    scan.lay(brain, tone=float(rng.uniform(0.3, 0.6)), named=rng.random() < 0.4)
    white = (distance + 0.14 * solid.roughness() < 0.82) & brain
    scan.lay(white, contrast=0.1, named=rng.random() < 0.2)
    for side in (-1, 1):
        scan.lay(solid.ellipsoid((0.1, -0.05, side * 0.16), (0.5, 0.4, 0.08), rough=0.12) & brain, contrast=0.3)
        for _ in range(int(rng.integers(1, 4))):
            spot = (float(rng.normal(-0.1, 0.2)), float(rng.normal(0, 0.25)), side * float(rng.uniform(0.15, 0.45)))
            scan.lay(solid.ellipsoid(spot, (0.3, 0.16, 0.1), rough=0.08) & brain, contrast=0.1)
    if rng.random() < 0.4:
        _scattered_lesions(scan, brain)
    else:
        for _ in range(int(rng.integers(1, 3))):
            spot, radius = scan.spot(0.35), rng.uniform(0.1, 0.4)
            swelling = _irregular(scan, spot, radius, brain)
            scan.lay(swelling, contrast=0.2)
            if rng.random() < 0.6:
                scan.lay(_irregular(scan, spot, radius * rng.uniform(0.3, 0.7), swelling), contrast=0.2)


def _scattered_lesions(scan: _Scan, brain: Mask) -> None:
    """Many small lesions under one label."""
    rng, label = scan.rng, None
    tone = float(rng.uniform(0.6, 0.95))
    for _ in range(int(rng.integers(3, 14))):
        lesion = scan.solid.ellipsoid(scan.spot(0.4), scan.size(0.04, 0.16), rough=0.2) & brain
        label = scan.lay(lesion, tone=tone * rng.uniform(0.85, 1.1), label=label) or label


def _limb(scan: _Scan) -> None:
    """Muscles parted by thin fat round one or two bones, and a tumour that may hardly differ from muscle."""
    rng, body = scan.rng, _body(scan, 0.9)
    muscle, fat = rng.uniform(0.2, 0.6), rng.uniform(0.05, 0.95)
    scan.grey[body] = fat
    flesh = np.zeros(scan.shape, bool)
    for _ in range(int(rng.integers(5, 12))):
        start = tuple(float(v) for v in rng.uniform(-0.55, 0.55, 2))
        belly = scan.solid.tube(0, start, 0.1, rng.uniform(0.2, 0.36)) & body
        scan.lay(belly & ~flesh, tone=muscle + rng.normal(0, 0.02), named=rng.random() < 0.4)
        flesh |= ndimage.binary_dilation(belly)
    start = tuple(float(v) for v in rng.uniform(-0.2, 0.2, 2))
    bone = scan.solid.tube(0, start, 0.04, rng.uniform(0.1, 0.18))
    scan.lay(bone, tone=float(rng.choice([0.95, 0.03])))
    scan.lay(scan.solid.eroded(bone, 2), tone=float(rng.uniform(0.3, 0.9)), named=False)
    tumour = _irregular(scan, scan.spot(0.3), rng.uniform(0.2, 0.5), body)
    scan.lay(tumour, tone=float(np.clip(muscle + rng.normal(0, 0.12), 0.02, 0.98)))
    if rng.random() < 0.4:
        scan.lay(_irregular(scan, scan.spot(0.3), rng.uniform(0.1, 0.3), tumour), named=False, contrast=0.15)


def _crop(scan: _Scan) -> None:
    """A tight crop round a small bent body in two parts, as of the hippocampus, among unlike neighbours."""
    rng = scan.rng
    for _ in range(int(rng.integers(3, 9))):
        scan.lay(scan.solid.ellipsoid(scan.spot(0.8), scan.size(0.3, 0.9), rough=0.15), named=False, contrast=0.2)
    axis = int(rng.integers(3))
    across = [i for i in range(3) if i != axis]
    tone = float(rng.uniform(0.3, 0.7))
    centres = rng.normal(0, 0.12, (3, 3))
    for k, along in enumerate((-0.35, 0.3)):
        size = [0.0, 0.0, 0.0]
        size[axis], size[across[0]], size[across[1]] = (
            rng.uniform(0.35, 0.6),
            rng.uniform(0.22, 0.5),
            rng.uniform(0.22, 0.5),
        )
        spot = centres[k].copy()
        spot[axis] = along
        part = scan.solid.ellipsoid(tuple(spot), tuple(size), rough=rng.uniform(0.03, 0.15))
        scan.lay(part, tone=tone + rng.normal(0, 0.03))


def _lesions(scan: _Scan) -> None:
    """Hot or faint masses in a noisy body, some with a cold core that belongs to them."""
    rng, body = scan.rng, _body(scan, 0.6)
    scan.grey[body] = rng.uniform(0.05, 0.3)
    for _ in range(int(rng.integers(1, 5))):
        scan.lay(
            scan.solid.ellipsoid(scan.spot(0.6), scan.size(0.15, 0.5), rough=0.1) & body,
            contrast=0.1,
            named=rng.random() < 0.3,
        )
    for _ in range(int(rng.integers(1, 4))):
        centre, radius = scan.spot(0.35), rng.uniform(0.12, 0.5)
        mass = _irregular(scan, centre, radius, body)
        label = scan.lay(mass, tone=float(rng.uniform(0.3, 0.95)))
        for _ in range(int(rng.integers(0, 3))):
            core = _irregular(scan, tuple(c + float(rng.normal(0, radius / 3)) for c in centre), radius * 0.5, mass)  # type: ignore[arg-type]
            scan.lay(core, tone=float(rng.uniform(0.05, 0.6)), label=label or None, named=bool(label))
