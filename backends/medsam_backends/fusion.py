"""The fusion network of a model: what its views of an object say and the picture itself, weighed in 3-D."""

from __future__ import annotations

import threading

import numpy as np
from numpy.typing import NDArray

from .manifest import Graph
from .named_session import NamedSession
from .runtimes import SessionOptions

__all__ = ["FusionNetwork"]

_INPUTS = ("picture", "covered", "views", "scale")


class FusionNetwork:
    """Implements `propagation.Fusion` with a graph, loaded when it is first used.

    Graph: ``picture`` (1, 1, G, G, G) in 0..255, ``covered`` (1, 1, G, G, G) in 0..1, ``views`` (1, 1, G, G, G) logits
    and ``scale`` (1, 3), log2 of voxels a cell -> ``change`` (1, 1, G, G, G), to be added to the logits.

    Attributes
    ----------
    grid : cells a side, G
    margin : side of the cube in sides of the box
    """

    def __init__(self, graph: Graph, grid: int, margin: float, runtime: str, options: SessionOptions) -> None:
        self.grid, self.margin = grid, margin
        self._graph, self._runtime, self._options = graph, runtime, options
        self._session: NamedSession | None = None
        self._loading = threading.Lock()

    def __call__(
        self,
        picture: NDArray[np.float32],
        covered: NDArray[np.float32],
        views: NDArray[np.float32],
        voxels_per_cell: tuple[float, float, float],
    ) -> NDArray[np.float32]:
        """What to add to the views' logits, (G, G, G) float32; see `propagation.Fusion`.

        Raises
        ------
        ModelError
            If the graph cannot be loaded.
        """
        with self._loading:
            if self._session is None:
                self._session = NamedSession(self._graph, self._runtime, self._options, _INPUTS, ("change",))
        cubes = {"picture": picture, "covered": covered, "views": views}
        feeds = {name: values[None, None] for name, values in cubes.items()}
        scale = np.log2(np.array([voxels_per_cell])).astype(np.float32)
        change: NDArray[np.float32] = self._session.run({**feeds, "scale": scale})["change"][0, 0]
        return change

    def close(self) -> None:
        """Free the graph; it is loaded again when it is used."""
        self._session = None
