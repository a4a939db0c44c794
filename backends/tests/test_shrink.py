"""Resampling by blocks gives what the dense matrices of a window give."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from medsam_backends.shrink import shrink
from medsam_backends.window import sample


@settings(deadline=None, max_examples=60)
@given(st.integers(1, 90), st.integers(1, 90), st.integers(1, 40), st.sampled_from([0, 1, 3]), st.booleans())
def test_it_equals_the_window_over_the_whole_picture(
    height: int, width: int, side: int, channels: int, whole_numbers: bool
) -> None:
    shape = (height, width, channels) if channels else (height, width)
    picture = np.random.default_rng(height * width).uniform(0, 255, shape).astype(np.float32)
    if whole_numbers:
        picture = picture.astype(np.uint8)
    picture.flags.writeable = False
    longest = float(max(height, width))
    expected = sample(picture, (0.0, 0.0, longest, longest), side)
    got = shrink(picture, side)
    assert (got.shape, got.dtype) == (expected.shape, np.float32)
    np.testing.assert_allclose(got, expected, atol=255e-6)


@pytest.mark.parametrize("shape", [(2000, 1500), (1500, 2000, 3)])
def test_large_pictures_too(shape: tuple[int, ...]) -> None:
    picture = np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)
    np.testing.assert_allclose(shrink(picture, 256), sample(picture, (0.0, 0.0, 2000.0, 2000.0), 256), atol=255e-6)


@settings(deadline=None, max_examples=60)
@given(st.integers(1, 40), st.integers(1, 80), st.sampled_from([0, 1, 3]), st.sampled_from([1, 2]), st.booleans())
def test_whole_numbers_shrunk_by_one_or_two_are_exact(
    side: int, other: int, channels: int, by: int, wide: bool
) -> None:
    shape = (min(other, by * side), by * side)[:: 1 if wide else -1] + (channels,) * bool(channels)
    picture = np.random.default_rng(side).integers(0, 256, shape).astype(np.uint8)
    longest = float(by * side)
    np.testing.assert_array_equal(shrink(picture, side), sample(picture, (0.0, 0.0, longest, longest), side))
    np.testing.assert_array_equal(shrink(picture, side), shrink(picture.astype(np.float32), side))
