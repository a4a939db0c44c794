"""The rule of three views on models whose answers are known functions of the voxel."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from field_model import BOX, SHAPE, FieldModel
from hypothesis import given, settings
from hypothesis import strategies as st
from medsam_backends.boxes import AXES, Axis
from medsam_backends.propagation import CubeView, Request, SliceResult, Views
from medsam_backends.propagation.maps import SliceMaps, spread
from medsam_backends.propagation.region import Region
from medsam_backends.slices import SliceStack
from medsam_backends.types import Point, Prediction, Prompt

PLAIN = Views(along=100, across=100, weight=1, smooth=0, shape=0, tighter=0)


def affine(slopes: Sequence[float]) -> np.ndarray:
    """A plane through the box's middle."""
    k, j, i = np.indices(SHAPE)
    return (slopes[0] * (k - 6.7) + slopes[1] * (j - 8.3) + slopes[2] * (i - 9.6)).astype(np.float32)


def segment(rule: Views, model: FieldModel, **request: object) -> dict[int, SliceResult]:
    edges, first, last = BOX.plane(model.axis)
    return {result.index: result for result in rule(Request(edges, first, last, **request), model)}


def volume(results: dict[int, SliceResult], axis: Axis) -> np.ndarray:
    """Masks by slice as one (K, J, I) array inside the box."""
    out = np.zeros(SHAPE, bool)
    stack = np.moveaxis(out, 2 - AXES.index(axis), 0)
    for index, result in results.items():
        stack[index] = result.mask
    return out[BOX.k0 : BOX.k1 + 1, BOX.j0 : BOX.j1 + 1, BOX.i0 : BOX.i1 + 1]


def inside(array: np.ndarray) -> np.ndarray:
    return array[BOX.k0 : BOX.k1 + 1, BOX.j0 : BOX.j1 + 1, BOX.i0 : BOX.i1 + 1]


@settings(deadline=None, max_examples=40)
@given(st.tuples(*[st.floats(-0.5, 0.5, width=16)] * 3), st.sampled_from(AXES))
def test_all_views_agree_on_where_a_voxel_is(slopes: tuple[float, float, float], axis: Axis) -> None:
    field = affine(slopes)
    found = volume(segment(PLAIN, FieldModel(lambda _: field, axis)), axis)
    clear = np.abs(inside(field)) > 1e-4
    np.testing.assert_array_equal(found[clear], (inside(field) > 0)[clear])


@pytest.mark.parametrize("axis", AXES)
def test_a_few_slices_stand_for_all_where_the_object_changes_evenly(axis: Axis) -> None:
    field, model = affine((0.3, -0.2, 0.25)), FieldModel(lambda _: affine((0.3, -0.2, 0.25)), axis)
    found = volume(segment(Views(along=6, across=5, weight=1, smooth=0, shape=0, tighter=0), model), axis)
    assert len(model.asked) == len(set(model.asked)) == 6 + 5 + 5, "every slice is asked once"
    middle = (slice(2, -2),) * 3  # the outermost asked slices hold to the ends
    clear = np.abs(inside(field)[middle]) > 1e-4
    np.testing.assert_array_equal(found[middle][clear], (inside(field) > 0)[middle][clear])


@pytest.mark.parametrize("blind", AXES)
def test_what_one_view_cannot_tell_the_others_do(blind: Axis) -> None:
    truth = np.zeros(SHAPE, bool)
    truth[4:9, 5:12, 6:15] = True
    seen = np.where(truth, 6.0, -6.0).astype(np.float32)
    model = FieldModel(lambda axis: np.full(SHAPE, 1.0, np.float32) if axis == blind else seen, blind)
    np.testing.assert_array_equal(volume(segment(PLAIN, model), blind), inside(truth))
    alone = volume(segment(Views(across=0, shape=0), model), blind)
    assert alone.all(), "the view that cannot tell takes all of the box"


def test_a_box_of_few_slices_is_not_looked_at_from_the_side() -> None:
    model = FieldModel(lambda _: affine((0.1, 0.1, 0.1)))
    list(Views(least=4)(Request((3, 2, 18, 15), 5, 7), model))
    assert model.asked == [("k", 5), ("k", 6), ("k", 7)]


def test_a_change_on_one_slice_fades_over_its_neighbours() -> None:
    """A click adds 5 on slice 6, and ``5 exp(-d² / 2w²)`` d slices off, where w is a tenth of the box's 12 slices."""
    missing = np.linspace(0.02, 4.99, SHAPE[2])  # of each column's logit
    model = FieldModel(lambda _: np.broadcast_to(-missing, SHAPE).astype(np.float32))
    assert not any(result.mask.any() for result in segment(PLAIN, model).values())
    after = segment(PLAIN, model, keys={6: Prompt(BOX.plane("k")[0], points=(Point(9.0, 8.0),))})
    added = 5 * np.exp(-0.5 * ((np.arange(1, 13)[:, None] - 6) / 1.2) ** 2)
    expected = np.broadcast_to((added > missing)[:, None], (12, *SHAPE[1:]))
    np.testing.assert_array_equal(volume(after, "k"), expected[:, BOX.j0 : BOX.j1 + 1, BOX.i0 : BOX.i1 + 1])


def test_a_correction_that_an_earlier_run_made_still_speaks() -> None:
    edges = BOX.plane("k")[0]
    keys = {n: Prompt(edges, points=(Point(9.0, 8.0),)) for n in (3, 9)}
    model = FieldModel(lambda _: np.full(SHAPE, -1.0, np.float32))
    both = segment(PLAIN, model, keys=keys)
    again = segment(PLAIN, model, keys=keys, known={n: both[n] for n in range(1, 4)})
    assert sorted(again) == list(range(4, 13)) and both[5].mask.any()
    for n, result in again.items():
        np.testing.assert_array_equal(result.mask, both[n].mask)


def test_a_click_changes_what_the_views_agreed_and_does_not_replace_it() -> None:
    truth = np.zeros(SHAPE, bool)
    truth[4:9, 5:12, 6:15] = True
    seen = np.where(truth, 9.0, -9.0).astype(np.float32)
    model = FieldModel(lambda axis: np.full(SHAPE, 1.0, np.float32) if axis == "k" else seen)
    key = Prompt(BOX.plane("k")[0], points=(Point(9.0, 8.0),))
    np.testing.assert_array_equal(volume(segment(PLAIN, model, keys={6: key}), "k"), inside(truth))


class PriorModel(FieldModel):
    """As `FieldModel`; a prior takes 9 away where it does not say "object", and is given only with clicks."""

    prompts = frozenset({"box", "points", "prior", "position"})

    def predict(self, index: int, prompts: Sequence[Prompt]) -> list[Prediction]:
        answers = super().predict(index, prompts)
        for n, prompt in enumerate(prompts):
            if prompt.prior is not None:
                assert prompt.points and answers[n].logits is not None
                logits = answers[n].logits - np.float32(9) * ~prompt.prior
                answers[n] = Prediction(logits > 0, 0.5, logits, answers[n].extent)
        return answers


def test_clicks_are_heard_alone_and_with_the_mask_they_were_made_on() -> None:
    field = np.full(SHAPE, -1.0, np.float32)
    field[:, :, 9:] = -0.3
    field[:, 8] = 1.0  # a row of the object
    model = PriorModel(lambda _: field)
    key = Prompt(BOX.plane("k")[0], points=(Point(9.0, 8.5),))
    # off the row: alone the click adds 5, with the row shown it takes 4 away, so 0.5 in the mean
    found = segment(Views(along=100, across=0, smooth=0, shape=0, again=0.5), model, keys={6: key})[6].mask
    np.testing.assert_array_equal(inside_plane(found), inside_plane(field[6] > -0.5))
    assert model.asked.count(("k", 6)) == 3, "the box, the click, the click with the mask"


def test_a_click_where_nothing_was_found_is_heard_alone() -> None:
    model = PriorModel(lambda _: np.full(SHAPE, -1.0, np.float32))
    found = segment(PLAIN, model, keys={6: Prompt(BOX.plane("k")[0], points=(Point(9.0, 8.5),))})[6].mask
    assert inside_plane(found).all()


class Diary(FieldModel):
    """Writes down what it is told to expect and what it is asked, on whatever axis."""

    def __init__(self, axis: Axis, diary: list[tuple[str, Axis, int, float | None]]) -> None:
        super().__init__(lambda _: affine((0.1, 0.1, 0.1)), axis)
        self.diary = diary

    def view(self, axis: Axis) -> FieldModel:
        return Diary(axis, self.diary)

    def expect(self, index: int, prompt: Prompt) -> None:
        self.diary.append(("expected", self.axis, index, prompt.position))

    def predict(self, index: int, prompts: Sequence[Prompt]) -> list[Prediction]:
        self.diary += [("asked", self.axis, index, prompt.position) for prompt in prompts]
        return super().predict(index, prompts)


def test_slices_of_all_views_are_announced_and_asked_evenly_over_the_progress() -> None:
    diary: list[tuple[str, Axis, int, float | None]] = []
    edges, first, last = BOX.plane("k")
    done = []
    for _ in Views(along=12, across=8, tighter=0)(Request(edges, first, last), Diary("k", diary)):
        done.append(sum(what == "asked" for what, *_ in diary))
    total = 12 + 8 + 8
    np.testing.assert_allclose(done[:12], total * np.arange(1, 13) / 12, atol=1)
    assert done[12:] == [total] * 12
    asked = [entry[1:] for entry in diary if entry[0] == "asked"]
    for entry in asked:
        assert diary.index(("expected", *entry)) < diary.index(("asked", *entry))
    for axis, start, end in (("k", BOX.k0, BOX.k1), ("j", BOX.j0, BOX.j1), ("i", BOX.i0, BOX.i1)):
        places = {n: position for of, n, position in asked if of == axis}
        middle, half = (start + end) / 2, (end + 1 - start) / 2
        assert places == pytest.approx({n: (n - middle) / half for n in spread(start, end + 1, len(places))})


def test_a_slices_neighbours_count_half() -> None:
    field = np.random.default_rng(0).normal(size=SHAPE).astype(np.float32)
    model, request = FieldModel(lambda _: field), Request(BOX.plane("k")[0], BOX.k0, BOX.k1)
    maps = SliceMaps(request, model, Region(3, 2, 18, 15, SHAPE[1:]), tuple(range(1, 13)))
    part = field[:, 2:15, 3:18]
    np.testing.assert_allclose(maps.smoothed(6, 0.5), (part[6] + (part[5] + part[7]) / 2) / 2, atol=1e-6)
    np.testing.assert_allclose(maps.smoothed(12, 0.5), (part[12] + part[11] / 2) / 1.5, atol=1e-6)


def test_slices_already_known_are_left_alone() -> None:
    field = affine((0.3, 0, 0))
    whole = segment(PLAIN, FieldModel(lambda _: field))
    known = {n: whole[n] for n in range(1, 5)}
    again = segment(PLAIN, FieldModel(lambda _: field), known=known)
    assert sorted(again) == list(range(5, 13))
    for n, result in again.items():
        np.testing.assert_array_equal(result.mask, whole[n].mask)


def test_spread_takes_centres_of_equal_parts() -> None:
    assert spread(10, 20, 5) == (11, 13, 15, 17, 19)
    assert spread(3, 6, 12) == (3, 4, 5)


def test_spread_takes_the_nearest_of_those_it_may_choose_from() -> None:
    assert spread(10, 20, 5, among=(5, 10, 14, 18, 19, 25)) == (10, 14, 18, 19)
    assert spread(10, 20, 2, among=(5, 25)) == (12, 17), "none of them lies there"


class Brightness:
    """A fusion network that answers with the brightness less 100, or with a constant."""

    grid, scale = 24, 1.5

    def __init__(self, constant: float | None = None) -> None:
        self.constant = constant
        self.seen: list[np.ndarray] = []
        self.clicks: list[np.ndarray] = []

    def __call__(self, seen: CubeView) -> np.ndarray:
        assert seen.picture.shape == seen.valid.shape == seen.logits.shape == (24, 24, 24)
        self.seen.append(seen.logits)
        self.clicks.append(seen.clicks)
        return seen.picture - 100 if self.constant is None else np.full_like(seen.logits, self.constant)


@pytest.mark.parametrize("axis", AXES)
def test_a_fusion_network_sees_the_picture_where_the_object_is(axis: Axis) -> None:
    truth = np.zeros(SHAPE, bool)
    truth[4:9, 5:12, 6:15] = True
    bright = np.where(truth, 200.0, 0.0).astype(np.float32)
    model = FieldModel(lambda _: np.zeros(SHAPE, np.float32), axis)
    model.fusion = network = Brightness()
    model.plane = lambda n: SliceStack(bright, axis).slice(n).astype(np.uint8)
    found = volume(segment(PLAIN, model), axis)
    assert len(network.seen) == 1
    wrong = found != inside(truth)
    assert wrong.mean() < 0.02, "cells are not voxels, so that the surface may be off by a part of one"


def test_what_a_fusion_network_says_is_added_once_to_views_and_corrections() -> None:
    field = np.full(SHAPE, -2.0, np.float32)
    model = FieldModel(lambda _: field)
    model.fusion = Brightness(1.5)
    assert not any(result.mask.any() for result in segment(PLAIN, model).values())
    model.fusion = Brightness(2.5)
    whole = segment(PLAIN, model)
    assert all(inside_plane(result.mask).all() for result in whole.values())
    key = Prompt(BOX.plane("k")[0], points=(Point(9.0, 8.0),))
    model.fusion = Brightness(-2.5)  # -4.5 in all, and a click adds 5
    after = segment(PLAIN, model, keys={6: key}, known={n: whole[n] for n in (1, 2)})
    assert [n for n, result in after.items() if result.mask.any()] == [6]


def test_a_fusion_network_sees_corrections_and_clicks() -> None:
    model = FieldModel(lambda _: np.full(SHAPE, -2.0, np.float32))
    model.fusion = network = Brightness(0.0)
    segment(PLAIN, model)
    edges = BOX.plane("k")[0]
    segment(PLAIN, model, keys={6: Prompt(edges, points=(Point(9.0, 8.0), Point(12.0, 9.0, positive=False)))})
    assert len(network.seen) == 3, "the second object before the user's word and after"
    assert not network.clicks[0].any() and not network.clicks[1].any()
    for sign in (0, 1):
        assert network.clicks[2][sign].max() > 0.8
    np.testing.assert_array_equal(network.seen[0], network.seen[1])
    changed = network.seen[2] - network.seen[1]
    at = int((6 + 0.5 - (1 - 0.25 * 12)) / 0.75)  # the cell of slice 6: a box of 12 slices from 1, 1.5 times as large
    inside = changed[:, 12, 12]
    assert inside[at] == pytest.approx(10, abs=0.5) and inside[at - 4] < inside[at - 2] < inside[at]


def inside_plane(mask: np.ndarray) -> np.ndarray:
    return mask[BOX.j0 : BOX.j1 + 1, BOX.i0 : BOX.i1 + 1]


def test_a_slice_where_the_box_itself_was_drawn_is_no_correction() -> None:
    model = FieldModel(lambda _: affine((0.2, -0.1, 0.1)))
    model.fusion = network = Brightness(1.0)
    edges = BOX.plane("k")[0]
    whole, drawn = segment(PLAIN, model), segment(PLAIN, model, keys={6: Prompt(edges, position=0.0)})
    assert len(network.seen) == 2, "once for each object"
    for n in set(whole) - {6}:
        np.testing.assert_array_equal(whole[n].mask, drawn[n].mask)


def test_a_flat_box_is_not_shown_to_a_fusion_network() -> None:
    model = FieldModel(lambda _: affine((0.1, 0.1, 0.1)))
    model.fusion = network = Brightness(1.0)
    list(Views(least=4)(Request((3, 2, 18, 15), 5, 7), model))
    assert not network.seen


def test_what_a_fusion_network_sees_depends_on_the_main_box_alone() -> None:
    model = FieldModel(lambda _: affine((0.2, -0.1, 0.1)))
    model.fusion = network = Brightness(0.0)
    segment(PLAIN, model)
    segment(PLAIN, model, keys={6: Prompt((0.0, 0.0, 20.0, 17.0))})
    np.testing.assert_array_equal(network.seen[0], network.seen[1])
