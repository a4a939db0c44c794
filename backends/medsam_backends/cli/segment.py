"""``medsamlite segment``: an image and boxes in; a segmentation, a report and a preview out."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from .box_command import BoxCommand, numbers
from .megabytes import MEGABYTES
from .runtime_option import runtime_option

if TYPE_CHECKING:
    from ..io import Volume
    from ..segmenter import Target

__all__ = ["command"]


@click.command("segment", cls=BoxCommand)
@click.argument("image")
@click.option(
    "--box",
    "boxes",
    multiple=True,
    required=True,
    metavar="I0 J0 K0 I1 J1 K1",
    help="First and last voxel of an object, counted from 0; I0 J0 I1 J1 on a 2-D image. Repeat for further objects.",
)
@click.option("--name", "names", multiple=True, help="Name of the box in the same place. Repeat for further boxes.")
@click.option("--axis", default="k", show_default=True, help="Slices are perpendicular to it: i, j or k.")
@click.option("--preset", default=None, help="Intensity preset, see 'medsamlite presets'.  [default: auto]")
@click.option("--level", type=float, help="Centre of a window of your own.")
@click.option("--width", type=float, help="Full width of a window of your own.")
@click.option("--modality", help="CT, MR, PT, ... where the image does not say.")
@click.option("--model", default="", help="See 'medsamlite models list'.  [default: the bundled one]")
@click.option("--rule", default="", help="How boxes go from slice to slice.  [default: the model's own]")
@click.option("--output", type=Path, help=".seg.nrrd, .nii.gz, .nrrd, .mha, .png or .dcm.  [default: IMAGE.seg.nrrd]")
@click.option("--report", type=Path, help="Write what was done and found, .json.")
@click.option("--preview", type=Path, help="Draw boxes and contours, .png.")
@click.option("--force", is_flag=True, help="Replace files that exist.")
@click.option("--threads", type=click.IntRange(0), default=0, help="Threads of the model.  [default: all cores]")
@runtime_option
@click.option("--cache", type=MEGABYTES, default=512, show_default=True, help="MB kept of encoded slices.")
@click.option("--disk-cache", type=MEGABYTES, default=0, show_default=True, help="MB of them kept on disk for later.")
def command(
    image: str,
    boxes: tuple[str, ...],
    names: tuple[str, ...],
    axis: str,
    preset: str | None,
    level: float | None,
    width: float | None,
    modality: str | None,
    model: str,
    rule: str,
    output: Path | None,
    report: Path | None,
    preview: Path | None,
    force: bool,
    threads: int,
    runtime: str,
    cache: float,
    disk_cache: float,
) -> None:
    """Segment the objects in boxes of IMAGE: a file that SimpleITK reads, or a folder of DICOM images."""
    started = time.perf_counter()
    from ..io import read_image
    from ..segmentation_run import Settings, default_output, run, targets
    from .progress_bar import progress_bar
    from .results import Results

    if preset is None:
        preset = "auto" if level is None and width is None else "manual"
    output = output or default_output(Path(image))
    results = Results(output, report, preview, force, Path(image))
    results.check()
    settings = Settings(axis, preset, level, width, modality, model, rule, threads, cache, runtime, disk_cache)
    wanted = [numbers(box) for box in boxes]

    def choose(volume: Volume) -> list[Target]:
        results.check_slices(volume)
        return targets(wanted, names, volume)

    with progress_bar() as progress:
        outcome = run(settings, lambda: read_image(image), choose, progress, started)
    results.write(outcome, started)
