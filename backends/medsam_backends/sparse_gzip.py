"""A gzip stream of data and long runs of zeros, which are packed once a length instead of again and again.

Masks are mostly nothing; zlib takes as long for nothing as for anything else.
"""

from __future__ import annotations

import zlib
from types import TracebackType
from typing import BinaryIO

__all__ = ["SparseGzip"]

_HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"  # RFC 1952: deflate, no name, no time, unknown system
_LEVEL = 1  # masks are so empty that a higher one gains little


class SparseGzip:
    """Writes one gzip member; a context manager, whose end completes it unless something went wrong.

    Every piece is packed on its own and ends at a whole byte (RFC 1951, an empty stored block), so that packed pieces
    can be put one after the other.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._crc = self._length = 0
        self._packed_zeros: dict[int, bytes] = {}
        self._zeros = b""
        stream.write(_HEADER)

    def write(self, data: bytes) -> None:
        """Add bytes."""
        self._add(data, _packed(data))

    def zeros(self, count: int) -> None:
        """Add `count` bytes of zero."""
        if not count:
            return
        if count > len(self._zeros):
            self._zeros = bytes(count)
        if count not in self._packed_zeros:
            self._packed_zeros[count] = _packed(self._zeros[:count])
        self._add(memoryview(self._zeros)[:count], self._packed_zeros[count])

    def _add(self, data: bytes | memoryview, packed: bytes) -> None:
        self._crc = zlib.crc32(data, self._crc)
        self._length += len(data)
        self._stream.write(packed)

    def __enter__(self) -> SparseGzip:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self._stream.write(zlib.compressobj(_LEVEL, wbits=-zlib.MAX_WBITS).flush())  # the last block, an empty one
            self._stream.write(self._crc.to_bytes(4, "little") + (self._length % 2**32).to_bytes(4, "little"))


def _packed(data: bytes) -> bytes:
    packer = zlib.compressobj(_LEVEL, wbits=-zlib.MAX_WBITS)
    return packer.compress(data) + packer.flush(zlib.Z_FULL_FLUSH)
