"""The contract that every model fulfils: encode a slice once, decode any number of prompts on it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from .errors import InputError, ModelError, PromptError
from .types import Box, Embedding, Prediction, Prompt

if TYPE_CHECKING:
    from .propagation.base import Fusion

__all__ = ["Backend", "BackendSpec"]

PromptKind = Literal["box", "points", "prior", "position"]


@dataclass(frozen=True)
class BackendSpec:
    """Facts about a model that the panel, the command line and the propagation read.

    Attributes
    ----------
    id : unique short name, ``[a-z0-9._-]+``
    prompts : which parts of a `Prompt` the model uses; the others are ignored
    input_size : longest side of the picture that the encoder sees, in pixels
    channels : what `Backend.encode` wants of a grey volume: ``"grey"``, the slice alone, or
        ``"adjacent"``, an (H, W, 3) picture of the slices k-1, k and k+1
    box_side : size of the network frame in which published rules carry boxes (1 for fractions)
    rule : name of the propagation rule used unless the user names one
    digest : SHA-256 over the model's files and settings, hexadecimal; with the id it keys caches and what is resumed
    """

    id: str
    name: str
    version: str
    licence: str
    citation: str = ""
    modalities: tuple[str, ...] = ()
    prompts: frozenset[PromptKind] = field(default_factory=lambda: frozenset({"box"}))
    input_size: int = 256
    channels: Literal["grey", "adjacent"] = "grey"
    box_side: int = 256
    rule: str = "track"
    family: str = ""
    source: str = ""
    limits: tuple[str, ...] = ()
    digest: str = ""

    @property
    def identity(self) -> str:
        """Id and digest, which an `Embedding` carries."""
        return f"{self.id}@{self.digest}"


class Backend(ABC):
    """A promptable segmentation model.

    Subclasses set `spec` and implement `encode` and `decode`; they call `check_image` and
    `check_prompts` first, so that a mistake is one clear sentence everywhere.

    Attributes
    ----------
    at_once : slices that may be encoded and decoded at once, each in a thread of its own; with 1, one thread encodes
        and one decodes at most
    batch : slices worth decoding in one call, see `decode_many`; 1 where that gains nothing
    fusion : the network that weighs views of an object in 3-D; None for a model without
    """

    spec: BackendSpec
    at_once: int = 1
    batch: int = 1
    fusion: Fusion | None = None

    @abstractmethod
    def encode(self, image: NDArray[np.generic]) -> Embedding:
        """Make the embedding of one slice, the slow step, done once a slice.

        Parameters
        ----------
        image : (H, W) or (H, W, 3) array, uint8, or float32 in [0, 255]; never written to

        Raises
        ------
        InputError
            If the image has another shape or type, or holds values that are not finite.
        """

    @abstractmethod
    def decode(self, embedding: Embedding, prompts: Sequence[Prompt]) -> list[Prediction]:
        """Segment one object a prompt on an encoded slice, the fast step.

        Raises
        ------
        ModelError
            If the embedding was made by another model.
        PromptError
            If a box does not touch the image, or a prior has another size than the image.
        """

    def decode_many(self, asks: Sequence[tuple[Embedding, Prompt]]) -> list[Prediction]:
        """Segment one object on each of several encoded slices: the same as `decode` on each, in fewer calls if it can.

        Raises
        ------
        ModelError, PromptError
            As `decode`.
        """
        return [self.decode(embedding, [prompt])[0] for embedding, prompt in asks]

    def for_modality(self, modality: str) -> Backend:
        """The model to use for images of this modality: itself, unless it is one of several.

        Parameters
        ----------
        modality : DICOM modality, or what the user calls it; empty when nobody said

        Raises
        ------
        ModelError
            If there is none for it.
        """
        return self

    def close(self) -> None:
        """Free what the model holds; it cannot be used afterwards."""

    def image_box(self, prompt: Prompt, size: tuple[int, int]) -> Box:
        """A prompt's box as edges in pixels of the original image, also where a published rule carries it otherwise.

        Parameters
        ----------
        size : (H, W) of the original image
        """
        if prompt.frame == "image":
            return prompt.box
        # Its corners are pixel indices of the network's frame, both inclusive.
        factor = max(size) / self.spec.box_side
        x0, y0, x1, y1 = (value * factor for value in prompt.box)
        return x0, y0, max(x1, x0) + 1, max(y1, y0) + 1

    def check_image(self, image: NDArray[np.generic]) -> None:
        """Raise `InputError` unless `image` is what `encode` promises to take."""
        if image.ndim not in (2, 3) or (image.ndim == 3 and image.shape[2] != 3) or 0 in image.shape:
            raise InputError(f"An image of shape {image.shape} cannot be encoded: give (H, W) or (H, W, 3).")
        if image.dtype not in (np.uint8, np.float32):
            raise InputError(f"An image of type {image.dtype} cannot be encoded: apply an intensity preset first.")
        if image.dtype == np.float32 and not np.isfinite(image).all():
            raise InputError("The image holds values that are not numbers: apply an intensity preset first.")

    def check_prompts(self, embedding: Embedding, prompts: Sequence[Prompt]) -> None:
        """Raise `ModelError` or `PromptError` unless `decode` can take these."""
        if embedding.model != self.spec.identity:
            raise ModelError(
                f"This embedding was made by {embedding.model}, not by {self.spec.identity}: encode the slice again."
            )
        height, width = embedding.size
        for prompt in prompts:
            x0, y0, x1, y1 = prompt.box
            if prompt.frame == "image" and (x1 <= 0 or y1 <= 0 or x0 >= width or y0 >= height):
                raise PromptError(
                    f"The box {prompt.box} lies outside the {width} x {height} image: draw it on the image."
                )
            if prompt.prior is not None and prompt.prior.shape != embedding.size:
                raise PromptError(f"The prior mask has size {prompt.prior.shape}, the image {embedding.size}.")
