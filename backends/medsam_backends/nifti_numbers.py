"""Counts the voxels of a NIfTI file that are no finite numbers; ITK reads them as 0 without a word."""

from __future__ import annotations

import gzip
from collections.abc import Mapping
from pathlib import Path

import numpy as np

__all__ = ["not_finite"]

_FLOATS = {"16": "f4", "64": "f8"}  # NIfTI-1 standard, field datatype
_CHUNK = 1 << 22
_HEADER_SIZES = (348, 540)  # of NIfTI-1 and NIfTI-2: the file's first number, so that it tells the order of bytes


def not_finite(path: Path, header: Mapping[str, str]) -> int:
    """How many voxels are NaN or infinite, in a file that is whole.

    Parameters
    ----------
    header : the fields ``datatype`` and ``vox_offset`` of the NIfTI header as texts
    """
    kind = _FLOATS.get(header["datatype"])
    if kind is None:
        return 0
    with open(path, "rb") as stream:
        packed = stream.read(2) == b"\x1f\x8b"
    with gzip.open(path) if packed else open(path, "rb") as stream:
        start = stream.read(int(float(header["vox_offset"])))
        order = "<" if int.from_bytes(start[:4], "little") in _HEADER_SIZES else ">"
        found = 0
        while chunk := stream.read(_CHUNK):
            numbers = np.frombuffer(chunk, order + kind, len(chunk) // int(kind[1]))
            found += len(numbers) - int(np.count_nonzero(np.isfinite(numbers)))
    return found
