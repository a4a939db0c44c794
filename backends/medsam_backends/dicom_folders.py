"""Finds the folders below one that hold DICOM images, by the four letters of their files.  Reads no image."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

__all__ = ["folders_below"]

_LOOKED_AT = 1000  # folders; a whole disk may have been named
_NAMED = 3


def folders_below(folder: Path) -> list[Path]:
    """Up to three folders below `folder` with DICOM files, relative to it, in order of their names."""
    return list(islice(_with_images(folder), _NAMED))


def _with_images(folder: Path) -> Iterator[Path]:
    for path, below, files in islice(os.walk(folder), _LOOKED_AT):
        below.sort()
        if path != str(folder) and any(_is_dicom(Path(path, file)) for file in files[:5]):
            yield Path(path).relative_to(folder)


def _is_dicom(file: Path) -> bool:
    try:
        with open(file, "rb") as stream:
            return stream.read(132)[128:] == b"DICM"
    except OSError:
        return False
