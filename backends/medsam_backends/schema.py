"""Checks a JSON value against a schema, with the few keywords that our schemas use and no dependency.

Inside 3D Slicer only numpy and onnxruntime can be counted on, so the published schema is read here
instead of by a library; a test holds both to the same verdicts.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

__all__ = ["violations"]

_TYPES: dict[str, type | tuple[type, ...]] = {
    "object": dict,
    "array": list,
    "string": str,
    "integer": int,
    "number": (int, float),
    "boolean": bool,
}


def violations(value: Any, schema: dict[str, Any], root: dict[str, Any] | None = None, at: str = "") -> Iterator[str]:
    """Yield a phrase for every place where `value` breaks `schema` (a subset of JSON Schema 2020-12)."""
    root = schema if root is None else root
    if "$ref" in schema:
        schema = root["$defs"][schema["$ref"].rsplit("/", 1)[1]]
    where = at or "the file"
    kind = schema.get("type")
    if kind is not None and not _is(value, kind):
        yield f"{where} is not of type {kind}"
        return
    if "enum" in schema and value not in schema["enum"]:
        yield f"{where} is {value!r}, not one of {', '.join(map(str, schema['enum']))}"
    if "pattern" in schema and isinstance(value, str) and not re.search(schema["pattern"], value):
        yield f"{where} is {value!r}, which does not match {schema['pattern']}"
    if "minimum" in schema and _is(value, "number") and value < schema["minimum"]:
        yield f"{where} is {value}, less than {schema['minimum']}"
    if isinstance(value, list) and "items" in schema:
        for number, item in enumerate(value):
            yield from violations(item, schema["items"], root, f"{at}[{number}]")
    if isinstance(value, dict):
        yield from _object_violations(value, schema, root, at)


def _is(value: Any, kind: str) -> bool:
    if kind in ("integer", "number") and isinstance(value, bool):
        return False
    if kind == "integer" and isinstance(value, float):
        return value.is_integer()
    return isinstance(value, _TYPES[kind])


def _object_violations(value: dict[str, Any], schema: dict[str, Any], root: dict[str, Any], at: str) -> Iterator[str]:
    known = schema.get("properties", {})
    extra = schema.get("additionalProperties", True)
    for name in schema.get("required", ()):
        if name not in value:
            yield f"{at or 'the file'} lacks {name}"
    for name, item in value.items():
        place = f"{at}.{name}" if at else name
        if name in known:
            yield from violations(item, known[name], root, place)
        elif extra is False:
            yield f"{place} is not known"
        elif isinstance(extra, dict):
            yield from violations(item, extra, root, place)
