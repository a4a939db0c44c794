"""Imported checkpoints compute what their authors' modules compute, from the picture to the mask."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import handmade_checkpoint as hand
import numpy as np
import published_reference as published
import pytest
from medsam_backends.checkpoints import import_checkpoint
from medsam_backends.folder_backend import FolderBackend, open_folder
from medsam_backends.preprocess import Frame, network_box, network_input
from medsam_backends.types import Prompt

TOLERANCE = 1e-3


def check(model: FolderBackend, case: published.Case, different_pixels: int) -> None:
    case.check_input(network_input(case.image, model.manifest.input), levels=0.01)
    frame = Frame.of(case.masks.shape[1:], model.spec.input_size, model.manifest.input["resize"])
    asked = [network_box(prompt, frame, model.manifest.box) for prompt in prompts(case)]
    assert np.array_equal(asked, case.prompts)
    embedding = model.encode(case.image)
    case.check_features(np.asarray(embedding.arrays["features"], np.float32), TOLERANCE)
    predictions = model.decode(embedding, prompts(case))
    case.check_logits(np.stack([prediction.logits for prediction in predictions]), TOLERANCE)
    iou = [prediction.iou for prediction in predictions]
    np.testing.assert_allclose(iou, np.clip(case.arrays["iou"], 0, 1), atol=TOLERANCE, rtol=0)
    different = [int((prediction.mask != mask).sum()) for prediction, mask in zip(predictions, case.masks, strict=True)]
    assert max(different) <= different_pixels
    assert sum(different) <= 1e-4 * case.masks.size


def prompts(case: published.Case) -> list[Prompt]:
    return [Prompt((x0, y0, x1 + 1, y1 + 1)) for x0, y0, x1, y1 in case.boxes.astype(float)]


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> FolderBackend:
    """The published weights."""
    folder = tmp_path_factory.mktemp("real") / "litemedsam"
    return open_folder(import_checkpoint("litemedsam", published.real_checkpoint(), folder))


@pytest.fixture(scope="module", params=published.FILES)
def standin(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """A system and a checkpoint with its stand-in weights, in the form in which its authors publish theirs."""
    system = request.param
    weights = published.standin_weights(published.published_model(system).keys)
    return system, hand.PUBLISHED[system](tmp_path_factory.mktemp(system) / "a.ckpt", weights)


def test_standin_weights_give_the_reference(standin: tuple[str, Path], tmp_path: Path) -> None:
    system, checkpoint = standin
    model = open_folder(import_checkpoint(system, checkpoint, tmp_path / system))
    for case in published.standin_cases(system):
        # These weights leave some logits within 1e-4 of the threshold, where any arithmetic may flip a pixel.
        check(model, case, different_pixels=int(case.arrays["near_zero_counts"][:, 0].max()) + 1)


def test_weights_stored_as_float16_give_nearly_the_same_masks(standin: tuple[str, Path], tmp_path: Path) -> None:
    system, checkpoint = standin
    model = open_folder(import_checkpoint(system, checkpoint, tmp_path / system, half=True))
    case = published.standin_cases(system)[0]
    embedding = model.encode(case.image)
    case.check_features(np.asarray(embedding.arrays["features"], np.float32), 0.02)
    masks = np.stack([prediction.mask for prediction in model.decode(embedding, prompts(case))])
    assert float((masks == case.masks).mean()) > 0.998


def test_medficientsam_sees_what_its_program_in_cpp_sees_within_a_grey_level() -> None:
    arrays = published.reference("medficientsam-l0")
    settings = published.published_model("medficientsam-l0").manifest["input"]
    for letter, (image, _) in published.standin().images().items():
        ours = network_input(image, settings)[0, :, ::16, ::16]
        low, high = arrays[f"cpp.{letter}.resized_minmax"]
        assert np.abs(ours - arrays[f"cpp.{letter}.input_sub"]).max() <= 1.01 / (int(high) - int(low))


@pytest.mark.parametrize("name", ["litemedsam.real", "litemedsam.real-ct"])
def test_the_published_weights_give_the_same_masks_pixel_for_pixel(name: str, real: FolderBackend) -> None:
    for case in published.cases(name):
        check(real, case, different_pixels=0)


@pytest.mark.parametrize("name", ["overlap", "drift"])
def test_the_published_weights_give_the_same_volume_slice_by_slice(name: str, real: FolderBackend) -> None:
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
