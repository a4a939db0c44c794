"""Ranking, its stability and significance, on scores whose order is known; and evaluations ranked together."""

import csv
import itertools
import json
import math
import time
from dataclasses import astuple
from pathlib import Path

import numpy as np
import pytest
from medsam_backends.cli.main import main
from medsam_backends.csv_table import write_csv
from medsam_backends.errors import InputError
from medsam_backends.evaluation.ranking import rank_models
from medsam_backends.evaluation.records import HEADER, Row
from medsam_backends.evaluation.scoreboard import Scoreboard, scoreboard
from medsam_backends.evaluation.significance import ALL, compare, holm
from medsam_backends.evaluation.summary import MEAN


def row(case: str, modality: str, model: str, dsc: float, nsd: float, seconds: float, label: int = 1) -> Row:
    return Row(case, modality, "set", label, 1, model, dsc, nsd, 1.0, seconds, 0.0, 0.0)


def board(scores: list[list[tuple[float, float, float]]], modalities: list[str]) -> Scoreboard:
    """Of (DSC, NSD, seconds) by case and model; models are a, b, c."""
    array = np.array(scores, float).transpose(0, 2, 1)
    return Scoreboard(tuple("abcdefgh"[: array.shape[2]]), tuple(modalities), array, 0)


def test_ranks_are_taken_case_by_case_and_metric_by_metric() -> None:
    scores = [
        [(0.9, 0.9, 3.0), (0.8, 0.8, 1.0), (0.1, 0.1, 2.0)],  # ranks: 1 1 3, 2 2 1, 3 3 2
        [(0.9, 0.5, 3.0), (0.9, 0.6, 1.0), (0.2, 0.4, 2.0)],  # 1.5 2 3, 1.5 1 1, 3 3 2
    ]
    ranking = rank_models(board(scores, ["CT", "CT"]), samples=20)
    assert ranking.models == ("b", "a", "c")
    b, a, c = ranking.standings[:3]
    assert (b.rank_dsc, b.rank_nsd, b.rank_seconds) == (1.75, 1.5, 1)
    assert (a.rank_dsc, a.rank_nsd, a.rank_seconds) == (1.25, 1.5, 3)
    assert (c.rank_dsc, c.rank_nsd, c.rank_seconds) == (3, 3, 2)
    assert b.rank == pytest.approx((1.75 + 1.5 + 1) / 3) and [s.place for s in (b, a, c)] == [1, 2, 3]


def test_every_modality_counts_the_same_however_many_cases_it_has() -> None:
    a_wins, b_wins = [(0.9, 0.9, 1.0), (0.1, 0.1, 2.0)], [(0.1, 0.1, 2.0), (0.9, 0.9, 1.0)]
    modalities = ["CT"] * 9 + ["MR", "PET"]
    ranking = rank_models(board([a_wins] * 9 + [b_wins] * 2, modalities), samples=50)
    assert ranking.models == ("b", "a"), "two modalities to one"
    by_modality = {(s.modality, s.model): s for s in ranking.standings}
    assert by_modality["CT", "a"].place == 1 and by_modality["CT", "a"].cases == 9
    assert by_modality["PET", "a"].place == 2 and by_modality[MEAN, "b"].cases == 11
    assert by_modality[MEAN, "b"].rank == pytest.approx(4 / 3)
    assert (ranking.taus == 1).all() and (ranking.places == [1, 2]).all(), "each modality's cases are alike"


def test_an_order_that_every_case_shows_is_stable_and_one_of_chance_is_not() -> None:
    random = np.random.default_rng(0)
    clear = [[(0.9 - 0.1 * m, 0.9 - 0.1 * m, 1.0 + m) for m in range(4)] for _ in range(60)]
    sure = rank_models(board(clear, ["CT"] * 30 + ["MR"] * 30), seed=1)
    assert sure.places.shape == (1000, 4) and sure.models == ("a", "b", "c", "d")
    np.testing.assert_array_equal(sure.shares, np.eye(4))
    assert (sure.taus == 1).all() and all(s.place_low == s.place == s.place_high for s in sure.standings)
    chance = rank_models(board(random.random((60, 4, 3)).tolist(), ["CT"] * 60), seed=1)
    assert chance.taus.mean() < 0.9 and chance.shares.max() < 0.95
    np.testing.assert_allclose(chance.shares.sum(axis=1), 1)
    again = rank_models(board(random.random((60, 4, 3)).tolist(), ["CT"] * 60), seed=1)
    assert not np.array_equal(again.places, chance.places)


def test_the_share_of_wins_is_what_the_binomial_says() -> None:
    a_wins, b_wins = [(0.9, 0.9, 1.0), (0.1, 0.1, 2.0)], [(0.1, 0.1, 2.0), (0.9, 0.9, 1.0)]
    ranking = rank_models(board([a_wins] * 6 + [b_wins] * 5, ["CT"] * 11), samples=20_000)
    expected = sum(math.comb(11, k) * (6 / 11) ** k * (5 / 11) ** (11 - k) for k in range(6, 12))
    assert ranking.models == ("a", "b") and ranking.shares[0, 0] == pytest.approx(expected, abs=0.015)
    assert ranking.taus.mean() == pytest.approx(2 * expected - 1, abs=0.03), "tau is 1 or -1 with two models"


def test_equal_models_share_their_place_and_have_no_tau() -> None:
    ranking = rank_models(board([[(0.5, 0.5, 1.0)] * 3] * 4, ["CT"] * 4), samples=10)
    assert [s.place for s in ranking.standings[:3]] == [1, 1, 1] and {s.rank for s in ranking.standings} == {2.0}
    assert np.isnan(ranking.taus).all()


def test_an_unknown_score_ranks_last() -> None:
    ranking = rank_models(board([[(math.nan, 0.5, math.nan), (0.0, 0.5, 9.0)]], ["CT"]), samples=5)
    assert [(s.model, s.rank_dsc, s.rank_seconds) for s in ranking.standings[:2]] == [("b", 1, 1), ("a", 2, 2)]


def test_a_thousand_samples_of_a_challenge_take_seconds() -> None:
    random = np.random.default_rng(2)
    large = board(random.random((4400, 8, 3)).tolist(), ["CT", "MR", "PET", "US"] * 1100)
    start = time.process_time()
    rank_models(large)
    assert time.process_time() - start < 10


def test_holm_multiplies_the_smallest_by_their_number_and_never_falls() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.5, 0.9]) == [1, 1] and holm([]) == []


def test_pairs_are_tested_in_every_metric_and_modality() -> None:
    # Eight cases, a always better by another amount: the smallest p that eight pairs can have is 2 / 2^8.
    scores = [[(0.5 + 0.01 * n, 0.5, 2.0 + n), (0.5, 0.5, 2.0)] for n in range(1, 9)]
    found = {(c.metric, c.modality): c for c in compare(board(scores, ["CT"] * 5 + ["MR"] * 3))}
    assert set(found) == set(itertools.product(("dsc", "nsd", "seconds"), (ALL, "CT", "MR")))
    dsc = found["dsc", ALL]
    assert (dsc.better, dsc.other, dsc.cases) == ("a", "b", 8)
    assert dsc.p == dsc.p_holm == 2 / 2**8 and dsc.median_difference == pytest.approx(0.045)
    assert (found["dsc", "MR"].cases, found["dsc", "MR"].p) == (3, 0.25)
    assert found["nsd", ALL].p == 1, "no difference at all"
    assert (found["seconds", ALL].better, found["seconds", ALL].median_difference) == ("b", -4.5)


def test_three_models_are_corrected_for_three_pairs() -> None:
    scores = [[(0.5 + 0.01 * n, 0.5, 1.0), (0.5, 0.5, 1.0), (0.5 - 0.02 * n, 0.5, 1.0)] for n in range(1, 9)]
    pairs = [c for c in compare(board(scores, ["CT"] * 8)) if (c.metric, c.modality) == ("dsc", ALL)]
    assert [(c.better, c.other) for c in pairs] == [("a", "b"), ("a", "c"), ("b", "c")]
    assert [c.p_holm for c in pairs] == [3 * 2 / 2**8] * 3


def test_a_case_counts_by_the_mean_of_its_labels_and_all_their_seconds() -> None:
    rows = [row("x", "CT", model, dsc, dsc / 2, 1.5, label) for model in "ab" for label, dsc in ((1, 0.2), (2, 0.6))]
    found = scoreboard(rows)
    np.testing.assert_allclose(found.scores[0, :, 0], (0.4, 0.2, 3.0))
    assert found.models == ("a", "b") and found.modalities == ("CT",)


def test_a_failed_case_ranks_last_and_an_untried_one_is_left_out() -> None:
    rows = [row(case, "CT", model, 0.1, 0.1, 9.0) for case in "xy" for model in "ab"]
    rows += [row("z", "CT", "a", 0.5, 0.5, 1.0), row("failed", "CT", "a", 0.1, 0.1, 9.0)]
    found = scoreboard(rows, [("failed", "b")])
    assert found.left_out == 1 and found.scores.shape == (3, 3, 2)
    assert found.scores[2, :, 1].tolist() == [0, 0, math.inf]
    ranking = rank_models(found, samples=10)
    assert ranking.models == ("a", "b") and ranking.left_out == 1
    assert {c.p for c in compare(found)} == {1.0}, "one difference in three"
    with pytest.raises(InputError, match="two models"):
        scoreboard(rows[:1])
    with pytest.raises(InputError, match="no case that every model"):
        scoreboard([rows[0], row("other", "CT", "b", 0.1, 0.1, 1.0)])


def evaluation(folder: Path, model: str, dsc: float, **settings: object) -> str:
    """A folder as ``medsamlite evaluate`` leaves it: eight cases of two modalities."""
    folder.mkdir()
    rows = [row(f"{m}_s_{n}", m, model, dsc + n / 100, dsc, 1 - dsc) for m in ("CT", "MR") for n in range(4)]
    write_csv(folder / "cases.csv", HEADER, map(astuple, rows))
    (folder / "settings.json").write_text(json.dumps({"boxes": "tight", "seed": 0, **settings}))
    return str(folder)


def test_evaluations_made_at_different_times_are_ranked_together(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folders = [evaluation(tmp_path / name, name, dsc) for name, dsc in (("poor", 0.2), ("good", 0.8), ("fair", 0.5))]
    assert main(["rank", *folders, "--output", str(tmp_path / "out"), "--samples", "100"]) == 0
    with open(tmp_path / "out" / "ranking.csv", newline="") as stream:
        ranking = list(csv.DictReader(stream))
    assert [(r["modality"], r["model"], r["place"]) for r in ranking[:4]] == [
        *((MEAN, name, place) for name, place in (("good", "1"), ("fair", "2"), ("poor", "3"))),
        ("CT", "good", "1"),
    ]
    with open(tmp_path / "out" / "bootstrap.csv", newline="") as stream:
        samples = list(csv.DictReader(stream))
    assert len(samples) == 100 and samples[99] == {"sample": "100", "tau": "1.0", "good": "1", "fair": "2", "poor": "3"}
    with open(tmp_path / "out" / "wilcoxon.csv", newline="") as stream:
        pairs = list(csv.DictReader(stream))
    assert len(pairs) == 3 * 3 * 3 and float(pairs[0]["p_holm"]) == pytest.approx(3 * 2 / 2**8)
    text = capsys.readouterr().out
    assert "Kendall's tau of 100 samples: 1.00 (1.00 to 1.00)" in text and "DSC: good above poor, p = 0.023" in text


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"boxes": "loose"}, "boxes loose instead of tight"),
        ({"instances": True}, "instances True instead of False"),
        ({"table": {"CT_s_1": {"1": [0, 0, 5, 5]}}}, "their boxes of CT_s_1 differ"),
    ],
)
def test_other_boxes_are_another_question(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], settings: dict[str, object], sentence: str
) -> None:
    first = evaluation(tmp_path / "a", "a", 0.2, table={"CT_s_1": {"1": [0, 0, 6, 6]}})
    second = evaluation(tmp_path / "b", "b", 0.2, **settings)
    assert main(["rank", first, second]) == 2
    assert sentence in capsys.readouterr().err
    assert not (tmp_path / "a" / "ranking.csv").exists()
