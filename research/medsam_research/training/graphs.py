"""The two networks as ONNX graphs: branches merged, normalisation folded, weights stored as float16."""

from __future__ import annotations

import copy
import warnings
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

from medsam_research.models.encoder import FEATURE_CHANNELS
from medsam_research.models.layers import fuse
from medsam_research.models.segmenter import DECODER_INPUTS, Segmenter

__all__ = ["OPSET", "decoder_example", "halve_weights", "merged", "write_decoder", "write_encoder"]

OPSET = 17
_SMALL = 64  # values; shorter tensors stay float32


def merged(model: Segmenter) -> Segmenter:
    """A copy in evaluation mode whose blocks are plain convolutions."""
    plain = copy.deepcopy(model).eval().to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    return fuse(plain)  # type: ignore[return-value]


def decoder_example(windows: int, grid: int, seed: int = 0, maps: int = 1) -> tuple[Tensor, ...]:
    """Random inputs of the decoder, in the order of `DECODER_INPUTS`; `maps` is 1 or the number of windows."""
    random = torch.Generator().manual_seed(seed)

    def uniform(*shape: int) -> Tensor:
        return torch.rand(shape, generator=random)

    corner = uniform(windows, 2) * 0.6 - 0.1
    rect = torch.cat([corner, corner + 0.1 + 0.4 * uniform(windows, 2)], 1)
    plane = (windows, 1, grid, grid)
    return (
        uniform(maps, FEATURE_CHANNELS, 32, 32) * 2 - 0.3,
        uniform(windows, 3, grid, grid) * 255,
        (uniform(*plane) > 0.1).float(),
        rect,
        uniform(windows, 2) * 4 - 2,
        torch.cat([torch.ones(windows, 1), uniform(windows, 1) * 2 - 1], 1),
        uniform(*plane),
        torch.ones(windows, 1),
        uniform(windows, 2, grid, grid),
    )


def _export(
    module: nn.Module, example: tuple[Tensor, ...], path: Path, names: tuple[list[str], list[str]], free: dict[str, str]
) -> None:
    """`free` names the first axis of the tensors where it is not fixed."""
    inputs, outputs = names
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter that writes no second package's operators is deprecated
        torch.onnx.export(
            module,
            example,
            str(path),
            input_names=inputs,
            output_names=outputs,
            opset_version=OPSET,
            dynamic_axes={name: {0: axis} for name, axis in free.items()},
            dynamo=False,
        )


def write_encoder(model: Segmenter, path: Path) -> None:
    """``image`` (1, 3, 256, 256), float32 in 0..255, to ``features``."""
    assert model.encoder is not None
    _export(model.encoder, (torch.rand(1, 3, 256, 256) * 255,), path, (["image"], ["features"]), {})


def write_decoder(model: Segmenter, path: Path, grid: int) -> None:
    """`DECODER_INPUTS` to ``logits`` and ``iou``, the first axis free: features are one map, or one for each window."""
    names = list(DECODER_INPUTS), ["logits", "iou"]
    free = {**dict.fromkeys((*names[0], *names[1]), "n"), "features": "maps"}
    _export(model.decoder, decoder_example(2, grid), path, names, free)


def halve_weights(path: Path) -> None:
    """Store the float32 tensors of the graph at `path` as float16, each followed by a cast back.

    ONNX Runtime folds the casts when it loads the graph: arithmetic stays float32.
    """
    model = onnx.load(path)
    casts = []
    for tensor in model.graph.initializer:
        values = numpy_helper.to_array(tensor)
        if tensor.data_type != TensorProto.FLOAT or values.size < _SMALL:
            continue
        name = tensor.name
        tensor.CopyFrom(numpy_helper.from_array(values.astype(np.float16), name + ".half"))
        casts.append(helper.make_node("Cast", [name + ".half"], [name], to=TensorProto.FLOAT))
    nodes = casts + list(model.graph.node)
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    onnx.checker.check_model(model)
    onnx.save(model, path)
