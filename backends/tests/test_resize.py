"""Resizing equals OpenCV and PyTorch: small known answers, and a second implementation where it is present."""

import importlib.util
import itertools
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from medsam_backends.resize import RULES, resize

REFERENCE = Path(__file__).parents[3] / "shared" / "published-models" / "resize_rules.py"
RAMP = (np.arange(35, dtype=np.int64).reshape(5, 7) * 53 % 256).astype(np.uint8)

# Made with OpenCV 4.10 (area, linear, cubic) and PyTorch 2.13 (torch_linear) from RAMP.
KNOWN_BYTES = {
    ("area", (3, 4)): [[69, 130, 126, 85], [136, 124, 142, 130], [115, 118, 136, 110]],
    ("area", (7, 9)): [
        [0, 38, 76, 114, 159, 204, 96, 24, 62],
        [69, 107, 145, 160, 74, 120, 99, 93, 131],
        [138, 139, 162, 171, 41, 86, 124, 147, 149],
        [230, 85, 50, 88, 133, 178, 216, 181, 36],
        [117, 118, 141, 180, 225, 95, 103, 126, 128],
        [135, 100, 108, 146, 192, 105, 121, 130, 94],
        [204, 59, 24, 62, 107, 152, 190, 155, 10],
    ],
    ("cubic", (3, 4)): [[51, 149, 164, 74], [153, 89, 177, 113], [117, 115, 117, 103]],
    ("cubic", (7, 9)): [
        [0, 21, 67, 115, 170, 237, 97, 0, 56],
        [49, 103, 176, 167, 65, 110, 84, 83, 149],
        [166, 141, 172, 162, 28, 66, 146, 174, 146],
        [243, 85, 25, 94, 133, 172, 241, 181, 23],
        [119, 114, 139, 197, 238, 104, 91, 134, 130],
        [124, 98, 111, 167, 201, 99, 101, 129, 102],
        [228, 54, 0, 57, 96, 151, 228, 158, 0],
    ],
    ("linear", (3, 4)): [[58, 140, 158, 80], [154, 87, 179, 112], [121, 107, 125, 101]],
    ("linear", (8, 3)): [
        [35, 159, 27],
        [86, 97, 77],
        [147, 25, 143],
        [112, 97, 162],
        [104, 169, 154],
        [122, 241, 119],
        [93, 169, 132],
        [69, 107, 145],
    ],
    ("torch_linear", (3, 4)): [[58, 141, 158, 80], [154, 87, 179, 112], [122, 108, 125, 101]],
    ("torch_linear", (7, 9)): [
        [0, 35, 77, 118, 159, 200, 99, 27, 62],
        [66, 101, 143, 151, 78, 119, 100, 93, 128],
        [148, 134, 152, 152, 51, 92, 133, 150, 137],
        [230, 95, 51, 92, 133, 174, 215, 171, 36],
        [129, 116, 133, 174, 215, 114, 114, 132, 118],
        [138, 100, 106, 147, 188, 115, 123, 128, 91],
        [204, 69, 25, 66, 107, 148, 189, 145, 10],
    ],
}
KNOWN_FLOATS = {
    ("cubic", (3, 4)): [
        [7.2206864, 21.275494, 23.43449, 10.534938],
        [21.907856, 12.685547, 25.314453, 16.092146],
        [16.783516, 16.364117, 16.724508, 14.750875],
    ],
    ("linear", (3, 4)): [
        [8.3154764, 20.041668, 22.625002, 11.494048],
        [21.982143, 12.375, 25.625, 16.017857],
        [17.363094, 15.375, 17.958334, 14.446429],
    ],
    ("torch_linear", (3, 4)): [
        [8.31547546, 20.0416679, 22.6250019, 11.4940472],
        [21.9821434, 12.375, 25.625, 16.0178566],
        [17.3630962, 15.3750038, 17.9583321, 14.4464293],
    ],
}
SIZES = [
    ((512, 512), (256, 256)), ((512, 300), (256, 150)), ((300, 403), (191, 256)), ((700, 560), (256, 205)),
    ((150, 97), (256, 166)), ((64, 64), (1, 1)), ((3, 5), (64, 64)), ((1, 1), (4, 4)), ((257, 256), (256, 255)),
    ((768, 768), (256, 256)), ((100, 90), (33, 30)), ((97, 150), (60, 256)),
]  # fmt: skip


@pytest.mark.parametrize(("rule", "size"), KNOWN_BYTES)
def test_8_bit_pictures_equal_the_libraries(rule: str, size: tuple[int, int]) -> None:
    assert resize(RAMP, size, rule).tolist() == KNOWN_BYTES[rule, size]


@pytest.mark.parametrize(("rule", "size"), KNOWN_FLOATS)
def test_float_pictures_equal_the_libraries(rule: str, size: tuple[int, int]) -> None:
    result = resize(RAMP.astype(np.float32) / np.float32(7), size, rule)
    np.testing.assert_allclose(result, KNOWN_FLOATS[rule, size], rtol=1e-6)


@pytest.fixture(scope="module")
def reference() -> ModuleType:
    if not REFERENCE.exists():
        pytest.skip("needs the shared reference of the resize rules, which a clone does not have")
    spec = importlib.util.spec_from_file_location("resize_rules", REFERENCE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(("sizes", "channels"), list(itertools.product(SIZES, [(), (3,)])))
def test_every_pixel_equals_the_second_implementation(
    reference: ModuleType, sizes: tuple[tuple[int, int], tuple[int, int]], channels: tuple[int, ...]
) -> None:
    before, after = sizes
    image = np.random.default_rng(1).integers(0, 256, (*before, *channels)).astype(np.uint8)
    for rule, slow in (("area", "area_u8"), ("linear", "linear_u8"), ("torch_linear", "torch_u8")):
        assert np.array_equal(resize(image, after, rule), getattr(reference, slow)(image, after)), rule
    if not channels:
        floats = np.random.default_rng(2).normal(size=before).astype(np.float32)
        assert np.array_equal(resize(floats, after, "torch_linear"), reference.torch_f32(floats, after))
        np.testing.assert_allclose(resize(floats, after, "linear"), reference.linear_f32(floats, after), atol=1e-6)


def test_the_same_size_gives_the_same_picture() -> None:
    assert resize(RAMP, (5, 7), "cubic") is RAMP


def test_colours_are_resized_one_by_one() -> None:
    colour = np.stack([RAMP, RAMP[::-1], RAMP[:, ::-1]], axis=-1)
    result = resize(colour, (3, 4), "area")
    assert np.array_equal(result[..., 1], resize(np.ascontiguousarray(RAMP[::-1]), (3, 4), "area"))


@pytest.mark.parametrize(
    ("image", "size", "rule"),
    [
        (RAMP, (3, 3), "nearest"),
        (RAMP.astype(np.float32), (3, 3), "area"),
        (RAMP.astype(np.int16), (3, 3), "linear"),
        (RAMP, (0, 3), "linear"),
        (RAMP[:0], (3, 3), "linear"),
    ],
)
def test_what_no_rule_covers_is_a_mistake(image: np.ndarray, size: tuple[int, int], rule: str) -> None:
    with pytest.raises(ValueError, match=r"no rule|cannot become"):
        resize(image, size, rule)


@given(
    hnp.arrays(np.uint8, hnp.array_shapes(min_dims=2, max_dims=2, max_side=12)),
    st.tuples(st.integers(1, 20), st.integers(1, 20)),
    st.sampled_from(["area", "linear", "torch_linear"]),
)
def test_no_pixel_leaves_the_range_of_the_picture(image: np.ndarray, size: tuple[int, int], rule: str) -> None:
    result = resize(image, size, rule)
    assert result.shape == size
    # The fixed-point rules may lose one level.
    assert int(image.min()) - 1 <= int(result.min())
    assert int(result.max()) <= int(image.max()) + 1


@given(st.integers(0, 255), st.sampled_from(RULES), st.tuples(st.integers(1, 40), st.integers(1, 40)))
def test_a_constant_picture_stays_constant(value: int, rule: str, size: tuple[int, int]) -> None:
    assert (np.abs(resize(np.full((9, 11), value, np.uint8), size, rule).astype(int) - value) <= 1).all()
