"""``python -m benchmarks.graph_cost FOLDER THREADS``: arithmetic, memory traffic and operators of a model's graphs.

Counted from the shapes that ONNX Runtime's profile tells, with the graph unchanged.  Arithmetic is that of
convolutions and matrix products, a multiplication and an addition each; the rest of a network is bound by
memory.  Traffic is that of unfused operators: every value and weight read once a use, every result written.
"""

from __future__ import annotations

import json
import math
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import onnx
import onnxruntime as ort
from numpy.typing import NDArray
from onnx import ModelProto, TensorProto, numpy_helper

from .engines import random_input

__all__ = ["costs", "main"]

_FREE = {"Constant", "Shape", "Reshape", "Squeeze", "Unsqueeze", "Identity", "Flatten"}
_RUNS = 3


def main() -> None:
    """Print the costs of both graphs as JSON."""
    from medsam_backends.manifest import read_manifest
    from medsam_backends.weights_file import WeightsFile

    manifest, threads = read_manifest(Path(sys.argv[1])), int(sys.argv[2])
    weights = WeightsFile(manifest)
    graphs = {"encoder": manifest.encoder.path, "decoder": manifest.decoder.path}
    print(json.dumps({name: costs(_filled(path, weights), threads) for name, path in graphs.items()}))


def _filled(path: Path, weights: Mapping[str, NDArray[Any]]) -> ModelProto:
    model = onnx.load(path, load_external_data=False)
    for tensor in model.graph.initializer:
        if tensor.data_location == TensorProto.EXTERNAL:
            array = weights[tensor.name].astype(onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type))
            tensor.CopyFrom(numpy_helper.from_array(array, tensor.name))
    return model


def costs(model: ModelProto, threads: int) -> dict[str, Any]:
    """GFLOP, MB of weights, MB moved and number of operators of one run, and the share of time of each operator."""
    flop = moved = operators = 0
    for event in _profile(model, threads, optimised=False, runs=1):
        shapes = [_shapes(event[side]) for side in ("input_type_shape", "output_type_shape")]
        flop += _flop(event["op_name"], *shapes)
        operators += 1
        if event["op_name"] not in _FREE:
            moved += 4 * sum(math.prod(shape) for shape in (*shapes[0], *shapes[1]))
    time_of: Counter[str] = Counter()
    for event in _profile(model, threads, optimised=True, runs=_RUNS):
        time_of[event["op_name"]] += event["dur"]
    total = sum(time_of.values())
    return {
        "gflop": flop / 1e9,
        "weights_mb": 4 * sum(math.prod(tensor.dims) for tensor in model.graph.initializer) / 1e6,
        "moved_mb": moved / 1e6,
        "operators": operators,
        "time_share": {name: spent / total for name, spent in time_of.most_common(6)},
    }


def _profile(model: ModelProto, threads: int, optimised: bool, runs: int) -> list[dict[str, Any]]:
    """An entry for every operator that ran: name, shapes and microseconds."""
    settings = ort.SessionOptions()
    settings.intra_op_num_threads = threads
    settings.enable_profiling = True
    settings.log_severity_level = 3
    if not optimised:  # packed weights would be missing from the shapes
        settings.add_session_config_entry("session.disable_prepacking", "1")
    level = ort.GraphOptimizationLevel
    settings.graph_optimization_level = level.ORT_ENABLE_ALL if optimised else level.ORT_DISABLE_ALL
    with tempfile.TemporaryDirectory() as folder:
        settings.profile_file_prefix = str(Path(folder) / "profile")
        session = ort.InferenceSession(model.SerializeToString(), settings, providers=["CPUExecutionProvider"])
        feeds = {value.name: random_input(value.name, tuple(value.shape)) for value in session.get_inputs()}
        for _ in range(runs):
            session.run(None, feeds)
        events = json.loads(Path(session.end_profiling()).read_text())
    kernels = (event for event in events if event.get("cat") == "Node" and event["name"].endswith("kernel_time"))
    return [event["args"] | {"dur": event["dur"]} for event in kernels]


def _shapes(listed: list[dict[str, list[int]]]) -> list[tuple[int, ...]]:
    return [tuple(shape) for value in listed for shape in value.values()]


def _flop(operator: str, inputs: list[tuple[int, ...]], outputs: list[tuple[int, ...]]) -> int:
    if operator == "Conv":
        return 2 * math.prod(outputs[0]) * math.prod(inputs[1][1:])
    if operator == "ConvTranspose":
        return 2 * math.prod(inputs[0]) * math.prod(inputs[1][1:])
    if operator == "MatMul":
        return 2 * math.prod(outputs[0]) * inputs[0][-1]
    if operator == "Gemm":
        return 2 * math.prod(outputs[0]) * (math.prod(inputs[0]) // outputs[0][0])
    return 0


if __name__ == "__main__":
    main()
