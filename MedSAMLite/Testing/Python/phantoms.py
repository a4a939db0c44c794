"""Volumes, tiny models and helpers for the tests; everything is made by code, nothing is downloaded."""

import hashlib
import json

import numpy as np
import onnx
import slicer
from onnx import TensorProto, helper

__all__ = ["ball", "bodyPhantom", "makeVolume", "tinyModel"]


def makeVolume(array, name="CT", spacing=(1.0, 1.0, 2.0), directions=None, origin=(0.0, 0.0, 0.0)):
    """A scalar volume node of a (K, J, I) array; columns of `directions` are the I, J and K axes in RAS."""
    matrix = np.eye(4)
    matrix[:3, :3] = (np.eye(3) if directions is None else np.asarray(directions)) * np.asarray(spacing)
    matrix[:3, 3] = origin
    return slicer.util.addVolumeFromArray(np.ascontiguousarray(array), ijkToRAS=matrix, name=name)


def ball(shape, centre, radius, scale=(1.0, 1.0, 1.0)):
    """Bool (K, J, I): voxels within `radius` of `centre` (k, j, i), distances scaled along each axis."""
    grid = np.indices(shape)
    return sum(((g - c) * s) ** 2 for g, c, s in zip(grid, centre, scale)) <= radius**2


def bodyPhantom(shape=(40, 128, 128)):
    """An int16 picture like a CT: air, a body, a brighter organ, a lesion and a spine, with noise."""
    k, j, i = np.indices(shape, dtype=np.float32)
    depth, rows, columns = shape
    x, y, z = (i / columns - 0.5) * 2, (j / rows - 0.5) * 2, (k / depth - 0.5) * 2
    volume = np.full(shape, -1000, np.float32)
    volume[(x / 0.85) ** 2 + (y / 0.7) ** 2 < 1] = 40
    volume[((x + 0.32) / 0.38) ** 2 + ((y + 0.05) / 0.4) ** 2 + (z / 0.8) ** 2 < 1] = 115
    volume[((x - 0.4) / 0.2) ** 2 + ((y - 0.1) / 0.26) ** 2 + (z / 0.7) ** 2 < 1] = 150
    volume[((x + 0.25) / 0.1) ** 2 + ((y + 0.1) / 0.1) ** 2 + (z / 0.3) ** 2 < 1] = 60
    volume[(x / 0.13) ** 2 + ((y - 0.45) / 0.13) ** 2 < 1] = 400
    noise = np.random.default_rng(7).normal(0, 12, shape)
    return np.where(volume > -900, volume + noise, volume).astype(np.int16)


def tinyModel(folder, identifier="tiny", size=32):
    """A model folder whose mask is the box itself, cut where the picture is dark; shaped like SAM.

    features: the mean of the picture's channels, (1, 1, S, S) in [0, 1]; logits: features - 0.25 inside
    the box (in network pixels), -1 outside.
    """
    folder.mkdir(parents=True, exist_ok=True)
    _encoder(folder / "encoder.onnx", size)
    _decoder(folder / "decoder.onnx", size)
    digest = {n: hashlib.sha256((folder / f"{n}.onnx").read_bytes()).hexdigest() for n in ("encoder", "decoder")}
    manifest = {
        "schema_version": 1,
        "id": identifier,
        "name": f"Test model {identifier}",
        "version": "1",
        "licence": "Apache-2.0",
        "modalities": ["CT", "MR"],
        "limits": ["A model for tests: it returns what is bright in the box."],
        "prompts": ["box"],
        "encoder": {"file": "encoder.onnx", "sha256": digest["encoder"]},
        "decoder": {"file": "decoder.onnx", "sha256": digest["decoder"]},
        "input": {
            "size": size,
            "resize": "longest_side",
            "interpolation": "linear",
            "normalisation": {"kind": "scale_255"},
        },
        "box": {"corners": "edges", "rounding": "none", "unit": "pixel"},
        "output": {"upsample": "linear", "threshold": 0.0},
    }
    (folder / "model.json").write_text(json.dumps(manifest))
    return folder


def _save(path, nodes, inputs, outputs, constants):
    info = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes,
        "tiny",
        [info(name, TensorProto.FLOAT, shape) for name, shape in inputs],
        [info(name, TensorProto.FLOAT, shape) for name, shape in outputs],
        [onnx.numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    onnx.save(model, path)


def _encoder(path, size):
    nodes = [helper.make_node("ReduceMean", ["image"], ["features"], axes=[1], keepdims=1)]
    _save(path, nodes, [("image", [1, 3, size, size])], [("features", [1, 1, size, size])], {})


def _decoder(path, size):
    """Inside the box where pixel centres lie between its edges."""
    centres = np.arange(size, dtype=np.float32) + 0.5
    constants = {
        "xs": centres.reshape(1, 1, 1, size),
        "ys": centres.reshape(1, 1, size, 1),
        "quarter": np.float32(0.25),
        "outside": np.float32(-1),
        "sure": np.full((1, 1), 0.9, np.float32),
        "shape": np.array([1, 1, 1, 1], np.int64),
    }
    nodes = []
    for number, name in enumerate(("x0", "y0", "x1", "y1")):
        constants[f"at{number}"] = np.array([number], np.int64)
        nodes.append(helper.make_node("Gather", ["boxes", f"at{number}"], [f"{name}_"], axis=1))
        nodes.append(helper.make_node("Reshape", [f"{name}_", "shape"], [name]))
    nodes += [
        helper.make_node("Greater", ["xs", "x0"], ["right"]),
        helper.make_node("Less", ["xs", "x1"], ["left"]),
        helper.make_node("Greater", ["ys", "y0"], ["below"]),
        helper.make_node("Less", ["ys", "y1"], ["above"]),
        helper.make_node("And", ["right", "left"], ["wide"]),
        helper.make_node("And", ["below", "above"], ["high"]),
        helper.make_node("And", ["wide", "high"], ["inside"]),
        helper.make_node("Sub", ["features", "quarter"], ["bright"]),
        helper.make_node("Where", ["inside", "bright", "outside"], ["logits"]),
        helper.make_node("Identity", ["sure"], ["iou"]),
    ]
    inputs = [("features", [1, 1, size, size]), ("boxes", [1, 4])]
    _save(path, nodes, inputs, [("logits", [1, 1, size, size]), ("iou", [1, 1])], constants)
