"""The rule that hands masks on by one slice, on a model whose answers are known."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from medsam_backends.propagation import Neighbours, Request, SliceResult
from medsam_backends.types import Point, Prediction, Prompt

EDGES = (2.0, 2.0, 10.0, 8.0)
SIZE = (10, 12)
BOX = np.zeros(SIZE, bool)
BOX[2:8, 2:10] = True


class Blind:
    """Sees the box on all slices but those in `blind`, where it sees what the prior shows, or nothing."""

    shape = (9, *SIZE)
    axis = "k"
    prompts = frozenset({"box", "prior", "position"})
    box_side = 1

    def __init__(self, *blind: int) -> None:
        self.blind = blind
        self.asked: list[int] = []

    def expect(self, index: int, prompt: Prompt) -> None:
        assert 0 <= index < 9 and prompt.prior is None

    def predict(self, index: int, prompts: Sequence[Prompt]) -> list[Prediction]:
        self.asked.append(index)
        return [self._one(index, prompt) for prompt in prompts]

    def _one(self, index: int, prompt: Prompt) -> Prediction:
        seen = BOX if index not in self.blind else np.zeros(SIZE, bool)
        if index in self.blind and prompt.prior is not None:
            seen = prompt.prior
        logits = np.where(seen, 3.0, -1.0).astype(np.float32)
        return Prediction(logits > 0, 0.9 if prompt.points else 0.5, logits, (0.0, 0.0, 12.0, 10.0))


def segment(model: Blind, **request: object) -> dict[int, SliceResult]:
    results = Neighbours()(Request(EDGES, 1, 7, **request), model)
    return {result.index: result for result in results}


def test_a_slice_on_which_nothing_is_seen_is_filled_by_both_neighbours() -> None:
    model = Blind(4)
    found = segment(model)
    assert sorted(found) == list(range(1, 8))
    assert all(np.array_equal(result.mask, BOX) for result in found.values())
    assert all(model.asked.count(n) == 2 for n in range(1, 8)), "once alone, once with a prior"


def test_masks_go_no_further_than_one_slice() -> None:
    found = segment(Blind(3, 4, 5))
    assert found[4].note == "empty mask" and not found[4].mask.any()
    assert found[2].mask.any() and found[6].mask.any()


def test_what_the_user_said_stays_and_speaks_to_its_neighbours() -> None:
    key = Prompt(EDGES, points=(Point(5, 5),), prior=BOX)
    model = Blind(3, 4, 5)
    found = segment(model, keys={4: key})
    assert np.array_equal(found[4].mask, BOX) and found[4].confidence == 0.9
    assert model.asked.count(4) == 1, "the box alone is of no interest there"
    assert found[3].mask.any() and found[5].mask.any()


def test_known_slices_are_left_alone_but_heard() -> None:
    whole = segment(Blind())
    again = segment(Blind(4), known={n: whole[n] for n in (1, 2, 3)})
    assert sorted(again) == [4, 5, 6, 7]
    assert np.array_equal(again[4].mask, BOX)
