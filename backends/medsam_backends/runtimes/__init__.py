"""What runs a graph: ONNX Runtime by default; the only modules that create inference sessions."""

from .base import Runtime, Session, SessionOptions
from .graph_file import usable_cores
from .registry import AUTO, RUNTIMES, available_runtimes, check_runtime, get_runtime

__all__ = [
    "AUTO",
    "RUNTIMES",
    "Runtime",
    "Session",
    "SessionOptions",
    "available_runtimes",
    "check_runtime",
    "get_runtime",
    "usable_cores",
]
