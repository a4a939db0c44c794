"""An ONNX file as a runtime needs it: its bytes, and each weight that is kept elsewhere, checked."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ModelError
from ..onnx_file import ExternalTensor, external_tensors

__all__ = ["GraphFile", "read_graph", "usable_cores"]

# By TensorProto.DataType
_DTYPES: dict[int, np.dtype[Any]] = {1: np.dtype(np.float32), 7: np.dtype(np.int64), 10: np.dtype(np.float16)}
_MOST_THREADS = 8


@dataclass(frozen=True, eq=False)
class GraphFile:
    """A graph that keeps to its folder.

    Attributes
    ----------
    given : arrays for its external tensors, contiguous and of the tensors' types
    beside : whether it has further data in files beside it, so that it must be loaded by path
    """

    path: Path
    data: bytes
    given: dict[str, NDArray[Any]]
    beside: bool


def read_graph(path: Path, weights: Mapping[str, NDArray[Any]]) -> GraphFile:
    """Read an ONNX file and find `weights` for its external tensors.

    Raises
    ------
    ModelError
        If the file is damaged, names data outside its folder or data that is missing, or a weight has another shape.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ModelError(f"{path.name} cannot be read ({error.strerror}): install the model again.") from None
    try:
        external = external_tensors(data)
    except ModelError as error:
        raise ModelError(f"{path.name}: {error}") from None
    given = {}
    for tensor in external:
        target = _inside(path, tensor)  # of a given weight too: a nested graph may hold another tensor of its name
        if tensor.name in weights:
            given[tensor.name] = _fitting(path, tensor, weights[tensor.name])
        elif not target.is_file():
            raise ModelError(f"{path.name} lacks its data file {tensor.path}: install the model again.")
    return GraphFile(path, data, given, len(given) < len(external))


def usable_cores() -> int:
    """Cores this process may use; a laptop's second thread a core does not help matrix work."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(allowed, _MOST_THREADS))


def _fitting(path: Path, tensor: ExternalTensor, weights: NDArray[Any]) -> NDArray[Any]:
    array: NDArray[Any] = np.ascontiguousarray(weights, _DTYPES.get(tensor.data_type))
    if array.shape != tensor.shape:
        raise ModelError(f"{tensor.name} has shape {array.shape}, but {path.name} needs {tensor.shape}.")
    return array


def _inside(path: Path, tensor: ExternalTensor) -> Path:
    folder = path.parent.resolve()
    target = (folder / tensor.path).resolve()
    if not tensor.path or not target.is_relative_to(folder):
        raise ModelError(
            f"{path.name} keeps {tensor.name} in {tensor.path!r}, outside the model's folder: the model is refused."
        )
    return target
