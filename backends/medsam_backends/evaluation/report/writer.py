"""Makes a report: reads evaluations, draws, and writes ``report.html`` and a folder of PNG files."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ...errors import InputError
from ...whole_file import make_folder, replacing
from ..protocol import check_same_protocol
from ..ranking import rank_models
from ..scoreboard import scoreboard
from ..significance import compare
from .corrections import clicks
from .distributions import DSC, NSD, RUNTIME, accuracy, panels
from .page import Parts, Ranked, render
from .pictures import Gallery, worst
from .stability import blobs, significance
from .study import CaseScore, Study, read_study
from .style import Plot, looks
from .tradeoff import bubbles

__all__ = ["Options", "write_report"]


@dataclass(frozen=True)
class Options:
    """What a user may choose.

    Attributes
    ----------
    data : folders with the cases' images, for pictures of the worst ones; none are shown without
    worst : how many of each model
    samples, seed : of the ranking's bootstrap
    command : as typed, for the page's foot
    """

    data: Sequence[Path] = ()
    worst: int = 3
    title: str = "Evaluation"
    samples: int = 1000
    seed: int = 0
    command: Sequence[str] = ()


def write_report(
    folders: Sequence[Path], output: Path, options: Options, note: Callable[[str], None] = lambda line: None
) -> Path:
    """Write the report of one or several evaluations; a former one there is replaced.

    Parameters
    ----------
    folders : that ``medsamlite evaluate`` wrote
    output : folder for ``report.html`` and ``plots/NAME.png``
    note : told what is being drawn

    Returns
    -------
    the page's path

    Raises
    ------
    InputError
        If a folder holds no scores, two were not made alike, or `options.data` has no cases.
    OutputError
        If a file cannot be written.
    """
    study = read_study(folders)
    check_same_protocol([(folder.path, folder.settings) for folder in study.folders])
    plots = output / "plots"
    make_folder(plots)
    parts = _draw(study, options, note)
    page = render(study, parts, options.title, options.command)
    for plot in parts.all():
        _write(plots / f"{plot.name}.png", plot.image)
    _write(output / "report.html", page.encode())
    return output / "report.html"


def _draw(study: Study, options: Options, note: Callable[[str], None]) -> Parts:
    note("Drawing plots")
    corrections = clicks(study)
    results = [accuracy(study), bubbles(study), *([corrections] if corrections else [])]
    modalities = [panels(study, metric) for metric in (DSC, NSD, RUNTIME)]
    chosen = [case for model in study.models for case in worst(study, model, options.worst)]
    pictures, notes = _pictures(study, chosen, options, note)
    ranking = _rank(study, options)
    return Parts(results, ranking, modalities, pictures, chosen, notes)


def _rank(study: Study, options: Options) -> Ranked | str:
    """The ranking with its plots, or why there is none."""
    try:
        board = scoreboard(study.rows, [failure[:2] for failure in study.failures])
    except InputError as error:
        return str(error)
    ranking, comparisons = rank_models(board, options.samples, options.seed), compare(board)
    return Ranked(ranking, [blobs(ranking, looks(study.seen)), significance(ranking.models, comparisons)])


def _pictures(
    study: Study, chosen: Sequence[CaseScore], options: Options, note: Callable[[str], None]
) -> tuple[list[Plot], list[str]]:
    if not options.data:
        return [], ["Give the folder of the images with --data to see them here."]
    gallery, plots = Gallery(study, options.data), []
    for number, model in enumerate(study.models, start=1):
        note(f"Drawing the worst cases of {model}")
        plot = gallery.draw(model, [case for case in chosen if case.model == model], f"worst-{number}")
        plots += [plot] if plot else []
    return plots, [f"{case} by {model} is not shown: {why}." for (case, model), why in gallery.missing.items()]


def _write(path: Path, content: bytes) -> None:
    with replacing(path, path.suffix, force=True) as temporary:
        temporary.write_bytes(content)
