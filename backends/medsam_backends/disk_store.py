"""Embeddings kept on disk between runs: by content, bounded, signed with a key of the user's, and never pickled.

An entry that is damaged, or that was not written with this key for this picture, is deleted and made anew.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
import os
import struct
import threading
from contextlib import suppress
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .types import Embedding
from .user_cache import cache_folder
from .user_key import make_room, user_key
from .whole_file import write_private

__all__ = ["DiskStore"]

_MAGIC = b"MedSAMLite embedding 1\n"
_SIGNATURE_BYTES = 32
_KINDS = "biuf"
"""Of numpy types that are kept: truth values and real numbers."""
_ENDING = ".embedding"
_logger = logging.getLogger("medsam_backends")


class DiskStore:
    """Embeddings of pictures by models, in one folder.

    Parameters
    ----------
    max_bytes : the files never hold more than this; the longest unused goes first
    folder : ``embeddings`` in the user's cache folder unless given; the key lies in it, readable by its owner alone

    Raises
    ------
    OSError
        If the folder or the key cannot be made.
    """

    def __init__(self, max_bytes: int, folder: Path | None = None) -> None:
        self.max_bytes = max_bytes
        self._room = threading.Lock()  # one thread at a time makes room and takes it
        self._folder = folder or cache_folder() / "embeddings"
        self._folder.mkdir(parents=True, exist_ok=True)
        self._key = user_key(self._folder / "key")

    def name(self, picture: NDArray[np.generic], model: str) -> str:
        """What the store knows the embedding of `picture` by the model of this identity by."""
        content = np.ascontiguousarray(picture)
        digest = hashlib.sha256(f"{model} {content.dtype.str} {content.shape}".encode())
        digest.update(content.data)
        return digest.hexdigest()

    def get(self, name: str) -> Embedding | None:
        """The embedding, or None when there is none that can be trusted."""
        path = self._path(name)
        try:
            data = path.read_bytes()
        except OSError:
            return None
        start = len(_MAGIC) + _SIGNATURE_BYTES
        signed = hmac.compare_digest(data[len(_MAGIC) : start], self._signature(name, data[start:]))
        if not data.startswith(_MAGIC) or not signed:
            _logger.warning("%s is damaged or was not written by you: it is deleted and not used.", path)
            with suppress(OSError):
                path.unlink()
            return None
        with suppress(OSError):
            os.utime(path)  # used now
        return _unpacked(data[start:])

    def put(self, name: str, embedding: Embedding) -> None:
        """Keep an embedding, if its arrays hold real numbers, it fits and the disk takes it."""
        if any(array.dtype.kind not in _KINDS for array in embedding.arrays.values()):
            _logger.warning("An encoded slice was not kept: %s makes arrays of no real numbers.", embedding.model)
            return
        content = _packed(embedding)
        size = len(_MAGIC) + _SIGNATURE_BYTES + len(content)
        if size > self.max_bytes:
            return
        try:
            with self._room:
                make_room(self._folder.glob(f"*{_ENDING}"), size, self.max_bytes)
                write_private(self._path(name), _MAGIC + self._signature(name, content) + content)
        except OSError as error:
            _logger.warning("An encoded slice was not kept in %s (%s).", self._folder, error.strerror)

    def _path(self, name: str) -> Path:
        return self._folder / f"{name}{_ENDING}"

    def _signature(self, name: str, content: bytes) -> bytes:
        """Of the name too, so that an entry cannot stand in for another."""
        return hmac.new(self._key, name.encode() + content, hashlib.sha256).digest()


def _packed(embedding: Embedding) -> bytes:
    described = [[name, array.dtype.str, list(array.shape)] for name, array in embedding.arrays.items()]
    header = json.dumps({"model": embedding.model, "size": list(embedding.size), "arrays": described}).encode()
    return b"".join([struct.pack("<I", len(header)), header, *(array.tobytes() for array in embedding.arrays.values())])


def _unpacked(content: bytes) -> Embedding:
    """What `_packed` made, its signature checked."""
    (length,) = struct.unpack_from("<I", content)
    header = json.loads(content[4 : 4 + length])
    arrays: dict[str, NDArray[np.generic]] = {}
    at = 4 + length
    for name, kind, shape in header["arrays"]:
        count = int(np.prod(shape, dtype=np.int64))
        arrays[name] = np.frombuffer(content, kind, count, at).reshape(shape)
        at += arrays[name].nbytes
    return Embedding(header["model"], (header["size"][0], header["size"][1]), arrays)
