"""Masks of slices kept small: put together they are what was put in, and many slices cost no more than the object."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from medsam_backends.boxes import VoxelBox
from medsam_backends.mask_crops import MaskCrops
from medsam_backends.segmenter import Target, VolumeSegmenter
from medsam_backends.types import Prompt
from test_registry import Whole


@given(arrays(bool, st.tuples(st.integers(1, 4), st.integers(1, 12), st.integers(1, 12))), st.integers(0, 5))
def test_together_they_are_what_was_put_in(stack: np.ndarray, first: int) -> None:
    crops = MaskCrops()
    for n in reversed(range(len(stack))):
        crops.put(first + n, ~stack[n])
        crops.put(first + n, stack[n])
    whole, (start, row, column) = crops.together()
    assert [crops.pixels(first + n) for n in range(len(stack))] == stack.sum(axis=(1, 2)).tolist()
    back = np.zeros((first + len(stack), *stack.shape[1:]), bool)
    depth, rows, columns = whole.shape
    back[start : start + depth, row : row + rows, column : column + columns] = whole
    np.testing.assert_array_equal(back[first:], stack)
    if stack.any():
        sides = [[whole.take(edge, axis) for edge in (0, -1)] for axis in range(3)]
        assert all(side.any() for pair in sides for side in pair), "no empty border"
    else:
        assert whole.shape == (0, 0, 0)


def _peak_of_work(slices: int, rule: str) -> int:
    """Bytes at the peak of segmenting and correcting a 40 x 40 object through all slices of 512 x 512."""
    volume = np.broadcast_to(np.uint8(9), (slices, 512, 512))
    segmenter = VolumeSegmenter(Whole(), volume, preset="none")
    tracemalloc.start()
    [segment] = segmenter.segment([Target(VoxelBox(200, 200, 0, 239, 239, slices - 1))], rule=rule)
    assert segment.mask.shape[0] >= slices - 1
    segmenter.correct(segment, slices // 2, Prompt((205.0, 205.0, 230.0, 230.0)), rule=rule)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


@pytest.mark.parametrize("rule", ["track", "medficientsam"])
def test_a_long_volume_costs_its_crops_not_its_slices(rule: str) -> None:
    few, many = _peak_of_work(100, rule), _peak_of_work(600, rule)
    a_slice = 40 * 40 + 2000  # its pixels, and the reports
    assert many - few < 500 * 3 * a_slice, "the result twice, and less than another for what lies around it"
    assert many < 16 * 2**20, "600 whole masks are 150 MiB"
