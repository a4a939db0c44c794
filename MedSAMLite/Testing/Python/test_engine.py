"""What the engine keeps and lets go: models as they are on disk, segmenters used last, no mask of a whole volume."""

import shutil
import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
from medsam_backends.boxes import VoxelBox
from medsam_backends.errors import ModelError
from medsam_backends.registry import find_model
from medsam_backends.segmenter import Target
from medsam_backends.types import Point
from MedSAMLiteLib.Engine import _SEGMENTERS_KEPT, Clicks
from phantoms import makeVolume, tinyModel


def never():
    return False


def test_a_replaced_model_is_loaded_anew_and_a_deleted_one_let_go(logic, volume, tmp_path, monkeypatch):
    monkeypatch.setenv("MEDSAMLITE_MODELS", str(tmp_path))
    box = logic.addBox(volume, (12, 12, 4, 52, 52, 16))
    for size in (32, 16):
        tinyModel(tmp_path / "tiny", size=size)
        logic.apply([box], wait=True)
        assert logic.recordOf(box).model == find_model("tiny").spec.identity
    backend = logic.engine._loaded.backend
    logic.apply([box], wait=True)
    assert logic.engine._loaded.backend is backend
    shutil.rmtree(tmp_path / "tiny")
    with pytest.raises(ModelError, match="no model 'tiny'"):
        logic.apply([box], wait=True)
    assert not logic.engine._segmenters and logic.engine._loaded is None


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
