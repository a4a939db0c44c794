"""Looks into an ONNX file without the `onnx` package: which tensors lie outside it, and where; and fills these in.

Only what that needs is read: ONNX Runtime follows external-data paths on its own, so a file that
names one outside its folder must be found before a session is made.  The format is protobuf
(github.com/onnx/onnx, onnx.proto): a message is a row of (field number, wire type, value).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from .errors import ModelError

__all__ = ["ExternalTensor", "external_tensors", "input_names", "with_weights"]

_GRAPH, _NODE, _INITIALIZER, _INPUT, _SPARSE, _FUNCTION = 7, 1, 5, 11, 15, 25
_VALUE_NAME = 1
_ATTRIBUTE, _FUNCTION_NODE, _FUNCTION_DEFAULT = 5, 7, 11
_TENSOR, _SUBGRAPH, _TENSORS, _SUBGRAPHS, _SPARSE_TENSOR, _SPARSE_TENSORS = 5, 6, 10, 11, 22, 23
_DIMS, _DATA_TYPE, _NAME, _RAW, _EXTERNAL, _LOCATION = 1, 2, 8, 9, 13, 14
_LOCATION_KEY = b"location"  # what every tensor with its data elsewhere spells out


@dataclass(frozen=True)
class ExternalTensor:
    """A tensor whose data is not in the ONNX file: its name, shape, ONNX data type and path."""

    name: str
    shape: tuple[int, ...]
    data_type: int
    path: str


def external_tensors(data: bytes) -> list[ExternalTensor]:
    """All tensors of an ONNX model that keep their data elsewhere, those of nested graphs included.

    Raises
    ------
    ModelError
        If the bytes are not a protobuf message: the file is truncated or is no ONNX model.
    """
    found: list[ExternalTensor] = []
    try:
        view = memoryview(data)
        graphs = [value for number, value in _fields(view) if number == _GRAPH and isinstance(value, memoryview)]
        if not graphs:
            raise ModelError("The file holds no ONNX graph: it is damaged; install the model again.")
        if _LOCATION_KEY not in data:  # a large graph of the usual kind is not walked node by node
            return []
        for number, value in _fields(view):
            if isinstance(value, memoryview) and number == _GRAPH:
                _graph(value, found)
            elif isinstance(value, memoryview) and number == _FUNCTION:
                _function(value, found)
    except (IndexError, ValueError, RecursionError):
        raise ModelError("The file is not a whole ONNX model: it is damaged; install the model again.") from None
    return found


def input_names(data: bytes) -> list[str]:
    """Names of the graph's inputs, those included that no node uses, of a model that `external_tensors` has read."""
    return [
        next(bytes(text).decode() for n, text in _fields(value) if n == _VALUE_NAME and isinstance(text, memoryview))
        for number, graph in _fields(memoryview(data))
        if number == _GRAPH and isinstance(graph, memoryview)
        for inner, value in _fields(graph)
        if inner == _INPUT and isinstance(value, memoryview)
    ]


def with_weights(data: bytes, weights: Mapping[str, NDArray[Any]]) -> bytes:
    """The model with `weights` written into its initializers of these names, for runtimes that take no arrays.

    Parameters
    ----------
    data : a model that `external_tensors` has read
    weights : contiguous, little-endian, of the initializers' shapes and types
    """
    parts: list[bytes | memoryview] = []
    for number, value, whole in _whole_fields(memoryview(data)):
        if number == _GRAPH and isinstance(value, memoryview):
            parts.append(_field(_GRAPH, _filled(value, weights)))
        else:
            parts.append(whole)
    return b"".join(parts)


def _filled(graph: memoryview, weights: Mapping[str, NDArray[Any]]) -> bytes:
    parts: list[bytes | memoryview] = []
    for number, value, whole in _whole_fields(graph):
        if number == _INITIALIZER and isinstance(value, memoryview):
            name = next((bytes(v).decode() for n, v in _fields(value) if n == _NAME and isinstance(v, memoryview)), "")
            if name in weights:
                kept = [field for n, _, field in _whole_fields(value) if n not in (_EXTERNAL, _LOCATION)]
                whole = memoryview(_field(_INITIALIZER, b"".join([*kept, _field(_RAW, weights[name].tobytes())])))
        parts.append(whole)
    return b"".join(parts)


def _field(number: int, content: bytes) -> bytes:
    """A field of bytes: its number and wire type 2, its length, its content."""
    return _as_varint(number << 3 | 2) + _as_varint(len(content)) + content


def _as_varint(value: int) -> bytes:
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def _varint(view: memoryview, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = view[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
        if shift > 63:
            raise ValueError("a number is too long")


def _fields(view: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    for number, value, _ in _whole_fields(view):
        yield number, value


def _whole_fields(view: memoryview) -> Iterator[tuple[int, int | memoryview, memoryview]]:
    """Number, value, and all bytes of each field."""
    at = 0
    while at < len(view):
        start = at
        key, at = _varint(view, at)
        if key >> 32:
            raise ValueError("protobuf would cut this field's number to another")
        wire = key & 7
        if wire == 0:
            value, at = _varint(view, at)
            yield key >> 3, value, view[start:at]
            continue
        if wire == 2:
            length, at = _varint(view, at)
        elif wire in (1, 5):
            length = 8 if wire == 1 else 4
        else:
            raise ValueError("unknown wire type")
        if at + length > len(view):
            raise ValueError("truncated")
        yield key >> 3, view[at : at + length], view[start : at + length]
        at += length


def _graph(view: memoryview, found: list[ExternalTensor]) -> None:
    for number, value in _fields(view):
        if not isinstance(value, memoryview):
            continue
        if number == _NODE:
            _node(value, found)
        elif number == _INITIALIZER:
            _tensor(value, found)
        elif number == _SPARSE:
            _sparse(value, found)


def _function(view: memoryview, found: list[ExternalTensor]) -> None:
    for number, value in _fields(view):
        if isinstance(value, memoryview) and number == _FUNCTION_NODE:
            _node(value, found)
        elif isinstance(value, memoryview) and number == _FUNCTION_DEFAULT:
            _attribute(value, found)


def _node(view: memoryview, found: list[ExternalTensor]) -> None:
    for number, value in _fields(view):
        if isinstance(value, memoryview) and number == _ATTRIBUTE:
            _attribute(value, found)


def _attribute(view: memoryview, found: list[ExternalTensor]) -> None:
    for number, value in _fields(view):
        if not isinstance(value, memoryview):
            continue
        if number in (_TENSOR, _TENSORS):
            _tensor(value, found)
        elif number in (_SUBGRAPH, _SUBGRAPHS):
            _graph(value, found)
        elif number in (_SPARSE_TENSOR, _SPARSE_TENSORS):
            _sparse(value, found)


def _sparse(view: memoryview, found: list[ExternalTensor]) -> None:
    for number, value in _fields(view):
        if number in (1, 2) and isinstance(value, memoryview):  # values and indices are tensors
            _tensor(value, found)


def _tensor(view: memoryview, found: list[ExternalTensor]) -> None:
    """Whatever hints at data elsewhere counts: protobuf cuts a location of 2**32 + 1 to 1, which is elsewhere."""
    name, path, shape, data_type, external = "", "", [], 0, False
    for number, value in _fields(view):
        if isinstance(value, int):
            if number == _DIMS:
                shape.append(value)
            elif number == _DATA_TYPE:
                data_type = value
            elif number == _LOCATION:
                external = external or value != 0
        elif number == _DIMS:  # packed
            at = 0
            while at < len(value):
                size, at = _varint(value, at)
                shape.append(size)
        elif number == _NAME:
            name = bytes(value).decode()
        elif number == _EXTERNAL:
            external = True
            entry = {n: bytes(v).decode() for n, v in _fields(value) if isinstance(v, memoryview)}
            if entry.get(1) == "location":
                path = entry.get(2, "")
                if "\0" in path:
                    raise ValueError("no file has such a name")
    if external:
        found.append(ExternalTensor(name, tuple(shape), data_type, path))
