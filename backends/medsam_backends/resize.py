"""Picture resizing in numpy, equal to what the published systems' libraries compute.

8-bit results equal OpenCV's and PyTorch's in every pixel, so that a model sees what it was trained on
without either library; only ``cubic`` differs, by one level in less than one pixel of a thousand.
float32 results equal PyTorch's bit for bit for ``torch_linear`` (to rounding where a result has but some
dozen pixels a side) and OpenCV's to rounding.  Nothing here antialiases except ``area``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from . import resize_plans as plans

__all__ = ["RULES", "Rule", "resize"]

Rule = Literal["area", "linear", "cubic", "torch_linear"]
RULES: tuple[Rule, ...] = get_args(Rule)


def resize(image: NDArray[Any], size: tuple[int, int], rule: str) -> NDArray[Any]:
    """Resize a picture.

    Parameters
    ----------
    image : (H, W) or (H, W, C) array, uint8; float32 too, but for ``area``
    size : (height, width) of the result
    rule : ``area`` (OpenCV's INTER_AREA), ``linear`` (its INTER_LINEAR), ``cubic`` (its INTER_CUBIC)
        or ``torch_linear`` (PyTorch's bilinear, ``align_corners=False``)

    Returns
    -------
    array of `size`, same type; `image` itself if it has that size already

    Raises
    ------
    ValueError
        If there is no such rule, or it does not take this type of picture.
    """
    known = _BYTES if image.dtype == np.uint8 else _FLOATS if image.dtype == np.float32 else {}
    if rule not in known:
        raise ValueError(f"no rule {rule!r} for pictures of {image.dtype}; there are {', '.join(known) or 'none'}")
    if min(size) < 1 or 0 in image.shape:
        raise ValueError(f"a picture of shape {image.shape} cannot become {size}")
    if image.shape[:2] == tuple(size):
        return image
    if image.ndim == 2:
        return known[rule](image, size)
    planes = [known[rule](np.ascontiguousarray(image[..., n]), size) for n in range(image.shape[2])]
    return np.stack(planes, axis=-1)


def _taps(image: NDArray[Any], index: NDArray[np.intp], weights: NDArray[Any], axis: int) -> NDArray[Any]:
    """Weighted sums along an axis, tap after tap: the order of additions is part of a float32 result."""
    shape = (1, -1) if axis else (-1, 1)
    total: NDArray[Any] = np.take(image, index[:, 0], axis, mode="clip")  # the mode without a bounds check
    total *= weights[:, 0].reshape(shape)
    part = np.empty_like(total)
    for tap in range(1, index.shape[1]):
        np.take(image, index[:, tap], axis, out=part, mode="clip")
        part *= weights[:, tap].reshape(shape)
        total += part
    return total


def _needed_rows(image: NDArray[Any], index: NDArray[np.intp]) -> tuple[NDArray[Any], NDArray[np.intp]]:
    """Only the rows that `index` names, and the index into these."""
    rows, inverse = np.unique(index, return_inverse=True)
    return (image if rows.size == len(image) else image[rows]), inverse.reshape(index.shape)


def _area(image: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    (height, width), (rows, columns) = image.shape[:2], size
    if rows > height or columns > width:
        return _fixed_point(image, plans.area_growing(height, rows), plans.area_growing(width, columns))
    if height % rows == 0 and width % columns == 0:
        return _area_whole(image, height // rows, width // columns)
    across = _taps(image.astype(np.float32), *plans.area(width, columns), axis=1)
    return _to_bytes(_taps(across, *plans.area(height, rows), axis=0))


def _area_whole(image: NDArray[np.uint8], down: int, across: int) -> NDArray[np.uint8]:
    """Shrink by whole factors: means of blocks."""
    sums = np.uint16 if down * across <= 257 else np.uint32
    total = np.zeros((image.shape[0] // down, image.shape[1] // across), sums)
    for y in range(down):
        for x in range(across):
            total += image[y::down, x::across]
    if down == across == 2:
        return ((total + 2) >> 2).astype(np.uint8)
    return _to_bytes(total.astype(np.float32) * np.float32(1.0 / (down * across)))


def _linear_bytes(image: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    (height, width), (rows, columns) = image.shape[:2], size
    if (height, width) == (2 * rows, 2 * columns):  # OpenCV turns to INTER_AREA here
        return _area_whole(image, 2, 2)
    return _fixed_point(image, plans.linear(height, rows), plans.linear(width, columns))


def _fixed_point(image: NDArray[np.uint8], down: plans.Plan, across: plans.Plan) -> NDArray[np.uint8]:
    """Two taps each way in OpenCV's 11-bit arithmetic."""
    image, index = _needed_rows(image, down[0])
    rows = _taps(image.astype(np.int32), *plans.fixed_point(across), axis=1)
    rows >>= 4
    weights = plans.fixed_point(down)[1].reshape(-1, 2, 1)
    total = (rows[index[:, 0]] * weights[:, 0]) >> 16
    total += (rows[index[:, 1]] * weights[:, 1]) >> 16
    total += 2
    total >>= 2
    return np.clip(total, 0, 255, out=total).astype(np.uint8)


def _cubic_bytes(image: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    return _to_bytes(_cubic_floats(image.astype(np.float32), size))


def _torch_bytes(image: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    result: NDArray[np.int32] = image.astype(np.int32)
    for axis in (1, 0):  # PyTorch rounds to 8 bits between the two
        if result.shape[axis] != size[axis]:
            index, weights, bits = plans.torch_bytes(result.shape[axis], size[axis])
            result = _taps(result, index, weights, axis)
            result += 1 << (bits - 1)
            result >>= bits
            np.clip(result, 0, 255, out=result)
    return result.astype(np.uint8)


def _linear_floats(image: NDArray[np.float32], size: tuple[int, int]) -> NDArray[np.float32]:
    across = _taps(image, *plans.linear(image.shape[1], size[1]), axis=1)
    return _taps(across, *plans.linear(image.shape[0], size[0]), axis=0)


def _cubic_floats(image: NDArray[np.float32], size: tuple[int, int]) -> NDArray[np.float32]:
    across = _taps(image, *plans.cubic(image.shape[1], size[1]), axis=1)
    return _taps(across, *plans.cubic(image.shape[0], size[0]), axis=0)


def _torch_floats(image: NDArray[np.float32], size: tuple[int, int]) -> NDArray[np.float32]:
    result = image
    for axis in (1, 0):
        index, weights = plans.torch_linear(result.shape[axis], size[axis])
        shape = (1, -1) if axis else (-1, 1)
        # PyTorch's fused multiply-add rounds once: the first product and the sum are exact in float64.
        total = np.take(result, index[:, 0], axis, mode="clip").astype(np.float64)
        total *= weights[:, 0].reshape(shape)
        total += np.take(result, index[:, 1], axis, mode="clip") * weights[:, 1].reshape(shape)
        result = total.astype(np.float32)
    return result


def _to_bytes(picture: NDArray[np.float32]) -> NDArray[np.uint8]:
    np.rint(picture, out=picture)
    return np.clip(picture, 0, 255, out=picture).astype(np.uint8)


_BYTES: dict[str, Callable[[NDArray[np.uint8], tuple[int, int]], NDArray[np.uint8]]] = {
    "area": _area,
    "linear": _linear_bytes,
    "cubic": _cubic_bytes,
    "torch_linear": _torch_bytes,
}
_FLOATS: dict[str, Callable[[NDArray[np.float32], tuple[int, int]], NDArray[np.float32]]] = {
    "linear": _linear_floats,
    "cubic": _cubic_floats,
    "torch_linear": _torch_floats,
}
