"""Reads whatever SimpleITK reads into one form: a (K, J, I) array with its geometry.  Writes nothing."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .dicom_folders import folders_below
from .errors import InputError
from .nifti_length import is_whole
from .nifti_numbers import not_finite
from .png_file import read_png
from .series_places import SeriesPlaces, left_out

__all__ = ["Volume", "read_image"]

_PICTURES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff")  # their spacing is a printer's or screen's
_MODALITY, _SERIES_NAME = "0008|0060", "0008|103e"


@dataclass(frozen=True, eq=False)
class Volume:
    """An image and where it lies in the patient; a 2-D image is a volume of one slice.

    Attributes
    ----------
    array : (K, J, I), or (K, J, I, C) when `rgb`, as stored; read-only
    spacing_mm : along (i, j, k)
    origin_mm : centre of voxel (0, 0, 0), LPS
    direction : (3, 3) float64, columns are the unit vectors of i, j and k in LPS
    modality : DICOM modality ("CT", "MR", "PT", ...) where the file says so
    rgb : whether the last axis holds colours
    path : what was read
    notes : sentences that the user should see
    files : the DICOM files of a folder's series, one a slice, in order
    """

    array: NDArray[Any]
    spacing_mm: tuple[float, float, float] = (1.0, 1.0, 1.0)
    origin_mm: tuple[float, float, float] = (0.0, 0.0, 0.0)
    direction: NDArray[np.float64] = field(default_factory=lambda: np.eye(3))
    modality: str | None = None
    rgb: bool = False
    path: Path | None = None
    notes: tuple[str, ...] = ()
    files: tuple[Path, ...] = ()

    @property
    def size_ijk(self) -> tuple[int, int, int]:
        """Voxels along (i, j, k)."""
        slices, rows, columns = self.array.shape[:3]
        return columns, rows, slices

    @property
    def voxel_ml(self) -> float:
        """Volume of a voxel in millilitres, of a sheared grid (a tilted gantry's) too."""
        return abs(float(np.linalg.det(self.direction * self.spacing_mm))) / 1000

    @property
    def pixel_mm2(self) -> float | None:
        """Area of a pixel of one slice; None of a volume, and where the file does not tell it."""
        pixel = self.spacing_mm[:2]
        if self.size_ijk[2] > 1 or pixel == (1, 1) or (self.path and self.path.suffix.lower() in _PICTURES):
            return None
        across, down = (self.direction * self.spacing_mm).T[:2]
        return float(np.linalg.norm(np.cross(across, down)))


def read_image(path: str | os.PathLike[str]) -> Volume:
    """Read an image file, or the largest DICOM series of a folder.

    Raises
    ------
    InputError
        If there is nothing at `path`, or no grey or colour image of two or three dimensions.
    """
    path = Path(path)
    if not os.path.exists(path):
        raise InputError(f"There is no file or folder {path}: check the name.")
    if not os.access(path, os.R_OK):
        raise InputError(f"{path} may not be read: its owner has to permit it.")
    pixels = read_png(path)
    if pixels is not None:
        return Volume(_read_only(pixels[None]), rgb=pixels.ndim == 3, path=path)
    import SimpleITK as sitk  # slow to import, and only needed for files

    with _no_warnings(sitk):
        return _read_series(sitk, path) if os.path.isdir(path) else _read_file(sitk, path)


@contextmanager
def _no_warnings(sitk: Any) -> Iterator[None]:
    """Keep ITK's own warnings off the user's terminal."""
    shown = sitk.ProcessObject.GetGlobalWarningDisplay()
    sitk.ProcessObject.SetGlobalWarningDisplay(False)
    try:
        yield
    finally:
        sitk.ProcessObject.SetGlobalWarningDisplay(shown)


def _read_file(sitk: Any, path: Path) -> Volume:
    if os.path.getsize(path) == 0:
        raise InputError(f"The file {path} is empty.")
    reader = _header(sitk, path)
    size = reader.GetSize()
    if len(size) > 3:
        if any(length > 1 for length in size[3:]):
            raise InputError(f"The image {path} is {len(size)}-dimensional: save one 3-D frame of it and use that.")
        reader.SetExtractSize([*size[:3], *[0] * (len(size) - 3)])
    _check_pixels(sitk, reader, path)
    nifti = reader.HasMetaDataKey("nifti_type") and path.name.lower().endswith((".nii", ".nii.gz"))
    header = {key: reader.GetMetaData(key) for key in reader.GetMetaDataKeys()} if nifti else {}
    if nifti and not is_whole(path, header):
        raise InputError(f"The image {path} is damaged or incomplete: it ends before its last voxel.")
    try:
        image = reader.Execute()
    except RuntimeError as error:
        raise InputError(f"The image {path} is damaged or incomplete ({_reason(error)}).") from error
    volume = _volume(sitk, image, path, _tag(reader, _MODALITY))
    return replace(volume, notes=_made_zero(volume, header)) if nifti else volume


def _made_zero(volume: Volume, header: dict[str, str]) -> tuple[str, ...]:
    """A sentence if ITK took voxels of a NIfTI file as 0 that are no numbers."""
    if volume.path is None or volume.array.dtype.kind != "f" or volume.array.all():
        return ()
    count = not_finite(volume.path, header)
    if count == volume.array.size:
        raise InputError(f"The image {volume.path} holds no finite value: there is nothing to segment.")
    return (f"Voxels of the image are not numbers and were taken as 0: {count}.",) if count else ()


def _read_series(sitk: Any, folder: Path) -> Volume:
    series = {
        uid: sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(folder), uid)
        for uid in sitk.ImageSeriesReader.GetGDCMSeriesIDs(str(folder))
    }
    if not series:
        below = ", ".join(map(str, folders_below(folder)))
        advice = f"give a folder in it that does, such as {below}" if below else "give an image file or a DICOM folder"
        raise InputError(f"The folder {folder} holds no DICOM images: {advice}.")
    chosen = max(series, key=lambda uid: len(series[uid]))
    header = _header(sitk, Path(series[chosen][0]))
    _check_pixels(sitk, header, folder)
    notes = [_several(sitk, series, chosen)] if len(series) > 1 else []
    notes += left_out("damaged or no images", _unread(folder, series))
    names = list(series[chosen])
    image, places = _slices(sitk, names, folder)
    across, down, _ = np.reshape(image.GetDirection(), (3, 3)).T
    kept = [names[n] for n in places.once(_shared(sitk, image), np.cross(across, down))]
    if len(kept) < len(names):
        notes += left_out("copies of others", [Path(name) for name in set(names) - set(kept)])
        names = kept
        image, places = _slices(sitk, names, folder)
    volume = _volume(sitk, image, folder, _tag(header, _MODALITY), (*notes, *places.notes()))
    return replace(volume, files=tuple(Path(name) for name in names))


def _slices(sitk: Any, names: list[str], folder: Path) -> tuple[Any, SeriesPlaces]:
    """The images of a series as one, and where they lie."""
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(names)
    reader.MetaDataDictionaryArrayUpdateOn()
    try:
        return reader.Execute(), SeriesPlaces(reader, len(names))
    except RuntimeError as error:
        raise InputError(f"The DICOM series in {folder} cannot be read as one volume ({_reason(error)}).") from error


def _unread(folder: Path, series: dict[str, Any]) -> list[Path]:
    """Files named like DICOM images that belong to no series; GDCM leaves damaged ones out without a word."""
    known = {Path(name).name for names in series.values() for name in names}
    return [file for file in folder.iterdir() if file.suffix.lower() in (".dcm", ".ima") and file.name not in known]


def _several(sitk: Any, series: dict[str, Any], chosen: str) -> str:
    def name(uid: str) -> str:
        described = _tag(_header(sitk, Path(series[uid][0])), _SERIES_NAME)
        return f"'{described or uid}' ({len(series[uid])} images)"

    others = ", ".join(name(uid) for uid in series if uid != chosen)
    return f"The folder holds {len(series)} DICOM series: {name(chosen)} is used as the largest, not {others}."


def _header(sitk: Any, path: Path) -> Any:
    """A reader that has read what comes before the pixels."""
    reader = sitk.ImageFileReader()
    reader.SetFileName(str(path))
    try:
        reader.ReadImageInformation()
    except RuntimeError as error:
        raise InputError(f"The file {path} is not an image that can be read ({_reason(error)}).") from error
    return reader


def _check_pixels(sitk: Any, reader: Any, path: Path) -> None:
    kind = sitk.GetPixelIDValueAsString(reader.GetPixelID())
    if "complex" in kind:
        raise InputError(f"The image {path} holds complex numbers: save its magnitude and use that.")
    if reader.GetNumberOfComponents() not in (1, 3, 4) or ("vector" in kind and "unsigned" not in kind):
        raise InputError(f"The image {path} holds a {kind} a voxel: only grey and colour images can be segmented.")


def _volume(sitk: Any, image: Any, path: Path, modality: str | None, notes: tuple[str, ...] = ()) -> Volume:
    array = _shared(sitk, image)
    components, flat = image.GetNumberOfComponentsPerPixel(), image.GetDimension() == 2
    if flat:
        array = array[None]
    spacing, origin, direction = [*image.GetSpacing()], [*image.GetOrigin()], np.eye(3)
    across = image.GetDimension()
    direction[:across, :across] = np.reshape(image.GetDirection(), (across, across))
    if flat:
        spacing, origin = [*spacing, 1.0], [*origin, 0.0]
    return Volume(
        array,
        (spacing[0], spacing[1], spacing[2]),
        (origin[0], origin[1], origin[2]),
        direction,
        modality,
        components > 2,
        path,
        notes,
    )


class _Buffer:
    """Hands numpy the voxels of an ITK image and keeps the image alive as long as the array."""

    def __init__(self, image: Any, view: NDArray[Any]) -> None:
        self.image = image
        self.__array_interface__ = view.__array_interface__


def _shared(sitk: Any, image: Any) -> NDArray[Any]:
    """The image's voxels without a copy, read-only."""
    return _read_only(np.asarray(_Buffer(image, sitk.GetArrayViewFromImage(image))))


def _read_only(array: NDArray[Any]) -> NDArray[Any]:
    array.flags.writeable = False
    return array


def _tag(reader: Any, key: str) -> str | None:
    return str(reader.GetMetaData(key)).strip() or None if reader.HasMetaDataKey(key) else None


def _reason(error: RuntimeError) -> str:
    """The last line of SimpleITK's message, which says what is wrong."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (
        lines[-1].removeprefix("sitk::ERROR: ").removeprefix("ITK ERROR: ")[:200].rstrip(".")
        if lines
        else "no reason given"
    )
