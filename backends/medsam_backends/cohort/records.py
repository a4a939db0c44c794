"""What was made of which case with which settings: a small file a case, by which a stopped run is taken up."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ..errors import InputError, OutputError
from ..whole_file import make_folder, replacing
from .table import Case

__all__ = ["Record", "changed", "made_with", "read_record", "record_path", "write_record"]

_FOLDER = "records"
_SETTINGS = ("axis", "preset", "level", "width", "modality", "rule", "runtime")  # the result depends on these alone


@dataclass(frozen=True)
class Record:
    """A case that was begun, and its report when it was finished."""

    made_with: Mapping[str, Any]
    report: Mapping[str, Any] | None = None


def made_with(case: Case, model: str) -> dict[str, Any]:
    """Everything that the result depends on, as JSON holds it.

    Parameters
    ----------
    model : id and digest
    """
    return {
        "image": _fingerprint(case.image),
        "box": [list(box) for box in case.boxes],
        "names": list(case.names),
        **{name: getattr(case.settings, name) for name in _SETTINGS},
        "model": model,
    }


def changed(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Names of what differs."""
    return [name for name in now if before.get(name) != now[name]]


def read_record(folder: Path, output: str) -> Record | None:
    """The record of an output; None if this folder knows nothing of it."""
    try:
        values = json.loads(record_path(folder, output).read_text("utf-8"))
        return Record(dict(values["made_with"]), values["report"])
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError):
        return Record({})  # damaged: the output is ours, and has to be made again
    except OSError as error:
        raise OutputError(f"The records in {folder} cannot be read ({error.strerror}).") from None


def write_record(folder: Path, output: str, record: Record) -> None:
    """Write or replace the record of an output; raises `OutputError` if that fails."""
    path = record_path(folder, output)
    make_folder(path.parent)
    with replacing(path, ".json", force=True) as temporary:
        temporary.write_text(json.dumps(asdict(record), ensure_ascii=False), "utf-8")


def record_path(folder: Path, output: str) -> Path:
    """Where the record of an output is."""
    return folder / _FOLDER / f"{output}.json"


def _fingerprint(image: Path) -> str:
    """SHA-256 over sizes and times of change, in a folder also names: to read every image again would take too long."""
    try:
        files = sorted(image.iterdir()) if image.is_dir() else [image]
        facts = [(file.name if image.is_dir() else "", os.stat(file)) for file in files]
    except OSError as error:
        raise InputError(f"{image} cannot be read ({error.strerror}).") from None
    text = "\n".join(f"{name}\t{facts.st_size}\t{facts.st_mtime_ns}" for name, facts in facts)
    return hashlib.sha256(text.encode()).hexdigest()
