"""Published checkpoints as model folders, with numpy alone: no PyTorch, and no code of a checkpoint is ever run."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from .catalogue import PublishedModel, catalogue, importable, published_model
from .daft import import_daft
from .importer import import_checkpoint
from .new_folder import add_folder, remove_folder
from .sources import install

__all__ = [
    "PublishedModel",
    "add_folder",
    "catalogue",
    "import_checkpoint",
    "import_daft",
    "import_published",
    "importable",
    "install",
    "published_model",
    "remove_folder",
]


def import_published(
    system: str,
    source: Path | str,
    folder: Path | str,
    half: bool = False,
    replace: bool = False,
    cancelled: Callable[[], bool] = lambda: False,
) -> Path:
    """Import what a user downloaded of a published system: `import_daft` for DAFT, else `import_checkpoint`."""
    work = import_daft if system == "daft" else partial(import_checkpoint, system)
    return work(source, folder, half, replace, cancelled)
