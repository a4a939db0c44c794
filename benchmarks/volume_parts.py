"""What is timed on whole volumes inside a process: segmenting, a further box, a preview."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .clock import now
from .engines import Part, picture

__all__ = ["volume_parts"]


def volume_parts(folder: Path, runtime: str, threads: int) -> dict[str, Part]:
    """Parts whose arguments are the number of slices and boxes and the side of a slice in pixels."""
    from medsam_backends import EmbeddingCache, Prompt, Target, VolumeSegmenter, VoxelBox
    from medsam_backends.folder_backend import open_folder

    backend = open_folder(folder, runtime, threads)

    def segmenter(slices: int, side: int, cache_bytes: int = 2**30) -> VolumeSegmenter:
        return VolumeSegmenter(backend, _volume(slices, side), preset="abdomen", cache=EmbeddingCache(cache_bytes))

    def targets(slices: int, side: int, boxes: int) -> list[Any]:
        a, b = side // 4, side * 5 // 8
        shift = side // 32
        return [Target(VoxelBox(a + n * shift, a, 0, b + n * shift, b, slices - 1)) for n in range(boxes)]

    def timed(made: VolumeSegmenter, wanted: list[Any]) -> float:
        started = now()
        made.segment(wanted)
        return now() - started

    def segment(slices: int = 10, boxes: int = 1, side: int = 512) -> float:
        return timed(segmenter(slices, side), targets(slices, side, boxes))

    def box_by_box(slices: int = 10, boxes: int = 1, side: int = 512) -> float:
        return sum(timed(segmenter(slices, side, 0), [target]) for target in targets(slices, side, boxes))

    def further_box(slices: int = 10, side: int = 512) -> float:
        made, (first, second) = segmenter(slices, side), targets(slices, side, 2)
        made.segment([first])
        return timed(made, [second])

    def encode_slices(slices: int = 10, side: int = 512) -> float:
        [found] = segmenter(slices, side).segment(targets(slices, side, 1))
        spent = found.timings  # of the time in which threads were busy, the share that went into encoding
        return float(spent.busy_s * spent.encode_s / (spent.encode_s + spent.decode_s))

    def preview(side: int = 512, cached: bool = True) -> float:
        made = segmenter(5, side)
        box = (side * 0.25, side * 0.25, side * 0.6, side * 0.6)
        if cached:
            made.preview(2, Prompt(box))
        moved = Prompt((box[0] - 3, box[1] - 2, box[2] + 1, box[3] + 4))
        started = now()
        made.preview(2, moved)
        return now() - started

    return {
        "segment": segment,
        "box_by_box": box_by_box,
        "further_box": further_box,
        "encode_slices": encode_slices,
        "preview": preview,
    }


@cache
def _volume(slices: int, side: int) -> NDArray[np.int16]:
    """A CT-like volume: a bright body that changes a little from slice to slice."""
    grey = picture(side).astype(np.int16) * 3 - 400
    volume = np.stack([np.roll(grey, n % 16, axis=1) for n in range(slices)])
    volume.setflags(write=False)
    return volume
