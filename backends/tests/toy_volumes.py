"""Small volumes and a segmenter that needs no weights, on which every propagation rule is exact.

Run as a program, it writes the digests that `test_published_rules.py` compares with; do so only after that
test has passed where the shared reference is present.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from medsam_backends.boxes import VoxelBox
from medsam_backends.propagation import Request
from medsam_backends.propagation.published import PUBLISHED, PublishedRule
from medsam_backends.types import Prediction, Prompt
from numpy.typing import NDArray

DIGESTS = Path(__file__).parent / "data" / "published_rules.json"
BACKGROUND, THRESHOLD = 30, 100

Blob = tuple[int, int, int, int, int]
"""An ellipse on slice k: (k, row, column, half height, half width)."""
Toy = tuple[NDArray[np.uint8], list[tuple[int, int, int, int, int, int]]]


def _painted(shape: tuple[int, int, int], blobs: Sequence[Blob]) -> NDArray[np.uint8]:
    volume = np.full(shape, BACKGROUND, np.uint8)
    rows, columns = np.ogrid[: shape[1], : shape[2]]
    for k, row, column, half_height, half_width in blobs:
        inside = ((rows - row) * half_width) ** 2 + ((columns - column) * half_height) ** 2
        volume[k][inside <= (half_height * half_width) ** 2] = 180
    return volume


def tube(slices: Iterable[int], row: int, column: int, half_height: int, half_width: int) -> list[Blob]:
    """The same ellipse on every one of `slices`."""
    return [(k, row, column, half_height, half_width) for k in slices]


def volumes() -> dict[str, Toy]:
    """Volumes (K, J, I) with voxel-inclusive boxes; each holds one thing that tells rules apart."""
    radii = (4, 7, 9, 11, 12, 12, 12, 11, 9, 7, 4)
    slab = _painted((7, 48, 40), tube(range(2, 6), 24, 20, 8, 6))
    return {
        "ball": (
            _painted((16, 64, 64), [(k, 30, 34, r, r) for k, r in enumerate(radii, 3)]),
            [(21, 17, 3, 47, 43, 13)],
        ),
        "drift": (
            _painted((20, 72, 96), [(k, 20 + k, 16 + 3 * k, 7, 8) for k in range(1, 19)]),
            [(34, 22, 1, 56, 38, 18)],
        ),
        "gap": (_painted((18, 60, 60), tube([*range(2, 7), *range(10, 16)], 30, 30, 9, 10)), [(19, 20, 2, 41, 40, 15)]),
        "border": (_painted((9, 50, 70), tube(range(9), 4, 66, 9, 10)), [(57, 0, 0, 69, 13, 8)]),
        "thin": (slab, [(13, 15, 3, 27, 33, 4)]),
        "one_slice": (slab, [(13, 15, 3, 27, 33, 3)]),
        "overlap": (
            _painted((14, 80, 64), tube(range(2, 12), 34, 26, 13, 11) + tube(range(4, 13), 46, 34, 12, 12)),
            [(14, 20, 2, 38, 48, 11), (21, 33, 4, 47, 59, 12)],
        ),
        "empty_middle": (
            _painted((15, 56, 56), tube((2, 3, 4, 10, 11, 12), 26, 30, 8, 9)),
            [(20, 17, 2, 40, 35, 12)],
        ),
        "many": _many(),
    }


def _many() -> Toy:
    """Five slanted objects, each with a thin tail that shrinking the mask may lose; larger than 256."""
    centres = ((60, 80), (60, 250), (160, 90), (160, 240), (230, 320))
    blobs: list[Blob] = []
    for row, column in centres:
        for k in range(9):
            less = 2 * abs(k - 4)
            blobs.append((k, row + k, column - 2 * k, 20 - less, 24 - less))
            blobs.append((k, row + k + 26, column - 2 * k, 8, 1))
    return _painted((9, 300, 380), blobs), [(c - 34, r - 18, 0, c + 18, r + 42, 8) for r, c in centres]


class ToyModel:
    """A `SliceModel`: the largest bright 4-connected region in a box given in the rule's own frame."""

    prompts = frozenset({"box"})

    def __init__(self, volume: NDArray[np.uint8], rule: PublishedRule) -> None:
        self.volume = volume
        self.box_side = rule.side
        self.keeps_aspect = rule.scaling != "square"
        self.asked: list[tuple[int, tuple[float, ...]]] = []

    @property
    def shape(self) -> tuple[int, int, int]:
        slices, rows, columns = self.volume.shape
        return slices, rows, columns

    def predict(self, index: int, prompts: Sequence[Prompt]) -> list[Prediction]:
        return [self._segment(index, prompt) for prompt in prompts]

    def _segment(self, index: int, prompt: Prompt) -> Prediction:
        assert prompt.frame == "network"
        self.asked.append((index, prompt.box))
        rows, columns = self.shape[1:]
        sides = (max(rows, columns),) * 4 if self.keeps_aspect else (columns, rows) * 2
        x0, y0, x1, y1 = (value * (side / self.box_side) for value, side in zip(prompt.box, sides, strict=True))
        inside = np.zeros((rows, columns), bool)
        inside[max(0, int(np.floor(y0))) : int(np.ceil(y1)) + 1, max(0, int(np.floor(x0))) : int(np.ceil(x1)) + 1] = (
            True
        )
        return Prediction(_largest(inside & (self.volume[index] >= THRESHOLD)), 1.0)


def _largest(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The largest 4-connected region; of equals the one that comes first row by row."""
    left = {(int(y), int(x)): None for y, x in np.argwhere(mask)}
    best: list[tuple[int, int]] = []
    while left:
        region = [next(iter(left))]
        del left[region[0]]
        for y, x in region:
            for beside in ((y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)):
                if beside in left:
                    del left[beside]
                    region.append(beside)
        best = region if len(region) > len(best) else best
    out = np.zeros_like(mask)
    for y, x in best:
        out[y, x] = True
    return out


def run(name: str, toy: Toy) -> tuple[NDArray[np.uint8], list[tuple[int, tuple[float, ...]]]]:
    """Labels of a rule on a volume, later boxes over earlier ones, and what the model was asked, in order."""
    volume, boxes = toy
    rule = PUBLISHED[name]
    model, labels = ToyModel(volume, rule), np.zeros(volume.shape, np.uint8)
    for label, box in enumerate(boxes, start=1):
        edges, first, last = VoxelBox.from_sequence(box).plane("k")
        for result in rule(Request(edges, first, last, label=label), model):
            labels[result.index][result.mask] = label
    return labels, model.asked


def digest(name: str, toy: Toy) -> str:
    """A short digest of the labels and of the prompts, which are rounded to a thousandth."""
    labels, asked = run(name, toy)
    prompts = [[index, *(round(value, 3) + 0.0 for value in box)] for index, box in asked]
    return hashlib.sha256(labels.tobytes() + json.dumps(prompts).encode()).hexdigest()[:16]


if __name__ == "__main__":
    known = {volume: {rule: digest(rule, toy) for rule in PUBLISHED} for volume, toy in volumes().items()}
    DIGESTS.write_text(json.dumps(known, indent=1) + "\n", encoding="utf-8")
