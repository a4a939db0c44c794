"""``python -m benchmarks.subjects FOLDER SLICES,... SIDE``: the files that whole cases are run on.

A picture and CT-like volumes of the package's phantom, repeated end to end where it is shorter than asked.
A process of its own makes them, so that the one that measures stays small.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

__all__ = ["PICTURE", "main", "volume_file"]

PICTURE = "picture.png"
_DISTINCT = 60  # slices of the phantom


def volume_file(slices: int) -> str:
    """Name of the volume of so many slices."""
    return f"volume-{slices}.nrrd"


def main() -> None:
    """Write ``picture.png``, ``volume-N.nrrd`` and, for peers, ``volume-N.npz``."""
    import SimpleITK as sitk
    from medsam_backends.phantom import make_phantom

    folder, side = Path(sys.argv[1]), int(sys.argv[3])
    distinct = make_phantom((side, side, _DISTINCT), (350 / side, 260 / side, 3.0)).volume.array
    grey = np.clip((distinct.astype(np.float32) + 160) / 400 * 255, 0, 255).astype(np.uint8)
    sitk.WriteImage(sitk.GetImageFromArray(grey[_DISTINCT // 2]), str(folder / PICTURE))
    for number, slices in enumerate(map(int, sys.argv[2].split(","))):
        order = np.arange(slices) % (2 * _DISTINCT)
        volume = distinct[np.minimum(order, 2 * _DISTINCT - 1 - order)]  # there and back: no jumps
        image = sitk.GetImageFromArray(volume)
        image.SetSpacing((0.7, 0.7, 3.0))
        sitk.WriteImage(image, str(folder / volume_file(slices)))
        if number == 0:
            np.savez_compressed(folder / f"volume-{slices}.npz", imgs=grey[np.arange(slices) % _DISTINCT])


if __name__ == "__main__":
    main()
