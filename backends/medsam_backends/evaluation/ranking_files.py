"""Writes a ranking as tables and says it in lines of text.  Computes nothing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import astuple, fields
from pathlib import Path

import numpy as np

from ..csv_table import write_csv
from ..whole_file import make_folder
from .ranking import Ranking, Standing
from .significance import ALL, Comparison
from .summary import MEAN

__all__ = ["ranking_lines", "write_ranking"]

_LEVEL = 0.05


def write_ranking(folder: Path, ranking: Ranking, comparisons: Iterable[Comparison]) -> None:
    """Write ``ranking.csv``, ``bootstrap.csv`` (a row a sample: Kendall's tau, every model's place), ``wilcoxon.csv``.

    Raises
    ------
    OutputError
        If a table cannot be written.
    """
    make_folder(folder)
    write_csv(folder / "ranking.csv", [field.name for field in fields(Standing)], map(astuple, ranking.standings))
    rows = zip(ranking.taus.tolist(), ranking.places.tolist(), strict=True)
    samples = ((number, tau, *places) for number, (tau, places) in enumerate(rows, start=1))
    write_csv(folder / "bootstrap.csv", ("sample", "tau", *ranking.models), samples)
    write_csv(folder / "wilcoxon.csv", [field.name for field in fields(Comparison)], map(astuple, comparisons))


def ranking_lines(ranking: Ranking, comparisons: Sequence[Comparison]) -> list[str]:
    """The overall order, how stable it is, and what is better than what beyond chance."""
    lines = [f"{'place':>5}  {'of samples':>10}  {'rank':>5}  {'DSC':>5}  {'NSD':>5}  {'time':>5}  model"]
    for one in ranking.standings:
        if one.modality == MEAN:
            between = f"{one.place_low:.0f} to {one.place_high:.0f}"
            ranks = f"{one.rank:5.2f}  {one.rank_dsc:5.2f}  {one.rank_nsd:5.2f}  {one.rank_seconds:5.2f}"
            lines.append(f"{one.place:>5}  {between:>10}  {ranks}  {one.model}")
    known = ranking.taus[~np.isnan(ranking.taus)]
    if known.size:
        low, middle, high = np.percentile(known, (2.5, 50, 97.5))
        lines.append(f"Kendall's tau of {len(ranking.taus)} samples: {middle:.2f} ({low:.2f} to {high:.2f})")
    for pair in comparisons:
        if pair.modality == ALL and pair.metric != "seconds" and pair.p_holm < _LEVEL:
            how = f"p = {pair.p_holm:.2g} (Wilcoxon, Holm)"
            lines.append(f"{pair.metric.upper()}: {pair.better} above {pair.other}, {how}")
    if ranking.left_out:
        lines.append(f"{ranking.left_out} cases were left out: not every model was tried on them.")
    return lines
