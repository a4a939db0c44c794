"""``python -m benchmarks.peer_pipeline FOLDER VOLUME OUTPUT THREADS BOX...``: as MedficientSAM's program does it.

Written from the published description: each box is walked outwards from its middle slice, the next prompt
is the bounding box of the last mask, a slice is encoded once; compressed npz in and out, float32 OpenVINO
with the latency hint.  The graphs are those of `peer_export` with stand-in weights: only time and memory count.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from medsam_backends.resize import resize
from numpy.typing import NDArray

from .peers import plain_session

__all__ = ["main"]

_SIDE = 512
Box = tuple[int, ...]


class _Model:
    def __init__(self, folder: Path, threads: int) -> None:
        self._encoder, _ = plain_session(folder / "encoder.onnx", "openvino", threads)
        self._decoder, _ = plain_session(folder / "decoder.onnx", "openvino", threads)
        self._known: dict[int, NDArray[np.float32]] = {}
        self.decodes = 0

    def mask(self, index: int, grey: NDArray[np.uint8], box: Box) -> NDArray[np.bool_]:
        """The object in `box` on a square slice."""
        if index not in self._known:
            self._known[index] = self._encoder({"image": _network_input(grey)})[0]
        self.decodes += 1
        corners = np.array([box], np.float32) * np.float32(_SIDE / max(grey.shape))
        logits = self._decoder({"features": self._known[index], "boxes": corners})[0][0, 0]
        return np.asarray(resize(resize(logits, (_SIDE, _SIDE), "torch_linear"), grey.shape, "linear") > 0)

    @property
    def encodes(self) -> int:
        """Slices encoded."""
        return len(self._known)


def _network_input(grey: NDArray[np.uint8]) -> NDArray[np.float32]:
    small = resize(grey, (_SIDE, _SIDE), "linear").astype(np.float32)
    small -= small.min()
    small /= max(float(small.max()), 1e-8)
    return np.broadcast_to(small, (1, 3, _SIDE, _SIDE)).copy()


def _walks(first: int, last: int) -> Iterator[range]:
    """Upwards from the middle, the last slice left out as published, then downwards."""
    middle = (first + last) // 2
    yield range(middle, last)
    yield range(middle - 1, first - 1, -1)


def _bounding(mask: NDArray[np.bool_]) -> Box | None:
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return (columns[0], rows[0], columns[-1], rows[-1]) if rows.size else None


def main() -> None:
    """Segment every box, ``i0 j0 k0 i1 j1 k1`` each, and write the labels."""
    folder, volume_path, output, threads = sys.argv[1:5]
    boxes = np.array(sys.argv[5:], int).reshape(-1, 6)
    volume = np.load(volume_path)["imgs"]
    model, labels = _Model(Path(folder), int(threads)), np.zeros(volume.shape, np.uint16)
    for label, (i0, j0, k0, i1, j1, k1) in enumerate(boxes, 1):
        user, middle_box = (i0, j0, i1, j1), None
        for walk in _walks(k0, k1):
            last = middle_box
            for index in walk:
                mask = model.mask(index, volume[index], last or user)
                last = _bounding(mask)
                labels[index][mask] = label
                if middle_box is None:
                    middle_box = last
    np.savez_compressed(output, segs=labels)
    print(f"{model.encodes} encodes, {model.decodes} decodes")


if __name__ == "__main__":
    main()
