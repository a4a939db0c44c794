"""Makes a model folder of a published checkpoint: graphs without weights, the weights beside them, a manifest."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..manifest import SCHEMA_VERSION, sha256
from .catalogue import PublishedModel, published_model
from .fill import graph_template, weights_of
from .new_folder import check_free, new_folder
from .reader import Checkpoint
from .state_dict import check_state_dict, find_state_dict

__all__ = ["import_checkpoint"]

_PARTS = ("encoder", "decoder")


def import_checkpoint(
    system: str,
    file: Path | str,
    folder: Path | str,
    half: bool = False,
    replace: bool = False,
    cancelled: Callable[[], bool] = lambda: False,
) -> Path:
    """Check a published checkpoint and write it as a model folder, whole or not at all.

    Parameters
    ----------
    system : id in the catalogue, e.g. ``"litemedsam"``
    file : the checkpoint as its authors publish it
    folder : the model folder to make; its name need not be the system's
    half : store matrices as float16, half the size on disk; masks differ in a few pixels of 10,000
    replace : take the place of an existing model folder once the new one is complete
    cancelled : asked for the last time when all is written and nothing in place yet

    Returns
    -------
    `folder`

    Raises
    ------
    ModelError
        If the system is unknown, the folder exists (and `replace` is false), or the file is damaged,
        refused or of another system.
    OutputError
        If the folder cannot be written.
    Cancelled
        If `cancelled` said so; nothing is left behind.
    """
    model, folder = published_model(system), Path(folder)
    check_free(folder, replace, Path(file))
    graphs = {part: graph_template(f"{model.id}.{part}") for part in _PARTS}
    with Checkpoint(file) as checkpoint:
        tensors = find_state_dict(checkpoint.tree)
        check_state_dict(tensors, model.keys, model.system)
        weights: dict[str, NDArray[Any]] = {}
        for graph in graphs.values():
            weights |= weights_of(graph, tensors, checkpoint, half)
    with new_folder(folder, cancelled) as unfinished:
        _fill(unfinished, model, graphs, weights)
    return folder


def _fill(
    folder: Path, model: PublishedModel, graphs: Mapping[str, bytes], weights: Mapping[str, NDArray[Any]]
) -> None:
    for part, graph in graphs.items():
        (folder / f"{part}.onnx").write_bytes(graph)
    np.savez(folder / "weights.npz", **weights)  # type: ignore[arg-type]  # names taken for flags
    text = json.dumps(_manifest(folder, model), indent=2, ensure_ascii=False)
    (folder / "model.json").write_text(text + "\n", "utf-8")


def _manifest(folder: Path, model: PublishedModel) -> dict[str, Any]:
    files = {part: {"file": f"{part}.onnx", "sha256": sha256(folder / f"{part}.onnx")} for part in _PARTS}
    return {
        "schema_version": SCHEMA_VERSION,
        "id": model.id,
        "source": f"{model.system}, {model.page}",
        **model.manifest,
        **files,
        "weights": {"file": "weights.npz", "sha256": sha256(folder / "weights.npz")},
    }
