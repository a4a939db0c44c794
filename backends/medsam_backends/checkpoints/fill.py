"""Joins a weight-free graph with a checkpoint's tensors: the arrays that the graph's empty initializers need."""

from __future__ import annotations

import gzip
from collections.abc import Mapping
from importlib import resources
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ModelError
from ..onnx_file import external_tensors
from .merge import is_merged, merged
from .pickled import Tensor
from .reader import Checkpoint

__all__ = ["graph_template", "weights_of"]


def graph_template(name: str) -> bytes:
    """The ONNX graph ``data/templates/<name>.onnx.gz``, whose initializers are empty."""
    file = resources.files("medsam_backends").joinpath(f"data/templates/{name}.onnx.gz")
    return gzip.decompress(file.read_bytes())


def weights_of(
    graph: bytes, tensors: Mapping[str, Tensor], checkpoint: Checkpoint, half: bool = False
) -> dict[str, NDArray[Any]]:
    """Read the arrays that a graph's empty initializers name.

    Parameters
    ----------
    half : matrices as float16 instead of float32; arithmetic stays float32, the runtime widens them when it loads

    Raises
    ------
    ModelError
        If a tensor is missing, has another shape than the graph's, is damaged or holds values that are not finite.
    """

    def read(name: str) -> NDArray[Any]:
        if name not in tensors:
            raise ModelError(f"The checkpoint has no tensor {name}.")
        return _numbers(name, checkpoint.array(tensors[name]))

    weights: dict[str, NDArray[Any]] = {}
    for wanted in external_tensors(graph):
        name = wanted.name
        array = _numbers(name, merged(name, read)) if is_merged(name) else read(name)
        if array.shape != wanted.shape:
            raise ModelError(f"The checkpoint's tensor {name} has shape {list(array.shape)}, not {list(wanted.shape)}.")
        # Vectors stay wide: they are few, and a norm's smallest variances lie below float16's normal numbers.
        narrow = half and array.ndim > 1
        weights[name] = _narrow(array) if narrow else array.astype(np.float32, copy=False)
    return weights


def _numbers(name: str, array: NDArray[Any]) -> NDArray[Any]:
    if not np.isfinite(array).all():
        raise ModelError(f"The checkpoint's tensor {name} holds values that are not numbers: download it again.")
    return array


def _narrow(array: NDArray[Any]) -> NDArray[np.float16]:
    largest = np.finfo(np.float16).max
    narrow: NDArray[np.float16] = np.clip(array, -largest, largest).astype(np.float16)
    return narrow
