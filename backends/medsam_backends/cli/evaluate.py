"""``medsamlite evaluate``: models against a folder of cases with known truth."""

from __future__ import annotations

from pathlib import Path

import click

from ..errors import PromptError
from .interrupted import say_interrupted
from .rank import SAMPLES, rank
from .runtime_option import runtime_option

__all__ = ["command"]


@click.command("evaluate")
@click.argument("data", type=Path)
@click.option("--model", "models", multiple=True, required=True, help="Id of a model, 'ellipse' or 'otsu-box'. Repeat.")
@click.option("--output", type=Path, required=True, help="Folder for the tables; a former run there is taken up.")
@click.option(
    "--boxes",
    type=click.Choice(["file", "tight", "jitter", "loose", "looser"]),
    default=None,
    help="The file's own, or round the truth: exact, each side 0 to 5 pixels of 256 out, a tenth or a fifth out.  "
    "[default: tight]",
)
@click.option("--table", type=Path, help="CSV of boxes: case,label,x0,y0,x1,y1 or case,label,i0,j0,k0,i1,j1,k1.")
@click.option("--rule", default="", help="How boxes go from slice to slice.  [default: each model's own]")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Of the jitter.")
@click.option("--threads", type=click.IntRange(0), default=0, help="Threads of the model.  [default: all cores]")
@runtime_option
@click.option("--instances", is_flag=True, help="Every connected component of a label is an object with a box.")
@click.option(
    "--clicks", type=click.IntRange(0), default=0, help="Simulated corrections of each object; DSC after each."
)
@click.option("--save-predictions", is_flag=True, help="Write predictions/MODEL/CASE.npz, the challenge's 'segs'.")
def command(
    data: Path,
    models: tuple[str, ...],
    output: Path,
    boxes: str | None,
    table: Path | None,
    rule: str,
    seed: int,
    threads: int,
    runtime: str,
    instances: bool,
    clicks: int,
    save_predictions: bool,
) -> int:
    """Score models on DATA: 2DBox_*.npz and 3DBox_*.npz, or NAME.nii.gz with NAME_seg.nii.gz.

    Writes cases.csv, summary.csv and failures.csv; of several models also the tables of 'medsamlite rank'.
    """
    if boxes is not None and table is not None:
        raise PromptError("Boxes come from a rule or from a table: give --boxes or --table.")
    from ..evaluation.output_folder import check_apart
    from ..evaluation.prompts import BOX_RULES, Boxes, read_table
    from ..evaluation.runner import Plan, evaluate
    from ..evaluation.summary import table as lines
    from ..source_files import SourceFiles

    check_apart(output, SourceFiles([table] if table else []))
    chosen = next(rule for rule in BOX_RULES if rule == (boxes or "tight"))
    where = Boxes(chosen, read_table(table) if table else {}, seed)
    plan = Plan(where, rule, threads, save_predictions, instances, clicks, runtime)
    try:
        result = evaluate(data, models, output, plan, lambda line: click.echo(line, err=True))
        for line in lines(result.means):
            click.echo(line)
        if len({row.model for row in result.rows}) > 1:
            rank(result.rows, [(failure.case, failure.model) for failure in result.failures], output, SAMPLES, seed)
    except KeyboardInterrupt:
        return say_interrupted()
    click.echo(f"Written to {output}")
    if failed := len(result.failures):
        click.echo(f"{failed} case{'' if failed == 1 else 's'} failed, see {output / 'failures.csv'}", err=True)
    return 1 if result.failures else 0
