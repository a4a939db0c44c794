"""``medsamlite batch``: a table of images and boxes, segmented by several processes."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..errors import OutputError, PromptError
from .interrupted import say_interrupted
from .megabytes import MEGABYTES
from .runtime_option import runtime_option

if TYPE_CHECKING:
    from ..cohort.crew import Crew
    from ..cohort.run import Outcome, Plan
    from ..cohort.table import Problem
    from ..csv_table import CsvForm

__all__ = ["command"]

_SHOWN = 20


@click.command("batch")
@click.argument("cases", type=Path)
@click.option(
    "--output", type=Path, required=True, help="Folder of segmentations and tables; a former run there goes on."
)
@click.option("--format", "ending", default=".seg.nrrd", show_default=True, help="Ending of outputs without a name.")
@click.option("--model", default="", help="For rows that name none.  [default: the bundled one]")
@click.option("--preset", default="auto", show_default=True, help="For rows that name none.")
@click.option("--modality", help="For rows that name none, where the image does not say.")
@click.option("--axis", default="k", show_default=True, help="For rows that name none.")
@click.option("--rule", default="", help="For rows that name none.  [default: the model's own]")
@runtime_option
@click.option("--workers", type=click.IntRange(0), help="Processes; 0 for this one alone.  [default: one a core]")
@click.option("--threads-per-worker", "threads", type=click.IntRange(1), help="Threads of each model.  [default: 1]")
@click.option("--memory-limit", help="Of each worker, as 4GB; one beyond it is replaced.  [default: an equal share]")
@click.option("--scheduler", metavar="ADDRESS", help="Use the workers of this Dask scheduler, as tcp://host:8786.")
@click.option("--retries", type=click.IntRange(0), default=2, show_default=True, help="After a failure that may pass.")
@click.option("--cache", type=MEGABYTES, default=512, show_default=True, help="MB of slices kept, a worker.")
@click.option("--force", is_flag=True, help="Make again what was made with other settings; replace files in the way.")
def command(
    cases: Path,
    output: Path,
    ending: str,
    model: str,
    preset: str,
    modality: str | None,
    axis: str,
    rule: str,
    runtime: str,
    workers: int | None,
    threads: int | None,
    memory_limit: str | None,
    scheduler: str | None,
    retries: int,
    cache: float,
    force: bool,
) -> int:
    """Segment every row of the table CASES, with columns image, box, and any of names, output, preset, model, ...

    Ends with failed.csv, batch.csv and segments.csv in the folder; the same command again goes on
    where this one stopped.
    """
    from ..cohort.run import plan
    from ..cohort.table import read_table
    from ..cohort.tables import check_tables
    from ..runtimes import check_runtime
    from ..segmentation_run import Settings

    if scheduler is not None and (workers is not None or memory_limit is not None):
        raise PromptError("--scheduler has its own workers: leave out --workers and --memory-limit.")
    if workers == 0 and memory_limit is not None:
        raise PromptError("--memory-limit needs workers of their own: leave out --workers 0.")
    threads = threads or int(workers != 0)
    defaults = Settings(axis, preset, None, None, modality, model, rule, threads, cache, runtime)
    check_runtime(runtime)
    check_tables(output, cases)
    table = read_table(cases, defaults, ending, output)
    if table.unused:
        click.echo(f"Note: columns not used: {', '.join(table.unused)}", err=True)
    todo = plan(table, output, force=force)
    if todo.problems:
        click.echo(f"{len(todo.problems)} of {_total(todo)} rows cannot be segmented:", err=True)
        _list(todo.problems)
    crew = _crew(scheduler, workers, threads or 1, memory_limit or "auto") if todo.orders else nullcontext()
    return _run(todo, output, crew, retries, table.form)


def _crew(scheduler: str | None, workers: int | None, threads: int, memory_limit: str) -> AbstractContextManager[Crew]:
    from ..cohort.crew import SingleCrew, check_dask

    if workers == 0:
        return nullcontext(SingleCrew())
    check_dask()
    from ..cohort.dask_crew import cluster_crew, default_workers, local_crew

    if scheduler is not None:
        return cluster_crew(scheduler)
    return local_crew(workers or default_workers(threads), memory_limit)


def _run(todo: Plan, folder: Path, crew: AbstractContextManager[Crew | None], retries: int, form: CsvForm) -> int:
    """Have the plan done, write the tables also when interrupted, and say what came of it."""
    from ..cohort.interruption import Interruption
    from ..cohort.run import Outcome, done_meanwhile, run_cohort
    from ..cohort.tables import write_tables
    from .progress_bar import cases_bar

    made: list[Outcome] = list(todo.kept)
    failed: list[Problem] = []
    interrupted = False
    try:
        with crew as team, cases_bar(len(todo.orders)) as step, Interruption() as interruption:
            for result in run_cohort(todo.orders, team, retries) if team is not None else ():
                if isinstance(result, Outcome):
                    made.append(result)
                else:
                    failed.append(result)
                step()
                interruption.check()
    except KeyboardInterrupt:
        interrupted = True
        made += done_meanwhile(todo.orders, made)
    problems = sorted([*todo.problems, *failed], key=lambda problem: problem.line)
    _say(todo, made, failed)
    try:
        write_tables(folder, made, problems, form)
    except OutputError as error:
        raise OutputError(f"{error} Segmentations that were written are sound; run the same command again.") from None
    click.echo(f"Written to {folder}")
    if interrupted:
        return say_interrupted()
    return 1 if problems else 0


def _say(todo: Plan, made: Sequence[Outcome], failed: Sequence[Problem]) -> None:
    if failed:
        click.echo(f"{len(failed)} case{'' if len(failed) == 1 else 's'} failed:", err=True)
        _list(sorted(failed, key=lambda problem: problem.line))
    done = len(made)
    kept = f", {len(todo.kept)} of them before" if todo.kept else ""
    click.echo(f"{done} of {_total(todo)} cases are segmented{kept}")


def _list(problems: Sequence[Problem]) -> None:
    width = min(40, max(len(problem.image) for problem in problems))
    for problem in problems[:_SHOWN]:
        click.echo(f"  line {problem.line:<5} {problem.image:<{width}}  {problem.reason}", err=True)
    if len(problems) > _SHOWN:
        click.echo(f"  and {len(problems) - _SHOWN} more, see failed.csv", err=True)


def _total(todo: Plan) -> int:
    return len(todo.orders) + len(todo.kept) + len(todo.problems)
