"""From a picture to the numbers that a network is fed with, by hand-checked examples."""

import numpy as np
import pytest
from medsam_backends.preprocess import Frame, network_box, network_input
from medsam_backends.types import Prompt

SETTINGS = {"size": 8, "resize": "longest_side", "interpolation": "area", "normalisation": {"kind": "none"}}


@pytest.mark.parametrize(
    ("size", "rule", "resized"),
    [
        ((8, 8), "longest_side", (8, 8)),
        ((4, 16), "longest_side", (2, 8)),
        ((1, 100), "longest_side", (1, 8)),
        ((3, 16), "longest_side", (2, 8)),
        ((4, 16), "square", (8, 8)),
    ],
)
def test_the_longest_side_fills_the_input_or_both_do(
    size: tuple[int, int], rule: str, resized: tuple[int, int]
) -> None:
    assert Frame.of(size, 8, rule) == Frame(size, resized, 8, square=rule == "square")


def test_a_picture_lies_top_left_and_the_rest_is_zero() -> None:
    made = network_input(np.full((4, 16), 7, np.uint8), SETTINGS)
    assert made.shape == (1, 3, 8, 8) and made.dtype == np.float32
    assert (made[0, :, :2] == 7).all() and not made[0, :, 2:].any()


def test_colours_become_channels() -> None:
    picture = np.zeros((8, 8, 3), np.uint8)
    picture[...] = (1, 2, 3)
    assert network_input(picture, SETTINGS)[0, :, 0, 0].tolist() == [1, 2, 3]


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ({"kind": "none"}, [0, 102, 204]),
        ({"kind": "scale_255"}, [0, 0.4, 0.8]),
        ({"kind": "minmax"}, [0, 0.5, 1]),
        ({"kind": "mean_std", "mean": [2, 2, 2], "std": [2, 2, 2]}, [-1, 50, 101]),
    ],
)
def test_each_normalisation_is_what_its_name_says(rule: dict, expected: list[float]) -> None:
    picture = np.zeros((8, 8), np.uint8)
    picture[0, :3] = (0, 102, 204)
    made = network_input(picture, {**SETTINGS, "normalisation": rule})
    np.testing.assert_allclose(made[0, 1, 0, :3], expected, rtol=1e-6)


def test_a_constant_picture_is_not_divided_by_zero() -> None:
    made = network_input(np.full((8, 8), 9, np.uint8), {**SETTINGS, "normalisation": {"kind": "minmax", "eps": 1e-8}})
    assert not made.any()


def test_real_values_are_rounded_to_8_bits_as_the_published_systems_do() -> None:
    picture = np.full((8, 8), 6.6, np.float32)
    assert (network_input(picture, SETTINGS) == 7).all()


@pytest.mark.parametrize(
    ("corners", "rounding", "unit", "expected"),
    [
        ("edges", "none", "pixel", (1.5, 0.5, 5, 1.5)),
        ("inclusive", "none", "pixel", (1.5, 0.5, 4.5, 1)),
        ("inclusive", "truncate", "pixel", (1, 0, 4, 1)),
        ("edges", "none", "fraction", (3 / 16, 1 / 16, 10 / 16, 3 / 16)),
    ],
)
def test_a_box_is_brought_into_the_networks_frame(
    corners: str, rounding: str, unit: str, expected: tuple[float, ...]
) -> None:
    frame = Frame.of((4, 16), 8, "longest_side")
    rule = {"corners": corners, "rounding": rounding, "unit": unit}
    assert network_box(Prompt((3.0, 1.0, 10.0, 3.0)), frame, rule) == pytest.approx(expected)


@pytest.mark.parametrize("size", [(999, 1000), (1000, 999), (1000, 1000)])
def test_one_factor_scales_a_nearly_square_picture_that_fills_the_input(size: tuple[int, int]) -> None:
    frame = Frame.of(size, 256, "longest_side")
    assert frame.resized == (256, 256)
    rule = {"corners": "inclusive", "rounding": "truncate", "unit": "pixel"}
    for edge in range(2, 998):
        x0, y0, x1, y1 = network_box(Prompt((edge, edge, edge + 1, edge + 1)), frame, rule)
        assert x0 == y0 == x1 == y1 == int(edge * (256 / 1000))


def test_a_squashed_picture_squashes_its_boxes() -> None:
    rule = {"corners": "edges", "rounding": "none", "unit": "pixel"}
    frame = Frame.of((4, 16), 8, "square")
    assert network_box(Prompt((2.0, 1.0, 16.0, 3.0)), frame, rule) == (1, 2, 8, 6)
    fraction = network_box(Prompt((2.0, 1.0, 16.0, 3.0)), frame, {**rule, "unit": "fraction"})
    assert fraction == (0.125, 0.25, 1, 0.75)


def test_a_box_that_is_in_the_networks_frame_stays() -> None:
    frame = Frame.of((4, 16), 8, "square")
    assert network_box(Prompt((3, 3, 3, 3), frame="network"), frame, {}) == (3, 3, 3, 3)
