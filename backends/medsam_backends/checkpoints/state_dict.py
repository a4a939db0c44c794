"""Finds the state dict in a checkpoint, gives its tensors the published names and checks them against the key list."""

from __future__ import annotations

import functools
import gzip
import json
from collections.abc import Iterable, Mapping
from importlib import resources
from typing import Any

from ..errors import ModelError
from .catalogue import importable
from .pickled import Tensor

__all__ = ["check_state_dict", "expected_tensors", "find_state_dict"]

_WRAPPERS = ("state_dict", "model")
_PREFIXES = ("model.", "module.")
_DISTILLED = "student_encoder."
_SHOWN = 3


@functools.cache
def expected_tensors(keys: str) -> dict[str, tuple[str, tuple[int, ...]]]:
    """The published state dict called `keys`: ``{name: (type, shape)}``."""
    file = resources.files("medsam_backends").joinpath(f"data/keys/{keys}.json.gz")
    listed = json.loads(gzip.decompress(file.read_bytes()))
    return {name: (kind, tuple(shape)) for name, (kind, *shape) in listed.items()}


def find_state_dict(tree: Any) -> dict[str, Tensor]:
    """The tensors by name, out of the wrappers and prefixes that training programs put round them.

    Raises
    ------
    ModelError
        If the checkpoint holds no named tensors, or those of an encoder alone.
    """
    for wrapper in _WRAPPERS:
        if isinstance(tree, dict) and isinstance(tree.get(wrapper), dict):
            tree = tree[wrapper]
            break
    found = tree if isinstance(tree, dict) else {}
    tensors = {name: value for name, value in found.items() if isinstance(name, str) and isinstance(value, Tensor)}
    if not tensors:
        raise ModelError("The checkpoint holds no tensors by name: it is no trained model; choose another file.")
    if any(name.startswith(_DISTILLED) for name in tensors):
        raise ModelError(
            "The checkpoint is from distillation and holds an encoder without a decoder, which cannot segment: "
            "choose the finetuned one, finetuned-.../best.ckpt."
        )
    for prefix in _PREFIXES:
        if all(name.startswith(prefix) for name in tensors):
            return {name.removeprefix(prefix): value for name, value in tensors.items()}
    return tensors


def check_state_dict(tensors: Mapping[str, Tensor], keys: str, system: str) -> None:
    """Raise unless the tensors are those of the published state dict `keys`, by name, shape and kind of number.

    Raises
    ------
    ModelError
        With the names of missing, extra and mis-shaped tensors (the first few of each, and their count).
    """
    expected = expected_tensors(keys)
    problems = [
        _phrase("lacks", (name for name in expected if name not in tensors)),
        _phrase("has also", (name for name in tensors if name not in expected)),
        _phrase("has another shape or type in", _different(tensors, expected)),
    ]
    if any(problems):
        owners = [model.system for model in importable().values() if set(expected_tensors(model.keys)) == set(tensors)]
        belongs = f" It fits {' and '.join(owners)}." if owners and system not in owners else ""
        raise ModelError(
            f"This is no checkpoint of {system}: it {'; it '.join(p for p in problems if p)}.{belongs} "
            "Choose the file that its authors publish, or the system it belongs to."
        )


def _different(tensors: Mapping[str, Tensor], expected: Mapping[str, tuple[str, tuple[int, ...]]]) -> Iterable[str]:
    for name, (kind, shape) in expected.items():
        tensor = tensors.get(name)
        if tensor is not None and (
            tensor.shape != shape or _is_float(tensor.storage.dtype) != kind.startswith("float")
        ):
            yield f"{name} ({tensor.storage.dtype.lstrip('<')} {list(tensor.shape)} instead of {kind} {list(shape)})"


def _is_float(dtype: str) -> bool:
    return "f" in dtype


def _phrase(verb: str, names: Iterable[str]) -> str:
    listed = list(names)
    if not listed:
        return ""
    rest = f" and {len(listed) - _SHOWN} more" if len(listed) > _SHOWN else ""
    return f"{verb} {', '.join(listed[:_SHOWN])}{rest}"
