"""Runtimes by name, and why one cannot be used here."""

from __future__ import annotations

import functools
import importlib
from typing import cast

from ..errors import ModelError
from .base import Runtime

__all__ = ["available_runtimes", "get_runtime"]

_MODULES = {"onnxruntime": "onnx_runtime"}


def available_runtimes() -> dict[str, str]:
    """Every known runtime with an empty string, or the reason why it cannot be used."""
    reasons = {}
    for name in _MODULES:
        try:
            get_runtime(name)
            reasons[name] = ""
        except ModelError as error:
            reasons[name] = str(error)
    return reasons


@functools.cache
def get_runtime(name: str = "onnxruntime") -> Runtime:
    """The runtime called `name`.

    Raises
    ------
    ModelError
        If there is none of that name, or its package is not installed.
    """
    if name not in _MODULES:
        raise ModelError(f"There is no runtime {name!r}: choose one of {', '.join(_MODULES)}.")
    try:
        module = importlib.import_module(f"{__package__}.{_MODULES[name]}")
    except ImportError as error:
        raise ModelError(f"The package {name} cannot be used here ({error}): install it, then try again.") from None
    return cast(Runtime, module.create())
