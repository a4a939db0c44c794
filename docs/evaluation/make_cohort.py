"""Makes a cohort to try the evaluation on: volumes, slices and projections of phantoms, with their true labels.

    python docs/evaluation/make_cohort.py phantoms

Nobody's images: an accuracy measured on them says nothing about patients.
"""

import sys
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from medsam_backends.phantom import LABELS, Phantom, make_phantom

ORGANS = ("liver", "spleen", "right kidney", "left kidney")
LUNGS = ("right lung", "left lung")
PHANTOMS = 8
SIZE, SPACING_MM = (160, 112, 64), (2.1, 2.1, 5.5)


def main(folder: Path) -> None:
    """Write the cohort: 4 CT volumes, 16 CT slices, 8 projections."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(1, PHANTOMS + 1):
        phantom = make_phantom(SIZE, SPACING_MM, seed=number)
        if number <= PHANTOMS // 2:
            write_volume(folder / f"CT_phantom_{number:04}", phantom)
        for part, k in enumerate((24, 30)):
            organs = np.where(np.isin(phantom.labels[k], [LABELS[name] for name in ORGANS]), phantom.labels[k], 0)
            picture = grey(phantom.volume.array[k], -160, 240)
            write_picture(folder / f"2DBox_CT_slices_{2 * number + part - 1:04}", picture, organs)
        write_projection(folder / f"2DBox_XRay_projections_{number:04}", phantom)


def write_volume(path: Path, phantom: Phantom) -> None:
    """NAME.nii.gz with the intensities, NAME_seg.nii.gz with the labels."""
    organs = np.where(np.isin(phantom.labels, [LABELS[name] for name in ORGANS]), phantom.labels, 0)
    for array, name in ((phantom.volume.array, f"{path}.nii.gz"), (organs.astype(np.uint8), f"{path}_seg.nii.gz")):
        image = sitk.GetImageFromArray(array)
        image.SetSpacing(phantom.volume.spacing_mm)
        sitk.WriteImage(image, name, useCompression=True)


def write_projection(path: Path, phantom: Phantom) -> None:
    """A radiograph of a kind, from front to back, head up; its labels are the lungs."""
    attenuation = np.clip(phantom.volume.array + 1000.0, 0, None).sum(axis=1)[::-1]
    labels = np.zeros(attenuation.shape, np.uint8)
    for label, name in enumerate(LUNGS, start=1):
        labels[phantom.truth(name).any(axis=1)[::-1]] = label
    rows = np.repeat(np.arange(len(labels)), 2)  # slices are more than twice as far apart as columns
    write_picture(path, grey(attenuation, *np.percentile(attenuation, (1, 99)))[rows], labels[rows])


def write_picture(path: Path, picture: np.ndarray, labels: np.ndarray) -> None:
    """The challenge's file of a picture; boxes are made when it is evaluated."""
    np.savez_compressed(f"{path}.npz", imgs=picture, gts=labels.astype(np.uint8))


def grey(array: np.ndarray, low: float, high: float) -> np.ndarray:
    """`array` from `low` to `high` as uint8."""
    return np.rint(255 * np.clip((array - low) / (high - low), 0, 1)).astype(np.uint8)


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "phantoms"))
