"""The values that travel between the parts: prompts, embeddings and predictions.

Pixels are addressed in two ways, and only these: *edges* ``(x0, y0, x1, y1)`` at pixel borders
(pixel ``i`` covers ``[i, i + 1)``), used by prompts; and *voxel-inclusive* ``(i0, j0, k0, i1, j1,
k1)``, first and last voxel, used by people.  `boxes.py` converts between them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from .errors import PromptError

__all__ = ["Box", "Embedding", "Point", "Prediction", "Prompt"]

Box = tuple[float, float, float, float]
"""Edges ``(x0, y0, x1, y1)`` in pixels; x runs along columns, y along rows."""


@dataclass(frozen=True)
class Point:
    """A click at ``(x, y)`` in pixel edges: the centre of pixel ``(i, j)`` is ``(i + 0.5, j + 0.5)``."""

    x: float
    y: float
    positive: bool = True


@dataclass(frozen=True, eq=False)
class Prompt:
    """What to segment on one slice.

    Attributes
    ----------
    box : edges in pixels of the original image, or in the model's own input frame when
        `frame` is ``"network"`` (the published propagation rules carry such boxes)
    points : clicks inside or outside the object
    prior : (H, W) bool or float32 in [0, 1] at the image's size: the neighbouring slice's mask,
        or the mask being corrected; None when there is none
    position : place of this slice between the two ends of a 3-D box, in [-1, 1]; None in 2-D
    frame : ``"image"`` or ``"network"``

    Raises
    ------
    PromptError
        If the box is empty or not finite, or the position lies outside [-1, 1].
    """

    box: Box
    points: tuple[Point, ...] = ()
    prior: NDArray[np.bool_] | NDArray[np.float32] | None = None
    position: float | None = None
    frame: Literal["image", "network"] = "image"

    def __post_init__(self) -> None:
        x0, y0, x1, y1 = self.box
        if not np.isfinite(self.box).all():
            raise PromptError(f"The box {self.box} holds a value that is not a number: draw it again.")
        # A published rule may carry a box of no width, as its authors' programs do.
        if self.frame == "image" and not (x1 > x0 and y1 > y0):
            raise PromptError(f"The box {self.box} is empty: its second corner must lie right of and below its first.")
        if self.position is not None and not -1 <= self.position <= 1:
            raise PromptError(f"The slice's position {self.position} must lie between -1 and 1.")

    def only_says(self, box: Box) -> bool:
        """Whether this is `box`, without clicks and prior mask."""
        return not self.points and self.prior is None and self.box == box

    def asks_like(self, other: Prompt) -> bool:
        """Whether the other asks for the same; of two with priors, only if it is this one itself."""
        if self is other:
            return True
        mine, others = ((p.box, p.points, p.position, p.frame) for p in (self, other))
        return self.prior is None and other.prior is None and mine == others


@dataclass(frozen=True, eq=False)
class Embedding:
    """What an encoder made of one slice; immutable, and bound to the model that made it.

    Attributes
    ----------
    model : id and digest of the model, ``"id@digest"``; another model refuses this embedding
    size : (H, W) of the original image in pixels
    arrays : named arrays; read-only views of those given, whose own flags stay
    """

    model: str
    size: tuple[int, int]
    arrays: Mapping[str, NDArray[np.generic]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        views = {name: array.view() for name, array in self.arrays.items()}
        for view in views.values():
            view.setflags(write=False)
        object.__setattr__(self, "arrays", MappingProxyType(views))

    @property
    def nbytes(self) -> int:
        """Bytes that the arrays hold."""
        return sum(array.nbytes for array in self.arrays.values())

    def halved(self) -> Embedding:
        """The same embedding with its float32 arrays as float16 (half the bytes)."""
        arrays = {n: a.astype(np.float16) if a.dtype == np.float32 else a for n, a in self.arrays.items()}
        return Embedding(self.model, self.size, arrays)


@dataclass(frozen=True, eq=False)
class Prediction:
    """One mask and how sure the model is of it.

    Attributes
    ----------
    mask : (H, W) bool at the original image's size
    iou : the model's own estimate of its overlap with the truth, in [0, 1]
    logits : float32 logits before thresholding at 0 on the model's own grid, or None
    extent : the edges in original pixels that the grid of `logits` covers, or None
    """

    mask: NDArray[np.bool_]
    iou: float
    logits: NDArray[np.float32] | None = None
    extent: Box | None = None
