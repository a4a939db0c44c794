"""Where the images of a DICOM series lie: gaps, copies, several of one place.  Reads no pixels itself."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import InputError

__all__ = ["SeriesPlaces", "left_out"]

_POSITION = "0020|0032"


class SeriesPlaces:
    """Positions of a series' images, in mm, as `reader`, a SimpleITK series reader that has read them, tells.

    Attributes
    ----------
    count : images
    stated : whether there are slices to space, and any says where it lies
    places : (N, 3) float64; None unless all do
    """

    def __init__(self, reader: Any, count: int) -> None:
        self.count = count
        self.stated = count > 2 and any(reader.HasMetaDataKey(n, _POSITION) for n in range(count))
        self.places: NDArray[np.float64] | None = None
        try:
            texts = [reader.GetMetaData(n, _POSITION).split("\\") for n in range(count)]
            self.places = np.array([[float(number) for number in text] for text in texts]).reshape(count, 3)
        except (RuntimeError, ValueError):  # one without, or an empty one, of a series that ITK reads all the same
            pass

    def once(self, array: NDArray[Any], normal: NDArray[np.float64]) -> list[int]:
        """Indices of the images that are no copies of others, along `normal` where any is left out.

        Parameters
        ----------
        array : (K, J, I) or (K, J, I, C), the pixels
        normal : (3,), of the slices

        Raises
        ------
        InputError
            If, copies apart, most places have several images: times, echoes or b-values are no volume.
        """
        everything, places = [*range(self.count)], self.places
        if places is None or len(array) != self.count:
            return everything
        kept: dict[bytes, list[int]] = defaultdict(list)
        for n, place in enumerate(np.round(places, 3) + 0.0):
            same = kept[place.tobytes()]
            if not any(np.array_equal(array[n], array[other]) for other in same):
                same.append(n)
        images = [n for same in kept.values() for n in same]
        if 1 < len(kept) <= len(images) / 2:
            raise InputError(
                f"The DICOM series holds {len(images)} images of {len(kept)} places (times, echoes or b-values): "
                "put those of one volume into a folder of their own."
            )
        if len(kept) == 1 or len(images) == self.count:  # of one place alone nothing is known
            return everything
        return sorted(images, key=lambda n: float(places[n] @ normal))

    def notes(self) -> list[str]:
        """A sentence if distances differ by more than a hundredth, or not all images say where they lie."""
        if not self.stated:
            return []
        if self.places is None:
            return ["The slices' positions are not all stated: slices may be missing or unevenly spaced."]
        gaps = np.linalg.norm(np.diff(self.places, axis=0), axis=1)
        if len(gaps) < 2 or gaps.max() - gaps.min() <= 0.01 * np.median(gaps):
            return []
        return [
            f"Slices are missing or unevenly spaced ({gaps.min():.3g} to {gaps.max():.3g} mm): "
            "lengths and volumes may be wrong."
        ]


def left_out(what: str, paths: list[Path]) -> list[str]:
    """A sentence that names files of a series' folder which are not in the volume, if there are any."""
    names = ", ".join(sorted(path.name for path in paths)[:5])
    return [f"Left out as {what}: {len(paths)} of the folder's files, such as {names}."] if paths else []
