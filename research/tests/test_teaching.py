"""A teacher's features: made once, kept aligned with mirrored pictures, and learned by an encoder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from medsam_backends import Backend, BackendSpec, Embedding, Prediction, Prompt
from medsam_research.data.packed import Item, Pack, write_pack
from medsam_research.data.teacher import CELLS, Taught, portions, teach
from medsam_research.models.encoder import Encoder
from medsam_research.training.teaching import Teaching
from numpy.typing import NDArray


class BrightnessTeacher(Backend):
    """Sees the brightness of each eighth of a square picture of 256, and its complement, on twice the cells."""

    spec = BackendSpec("brightness", "Brightness", "1", "Apache-2.0")

    def encode(self, image: NDArray[np.generic]) -> Embedding:
        cells = image.astype(np.float32).reshape(64, 4, 64, 4).mean((1, 3)) / 64 - 2
        return Embedding(self.spec.identity, image.shape[:2], {"features": np.stack([cells, -cells])[None]})

    def decode(self, embedding: Embedding, prompts: Sequence[Prompt]) -> list[Prediction]:
        raise NotImplementedError


@pytest.fixture
def pack(tmp_path: Path) -> Pack:
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 255, (6, 16, 16), np.uint8)
    pictures = coarse.repeat(16, 1).repeat(16, 2)
    empty = np.zeros((256, 256), np.uint8)
    items = [Item(f"a{n}", "discs" if n < 4 else "rest", "US", f"a{n}", p, empty) for n, p in enumerate(pictures)]
    write_pack(tmp_path / "pack", items)
    return Pack(tmp_path / "pack")


def test_features_come_back_pooled_for_each_picture_of_several_shards(pack: Pack, tmp_path: Path) -> None:
    teach(BrightnessTeacher(), pack, [0, 2], tmp_path / "taught" / "features-0000")
    teach(BrightnessTeacher(), pack, [5], tmp_path / "taught" / "features-0001")
    taught = Taught(tmp_path / "taught")

    assert taught.indices == [0, 2, 5]
    for number, index in enumerate(taught.indices):
        expected = pack[index].pixels.astype(np.float32).reshape(CELLS, 8, CELLS, 8).mean((1, 3)) / 64 - 2
        np.testing.assert_allclose(taught.features(number)[0], expected, atol=2e-3)
    with pytest.raises(IndexError):
        taught.features(3)


def test_a_folder_without_features_says_how_they_are_made(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"medsam_research\.data\.teacher"):
        Taught(tmp_path)


def test_portions_draw_evenly_from_each_set_and_leave_validation_alone(pack: Pack) -> None:
    drawn = [i for _, chosen in portions(pack, ["US"], a_set=2) for i in chosen]

    assert drawn and len(drawn) == len(set(drawn)) <= 4
    assert not list(portions(pack, ["CT"], a_set=2))


def test_an_encoder_learns_the_features_also_of_mirrored_pictures(pack: Pack, tmp_path: Path) -> None:
    teach(BrightnessTeacher(), pack, range(6), tmp_path / "taught" / "features-0000")
    torch.manual_seed(0)
    teaching, encoder = Teaching([tmp_path / "taught"], pack, seed=0), Encoder("repvit")
    optimiser = torch.optim.AdamW(encoder.parameters(), 3e-3)
    losses = []
    for _ in range(25):
        loss = teaching.loss(encoder)
        loss.backward()
        optimiser.step()
        optimiser.zero_grad()
        teaching.step()
        losses.append(loss.item())

    # If features were not mirrored with their picture, no more than half of the pictures could be learned.
    assert np.mean(losses[-5:]) < 0.5 * np.mean(losses[:3])
