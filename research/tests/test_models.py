"""The networks: shapes, sizes, the equality of folded and plain forms, and the sampling of features on the window."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from medsam_backends.window import sample
from medsam_research.models.layers import fuse
from medsam_research.models.planes import PLANES, features_on_window, window_planes
from medsam_research.models.repvit import RepDepthwise
from medsam_research.models.segmenter import Segmenter
from medsam_research.training.checkpoint import load_matching
from torch import Tensor, nn


def batch_of(pictures: int, boxes: int, grid: int) -> dict[str, Tensor]:
    windows = pictures * boxes
    random = torch.Generator().manual_seed(0)
    low = torch.rand(windows, 2, generator=random) * 0.5
    return {
        "image": torch.rand(pictures, 3, 256, 256, generator=random) * 255,
        "window": torch.rand(windows, 3, grid, grid, generator=random) * 255,
        "valid": torch.ones(windows, 1, grid, grid),
        "rect": torch.cat([low, low + 0.3], 1),
        "scale": torch.zeros(windows, 2),
        "position": torch.zeros(windows, 2),
        "prior": torch.zeros(windows, 1, grid, grid),
        "has_prior": torch.zeros(windows, 1),
        "points": torch.zeros(windows, 2, grid, grid),
    }


def shake_statistics(model: nn.Module) -> None:
    """Normalisation statistics other than 0 and 1, so that folding them is a real test."""
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.running_mean, 0, 0.1)
            nn.init.uniform_(module.running_var, 0.5, 1.5)
            nn.init.uniform_(module.weight, 0.5, 1.5)


@pytest.mark.parametrize("encoder", ["efficientvit", "repvit"])
def test_a_model_fits_into_four_megabytes_of_float16(encoder: str) -> None:
    assert sum(p.numel() for p in Segmenter(encoder).parameters()) <= 1_950_000


@pytest.mark.parametrize(("encoder", "grid"), [("efficientvit", 64), ("repvit", 80), ("none", 96)])
def test_every_grid_gives_logits_of_its_size(encoder: str, grid: int) -> None:
    with torch.no_grad():
        logits, iou = Segmenter(encoder).eval()(batch_of(2, 2, grid))

    assert logits.shape == (4, 1, grid, grid)
    assert iou.shape == (4, 1)
    assert ((iou >= 0) & (iou <= 1)).all()


def test_the_plain_decoder_answers_for_the_window_without_seeing_it() -> None:
    model, batch = Segmenter("efficientvit", decoder="plain").eval(), batch_of(2, 2, 64)
    with torch.no_grad():
        logits, iou = model(batch)
        other = model({**batch, "window": torch.zeros_like(batch["window"])})[0]
        moved = model({**batch, "rect": batch["rect"] * 0.5})[0]

    assert logits.shape == (4, 1, 64, 64) and iou.shape == (4, 1)
    assert torch.equal(logits, other)
    assert not torch.allclose(logits, moved, atol=1e-3)


def test_a_deep_decoder_goes_on_where_a_trained_one_stopped() -> None:
    trained, deep = Segmenter("repvit").eval(), Segmenter("repvit", decoder="deep").eval()
    shake_statistics(trained)
    load_matching(deep, trained.state_dict())
    batch = batch_of(1, 2, 64)

    assert sum(p.numel() for p in deep.parameters()) > 1.4 * sum(p.numel() for p in trained.parameters())
    with torch.no_grad():
        assert torch.equal(deep(batch)[0], trained(batch)[0])


@pytest.mark.parametrize(("encoder", "decoder"), [("efficientvit", "window"), ("repvit", "window"), ("repvit", "deep")])
def test_folded_network_equals_the_plain_one(encoder: str, decoder: str) -> None:
    torch.manual_seed(1)
    model = Segmenter(encoder, decoder=decoder).eval()
    shake_statistics(model)
    batch = batch_of(1, 2, 64)
    with torch.no_grad():
        before = model(batch)[0]
        after = fuse(model)(batch)[0]

    assert not any(isinstance(m, nn.BatchNorm2d) for m in model.modules())
    assert torch.allclose(before, after, atol=2e-3 * float(before.abs().max()))


def test_three_depthwise_branches_merge_into_one_convolution() -> None:
    block = RepDepthwise(5).eval()
    shake_statistics(block)
    nn.init.normal_(block.point)
    x = torch.randn(2, 5, 7, 7)
    with torch.no_grad():
        expected = block(x)
        merged = fuse(block)

    assert isinstance(merged, nn.Conv2d)
    assert torch.allclose(merged(x), expected, atol=1e-5)


@pytest.mark.parametrize(
    ("rect", "tolerance"),
    # exact where cells are smaller than features; where larger, the hats' rows sum to one only nearly
    [((0.5, 0.5, 0.52, 0.53), 1e-5), ((-0.2, 0.1, 0.2, 0.5), 1e-5), ((0.2, 0.3, 0.5, 0.9), 0.1)],
)
def test_features_are_sampled_as_the_product_samples_pictures(rect: tuple[float, ...], tolerance: float) -> None:
    features = np.random.default_rng(0).random((3, 32, 32), np.float32)
    x0, y0, x1, y1 = (32 * value for value in rect)

    got = features_on_window(torch.from_numpy(features)[None], torch.tensor([rect]), 16)[0].numpy()

    assert np.allclose(got, sample(np.moveaxis(features, 0, 2), (x0, y0, x1, y1), 16), atol=tolerance)


def test_planes_put_the_box_in_the_middle_of_the_window() -> None:
    batch = batch_of(1, 1, 64)
    planes = window_planes(*(batch[name] for name in ("window", "valid", "position", "prior", "points")))

    assert planes.shape == (1, PLANES, 64, 64)
    inside_box = planes[0, 8] > 0
    assert int(inside_box.any(0).sum()) == round(64 / 1.4)


def test_a_position_that_is_not_told_changes_nothing() -> None:
    batch = batch_of(1, 2, 64)
    model = Segmenter("none").eval()
    with torch.no_grad():
        without = model(batch)[0]
        batch["position"] = torch.tensor([[0.0, 0.7], [0.0, -1.0]])
        assert torch.equal(model(batch)[0], without)
