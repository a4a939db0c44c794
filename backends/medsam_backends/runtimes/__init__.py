"""What runs a graph: ONNX Runtime by default; the only modules that create inference sessions."""

from .base import Runtime, Session, SessionOptions
from .registry import available_runtimes, get_runtime

__all__ = ["Runtime", "Session", "SessionOptions", "available_runtimes", "get_runtime"]
