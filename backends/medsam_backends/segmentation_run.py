"""The work behind ``segment``, ``demo`` and ``batch``: from image, boxes and settings to segments.  Writes nothing."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from .backend import Backend
from .boxes import VoxelBox, check_axis
from .cache import EmbeddingCache
from .errors import OutputError, PromptError
from .intensity import get_preset
from .io import COLORS, NamedMask, Volume
from .modalities import check_modality
from .propagation import get_rule
from .registry import open_model
from .runtimes import check_runtime
from .segmenter import Progress, Segment, Target, VolumeSegmenter

if TYPE_CHECKING:
    from .disk_store import DiskStore

__all__ = ["Outcome", "Settings", "check_names", "default_output", "run", "targets"]

_ENDINGS = (".seg.nrrd", ".nii.gz", ".nrrd", ".nii")


@dataclass(frozen=True)
class Settings:
    """What a user may choose; empty or None means the model's or the preset's own."""

    axis: str = "k"
    preset: str = "auto"
    level: float | None = None
    width: float | None = None
    modality: str | None = None
    model: str = ""
    rule: str = ""
    threads: int = 0
    cache_mb: float = 512
    runtime: str = "onnxruntime"
    disk_cache_mb: float = 0

    def check(self) -> None:
        """Raise `PromptError` for what is wrong whatever the image, before it is read."""
        check_axis(self.axis)
        get_preset(self.preset)
        if self.modality:
            check_modality(self.modality)
        if self.rule:
            get_rule(self.rule)
        check_runtime(self.runtime)


@dataclass(frozen=True, eq=False)
class Outcome:
    """Segments, and all that a report or a preview says of them.

    Attributes
    ----------
    load_s : seconds spent on importing, reading the image and loading the model
    """

    image: Volume
    segmenter: VolumeSegmenter
    segments: list[Segment]
    rule: str
    threads: int
    load_s: float

    @property
    def backend(self) -> Backend:
        """The model."""
        return self.segmenter.backend

    def masks(self) -> list[NamedMask]:
        """The segments with a colour each."""
        model = self.backend.spec.name, self.backend.spec.version
        return [
            NamedMask(segment.name, segment.mask, segment.origin, COLORS[n % len(COLORS)], model)
            for n, segment in enumerate(self.segments)
        ]


def default_output(image: Path, ending: str = ".seg.nrrd") -> Path:
    """The image's name with the ending of a segmentation, in the current folder."""
    name = image.resolve().name
    known = next((known for known in _ENDINGS if name.lower().endswith(known)), image.suffix)
    return Path(f"{name[: len(name) - len(known)] or 'image'}{ending}")


def check_names(names: Sequence[str], boxes: Sequence[object]) -> None:
    """Raise `PromptError` if there are more names than boxes."""
    if len(names) > len(boxes):
        raise PromptError(f"There are more names ({len(names)}) than boxes ({len(boxes)}): give each box one at most.")


def targets(boxes: Sequence[Sequence[float]], names: Sequence[str], image: Volume) -> list[Target]:
    """A named target for each box.

    Raises
    ------
    PromptError
        If a box does not fit the image, or there are more names than boxes.
    """
    check_names(names, boxes)
    slices = image.size_ijk[2]
    found = []
    for number, values in enumerate(boxes):
        if len(values) == 4 and slices > 1:
            raise PromptError(f"The image has {slices} slices: give each box as i0 j0 k0 i1 j1 k1.")
        box = VoxelBox.from_sequence(values)
        box.clipped(image.size_ijk)
        found.append(Target(box, names[number] if number < len(names) else f"Segment {number + 1}"))
    return found


def run(
    settings: Settings,
    read: Callable[[], Volume],
    choose: Callable[[Volume], list[Target]],
    progress: Callable[[Progress], None] | None = None,
    started: float | None = None,
    load: Callable[[Settings], Backend] | None = None,
) -> Outcome:
    """Read the image, load the model and segment.

    Parameters
    ----------
    read : gives the image
    choose : the targets in it
    started : `time.perf_counter` when loading began; now when None
    load : gives the model where it is kept loaded; else it is opened
    """
    started = time.perf_counter() if started is None else started
    settings.check()
    with ThreadPoolExecutor(1) as other:  # runtimes prepare graphs while the image is read
        opened = other.submit(load or _open, settings)
        image = read()
        objects = choose(image)
        backend = opened.result()
    load_s = time.perf_counter() - started
    segmenter = VolumeSegmenter(
        backend,
        image.array,
        axis=check_axis(settings.axis),
        preset=settings.preset,
        level=settings.level,
        width=settings.width,
        modality=settings.modality or image.modality,
        cache=EmbeddingCache(int(settings.cache_mb * 2**20)),
        store=_store(settings),
    )
    rule = settings.rule or backend.spec.rule
    segments = segmenter.segment(objects, rule=rule, progress=progress)
    return Outcome(image, segmenter, segments, rule, settings.threads, load_s)


def _open(settings: Settings) -> Backend:
    return open_model(settings.model, settings.runtime, settings.threads)


def _store(settings: Settings) -> DiskStore | None:
    if settings.disk_cache_mb == 0:
        return None
    from .disk_store import DiskStore

    try:
        return DiskStore(int(settings.disk_cache_mb * 2**20))
    except OSError as error:
        raise OutputError(
            f"Encoded slices cannot be kept on disk ({error}): leave --disk-cache out, or set MEDSAMLITE_CACHE to a "
            "folder of your own."
        ) from None
