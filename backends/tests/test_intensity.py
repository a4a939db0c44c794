"""Intensities: the pictures that models see, from whatever a file may hold."""

import warnings

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from medsam_backends.errors import InputError, PromptError
from medsam_backends.intensity import PRESETS, IntensityTransform, fit

TYPES = [np.bool_, np.int8, np.uint8, np.int16, np.uint16, np.int32, np.uint32, np.int64, np.uint64]
FLOATS = [np.float16, np.float32, np.float64]


@pytest.fixture(autouse=True)
def _no_warning() -> object:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def ct(shape: tuple[int, int, int] = (3, 8, 8)) -> np.ndarray:
    return np.random.default_rng(0).integers(-1024, 1500, shape).astype(np.int16)


@pytest.mark.parametrize(
    ("name", "level", "width"),
    [
        ("abdomen", 40, 400), ("liver", 30, 150), ("lung", -600, 1500), ("mediastinum", 50, 350), ("brain", 40, 80),
        ("stroke", 40, 40), ("subdural", 75, 215), ("temporal-bone", 600, 2800), ("bone", 400, 1800),
        ("spine", 50, 250), ("angio", 300, 600),
    ],
)  # fmt: skip
def test_ct_presets_map_their_window_to_0_255(name: str, level: float, width: float) -> None:
    transform = fit(ct(), name)
    ends = np.array([[level - width, level - width / 2, level, level + width / 2, level + width]], np.float64)
    assert transform.apply(ends).tolist() == [[0, 0, 127.5, 255, 255]]


def test_every_preset_says_where_it_comes_from() -> None:
    assert all(preset.name == name and preset.source and preset.description for name, preset in PRESETS.items())


def test_mr_takes_percentiles_of_the_foreground_and_keeps_zero() -> None:
    volume = np.zeros((2, 50, 50), np.float32)
    volume[0] = np.arange(2500).reshape(50, 50) - 100.0
    transform = fit(volume, "mr")
    foreground = volume[volume != 0]
    assert transform.low == pytest.approx(np.percentile(foreground, 0.5), abs=1)
    assert transform.high == pytest.approx(np.percentile(foreground, 99.5), abs=1)
    assert transform.apply(volume[1]).max() == 0
    assert transform.apply(np.array([[transform.low, transform.high]])).tolist() == [[0, 255]]


@pytest.mark.parametrize(
    ("volume", "modality", "chosen"),
    [
        (ct(), None, "abdomen"),
        (ct().astype(np.float64), None, "abdomen"),
        (ct() + np.float32(0.5), None, "mr"),
        (np.minimum(ct().astype(np.int32) * 40, 1000), None, "mr"),
        (np.maximum(ct().astype(np.int32) * 40, -1000), None, "mr"),
        (np.abs(ct()), "CT", "abdomen"),
        (ct(), "MR", "mr"),
        (np.abs(ct()), None, "mr"),
        (np.abs(ct()), "PT", "pet"),
        (-np.abs(ct()) - 1, None, "mr"),
        (ct().astype(np.uint8), "CT", "none"),
        (np.zeros((1, 4, 4, 3), np.uint8), None, "none"),
        (np.full((1, 4, 4, 3), -900, np.int16), None, "mr"),
    ],
)
def test_auto_knows_ct_and_leaves_8_bit_alone(volume: np.ndarray, modality: str | None, chosen: str) -> None:
    assert fit(volume, modality=modality).name == chosen


def test_8_bit_pictures_pass_untouched_and_opacity_is_dropped() -> None:
    grey = np.arange(16, dtype=np.uint8).reshape(1, 4, 4)
    assert np.shares_memory(fit(grey).apply(grey[0]), grey)
    rgba = np.arange(64, dtype=np.uint8).reshape(1, 4, 4, 4)
    assert np.array_equal(fit(rgba).apply(rgba[0]), rgba[0, ..., :3])
    assert fit(rgba[..., :2]).apply(rgba[0, ..., :2]).shape == (4, 4)


def test_16_bit_colour_is_stretched_over_all_its_values() -> None:
    volume = np.array([[[[0, 100, 200], [300, 400, 1000]]]], np.uint16)
    assert fit(volume).apply(volume[0]).max() == 255
    opaque = np.concatenate([volume, np.full((1, 1, 2, 1), 65535, np.uint16)], axis=3)
    np.testing.assert_array_equal(fit(opaque).apply(opaque[0]), fit(volume).apply(volume[0]))


def test_manual_and_display_take_level_and_width() -> None:
    assert fit(ct(), "manual", level=10, width=20) == IntensityTransform("manual", 0, 20)
    assert fit(ct(), "display", level=10, width=20).key == IntensityTransform("manual", 0, 20).key


def test_a_presets_name_may_be_in_capitals() -> None:
    assert fit(ct(), "ABDOMEN") == fit(ct(), "abdomen")


@pytest.mark.parametrize(
    ("preset", "options", "sentence"),
    [
        ("abdomn", {}, "no preset 'abdomn': choose one of auto, abdomen"),
        ("manual", {}, "needs a level and a width"),
        ("manual", {"level": 1, "width": 0}, "no window"),
        ("manual", {"level": float("nan"), "width": 1}, "no window"),
        ("liver", {"level": 1, "width": 2}, "belong to the preset 'manual'"),
    ],
)
def test_options_that_do_not_fit_are_refused(preset: str, options: dict[str, float], sentence: str) -> None:
    with pytest.raises(PromptError, match=sentence):
        fit(ct(), preset, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("volume", "sentence"),
    [
        (np.full((2, 3, 3), np.nan), "no finite value"),
        (np.zeros((1, 3, 3), complex), "no intensities"),
        (np.zeros((0, 3, 3)), "no intensities"),
    ],
)
def test_images_without_intensities_are_refused(volume: np.ndarray, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        fit(volume)


def test_a_slice_that_is_no_picture_is_refused() -> None:
    with pytest.raises(InputError, match="neither grey nor colour"):
        fit(ct()).apply(np.zeros((2, 2, 5)))


def test_values_that_are_not_finite_become_the_lowest() -> None:
    volume = np.array([[[np.nan, np.inf, -np.inf, 1.0, 2.0, 3.0]]])
    assert fit(volume, "manual", level=0, width=4).apply(volume[0]).tolist() == [[0, 0, 0, 191.25, 255, 255]]
    assert np.isfinite(fit(volume).apply(volume[0])).all()


def test_a_1_bit_image_becomes_black_and_white() -> None:
    volume = np.array([[[True, False], [False, True]]])
    assert fit(volume).apply(volume[0]).tolist() == [[255, 0], [0, 255]]


@pytest.mark.parametrize("value", [0, 7, -1000])
def test_a_constant_image_is_black(value: int) -> None:
    volume = np.full((2, 3, 3), value, np.int16)
    assert fit(volume, "mr").apply(volume[0]).max() == 0


@pytest.mark.parametrize("dtype", TYPES[1:] + FLOATS)
def test_values_at_a_types_limits_do_not_overflow(dtype: type) -> None:
    limits = np.finfo(dtype) if issubclass(dtype, np.floating) else np.iinfo(dtype)
    volume = np.array([[[limits.min, limits.max], [limits.min, limits.max]]], dtype)
    picture = fit(volume, "mr").apply(volume[0])
    assert picture[0, 1] == 255
    assert picture[0, 0] == 0


def test_a_narrow_window_far_from_zero_keeps_its_steps() -> None:
    volume = np.arange(16, dtype=np.int64).reshape(1, 4, 4) + 10**12
    assert len(np.unique(fit(volume, "mr").apply(volume[0]))) >= 14


def test_a_large_volume_is_sampled_evenly() -> None:
    volume = np.random.default_rng(0).integers(1, 1001, (40, 256, 256)).astype(np.int16)
    volume[:, :, 0] = 30000  # a column that a careless stride would meet always or never
    transform = fit(np.asfortranarray(volume), "mr")
    assert (transform.low, transform.high) == (pytest.approx(6, abs=1), pytest.approx(999, abs=2))


@pytest.mark.parametrize(("shape", "period"), [((1, 1500, 2000), 2), ((40, 256, 256), 3)])
def test_a_pattern_of_lines_is_sampled_whole(shape: tuple[int, int, int], period: int) -> None:
    across = np.arange(shape[1] * shape[2]) % period
    volume = np.broadcast_to((100 + across).astype(np.uint16).reshape(shape[1:]), shape)
    transform = fit(volume, "mr")
    assert (transform.low, transform.high) == (100, 99 + period)


@given(
    hnp.arrays(st.sampled_from(TYPES + FLOATS), hnp.array_shapes(min_dims=3, max_dims=3, max_side=4)),
    st.sampled_from(["auto", "mr", "pet", "abdomen", "none"]),
)
@example(np.array([[[5.4e-228, 0.0]]]), "auto")
@example(np.array([[[5e-324, 0.0]]]), "auto")
def test_any_array_gives_a_picture_in_range_and_stays_unwritten(volume: np.ndarray, preset: str) -> None:
    before = volume.copy()
    volume.flags.writeable = False
    try:
        transform = fit(volume, preset)
    except InputError:
        assert not np.isfinite(volume).any()
        return
    picture = transform.apply(volume[0])
    assert picture.dtype in (np.uint8, np.float32)
    assert picture.shape == volume.shape[1:]
    assert np.isfinite(picture).all()
    assert picture.min() >= 0
    assert picture.max() <= 255
    assert np.array_equal(volume, before, equal_nan=volume.dtype.kind == "f")


@given(hnp.arrays(np.int16, (1, 4, 4)))
def test_brighter_voxels_never_become_darker(volume: np.ndarray) -> None:
    order = np.argsort(volume.ravel())
    picture = IntensityTransform("x", -200, 300).apply(volume[0])
    assert (np.diff(picture.ravel()[order]) >= 0).all()
