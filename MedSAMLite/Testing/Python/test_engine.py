"""What the engine keeps, and what it lets go: the segmenters used last, no mask of a whole volume."""

import tracemalloc
from dataclasses import replace

import numpy as np
from medsam_backends.boxes import VoxelBox
from medsam_backends.segmenter import Target
from medsam_backends.types import Point
from MedSAMLiteLib.Engine import _SEGMENTERS_KEPT, Clicks
from phantoms import makeVolume


def never():
    return False


def test_the_segmenters_used_last_are_kept(logic, volume):
    view = replace(logic.view(volume, "k"), preset="manual", width=100.0)
    first, second, *others = [replace(view, level=float(level)) for level in range(_SEGMENTERS_KEPT + 1)]
    for window in (first, second, *others[:-1], first, others[-1]):
        logic.engine.prepare(window, [0], never)
    assert [logic.engine.isCached(window, 0) for window in (first, second, others[-1])] == [True, False, True]


def test_a_correction_makes_no_mask_of_the_whole_volume(logic):
    view = logic.view(makeVolume(np.full((2000, 64, 64), 200, np.uint8)), "k")
    target = Target(VoxelBox(10, 10, 4, 50, 50, 6))
    _, [segment] = logic.engine.segment(view, [target], "", None, never)
    clicks = Clicks((Point(20, 20, positive=False),))
    tracemalloc.start()
    try:
        _, [corrected] = logic.engine.correct(view, segment, 5, clicks, "", None, never)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert corrected.voxels < segment.voxels and peak < view.array.nbytes / 2
