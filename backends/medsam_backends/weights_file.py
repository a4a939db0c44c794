"""A model's weights file as a mapping that is checked and read when the first array is asked for, and not before."""

from __future__ import annotations

import threading
import zipfile
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import ModelError
from .manifest import Manifest

__all__ = ["WeightsFile"]


class WeightsFile(Mapping[str, NDArray[Any]]):
    """The arrays of a manifest's weights file, by name; none when the graphs carry their own.

    Attributes
    ----------
    digest : SHA-256 that the file must have; empty when there is none

    Raises
    ------
    ModelError
        When they are asked for: the file is not the manifest's, is damaged or holds anything but plain arrays.
    """

    def __init__(self, manifest: Manifest) -> None:
        self.digest = manifest.digests[manifest.weights] if manifest.weights else ""
        self._manifest = manifest
        self._read: dict[str, NDArray[Any]] | None = None
        self._reading = threading.Lock()  # encoder and decoder are prepared at once

    def __getitem__(self, name: str) -> NDArray[Any]:
        return self._arrays()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._arrays())

    def __len__(self) -> int:
        return len(self._arrays())

    def _arrays(self) -> dict[str, NDArray[Any]]:
        with self._reading:
            if self._read is None:
                self._read = _checked(self._manifest)
            return self._read


def _checked(manifest: Manifest) -> dict[str, NDArray[Any]]:
    if manifest.weights is None:
        return {}
    try:
        with open(manifest.weights, "rb") as file:
            manifest.check_digest(manifest.weights, file)
            file.seek(0)
            with np.load(file, allow_pickle=False) as archive:
                return {name: archive[name] for name in archive.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise ModelError(f"{manifest.weights.name} cannot be read ({error}): install the model again.") from None
