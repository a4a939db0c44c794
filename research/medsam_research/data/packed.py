"""Pictures and label maps of any shape in three flat files: quick to open, read on demand.

``NAME.pixels`` and ``NAME.labels`` hold uint8 values end to end, ``NAME.json`` says where each
item lies; it is written last, so that a pack with a ``.json`` is complete.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

__all__ = ["Item", "Pack", "write_pack"]


@dataclass(frozen=True)
class Item:
    """A picture or volume with its label map.

    `pixels` is uint8 (H, W), (H, W, 3) or (S, H, W); `labels` uint8 (H, W) or (S, H, W).
    `group` names the patient or case where it is known.
    """

    name: str
    dataset: str
    modality: str
    group: str
    pixels: NDArray[np.uint8]
    labels: NDArray[np.uint8]


class Pack:
    """Read access to one pack; `items` carry all but the arrays, which `__getitem__` brings."""

    def __init__(self, path: Path) -> None:
        """Open ``path`` without suffix; raises FileNotFoundError when it is not complete."""
        self.items: list[dict[str, object]] = json.loads(path.with_suffix(".json").read_text())
        self._pixels = np.memmap(path.with_suffix(".pixels"), np.uint8, "r")
        self._labels = np.memmap(path.with_suffix(".labels"), np.uint8, "r")
        pixel_sizes = [int(np.prod(np.asarray(item["shape"], int))) for item in self.items]
        label_sizes = [int(np.prod(np.asarray(item["label_shape"], int))) for item in self.items]
        self._pixel_starts = np.concatenate([[0], np.cumsum(pixel_sizes)])
        self._label_starts = np.concatenate([[0], np.cumsum(label_sizes)])

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, index: int) -> Item:
        facts = self.items[index]
        pixels = self._pixels[self._pixel_starts[index] : self._pixel_starts[index + 1]]
        labels = self._labels[self._label_starts[index] : self._label_starts[index + 1]]
        return Item(
            str(facts["name"]),
            str(facts["dataset"]),
            str(facts["modality"]),
            str(facts["group"]),
            np.asarray(pixels).reshape(facts["shape"]),  # type: ignore[call-overload]
            np.asarray(labels).reshape(facts["label_shape"]),  # type: ignore[call-overload]
        )


def write_pack(path: Path, items: Iterable[Item]) -> int:
    """Write `items` to ``path`` (no suffix) and return how many there were."""
    path.parent.mkdir(parents=True, exist_ok=True)
    facts = []
    with path.with_suffix(".pixels").open("wb") as pixels, path.with_suffix(".labels").open("wb") as labels:
        for item in items:
            pixels.write(np.ascontiguousarray(item.pixels, np.uint8).tobytes())
            labels.write(np.ascontiguousarray(item.labels, np.uint8).tobytes())
            facts.append(_facts(item, item.pixels.shape, item.labels.shape))
    unfinished = path.with_suffix(".json.part")
    unfinished.write_text(json.dumps(facts))
    unfinished.replace(path.with_suffix(".json"))
    return len(facts)


def _facts(item: Item, shape: Sequence[int], label_shape: Sequence[int]) -> dict[str, object]:
    return {
        "name": item.name,
        "dataset": item.dataset,
        "modality": item.modality,
        "group": item.group,
        "shape": list(shape),
        "label_shape": list(label_shape),
    }
