"""Empties an exported ONNX graph of its weights and makes its bytes depend on nothing but the graph.

Weights become external tensors named as in the state dict; whoever runs the graph supplies them by name.
"""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import onnx
from onnx import GraphProto, ModelProto, TensorProto, numpy_helper

__all__ = ["LOCATION", "weightless"]

LOCATION = "supplied-at-load"
"""Path written into the emptied tensors; no such file exists."""

LARGEST_CONSTANT = 4096
"""More unnamed float values than this would be a weight folded into a constant."""


def weightless(model: ModelProto, keys: Collection[str]) -> ModelProto:
    """The graph without its weights.

    Parameters
    ----------
    model : exported with every weight as an initializer named as in the state dict
    keys : names of the state dict

    Raises
    ------
    ValueError
        If an initializer has another name, or a constant is so large that it must hold weights.
    """
    graph = model.graph
    for tensor in graph.initializer:
        if tensor.name not in keys:
            raise ValueError(f"{tensor.name} {list(tensor.dims)} is not in the state dict")
        _empty(tensor)
    for node in graph.node:
        for attribute in node.attribute:
            array = numpy_helper.to_array(attribute.t) if attribute.type == onnx.AttributeProto.TENSOR else np.zeros(0)
            if array.dtype.kind == "f" and array.size > LARGEST_CONSTANT:
                raise ValueError(f"{node.output[0]} {array.shape} holds weights")
    ordered = sorted(graph.initializer, key=lambda tensor: tensor.name)
    del graph.initializer[:]
    graph.initializer.extend(ordered)
    _rename(graph)
    del graph.value_info[:]
    return model


def _empty(tensor: TensorProto) -> None:
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    del tensor.external_data[:]
    tensor.external_data.add(key="location", value=LOCATION)


def _rename(graph: GraphProto) -> None:
    """Number the values inside the graph, and drop the nodes' names, which repeat the exporter's module paths."""
    names = {value.name: value.name for value in (*graph.input, *graph.output, *graph.initializer)}
    names[""] = ""  # an optional input left out
    for node in graph.node:
        for output in node.output:
            names.setdefault(output, f"v{len(names)}")
    for node in graph.node:
        node.ClearField("name")
        node.ClearField("doc_string")
        node.input[:] = [names[value] for value in node.input]
        node.output[:] = [names[value] for value in node.output]
