"""Simulated corrections: a click where a person who sees the error would click, and the DSC after each.

Models that take no clicks are given, in a volume, the box of the truth on the worst slice instead; on a picture,
whose box they had already, there is nothing to correct them with.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ..backend import Backend
from ..propagation.geometry import mask_box, place
from ..segmenter import Segment, VolumeSegmenter
from ..types import Embedding, Point, Prediction, Prompt
from .metrics import dice
from .packages import needed

__all__ = ["correct_picture", "correct_volume", "corrective_click"]

Mask = NDArray[np.bool_]


def corrective_click(truth: Mask, mask: Mask) -> Point | None:
    """The point deepest inside the largest region where the mask is wrong; None where it is right.

    Parameters
    ----------
    truth, mask : (H, W) bool
    """
    ndimage = needed("scipy.ndimage")
    regions, count = ndimage.label(truth != mask)
    if not count:
        return None
    largest = regions == 1 + int(np.argmax(np.bincount(regions.ravel())[1:]))
    depth = ndimage.distance_transform_edt(np.pad(largest, 1))[1:-1, 1:-1]  # the picture's edge is an edge, too
    row, column = np.unravel_index(int(np.argmax(depth)), depth.shape)
    return Point(float(column) + 0.5, float(row) + 0.5, bool(truth[row, column]))


def correct_picture(
    backend: Backend, embedding: Embedding, prompt: Prompt, first: Prediction, truth: Mask, count: int
) -> tuple[float, ...]:
    """DSC after each of `count` clicks, all of which the model is shown, with its last mask as prior.

    Parameters
    ----------
    prompt, first : what the model was asked, and its answer before any click
    """
    uses = backend.spec.prompts
    if "points" not in uses:
        return ()
    scores, mask = [], first.mask
    for _ in range(count):
        click = corrective_click(truth, mask)
        if click is not None:
            prior = mask if "prior" in uses and mask.any() else None
            prompt = replace(prompt, points=(*prompt.points, click), prior=prior)
            mask = backend.decode(embedding, [prompt])[0].mask
        scores.append(dice(truth, mask))
    return tuple(scores)


def correct_volume(
    segmenter: VolumeSegmenter, segment: Segment, truth: Mask, count: int, rule: str
) -> tuple[float, ...]:
    """DSC of the volume after each of `count` corrections, each on the box's slice with most wrong voxels.

    A slice's clicks are shown to the model together; whether with the present mask is the rule's to decide.

    Parameters
    ----------
    truth : (K, J, I) bool
    """
    scores, mask = [], segment.full(truth.shape)
    for _ in range(count):
        found = _correction(segmenter, segment, truth, mask)
        if found is not None:
            segment = segmenter.correct(segment, *found, rule=rule)
            mask = segment.full(truth.shape)
        scores.append(dice(truth, mask))
    return tuple(scores)


def _correction(segmenter: VolumeSegmenter, segment: Segment, truth: Mask, mask: Mask) -> tuple[int, Prompt] | None:
    """The slice to correct and its prompt; None where the mask is right or nothing can be said to the model."""
    edges, first, last = segment.target.box.plane("k")
    first, last = max(first, 0), min(last, len(truth) - 1)
    uses = segmenter.backend.spec.prompts
    wrong = np.count_nonzero(truth[first : last + 1] != mask[first : last + 1], axis=(1, 2))
    if "points" not in uses:  # a box can only say where the object is
        wrong = np.where(truth[first : last + 1].any(axis=(1, 2)), wrong, 0)
    if not wrong.any():
        return None
    index = first + int(np.argmax(wrong))
    position = place(index, first, last)
    if "points" not in uses:
        box = mask_box(truth[index])
        return (index, Prompt(box, position=position)) if box else None
    click = corrective_click(truth[index], mask[index])
    if click is None:
        return None
    before = segment.target.keys.get(index)
    points = (*(before.points if before else ()), click)
    return index, Prompt(edges, points, position=position)
