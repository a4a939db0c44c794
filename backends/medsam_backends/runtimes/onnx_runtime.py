"""ONNX Runtime on the CPU: the default runtime, and the only module that imports it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from ..errors import ModelError
from ..onnx_file import ExternalTensor, external_tensors
from .base import Session, SessionOptions

__all__ = ["create"]

# Warnings of the runtime speak of its own affairs (CPU detection, unused initializers), not of the user's.
ort.set_default_logger_severity(3)
# By TensorProto.DataType
_DTYPES: dict[int, np.dtype[Any]] = {1: np.dtype(np.float32), 7: np.dtype(np.int64), 10: np.dtype(np.float16)}

_Shape = tuple[int | str | None, ...]


class _Session:
    def __init__(self, session: ort.InferenceSession, held: list[Any]) -> None:
        self._session = session
        self._held = held  # the runtime does not copy external initializers: they must outlive the session
        self.inputs: Mapping[str, _Shape] = {value.name: tuple(value.shape) for value in session.get_inputs()}
        self.outputs: Mapping[str, _Shape] = {value.name: tuple(value.shape) for value in session.get_outputs()}

    def run(self, feeds: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[np.float32]]:
        return dict(zip(self.outputs, self._session.run(None, dict(feeds)), strict=True))


class _OnnxRuntime:
    name = "onnxruntime"

    def load(self, path: Path, options: SessionOptions) -> Session:
        try:
            data = path.read_bytes()
        except OSError as error:
            raise ModelError(f"{path.name} cannot be read ({error.strerror}): install the model again.") from None
        try:
            external = external_tensors(data)
        except ModelError as error:
            raise ModelError(f"{path.name}: {error}") from None
        settings = ort.SessionOptions()
        settings.intra_op_num_threads = options.threads or _usable_cores()
        settings.enable_mem_pattern = False  # LiteMedSAM's encoder: 410 instead of 692 MB at its peak, in the same time
        held = _give_weights(settings, path, external, options.weights)
        # A graph with data files beside it is loaded by path so that they are found, any other from
        # the bytes that were checked, so that the file cannot change in between.
        beside = any(tensor.name not in options.weights for tensor in external)
        try:
            session = ort.InferenceSession(str(path) if beside else data, settings, providers=["CPUExecutionProvider"])
        except Exception as error:  # the runtime raises a class of its own for every cause
            reason = str(error).strip().splitlines()[0]
            raise ModelError(f"{path.name} is not a model that ONNX Runtime can load ({reason}).") from None
        return _Session(session, held)


def _give_weights(
    settings: ort.SessionOptions, path: Path, external: list[ExternalTensor], weights: Mapping[str, NDArray[Any]]
) -> list[Any]:
    names, values, held = [], [], []
    for tensor in external:
        if tensor.name not in weights:
            _check_beside(path, tensor)
            continue
        array: NDArray[Any] = np.ascontiguousarray(weights[tensor.name], _DTYPES.get(tensor.data_type))
        if array.shape != tensor.shape:
            raise ModelError(f"{tensor.name} has shape {array.shape}, but {path.name} needs {tensor.shape}.")
        names.append(tensor.name)
        held.append(array)
        values.append(ort.OrtValue.ortvalue_from_numpy(array))
    if names:
        settings.add_external_initializers(names, values)
    return [held, values]


def _check_beside(path: Path, tensor: ExternalTensor) -> None:
    target = (path.parent / tensor.path).resolve()
    if not tensor.path or not target.is_relative_to(path.parent.resolve()):
        raise ModelError(
            f"{path.name} keeps {tensor.name} in {tensor.path!r}, outside the model's folder: the model is refused."
        )
    if not target.is_file():
        raise ModelError(f"{path.name} lacks its data file {tensor.path}: install the model again.")


def _usable_cores() -> int:
    """Cores this process may use; a laptop's second thread a core does not help matrix work."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(allowed, 8))


def create() -> _OnnxRuntime:
    """The runtime object."""
    return _OnnxRuntime()
