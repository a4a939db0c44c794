"""Merges branches that a network was trained with but that make one convolution, as its authors do before running it.

ONNX Runtime merges a norm into the convolution before it on its own, but not parallel branches.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["is_merged", "merged", "merged_from"]

_MARK = ".merged."
_NORM = ("weight", "bias", "running_mean", "running_var")
_EPS = 1e-5
"""Of all norms in Rep-MedSAM's encoder, the only one with such branches."""

Read = Callable[[str], NDArray[Any]]


def is_merged(name: str) -> bool:
    """Whether a graph's tensor stands for several of the checkpoint."""
    return _MARK in name


def merged_from(name: str) -> list[str]:
    """The checkpoint's tensors that a merged one is made of."""
    block = name.partition(_MARK)[0]
    norms = [f"{block}.{norm}.{part}" for norm in ("conv.bn", "bn") for part in _NORM]
    return [f"{block}.conv.c.weight", f"{block}.conv1.weight", f"{block}.conv1.bias", *norms]


def merged(name: str, read: Read) -> NDArray[np.float32]:
    """Weight or bias of the one depthwise convolution that equals ``bn(bn(conv(x)) + conv1(x) + x)``.

    Parameters
    ----------
    name : of the graph's tensor, ``<block>.merged.weight`` or ``<block>.merged.bias``
    read : gives a tensor of the checkpoint by name

    Returns
    -------
    (C, 1, 3, 3) weight or (C,) bias; computed in float64 (Ding et al., RepVGG, arXiv:2101.03697, section 3.3)
    """
    block, _, part = name.partition(_MARK)
    inner_scale, inner_shift = _norm(f"{block}.conv.bn", read)
    outer_scale, outer_shift = _norm(f"{block}.bn", read)
    if part == "bias":
        shift = inner_shift + read(f"{block}.conv1.bias")
        return (shift * outer_scale + outer_shift).astype(np.float32)
    kernel = read(f"{block}.conv.c.weight") * inner_scale[:, None, None, None]
    kernel[:, :, 1:2, 1:2] += read(f"{block}.conv1.weight") + 1.0
    return (kernel * outer_scale[:, None, None, None]).astype(np.float32)


def _norm(norm: str, read: Read) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Scale and shift of a batch norm."""
    weight, bias, mean, variance = (read(f"{norm}.{part}").astype(np.float64) for part in _NORM)
    scale = weight / np.sqrt(variance + _EPS)
    return scale, bias - mean * scale
