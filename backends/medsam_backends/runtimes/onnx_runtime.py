"""ONNX Runtime on the CPU: the default runtime, and the only module that imports it."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from ..errors import ModelError
from .base import Session, SessionOptions
from .graph_file import GraphFile, read_graph, usable_cores
from .saved_graph import SavedGraph, saved_graph

__all__ = ["create"]

# Warnings of the runtime speak of its own affairs (CPU detection, unused initializers), not of the user's.
ort.set_default_logger_severity(3)

_SPIN_US = "100"
_PROVIDERS = ["CPUExecutionProvider"]
_Shape = tuple[int | str | None, ...]
_logger = logging.getLogger("medsam_backends")


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
        content = _content(path) if options.weights_digest else b""
        saved = _place(content, options)
        kept = saved.find() if saved is not None else None
        if saved is not None and kept is not None:
            settings = _settings(options)
            settings.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL  # it is optimised
            try:
                return _Session(ort.InferenceSession(str(kept), settings, providers=_PROVIDERS), [])
            except Exception:  # as below
                saved.drop(kept)
        graph = read_graph(path, options.weights)
        unlike = graph.beside or graph.data != content  # the file was replaced since
        if saved is None or unlike or _bytes(graph) > saved.max_bytes:
            return _open(graph, options)
        session = None
        try:
            with saved.making() as target:
                session = _open(graph, options, target)
        except (ModelError, OSError) as error:
            session = session or _open(graph, options)  # raises if it was the graph's fault
            _logger.warning("The optimised graph of %s was not kept in %s (%s).", path, saved.folder, error)
        return session


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""  # reading the graph says why


def _place(content: bytes, options: SessionOptions) -> SavedGraph | None:
    """Where the optimised graph is kept; small graphs with weights of their own gain nothing by it."""
    if not content:
        return None
    runtime = f"onnxruntime {ort.__version__} {ort.get_build_info()}, all optimisations"
    return saved_graph(content, options.weights_digest, runtime)


def _bytes(graph: GraphFile) -> int:
    """What its optimised graph will hold at least."""
    return sum(array.nbytes for array in graph.given.values())


def _settings(options: SessionOptions) -> ort.SessionOptions:
    settings = ort.SessionOptions()
    settings.intra_op_num_threads = options.threads or usable_cores()
    settings.enable_mem_pattern = False  # LiteMedSAM's encoder: 410 instead of 692 MB at its peak, in the same time
    # Threads that wait for work spin: long enough for the next operator, not into the time after the run.
    settings.add_session_config_entry("session.intra_op.spin_duration_us", _SPIN_US)
    return settings


def _open(graph: GraphFile, options: SessionOptions, optimised: Path | None = None) -> _Session:
    """The graph's session; the graph as it was optimised is written to `optimised`."""
    settings = _settings(options)
    if optimised is not None:
        settings.optimized_model_filepath = str(optimised)
    values = [ort.OrtValue.ortvalue_from_numpy(array) for array in graph.given.values()]
    if values:
        settings.add_external_initializers(list(graph.given), values)
    # A graph with data files beside it is loaded by path so that they are found, any other from
    # the bytes that were checked, so that the file cannot change in between.
    source = str(graph.path) if graph.beside else graph.data
    try:
        session = ort.InferenceSession(source, settings, providers=_PROVIDERS)
    except Exception as error:  # the runtime raises a class of its own for every cause
        reason = str(error).strip().splitlines()[0]
        raise ModelError(f"{graph.path.name} is not a model that ONNX Runtime can load ({reason}).") from None
    return _Session(session, [graph.given, values])


def create() -> _OnnxRuntime:
    """The runtime object."""
    return _OnnxRuntime()
