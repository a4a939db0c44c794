"""SAM-like models whose prompt encoder and mask decoder are graphs of their own, as DAFT publishes them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import ModelError
from .manifest import Manifest
from .named_session import NamedRun, NamedSession
from .runtimes import SessionOptions
from .sam import SamBackend

__all__ = ["SplitSamBackend"]


class SplitSamBackend(SamBackend):
    """As `SamBackend`, with two graphs for a decoder.

    Graphs: ``boxes`` -> ``sparse``, ``dense``; ``features``, ``positions``, ``sparse``, ``dense`` ->
    ``logits`` (1, 1, h, w) and ``iou``.
    """

    def load_decoder(self, runtime: str, options: SessionOptions) -> NamedRun:
        return _SplitDecoder(self.manifest, runtime, options)


class _SplitDecoder:
    """Both graphs as one decoder of ``features`` and ``boxes`` (1, 4)."""

    def __init__(self, manifest: Manifest, runtime: str, options: SessionOptions) -> None:
        if manifest.prompt_encoder is None:
            raise ModelError(f"The model {manifest.spec.id} has no prompt encoder: install it again.")
        self._prompt = NamedSession(manifest.prompt_encoder, runtime, options, ("boxes",), ("sparse", "dense"))
        inputs = ("features", "positions", "sparse", "dense")
        self._mask = NamedSession(manifest.decoder, runtime, options, inputs, ("logits", "iou"))
        self._positions = _read_positions(manifest)
        self._box_shape = (1,) * (len(self._prompt.shapes["boxes"]) - 1) + (4,)

    def run(self, feeds: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[np.float32]]:
        encoded = self._prompt.run({"boxes": feeds["boxes"].reshape(self._box_shape)})
        return self._mask.run({"features": feeds["features"], "positions": self._positions, **encoded})

    def close(self) -> None:
        self._prompt.close()
        self._mask.close()


def _read_positions(manifest: Manifest) -> NDArray[np.float32]:
    if manifest.positions is None:
        raise ModelError(f"The model {manifest.spec.id} has no positional encoding: install it again.")
    try:
        array = np.load(manifest.positions, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise ModelError(f"{manifest.positions.name} cannot be read ({error}): install the model again.") from None
    return np.ascontiguousarray(array, np.float32)
