"""The user's cache folder: what is kept there can be made again, and a damaged file is the same as none."""

from __future__ import annotations

import json
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

from .whole_file import write_private

__all__ = ["cache_folder", "read_json", "write_json"]


def cache_folder() -> Path:
    """``MEDSAMLITE_CACHE``, else the platform's folder for caches; it need not exist."""
    named = os.environ.get("MEDSAMLITE_CACHE")
    if named:
        return Path(named).expanduser()
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData" / "Local")) / "MedSAMLite" / "Cache"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "MedSAMLite"
    return Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "MedSAMLite"


def read_json(name: str) -> dict[str, Any]:
    """The object in ``<name>.json`` of the cache folder; empty when there is none or it is damaged."""
    try:
        value = json.loads((cache_folder() / f"{name}.json").read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


def write_json(name: str, value: dict[str, Any]) -> None:
    """Keep an object; where nothing can be written, it is not kept."""
    with suppress(OSError):
        write_private(cache_folder() / f"{name}.json", json.dumps(value, indent=1).encode())
