"""Packages that only the evaluation needs: imported when they are used, missed in one sentence."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from ..errors import MedSAMLiteError

__all__ = ["needed"]


def needed(module: str) -> Any:
    """The module; raises `MedSAMLiteError` if it is not installed."""
    try:
        return import_module(module)
    except ImportError:
        package = module.split(".")[0].replace("_", "-")
        raise MedSAMLiteError(f"The evaluation needs the package {package}: pip install {package}.") from None
