"""Writes DICOM Segmentation objects that refer to the images they were made from; needs the package `highdicom`.

Of the source only what the standard demands is copied: identifiers, names, dates, and where the slices lie.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import util
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .errors import FormatError, OutputError
from .image_reader import Volume
from .named_mask import NamedMask, label_type, overlapping

if TYPE_CHECKING:
    from highdicom.seg import Segmentation, SegmentDescription

__all__ = ["check_dicom_source", "check_highdicom", "write_dicom_segmentation"]

_ADVICE = "choose .seg.nrrd or .nii.gz"
_PATIENT_AND_STUDY = (
    *("PatientName", "PatientID", "PatientBirthDate", "PatientSex"),
    *("StudyDate", "StudyTime", "StudyID", "AccessionNumber", "ReferringPhysicianName"),
)
"""Attributes that a Segmentation must have, with an empty value if need be (types 2 in PS3.3 C.7.1.1 and C.7.2.1)."""
_UIDS = ("StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID")
_PLACE = ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "SliceThickness", "Rows", "Columns")
_READ = (
    *_PATIENT_AND_STUDY,
    *_UIDS,
    *_PLACE,
    *("SpecificCharacterSet", "SOPClassUID", "SOPInstanceUID", "Modality", "NumberOfFrames"),
    "PositionReferenceIndicator",
)
_LABEL_LENGTH = 64  # characters of a DICOM long string
_SERIES_NUMBER = 900  # behind the numbers that scanners give


def check_highdicom() -> None:
    """Raise `OutputError` unless DICOM Segmentations can be written here."""
    if util.find_spec("highdicom") is None:
        raise OutputError("A .dcm needs the package highdicom: pip install highdicom.")


def check_dicom_source(volume: Volume) -> None:
    """Raise `FormatError` unless `volume` was read from DICOM images of one slice each."""
    files = _files(volume)
    if not files:
        raise FormatError(f"A .dcm refers to the DICOM images it was made from, this image is none: {_ADVICE}.")
    if len(files) != volume.size_ijk[2]:
        raise FormatError(f"A .dcm of a DICOM file with several slices in it cannot be made: {_ADVICE}.")


def write_dicom_segmentation(path: Path, segments: Sequence[NamedMask], volume: Volume) -> tuple[str, ...]:
    """Write a binary DICOM Segmentation with a frame for each slice on which a segment has voxels.

    Returns
    -------
    sentences on what was missing in the source

    Raises
    ------
    OutputError
        If `volume` was not read from DICOM images, these lack their place in the patient, or `highdicom` is missing.
    """
    check_highdicom()
    check_dicom_source(volume)
    from pydicom.errors import InvalidDicomError

    with _quiet():
        try:
            headers, notes = _headers(volume)
            segmentation = _segmentation(headers, segments, volume)
        except (
            AttributeError,
            TypeError,
            ValueError,
            InvalidDicomError,
        ) as error:  # the many ways in which headers can be wrong
            raise FormatError(f"A .dcm of these images cannot be made ({error}): {_ADVICE}.") from error
        segmentation.save_as(str(path), enforce_file_format=True)
    return notes


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep off the terminal what pydicom thinks of the source's values, which are not ours to change."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _segmentation(headers: Sequence[Any], segments: Sequence[NamedMask], volume: Volume) -> Segmentation:
    import highdicom as hd
    from pydicom.uid import ExplicitVRLittleEndian

    from . import __version__

    made = hd.seg.Segmentation(
        source_images=headers,
        pixel_array=_pixels(segments, volume),
        segmentation_type=hd.seg.SegmentationTypeValues.BINARY,
        segment_descriptions=[_description(number, one) for number, one in enumerate(segments, start=1)],
        series_instance_uid=hd.UID(),
        series_number=_SERIES_NUMBER,
        sop_instance_uid=hd.UID(),
        instance_number=1,
        manufacturer="MedSAMLite",
        manufacturer_model_name="medsamlite",
        software_versions=__version__,
        device_serial_number="0",  # must not be empty, and software has none
        transfer_syntax_uid=ExplicitVRLittleEndian,  # what every reader understands
        pixel_measures=hd.PixelMeasuresSequence(
            pixel_spacing=[float(value) for value in headers[0].PixelSpacing],
            slice_thickness=headers[0].SliceThickness,
            spacing_between_slices=float(volume.spacing_mm[2]),
        ),
        omit_empty_frames=any(segment.mask.any() for segment in segments),  # there must be a frame
        content_label="SEGMENTATION",
        specific_character_set="ISO_IR 192",
        series_description="MedSAMLite segmentation",
    )
    made.ContentCreatorName = None  # must be there, may be empty
    return made


def _files(volume: Volume) -> tuple[Path, ...]:
    """The DICOM files of the slices in order; none when the image is no DICOM image."""
    if volume.files:
        return volume.files
    if volume.path is None or not volume.path.is_file():
        return ()
    with open(volume.path, "rb") as stream:
        return (volume.path,) if stream.read(132)[128:] == b"DICM" else ()


def _headers(volume: Volume) -> tuple[list[Any], tuple[str, ...]]:
    """What the Segmentation needs of each source image, and sentences on what had to be made up."""
    from pydicom import dcmread

    headers: list[Any] = []
    for file in _files(volume):
        header = dcmread(file, stop_before_pixels=True, specific_tags=list(_READ))
        header.SOPClassUID = header.get("SOPClassUID") or header.file_meta.MediaStorageSOPClassUID
        header.SOPInstanceUID = header.get("SOPInstanceUID") or header.file_meta.MediaStorageSOPInstanceUID
        missing = [name for name in _PLACE if name != "SliceThickness" and header.get(name) is None]
        if missing or int(header.get("NumberOfFrames") or 1) > 1:
            raise FormatError(
                f"{file.name} does not say where its one slice lies in the patient, as a .dcm must: {_ADVICE}."
            )
        for name in _PATIENT_AND_STUDY:
            if name not in header:
                setattr(header, name, None)
        header.SliceThickness = float(header.get("SliceThickness") or volume.spacing_mm[2])
        headers.append(header)
    return headers, _complete(headers)


def _complete(headers: Sequence[Any]) -> tuple[str, ...]:
    """Give the images the identifiers that anonymisation may have taken away, and say so."""
    from highdicom import UID

    missing = [name for name in _UIDS if not headers[0].get(name)]
    for name in missing:
        new = UID()
        for header in headers:
            setattr(header, name, new)
    if not missing:
        return ()
    return (f"The DICOM images have no {', '.join(missing)}: the .dcm has new ones, so programs may not match it.",)


def _pixels(segments: Sequence[NamedMask], volume: Volume) -> NDArray[np.unsignedinteger]:
    """(K, J, I) labels, or (K, J, I, segments) zeros and ones where segments overlap."""
    columns, rows, slices = volume.size_ijk
    if overlapping(segments):
        layers = np.zeros((slices, rows, columns, len(segments)), np.uint8)
        for number, segment in enumerate(segments):
            for k in range(slices):
                segment.paint(layers[k, ..., number], k, 1)
        return layers
    labels = np.zeros((slices, rows, columns), label_type(segments))
    for number, segment in enumerate(segments, start=1):
        for k in range(slices):
            segment.paint(labels[k], k, number)
    return labels


def _description(number: int, segment: NamedMask) -> SegmentDescription:
    """A segment's name, colour and origin; what it is only the user knows, so it is coded as tissue."""
    import highdicom as hd
    from pydicom.sr.codedict import codes

    name, version = (part or "unknown" for part in segment.found_by)
    return hd.seg.SegmentDescription(
        segment_number=number,
        segment_label=_label(segment.name) or f"Segment {number}",
        segmented_property_category=codes.SCT.Tissue,
        segmented_property_type=codes.SCT.Tissue,
        algorithm_type=hd.seg.SegmentAlgorithmTypeValues.SEMIAUTOMATIC,
        algorithm_identification=hd.AlgorithmIdentificationSequence(
            _label(name), codes.cid7162.ArtificialIntelligence, _label(version)
        ),
        display_color=hd.color.CIELabColor.from_rgb(*(255 * channel for channel in segment.color)),
    )


def _label(text: str) -> str:
    """A text as DICOM's short texts allow it: a backslash would part it in two."""
    plain = "".join(character if character.isprintable() else " " for character in text).replace("\\", "/")
    return plain.strip()[:_LABEL_LENGTH]
