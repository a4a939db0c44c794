"""Simulated corrections of a 3-D segment: where the click lies, what is answered, and what fades beside it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from medsam_backends.propagation.views import Views
from medsam_research.fusion.clicks import answer, corrective_click, faded
from medsam_research.fusion.network import Fusion
from medsam_research.fusion.train import corrected
from medsam_research.models.planes import BOX_HALF

GRID = 24


def ball(middle: tuple[float, float, float], radius: float) -> np.ndarray:
    cells = np.indices((GRID, GRID, GRID))
    return sum((axis - at) ** 2 for axis, at in zip(cells, middle, strict=True)) <= radius**2


TRUTH = ball((11, 11, 11), 7)
SHOWN = TRUTH & ~ball((8, 11, 15), 3) | ball((18, 4, 4), 1)


def test_a_click_lies_inside_a_wrong_region_and_says_what_is_there() -> None:
    rng = np.random.default_rng(0)
    made = [corrective_click(rng, TRUTH, SHOWN) for _ in range(60)]
    slices = [click[0] for click in made]
    assert slices.count(8.0) >= 30, "the slice with most wrong cells"
    for z, y, x, positive in made:
        place = int(z), int(y), int(x)
        assert TRUTH[place] != SHOWN[place] and TRUTH[place] == positive
    assert corrective_click(rng, TRUTH, TRUTH) is None


def test_an_answer_sets_more_right_than_wrong_near_the_click() -> None:
    rng = np.random.default_rng(1)
    logits = np.where(SHOWN[8], 2.0, -2.0).astype(np.float32)
    right, before = [], np.mean((logits > 0) == TRUTH[8])
    for _ in range(40):
        change = answer(rng, TRUTH[8], logits, (8.0, 11.0, 15.0, True))
        assert change.shape == (GRID, GRID) and change.dtype == np.float32
        right.append(np.mean((logits + change > 0) == TRUTH[8]))
        assert change[11, 15] > 0
    assert before < np.mean(right) < 0.999, "better than before, and not perfect"


def test_changes_fade_as_the_rule_does() -> None:
    change = np.ones((GRID, GRID), np.float32)
    one = faded({12: change}, GRID)
    width = Views().reach * GRID / BOX_HALF
    np.testing.assert_allclose(one[:, 3, 3], np.exp(-0.5 * ((np.arange(GRID) - 12) / width) ** 2), atol=1e-6)
    two = faded({12: change, 13: 3 * change}, GRID)
    assert two[12, 0, 0] == 1 and two[13, 0, 0] == 3, "the user's own word on its slice"
    assert 1 < two[11, 0, 0] < 3


@pytest.mark.parametrize("counts", [[0, 0], [2, 1]])
def test_samples_are_clicked_as_often_as_asked(counts: list[int]) -> None:
    truth = torch.from_numpy(np.stack([TRUTH, TRUTH])).float()[:, None]
    views = torch.from_numpy(np.where(SHOWN, 3.0, -3.0).astype(np.float32)).expand(2, 1, GRID, GRID, GRID)
    batch = {"picture": truth * 200, "valid": truth * 0 + 1, "views": views, "truth": truth, "scale": torch.zeros(2, 3)}
    stages = corrected(np.random.default_rng(0), Fusion().eval(), batch, np.array(counts))
    assert len(stages) == 1 + max(counts)
    assert not stages[0]["clicks"].any() and torch.equal(stages[0]["views"], views)
    assert "clicks" not in batch and torch.equal(batch["views"], views), "what was given is left alone"
    for before, after, number in zip(stages, stages[1:], range(max(counts)), strict=False):
        for row, count in enumerate(counts):
            changed = not torch.equal(before["views"][row], after["views"][row])
            assert changed == (count > number)
