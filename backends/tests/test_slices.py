"""Slices along any axis are views of the caller's array, and come back to the right voxels."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from medsam_backends.boxes import AXES, Axis
from medsam_backends.errors import InputError, PromptError
from medsam_backends.slices import SliceStack

VOLUME = np.arange(2 * 3 * 4, dtype=np.int16).reshape(2, 3, 4)  # K, J, I


@pytest.mark.parametrize(("axis", "shape"), [("k", (2, 3, 4)), ("j", (3, 2, 4)), ("i", (4, 2, 3))])
def test_rows_and_columns_of_each_axis(axis: Axis, shape: tuple[int, int, int]) -> None:
    assert SliceStack(VOLUME, axis).shape == shape


@given(st.sampled_from(AXES), st.data())
def test_a_pixel_is_the_voxel_it_is_said_to_be(axis: Axis, data: st.DataObject) -> None:
    stack = SliceStack(VOLUME, axis)
    index, row, column = (data.draw(st.integers(0, n - 1)) for n in stack.shape)
    i, j, k = stack.to_volume_index(index, row, column)
    assert stack.slice(index)[row, column] == VOLUME[k, j, i]


@pytest.mark.parametrize("axis", AXES)
def test_slices_are_views_that_cannot_be_written(axis: Axis) -> None:
    view = SliceStack(VOLUME, axis).slice(1)
    assert np.shares_memory(view, VOLUME)
    with pytest.raises(ValueError, match="read-only"):
        view[0, 0] = 1
    assert VOLUME.flags.writeable


@pytest.mark.parametrize("axis", AXES)
def test_a_stack_goes_back_to_the_volumes_axes(axis: Axis) -> None:
    stack = SliceStack(VOLUME, axis)
    slices = np.stack([stack.slice(n) for n in range(stack.shape[0])])
    assert np.array_equal(stack.to_volume(slices), VOLUME)


@pytest.mark.parametrize("axis", AXES)
def test_colours_stay_the_last_axis(axis: Axis) -> None:
    colour = np.stack([VOLUME, VOLUME + 1, VOLUME + 2], axis=-1)
    stack = SliceStack(colour, axis, rgb=True)
    assert stack.slice(0).shape == (*stack.shape[1:], 3)
    assert np.array_equal(stack.slice(1)[..., 2], SliceStack(VOLUME, axis).slice(1) + 2)


def test_neighbours_stop_at_the_ends() -> None:
    stack = SliceStack(VOLUME, "j")
    assert [stack.neighbours(n) for n in range(3)] == [(0, 0, 1), (0, 1, 2), (1, 2, 2)]
    assert SliceStack(VOLUME[:1]).neighbours(0) == (0, 0, 0)


@pytest.mark.parametrize("index", [-1, 2])
def test_a_slice_that_is_not_there_is_refused(index: int) -> None:
    with pytest.raises(PromptError, match="slices along k are 0 to 1"):
        SliceStack(VOLUME).slice(index)


def test_an_unknown_axis_is_refused() -> None:
    with pytest.raises(PromptError, match="no axis"):
        SliceStack(VOLUME, "z")  # type: ignore[arg-type]


@pytest.mark.parametrize("array", [VOLUME[0], VOLUME[None], np.zeros((0, 2, 2))])
def test_another_number_of_axes_or_no_voxel_is_refused(array: np.ndarray) -> None:
    with pytest.raises(InputError, match="grey volume"):
        SliceStack(array)
