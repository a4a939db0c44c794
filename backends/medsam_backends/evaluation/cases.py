"""Finds the cases of a folder and reads one: image, truth, spacing and boxes.  Says nothing of models."""

from __future__ import annotations

import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..image_reader import Volume, read_image

__all__ = ["Case", "CaseData", "find_cases"]

_CHALLENGE = ("2DBox", "3DBox")
_VOLUME, _TRUTH, _ARRAYS = ".nii.gz", "_seg.nii.gz", ".npz"
_PRESETS = {"CT": "abdomen", "MR": "mr", "PET": "pet"}


@dataclass(frozen=True, eq=False)
class CaseData:
    """What a case holds.

    Attributes
    ----------
    image : (H, W) or (H, W, 3) of a picture, (K, J, I) of a volume
    truth : label map of the image's size, 0 is background; nothing else in a case that nobody labelled
    spacing : of the truth's axes in the array's order, in mm; as stored in a challenge file
    boxes : (N, 4) edges ``x0 y0 x1 y1`` of a picture, (N, 6) first and last voxel ``i j k i j k`` of a
        volume, a row a label in rising order; None where the file has none
    """

    image: NDArray[Any]
    truth: NDArray[np.integer[Any]]
    spacing: tuple[float, float, float] = (1.0, 1.0, 1.0)
    boxes: NDArray[np.float64] | None = None

    @property
    def is_picture(self) -> bool:
        """Whether it is one slice with boxes of four edges."""
        return self.truth.ndim == 2

    @property
    def labels(self) -> list[int]:
        """Labels of the truth, rising; of a case that nobody labelled, numbers of its boxes from 1."""
        if self.is_labelled or self.boxes is None:
            return [int(label) for label in np.unique(self.truth) if label]
        return list(range(1, len(self.boxes) + 1))

    @property
    def is_labelled(self) -> bool:
        """Whether there is a truth to compare with."""
        return bool(self.truth.any())


@dataclass(frozen=True)
class Case:
    """A case that was found; its name ``[2DBox_|3DBox_]MODALITY_DATASET_NUMBER`` says where it belongs."""

    name: str
    path: Path

    @property
    def modality(self) -> str:
        """First part of the name."""
        return self._parts[0]

    @property
    def dataset(self) -> str:
        """What lies between the modality and the number."""
        return "_".join(self._parts[1:-1])

    @property
    def files(self) -> list[Path]:
        """What `read` reads."""
        return [self.path] if self.path.name.endswith(_ARRAYS) else [self.path, self._truth]

    @property
    def _truth(self) -> Path:
        return self.path.with_name(self.name + _TRUTH)

    @property
    def _parts(self) -> list[str]:
        parts = self.name.split("_")
        return parts[1:] if parts[0] in _CHALLENGE else parts

    def preset(self, image: NDArray[Any]) -> str:
        """Intensity preset for `image`: by modality in original intensities, none where it is 8 bit already."""
        if image.dtype == np.uint8:
            return "auto"
        if self.modality == "CT" and "lung" in self.name.lower():
            return "lung"
        return _PRESETS.get(self.modality, "auto")

    def read(self) -> CaseData:
        """Read image and truth.

        Raises
        ------
        InputError
            If a file or a part of it is missing, truth and image differ in size or place, or a label is a fraction.
        """
        data = self._arrays() if self.path.name.endswith(_ARRAYS) else self._volume()
        spatial = data.image.shape[: data.truth.ndim]
        if data.truth.ndim not in (2, 3) or spatial != data.truth.shape:
            raise InputError(f"{self.name}: the truth has size {data.truth.shape}, the image {data.image.shape}.")
        if not data.labels:
            raise InputError(f"{self.name}: there is neither a label nor a box, so nothing to segment.")
        return data

    def _arrays(self) -> CaseData:
        if not zipfile.is_zipfile(self.path):  # numpy would take it for a pickle, and advise to trust it
            raise InputError(f"{self.path} is not an .npz file, or is damaged.")
        try:
            with np.load(self.path) as file:
                arrays = {name: file[name] for name in ("imgs", "gts", "spacing", "boxes") if name in file}
        except ValueError:  # what numpy says of it is how to run the code that may be in there
            raise InputError(f"{self.path} holds something else than arrays of numbers.") from None
        except (OSError, EOFError, zipfile.BadZipFile, zlib.error) as error:
            raise InputError(f"{self.path} cannot be read as arrays: {error}.") from None
        if "imgs" not in arrays or not {"gts", "boxes"} & arrays.keys():
            raise InputError(f"{self.path} needs 'imgs', and 'gts' or 'boxes': there is nothing to segment.")
        boxes = arrays["boxes"].astype(np.float64) if "boxes" in arrays else None
        shape = arrays["imgs"].shape
        spatial = shape[:2] if boxes is not None and boxes.shape[-1] == 4 else shape[:3]
        truth = arrays["gts"] if "gts" in arrays else np.zeros(spatial, np.uint8)
        i, j, k = arrays.get("spacing", np.ones(3)).astype(float).tolist()
        return CaseData(arrays["imgs"], self._whole(truth), (i, j, k), boxes)

    def _volume(self) -> CaseData:
        image = read_image(self.path)
        truth = read_image(self._truth)
        apart = _apart_mm(image, truth)
        if image.size_ijk == truth.size_ijk and apart > min(image.spacing_mm) / 2:
            raise InputError(
                f"{self.name}: the truth lies {apart:.1f} mm off the image at a corner: give both the same spacing, "
                "origin and direction."
            )
        i, j, k = image.spacing_mm
        return CaseData(image.array, self._whole(truth.array), (k, j, i))

    def _whole(self, truth: NDArray[Any]) -> NDArray[np.integer[Any]]:
        if truth.dtype.kind != "f":
            return truth
        if not np.array_equal(truth, np.rint(truth)):
            raise InputError(f"{self.name}: the truth holds fractions, which are no labels: give whole numbers.")
        return truth.astype(np.int32)


def find_cases(folder: Path) -> list[Case]:
    """The cases of a folder by name: ``2DBox_*.npz`` and ``3DBox_*.npz``, or ``NAME.nii.gz`` with ``NAME_seg.nii.gz``.

    Raises
    ------
    InputError
        If there is none.
    """
    if not folder.is_dir():
        raise InputError(f"There is no folder {folder}: check the name.")
    paths = [path for prefix in _CHALLENGE for path in folder.glob(f"{prefix}_*{_ARRAYS}")]
    paths += [p for p in folder.glob(f"*{_VOLUME}") if p.with_name(_stem(p) + _TRUTH).is_file()]
    if not paths:
        raise InputError(f"{folder} holds no case: 2DBox_*.npz, 3DBox_*.npz, or NAME.nii.gz with NAME_seg.nii.gz.")
    return sorted((Case(_stem(path), path) for path in paths), key=lambda case: case.name)


def _apart_mm(image: Volume, truth: Volume) -> float:
    """The largest distance between where both have the image's corners, in mm."""
    ends = [(0, size - 1) for size in image.size_ijk]
    corners = np.stack(np.meshgrid(*ends), axis=-1).reshape(-1, 3)
    first, other = (corners @ (one.direction * one.spacing_mm).T + one.origin_mm for one in (image, truth))
    return float(np.linalg.norm(first - other, axis=1).max())


def _stem(path: Path) -> str:
    return path.name.removesuffix(_VOLUME).removesuffix(_ARRAYS)
