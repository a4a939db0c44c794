"""The two small protocols a runtime fulfils."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

__all__ = ["Runtime", "Session", "SessionOptions"]


@dataclass(frozen=True)
class SessionOptions:
    """How to run a graph.

    Attributes
    ----------
    threads : number of threads inside an operator; 0 means the cores that the process may use, 8 at most
    weights : arrays for the graph's external initializers, by name; they must live as long as the session
    weights_digest : SHA-256 of the file of `weights`; with it a runtime may keep what it made of graph and weights, and
        needs no weights when it has
    """

    threads: int = 0
    weights: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    weights_digest: str = ""


class Session(Protocol):
    """A loaded graph."""

    inputs: Mapping[str, tuple[int | str | None, ...]]
    outputs: Mapping[str, tuple[int | str | None, ...]]

    def run(self, feeds: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[np.float32]]:
        """Run the graph; every output by name."""


class Runtime(Protocol):
    """A library that runs ONNX graphs on the CPU.

    Attributes
    ----------
    concurrent : whether several threads may run one session at the same time and gain by it
    """

    name: str
    concurrent: bool

    def load(self, path: Path, options: SessionOptions) -> Session:
        """Load a graph.

        Raises
        ------
        ModelError
            If the file is damaged, names data outside its folder or lacks weights.
        """
