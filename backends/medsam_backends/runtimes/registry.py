"""Runtimes by name, and why one cannot be used here."""

from __future__ import annotations

import functools
import importlib
import importlib.util
from dataclasses import dataclass
from typing import cast

from ..errors import ModelError
from .base import Runtime

__all__ = ["AUTO", "RUNTIMES", "available_runtimes", "check_runtime", "get_runtime"]

AUTO = "auto"
"""Stands for the fastest runtime on this computer, see `fastest_runtime`."""


@dataclass(frozen=True)
class _Entry:
    package: str
    module: str
    create: str = "create"


_ENTRIES = {
    "onnxruntime": _Entry("onnxruntime", "onnx_runtime"),
    "openvino": _Entry("openvino", "openvino_runtime"),
    "openvino-reduced": _Entry("openvino", "openvino_runtime", "create_reduced"),
}

RUNTIMES = (*_ENTRIES, AUTO)
"""What a user may ask for."""


def available_runtimes() -> dict[str, str]:
    """Every known runtime with an empty string, or the reason why it cannot be used; imports none of them."""
    missing = "The package {0} is not installed here: install it ('pip install {0}') to use it."
    found = {entry.package: importlib.util.find_spec(entry.package) for entry in _ENTRIES.values()}
    return {name: "" if found[e.package] else missing.format(e.package) for name, e in _ENTRIES.items()}


def check_runtime(name: str) -> None:
    """Raise `ModelError` unless a user may ask for this runtime."""
    if name not in RUNTIMES:
        raise ModelError(f"There is no runtime {name!r}: choose one of {', '.join(RUNTIMES)}.")


@functools.cache
def get_runtime(name: str = "onnxruntime") -> Runtime:
    """The runtime called `name`.

    Raises
    ------
    ModelError
        If there is none of that name, or its package is not installed.
    """
    check_runtime(name)
    if name == AUTO:
        raise ModelError(f"{name} is a choice among runtimes, not one: open a model with it.")
    entry = _ENTRIES[name]
    try:
        module = importlib.import_module(f"{__package__}.{entry.module}")
        return cast(Runtime, getattr(module, entry.create)())
    except ImportError as error:
        raise ModelError(
            f"The runtime {name} cannot be used here ({error}): install the package {entry.package}, or choose another."
        ) from None
