"""``medsamlite rank``: the models of one or several evaluations in order, and how sure that order is."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from ..evaluation.records import Row

__all__ = ["SAMPLES", "command", "rank"]

SAMPLES = 1000


@click.command("rank")
@click.argument("evaluations", type=Path, nargs=-1, required=True)
@click.option("--output", type=Path, help="Folder for the tables.  [default: the first EVALUATION]")
@click.option("--samples", type=click.IntRange(1), default=SAMPLES, show_default=True, help="Of the bootstrap.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Of the bootstrap.")
def command(evaluations: tuple[Path, ...], output: Path | None, samples: int, seed: int) -> None:
    """Rank the models of EVALUATIONS, folders that 'medsamlite evaluate' wrote, as the challenge did.

    DSC, NSD and runtime are ranked in every case; the mean of the ranks over cases, then modalities, orders the models.
    Writes ranking.csv, bootstrap.csv and wilcoxon.csv.
    """
    from ..evaluation.protocol import check_same_protocol
    from ..evaluation.report.study import read_study

    study = read_study(evaluations)
    check_same_protocol([(folder.path, folder.settings) for folder in study.folders])
    folder = output or evaluations[0]
    rank(study.rows, [failure[:2] for failure in study.failures], folder, samples, seed)
    click.echo(f"Written to {folder}")


def rank(rows: Sequence[Row], failed: Sequence[tuple[str, str]], folder: Path, samples: int, seed: int) -> None:
    """Write the tables and say the order; `failed` are a case and a model each."""
    from ..evaluation.ranking import rank_models
    from ..evaluation.ranking_files import ranking_lines, write_ranking
    from ..evaluation.scoreboard import scoreboard
    from ..evaluation.significance import compare

    board = scoreboard(rows, failed)
    ranking, comparisons = rank_models(board, samples, seed), compare(board)
    write_ranking(folder, ranking, comparisons)
    for line in ranking_lines(ranking, comparisons):
        click.echo(line)
