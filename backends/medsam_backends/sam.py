"""SAM-like models: an embedding of the whole picture, boxes in network pixels, low-resolution logits."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from .errors import ModelError
from .folder_backend import FolderBackend
from .preprocess import Frame, network_box
from .resize import resize
from .types import Embedding, Prediction, Prompt

__all__ = ["SamBackend"]


class SamBackend(FolderBackend):
    """The published systems and whatever else is shaped like them.

    Graphs: ``image`` (1, 3, S, S) -> ``features``; ``features`` and ``boxes`` (N, 4) -> ``logits``
    (N, 1, h, h) and ``iou`` (N, 1).
    """

    decoder_inputs = ("features", "boxes")

    def decode(self, embedding: Embedding, prompts: Sequence[Prompt]) -> list[Prediction]:
        self.check_prompts(embedding, prompts)
        settings = self.manifest.input
        frame = Frame.of(embedding.size, settings["size"], settings["resize"])
        features = embedding.arrays["features"].astype(np.float32, copy=False)
        # One call a box: several in one call take longer (measured with LiteMedSAM's decoder) and more memory.
        return [self._decode(features, frame, prompt) for prompt in prompts]

    def _decode(self, features: NDArray[np.float32], frame: Frame, prompt: Prompt) -> Prediction:
        box = np.array([network_box(prompt, frame, self.manifest.box)], np.float32)
        got = self._decoder.run({"features": features, "boxes": box})
        logits, iou = got["logits"], float(got["iou"].reshape(-1)[0])
        if logits.ndim != 4 or logits.shape[:2] != (1, 1):
            raise ModelError(f"The decoder gave logits of shape {logits.shape}, not (1, 1, h, w): see model.json.")
        low = logits[0, 0]
        full = self._enlarge(low, frame)
        height, width = frame.size
        return Prediction(
            mask=full > self.manifest.output["threshold"],
            iou=min(1.0, max(0.0, iou)),
            logits=low,
            extent=(0.0, 0.0, width * frame.side / frame.resized[1], height * frame.side / frame.resized[0]),
        )

    def _enlarge(self, low: NDArray[np.float32], frame: Frame) -> NDArray[np.float32]:
        """Cut the padding from the logits and bring them to the picture's size, as the authors do."""
        rule = self.manifest.output
        via: int = rule["via"] if "via" in rule else low.shape[0]
        if via != low.shape[0]:
            low = resize(low, (via, via), "torch_linear")
        height, width = (round(n * via / frame.side) for n in frame.resized)
        return resize(np.ascontiguousarray(low[:height, :width]), frame.size, rule["upsample"])
