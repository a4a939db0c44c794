"""Window models: the decoder looks at the slice itself through a window round the box."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from .errors import ModelError
from .folder_backend import FolderBackend
from .manifest import Manifest
from .named_session import NamedSession
from .types import Embedding, Point, Prediction, Prompt
from .window import Rect, covered, paste, sample, window_rect

__all__ = ["OUTSIDE", "WindowBackend", "point_planes"]

OUTSIDE = -10.0
"""The logit given to pixels beyond the window: certainly not the object."""
_POINT_SIGMA = 1.5  # cells; the width of a click in training
_BATCH = 4  # windows: more gain nothing further, and wait longer for each other, or when the user cancels


class WindowBackend(FolderBackend):
    """A decoder over a fixed grid of cells that covers the box and its surroundings.

    Graphs: ``image`` (1, 3, S, S) in 0..255 -> ``features``; the decoder takes ``features``,
    ``window`` (N, 3, G, G) in 0..255, ``valid`` (N, 1, G, G), ``rect`` (N, 4) as fractions of the
    encoder's input, ``scale`` (N, 2) log2 of pixels a cell, ``position`` (N, 2), ``prior``
    (N, 1, G, G), ``has_prior`` (N, 1) and ``points`` (N, 2, G, G); it gives ``logits``
    (N, 1, G, G) and ``iou`` (N, 1).  The embedding keeps the slice's picture.

    Where the graph leaves the first axis of every input free, ``features`` may hold N maps, one a window, and windows
    on several slices share a call; where it says 1, every window is a call.
    """

    decoder_inputs = ("features", "window", "valid", "rect", "scale", "position", "prior", "has_prior", "points")

    def beside(self, image: NDArray[np.generic]) -> Mapping[str, NDArray[np.generic]]:
        if image.dtype == np.uint8:
            return {"picture": image.copy(order="K")}  # the caller's array may change later
        return {"picture": np.clip(np.rint(image), 0, 255).astype(np.uint8)}

    def __init__(self, manifest: Manifest, runtime: str = "onnxruntime", threads: int = 0) -> None:
        super().__init__(manifest, runtime, threads)
        shapes = self._decoder.shapes.values() if isinstance(self._decoder, NamedSession) else ()
        windows = [shape[0] for shape in shapes if shape]  # none where a runtime dropped an input that is not used
        if windows and not any(isinstance(count, int) for count in windows):
            self.batch = _BATCH

    def decode(self, embedding: Embedding, prompts: Sequence[Prompt]) -> list[Prediction]:
        self.check_prompts(embedding, prompts)  # all of them, before any is decoded
        return self.decode_many([(embedding, prompt) for prompt in prompts])

    def decode_many(self, asks: Sequence[tuple[Embedding, Prompt]]) -> list[Prediction]:
        for embedding, prompt in asks:
            self.check_prompts(embedding, [prompt])
        calls = (asks[first : first + self.batch] for first in range(0, len(asks), self.batch))
        return [prediction for call in calls for prediction in self._decode(call)]

    def _decode(self, asks: Sequence[tuple[Embedding, Prompt]]) -> list[Prediction]:
        """The windows of one call."""
        grid, scale = self.manifest.window["grid"], self.manifest.window["scale"]
        rects = [window_rect(self.image_box(prompt, embedding.size), scale) for embedding, prompt in asks]
        feeds = [self._feeds(*ask, rect, grid) for ask, rect in zip(asks, rects, strict=True)]
        whole = feeds[0] if len(feeds) == 1 else {n: np.concatenate([feed[n] for feed in feeds]) for n in feeds[0]}
        got = self._decoder.run(whole)
        ious = np.clip(got["iou"].reshape(-1), 0, 1).tolist()
        if not len(got["logits"]) == len(ious) == len(asks):
            raise ModelError(
                f"{self.manifest.decoder.path.name} answers {len(got['logits'])} and {len(ious)} times when asked for "
                f"{len(asks)} windows: fix the first axis of its inputs to 1."
            )
        return [
            _WindowPrediction(embedding.size, iou, logits, rect)
            for (embedding, _), iou, logits, rect in zip(asks, ious, got["logits"][:, 0], rects, strict=True)
        ]

    def _feeds(self, embedding: Embedding, prompt: Prompt, rect: Rect, grid: int) -> dict[str, NDArray[np.float32]]:
        """One window's inputs of the decoder."""
        uses = self.spec.prompts
        prior = np.zeros((grid, grid), np.float32)
        has_prior = prompt.prior is not None and "prior" in uses
        if has_prior and prompt.prior is not None:
            prior = sample(prompt.prior, rect, grid)
        points = prompt.points if "points" in uses else ()
        position = prompt.position if "position" in uses else None
        cells = np.array([rect[2] - rect[0], rect[3] - rect[1]], np.float64) / grid
        return {
            "features": embedding.arrays["features"].astype(np.float32, copy=False),
            "window": np.broadcast_to(sample(embedding.arrays["picture"], rect, grid), (3, grid, grid))[None],
            "valid": covered(rect, embedding.size, grid)[None, None],
            "rect": (np.array([rect]) / max(embedding.size)).astype(np.float32),
            "scale": np.log2(cells)[None].astype(np.float32),
            "position": np.array([[0.0, 0.0] if position is None else [1.0, position]], np.float32),
            "prior": prior[None, None],
            "has_prior": np.array([[float(has_prior)]], np.float32),
            "points": point_planes(points, rect, grid)[None],
        }


class _WindowPrediction(Prediction):
    """A prediction whose mask is made when it is first looked at: rules that work on logits never do."""

    size: tuple[int, int]

    def __init__(self, size: tuple[int, int], iou: float, logits: NDArray[np.float32], extent: Rect) -> None:
        self.__dict__.update(size=size, iou=iou, logits=logits, extent=extent)

    @functools.cached_property
    def mask(self) -> NDArray[np.bool_]:
        assert self.logits is not None and self.extent is not None
        return paste(self.logits, self.extent, self.size, OUTSIDE) > 0


def point_planes(points: Sequence[Point], rect: Rect, grid: int) -> NDArray[np.float32]:
    """Positive and negative clicks as small bumps on the window's grid, (2, grid, grid) float32 in [0, 1]."""
    planes = np.zeros((2, grid, grid), np.float32)
    centres = np.arange(grid) + 0.5
    for point in points:
        x = (point.x - rect[0]) / (rect[2] - rect[0]) * grid
        y = (point.y - rect[1]) / (rect[3] - rect[1]) * grid
        bump = np.exp(-((centres[:, None] - y) ** 2 + (centres[None] - x) ** 2) / (2 * _POINT_SIGMA**2))
        plane = planes[0 if point.positive else 1]
        np.maximum(plane, bump.astype(np.float32), out=plane)
    return planes
