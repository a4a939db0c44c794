"""The volume segmenter with models whose masks are known: geometry, sharing, corrections, cancelling."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tiny_models
from hypothesis import given, settings
from hypothesis import strategies as st
from medsam_backends.backend import Backend
from medsam_backends.boxes import VoxelBox
from medsam_backends.cache import EmbeddingCache
from medsam_backends.errors import Cancelled, InputError, PromptError
from medsam_backends.folder_backend import open_folder
from medsam_backends.propagation import RULES
from medsam_backends.propagation.published import PUBLISHED
from medsam_backends.segmenter import Progress, Segment, Target, VolumeSegmenter
from medsam_backends.types import Point, Prompt
from test_registry import Whole

SIDE = tiny_models.SIDE
BRICK = VoxelBox(8, 6, 4, 19, 24, 12)
LOOSE = VoxelBox(5, 3, 4, 22, 27, 12)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Backend:
    return open_folder(tiny_models.sam_model(tmp_path_factory.mktemp("m") / "m"), threads=1)


def filled(box: VoxelBox, shape: tuple[int, int, int] = (SIDE, SIDE, SIDE)) -> np.ndarray:
    mask = np.zeros(shape, bool)
    mask[box.k0 : box.k1 + 1, box.j0 : box.j1 + 1, box.i0 : box.i1 + 1] = True
    return mask


def brick(dtype: type = np.uint8) -> np.ndarray:
    """A bright brick in the dark."""
    volume = np.where(filled(BRICK), 200, 20).astype(dtype)
    volume.flags.writeable = False
    return volume


@pytest.mark.parametrize("axis", ["i", "j", "k"])
@pytest.mark.parametrize("rule", ["track", "sweep", "views", "neighbours", "litemedsam"])
def test_a_brick_is_found_along_every_axis(model: Backend, axis: str, rule: str) -> None:
    [segment] = VolumeSegmenter(model, brick(), axis=axis).segment([Target(BRICK, "brick")], rule=rule)
    found = segment.full((SIDE, SIDE, SIDE))
    assert not (found & ~filled(BRICK)).any()
    first, last = (BRICK.first["ijk".index(axis)], BRICK.last["ijk".index(axis)])
    assert [report.index for report in segment.slices] == list(range(first, last + 1))
    if rule == "litemedsam":
        np.testing.assert_array_equal(found, filled(BRICK))
        assert segment.mask.all(), "the crop is as small as the object"


def test_the_mask_is_cropped_and_knows_its_place(model: Backend) -> None:
    [segment] = VolumeSegmenter(model, brick()).segment([Target(LOOSE)], rule="litemedsam")
    assert segment.mask.shape == (9, 19, 12) and segment.origin == (4, 6, 8)
    assert segment.voxels == 9 * 19 * 12 and segment.mask.all()
    assert segment.confidence == pytest.approx(tiny_models.IOU)


def test_the_brightness_of_any_type_is_read_through_the_window(model: Backend) -> None:
    hounsfield = (brick().astype(np.int16) - 20) * 3 - 160
    segmenter = VolumeSegmenter(model, hounsfield, preset="abdomen")
    np.testing.assert_array_equal(
        segmenter.segment([Target(LOOSE)], rule="litemedsam")[0].full(hounsfield.shape), filled(BRICK)
    )


def test_colour_slices_are_taken_as_they_are(model: Backend) -> None:
    colour = np.repeat(brick()[..., None], 3, axis=3)
    [segment] = VolumeSegmenter(model, colour).segment([Target(LOOSE)], rule="litemedsam")
    np.testing.assert_array_equal(segment.full(colour.shape), filled(BRICK))


def test_nothing_in_the_box_is_an_empty_segment_not_an_error(model: Backend) -> None:
    [segment] = VolumeSegmenter(model, np.zeros((3, SIDE, SIDE), np.uint8)).segment(
        [Target(VoxelBox(2, 2, 0, 9, 9, 2))]
    )
    assert segment.voxels == 0 and segment.confidence == 0
    assert not segment.full((3, SIDE, SIDE)).any()
    assert {report.note for report in segment.slices} == {"empty mask"}


def test_several_boxes_share_the_encoded_slices(model: Backend) -> None:
    segmenter = VolumeSegmenter(model, brick())
    first, second = segmenter.segment([Target(LOOSE), Target(BRICK)], rule="litemedsam")
    assert (first.timings.encodes, second.timings.encodes) == (9, 0)
    assert segmenter.model.timings.decodes == first.timings.decodes + second.timings.decodes == 18
    assert segmenter.segment([Target(LOOSE)], rule="litemedsam")[0].timings.encodes == 0


def test_a_shared_cache_serves_the_same_voxels_and_no_others(model: Backend) -> None:
    cache = EmbeddingCache()
    for fingerprint, encodes in (("a", 9), ("a", 0), ("b", 9), ("", 9)):
        segmenter = VolumeSegmenter(model, brick(), cache=cache, fingerprint=fingerprint)
        assert segmenter.segment([Target(LOOSE)], rule="litemedsam")[0].timings.encodes == encodes


def test_a_shared_cache_tells_axes_and_models_apart(model: Backend, tmp_path: Path) -> None:
    other = open_folder(tiny_models.sam_model(tmp_path / "m", "other"), threads=1)
    cache = EmbeddingCache()
    for backend, axis, encodes in ((model, "k", 9), (model, "i", 18), (other, "k", 9), (model, "k", 0)):
        segmenter = VolumeSegmenter(backend, brick(), axis=axis, cache=cache, fingerprint="a")
        assert segmenter.segment([Target(LOOSE)], rule="litemedsam")[0].timings.encodes == encodes


def test_another_window_is_another_embedding(model: Backend) -> None:
    cache = EmbeddingCache()
    for level in (100, 120):
        segmenter = VolumeSegmenter(
            model, brick(), preset="manual", level=level, width=200, cache=cache, fingerprint="a"
        )
        assert segmenter.segment([Target(LOOSE)], rule="litemedsam")[0].timings.encodes == 9


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 40_000), st.booleans())
def test_the_size_of_the_cache_never_changes_a_mask(model: Backend, size: int, half: bool) -> None:
    cache = EmbeddingCache(size, half=half)
    segments = VolumeSegmenter(model, brick(), cache=cache).segment([Target(LOOSE), Target(BRICK)], rule="litemedsam")
    for segment in segments:
        np.testing.assert_array_equal(segment.full((SIDE, SIDE, SIDE)), filled(BRICK))
    assert cache.counters.peak_bytes <= size


def test_a_volume_of_2000_slices_stays_within_the_cache(model: Backend) -> None:
    volume = np.broadcast_to(brick()[BRICK.k0], (2000, SIDE, SIDE))
    cache = EmbeddingCache(100_000)
    [segment] = VolumeSegmenter(model, volume, cache=cache).segment(
        [Target(VoxelBox(5, 3, 0, 22, 27, 1999))], rule="litemedsam"
    )
    assert segment.mask.shape == (2000, 19, 12) and segment.mask.all()
    assert cache.counters.peak_bytes <= 100_000 and cache.counters.evictions > 1900


def test_a_box_reaching_beyond_the_volume_is_clipped_and_said(model: Backend) -> None:
    [segment] = VolumeSegmenter(model, brick()).segment([Target(VoxelBox(-9, 3, 4, 22, 99, 12))], rule="litemedsam")
    assert segment.messages == ("The box reached beyond the image and was clipped to it.",)
    np.testing.assert_array_equal(segment.full((SIDE, SIDE, SIDE)), filled(BRICK))


def test_mistakes_are_told_before_any_work(model: Backend) -> None:
    segmenter = VolumeSegmenter(model, brick())
    with pytest.raises(PromptError, match="lies outside the volume along k"):
        segmenter.segment([Target(BRICK), Target(VoxelBox(0, 0, 40, 3, 3, 50))])
    with pytest.raises(PromptError, match="no propagation rule 'magic'"):
        segmenter.segment([Target(BRICK)], rule="magic")
    with pytest.raises(PromptError, match="key slice 30 lies outside the box"):
        segmenter.segment([Target(BRICK, keys={30: Prompt((0, 0, 3, 3))})])
    with pytest.raises(PromptError, match="There is no slice 99"):
        segmenter.preview(99, Prompt((0, 0, 3, 3)))
    assert segmenter.model.timings.encodes == 0
    with pytest.raises(InputError):
        VolumeSegmenter(model, np.zeros((4, 4), np.uint8))


def test_a_preview_is_one_slice_at_once(model: Backend) -> None:
    segmenter = VolumeSegmenter(model, brick(), axis="j")
    prediction = segmenter.preview(10, Prompt((5.0, 2.0, 30.0, 14.0)))
    np.testing.assert_array_equal(prediction.mask, filled(BRICK)[:, 10])
    segmenter.preview(10, Prompt((6.0, 2.0, 30.0, 14.0)))
    assert (segmenter.model.timings.encodes, segmenter.model.timings.decodes) == (1, 2)


def test_progress_counts_the_slices_of_all_boxes(model: Backend) -> None:
    seen: list[Progress] = []
    VolumeSegmenter(model, brick()).segment([Target(LOOSE), Target(BRICK)], rule="litemedsam", progress=seen.append)
    assert [(p.done, p.total, p.target) for p in seen] == [(n + 1, 18, n // 9) for n in range(18)]


@pytest.mark.parametrize("after", range(9))
def test_cancelling_at_any_slice_takes_effect_there(model: Backend, after: int) -> None:
    segmenter, seen = VolumeSegmenter(model, brick()), []
    with pytest.raises(Cancelled):
        segmenter.segment([Target(LOOSE)], progress=seen.append, cancelled=lambda: len(seen) >= after)
    assert len(seen) == after
    assert segmenter.preview(8, Prompt((5.0, 3.0, 23.0, 28.0))).mask.any(), "it can be used again"
    assert len(segmenter.segment([Target(LOOSE)])[0].slices) == 9


def test_cancelling_takes_effect_in_the_second_object_and_in_a_correction(model: Backend) -> None:
    segmenter, seen = VolumeSegmenter(model, brick()), []
    with pytest.raises(Cancelled):
        segmenter.segment([Target(LOOSE)] * 2, progress=seen.append, cancelled=lambda: len(seen) >= 12)
    assert len(seen) == 12
    [segment] = segmenter.segment([Target(LOOSE)])
    with pytest.raises(Cancelled):
        segmenter.correct(segment, 8, Prompt((5.0, 3.0, 23.0, 28.0)), cancelled=lambda: True)
    assert segmenter.preview(8, Prompt((5.0, 3.0, 23.0, 28.0))).mask.any()


def test_a_key_slice_is_segmented_as_it_was_asked() -> None:
    keys = {6: Prompt((1.0, 2.0, 4.0, 5.0))}
    [segment] = VolumeSegmenter(Whole(), brick()).segment([Target(LOOSE, keys=keys)])
    expected = np.zeros((SIDE, SIDE), bool)
    expected[2:5, 1:4] = True
    np.testing.assert_array_equal(segment.full((SIDE, SIDE, SIDE))[6], expected)
    assert [report.index for report in segment.slices if report.key] == [6]


def test_a_correction_runs_again_what_lies_between_key_slices(tmp_path: Path) -> None:
    backend = open_folder(tiny_models.window_model(tmp_path / "m"), threads=1)
    segmenter = VolumeSegmenter(backend, brick())
    box = (5.0, 3.0, 23.0, 28.0)
    keys = {5: Prompt(box), 8: Prompt(box)}
    [segment] = segmenter.segment([Target(LOOSE, keys=keys)], rule="track")
    decodes, seen = segmenter.model.timings.decodes, []
    corrected = segmenter.correct(
        segment, 11, Prompt(box, points=(Point(6.5, 4.5),)), rule="track", progress=seen.append
    )
    assert segmenter.model.timings.decodes - decodes == 7, "key slice 11 once; 9, 10 and 12 with two boxes each"
    assert {report.index for report in corrected.slices if report.key} == {5, 8, 11}
    full = corrected.full((SIDE, SIDE, SIDE))
    assert full[11, 4, 6] and not segment.full((SIDE, SIDE, SIDE))[11, 4, 6]
    np.testing.assert_array_equal(full[4:9], segment.full((SIDE, SIDE, SIDE))[4:9])
    assert [(p.done, p.total) for p in seen] == [(1, 4), (2, 4), (3, 4), (4, 4)]


@pytest.mark.parametrize("rule", RULES)
def test_a_correction_leaves_what_the_user_edited_elsewhere(rule: str, tmp_path: Path) -> None:
    segmenter = VolumeSegmenter(open_folder(tiny_models.window_model(tmp_path / "m"), threads=1), brick())
    box = (5.0, 3.0, 23.0, 28.0)
    [segment] = segmenter.segment([Target(LOOSE, keys={8: Prompt(box)})], rule=rule)
    edited = segment.full((SIDE, SIDE, SIDE))
    edited[5:7] ^= True  # by hand, beyond the key slice
    segment = replace(segment, mask=edited, origin=(0, 0, 0))
    seen: list[Progress] = []
    corrected = segmenter.correct(
        segment, 10, Prompt(box, points=(Point(6.5, 4.5),)), rule=rule, progress=seen.append
    ).full((SIDE, SIDE, SIDE))
    np.testing.assert_array_equal(corrected[:9], edited[:9])
    assert corrected[10, 4, 6] and not edited[10, 4, 6]
    assert max(p.done for p in seen) <= 4, "slices 9 to 12"


@pytest.mark.parametrize("rule", RULES)
def test_a_first_correction_is_as_if_it_had_been_said_at_once(rule: str) -> None:
    segmenter, seen = VolumeSegmenter(Whole(), brick()), []
    keys = {BRICK.k0: Prompt((2.0, 1.0, 12.0, 14.0), points=(Point(5.5, 6.5),))}
    [at_once] = segmenter.segment([Target(BRICK, keys=keys)], rule=rule, progress=seen.append)
    assert max(p.done for p in seen) <= seen[0].total == 9
    [segment] = segmenter.segment([Target(BRICK)], rule=rule)
    corrected = segmenter.correct(segment, BRICK.k0, keys[BRICK.k0], rule=rule)
    np.testing.assert_array_equal(corrected.full((SIDE,) * 3), at_once.full((SIDE,) * 3))
    assert corrected.slices == at_once.slices


@pytest.mark.parametrize("rule", PUBLISHED)
def test_slices_that_shrink_to_less_than_a_line_are_walked(rule: str) -> None:
    segmenter = VolumeSegmenter(Whole(), np.zeros((1, 8, 700), np.uint8), axis="j")  # a picture cut into lines
    [segment] = segmenter.segment([Target(VoxelBox(100, 0, 0, 500, 7, 0))], rule=rule)
    assert {report.index for report in segment.slices} >= set(range(1, 7))


@pytest.mark.parametrize("rule", PUBLISHED)
def test_a_published_rule_decodes_again_only_what_a_correction_touches(rule: str, tmp_path: Path) -> None:
    segmenter = VolumeSegmenter(open_folder(tiny_models.window_model(tmp_path / "m"), threads=1), brick())
    box = (5.0, 3.0, 23.0, 28.0)
    [segment] = segmenter.segment([Target(LOOSE, keys={6: Prompt(box), 10: Prompt(box)})], rule=rule)
    before = segmenter.model.timings.decodes
    segmenter.correct(segment, 9, Prompt(box), rule=rule)
    assert segmenter.model.timings.decodes - before == 3, "slices 7, 8 and 9"


def test_a_correction_keeps_the_objects_number() -> None:
    """LiteMedSAM's rule shrinks a mask that holds its object's number: another number loses other pixels."""
    segmenter, box = VolumeSegmenter(Whole(), np.zeros((5, 500, 500), np.uint8)), VoxelBox(101, 101, 0, 201, 201, 4)
    third = segmenter.segment([Target(box)] * 3, rule="litemedsam")[2]
    corrected = segmenter.correct(third, 4, Prompt((110.0, 110.0, 150.0, 150.0)), rule="litemedsam")
    np.testing.assert_array_equal(corrected.full((5, 500, 500))[:4], third.full((5, 500, 500))[:4])


def test_sweep_carries_a_correction_to_the_slices_beside_it(tmp_path: Path) -> None:
    backend = open_folder(tiny_models.window_model(tmp_path / "m"), threads=1)
    segmenter, box = VolumeSegmenter(backend, brick()), (5.0, 3.0, 23.0, 28.0)
    [segment] = segmenter.segment([Target(LOOSE)], rule="sweep")
    assert segmenter.model.timings.decodes == len(segment.slices) == 9, "one decode a slice where nobody spoke"
    corrected = segmenter.correct(segment, 8, Prompt(box, points=(Point(6.5, 4.5),)), rule="sweep")
    assert segmenter.model.timings.decodes - 9 == 2, "the click, alone and on its mask; the rest is known"
    full = corrected.full((SIDE, SIDE, SIDE))
    assert full[8, 4, 6] and not segment.full((SIDE, SIDE, SIDE))[8, 4, 6]
    assert [report.index for report in corrected.slices if report.key] == [8]


def test_a_correction_makes_the_masks_that_it_leaves_alone_but_once(monkeypatch: pytest.MonkeyPatch) -> None:
    segmenter, box, made = VolumeSegmenter(Whole(), brick()), Prompt((5.0, 3.0, 23.0, 28.0)), []
    [segment] = segmenter.segment([Target(LOOSE, keys={8: box})], rule="track")
    plane = Segment.plane
    monkeypatch.setattr(Segment, "plane", lambda self, n, size: made.append(n) or plane(self, n, size))
    segmenter.correct(segment, 10, box, rule="track")
    assert sorted(made) == [4, 5, 6, 7, 8, 8], "and the one that is followed again"


def test_what_other_axes_took_is_counted_too(tmp_path: Path) -> None:
    segmenter = VolumeSegmenter(open_folder(tiny_models.window_model(tmp_path / "m"), threads=1), brick())
    [segment] = segmenter.segment([Target(LOOSE)], rule="views")
    tighter = 6 + 4 + 4  # on slices that are encoded for the drawn box
    assert (segment.timings.encodes, segment.timings.decodes) == (9 + 8 + 8, 9 + 8 + 8 + tighter)


def test_neighbouring_slices_are_the_channels_of_a_model_that_asks_for_them(tmp_path: Path) -> None:
    folder = tiny_models.sam_model(tmp_path / "m", edit=lambda raw: raw["input"].update(channels="adjacent"))
    volume = np.arange(5, dtype=np.uint8)[:, None, None] * np.full((1, SIDE, SIDE), 10, np.uint8)
    model = VolumeSegmenter(open_folder(folder), volume).model
    assert [model.picture(k)[0, 0].tolist() for k in (0, 2, 4)] == [[0, 0, 10], [10, 20, 30], [30, 40, 40]]


@settings(deadline=None, max_examples=40)
@given(st.tuples(*[st.integers(-3, 9)] * 6), st.sampled_from("ijk"))
def test_a_model_that_keeps_to_its_box_finds_nothing_outside(numbers: tuple[int, ...], axis: str) -> None:
    i0, i1, j0, j1, k0, k1 = (*sorted(numbers[:2]), *sorted(numbers[2:4]), *sorted(numbers[4:]))
    box, volume = VoxelBox(i0, j0, k0, i1, j1, k1), np.full((4, 6, 8), 200, np.uint8)
    segmenter = VolumeSegmenter(Whole(), volume, axis=axis)
    try:
        [segment] = segmenter.segment([Target(box)], rule="track")
    except PromptError:
        assert i1 < 0 or j1 < 0 or k1 < 0 or i0 > 7 or j0 > 5 or k0 > 3
        return
    inside = VoxelBox(max(i0, 0), max(j0, 0), max(k0, 0), min(i1, 7), min(j1, 5), min(k1, 3))
    assert not (segment.full(volume.shape) & ~filled(inside, volume.shape)).any()
