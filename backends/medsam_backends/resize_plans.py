"""Where each pixel of a resized line comes from, as OpenCV and PyTorch compute it; made once a size pair.

A plan is a pair of arrays: source indices (dst, taps) and their weights (dst, taps).  Written from the
observed behaviour of OpenCV 4.10 and PyTorch 2.13; the single-precision steps are part of the result.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

__all__ = ["Plan", "area", "area_growing", "cubic", "linear", "torch_bytes", "torch_linear"]

Plan = tuple[NDArray[np.intp], NDArray[np.float32]]
_CACHED = 64
_FIXED_POINT = np.float32(2048)  # OpenCV's 8-bit weights have 11 bits


def _scale(src: int, dst: int) -> float:
    return 1.0 / (dst / src)  # rounded twice, as OpenCV does


def _two_taps(left: NDArray[np.float64], share: NDArray[np.float32], src: int) -> Plan:
    """Neighbours `left` and `left + 1`, held inside the line, the second with weight `share`."""
    index = np.stack([left, left + 1], axis=1).astype(np.intp)
    return np.clip(index, 0, src - 1), np.stack([np.float32(1) - share, share], axis=1).astype(np.float32)


@lru_cache(_CACHED)
def area(src: int, dst: int) -> Plan:
    """Mean over the source pixels under each cell: OpenCV's INTER_AREA when it shrinks."""
    scale = _scale(src, dst)
    start = np.arange(dst) * scale
    stop = start + scale
    cell = np.minimum(scale, src - start)
    last = np.minimum(np.floor(stop), src - 1)
    first = np.minimum(np.ceil(start), last)
    taps = int((last - first).max()) + 2
    index = first[:, None] - 1 + np.arange(taps)
    whole = (index >= first[:, None]) & (index < last[:, None])
    weights = np.where(whole, 1.0 / cell[:, None], 0.0)
    head = first - start
    weights[:, 0] = np.where(head > 1e-3, head / cell, 0.0)
    tail = stop - last
    rows, at = np.arange(dst), (last - first + 1).astype(np.intp)
    weights[rows, at] += np.where(tail > 1e-3, np.minimum(np.minimum(tail, 1.0), cell) / cell, 0.0)
    return np.clip(index, 0, src - 1).astype(np.intp), weights.astype(np.float32)


@lru_cache(_CACHED)
def area_growing(src: int, dst: int) -> Plan:
    """The two-tap rule that OpenCV's INTER_AREA uses when it enlarges."""
    inverse = dst / src
    cells = np.arange(dst)
    left = np.floor(cells * (1.0 / inverse))
    share = ((cells + 1) - (left + 1) * inverse).astype(np.float32)
    share = np.where(share <= 0, np.float32(0), share - np.floor(share))
    inside = left < src - 1
    return _two_taps(np.where(inside, left, src - 1), np.where(inside, share, np.float32(0)), src)


@lru_cache(_CACHED)
def linear(src: int, dst: int) -> Plan:
    """OpenCV's INTER_LINEAR: pixel centres, the border repeated."""
    centre = ((np.arange(dst) + 0.5) * _scale(src, dst) - 0.5).astype(np.float32)
    left = np.floor(centre)
    return _two_taps(left.astype(np.float64), centre - left, src)


@lru_cache(_CACHED)
def cubic(src: int, dst: int) -> Plan:
    """OpenCV's INTER_CUBIC and PyTorch's bicubic: Keys' kernel with a = -0.75."""
    a = np.float32(-0.75)
    centre = ((np.arange(dst) + 0.5) * _scale(src, dst) - 0.5).astype(np.float32)
    left = np.floor(centre)
    x = centre - left
    one = np.float32(1)
    far = ((a * (x + one) - 5 * a) * (x + one) + 8 * a) * (x + one) - 4 * a
    near = ((a + 2) * x - (a + 3)) * x * x + one
    after = ((a + 2) * (one - x) - (a + 3)) * (one - x) * (one - x) + one
    weights = np.stack([far, near, after, one - far - near - after], axis=1)
    index = left.astype(np.intp)[:, None] + np.arange(-1, 3)
    return np.clip(index, 0, src - 1), weights.astype(np.float32)


@lru_cache(_CACHED)
def torch_linear(src: int, dst: int) -> Plan:
    """PyTorch's bilinear on float32, ``align_corners=False``, no antialiasing."""
    scale = np.float64(np.float32(src) / np.float32(dst))
    cells = np.arange(dst, dtype=np.float32) + np.float32(0.5)
    centre = np.maximum((scale * cells - 0.5).astype(np.float32), np.float32(0))  # rounded once: a fused step
    left = np.minimum(np.floor(centre), np.float32(src - 1))
    return _two_taps(left.astype(np.float64), np.clip(centre - left, 0, 1), src)


@lru_cache(_CACHED)
def torch_bytes(src: int, dst: int) -> tuple[NDArray[np.intp], NDArray[np.int32], int]:
    """PyTorch's bilinear on uint8: indices, whole-number weights, and the bits to shift away."""
    centre = np.maximum((np.arange(dst) + 0.5) * (src / dst) - 0.5, 0.0)
    left = np.minimum(np.floor(centre), src - 1)
    share = np.clip(centre - left, 0.0, 1.0)
    weights = np.stack([1.0 - share, share], axis=1)
    bits = 0  # as many as keep the largest weight within 16 bits, signed
    while bits < 21 and int(0.5 + weights.max() * (1 << (bits + 1))) < 1 << 15:
        bits += 1
    index = np.clip(np.stack([left, left + 1], axis=1).astype(np.intp), 0, src - 1)
    return index, np.floor(weights * (1 << bits) + 0.5).astype(np.int32), bits


def fixed_point(plan: Plan) -> tuple[NDArray[np.intp], NDArray[np.int32]]:
    """The plan with OpenCV's 11-bit weights."""
    return plan[0], np.rint(plan[1] * _FIXED_POINT).astype(np.int32)
