"""The published systems written anew: their state dicts load strictly, and they compute the authors' arrays."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from medsam_backends.checkpoints.state_dict import expected_tensors
from medsam_backends.preprocess import network_input
from medsam_research.published.system import SYSTEMS, PublishedSystem, build
from medsam_research.published.textbook import textbook

sys.path.append(str(Path(__file__).parents[2] / "backends" / "tests"))
import published_reference as published  # noqa: E402

TOLERANCE = 1e-4


def loaded(system: str, weights: dict[str, np.ndarray]) -> PublishedSystem:
    module = build(system)
    module.load_state_dict({name: torch.from_numpy(np.array(value)) for name, value in weights.items()}, strict=True)
    return module


@torch.inference_mode()
def check(system: str, module: PublishedSystem, case: published.Case) -> None:
    settings = published.published_model(system).manifest["input"]
    features = module.encode(torch.from_numpy(network_input(case.image, settings)))
    case.check_features(features.numpy(), TOLERANCE)
    logits, iou = module.decode(features, torch.from_numpy(case.prompts.astype(np.float32)))
    case.check_logits(logits[:, 0].numpy(), TOLERANCE)
    np.testing.assert_allclose(iou[:, 0].numpy(), case.arrays["iou"], atol=TOLERANCE, rtol=0)


@pytest.mark.parametrize("system", SYSTEMS)
def test_the_shipped_key_list_is_the_modules_state_dict(system: str) -> None:
    state = build(system).state_dict()
    listed = expected_tensors(published.published_model(system).keys)
    assert {name: (str(t.dtype).removeprefix("torch."), tuple(t.shape)) for name, t in state.items()} == listed


@pytest.mark.parametrize("system", published.FILES)
def test_standin_weights_load_strictly_and_give_the_reference(system: str) -> None:
    cases = published.standin_cases(system)
    module = loaded(system, published.standin_weights(published.published_model(system).keys))
    for case in cases:
        check(system, module, case)


@pytest.mark.parametrize("name", ["litemedsam.real", "litemedsam.real-ct"])
def test_the_published_weights_load_strictly_and_give_the_reference(name: str) -> None:
    module = build("litemedsam")
    module.load_state_dict(torch.load(published.real_checkpoint(), weights_only=True), strict=True)
    for case in published.cases(name):
        check("litemedsam", module, case)


@torch.inference_mode()
def test_the_decoder_as_its_authors_write_it_gives_the_same_masks() -> None:
    system = build("litemedsam")
    features, boxes = torch.rand(1, 256, 64, 64), torch.tensor([[8.0, 9.0, 70.0, 80.0], [100.0, 20.0, 200.0, 90.0]])
    logits, iou = system.decode(features, boxes)
    textbook(system.mask_decoder)
    plain_logits, plain_iou = system.decode(features, boxes)
    assert not torch.equal(logits, plain_logits)  # computed in another order
    torch.testing.assert_close(plain_logits, logits, atol=1e-4 * float(logits.std()), rtol=0)
    torch.testing.assert_close(plain_iou, iou, atol=1e-5, rtol=0)
