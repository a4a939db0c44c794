"""What is kept of an object between corrections: the same masks as without it, fewer questions, a bound in bytes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pytest
from field_model import BOX, SHAPE, FieldModel
from hypothesis import given, settings
from hypothesis import strategies as st
from medsam_backends.boxes import VoxelBox
from medsam_backends.propagation import CubeView, Request, Rule, Views
from medsam_backends.propagation.kept import Kept
from medsam_backends.types import Point, Prediction, Prompt

NOISE = np.random.default_rng(3).normal(0, 2, SHAPE).astype(np.float32)
BOXES = (BOX, VoxelBox(3, 2, 1, 17, 14, 11), VoxelBox(5, 1, 2, 15, 12, 12))
RULES: dict[str, Rule] = {"views": Views(along=6, across=4), "one view": Views(along=100, across=0, shape=1.0)}


class Listener(FieldModel):
    """A click moves the answer where it lies and to its side, a prior everywhere a little; what is asked is counted."""

    prompts = frozenset({"box", "points", "prior", "position"})

    def __init__(self, kept: Kept) -> None:
        super().__init__(lambda _: NOISE)
        self.kept, self.fusion = kept, Weighing()

    def predict(self, index: int, prompts: Sequence[Prompt]) -> list[Prediction]:
        rows, columns = (np.arange(length) + 0.5 for length in self.shape[1:])
        answers = super().predict(index, [Prompt(prompt.box) for prompt in prompts])
        for n, prompt in enumerate(prompts):
            logits = np.array(answers[n].logits) + np.float32(0.01 * prompt.box[0])
            for point in prompt.points:
                bump = np.exp(-((rows[:, None] - point.y) ** 2 + (columns - point.x) ** 2) / 9)
                logits += (8 if point.positive else -8) * bump.astype(np.float32)
            if prompt.prior is not None:
                logits += prompt.prior - np.float32(0.5)
            answers[n] = Prediction(logits > 0, float(np.tanh(logits.mean())), logits, answers[n].extent)
        return answers


@dataclass
class Weighing:
    """A fusion network whose answer depends on all that it is shown."""

    grid: int = 12
    scale: float = 1.4
    calls: int = 0

    def __call__(self, seen: CubeView) -> np.ndarray:
        self.calls += 1
        clicks = seen.clicks[0] - 2 * seen.clicks[1]
        beside = np.roll(seen.logits + seen.picture, 1, axis=0) - np.roll(clicks, 1, axis=2)
        return np.tanh(beside * seen.valid + clicks) * np.float32(np.mean(seen.voxels_per_cell))


@dataclass
class Person:
    """Somebody at work on two objects: their keys, and the masks that he has seen."""

    model: Listener
    rule: Rule
    keys: dict[int, dict[int, Prompt]] = field(default_factory=lambda: {0: {}, 1: {}, 2: {}})

    def answers(self, box: int) -> list[tuple[int, bytes, float]]:
        """What the rule says of a box now, slice after slice, what was said before each was final included."""
        edges, first, last = BOXES[box].plane("k")
        request = Request(edges, first, last, dict(self.keys[box]))
        return [(found.index, found.mask.tobytes(), found.confidence) for found in self.rule(request, self.model)]


PLACES = st.tuples(st.floats(5, 15, width=16), st.floats(3, 12, width=16), st.booleans())
ACTIONS = st.one_of(
    st.tuples(st.just("click"), st.integers(0, 2), st.integers(2, 11), PLACES),
    st.tuples(st.just("draw"), st.integers(0, 2), st.integers(2, 11), st.sampled_from([0.0, 2.0])),
    st.tuples(st.just("withdraw"), st.integers(0, 2), st.integers(2, 11), st.none()),
)


@pytest.mark.parametrize("name", RULES)
@settings(deadline=None, max_examples=20)
@given(st.lists(ACTIONS, min_size=2, max_size=5))
def test_masks_are_those_of_a_beginning_whatever_was_done_before(
    name: str, actions: list[tuple[str, int, int, object]]
) -> None:
    going_on = Person(Listener(Kept()), RULES[name])
    anew = Person(Listener(Kept(0)), RULES[name])
    for action, box, index, how in actions:
        for person in (going_on, anew):
            act(person.keys[box], action, index, how, BOXES[box])
        assert going_on.answers(box) == anew.answers(box)
    assert len(going_on.model.asked) <= len(anew.model.asked)


def act(keys: dict[int, Prompt], action: str, index: int, how: object, box: VoxelBox) -> None:
    """Change the user's prompts on a slice."""
    edges = box.plane("k")[0]
    if action == "withdraw":
        keys.pop(index, None)
    elif action == "draw":
        keys[index] = Prompt((edges[0] - float(str(how)), edges[1], edges[2], edges[3]), position=0.25)
    else:
        before = keys[index] if index in keys else Prompt(edges, position=0.25)
        assert isinstance(how, tuple)
        keys[index] = replace(before, points=(*before.points, Point(*how)))


def test_a_correction_asks_what_is_new_and_no_more() -> None:
    person = Person(Listener(Kept()), RULES["views"])
    model, edges = person.model, BOX.plane("k")[0]
    person.answers(0)
    tighter = 3 + 2 + 2
    assert (len(model.asked), model.fusion.calls) == (6 + 4 + 4 + tighter, 2), "the drawn box and the tighter one"
    for n, index in enumerate((4, 9, 6), start=1):
        model.asked.clear()
        person.keys[0][index] = Prompt(edges, (Point(9.0, 8.0),), position=0.25)
        person.answers(0)
        assert set(model.asked) == {("k", index)}
        assert len(model.asked) <= 5, "the click; for each box the box itself and the click on its mask"
        assert model.fusion.calls == 2 + 2 * n
    model.asked.clear()
    person.answers(1)
    assert len(model.asked) == 14 + tighter, "another box is another object"
    model.asked.clear()
    del person.keys[0][4]
    person.answers(0)
    assert not model.asked, "and the first one is not forgotten for it"


def test_a_prompt_with_a_prior_is_always_asked_about() -> None:
    """The caller may draw on in the same array."""
    person = Person(Listener(Kept()), RULES["views"])
    edges = BOX.plane("k")[0]
    for _ in range(2):
        person.model.asked.clear()
        person.keys[0] = {5: Prompt(edges, prior=np.zeros(SHAPE[1:], bool), position=0.25)}
        person.answers(0)
        assert ("k", 5) in person.model.asked


def test_what_is_kept_stays_within_its_bound() -> None:
    kept = Kept(10)
    kept.put("a", "A", 4)
    kept.put("b", "B", 4)
    kept.put("c", "C", 4)
    assert kept.take("a") is None, "the one put first went for the third"
    assert kept.take("b") == "B" and kept.take("b") is None, "what is taken is gone"
    kept.put("c", "C2", 10)
    assert kept.take("c") == "C2"
    kept.put("d", "D", 11)
    assert kept.take("d") is None, "larger than all that may be kept"


def test_an_object_knows_its_bytes() -> None:
    """Without them the bound would mean nothing."""
    kept = Kept()
    person = Person(Listener(kept), RULES["views"])
    person.keys[0][5] = Prompt(BOX.plane("k")[0], (Point(9.0, 8.0),), position=0.25)
    person.answers(0)
    [(both, size)] = kept._things.values()
    object_, [tighter] = both.drawn, both.tighter
    region = object_.maps.region
    rows, columns, slices = region.y1 - region.y0, region.x1 - region.x0, 12
    planes = (6 + 1) * rows * columns + 4 * slices * (rows + columns)  # each view's, and the box on the corrected slice
    spoken, cubes = 2 * rows * columns, 3 * 12**3
    assert sum(array.nbytes for array in object_.arrays) == 4 * (planes + spoken + cubes)
    further = sum(array.nbytes for array in tighter.arrays) - 4 * rows * columns  # the click was answered once
    assert 0 < further < size and size == 4 * (planes + spoken + cubes) + further
