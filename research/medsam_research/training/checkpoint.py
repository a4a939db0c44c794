"""Checkpoints of tensors and plain containers only: written whole or not at all, read without running code."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

__all__ = ["load", "load_matching", "save"]


def save(path: Path, state: Mapping[str, Any]) -> None:
    """Write `state` to `path`; a crash leaves the earlier file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".part")
    torch.save(dict(state), temporary)
    os.replace(temporary, path)


def load(path: Path) -> dict[str, Any]:
    """Read what `save` wrote; refuses pickled code."""
    state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    return state


def load_matching(model: nn.Module, weights: Mapping[str, Tensor]) -> int:
    """Copy the tensors of equal name and shape into `model`; returns how many."""
    own = model.state_dict()
    matching = {name: value for name, value in weights.items() if name in own and own[name].shape == value.shape}
    model.load_state_dict(matching, strict=False)
    return len(matching)
