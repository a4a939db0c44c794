"""Writes segments to a file, in the format that its name asks for; never over another file unasked."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .dicom_seg import check_dicom_source, check_highdicom, write_dicom_segmentation
from .errors import FormatError, OutputError
from .image_reader import Volume
from .named_mask import NamedMask, label_type, overlapping
from .png_file import write_png
from .seg_nrrd import write_label_map, write_segmentation_nrrd
from .source_files import SourceFiles
from .whole_file import check_free, replacing

__all__ = [
    "FORMATS",
    "check_fits",
    "check_output",
    "fill",
    "write_segmentation",
]


def write_segmentation(
    path: str | os.PathLike[str], segments: Sequence[NamedMask], volume: Volume, *, force: bool = False
) -> tuple[str, ...]:
    """Write `segments` in the geometry of `volume`, in the format that the name's ending asks for.

    ``.seg.nrrd`` is a segmentation of 3D Slicer that keeps names, colours and overlaps; the others
    are label maps with labels 1, 2, ... in order: ``.nrrd``, ``.nii``, ``.nii.gz``, ``.mha``, and
    ``.png`` for a 2-D image.  ``.dcm`` is a DICOM Segmentation of DICOM images.

    Returns
    -------
    sentences that the user should see, about what the format cannot keep

    Raises
    ------
    OutputError
        If the file exists and not `force`, or is one that `volume` was read from, the folder is missing or
        read-only, the disk is full, or the format does not fit.  Then nothing is left behind, and what was
        there is untouched.
    """
    path = Path(path)
    ending = check_output(path, force=force)
    check_fits(path, volume)
    if volume.path is not None:
        SourceFiles([volume.path]).check(path)
    with replacing(path, ending, force=force) as temporary:
        notes = fill(temporary, segments, volume)
    return notes


def fill(path: Path, segments: Sequence[NamedMask], volume: Volume) -> tuple[str, ...]:
    """Write `segments` to a new file, such as `replacing` gives; returns as `write_segmentation` does.

    Raises
    ------
    OSError
        If the file could not be written; part of it may be left.
    """
    ending = _ending(path)
    notes = FORMATS[ending](path, segments, volume)
    if ending in _KEEP_OVERLAPS:
        return notes
    pairs = overlapping(segments)
    return tuple(f"'{a}' and '{b}' overlap; a {ending} keeps '{b}' there, a .seg.nrrd both." for a, b in pairs)


def check_output(path: str | os.PathLike[str], *, force: bool = False) -> str:
    """The ending of `path` that names its format, if a file can be written there.

    Raises
    ------
    OutputError
        If there is no such format, the folder is missing or read-only, or the file exists and not `force`.
    """
    path = Path(path)
    check_free(path, force)  # first, for a folder has no ending
    ending = _ending(path)
    if ending == ".dcm":
        check_highdicom()
    return ending


def check_fits(path: Path, volume: Volume) -> None:
    """Raise `FormatError` if the format that the name asks for cannot hold segments of `volume`."""
    ending = path.suffix.lower()
    if ending == ".png" and volume.size_ijk[2] > 1:
        raise FormatError("A .png holds one slice, this is a volume: choose .seg.nrrd, .nii.gz or .nrrd.")
    if ending == ".dcm":
        check_dicom_source(volume)


def _ending(path: Path) -> str:
    ending = next((known for known in FORMATS if path.name.lower().endswith(known)), None)
    if ending is None:
        raise OutputError(f"The ending of '{path.name}' names no format: use one of {', '.join(FORMATS)}.")
    return ending


def _segmentation(path: Path, segments: Sequence[NamedMask], volume: Volume) -> tuple[str, ...]:
    with open(path, "xb") as stream:
        write_segmentation_nrrd(stream, segments, volume)
    return ()


def _label_map(path: Path, segments: Sequence[NamedMask], volume: Volume) -> tuple[str, ...]:
    with open(path, "xb") as stream:
        write_label_map(stream, segments, volume)
    return ()


def _by_simpleitk(path: Path, segments: Sequence[NamedMask], volume: Volume) -> tuple[str, ...]:
    """Label maps in SimpleITK's formats; read back, since ITK does not tell of every full disk."""
    columns, rows, slices = volume.size_ijk
    labels = np.zeros((slices, rows, columns), label_type(segments))
    for number, segment in enumerate(segments, start=1):
        for k in range(slices):
            segment.paint(labels[k], k, number)
    flat = path.suffix == ".png"
    if flat and write_png(path, labels[0]):
        return ()
    import SimpleITK as sitk

    image: Any = sitk.GetImageFromArray(labels[0] if flat else labels)
    if not flat:
        image.SetSpacing(volume.spacing_mm)
        image.SetOrigin(volume.origin_mm)
        image.SetDirection(volume.direction.ravel().tolist())
    try:
        sitk.WriteImage(image, str(path), useCompression=True)
        written = sitk.ReadImage(str(path))
    except RuntimeError as error:
        raise OSError(str(error).strip().splitlines()[-1]) from error
    if not np.array_equal(sitk.GetArrayViewFromImage(written).reshape(labels.shape), labels):
        raise OSError("the file came out incomplete; is the disk full?")
    return ()


Format = Callable[[Path, Sequence[NamedMask], Volume], tuple[str, ...]]
FORMATS: dict[str, Format] = {
    ".seg.nrrd": _segmentation,
    ".nrrd": _label_map,
    ".nii.gz": _by_simpleitk,
    ".nii": _by_simpleitk,
    ".mha": _by_simpleitk,
    ".png": _by_simpleitk,
    ".dcm": write_dicom_segmentation,
}
"""Endings, longest first where one is part of another, and what writes them and tells what the user should see."""
_KEEP_OVERLAPS = (".seg.nrrd", ".dcm")
