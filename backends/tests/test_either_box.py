"""A box drawn with room round the object, and a model that fills whatever box it is given but knows how sure it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from field_model import SHAPE, FieldModel
from hypothesis import given, settings
from hypothesis import strategies as st
from medsam_backends.boxes import AXES, Axis, VoxelBox
from medsam_backends.phantom import make_phantom
from medsam_backends.propagation import Request, Views
from medsam_backends.propagation.either_box import ROOM
from medsam_backends.registry import open_model
from medsam_backends.segmenter import Target, VolumeSegmenter
from medsam_backends.types import Point, Prediction, Prompt

OBJECT = VoxelBox(5, 4, 2, 14, 13, 11)  # ten voxels each way
LOOSE = VoxelBox(4, 3, 1, 15, 14, 12)  # a voxel of room on every side, a tenth of the box in whole voxels
LAST = tuple(length - 1 for length in reversed(SHAPE))  # the volume's last voxel, (i, j, k)
RULE = Views(along=100, across=100, smooth=0, shape=0)


class Filler(FieldModel):
    """Fills the box it is given, and is sure of it as `sure` says of the box's length along its columns."""

    def __init__(self, sure: dict[float, float], axis: Axis = "k", asked: list[tuple[Axis, int]] | None = None) -> None:
        super().__init__(lambda _: np.zeros(SHAPE, np.float32), axis, asked)
        self.sure = sure

    def view(self, axis: Axis) -> Filler:
        return Filler(self.sure, axis, self.asked)

    def predict(self, index: int, prompts: Sequence[Prompt]) -> list[Prediction]:
        self.asked.extend((self.axis, index) for _ in prompts)
        rows, columns = (np.arange(length) + 0.5 for length in self.shape[1:])
        answers = []
        for prompt in prompts:
            x0, y0, x1, y1 = prompt.box
            inside = ((rows > y0) & (rows < y1))[:, None] & ((columns > x0) & (columns < x1))
            logits = np.where(inside, 4.0, -4.0).astype(np.float32)
            extent = (0.0, 0.0, float(self.shape[2]), float(self.shape[1]))
            answers.append(Prediction(inside, self.sure[x1 - x0], logits, extent))
        return answers


def found(box: VoxelBox, model: FieldModel, rule: Views = RULE, **request: object) -> np.ndarray:
    """The masks as (K, J, I)."""
    edges, first, last = box.plane(model.axis)
    out = np.zeros(SHAPE, bool)
    stack = np.moveaxis(out, 2 - AXES.index(model.axis), 0)
    for result in rule(Request(edges, first, last, **request), model):
        stack[result.index] = result.mask
    return out


def filled(box: VoxelBox) -> np.ndarray:
    out = np.zeros(SHAPE, bool)
    out[box.k0 : box.k1 + 1, box.j0 : box.j1 + 1, box.i0 : box.i1 + 1] = True
    return out


@pytest.mark.parametrize("axis", AXES)
def test_room_round_the_object_is_left_out_where_the_model_is_surer_without(axis: Axis) -> None:
    model = Filler({12: 0.5, 10: 0.8}, axis)
    np.testing.assert_array_equal(found(LOOSE, model), filled(OBJECT))


@pytest.mark.parametrize("axis", AXES)
def test_a_box_stays_as_it_was_drawn_where_the_model_is_about_as_sure(axis: Axis) -> None:
    model = Filler({12: 0.75, 10: 0.8}, axis)
    np.testing.assert_array_equal(found(LOOSE, model), filled(LOOSE))


@settings(deadline=None, max_examples=25)
@given(st.floats(0.3, 0.7), st.floats(-0.2, 0.3))
def test_a_tighter_box_counts_by_the_confidence_it_gains(sure: float, gain: float) -> None:
    """Odds of ``exp(gain / 0.05 - 2.5)``; where it does not reach, the drawn box's logit of 4 must outweigh."""
    share = 1 / (1 + np.exp(2.5 - gain / 0.05))
    room = (1 - share) / (1 + np.exp(-4))
    if abs(room - 0.5) > 1e-3:
        assert found(LOOSE, Filler({12: sure, 10: sure + gain}))[1, 8, 9] == (room > 0.5)


def test_the_confidence_is_of_both_boxes_as_they_count() -> None:
    edges, first, last = LOOSE.plane("k")
    results = {result.index: result for result in RULE(Request(edges, first, last), Filler({12: 0.5, 10: 0.6}))}
    share = 1 / (1 + np.exp(2.5 - 0.1 / 0.05))
    assert results[7].confidence == pytest.approx(0.5 + 0.1 * share, abs=1e-6)
    assert results[first].confidence == pytest.approx(0.5), "the tighter box does not reach this slice"


@pytest.mark.parametrize("gain, note", [(0.1, ""), (0.15, ROOM)])
def test_a_slice_tells_when_the_tighter_box_counts_more(gain: float, note: str) -> None:
    edges, first, last = LOOSE.plane("k")
    results = {result.index: result for result in RULE(Request(edges, first, last), Filler({12: 0.5, 10: 0.5 + gain}))}
    assert {results[n].note for n in range(OBJECT.k0, OBJECT.k1 + 1)} == {note}


def test_the_tighter_box_looks_at_no_further_slices_and_at_half_as_many() -> None:
    model = Filler({12: 0.5, 10: 0.8})
    found(LOOSE, model, Views(along=8, across=6))
    drawn = Filler({12: 0.5})
    found(LOOSE, drawn, Views(along=8, across=6, tighter=0))
    assert set(model.asked) == set(drawn.asked) and len(drawn.asked) == 8 + 6 + 6
    assert len(model.asked) <= 20 + 4 + 3 + 3


BEYOND = {
    "a click outside its plane": {7: Prompt(LOOSE.plane("k")[0], points=(Point(4.5, 8.0),))},
    "a click on a slice before it": {1: Prompt(LOOSE.plane("k")[0], points=(Point(9.0, 8.0),))},
    "a box that reaches over it": {7: Prompt((4.0, 4.0, 15.0, 13.0))},
    "a box on a slice after it": {12: Prompt((6.0, 5.0, 12.0, 11.0))},
}
WITHIN = {
    "a click inside": {7: Prompt(LOOSE.plane("k")[0], points=(Point(9.0, 8.0),))},
    "a click on the background outside": {7: Prompt(LOOSE.plane("k")[0], points=(Point(4.5, 8.0, positive=False),))},
    "a box inside": {7: Prompt((6.0, 5.0, 12.0, 11.0))},
    "the drawn box itself": {7: Prompt(LOOSE.plane("k")[0], position=0.0)},
}
SURE = {12: 0.5, 10: 0.8, 11: 0.5, 6: 0.5}


@pytest.mark.parametrize("keys", BEYOND.values(), ids=BEYOND)
def test_what_the_user_says_can_refute_it(keys: dict[int, Prompt]) -> None:
    np.testing.assert_array_equal(found(LOOSE, Filler(SURE), keys=keys)[9], filled(LOOSE)[9])


@pytest.mark.parametrize("keys", WITHIN.values(), ids=WITHIN)
def test_what_the_user_says_inside_it_does_not_refute_it(keys: dict[int, Prompt]) -> None:
    np.testing.assert_array_equal(found(LOOSE, Filler(SURE), keys=keys)[10], filled(OBJECT)[10])


def test_the_drawn_box_said_again_on_its_slice_says_nothing_new() -> None:
    echo = {7: Prompt(LOOSE.plane("k")[0], position=0.0)}
    np.testing.assert_array_equal(found(LOOSE, Filler(SURE), keys=echo), filled(OBJECT))


@pytest.mark.parametrize("axis", AXES)
def test_an_object_that_goes_on_beyond_the_border_of_the_volume_stays_whole_there(axis: Axis) -> None:
    ends, cut = VoxelBox(8, 7, 4, *LAST), VoxelBox(9, 8, 5, *LAST)
    sure = {12: 0.5, 11: 0.8, 10: 0.5, 9: 0.8, 8: 0.5}  # sides of 12, 11 and 10 voxels, or of 10, 9 and 8
    np.testing.assert_array_equal(found(ends, Filler(sure, axis)), filled(cut))


def test_there_may_be_room_up_to_the_border_of_the_volume() -> None:
    ends, inner = VoxelBox(8, 7, 4, *LAST), VoxelBox(9, 8, 5, *(last - 1 for last in LAST))
    np.testing.assert_array_equal(found(ends, Filler({12: 0.5, 11: 0.5, 10: 0.8, 9: 0.5, 8: 0.8})), filled(inner))


def test_a_slice_that_the_user_drew_keeps_its_own_confidence() -> None:
    edges, first, last = LOOSE.plane("k")
    keys = {7: Prompt((6.0, 5.0, 12.0, 11.0))}
    results = {r.index: r for r in RULE(Request(edges, first, last, keys), Filler({12: 0.5, 10: 0.8, 6: 0.99}))}
    assert (results[7].confidence, results[7].note, results[8].note) == (0.99, "", ROOM)


@pytest.mark.parametrize("across", [0, 1])
def test_the_least_of_slices_will_do(across: int) -> None:
    assert found(LOOSE, Filler({12: 0.5, 10: 0.8}), Views(along=1, across=across)).any()


def test_a_box_of_few_slices_or_few_voxels_has_no_tighter_one() -> None:
    flat = VoxelBox(4, 3, 5, 15, 14, 7)
    np.testing.assert_array_equal(found(flat, Filler({12: 0.1})), filled(flat))
    small = VoxelBox(4, 3, 5, 7, 6, 8)  # a tenth of four voxels is none
    np.testing.assert_array_equal(found(small, Filler({4: 0.1})), filled(small))


@pytest.mark.parametrize("model", ["medsamlite-repvit", "medsamlite-efficientvit"])
def test_the_bundled_models_tell_of_room_and_take_less_of_it(model: str) -> None:
    phantom = make_phantom((128, 90, 40), (2.7, 2.7, 5.0))
    truth, array = phantom.truth("lesion"), phantom.volume.array
    segmenter = VolumeSegmenter(open_model(model), array, modality="CT")
    [close, loose] = segmenter.segment([Target(VoxelBox(*phantom.box("lesion", slack=n))) for n in (0, 6)])
    assert not close.messages and "room" in " ".join(loose.messages)
    edges, first, last = loose.target.box.plane("k")
    alone = {r.index: r.mask for r in Views(tighter=0)(Request(edges, first, last), segmenter.model)}
    wrong = [np.count_nonzero(mask ^ truth) for mask in (loose.full(array.shape), stacked(alone))]
    assert wrong[0] < 0.8 * wrong[1]


def test_a_click_outside_the_tighter_box_rules_it_out_for_the_whole_object() -> None:
    """Also beyond the slice on which a panel says that the box was drawn, which bounds other corrections."""
    phantom = make_phantom((128, 90, 40), (2.7, 2.7, 5.0))
    box = VoxelBox(*phantom.box("lesion", slack=6))
    edges, first, last = box.plane("k")
    middle, click = (first + last) // 2, Prompt(edges, points=(Point(edges[0] + 0.5, (edges[1] + edges[3]) / 2),))
    segmenter = VolumeSegmenter(open_model("medsamlite-repvit"), phantom.volume.array, modality="CT")
    target = Target(box, keys={middle: Prompt(edges)})
    [segment] = segmenter.segment([target])
    corrected = segmenter.correct(segment, first + 1, click)
    [anew] = segmenter.segment([replace(target, keys={**target.keys, first + 1: click})])
    assert segment.messages and not corrected.messages
    np.testing.assert_array_equal(corrected.full(phantom.labels.shape), anew.full(phantom.labels.shape))


def stacked(masks: dict[int, np.ndarray]) -> np.ndarray:
    """Masks (H, W) by slice of the phantom's 40 as one array."""
    size = next(iter(masks.values())).shape
    return np.stack([masks.get(n, np.zeros(size, bool)) for n in range(40)])
