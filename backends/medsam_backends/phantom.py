"""A CT-like phantom: a trunk in Hounsfield units with organs, a lesion, texture and noise, and its true labels.

Made by code alone and the same every time; for demonstrations and tests, not for measuring accuracy.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from .image_reader import Volume

__all__ = ["LABELS", "Phantom", "make_phantom"]

LABELS = MappingProxyType(
    {
        "body": 1,
        "right lung": 2,
        "left lung": 3,
        "liver": 4,
        "lesion": 5,
        "spleen": 6,
        "right kidney": 7,
        "left kidney": 8,
        "spine": 9,
        "aorta": 10,
    }
)
"""Labels of the truth; a voxel has that of the organ painted last, the lesion over the liver."""

_AIR_HU = -1000.0
_BLUR_MM = 1.2  # half the width over which an organ's edge is shared between two tissues
_NOISE_HU = 14.0


@dataclass(frozen=True)
class _Organ:
    """A union of ellipsoids.

    Attributes
    ----------
    parts : (centre, radii) in mm of each ellipsoid, along i (patient's left), j (back) and k (head),
        from the middle of the phantom
    rough_mm : how far the surface wanders from the ellipsoids
    grain_hu : strength of the texture inside
    """

    name: str
    hu: float
    parts: tuple[tuple[tuple[float, float, float], tuple[float, float, float]], ...]
    rough_mm: float = 0.0
    grain_hu: float = 0.0


_ORGANS = (
    _Organ("body", -95, (((0, 0, 0), (160, 108, 400)),), 3, 12),  # skin and fat
    _Organ("body", 45, (((0, 2, 0), (140, 88, 400)),), 3, 10),  # muscle
    _Organ("body", -60, (((0, -8, -30), (112, 62, 90)),), 6, 18),  # fat between the organs
    _Organ("right lung", -830, (((-72, -2, 95), (48, 62, 75)),), 3, 30),
    _Organ("left lung", -830, (((74, -2, 95), (46, 60, 80)),), 3, 30),
    _Organ("body", 35, (((22, -28, 76), (42, 36, 40)),), 3, 8),  # heart
    _Organ("body", 40, (((42, -34, -18), (36, 24, 30)),), 4, 14),  # stomach
    _Organ("liver", 108, (((-66, -6, 8), (58, 62, 54)), ((-16, -30, 16), (52, 32, 30))), 4, 9),
    _Organ("lesion", 62, (((-72, -14, 4), (19, 17, 18)),), 1.5, 7),
    _Organ("spleen", 122, (((96, 28, 16), (25, 36, 38)),), 3, 8),
    _Organ("right kidney", 172, (((-60, 48, -50), (24, 21, 40)),), 2, 12),
    _Organ("left kidney", 172, (((62, 48, -40), (24, 21, 42)),), 2, 12),
    _Organ("right kidney", -40, (((-52, 44, -50), (9, 9, 18)),), 1, 10),  # the fat within
    _Organ("left kidney", -40, (((54, 44, -40), (9, 9, 19)),), 1, 10),
    _Organ("spine", 230, (((0, 58, 0), (22, 19, 400)), ((0, 86, 0), (9, 16, 400))), 2, 45),
    _Organ("body", 30, (((0, 80, 0), (8, 7, 400)),), 0, 6),  # spinal canal
    _Organ("aorta", 195, (((12, 28, 0), (11, 11, 400)),), 1, 6),
)


@dataclass(frozen=True, eq=False)
class Phantom:
    """The image, and the truth about it.

    Attributes
    ----------
    volume : int16 in HU, (K, J, I), oblique to the patient's axes
    labels : (K, J, I) uint8, see `LABELS`; 0 is air
    """

    volume: Volume
    labels: NDArray[np.uint8]

    def truth(self, name: str) -> NDArray[np.bool_]:
        """Where the organ called `name` is; a liver contains its lesion."""
        found = self.labels == LABELS[name]
        return np.asarray(found | (self.labels == LABELS["lesion"]) if name == "liver" else found)

    def box(self, name: str, slack: int = 0) -> tuple[int, int, int, int, int, int]:
        """First and last voxel ``(i0, j0, k0, i1, j1, k1)`` of an organ, in-plane sides moved out by `slack`."""
        k, j, i = self.truth(name).nonzero()
        rows, columns = self.labels.shape[1:]
        return (
            max(0, int(i.min()) - slack),
            max(0, int(j.min()) - slack),
            int(k.min()),
            min(columns - 1, int(i.max()) + slack),
            min(rows - 1, int(j.max()) + slack),
            int(k.max()),
        )


def make_phantom(
    size_ijk: tuple[int, int, int] = (384, 272, 64),
    spacing_mm: tuple[float, float, float] = (0.9, 0.9, 3.0),
    seed: int = 7,
) -> Phantom:
    """A phantom of the trunk; a smaller or coarser grid shows the same body.

    Parameters
    ----------
    size_ijk : voxels along i, j and k; the default takes about 100 MB while it is made
    seed : of texture and noise
    """
    rng = np.random.default_rng(seed)
    columns, rows, slices = size_ijk
    image = np.full((slices, rows, columns), _AIR_HU, np.float32)
    labels = np.zeros(image.shape, np.uint8)
    for organ in _ORGANS:
        _paint(image, labels, organ, spacing_mm, rng)
    image += rng.normal(0, _NOISE_HU, image.shape).astype(np.float32)
    voxels = np.clip(np.rint(image), -1024, 3071).astype(np.int16)
    voxels.flags.writeable = False
    labels.flags.writeable = False
    return Phantom(Volume(voxels, spacing_mm, (-170.0, -120.0, 40.0), _oblique(), "CT"), labels)


def _oblique() -> NDArray[np.float64]:
    """A gantry tilted by 12 degrees, the patient turned by 5."""
    tilt, turn = np.deg2rad(12), np.deg2rad(5)
    about_x = np.array([[1, 0, 0], [0, np.cos(tilt), -np.sin(tilt)], [0, np.sin(tilt), np.cos(tilt)]])
    about_z = np.array([[np.cos(turn), -np.sin(turn), 0], [np.sin(turn), np.cos(turn), 0], [0, 0, 1]])
    return np.asarray(about_z @ about_x, np.float64)


def _paint(
    image: NDArray[np.float32],
    labels: NDArray[np.uint8],
    organ: _Organ,
    spacing_mm: tuple[float, float, float],
    rng: np.random.Generator,
) -> None:
    """Blend an organ into the image, each voxel by the share of it that the organ takes."""
    k, j, i = _region(organ, image.shape, spacing_mm)
    z, y, x = (
        (np.arange(part.start, part.stop, dtype=np.float32) - (length - 1) / 2) * np.float32(spacing)
        for part, length, spacing in zip((k, j, i), image.shape, spacing_mm[::-1], strict=True)
    )
    depth = np.full((len(z), len(y), len(x)), -np.inf, np.float32)
    for centre, radii in organ.parts:
        np.maximum(depth, _depth(x, y, z, centre, radii), out=depth)
    shape = depth.shape
    if organ.rough_mm:
        depth += organ.rough_mm * _waves(shape, spacing_mm, 28, rng)
    share = np.clip(depth / (2 * _BLUR_MM) + 0.5, 0, 1)
    tissue = organ.hu + organ.grain_hu * (
        0.6 * _waves(shape, spacing_mm, 7, rng) + 0.4 * _waves(shape, spacing_mm, 16, rng)
    )
    part = image[k, j, i]
    part += share * (tissue - part)
    labels[k, j, i][share >= 0.5] = LABELS[organ.name]


def _region(
    organ: _Organ, shape: tuple[int, ...], spacing_mm: tuple[float, float, float]
) -> tuple[slice, slice, slice]:
    """The part of the volume that the organ can reach, as (k, j, i) slices."""
    margin = 3 * organ.rough_mm + 2 * _BLUR_MM
    found = []
    for axis in range(3):
        low = min(centre[axis] - radii[axis] for centre, radii in organ.parts) - margin
        high = max(centre[axis] + radii[axis] for centre, radii in organ.parts) + margin
        length, middle = shape[2 - axis], (shape[2 - axis] - 1) / 2
        start = max(0, int(np.floor(low / spacing_mm[axis] + middle)))
        found.append(slice(min(start, length), min(length, int(np.ceil(high / spacing_mm[axis] + middle)) + 1)))
    return found[2], found[1], found[0]


def _depth(
    x: NDArray[np.float32],
    y: NDArray[np.float32],
    z: NDArray[np.float32],
    centre: tuple[float, float, float],
    radii: tuple[float, float, float],
) -> NDArray[np.float32]:
    """About how far inside an ellipsoid each point lies, in mm; negative outside."""
    squares = [((values - c) / r) ** 2 for values, c, r in zip((x, y, z), centre, radii, strict=True)]
    away = np.sqrt(squares[2][:, None, None] + squares[1][None, :, None] + squares[0][None, None, :])
    return np.asarray((1 - away) * np.float32(min(radii)), np.float32)


def _waves(
    shape: tuple[int, ...], spacing_mm: tuple[float, float, float], length_mm: float, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Smooth random values of unit variance that change over about `length_mm`."""
    cells = [max(2, int(np.ceil(n * s / length_mm)) + 1) for n, s in zip(shape, spacing_mm[::-1], strict=True)]
    values = rng.normal(0, 1, cells).astype(np.float32)
    for axis, (count, length) in enumerate(zip(cells, shape, strict=True)):
        values = np.moveaxis(np.tensordot(_interpolation(length, count), values, (1, axis)), 0, axis)
    return np.asarray(values / max(float(values.std()), 1e-6), np.float32)


def _interpolation(length: int, count: int) -> NDArray[np.float32]:
    """Weights (length, count) of smooth interpolation from `count` nodes; each row sums to one."""
    at = np.linspace(0, count - 1, length)
    near = np.maximum(0, 1 - np.abs(at[:, None] - np.arange(count)))
    return np.asarray(near**2 * (3 - 2 * near), np.float32)
