"""DSC and NSD: the challenge's own numbers where they are at hand, cases worked out by hand everywhere."""

import math
import sys
from pathlib import Path

import numpy as np
import pytest
from medsam_backends.errors import MedSAMLiteError
from medsam_backends.evaluation.metrics import (
    Score,
    dice,
    hausdorff95,
    label_score,
    surface_dice,
    under_challenge_rule,
    volume_difference,
)

REFERENCE = Path(__file__).parents[3] / "shared" / "published-models" / "metrics.reference.npz"


def slab(first: int, last: int) -> np.ndarray:
    mask = np.zeros((12, 10, 10), bool)
    mask[first : last + 1, 2:8, 2:8] = True
    return mask


def test_dice_of_halves_and_of_nothing() -> None:
    assert dice(slab(2, 5), slab(4, 7)) == 0.5
    assert dice(slab(2, 5), slab(8, 9)) == 0
    assert math.isnan(dice(slab(5, 4), slab(5, 4)))


def test_surface_dice_has_its_tolerance_in_millimetres() -> None:
    assert surface_dice(slab(2, 5), slab(2, 7), (1, 1, 1)) == 1
    assert surface_dice(slab(2, 5), slab(2, 7), (3, 1, 1)) < 1, "two voxels are 6 mm now"


def test_an_empty_mask_scores_zero_and_two_score_nothing() -> None:
    empty = slab(5, 4)
    missed = label_score(slab(2, 5), empty, (2, 2, 2))
    assert (missed.dsc, missed.nsd, missed.hd95_mm) == (0, 0, math.inf)
    assert missed.volume_difference_ml == pytest.approx(-4 * 36 * 8 / 1000)
    assert missed.volume_difference_percent == -100
    invented = label_score(empty, slab(2, 5))
    assert (invented.dsc, invented.nsd, invented.hd95_mm) == (0, 0, math.inf)
    assert invented.volume_difference_percent == math.inf
    nothing = label_score(empty, empty)
    assert math.isnan(nothing.dsc) and math.isnan(nothing.nsd) and math.isnan(nothing.hd95_mm)
    assert nothing.volume_difference_ml == 0 and math.isnan(nothing.volume_difference_percent)


def test_distances_are_in_millimetres_in_space_and_in_pixels_on_a_picture() -> None:
    assert hausdorff95(slab(2, 5), slab(2, 7), (1, 1, 1)) == 2
    assert hausdorff95(slab(2, 5), slab(2, 7), (3, 1, 1)) == 6
    assert hausdorff95(slab(2, 5), slab(2, 5)) == 0
    truth = np.zeros((20, 20), bool)
    truth[4:8, 4:16] = True
    wider = truth.copy()
    wider[8:11, 4:16] = True
    assert hausdorff95(truth, wider, (9, 9)) == 3, "contours, and no spacing"
    assert label_score(truth, wider).hd95_mm == 3


def test_volumes_are_compared_with_their_sign() -> None:
    millilitres, percent = volume_difference(slab(2, 5), slab(2, 7), (5, 2, 2))
    assert (millilitres, percent) == (pytest.approx(2 * 36 * 20 / 1000), 50)
    millilitres, percent = volume_difference(slab(2, 5)[:, 3], slab(3, 5)[:, 3])
    assert math.isnan(millilitres) and percent == -25


def test_a_picture_is_a_slab_with_two_faces() -> None:
    truth = np.zeros((20, 20), bool)
    truth[4:16, 4:16] = True
    holed = truth.copy()
    holed[9:11, 9:11] = False
    assert 0.9 < surface_dice(truth, holed, (9, 9)) <= 1


def test_no_surface_counts_when_the_case_failed() -> None:
    poor, good = Score(0.1, 0.4), Score(0.9, 0.8)
    assert under_challenge_rule([poor, good]) == [poor, good]
    assert [score.nsd for score in under_challenge_rule([poor, poor])] == [0, 0]
    assert under_challenge_rule([good, Score(math.nan, math.nan)])[0].nsd == 0
    assert under_challenge_rule([]) == []


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "surface_distance", None)
    with pytest.raises(MedSAMLiteError, match="pip install surface-distance"):
        surface_dice(slab(2, 5), slab(2, 5))


@pytest.mark.skipif(not REFERENCE.is_file(), reason="the challenge's reference numbers are not here")
def test_the_challenges_own_numbers() -> None:
    with np.load(REFERENCE) as file:
        reference = dict(file)
    cases = sorted({key.split(".")[0] for key in reference if "." in key})
    assert len(cases) >= 12
    for case in cases:
        truth, found, spacing = (reference[f"{case}.{part}"] for part in ("gt", "pred", "spacing"))
        scores = [label_score(truth == n, found == n, spacing) for n in range(1, int(truth.max()) + 1)]
        np.testing.assert_allclose([(s.dsc, s.nsd) for s in scores], reference[f"{case}.per_label"], 1e-12)
        np.testing.assert_allclose(np.mean([s.dsc for s in scores]), reference[f"{case}.dsc"], 1e-12)
        np.testing.assert_allclose(np.mean([s.nsd for s in scores]), reference[f"{case}.nsd_without_dsc_rule"], 1e-12)
        counted = under_challenge_rule(scores)
        np.testing.assert_allclose(np.mean([s.nsd for s in counted]), reference[f"{case}.nsd"], 1e-12)
