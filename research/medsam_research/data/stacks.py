"""Scenes as if from a volume, made of single slices: their neighbours where the archives hold them, else imitated.

A 3-D box is larger than the object in most slices; here it is the union over the patient's slices,
or the slice's own box grown as an ellipsoid's largest section would be.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from .intensity import vary
from .packed import Item, Pack
from .pictures import choose_objects
from .placement import random_placement
from .scene import Plane, Scene, Target, bounds

__all__ = ["StackSource"]

_NAME = re.compile(r"(?P<stack>.+_[xyz])(?P<number>\d+)(?P<window>.*)")
_REAL_EXTENT_SHARE = 0.5
_NEIGHBOUR_REACH = 3
_SMALLEST_SECTION = 0.4
_ATTEMPTS = 20


class StackSource:
    """Endless scenes from the slices `indices` of `pack`, each with a sampling weight."""

    def __init__(self, pack: Pack, indices: Sequence[int], weights: NDArray[np.float64]) -> None:
        self._pack, self._indices = pack, list(indices)
        self._edges = np.cumsum(weights) / np.sum(weights)
        self._stacks: dict[str, dict[int, int]] = defaultdict(dict)
        for index in indices:
            stack, number = _stack_of(pack.items[index])
            if number is not None:
                self._stacks[stack][number] = index

    def scene(self, rng: np.random.Generator, boxes: int) -> Scene:
        """A slice with `boxes` targets."""
        for _ in range(_ATTEMPTS):
            index = self._indices[int(np.searchsorted(self._edges, rng.random(), side="right"))]
            item = self._pack[index]
            if item.pixels.ndim == 2 and item.labels.any():
                scene = self._scene(rng, index, item, boxes)
                if scene is not None:
                    return scene
        raise ValueError(f"no slice with an object in {_ATTEMPTS} attempts")

    def _scene(self, rng: np.random.Generator, index: int, item: Item, boxes: int) -> Scene | None:
        stack, number = _stack_of(self._pack.items[index])
        near = self._near(item, stack, number)
        pixels = np.stack(
            [_slice_beside(rng, item, near.get(-1)), item.pixels, _slice_beside(rng, item, near.get(1))], 2
        )
        whole = bounds(item.labels > 0)
        if whole is None:
            return None
        placement = random_placement(rng, item.labels.shape, whole, upright=item.modality == "MR")
        labels = placement.labels(item.labels)
        targets = []
        for mask in choose_objects(rng, labels, boxes):
            value = int(labels[mask][0])
            others = {offset: placement.labels(other.labels) == value for offset, other in near.items()}
            targets.append(_target(rng, mask, {o: m for o, m in others.items() if m.any()}))
        if not targets:
            return None
        return Scene(vary(rng, placement.pixels(pixels), grey=True), item.modality, targets)

    def _near(self, item: Item, stack: str, number: int | None) -> dict[int, Item]:
        """Slices of the same stack and shape by their distance, at most three away."""
        if number is None:
            return {}
        members = self._stacks[stack]
        offsets = [o for o in range(-_NEIGHBOUR_REACH, _NEIGHBOUR_REACH + 1) if o and number + o in members]
        near = {offset: self._pack[members[number + offset]] for offset in offsets}
        return {offset: other for offset, other in near.items() if other.pixels.shape == item.pixels.shape}


def _stack_of(facts: dict[str, object]) -> tuple[str, int | None]:
    found = _NAME.fullmatch(str(facts["name"]))
    if found is None:
        return "", None
    return f"{facts['modality']}/{facts['dataset']}/{found['stack']}{found['window']}", int(found["number"])


def _slice_beside(rng: np.random.Generator, item: Item, real: Item | None) -> NDArray[np.uint8]:
    """The real neighbour, or the slice itself moved and scaled a little; at the ends of a volume itself."""
    if real is not None:
        return real.pixels
    if rng.random() < 0.2:
        return item.pixels
    height, width = item.pixels.shape
    scale_x, scale_y = np.exp(rng.normal(0, 0.03, 2))
    shift_x, shift_y = rng.normal(0, 0.006, 2) * max(height, width)
    shear = rng.normal(0, 0.02)
    to_source = (
        scale_x,
        shear,
        (1 - scale_x) * width / 2 - shear * height / 2 + shift_x,
        -shear,
        scale_y,
        (1 - scale_y) * height / 2 + shear * width / 2 + shift_y,
    )
    moved = Image.fromarray(item.pixels).transform(
        (width, height), Image.Transform.AFFINE, to_source, Image.Resampling.BILINEAR
    )
    return np.asarray(moved)


def _target(rng: np.random.Generator, mask: Plane, others: dict[int, Plane]) -> Target:
    if len(others) >= 2 and rng.random() < _REAL_EXTENT_SHARE:
        span = sorted([0, *others])
        extent = np.logical_or.reduce([mask, *others.values()])
        first, last = span[0] - int(rng.integers(0, 3)), span[-1] + int(rng.integers(0, 3))
        position = 2 * (0.5 - first) / (last - first + 1) - 1
    else:
        position = float(rng.uniform(-0.95, 0.95))
        extent = _grown(rng, mask, position)
    neighbour = mask
    if others:
        neighbour = others[int(rng.choice(list(others)))] & extent
    elif rng.random() < 0.5:
        neighbour = ndimage.binary_erosion(mask) if rng.random() < 0.5 else ndimage.binary_dilation(mask) & extent
    return Target(mask, extent, neighbour, float(position))


def _grown(rng: np.random.Generator, mask: Plane, position: float) -> Plane:
    """A box that holds `mask` as the box of a whole object holds one of its slices."""
    box = bounds(mask)
    extent = np.zeros_like(mask)
    if box is None:
        return extent
    height, width = mask.shape
    section = max(_SMALLEST_SECTION, float(np.sqrt(1 - position**2))) ** rng.uniform(0.3, 1.3)
    sides = []
    for low, high, length in ((box[0], box[2], width), (box[1], box[3], height)):
        extra = (high - low) * (1 / section - 1) * rng.uniform(0.5, 1.3)
        before = rng.beta(2, 2) * extra
        sides.append(slice(max(0, round(low - before)), min(length, round(high + extra - before))))
    extent[sides[1], sides[0]] = True
    return extent
