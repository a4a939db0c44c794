"""Makes sure that scores of several folders can be compared: same boxes, same objects.  Reads no scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..errors import InputError

__all__ = ["check_same_protocol"]

_DEFAULTS = {"boxes": "tight", "seed": 0, "instances": False}


def check_same_protocol(folders: Sequence[tuple[Path, Mapping[str, Any]]]) -> None:
    """Compare the settings that decide what the models were asked; where the images lie may differ.

    Parameters
    ----------
    folders : paths of evaluations with their ``settings.json``

    Raises
    ------
    InputError
        If two folders were made with other boxes or objects, or their tables hold other boxes for one case.
    """
    tables: dict[str, tuple[Path, Any]] = {}
    first, settings = folders[0]
    for folder, other in folders:
        changed = [
            f"{name} {other.get(name, default)} instead of {settings.get(name, default)}"
            for name, default in _DEFAULTS.items()
            if other.get(name, default) != settings.get(name, default)
        ]
        if changed:
            raise InputError(f"{folder} and {first} cannot be compared ({', '.join(changed)}): evaluate alike.")
        for case, boxes in dict(other.get("table") or {}).items():
            owner, known = tables.setdefault(case, (folder, boxes))
            if known != boxes:
                raise InputError(f"{folder} and {owner} cannot be compared: their boxes of {case} differ.")
