"""``python -m medsam_backends demo``: segments three organs of a phantom, or a file of the user's, into a folder."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click
import numpy as np

from ..errors import PromptError
from ..whole_file import make_folder
from .box_command import BoxCommand, numbers

if TYPE_CHECKING:
    from ..io import Volume
    from ..phantom import Phantom
    from ..segmenter import Segment, Target

__all__ = ["command"]

_ORGANS = ("liver", "left kidney", "lesion")
_SLACK = 4  # voxels: nobody draws a box as tight as the truth


@click.command("demo", cls=BoxCommand, hidden=True)
@click.option(
    "--output", type=Path, default=Path("demo-output"), help="Folder for the three files; former ones are replaced."
)
@click.option("--image", help="Segment this instead of the phantom; needs --box.")
@click.option("--box", "boxes", multiple=True, metavar="I0 J0 K0 I1 J1 K1", help="As for 'segment'.")
@click.option("--model", default="", help="See 'medsamlite models list'.")
def command(output: Path, image: str | None, boxes: tuple[str, ...], model: str) -> None:
    """Write segmentation.seg.nrrd, preview.png and report.json of a phantom, or of IMAGE."""
    if (image is None) != (not boxes):
        raise PromptError("An image and its boxes belong together: give both, or none for the phantom.")
    started = time.perf_counter()
    from ..segmentation_run import Settings, run
    from .progress_bar import progress_bar
    from .results import Results

    make_folder(output)
    files = (output / "segmentation.seg.nrrd", output / "report.json", output / "preview.png")
    results = Results(*files, force=True, image=Path(image) if image else None)
    results.check()
    subject = _Phantom() if image is None else _File(image, boxes)
    with progress_bar() as progress:
        outcome = run(Settings(model=model), subject.read, subject.targets, progress, started)
    results.write(outcome, started, subject.dice(outcome.segments))


class _File:
    def __init__(self, image: str, boxes: tuple[str, ...]) -> None:
        self._image = image
        self._boxes = [numbers(box) for box in boxes]

    def read(self) -> Volume:
        from ..io import read_image

        return read_image(self._image)

    def targets(self, volume: Volume) -> list[Target]:
        from ..segmentation_run import targets

        return targets(self._boxes, (), volume)

    def dice(self, segments: Sequence[Segment]) -> None:
        """Nobody knows the truth."""


class _Phantom:
    _phantom: Phantom

    def read(self) -> Volume:
        from ..phantom import make_phantom

        self._phantom = make_phantom()
        return self._phantom.volume

    def targets(self, volume: Volume) -> list[Target]:
        from ..boxes import VoxelBox
        from ..segmenter import Target

        return [Target(VoxelBox(*self._phantom.box(name, _SLACK)), name) for name in _ORGANS]

    def dice(self, segments: Sequence[Segment]) -> list[float]:
        """The Dice coefficient of each segment with the phantom's truth."""
        scores: list[float] = []
        for segment in segments:
            truth = self._phantom.truth(segment.name)
            found = segment.full(truth.shape)
            scores.append(2 * np.count_nonzero(found & truth) / (np.count_nonzero(found) + np.count_nonzero(truth)))
        return scores
