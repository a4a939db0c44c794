"""``medsamlite report``: evaluations as a page with tables and plots."""

from __future__ import annotations

from pathlib import Path

import click

from ..errors import MedSAMLiteError
from .rank import SAMPLES

__all__ = ["command"]


@click.command("report")
@click.argument("evaluations", type=Path, nargs=-1, required=True)
@click.option("--output", type=Path, help="Folder for report.html and plots.  [default: the first EVALUATION]")
@click.option("--data", type=Path, multiple=True, help="Folder of the images, to show the worst cases. Repeat.")
@click.option("--worst", type=click.IntRange(0), default=3, show_default=True, help="Cases to show of each model.")
@click.option("--title", default="Evaluation", show_default=True, help="Heading of the page.")
@click.option("--samples", type=click.IntRange(1), default=SAMPLES, show_default=True, help="Of the bootstrap.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Of the bootstrap.")
def command(
    evaluations: tuple[Path, ...],
    output: Path | None,
    data: tuple[Path, ...],
    worst: int,
    title: str,
    samples: int,
    seed: int,
) -> None:
    """Draw what 'medsamlite evaluate' wrote to EVALUATIONS: report.html, one file for all, and plots/*.png.

    With --data the page holds pictures of patients: look at it before you pass it on.
    """
    try:
        from ..evaluation.report.writer import Options, write_report
    except ImportError as error:
        raise MedSAMLiteError(f"A report needs the package {error.name}: pip install {error.name}.") from None
    named = [part for folder in data for part in ("--data", str(folder))]
    numbers = ["--worst", str(worst), "--samples", str(samples), "--seed", str(seed)]
    typed = ["medsamlite", "report", *map(str, evaluations), *named, *numbers]
    options = Options(data, worst, title, samples, seed, typed)
    page = write_report(evaluations, output or evaluations[0], options, lambda line: click.echo(line, err=True))
    click.echo(f"Written to {page}")
