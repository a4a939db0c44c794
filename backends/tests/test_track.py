"""The rule for models that take a box: what it asks on each slice, and which masks it does not follow."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pytest
from medsam_backends.propagation import Request, SliceResult, Track
from medsam_backends.types import Box, Point, Prediction, Prompt

SIZE = (40, 48)
BOX = (10.0, 8.0, 30.0, 28.0)
FIRST, LAST = 2, 8
SEEN = np.zeros(SIZE, bool)
SEEN[12:26, 14:24] = True
Answer = Callable[[int, Prompt], Prediction]


class Watched:
    """Answers as it is told, and remembers what it was asked."""

    shape = (11, *SIZE)

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.asked: dict[int, list[Prompt]] = {}

    def predict(self, index: int, prompts: Sequence[Prompt]) -> list[Prediction]:
        assert index not in self.asked
        self.asked[index] = list(prompts)
        return [self.answer(index, prompt) for prompt in prompts]


def masks(odd: Mapping[int, np.ndarray], unsure: tuple[int, ...] = ()) -> Answer:
    """`SEEN` on all slices but those of `odd`."""
    return lambda index, _: Prediction(odd.get(index, SEEN), 0.29 if index in unsure else 0.3)


def track(model: Watched, rule: Track | None = None, **request: object) -> dict[int, SliceResult]:
    rule = rule or Track(shape=0)
    return {found.index: found for found in rule(Request(BOX, FIRST, LAST, **request), model)}  # type: ignore[arg-type]


def close(box: Box) -> object:
    return pytest.approx(box, abs=1e-3)


def test_it_asks_for_the_users_box_and_half_way_between_the_last_mask_and_the_ellipsoid() -> None:
    model = Watched(masks({}))
    found = track(model)
    assert list(model.asked) == [5, 4, 6, 3, 7, 2, 8]
    assert [prompt.box for prompt in model.asked[5]] == [BOX]
    # the mask's box grown by a pixel is (13, 11, 25, 27); of the ellipsoid's 20 pixels 19.166 are left on slice 6
    walked, whole = model.asked[6]
    assert walked.box == close((11.708, 9.708, 27.292, 27.292)) and whole.box == BOX
    assert walked.prior is whole.prior is found[5].mask
    assert walked.position == whole.position == pytest.approx(2 / 7)
    assert model.asked[8][0].box == close((13.925, 11.925, 25.075, 25.075))


def test_the_expected_box_does_not_shrink_below_its_least() -> None:
    model = Watched(masks({}))
    track(model, Track(shape=0, least=0.6))
    assert model.asked[8][0].box == close((13.5, 11.5, 25.5, 25.5))


def test_a_mask_beyond_the_users_box_is_followed_within_it() -> None:
    large = np.ones(SIZE, bool)
    model = Watched(masks(dict.fromkeys(range(11), large)))
    track(model, Track(shape=0, share=1.0))
    assert model.asked[6][0].box == BOX


def larger(times: float) -> np.ndarray:
    """A mask of so many times the pixels of `SEEN`."""
    rank = np.full(SIZE, SEEN.size)
    rank[8:28, 10:30] = np.arange(400).reshape(20, 20)
    return rank < round(SEEN.sum() * times)


@pytest.mark.parametrize(
    ("odd", "unsure", "note"),
    [
        ({6: np.zeros(SIZE, bool)}, (), "empty mask"),
        ({6: larger(2.1)}, (), "jump in area"),
        ({6: larger(0.45)}, (), "jump in area"),
        ({}, (6,), "low confidence"),
    ],
)
def test_a_mask_that_is_none_or_unlikely_is_not_followed(
    odd: dict[int, np.ndarray], unsure: tuple[int, ...], note: str
) -> None:
    model = Watched(masks(odd, unsure))
    found = track(model, Track(shape=0, least=1.0, jump=2.0))
    assert {n: result.note for n, result in found.items() if result.note} == {6: note}
    assert [prompt.prior for prompt in model.asked[7]] == [None, None]
    assert model.asked[7][0].box == close(BOX)
    assert model.asked[8][0].prior is found[7].mask, "the next good one is followed again"


@pytest.mark.parametrize("times", [2.0, 0.5])
def test_a_mask_of_twice_or_half_the_area_is_still_followed(times: float) -> None:
    model = Watched(masks({6: larger(times)}))
    found = track(model, Track(shape=0, jump=2.0))
    assert found[6].note == "" and model.asked[7][0].prior is found[6].mask


def test_between_key_slices_boxes_are_interpolated_and_walks_meet() -> None:
    first, last = (10.0, 8.0, 22.0, 14.0), (16.0, 14.0, 28.0, 26.0)
    model = Watched(masks(dict.fromkeys(range(11), np.zeros(SIZE, bool))))
    track(model, keys={2: Prompt(first), 8: Prompt(last)})
    assert list(model.asked) == [2, 8, 3, 7, 4, 6, 5]
    assert [len(prompts) for prompts in model.asked.values()] == [1, 1, 2, 2, 2, 2, 2]
    assert model.asked[3][0].box == close((11, 9, 23, 16))
    assert model.asked[5][0].box == close((13, 11, 25, 20))


def test_beyond_the_outermost_key_its_box_shrinks_and_never_grows() -> None:
    model = Watched(masks(dict.fromkeys(range(11), np.zeros(SIZE, bool))))
    track(model, keys={4: Prompt((12.0, 10.0, 22.0, 30.0))})
    assert model.asked[5][0].box == close((12, 10, 22, 30))
    factor = np.sqrt(1 - (6 / 7) ** 2) / np.sqrt(1 - (2 / 7) ** 2)
    assert model.asked[8][0].box == close((17 - 5 * factor, 20 - 10 * factor, 17 + 5 * factor, 20 + 10 * factor))


def test_only_slices_that_are_not_known_are_asked_and_known_masks_are_followed() -> None:
    known = {n: SliceResult(n, SEEN, 0.5) for n in range(2, 6)}
    model = Watched(masks({}))
    assert sorted(track(model, known=known)) == [6, 7, 8]
    assert model.asked[6][0].prior is SEEN


def radius() -> np.ndarray:
    """Squared distance from the middle of the user's box, 1 on the ellipsoid inscribed in it."""
    k, j, i = np.indices(Watched.shape) + 0.5
    return ((k - 5.5) / 3.5) ** 2 + ((j - 18) / 10) ** 2 + ((i - 20) / 10) ** 2


def test_the_mean_of_both_answers_is_weighed_against_the_ellipsoid() -> None:
    """A mask counts as logits of 4 or -4, the ellipsoid's surface as 0."""

    def answer(index: int, prompt: Prompt) -> Prediction:
        says = index < 5 or (index > 6 and prompt.box == BOX)
        return Prediction(np.full(SIZE, says), 0.8 if prompt.box == BOX else 0.6)

    found = track(Watched(answer), Track(shape=6))
    inside = np.zeros(SIZE, bool)
    inside[5:31, 7:33] = True  # the box and a little slack
    for index, logit in {4: 4, 6: -4, 7: 0}.items():
        np.testing.assert_array_equal(found[index].mask, inside & (6 * (1 - radius()[index]) + logit > 0))
    assert found[7].confidence == pytest.approx(0.7)


def test_what_the_user_drew_is_answered_without_the_ellipsoid() -> None:
    key = Prompt((12.0, 10.0, 20.0, 16.0), points=(Point(15.0, 12.0),))
    drawn = np.zeros(SIZE, bool)
    drawn[10:16, 12:20] = True
    model = Watched(masks({6: drawn}))
    assert np.array_equal(track(model, Track(), keys={6: key})[6].mask, drawn)
    assert model.asked[6] == [key]


def test_a_model_says_nothing_of_what_it_did_not_look_at_and_cannot_shout() -> None:
    def answer(index: int, prompt: Prompt) -> Prediction:
        logits = np.full((4, 4), 1000.0 if prompt.box == BOX or index == 5 else -20.0, np.float32)
        return Prediction(logits > 0, 0.5, logits, (12.0, 10.0, 20.0, 16.0))

    found = track(Watched(answer))
    looked = np.zeros(SIZE, bool)
    looked[10:16, 12:20] = True
    np.testing.assert_array_equal(found[5].mask, looked)
    assert not found[6].mask.any(), "10 and -10"
