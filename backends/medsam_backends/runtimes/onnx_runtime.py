"""ONNX Runtime on the CPU: the default runtime, and the only module that imports it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from ..errors import ModelError
from .base import Session, SessionOptions
from .graph_file import read_graph, usable_cores

__all__ = ["create"]

# Warnings of the runtime speak of its own affairs (CPU detection, unused initializers), not of the user's.
ort.set_default_logger_severity(3)

_SPIN_US = "100"
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
    concurrent = True

    def load(self, path: Path, options: SessionOptions) -> Session:
        graph = read_graph(path, options.weights)
        settings = ort.SessionOptions()
        settings.intra_op_num_threads = options.threads or usable_cores()
        settings.enable_mem_pattern = False  # LiteMedSAM's encoder: 410 instead of 692 MB at its peak, in the same time
        # Threads that wait for work spin: long enough for the next operator, not into the time after the run.
        settings.add_session_config_entry("session.intra_op.spin_duration_us", _SPIN_US)
        values = [ort.OrtValue.ortvalue_from_numpy(array) for array in graph.given.values()]
        if values:
            settings.add_external_initializers(list(graph.given), values)
        # A graph with data files beside it is loaded by path so that they are found, any other from
        # the bytes that were checked, so that the file cannot change in between.
        source = str(path) if graph.beside else graph.data
        try:
            session = ort.InferenceSession(source, settings, providers=["CPUExecutionProvider"])
        except Exception as error:  # the runtime raises a class of its own for every cause
            reason = str(error).strip().splitlines()[0]
            raise ModelError(f"{path.name} is not a model that ONNX Runtime can load ({reason}).") from None
        return _Session(session, [graph.given, values])


def create() -> _OnnxRuntime:
    """The runtime object."""
    return _OnnxRuntime()
