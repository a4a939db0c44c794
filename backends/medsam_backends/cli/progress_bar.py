"""How far the work is: bars on a terminal; elsewhere nothing, but a line a minute about a cohort."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click

from ..segmenter import Progress

__all__ = ["cases_bar", "download_bar", "progress_bar"]

_LINES_S = 60.0
"""Seconds between lines about a cohort in a log."""


@contextmanager
def progress_bar() -> Iterator[Callable[[Progress], None] | None]:
    """What `VolumeSegmenter.segment` is to call at every slice; None when standard error is no terminal."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    columns = (
        TextColumn("Segmenting"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("slices,"),
        TimeRemainingColumn(),
    )
    with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=None)
        yield lambda progress: bar.update(task, completed=progress.done, total=progress.total)


@contextmanager
def cases_bar(total: int) -> Iterator[Callable[[], None]]:
    """What is to be called after every one of `total` cases; a line a minute when standard error is no terminal."""
    if not sys.stderr.isatty():
        yield _cases_lines(total)
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    columns = (TextColumn("Segmenting"), BarColumn(), MofNCompleteColumn(), TextColumn("cases,"), TimeRemainingColumn())
    with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=total)
        yield lambda: bar.advance(task)


def _cases_lines(total: int) -> Callable[[], None]:
    """For logs of jobs that nobody watches."""
    done, said = 0, time.monotonic()

    def step() -> None:
        nonlocal done, said
        done += 1
        if time.monotonic() - said >= _LINES_S:
            said = time.monotonic()
            click.echo(f"{done} of {total} cases done", err=True)

    return step


@contextmanager
def download_bar(what: str) -> Iterator[Callable[[int, int], None] | None]:
    """What `checkpoints.install` is to call with bytes done and to do; None when standard error is no terminal."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, TextColumn, TransferSpeedColumn
    from rich.progress import Progress as Bar

    columns = (TextColumn(f"Fetching {what}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total or None)
