"""A graph under the standard tensor names, whatever its own are, in the runtime that reads it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from .errors import ModelError
from .manifest import Graph
from .runtimes import Runtime, Session, SessionOptions, get_runtime

__all__ = ["NamedRun", "NamedSession", "runtime_for"]


class NamedRun(Protocol):
    """What runs under the standard tensor names."""

    def run(self, feeds: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[np.float32]]:
        """Every output by name."""

    def close(self) -> None:
        """Free what it holds."""


class NamedSession:
    """A session under the standard tensor names, whatever the graph calls them.

    Attributes
    ----------
    shapes : of the inputs, by standard name
    """

    def __init__(
        self, graph: Graph, runtime: str, options: SessionOptions, inputs: tuple[str, ...], outputs: tuple[str, ...]
    ) -> None:
        session = runtime_for(graph.path, runtime).load(graph.path, options)
        self._names = {name: graph.names.get(name, name) for name in (*inputs, *outputs)}
        self._outputs = outputs
        for names, present in ((inputs, session.inputs), (outputs, session.outputs)):
            missing = [self._names[name] for name in names if self._names[name] not in present]
            if missing:
                raise ModelError(
                    f"{graph.path.name} has no tensor {', '.join(missing)} (it has {', '.join(present)}): "
                    "correct the names in model.json."
                )
        self.shapes = {name: session.inputs[self._names[name]] for name in inputs}
        self._session: Session | None = session
        self._path = graph.path

    def run(self, feeds: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[np.float32]]:
        if self._session is None:
            raise ModelError(f"The model of {self._path.parent} was closed: load it again.")
        try:
            got = self._session.run({self._names[name]: value for name, value in feeds.items()})
        except ModelError:
            raise
        except Exception as error:  # every runtime has classes of its own
            reason = str(error).strip().splitlines()[0]
            raise ModelError(
                f"{self._path.name} failed on its input ({reason}): the model folder is not sound."
            ) from None
        return {name: got[self._names[name]] for name in self._outputs}

    def close(self) -> None:
        self._session = None


def runtime_for(path: Path, asked: str) -> Runtime:
    """The runtime asked for, but OpenVINO for a graph in its own format, which no other reads."""
    if path.suffix != ".xml":
        return get_runtime(asked)
    try:
        return get_runtime("openvino")
    except ModelError:
        raise ModelError(
            f"{path.name} is a file of OpenVINO, which is not installed here: install it ('pip install openvino'; in "
            "3D Slicer slicer.util.pip_install('openvino')), then try again."
        ) from None
