"""The fusion network of a model: what its views of an object say and the picture itself, weighed in 3-D."""

from __future__ import annotations

import threading

import numpy as np
from numpy.typing import NDArray

from .errors import ModelError
from .manifest import Graph
from .named_session import NamedSession
from .propagation.base import CubeView
from .runtimes import SessionOptions

__all__ = ["FusionNetwork"]

_INPUTS = ("picture", "valid", "logits", "scale", "clicks")


class FusionNetwork:
    """Implements `propagation.Fusion` with a graph, loaded when it is first used: pictures and previews never need it.

    Graph: ``picture`` (1, 1, G, G, G) in 0..255, ``valid`` (1, 1, G, G, G) in 0..1, ``logits`` (1, 1, G, G, G),
    ``scale`` (1, 3), log2 of voxels a cell, and ``clicks`` (1, 2, G, G, G), see `propagation.click_cubes.paint_clicks`
    -> ``change`` (1, 1, G, G, G), to be added to the logits.

    Attributes
    ----------
    grid : cells a side, G
    scale : side of the cube in sides of the box
    """

    def __init__(self, graph: Graph, grid: int, scale: float, runtime: str, options: SessionOptions) -> None:
        self.grid, self.scale = grid, scale
        self._graph, self._runtime, self._options = graph, runtime, options
        self._session: NamedSession | None = None
        self._closed = False
        self._loading = threading.Lock()

    def __call__(self, seen: CubeView) -> NDArray[np.float32]:
        """What to add to the logits, (G, G, G) float32; see `propagation.Fusion`.

        Raises
        ------
        ModelError
            If the graph cannot be loaded, takes another number of cells, fails, or the model was closed.
        """
        cubes = {"picture": seen.picture, "valid": seen.valid, "logits": seen.logits}
        feeds = {name: values[None, None] for name, values in cubes.items()}
        scale = np.log2(np.array([seen.voxels_per_cell])).astype(np.float32)
        feeds |= {"scale": scale, "clicks": seen.clicks[None]}
        change: NDArray[np.float32] = self._loaded().run(feeds)["change"][0, 0]
        return change

    def close(self) -> None:
        """Free the graph; it cannot be used afterwards."""
        with self._loading:
            self._closed, session = True, self._session
        if session is not None:
            session.close()

    def _loaded(self) -> NamedSession:
        with self._loading:
            if self._closed:
                raise ModelError(f"The model of {self._graph.path.parent} was closed: load it again.")
            if self._session is None:
                session = NamedSession(self._graph, self._runtime, self._options, _INPUTS, ("change",))
                cells = session.shapes["picture"][-1]
                if cells != self.grid:
                    raise ModelError(
                        f"{self._graph.path.name} takes {cells} cells a side, its cube in model.json has {self.grid}: "
                        "correct cube.grid."
                    )
                self._session = session
            return self._session
