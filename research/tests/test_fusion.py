"""The fusion network from samples to a model that carries it: what is prepared, learned and exported."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from medsam_backends.folder_backend import open_folder
from medsam_backends.propagation import CubeView
from medsam_backends.propagation.click_cubes import paint_clicks
from medsam_research.data.volumes import Volume
from medsam_research.fusion.export import add_fusion
from medsam_research.fusion.network import Fusion
from medsam_research.fusion.prepare import GRID, drawn_box, sample_of, write_samples
from medsam_research.fusion.samples import Samples
from medsam_research.fusion.train import fusion_loss
from medsam_research.fusion.train import main as train
from medsam_research.training import checkpoint
from medsam_research.training.loss import dice_scores

MODEL = Path(__file__).resolve().parents[2] / "MedSAMLite/Resources/Models/medsamlite-repvit"


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of samples of bright ellipsoids in noise."""
    folder, rng = tmp_path_factory.mktemp("samples"), np.random.default_rng(0)
    model, made = open_folder(MODEL, threads=1), []
    for _ in range(4):
        k, j, i = np.indices((26, 40, 44))
        middle, radii = rng.uniform(11, 15, 3) + (0, 6, 8), rng.uniform(5, 9, 3)
        inside = ((k - middle[0]) / radii[0]) ** 2 + ((j - middle[1]) / radii[1]) ** 2
        inside = inside + ((i - middle[2]) / radii[2]) ** 2 <= 1
        values = np.clip(90 + 60 * inside + rng.normal(0, 12, inside.shape), 0, 255).astype(np.uint8)
        volume = Volume.of("made", "made", "MR", values, inside.astype(np.uint8), (1.0, 1.0, 1.0))
        sample = sample_of(rng, model, volume, volume.objects[0], axis=0)
        assert sample is not None
        made.append(sample)
    write_samples(folder / "samples-00-0000.npz", made)
    return folder


def test_a_sample_shows_the_object_in_its_cube(samples: Path) -> None:
    batch = Samples(samples).batch(np.arange(4))
    truth = batch["truth"] > 0.5
    assert truth.shape == (4, 1, GRID, GRID, GRID)
    # an ellipsoid that fills the box: pi / 6 of it, the box being 1 / 1.4 of the cube along each axis, and the object
    # at least 1 / 1.5 of a box that is drawn widely
    assert (truth.float().mean((1, 2, 3, 4)) > 0.95 * np.pi / 6 / 1.4**3 / 1.5**3).all()
    inside, outside = batch["picture"][truth].mean(), batch["picture"][~truth & (batch["valid"] > 0.9)].mean()
    assert 45 < inside - outside < 65
    assert dice_scores(batch["views"].flatten(2, 3), batch["truth"].flatten(2, 3)).min() > 0.8


def test_boxes_are_drawn_with_care_or_with_room_on_every_side() -> None:
    rng = np.random.default_rng(0)
    boxes = [drawn_box(rng, [(20, 40), (50, 90), (30, 100)], (60, 128, 128)) for _ in range(400)]
    ends = np.array([box for box in boxes if box is not None], float)
    room = np.stack([[20, 50, 30] - ends[..., 0], ends[..., 1] - [40, 90, 100]], 2) / [[[20], [40], [70]]]
    assert len(ends) == 400 and room.min() >= -0.05 and room.max() <= 0.26
    wide = room.max(2)[:, 0] > 0.14  # more slices than with care, which moves them 2.56 at most
    assert 0.25 < wide.mean() < 0.45
    assert room[wide].mean() > 2 * room[~wide].mean()
    assert drawn_box(rng, [(20, 22), (50, 90), (30, 100)], (60, 128, 128)) is None


def test_variation_keeps_picture_and_truth_together(samples: Path) -> None:
    batch = Samples(samples).varied(np.random.default_rng(3), 12)
    assert batch["picture"].min() >= 0 and batch["picture"].max() <= 255
    apart = [
        (picture[truth > 0.5].mean() - picture[(truth < 0.5) & (there > 0.9)].mean()).abs()
        for picture, truth, there in zip(batch["picture"], batch["truth"], batch["valid"], strict=True)
    ]
    assert min(apart) > 10


def test_an_untrained_network_changes_nothing() -> None:
    cube, clicks = torch.rand(2, 1, GRID, GRID, GRID), torch.rand(2, 2, GRID, GRID, GRID)
    assert not Fusion()(cube * 255, torch.ones_like(cube), cube, torch.zeros(2, 3), clicks).any()


def test_the_loss_falls_where_the_logits_are_right() -> None:
    truth = torch.zeros(1, 1, 12, 12, 12)
    truth[..., 3:9, 3:9, 3:9] = 1
    right, wrong = truth * 12 - 6, truth[..., [*range(3, 12), 0, 1, 2], :] * 12 - 6
    clicks = torch.zeros(1, 2, 12, 12, 12)
    assert fusion_loss(right, truth, clicks) < 0.02 < 0.5 < fusion_loss(wrong, truth, clicks)
    heeded, missed = clicks.clone(), clicks.clone()
    heeded[0, 0, 5, 5, 5] = missed[0, 0, 5, 8, 5] = 1  # the second lies where `wrong` is wrong
    assert fusion_loss(wrong, truth, heeded) < fusion_loss(wrong, truth, clicks) < fusion_loss(wrong, truth, missed)


def test_a_run_ends_in_a_model_that_carries_it(samples: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    options = ["--samples", str(samples), "--validation", str(samples), "--output", str(run), "--batch", "2"]
    train([*options, "--steps", "2"])
    train([*options, "--steps", "3"])
    assert checkpoint.load(run / "checkpoint.pt")["step"] == 3, "a second call goes on from the checkpoint"
    _make_bold(run / "checkpoint.pt")
    folder = tmp_path / "model"
    shutil.copytree(MODEL, folder)
    add_fusion(run / "checkpoint.pt", folder, "9.9", share=0.5)
    assert json.loads((folder / "model.json").read_text())["version"] == "9.9"
    network = open_folder(folder, threads=1).fusion
    assert network is not None and network.grid == GRID
    model = Fusion().eval()
    model.load_state_dict(checkpoint.load(run / "checkpoint.pt")["ema"])
    batch = Samples(samples).batch(np.array([1]))
    cubes = [batch[name] for name in ("picture", "valid", "views")]
    said = paint_clicks([(9.0, 12.5, 20.0, True), (16.0, 3.0, 8.0, False)], GRID)
    for clicks in (said, said * 0):
        with torch.no_grad():
            change = model(*cubes, batch["scale"], torch.from_numpy(clicks)[None])[0, 0].numpy()
        view = CubeView(*(cube[0, 0].numpy() for cube in cubes), tuple(2.0 ** batch["scale"][0].numpy()), clicks)
        assert np.abs(change).max() > 0.5
        np.testing.assert_allclose(network(view), change / 2, atol=0.05 * np.abs(change).max())


def _make_bold(path: Path) -> None:
    """Let the network say more than it can have learned in three steps."""
    state = checkpoint.load(path)
    random = torch.Generator().manual_seed(0)
    for name in ("change.weight", "clicks.weight", "clicks_at_half.weight"):
        state["ema"][name] = torch.randn(state["ema"][name].shape, generator=random)
    checkpoint.save(path, state)
