"""OpenVINO on the CPU: an optional runtime for ONNX graphs and its own IR files; the only module that imports it."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import openvino as ov
from numpy.typing import NDArray

from ..errors import ModelError
from ..onnx_file import input_names, with_weights
from ..user_cache import cache_folder
from .base import Session, SessionOptions
from .graph_file import read_graph, usable_cores

__all__ = ["create", "create_reduced"]

_Shape = tuple[int | str | None, ...]
_CAPABILITIES = {"BF16": "bf16", "FP16": "f16"}
# The only one, kept to the end of the process.  On Linux each gives signals of the thread that loads its first model
# a stack, and when they end in the order of their making, that stack is memory which is no longer theirs: the next
# Ctrl-C would overwrite whatever is there by then, or end the process without a word.
_CORE = ov.Core()
# Loading sets the process's locale to "C" for a moment: two threads at it would leave it so, and text files and pipes
# would be read as ASCII from then on.
_LOADING = threading.Lock()


class _Session:
    def __init__(self, compiled: Any, declared: list[str]) -> None:
        self._request = compiled.create_infer_request()
        self._lock = threading.Lock()  # a request holds one set of buffers
        self._ports = {port.any_name: port for port in compiled.outputs}
        self._used = {port.any_name: _shape(port) for port in compiled.inputs}
        unused: dict[str, _Shape] = dict.fromkeys(declared, ())  # OpenVINO forgets inputs that no node uses
        self.inputs: Mapping[str, _Shape] = {**unused, **self._used}
        self.outputs: Mapping[str, _Shape] = {name: _shape(port) for name, port in self._ports.items()}

    def run(self, feeds: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[np.float32]]:
        with self._lock:
            got = self._request.infer({name: feeds[name] for name in self._used}, share_inputs=True)
            return {name: got[port] for name, port in self._ports.items()}


class _OpenVINO:
    concurrent = False  # one set of buffers a session

    def __init__(self, name: str, precision: str) -> None:
        self.name = name
        self._precision = precision

    def load(self, path: Path, options: SessionOptions) -> Session:
        settings = {
            "PERFORMANCE_HINT": "LATENCY",
            # Newer CPUs would compute in bfloat16 unasked, and masks would depend on the machine.
            "INFERENCE_PRECISION_HINT": self._precision,
            "INFERENCE_NUM_THREADS": options.threads or usable_cores(),
            # A folder each: OpenVINO knows its files by model and device alone, and what it compiled for float32 can
            # end the process when it runs in bfloat16 (2026.4).
            "CACHE_DIR": str(cache_folder() / "openvino" / self._precision),
        }
        try:
            with _LOADING:
                model, declared = _read(path, options)
                return _Session(_CORE.compile_model(model, "CPU", settings), declared)
        except RuntimeError as error:
            lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
            raise ModelError(f"{path.name} is not a model that OpenVINO can load ({lines[-1][:200]}).") from None


def _read(path: Path, options: SessionOptions) -> tuple[Any, list[str]]:
    """The model, and the names of the inputs that its file declares."""
    if path.suffix == ".xml":
        weights = path.with_suffix(".bin")
        if not weights.is_file() or not weights.resolve().is_relative_to(path.parent.resolve()):
            raise ModelError(f"{path.name} lacks its weights {weights.name} in the same folder: install it again.")
        return _CORE.read_model(path, weights), []
    graph = read_graph(path, options.weights)
    whole = with_weights(graph.data, graph.given) if graph.given else graph.data
    return _CORE.read_model(path if graph.beside else whole), input_names(graph.data)


def _shape(port: Any) -> _Shape:
    return tuple(None if size.is_dynamic else size.get_length() for size in port.partial_shape)


def create() -> _OpenVINO:
    """OpenVINO in float32."""
    return _OpenVINO("openvino", "f32")


def create_reduced() -> _OpenVINO:
    """OpenVINO in the shorter numbers that this CPU computes with.

    Raises
    ------
    ImportError
        If it computes with none.
    """
    known = _CORE.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    for capability, precision in _CAPABILITIES.items():
        if capability in known:
            return _OpenVINO("openvino-reduced", precision)
    raise ImportError("this CPU computes neither with bfloat16 nor with float16")
