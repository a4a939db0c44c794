"""Imported checkpoints compute what their authors' modules compute, from the picture to the mask."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import handmade_checkpoint as hand
import numpy as np
import published_reference as published
import pytest
from medsam_backends.backend import Backend
from medsam_backends.checkpoints import import_checkpoint
from medsam_backends.folder_backend import open_folder
from medsam_backends.types import Prompt

TOLERANCE = 1e-3


def check(model: Backend, case: published.Case, different_pixels: int) -> None:
    embedding = model.encode(case.image)
    case.check_features(np.asarray(embedding.arrays["features"], np.float32), TOLERANCE)
    prompts = [Prompt((x0, y0, x1 + 1, y1 + 1)) for x0, y0, x1, y1 in case.boxes.astype(float)]
    predictions = model.decode(embedding, prompts)
    logits = [prediction.logits for prediction in predictions]
    iou = [prediction.iou for prediction in predictions]
    case.check_logits(np.stack(logits), np.clip(np.float32(iou), 0, 1), TOLERANCE)
    for prediction, mask in zip(predictions, case.masks, strict=True):
        assert int((prediction.mask != mask).sum()) <= different_pixels


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Backend:
    """The published weights."""
    folder = tmp_path_factory.mktemp("real") / "litemedsam"
    return open_folder(import_checkpoint("litemedsam", published.real_checkpoint(), folder))


@pytest.mark.parametrize("system", published.FILES)
def test_standin_weights_give_the_reference(system: str, tmp_path: Path) -> None:
    cases = published.cases(published.FILES[system])
    weights = published.standin_weights(published.published_model(system).keys)
    folder = import_checkpoint(system, hand.checkpoint(tmp_path / "a.pth", weights), tmp_path / system)
    model = open_folder(folder)
    for case in cases:
        # These weights leave some logits within 1e-4 of the threshold, where any arithmetic may flip a pixel.
        check(model, case, different_pixels=int(case.arrays["near_zero_counts"][:, 0].max()) + 1)


@pytest.mark.parametrize("name", ["litemedsam.real", "litemedsam.real-ct"])
def test_the_published_weights_give_the_same_masks_pixel_for_pixel(name: str, real: Backend) -> None:
    for case in published.cases(name):
        check(real, case, different_pixels=0)


@pytest.mark.parametrize("name", ["overlap", "drift"])
def test_the_published_weights_give_the_same_volume_slice_by_slice(name: str, real: Backend) -> None:
    arrays = published.reference("litemedsam.real-3d")
    volume, boxes = published.standin().volumes()[name]
    calls = zip(arrays[f"{name}.prompt_boxes"].tolist(), arrays[f"{name}.iou"], strict=True)
    visits = [(label, k) for label, box in enumerate(boxes, 1) for k in order(int(box[2]), int(box[5]), len(volume))]
    encode = cache(lambda k: real.encode(volume[k]))
    labels = np.zeros(volume.shape, np.uint8)
    for (label, k), (box, iou) in zip(visits, calls, strict=True):
        (prediction,) = real.decode(encode(k), [Prompt(tuple(box), frame="network")])
        assert prediction.iou == pytest.approx(float(iou), abs=TOLERANCE)
        labels[k][prediction.mask] = label
    assert np.array_equal(labels, arrays[f"{name}.labels"])


def order(first: int, last: int, depth: int) -> list[int]:
    """Slices in the order in which LiteMedSAM's authors visit them."""
    middle = int((last - first) / 2 + first)
    return [*range(middle, min(last + 1, depth)), *range(middle - 1, max(first, 0) - 1, -1)]
