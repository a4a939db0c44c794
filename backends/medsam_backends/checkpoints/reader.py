"""Opens a PyTorch checkpoint (a zip archive since PyTorch 1.6) and gives its tensors as numpy arrays.

Every size is checked against the archive before memory is taken; data are read only when asked for.
"""

from __future__ import annotations

import math
import zipfile
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from ..errors import ModelError
from .pickled import RefusedFile, Tensor, read_pickle

__all__ = ["Checkpoint"]

_T = TypeVar("_T")
MAX_PICKLE = 16 << 20
"""Bytes of the description of the largest checkpoint accepted; published ones have less than 1 MB."""


class Checkpoint:
    """An open checkpoint; a context manager.

    Attributes
    ----------
    tree : what the file describes: dict, list, tuple, numbers, strings, `Tensor` and `Inert`

    Raises
    ------
    ModelError
        If the file is missing, of PyTorch's old format, truncated, damaged, big-endian, or names
        anything but tensors.
    """

    def __init__(self, path: Path | str) -> None:
        self._path = Path(path)
        self._archive = self._open()
        try:
            self.tree = self._guard(self._read_tree)
        except BaseException:
            self._archive.close()
            raise

    def __enter__(self) -> Checkpoint:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._archive.close()

    def array(self, tensor: Tensor) -> NDArray[Any]:
        """A tensor's values, read-only, C order, in the type it is stored in (bfloat16 as float32).

        Raises
        ------
        ModelError
            If the tensor reaches outside its data, or the data are damaged.
        """
        return self._guard(lambda: self._read_array(tensor))

    def _open(self) -> zipfile.ZipFile:
        try:
            return zipfile.ZipFile(self._path)
        except FileNotFoundError:
            raise ModelError(f"The checkpoint {self._path} does not exist: check the path.") from None
        except OSError as error:
            raise ModelError(f"The checkpoint {self._path} cannot be read ({error.strerror}).") from None
        except Exception:  # zipfile raises several classes on what is no archive
            raise ModelError(
                f"{self._path.name} is not a whole checkpoint in PyTorch's present format: download it again; "
                "a file saved before PyTorch 1.6 must be opened and saved once with a newer PyTorch."
            ) from None

    def _guard(self, work: Callable[[], _T]) -> _T:
        try:
            return work()
        except ModelError:
            raise
        except RefusedFile as reason:
            raise ModelError(f"{self._path.name} {reason}.") from None
        except MemoryError:
            raise ModelError(f"{self._path.name} needs more memory than this computer has free.") from None
        except Exception as error:  # a damaged or hostile archive can fail in nearly any way
            raise ModelError(f"{self._path.name} is damaged ({error}): download it again.") from None

    def _read_tree(self) -> Any:
        self._members: dict[str, zipfile.ZipInfo] = {}
        for info in self._archive.infolist():
            if info.filename in self._members:
                raise RefusedFile(f"holds {info.filename} twice; it is refused")
            self._members[info.filename] = info
        pickles = [name for name in self._members if name.count("/") == 1 and name.endswith("/data.pkl")]
        if len(pickles) != 1:
            raise RefusedFile(
                "is a zip archive but no PyTorch checkpoint (it has no data.pkl): choose the .pth or .ckpt file"
            )
        self._root = pickles[0].removesuffix("data.pkl")
        if self._root + "byteorder" in self._members and self._read(self._root + "byteorder", 16) != b"little":
            raise RefusedFile("was saved on a big-endian computer, which is not supported: save it again on another")
        return read_pickle(self._read(pickles[0], MAX_PICKLE))

    def _read(self, member: str, limit: int) -> bytes:
        info = self._members[member]
        if info.compress_type != zipfile.ZIP_STORED:
            raise RefusedFile(f"holds {member} compressed, which PyTorch does not do; it is refused")
        if info.file_size > limit:
            raise RefusedFile(f"holds {member} of {info.file_size} bytes, more than it can have; it is refused")
        return self._archive.read(info)

    def _read_array(self, tensor: Tensor) -> NDArray[Any]:
        storage = tensor.storage
        brain = storage.dtype == "bfloat16"
        dtype = np.dtype("<u2" if brain else storage.dtype)
        size, member = storage.count * dtype.itemsize, f"{self._root}data/{storage.key}"
        if member not in self._members:
            raise ValueError(f"it lacks {member}")
        if self._members[member].file_size != size:
            raise ValueError(f"{member} has {self._members[member].file_size} bytes instead of {size}")
        _check_bounds(tensor)
        raw = np.frombuffer(self._read(member, size), dtype)
        steps = [stride * dtype.itemsize for stride in tensor.strides]
        view = np.lib.stride_tricks.as_strided(raw[tensor.offset :], tensor.shape, steps, writeable=False)
        array = np.ascontiguousarray(view).reshape(tensor.shape)
        return (array.astype("<u4") << 16).view("<f4") if brain else array


def _check_bounds(tensor: Tensor) -> None:
    """Raise unless the tensor lies inside its storage and repeats none of it: a small file must not fill the memory."""
    available, elements = tensor.storage.count, math.prod(tensor.shape)
    last = tensor.offset + sum((side - 1) * stride for side, stride in zip(tensor.shape, tensor.strides, strict=True))
    if elements > available or tensor.offset > available or (elements and last >= available):
        raise ValueError("a tensor reaches outside its data")
