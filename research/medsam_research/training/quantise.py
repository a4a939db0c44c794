"""The decoder's convolutions in 8-bit integers, calibrated on training batches; never on anything that is evaluated.

The first convolution, whose planes differ in range, and the last, which makes the logits, stay float32.
Weights take 7 bits: on processors without VNNI two products of 8 bits would overflow the 16 bits they are summed in.
"""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

from medsam_research.models.segmenter import DECODER_INPUTS

__all__ = ["decoder_feeds", "quantise_decoder"]

Arrays = dict[str, NDArray[np.generic]]
_KEPT = ("/stem/", "/mask/")


def decoder_feeds(encoder: Path, batches: Iterable[Arrays]) -> Iterator[Arrays]:
    """What the decoder is given for every picture of `batches` (see `data.stream.batches`), by the graph `encoder`."""
    session = onnxruntime.InferenceSession(str(encoder), providers=["CPUExecutionProvider"])
    for batch in batches:
        windows = len(batch["window"]) // len(batch["image"])
        for n, image in enumerate(batch["image"]):
            [features] = session.run(["features"], {"image": image[None].astype(np.float32)})
            own = slice(n * windows, (n + 1) * windows)
            rest = {name: batch[name][own].astype(np.float32) for name in DECODER_INPUTS[1:]}
            yield {"features": features, **rest}


def quantise_decoder(path: Path, feeds: Iterator[Arrays], pictures: int = 80) -> None:
    """Rewrite the decoder at `path`, calibrated on the first `pictures` of `feeds`.

    Raises
    ------
    ValueError
        If the convolutions that must stay float32 are not found.
    """
    with tempfile.TemporaryDirectory() as scratch:
        folded, small = Path(scratch) / "folded.onnx", Path(scratch) / "small.onnx"
        settings = onnxruntime.SessionOptions()
        settings.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
        settings.optimized_model_filepath = str(folded)
        onnxruntime.InferenceSession(str(path), settings, providers=["CPUExecutionProvider"])
        names = [node.name for node in onnx.load(folded).graph.node if node.op_type == "Conv"]
        kept = [name for name in names if name.startswith(_KEPT)]
        if len(kept) != len(_KEPT):
            raise ValueError(f"the decoder has no convolutions called {', '.join(_KEPT)}: which are to stay float32?")
        logging.disable(logging.WARNING)  # advice of the tool on its own options
        try:
            quantize_static(
                folded,
                small,
                _Feeds(islice(feeds, pictures)),
                quant_format=QuantFormat.QDQ,
                op_types_to_quantize=["Conv"],
                nodes_to_exclude=kept,
                per_channel=True,
                reduce_range=True,
                activation_type=QuantType.QUInt8,
                weight_type=QuantType.QInt8,
            )
        finally:
            logging.disable(logging.NOTSET)
        path.write_bytes(small.read_bytes())


class _Feeds(CalibrationDataReader):  # type: ignore[misc]
    def __init__(self, feeds: Iterator[Arrays]) -> None:
        self._feeds = feeds

    def get_next(self) -> Arrays | None:
        return next(self._feeds, None)
