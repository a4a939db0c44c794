"""A gzip stream of data and zeros: every reader gets the same bytes back, and zeros cost nothing."""

import gzip
import io
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from medsam_backends.sparse_gzip import SparseGzip


@given(st.lists(st.binary(max_size=300) | st.integers(0, 5000), max_size=12))
def test_what_was_written_comes_back(pieces: list[bytes | int]) -> None:
    stream = io.BytesIO()
    with SparseGzip(stream) as packed:
        for piece in pieces:
            packed.zeros(piece) if isinstance(piece, int) else packed.write(piece)
    whole = b"".join(bytes(piece) for piece in pieces)
    assert gzip.decompress(stream.getvalue()) == whole
    single = zlib.decompressobj(wbits=31)  # readers that take the first gzip member alone
    assert single.decompress(stream.getvalue()) == whole and single.eof and not single.unused_data


def test_a_stream_that_broke_off_does_not_look_whole() -> None:
    stream = io.BytesIO()
    with pytest.raises(KeyError), SparseGzip(stream) as packed:
        packed.write(b"mask")
        raise KeyError
    with pytest.raises(EOFError):
        gzip.decompress(stream.getvalue())


def test_zeros_are_a_thousandth() -> None:
    stream = io.BytesIO()
    with SparseGzip(stream) as packed:
        for _ in range(100):
            packed.zeros(1 << 18)
    assert len(stream.getvalue()) < (100 << 18) / 200
