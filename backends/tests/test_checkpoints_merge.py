"""Branches merged at import compute what the branches compute."""

from __future__ import annotations

import numpy as np
import pytest
from medsam_backends.checkpoints.merge import is_merged, merged, merged_from
from numpy.typing import NDArray

BLOCK = "image_encoder.features.1.token_mixer.0"
CHANNELS = 5


@pytest.fixture
def tensors() -> dict[str, NDArray[np.float32]]:
    random = np.random.default_rng(2)
    found = {}
    for name in merged_from(f"{BLOCK}.merged.weight"):
        shape = {"conv.c.weight": (CHANNELS, 1, 3, 3), "conv1.weight": (CHANNELS, 1, 1, 1)}
        found[name] = random.normal(size=shape.get(name.removeprefix(f"{BLOCK}."), (CHANNELS,))).astype(np.float32)
        if name.endswith("running_var"):
            found[name] = np.array([1, 0.3, 4e-6, 2, 0], np.float32)
    return found


def depthwise(picture: NDArray[np.float64], kernel: NDArray[np.floating]) -> NDArray[np.float64]:
    """A 3x3 convolution of each channel, zeros round the picture."""
    height, width = picture.shape[1:]
    padded = np.pad(picture, ((0, 0), (1, 1), (1, 1)))
    shifted = [padded[:, y : y + height, x : x + width] for y in range(3) for x in range(3)]
    weights = kernel.reshape(len(picture), 9).T[:, :, None, None]
    return np.sum([part * weight for part, weight in zip(shifted, weights, strict=True)], axis=0)


def test_three_branches_and_two_norms_equal_the_merged_convolution(tensors: dict[str, NDArray[np.float32]]) -> None:
    def part(name: str) -> NDArray[np.float64]:
        array = tensors[f"{BLOCK}.{name}"].astype(np.float64)
        return array.reshape(-1, 1, 1) if array.ndim == 1 else array

    def norm(name: str, x: NDArray[np.float64]) -> NDArray[np.float64]:
        mean, variance = part(f"{name}.running_mean"), part(f"{name}.running_var")
        return (x - mean) / np.sqrt(variance + 1e-5) * part(f"{name}.weight") + part(f"{name}.bias")

    x = np.random.default_rng(3).normal(size=(CHANNELS, 6, 7))
    inner = norm("conv.bn", depthwise(x, part("conv.c.weight")))
    expected = norm("bn", inner + x * part("conv1.weight")[:, 0] + part("conv1.bias") + x)
    weight, bias = (merged(f"{BLOCK}.merged.{name}", tensors.__getitem__) for name in ("weight", "bias"))
    assert (weight.dtype, bias.dtype) == (np.float32, np.float32)
    got = depthwise(x, weight.astype(np.float64)) + bias[:, None, None]
    np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-6 * np.abs(expected).max())


def test_only_names_with_the_mark_are_merged() -> None:
    assert is_merged(f"{BLOCK}.merged.bias")
    assert not is_merged(f"{BLOCK}.conv1.bias")
