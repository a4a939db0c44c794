"""What every propagation rule is given and gives back."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ..boxes import Axis
from ..types import Box, Prediction, Prompt
from .kept import Kept

__all__ = ["CubeView", "Fusion", "Request", "Rule", "SliceModel", "SliceResult"]


@dataclass(frozen=True, eq=False)
class CubeView:
    """What a fusion network is shown of an object, see `cube.Cube`; axes are (slices, rows, columns).

    Attributes
    ----------
    picture : (G, G, G) float32 in 0..255
    valid : (G, G, G) float32 in 0..1, how much of each cell lies in the volume
    logits : (G, G, G) float32, what views of the object agree on
    voxels_per_cell : along the three axes
    clicks : (2, G, G, G) float32, the user's positive and negative ones, see `click_cubes.paint_clicks`
    """

    picture: NDArray[np.float32]
    valid: NDArray[np.float32]
    logits: NDArray[np.float32]
    voxels_per_cell: tuple[float, float, float]
    clicks: NDArray[np.float32]


class Fusion(Protocol):
    """A network that weighs what views of an object say against the picture round it, in 3-D.

    Attributes
    ----------
    grid : cells a side of its cube, G
    scale : side of the cube in sides of the box
    """

    grid: int
    scale: float

    def __call__(self, seen: CubeView) -> NDArray[np.float32]:
        """What to add to the logits, (G, G, G) float32."""


class SliceModel(Protocol):
    """A model over the slices of one volume along one axis; the embedding cache is behind it.

    Attributes
    ----------
    kept : what rules keep of the objects that they worked on last
    """

    kept: Kept

    @property
    def shape(self) -> tuple[int, int, int]:
        """(slices, rows, columns)."""

    @property
    def axis(self) -> Axis:
        """The axis of the volume that the slices are stacked along."""

    def view(self, axis: Axis) -> SliceModel:
        """The same model over the slices of the same volume along another axis."""

    def expect(self, index: int, prompt: Prompt) -> None:
        """Slice `index` will be asked for `prompt` soon: a model may begin, or have enough to do already."""

    @property
    def prompts(self) -> frozenset[str]:
        """Which parts of a prompt the model uses, see `BackendSpec.prompts`."""

    @property
    def box_side(self) -> int:
        """Size of the network frame in which published rules carry boxes (1 for fractions)."""

    @property
    def fusion(self) -> Fusion | None:
        """The model's fusion network, if it has one."""

    def plane(self, index: int) -> NDArray[np.uint8]:
        """Slice `index` alone as the model's intensities show it, (H, W) uint8, colours as their mean."""

    def predict(self, index: int, prompts: Sequence[Prompt]) -> list[Prediction]:
        """Segment the objects of `prompts` on slice `index`; encodes it if that was not done yet.

        Raises
        ------
        Cancelled
            If the user cancelled: called at every slice, this is where cancelling takes effect.
        """


@dataclass(frozen=True)
class Request:
    """One object to segment.

    Attributes
    ----------
    box : in-plane edges of the 3-D box in pixels
    first, last : first and last slice of the box, inclusive, inside the volume
    keys : prompts that the user gave on single slices (where they drew, or corrected); may be empty
    label : 1-based number of the object, which changes the result of LiteMedSAM's published rule
    known : results of an earlier run that are not to be made again, by slice
    """

    box: Box
    first: int
    last: int
    keys: Mapping[int, Prompt] = field(default_factory=dict)
    label: int = 1
    known: Mapping[int, SliceResult] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class SliceResult:
    """The object on one slice.

    Attributes
    ----------
    index : slice
    mask : (H, W) bool
    confidence : in [0, 1]; the model's predicted IoU unless the rule knows better
    note : why the rule did something other than go on, else empty ("empty mask", "jump", ...)
    """

    index: int
    mask: NDArray[np.bool_]
    confidence: float
    note: str = ""


Rule = Callable[[Request, SliceModel], Iterator[SliceResult]]
"""A rule yields a result whenever one is ready; a later result of the same slice replaces the earlier."""
