"""The files that a run writes: all checked before the work begins, then written together or not at all."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from ..errors import OutputError
from ..io import Volume, check_output
from ..run_report import as_json, describe, lines
from ..segmentation_run import Outcome
from ..segmentation_writer import check_fits, fill
from ..source_files import SourceFiles
from ..whole_file import check_free, replacing_together

__all__ = ["Results"]


@dataclass(frozen=True)
class Results:
    """Where the results of a run go; None for what nobody asked for.

    Attributes
    ----------
    image : what is read, and never replaced
    """

    segmentation: Path
    report: Path | None = None
    preview: Path | None = None
    force: bool = False
    image: Path | None = None

    def check(self) -> None:
        """Raise `OutputError` unless every file can be written."""
        check_output(self.segmentation, force=self.force)
        for path, ending in ((self.report, ".json"), (self.preview, ".png")):
            if path is not None:
                _check(path, ending, self.force)
        if len({path.absolute() for path in self._paths}) < len(self._paths):
            raise OutputError("Two results cannot go to one file: give each a name of its own.")
        sources = SourceFiles([self.image] if self.image else [])
        for path in self._paths:
            sources.check(path)

    @property
    def _paths(self) -> list[Path]:
        return [path for path in (self.segmentation, self.report, self.preview) if path is not None]

    def check_slices(self, image: Volume) -> None:
        """Raise `OutputError` if the segmentation's format cannot hold segments of `image`."""
        check_fits(self.segmentation, image)

    def write(self, outcome: Outcome, started: float, dice: Sequence[float] | None = None) -> dict[str, Any]:
        """Write everything, say on the terminal what was found, and return the report.

        Parameters
        ----------
        started : `time.perf_counter` when the command began
        dice : of each segment with a known truth, for the report

        Raises
        ------
        OutputError
            If a file cannot be written.
        """
        picture = b""
        if self.preview is not None:
            from .preview import draw  # pillow is imported only for those who want a picture

            picture = draw(outcome)
        ending = check_output(self.segmentation, force=self.force)
        endings = {**{path: path.suffix for path in self._paths}, self.segmentation: ending}
        with replacing_together(endings, force=self.force) as temporaries:
            place = dict(zip(endings, temporaries, strict=True))
            messages = fill(place[self.segmentation], outcome.masks(), outcome.image)
            if self.preview is not None:
                place[self.preview].write_bytes(picture)
            report = describe(outcome, time.perf_counter() - started, messages, dice)
            if self.report is not None:
                place[self.report].write_bytes(as_json(report))
        self._say(report)
        return report

    def _say(self, report: dict[str, Any]) -> None:
        for line in lines(report):
            click.echo(line)
        click.echo(f"Written to {self.segmentation}")
        for message in report["messages"]:
            click.echo(f"Note: {message}", err=True)
        for segment in report["segments"]:
            for message in segment["messages"]:
                click.echo(f"Note: {segment['name']}: {message}", err=True)


def _check(path: Path, ending: str, force: bool) -> None:
    if path.suffix.lower() != ending:
        raise OutputError(f"'{path.name}' must end in {ending}.")
    check_free(path, force)
