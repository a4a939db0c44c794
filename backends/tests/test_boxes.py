"""Boxes: what a user types becomes exactly those voxels, or a sentence that says what is wrong."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from medsam_backends.boxes import AXES, VoxelBox, check_axis
from medsam_backends.errors import PromptError

SIZE = (7, 5, 3)  # i, j, k


@st.composite
def boxes_inside(draw: st.DrawFn) -> VoxelBox:
    ends = [sorted(draw(st.tuples(*[st.integers(0, size - 1)] * 2))) for size in SIZE]
    return VoxelBox(*(low for low, _ in ends), *(high for _, high in ends))


def test_six_numbers_are_first_and_last_voxel() -> None:
    box = VoxelBox.from_sequence([1, 2, 0, 4, 3, 2])
    assert (box.first, box.last, box.size) == ((1, 2, 0), (4, 3, 2), (4, 2, 3))
    assert box.text == "1 2 0 4 3 2"


def test_four_numbers_are_a_box_on_a_2d_image() -> None:
    assert VoxelBox.from_sequence([1, 2, 4, 3]) == VoxelBox(1, 2, 0, 4, 3, 0)


def test_whole_numbers_may_come_as_floats_or_numpy_integers() -> None:
    assert VoxelBox.from_sequence([1.0, 2.0, 4.0, 3.0]) == VoxelBox.from_sequence(np.array([1, 2, 4, 3]))


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ([1, 2, 3], "A box of 3 numbers is not understood"),
        ([0, 0, 0, 1.5, 1, 1], "voxel indices"),
        ([0, 0, 0, float("nan"), 1, 1], "voxel indices"),
        ([0, 0, 0, float("inf"), 1, 1], "voxel indices"),
        ([4, 0, 0, 3, 1, 1], "inverted along i"),
        ([0, 0, 2, 1, 1, 1], "inverted along k"),
    ],
)
def test_a_box_that_makes_no_sense_is_refused(values: list[float], sentence: str) -> None:
    with pytest.raises(PromptError, match=sentence):
        VoxelBox.from_sequence(values)


def test_a_box_partly_outside_is_clipped_and_said_so() -> None:
    assert VoxelBox(-3, 1, 0, 2, 9, 1).clipped(SIZE) == (VoxelBox(0, 1, 0, 2, 4, 1), True)


@pytest.mark.parametrize("box", [VoxelBox(7, 0, 0, 9, 1, 1), VoxelBox(0, -4, 0, 1, -1, 1), VoxelBox(0, 0, 3, 1, 1, 3)])
def test_a_box_outside_is_refused(box: VoxelBox) -> None:
    with pytest.raises(PromptError, match="lies outside the volume along"):
        box.clipped(SIZE)


def test_an_axis_may_be_a_capital() -> None:
    assert [check_axis(axis) for axis in "IJK"] == ["i", "j", "k"]


def test_an_unknown_axis_is_refused() -> None:
    with pytest.raises(PromptError, match="no axis 'x'"):
        check_axis("x")


@given(boxes_inside())
def test_a_box_inside_is_left_as_it_is(box: VoxelBox) -> None:
    assert box.clipped(SIZE) == (box, False)


@given(st.lists(st.integers(-20, 20), min_size=6, max_size=6))
def test_clipping_twice_changes_nothing_more(values: list[int]) -> None:
    try:
        box, _ = VoxelBox.from_sequence(values).clipped(SIZE)
    except PromptError:
        return
    assert box.clipped(SIZE) == (box, False)


@given(boxes_inside(), st.sampled_from(AXES))
def test_edges_and_slices_cover_the_same_voxels_along_every_axis(box: VoxelBox, axis: str) -> None:
    volume = np.zeros(SIZE[::-1], bool)
    volume[box.k0 : box.k1 + 1, box.j0 : box.j1 + 1, box.i0 : box.i1 + 1] = True
    (x0, y0, x1, y1), first, last = box.plane(check_axis(axis))
    stack = np.moveaxis(volume, 2 - AXES.index(check_axis(axis)), 0)
    painted = np.zeros_like(stack)
    painted[first : last + 1, int(y0) : int(y1), int(x0) : int(x1)] = True
    assert np.array_equal(stack, painted)


def test_a_one_voxel_box_has_edges_one_apart() -> None:
    assert VoxelBox(3, 2, 1, 3, 2, 1).plane("k") == ((3.0, 2.0, 4.0, 3.0), 1, 1)
