"""Simulated corrections of a 3-D segment: where a person who goes through its slices would click, and what the model
answers on the clicked slice.
"""

from __future__ import annotations

import numpy as np
from medsam_backends.propagation.click_cubes import Click
from medsam_backends.propagation.views import Views
from numpy.typing import NDArray
from scipy import ndimage

from medsam_research.models.planes import BOX_HALF

__all__ = ["answer", "corrective_click", "faded"]

_WORST = 0.6  # of people look for the slice with most wrong cells; the others take any that is wrong
_DEEP = 0.6  # of the largest depth, where a click may lie
_CERTAIN = 3.0  # logits of a good answer
_MOST = 8.0  # change of a logit
_BLUNT = 0.15  # of answers spread from the click whatever is there
_SHIFT = 1  # cells that others are off, at most
_NOISE = 0.4  # logits


def corrective_click(rng: np.random.Generator, truth: NDArray[np.bool_], shown: NDArray[np.bool_]) -> Click | None:
    """A click well inside the largest wrong region of a slice of the cube; None where nothing is wrong.

    Parameters
    ----------
    truth, shown : (G, G, G) bool, slices first
    """
    wrong = truth != shown
    counts = wrong.sum((1, 2))
    if not counts.any():
        return None
    worst = rng.random() < _WORST
    index = int(counts.argmax()) if worst else int(rng.choice(len(counts), p=counts / counts.sum()))
    regions, _ = ndimage.label(wrong[index])
    largest = regions == 1 + int(np.bincount(regions.ravel())[1:].argmax())
    depth = ndimage.distance_transform_edt(np.pad(largest, 1))[1:-1, 1:-1]
    row, column = divmod(int(rng.choice(np.flatnonzero(depth >= _DEEP * depth.max()))), largest.shape[1])
    return float(index), float(row), float(column), bool(truth[index, row, column])


def answer(
    rng: np.random.Generator, truth: NDArray[np.bool_], logits: NDArray[np.float32], click: Click
) -> NDArray[np.float32]:
    """What a slice model changes on the clicked slice, (G, G) float32: better near the click, a little off elsewhere.

    Parameters
    ----------
    truth, logits : (G, G) of the clicked slice
    """
    _, row, column, positive = click
    y, x = np.indices(truth.shape)
    radius = truth.shape[0] * float(np.exp(rng.uniform(np.log(0.06), np.log(0.5))))
    near = np.exp(-((y - row) ** 2 + (x - column) ** 2) / (2 * radius**2))
    thought = np.roll(truth, rng.integers(-_SHIFT, _SHIFT + 1, 2), (0, 1))
    right = np.where(thought, _CERTAIN, -_CERTAIN) * rng.uniform(0.4, 1.1) - logits
    if rng.random() < _BLUNT:
        near, right = near**3, np.full(truth.shape, _CERTAIN if positive else -_CERTAIN)
    noise = ndimage.zoom(rng.standard_normal((5, 5)), truth.shape[0] / 5, order=1) * rng.exponential(_NOISE)
    return np.clip(near * right + noise, -_MOST, _MOST).astype(np.float32)


def faded(changes: dict[int, NDArray[np.float32]], grid: int) -> NDArray[np.float32]:
    """Changes of slices, faded over the cells beside them as the rule `views` does, (G, G, G) float32."""
    width = Views().reach * grid / BOX_HALF
    cells = np.arange(grid)[:, None]
    weights = np.exp(-0.5 * ((cells - np.array(list(changes))) / width) ** 2)
    total = np.einsum("zn,nyx->zyx", weights, np.stack(list(changes.values())))
    out = (total / np.maximum(1, weights.sum(1))[:, None, None]).astype(np.float32)
    for index, change in changes.items():
        out[index] = change
    return out
