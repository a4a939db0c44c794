"""Real training volumes (``MODALITY_SET_NUMBER.nii.gz`` with ``..._seg.nii.gz``)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import SimpleITK as sitk

from .patients import HELD_OUT_VOLUMES
from .volumes import Volume

__all__ = ["open_volumes"]


def open_volumes(folder: Path, *, validation: bool) -> list[Volume]:
    """Read the volumes of one side of the split; float32 values in the units of the file."""
    names = [path.name.removesuffix("_seg.nii.gz") for path in sorted(folder.glob("*_seg.nii.gz"))]
    return [_read(folder, name) for name in names if (name in HELD_OUT_VOLUMES) == validation]


def _read(folder: Path, name: str) -> Volume:
    image = sitk.ReadImage(str(folder / f"{name}.nii.gz"))
    labels = sitk.GetArrayFromImage(sitk.ReadImage(str(folder / f"{name}_seg.nii.gz"))).astype(np.uint8)
    values = sitk.GetArrayFromImage(image).astype(np.float32)
    x, y, z = image.GetSpacing()
    modality, dataset = name.rsplit("_", 1)[0].split("_", 1)
    return Volume.of(name, dataset, modality, values, labels, (z, y, x))
