"""Scenes from whole volumes: a slice with its neighbours, prompted from one 3-D box.

A volume is cut along any axis whose slices are not too far from square pixels; masks of the slice,
of a near slice (the prior) and the shadow of the object over all slices (the box) go with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from .intensity import vary
from .placement import Placement, random_placement
from .scene import Plane, Scene, Target, bounds

__all__ = ["Labelled", "Volume", "VolumeSource", "random_window"]

_SMALLEST_SHADOW = 12  # pixels
_LOOSE_ENDS_SHARE, _EMPTY_SHARE = 0.35, 0.08
_LARGEST_SLACK = 0.2  # of an object's slices, beside up to two more, that a box is too long at an end
_LARGEST_STRETCH, _STRETCH_FROM, _STRETCH_SHARE = 4.0, 1.3, 0.7
_ATTEMPTS = 50


@dataclass(frozen=True)
class Labelled:
    """One label of a volume and where it lies: slices (start, stop) along each of the three axes."""

    value: int
    places: tuple[slice, slice, slice]


@dataclass(frozen=True)
class Volume:
    """A volume ready to be cut.

    Parameters
    ----------
    values : (S, R, C) array in the units of the scanner, or uint8 when already a picture
    labels : (S, R, C) uint8
    spacing_mm : along the three axes
    objects : the labels large enough to be asked for
    """

    name: str
    dataset: str
    modality: str
    values: NDArray[np.generic]
    labels: NDArray[np.uint8]
    spacing_mm: tuple[float, float, float]
    objects: tuple[Labelled, ...]

    @classmethod
    def of(
        cls,
        name: str,
        dataset: str,
        modality: str,
        values: NDArray[np.generic],
        labels: NDArray[np.uint8],
        spacing_mm: tuple[float, float, float],
    ) -> Volume:
        """Find the objects of `labels`."""
        found = [
            Labelled(value, places)
            for value, places in enumerate(ndimage.find_objects(labels), start=1)
            if places is not None and np.count_nonzero(labels[places] == value) >= _SMALLEST_SHADOW * 2
        ]
        return cls(name, dataset, modality, values, labels, spacing_mm, tuple(found))

    def axes(self) -> list[int]:
        """Axes along which slicing makes sense: the first always, the others if pixels are not too oblong."""
        axes = [0]
        for axis in (1, 2):
            across = [self.spacing_mm[i] for i in range(3) if i != axis]
            if max(across) / min(across) <= _LARGEST_STRETCH and min(self.labels.shape) >= 16:
                axes.append(axis)
        return axes


class VolumeSource:
    """Endless scenes from `volumes`, each with a sampling weight."""

    def __init__(self, volumes: Sequence[Volume], weights: NDArray[np.float64], first_axis_share: float = 0.6) -> None:
        self._volumes = [volume for volume in volumes if volume.objects]
        kept = np.array([bool(volume.objects) for volume in volumes])
        self._edges = np.cumsum(np.asarray(weights)[kept]) / np.asarray(weights)[kept].sum()
        self._first_axis_share = first_axis_share

    def scene(self, rng: np.random.Generator, boxes: int) -> Scene:
        """A slice with `boxes` targets."""
        for _ in range(_ATTEMPTS):
            volume = self._volumes[int(np.searchsorted(self._edges, rng.random(), side="right"))]
            axes = volume.axes()
            axis = 0 if rng.random() < self._first_axis_share else int(rng.choice(axes))
            scene = _scene(rng, volume, axis, boxes)
            if scene is not None:
                return scene
        raise ValueError(f"no slice with an object in {_ATTEMPTS} attempts")


def _scene(rng: np.random.Generator, volume: Volume, axis: int, boxes: int) -> Scene | None:
    """A slice through a random object, with targets for the objects it meets."""
    values, labels = np.moveaxis(volume.values, axis, 0), np.moveaxis(volume.labels, axis, 0)
    first = volume.objects[int(rng.integers(len(volume.objects)))]
    start, stop = first.places[axis].start, first.places[axis].stop
    k = int(rng.integers(start, stop))
    if rng.random() < _EMPTY_SHARE:
        out = 1 + _slack(rng, stop - start)
        k = min(max(start - out if rng.random() < 0.5 else stop - 1 + out, 0), len(labels) - 1)
    met = [o for o in volume.objects if o is not first and o.places[axis].start <= k < o.places[axis].stop]
    chosen = [first, *(met[i] for i in rng.permutation(len(met)))]
    targets = [_target(rng, labels, chosen[i % len(chosen)], axis, k) for i in range(boxes)]
    usable = [target for target in targets if np.count_nonzero(target.extent) >= _SMALLEST_SHADOW]
    if not usable:
        return None
    usable = [usable[i % len(usable)] for i in range(boxes)]
    pixels = _picture(rng, values, k, volume.modality)
    across = [volume.spacing_mm[i] for i in range(3) if i != axis]
    return _placed(rng, pixels, volume.modality, usable, across[0] / across[1])


def _slack(rng: np.random.Generator, slices: int) -> int:
    """How many slices a box is too long at one end, as drawn by hand round an object of `slices`."""
    return int(rng.integers(0, 3) + rng.uniform(0, _LARGEST_SLACK) * slices)


def _target(rng: np.random.Generator, labels: NDArray[np.uint8], found: Labelled, axis: int, k: int) -> Target:
    places = [found.places[axis], *(found.places[i] for i in range(3) if i != axis)]
    start, stop = places[0].start, places[0].stop
    inside = labels[tuple(places)] == found.value
    before, after = start, stop
    if not start <= k < stop or rng.random() < _LOOSE_ENDS_SHARE:
        before = min(k, start - _slack(rng, stop - start))
        after = max(k + 1, stop + _slack(rng, stop - start))
    step = int(rng.choice([1, 1, 1, 1, 2, 2, 3, 4])) * int(rng.choice([-1, 1]))
    near = min(max(k + step, start), stop - 1)

    def plane(slice_mask: Plane) -> Plane:
        whole = np.zeros(labels.shape[1:], bool)
        whole[places[1], places[2]] = slice_mask
        return whole

    here = inside[k - start] if start <= k < stop else np.zeros(inside.shape[1:], bool)
    position = 2 * (k - before + 0.5) / (after - before) - 1
    return Target(plane(here), plane(inside.any(0)), plane(inside[near - start]), float(position))


def _picture(rng: np.random.Generator, values: NDArray[np.generic], k: int, modality: str) -> NDArray[np.uint8]:
    """Slices k - 1, k, k + 1 (clamped at the ends) as the channels of a uint8 picture."""
    last = len(values) - 1
    slices = np.stack([values[max(k - 1, 0)], values[k], values[min(k + 1, last)]], 2)
    if slices.dtype == np.uint8:
        return np.ascontiguousarray(slices)
    low, high = random_window(rng, values, modality)
    grey = np.clip((slices.astype(np.float32) - low) * np.float32(255 / (high - low)), 0, 255)
    if modality != "CT":
        grey[slices == 0] = 0
    return grey.astype(np.uint8)


def random_window(rng: np.random.Generator, values: NDArray[np.generic], modality: str) -> tuple[float, float]:
    """The intensities that become black and white: a CT window or percentiles, varied as users and scanners do."""
    return _ct_window(rng) if modality == "CT" else _percentile_window(rng, values)


_CT_PRESETS = ((40, 400), (40, 400), (30, 150), (50, 350), (300, 600), (400, 1800), (-600, 1500), (50, 250))


def _ct_window(rng: np.random.Generator) -> tuple[float, float]:
    level, width = _CT_PRESETS[int(rng.integers(len(_CT_PRESETS)))]
    level, width = level + rng.normal(0, 0.06) * width, width * np.exp(rng.normal(0, 0.2))
    return float(level - width / 2), float(level + width / 2)


def _percentile_window(rng: np.random.Generator, values: NDArray[np.generic]) -> tuple[float, float]:
    """The 0.5 to 99.5 percentile of the voxels that are not zero, both moved a little."""
    foreground = np.asarray(values)[:: max(1, len(values) // 12), ::2, ::2]
    foreground = foreground[foreground != 0]
    if foreground.size < 16:
        return 0.0, 1.0
    low, high = np.percentile(
        foreground, [rng.choice([0.5, rng.uniform(0, 2)]), rng.choice([99.5, rng.uniform(98, 99.9)])]
    )
    return float(low), float(max(high, low + 1e-3))


def _placed(
    rng: np.random.Generator, pixels: NDArray[np.uint8], modality: str, targets: list[Target], stretch: float
) -> Scene | None:
    """The scene, placed at random; `stretch` is the height of a pixel over its width."""
    if not 1 / _STRETCH_FROM <= stretch <= _STRETCH_FROM and rng.random() < _STRETCH_SHARE:
        pixels, targets = _squared(pixels, targets, stretch)
    keep = bounds(targets[0].extent)
    if keep is None:
        return None
    placement = random_placement(rng, pixels.shape[:2], keep, upright=False)
    made = [moved for moved in (_moved(target, placement) for target in targets) if moved is not None]
    if not made:
        return None
    made = [made[i % len(made)] for i in range(len(targets))]
    placed = vary(rng, placement.pixels(pixels), grey=True)
    if rng.random() < 0.5:
        placed, made = placed[:, :, ::-1], [_reversed(target) for target in made]
    return Scene(np.ascontiguousarray(placed), modality, made)


def _moved(target: Target, placement: Placement) -> Target | None:
    """The target placed like its picture; None when the crop left too little of it."""
    extent = placement.mask(target.extent)
    if np.count_nonzero(extent) < max(_SMALLEST_SHADOW // 2, 0.5 * np.count_nonzero(target.extent)):
        return None
    return Target(placement.mask(target.mask), extent, placement.mask(target.neighbour), target.position)


def _squared(
    pixels: NDArray[np.uint8], targets: list[Target], stretch: float
) -> tuple[NDArray[np.uint8], list[Target]]:
    """The coarser side resampled, so that pixels become square."""
    height, width = pixels.shape[:2]
    size = (width, round(height * stretch)) if stretch > 1 else (round(width / stretch), height)

    def resized(plane: NDArray[np.uint8]) -> NDArray[np.uint8]:
        return np.asarray(Image.fromarray(plane).resize(size, Image.Resampling.BILINEAR))

    def mask(plane: Plane) -> Plane:
        return resized(plane.astype(np.uint8) * 255) >= 128

    return resized(pixels), [Target(mask(t.mask), mask(t.extent), mask(t.neighbour), t.position) for t in targets]


def _reversed(target: Target) -> Target:
    position = None if target.position is None else -target.position
    return Target(target.mask, target.extent, target.neighbour, position)
