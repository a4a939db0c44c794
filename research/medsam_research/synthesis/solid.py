"""Shapes in three dimensions on a warped raster: ellipsoids, tubes and rings as boolean volumes.

Places and radii are fractions: the raster runs from -1 to 1 along each axis (slice, row, column).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

__all__ = ["Solid", "rotation", "smooth_field"]

Field = NDArray[np.float32]
Mask = NDArray[np.bool_]
Triple = tuple[float, float, float]
_FINE_UP_TO = 0.1  # stronger roughness of fine grain would tear a shape to crumbs


def smooth_field(rng: np.random.Generator, shape: tuple[int, int, int], cells: tuple[int, int, int]) -> Field:
    """Smooth noise (S, R, C) of deviation about 1 from a coarse lattice of `cells` points."""
    field = rng.standard_normal([c + 1 for c in cells]).astype(np.float32)
    for axis, length in enumerate(shape):
        field = _stretched(field, axis, length)
    return field * np.float32(1.6)


def _stretched(field: Field, axis: int, length: int) -> Field:
    """Linear interpolation along one axis to `length` points, with smooth steps."""
    place = np.linspace(0, field.shape[axis] - 1, length)
    low = np.minimum(place.astype(int), field.shape[axis] - 2)
    u = place - low
    weight = (u * u * (3 - 2 * u)).astype(np.float32).reshape([-1 if i == axis else 1 for i in range(3)])
    return np.take(field, low, axis) * (1 - weight) + np.take(field, low + 1, axis) * weight


class Solid:
    """A raster of `shape` whose coordinates are bent smoothly, so that simple shapes come out natural."""

    def __init__(self, rng: np.random.Generator, shape: tuple[int, int, int], bend: float = 0.08) -> None:
        self.rng, self.shape = rng, shape
        axes = [
            np.linspace(-1, 1, n, dtype=np.float32).reshape([-1 if i == k else 1 for i in range(3)])
            for k, n in enumerate(shape)
        ]
        self._at = [axis + np.float32(bend) * smooth_field(rng, shape, (2, 3, 3)) for axis in axes]
        self._rough = [smooth_field(rng, shape, (5, 7, 7)), smooth_field(rng, shape, (9, 16, 16))]

    def roughness(self, *, fine: bool = True) -> Field:
        """One of the noise fields, shifted at random: cheap and never twice the same."""
        field = self._rough[int(self.rng.integers(2)) if fine else 0]
        return np.roll(field, [int(self.rng.integers(n)) for n in self.shape], (0, 1, 2))

    def distance(self, centre: Triple, radii: Triple, *, power: float = 2.0) -> Field:
        """0 at the centre of a turned (super-)ellipsoid, 1 at its surface."""
        turn = rotation(self.rng, 0.4)
        off = [at - np.float32(c) for at, c in zip(self._at, centre, strict=True)]
        total = np.zeros(self.shape, np.float32)
        for row, radius in zip(turn, radii, strict=True):
            along = sum(np.float32(r / radius) * o for r, o in zip(row, off, strict=True))
            total += np.abs(along) ** power if power != 2 else along * along
        return total ** np.float32(1 / power)

    def ellipsoid(self, centre: Triple, radii: Triple, *, rough: float = 0.05, power: float = 2.0) -> Mask:
        """A deformed ellipsoid; `rough` is the deviation of its radius."""
        distance = self.distance(centre, radii, power=power)
        return distance + np.float32(rough) * self.roughness(fine=rough < _FINE_UP_TO) < 1

    def tube(self, axis: int, start: tuple[float, float], drift: float, radius: float) -> Mask:
        """A bending tube along `axis` from end to end, or for a part of it; radius varies by a fifth."""
        rng, across = self.rng, [i for i in range(3) if i != axis]
        along = self._at[axis]
        bends = [
            rng.normal(0, drift) * along + rng.normal(0, drift) * np.sin(along * rng.uniform(1, 4) + rng.uniform(0, 6))
            for _ in across
        ]
        swell = radius * (1 + 0.2 * np.sin(along * rng.uniform(1, 5) + rng.uniform(0, 6)))
        squared = sum((self._at[i] - s - b) ** 2 for i, s, b in zip(across, start, bends, strict=True))
        inside = squared < swell**2
        if rng.random() < 0.4:
            low = rng.uniform(-1, 0.2)
            inside &= (along > low) & (along < low + rng.uniform(0.5, 1.5))
        return inside

    def eroded(self, mask: Mask, voxels: int) -> Mask:
        """`mask` without its rim."""
        return ndimage.binary_erosion(mask, iterations=voxels)


def rotation(rng: np.random.Generator, spread: float) -> NDArray[np.float64]:
    """A random rotation by about `spread` radians."""
    skew = rng.normal(0, spread, 3)
    generator = np.array([[0, -skew[2], skew[1]], [skew[2], 0, -skew[0]], [-skew[1], skew[0], 0]])
    turned, _ = np.linalg.qr(np.eye(3) + generator)
    return turned * np.sign(np.diag(turned))
