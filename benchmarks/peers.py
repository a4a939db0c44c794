"""Published systems run without this project's engine: PyTorch, or a plain export in ONNX Runtime or OpenVINO."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["AUTHORS_RUNTIME", "Feeds", "plain_session", "torch_system"]

Array = NDArray[np.float32]
Feeds = Mapping[str, Array]

AUTHORS_RUNTIME = {"TinyViT": "PyTorch", "RepViT": "PyTorch", "EfficientViT": "OpenVINO"}
"""What the authors of a family's systems run them with on a CPU."""


def torch_system(system: str, threads: int) -> tuple[Callable[[Array], Array], Callable[[Array, Array], Array], int]:
    """Encoder, decoder and input side of a system with PyTorch's own initial weights."""
    import torch
    from medsam_research.published.system import build
    from medsam_research.published.textbook import textbook

    torch.set_num_threads(threads)
    module = build(system)
    textbook(module.mask_decoder)

    def encode(image: Array) -> Array:
        with torch.inference_mode():
            return np.asarray(module.encode(torch.from_numpy(image)))

    def decode(features: Array, boxes: Array) -> Array:
        with torch.inference_mode():
            return np.asarray(module.decode(torch.from_numpy(features), torch.from_numpy(boxes))[0])

    return encode, decode, int(module.prompt_encoder.input_size)


def plain_session(
    path: Path, runtime: str, threads: int
) -> tuple[Callable[[Feeds], list[Any]], dict[str, tuple[Any, ...]]]:
    """A function that runs an ONNX file, and the shapes of its inputs."""
    return _openvino(path, threads) if runtime == "openvino" else _onnxruntime(path, threads)


def _onnxruntime(path: Path, threads: int) -> tuple[Callable[[Feeds], list[Any]], dict[str, tuple[Any, ...]]]:
    import onnxruntime as ort

    settings = ort.SessionOptions()
    settings.intra_op_num_threads = threads
    session = ort.InferenceSession(str(path), settings, providers=["CPUExecutionProvider"])
    shapes = {value.name: tuple(value.shape) for value in session.get_inputs()}
    return lambda feeds: session.run(None, dict(feeds)), shapes


def _openvino(path: Path, threads: int) -> tuple[Callable[[Feeds], list[Any]], dict[str, tuple[Any, ...]]]:
    """With the settings of MedficientSAM's own program: float32, accuracy mode, latency hint."""
    import openvino as ov

    settings = {
        "INFERENCE_PRECISION_HINT": "f32",
        "EXECUTION_MODE_HINT": "ACCURACY",
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_NUM_THREADS": threads,
    }
    compiled = ov.Core().compile_model(str(path), "CPU", settings)
    shapes = {
        value.any_name: tuple(side.get_length() if side.is_static else None for side in value.partial_shape)
        for value in compiled.inputs
    }

    def run(feeds: Feeds) -> list[Any]:
        got = compiled(dict(feeds))
        return [np.array(got[output]) for output in compiled.outputs]  # the request's memory is used again

    return run, shapes
