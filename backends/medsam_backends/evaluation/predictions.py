"""Writes what a model found in a case as the challenge's file.  Scores nothing."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..whole_file import make_folder, replacing
from .inference import Found

__all__ = ["prediction_path", "save_prediction"]


def prediction_path(output: Path, model: str, case: str) -> Path:
    """Where a model's prediction goes in the output folder."""
    return output / "predictions" / model / f"{case}.npz"


def save_prediction(path: Path, found: Sequence[Found], shape: tuple[int, ...]) -> None:
    """Write a file of arrays, whole or not at all; replaces a former one.

    ``segs`` is the challenge's label map, in which later labels lie over earlier ones.  What it cannot tell is
    beside it: ``masks`` (N, H, W), every label of a picture, and ``mask`` (K, J, I), the one label of a volume.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    segs = np.zeros(shape, np.min_scalar_type(max((one.label for one in found), default=0)))
    for one in found:
        segs[one.full(shape)] = one.label
    arrays: dict[str, Any] = {"segs": segs}
    if len(shape) == 2:
        arrays["masks"] = np.stack([one.full(shape) for one in found])
    elif len(found) == 1:
        arrays["mask"] = found[0].full(shape)
    make_folder(path.parent)
    with replacing(path, ".npz", force=True) as temporary:
        np.savez_compressed(temporary, **arrays)
