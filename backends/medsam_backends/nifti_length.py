"""Tells whether a NIfTI file holds all that its header promises; ITK fills up what is missing without a word."""

from __future__ import annotations

import gzip
import os
import zlib
from collections.abc import Mapping
from pathlib import Path

__all__ = ["is_whole"]

_CHUNK = 1 << 22


def is_whole(path: Path, header: Mapping[str, str]) -> bool:
    """Whether the file, unpacked if it is packed, is as long as its header says.

    Parameters
    ----------
    header : the fields ``dim[n]``, ``bitpix`` and ``vox_offset`` of the NIfTI header as texts
    """
    voxels = 1
    for axis in range(1, int(header["dim[0]"]) + 1):
        voxels *= max(1, int(header[f"dim[{axis}]"]))
    length = int(float(header["vox_offset"])) + voxels * int(header["bitpix"]) // 8
    with open(path, "rb") as stream:
        packed = stream.read(2) == b"\x1f\x8b"
        if not packed:
            return os.path.getsize(path) >= length
        # RFC 1952: a member ends with the length of what it holds, modulo 2^32.
        stream.seek(-4, os.SEEK_END)
        if int.from_bytes(stream.read(4), "little") == length % 2**32:
            return True
    return _unpacked(path, length)


def _unpacked(path: Path, length: int) -> bool:
    """Whether at least `length` bytes come out; for files of several members, of which only the last one's is known."""
    try:
        with gzip.open(path) as stream:
            while length > 0:
                chunk = stream.read(min(length, _CHUNK))
                if not chunk:
                    return False
                length -= len(chunk)
    except (OSError, EOFError, zlib.error):
        return False
    return True
