"""Model folders of a few kilobytes whose masks can be told beforehand; made with the `onnx` package."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

SIDE = 32
"""Side of the SAM-like model's input: a picture of this size reaches it unchanged."""
GRID = 16
"""Cells of the window model: a box of this many pixels reaches it unchanged."""
THRESHOLD = 100.0
"""Pixels brighter than this, inside the box, are the object."""
IOU = 0.75
POSITIONS = np.ones((1, 1, SIDE, SIDE), np.float32)
"""What the split model's mask decoder is given beside the picture."""


def sam_model(folder: Path, identifier: str = "tiny", edit: Callable[[dict[str, Any]], None] | None = None) -> Path:
    """A model that finds the pixels of the box brighter than `THRESHOLD`; grey pictures of `SIDE` pixels."""
    return _write(folder, _manifest(identifier), sam_encoder(), sam_decoder(), edit)


def window_model(folder: Path, identifier: str = "window", windows: int | str = 1) -> Path:
    """The same by a window: a click adds its bump, times 1000, to the brightness, a prior its mask, times 50.

    `windows` is the first axis of the decoder's inputs, a name where it is free.
    """
    manifest = _manifest(identifier)
    manifest["prompts"] = ["box", "points", "prior", "position"]
    manifest["input"]["interpolation"] = "window"
    manifest["window"] = {"grid": GRID, "scale": 1.0}
    manifest["decoder"]["kind"] = "window"
    return _write(folder, manifest, sam_encoder(), _window_decoder(windows), None)


def add_fusion(folder: Path) -> Path:
    """Give the model in `folder` a fusion network after which only what is brighter than 200, or clicked, is left."""
    cube = [1, 1, GRID, GRID, GRID]
    both = [1, 2, GRID, GRID, GRID]
    nodes = [
        helper.make_node("Sub", ["picture", "limit"], ["brighter"]),
        helper.make_node("Abs", ["valid"], ["unused_valid"]),
        helper.make_node("Abs", ["scale"], ["unused_scale"]),
        helper.make_node("Conv", ["clicks", "signs"], ["said"]),
        helper.make_node("Add", ["brighter", "said"], ["left"]),
        helper.make_node("Sub", ["left", "logits"], ["change"]),
    ]
    inputs = [_floats(name, cube) for name in ("picture", "valid", "logits")]
    inputs += [_floats("scale", [1, 3]), _floats("clicks", both)]
    signs = np.array([1000, -1000], np.float32).reshape(1, 2, 1, 1, 1)
    constants = _constants({"limit": np.array(200, np.float32), "signs": signs})
    save(helper.make_graph(nodes, "fusion", inputs, [_floats("change", cube)], constants), folder / "fusion.onnx")

    def add(raw: dict[str, Any]) -> None:
        digest = hashlib.sha256((folder / "fusion.onnx").read_bytes()).hexdigest()
        raw |= {"fusion": {"file": "fusion.onnx", "sha256": digest}, "cube": {"grid": GRID, "scale": 1.0}}

    write_manifest(folder, edit=add)
    return folder


def split_model(folder: Path, identifier: str = "split") -> Path:
    """As `sam_model`, with a prompt encoder and a mask decoder; the stored positions must be `POSITIONS`."""
    manifest = _manifest(identifier)
    manifest["decoder"]["kind"] = "sam_split"
    _write(folder, manifest, sam_encoder(), mask_decoder(), None)
    save(prompt_encoder(), folder / "prompt_encoder.onnx")
    np.save(folder / "positions.npy", POSITIONS)

    def add(raw: dict[str, Any]) -> None:
        for part, name in (("prompt_encoder", "prompt_encoder.onnx"), ("positions", "positions.npy")):
            raw[part] = {"file": name, "sha256": hashlib.sha256((folder / name).read_bytes()).hexdigest()}

    write_manifest(folder, edit=add)
    return folder


def prompt_encoder() -> onnx.GraphProto:
    """Two corners, and a dense part that is worth 1 everywhere; boxes have four axes, as DAFT's."""
    constants = {"corners": np.array([1, 2, 2], np.int64), "ones": np.ones((1, 1, SIDE, SIDE), np.float32)}
    nodes = [helper.make_node("Reshape", ["boxes", "corners"], ["sparse"])]
    nodes.append(helper.make_node("Abs", ["ones"], ["dense"]))
    outputs = [_floats("sparse", [1, 2, 2]), _floats("dense", [1, 1, SIDE, SIDE])]
    return helper.make_graph(nodes, "prompt", [_floats("boxes", [1, 1, 1, 4])], outputs, _constants(constants))


def mask_decoder() -> onnx.GraphProto:
    """`sam_decoder` fed by `prompt_encoder`: right logits only with the dense part and `POSITIONS` added."""
    inner = sam_decoder()
    nodes = [*list(inner.node)[:-2]]
    nodes += [
        helper.make_node("Sub", ["above", "dense"], ["less"]),
        helper.make_node("Add", ["less", "positions"], ["corrected"]),
        helper.make_node("Where", ["inside", "corrected", "outside"], ["logits"]),
        helper.make_node("Abs", ["iou_value"], ["iou"]),
    ]
    square = [1, 1, SIDE, SIDE]
    inputs = {"features": [1, 3, SIDE, SIDE], "positions": square, "boxes": [1, 2, 2], "dense": square}
    outputs = [_floats("logits", square), _floats("iou", [1, 1])]
    ports = [_floats(name, shape) for name, shape in inputs.items()]
    graph = helper.make_graph(nodes, "mask decoder", ports, outputs, list(inner.initializer))
    return renamed(graph, {"boxes": "sparse"})


def renamed(graph: onnx.GraphProto, names: Mapping[str, str]) -> onnx.GraphProto:
    """The graph with other names for some of its tensors."""
    for node in graph.node:
        node.input[:] = [names.get(name, name) for name in node.input]
        node.output[:] = [names.get(name, name) for name in node.output]
    for port in (*graph.input, *graph.output):
        port.name = names.get(port.name, port.name)
    return graph


def save(graph: onnx.GraphProto, path: Path) -> None:
    """Write a graph as a model that ONNX Runtime 1.19 loads."""
    onnx.save(model(graph), path)


def model(graph: onnx.GraphProto) -> onnx.ModelProto:
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def sam_encoder(output: str = "features") -> onnx.GraphProto:
    """Gives the picture itself."""
    shape = [1, 3, SIDE, SIDE]
    node = helper.make_node("Abs", ["image"], [output])
    return helper.make_graph([node], "encoder", [_floats("image", shape)], [_floats(output, shape)])


def sam_decoder(inside: str = "inside") -> onnx.GraphProto:
    """Brightness less the threshold inside the box, far below zero elsewhere."""
    constants = {
        "x": np.arange(SIDE, dtype=np.float32).reshape(1, 1, 1, SIDE),
        "y": np.arange(SIDE, dtype=np.float32).reshape(1, 1, SIDE, 1),
        "threshold": np.array(THRESHOLD, np.float32),
        "outside": np.array(-1000, np.float32),
        "iou_value": np.array([[IOU]], np.float32),
        "zero": np.array([0], np.int64),
        **{f"n{n}": np.array(n, np.int64) for n in range(4)},
    }
    nodes = [helper.make_node("Reshape", ["boxes", "four"], ["box"])]
    constants["four"] = np.array([4], np.int64)
    for n, name in enumerate(("x0", "y0", "x1", "y1")):
        nodes.append(helper.make_node("Gather", ["box", f"n{n}"], [name], axis=0))
    tests = (
        ("GreaterOrEqual", "x", "x0"),
        ("LessOrEqual", "x", "x1"),
        ("GreaterOrEqual", "y", "y0"),
        ("LessOrEqual", "y", "y1"),
    )
    for n, (operator, left, right) in enumerate(tests):
        nodes.append(helper.make_node(operator, [left, right], [f"t{n}"]))
    nodes += [
        helper.make_node("And", ["t0", "t1"], ["t01"]),
        helper.make_node("And", ["t2", "t3"], ["t23"]),
        helper.make_node("And", ["t01", "t23"], [inside]),
        helper.make_node("Gather", ["features", "zero"], ["grey"], axis=1),
        helper.make_node("Sub", ["grey", "threshold"], ["above"]),
        helper.make_node("Where", [inside, "above", "outside"], ["logits"]),
        helper.make_node("Identity", ["iou_value"], ["iou"]),
    ]
    inputs = [_floats("features", [1, 3, SIDE, SIDE]), _floats("boxes", [1, 4])]
    outputs = [_floats("logits", [1, 1, SIDE, SIDE]), _floats("iou", [1, 1])]
    return helper.make_graph(nodes, "decoder", inputs, outputs, _constants(constants))


def _window_decoder(windows: int | str) -> onnx.GraphProto:
    one: dict[str, list[int]] = {"features": [3, SIDE, SIDE], "window": [3, GRID, GRID], "valid": [1, GRID, GRID]}
    one |= {"rect": [4], "scale": [2], "position": [2], "prior": [1, GRID, GRID], "has_prior": [1]}
    one |= {"points": [2, GRID, GRID]}
    constants = {
        "threshold": np.array(THRESHOLD, np.float32),
        "iou_value": np.array([[IOU]], np.float32),
        "click": np.array(1000, np.float32),
        "fifty": np.array(50, np.float32),
        "zero": np.array([0], np.int64),
        "one": np.array([1], np.int64),
    }
    nodes = [
        helper.make_node("Gather", ["window", "zero"], ["grey"], axis=1),
        helper.make_node("Sub", ["grey", "threshold"], ["above"]),
        helper.make_node("Gather", ["points", "zero"], ["positive"], axis=1),
        helper.make_node("Gather", ["points", "one"], ["negative"], axis=1),
        helper.make_node("Sub", ["positive", "negative"], ["clicks"]),
        helper.make_node("Mul", ["clicks", "click"], ["push"]),
        helper.make_node("Mul", ["prior", "fifty"], ["pull"]),
        helper.make_node("Add", ["above", "push"], ["pushed"]),
        helper.make_node("Add", ["pushed", "pull"], ["logits"]),
        helper.make_node("Sub", ["has_prior", "has_prior"], ["nothing"]),
        helper.make_node("Add", ["nothing", "iou_value"], ["iou"]),
    ]
    inputs = [_floats(name, [windows, *shape]) for name, shape in one.items()]
    outputs = [_floats("logits", [windows, 1, GRID, GRID]), _floats("iou", [windows, 1])]
    return helper.make_graph(nodes, "decoder", inputs, outputs, _constants(constants))


def _write(
    folder: Path,
    manifest: dict[str, Any],
    encoder: onnx.GraphProto,
    decoder: onnx.GraphProto,
    edit: Callable[[dict[str, Any]], None] | None,
) -> Path:
    folder.mkdir(parents=True)
    save(encoder, folder / "encoder.onnx")
    save(decoder, folder / "decoder.onnx")
    write_manifest(folder, manifest, edit)
    return folder


def write_manifest(
    folder: Path, manifest: dict[str, Any] | None = None, edit: Callable[[dict[str, Any]], None] | None = None
) -> None:
    """Write ``model.json`` (the folder's own again when None) with the files' digests, then edited."""
    from medsam_backends.manifest import sha256

    manifest = json.loads((folder / "model.json").read_text()) if manifest is None else manifest
    for part in ("encoder", "decoder"):
        manifest[part] |= {"file": f"{part}.onnx", "sha256": sha256(folder / f"{part}.onnx")}
    if edit is not None:
        edit(manifest)
    (folder / "model.json").write_text(json.dumps(manifest))


def _manifest(identifier: str) -> dict[str, Any]:
    return {
        "schema_version": 1,
        "id": identifier,
        "name": "Tiny",
        "version": "1.0",
        "licence": "CC0-1.0",
        "modalities": ["CT"],
        "prompts": ["box"],
        "rule": "litemedsam",
        "input": {"size": SIDE, "resize": "longest_side", "interpolation": "area", "normalisation": {"kind": "none"}},
        "encoder": {},
        "decoder": {},
    }


def _floats(name: str, shape: Sequence[int | str]) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)


def _constants(arrays: dict[str, np.ndarray]) -> list[onnx.TensorProto]:
    return [numpy_helper.from_array(array, name) for name, array in arrays.items()]
