"""Keeps runs apart: an output folder belongs to one plan, and to one model of each id.  Holds no scores."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..errors import OutputError
from ..source_files import SourceFiles
from ..whole_file import make_folder, replacing

__all__ = ["check_apart", "claim"]

_NAME = "settings.json"
_TABLES = ("cases", "summary", "failures", "ranking", "bootstrap", "wilcoxon")


def check_apart(folder: Path, sources: SourceFiles) -> None:
    """Raise `OutputError` if a file that an evaluation writes to the folder is one that it reads."""
    for name in (_NAME, *(f"{table}.csv" for table in _TABLES)):
        sources.check(folder / name)


def claim(folder: Path, settings: Mapping[str, Any], models: Mapping[str, str]) -> None:
    """Make the folder and note settings and models there, or make sure that they are those noted.

    Parameters
    ----------
    settings : JSON values that the scores depend on
    models : id and digest of each model, by id; further ones may join later

    Raises
    ------
    OutputError
        If the folder cannot be used, or its scores were made otherwise.
    """
    path = folder / _NAME
    make_folder(folder)
    try:
        known = json.loads(path.read_text("utf-8")) if path.exists() else {**settings, "models": {}}
        before = dict(known.pop("models"))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise OutputError(f"The folder {folder} cannot be used: {error}.") from None
    changed = [name for name in settings if known.get(name) != settings[name]]
    changed += [model for model, identity in models.items() if before.get(model, identity) != identity]
    if changed:
        raise OutputError(f"{folder} was made with other settings ({', '.join(changed)}): choose another folder.")
    with replacing(path, ".json", force=True) as temporary:
        text = json.dumps({**settings, "models": {**before, **models}}, indent=1)
        temporary.write_text(text + "\n", "utf-8")
