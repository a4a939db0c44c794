"""Promptable segmentation of medical images on the CPU: numpy and ONNX Runtime, nothing of 3D Slicer or PyTorch.

The names below are the public interface; each is imported when it is first used, so that importing the
package costs nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .backend import Backend, BackendSpec
    from .boxes import VoxelBox
    from .cache import EmbeddingCache
    from .errors import Cancelled, InputError, MedSAMLiteError, ModelError, OutputError, PromptError
    from .intensity import PRESETS
    from .io import NamedMask, Volume, read_image, write_segmentation
    from .propagation import RULES
    from .registry import list_models, open_model, register_backend
    from .segmenter import Segment, Target, VolumeSegmenter
    from .types import Embedding, Point, Prediction, Prompt

__version__ = "0.1.0"

__all__ = [
    "PRESETS",
    "RULES",
    "Backend",
    "BackendSpec",
    "Cancelled",
    "Embedding",
    "EmbeddingCache",
    "InputError",
    "MedSAMLiteError",
    "ModelError",
    "NamedMask",
    "OutputError",
    "Point",
    "Prediction",
    "Prompt",
    "PromptError",
    "Segment",
    "Target",
    "Volume",
    "VolumeSegmenter",
    "VoxelBox",
    "__version__",
    "list_models",
    "open_model",
    "read_image",
    "register_backend",
    "write_segmentation",
]

_HOMES = {
    "backend": ("Backend", "BackendSpec"),
    "boxes": ("VoxelBox",),
    "cache": ("EmbeddingCache",),
    "errors": ("Cancelled", "InputError", "MedSAMLiteError", "ModelError", "OutputError", "PromptError"),
    "intensity": ("PRESETS",),
    "io": ("NamedMask", "Volume", "read_image", "write_segmentation"),
    "propagation": ("RULES",),
    "registry": ("list_models", "open_model", "register_backend"),
    "segmenter": ("Segment", "Target", "VolumeSegmenter"),
    "types": ("Embedding", "Point", "Prediction", "Prompt"),
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f".{_HOME_OF[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
