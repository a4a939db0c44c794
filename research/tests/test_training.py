"""Training, resuming, checkpoints and export, on a tiny stream made here: no data and no process."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from disc_stream import DiscStream
from medsam_backends.folder_backend import open_folder
from medsam_backends.types import Prompt
from medsam_research.models.segmenter import DECODER_INPUTS
from medsam_research.training import checkpoint
from medsam_research.training.average import Average
from medsam_research.training.config import TrainConfig, from_arguments
from medsam_research.training.distil import Distillation
from medsam_research.training.export import MOST_HALF_DIFFERENCE, export, load_model
from medsam_research.training.feed import stream_config
from medsam_research.training.graphs import decoder_example
from medsam_research.training.journal import read_rows
from medsam_research.training.loss import dice_scores, segmentation_loss
from medsam_research.training.schedule import ema_decay, rate_factor
from medsam_research.training.train import Trainer
from medsam_research.training.validation import group_means, validate


def short(steps: int, **changes: object) -> TrainConfig:
    return TrainConfig(encoder="repvit", steps=steps, lr=3e-3, **changes)  # type: ignore[arg-type]


def test_loss_falls_and_the_run_writes_its_tables(tmp_path: Path) -> None:
    stream = DiscStream()
    trainer = Trainer(short(25), tmp_path, fixed=[stream.arrays()])
    first = trainer.train_step(stream.next())["loss"]
    trainer.go(stream.next)

    assert float(read_rows(tmp_path / "steps.csv")[-1]["loss"]) < first
    assert {row["group"] for row in read_rows(tmp_path / "validation.csv")} == {"all", "box", "CT"}
    assert (tmp_path / "curves.png").exists()


def test_a_resumed_run_equals_one_that_never_stopped(tmp_path: Path) -> None:
    batches = [DiscStream(seed, pictures=1).next() for seed in range(4)]
    whole = Trainer(short(10), tmp_path / "whole")
    for batch in batches:
        whole.train_step(batch)
    part = Trainer(short(10), tmp_path / "part")
    for batch in batches[:2]:
        part.train_step(batch)
    part.save()
    resumed = Trainer(short(10), tmp_path / "part")
    for batch in batches[2:]:
        resumed.train_step(batch)

    assert resumed.step == 4
    for name, value in whole.model.state_dict().items():
        assert torch.allclose(value.float(), resumed.model.state_dict()[name].float(), atol=1e-5), name


def test_another_encoder_can_start_from_a_trained_decoder(tmp_path: Path) -> None:
    first = Trainer(short(5), tmp_path / "a")
    first.save()
    second = Trainer(TrainConfig(encoder="efficientvit"), tmp_path / "b", init=tmp_path / "a" / "checkpoint.pt")

    assert torch.equal(second.model.decoder.stem.weight, first.model.decoder.stem.weight)


def test_a_student_comes_closer_to_its_teachers_features_and_takes_its_decoder(tmp_path: Path) -> None:
    teacher = Trainer(TrainConfig(encoder="efficientvit", steps=1), tmp_path / "teacher")
    teacher.save()
    stream, source, folder = DiscStream(), tmp_path / "teacher" / "checkpoint.pt", tmp_path / "student"
    student = Distillation(source, short(12), folder, [stream.arrays()])
    losses = [student.train_step(stream.next())["loss"] for _ in range(6)]
    student.save()
    resumed = Distillation(source, short(12), folder, [stream.arrays()])
    losses += [resumed.train_step(stream.next())["loss"] for _ in range(6)]
    resumed.go(stream.next)

    assert resumed.step == 12 and np.mean(losses[-3:]) < np.mean(losses[:3])
    started = Trainer(short(5), tmp_path / "run", init=folder / "checkpoint.pt")
    assert torch.equal(started.model.decoder.stem.weight, teacher.model.decoder.stem.weight)


def test_a_checkpoint_that_carries_code_is_refused(tmp_path: Path) -> None:
    torch.save({"model": TrainConfig()}, tmp_path / "checkpoint.pt")
    with pytest.raises(pickle.UnpicklingError):
        checkpoint.load(tmp_path / "checkpoint.pt")


def test_exported_folder_segments_through_the_product(tmp_path: Path) -> None:
    trainer = Trainer(short(5), tmp_path / "run")
    trainer.train_step(DiscStream().next())
    trainer.save()
    export(tmp_path / "run" / "checkpoint.pt", "tiny", tmp_path / "model")

    backend = open_folder(tmp_path / "model", threads=1)
    picture = np.zeros((120, 200), np.uint8)
    prediction = backend.decode(backend.encode(picture), [Prompt((20, 30, 90, 100))])[0]
    assert prediction.mask.shape == (120, 200)
    assert 0 <= prediction.iou <= 1


def test_a_decoder_in_8_bits_gives_nearly_the_same_logits(tmp_path: Path) -> None:
    trainer = Trainer(short(5), tmp_path / "run")
    trainer.train_step(DiscStream().next())
    trainer.save()
    source, stream = tmp_path / "run" / "checkpoint.pt", DiscStream(seed=1)
    export(source, "tiny", tmp_path / "plain")
    export(source, "tiny", tmp_path / "small", iter([stream.arrays() for _ in range(3)]))

    found = []
    for name in ("plain", "small"):
        backend = open_folder(tmp_path / name, threads=1)
        picture = np.random.default_rng(2).integers(0, 255, (120, 200), np.uint8)
        found.append(backend.decode(backend.encode(picture), [Prompt((20, 30, 90, 100))])[0].logits)
    plain, small = found
    assert 0 < np.abs(plain - small).mean() < 0.1 * plain.std() + 0.02
    sizes = [(tmp_path / name / "decoder.onnx").stat().st_size for name in ("plain", "small")]
    assert sizes[1] < 0.7 * sizes[0]


@pytest.mark.parametrize("small", [False, True])
def test_windows_of_several_slices_share_a_call_of_the_exported_decoder(tmp_path: Path, small: bool) -> None:
    trainer = Trainer(short(5), tmp_path / "run")
    trainer.train_step(DiscStream().next())
    trainer.save()
    source = tmp_path / "run" / "checkpoint.pt"
    feed = iter([DiscStream(seed=1).arrays()]) if small else None
    export(source, "tiny", tmp_path / "model", feed)
    decoder = onnxruntime.InferenceSession(tmp_path / "model" / "decoder.onnx", providers=["CPUExecutionProvider"])

    def run(example: tuple[torch.Tensor, ...]) -> np.ndarray:
        feeds = {name: value.numpy() for name, value in zip(DECODER_INPUTS, example, strict=True)}
        return decoder.run(["logits"], feeds)[0]

    for maps in (1, 3):
        example = decoder_example(3, 64, seed=2, maps=maps)
        together = run(example)
        alone = [run(tuple(v[n : n + 1] if len(v) == 3 else v for v in example)) for n in range(3)]
        np.testing.assert_allclose(together, np.concatenate(alone), atol=1e-4)
        if not small:
            expected = load_model(source)[0].decoder(*example)[0].detach().numpy()
            np.testing.assert_allclose(together, expected, atol=MOST_HALF_DIFFERENCE)

    backend = open_folder(tmp_path / "model", threads=1)
    pictures = [np.random.default_rng(seed).integers(0, 255, (90, 120), np.uint8) for seed in range(6)]
    asks = [(backend.encode(p), Prompt((20.0, 30.0 - n, 90.0, 70.0 + n))) for n, p in enumerate(pictures)]
    assert backend.batch > 1
    for (embedding, prompt), found in zip(asks, backend.decode_many(asks), strict=True):
        [single] = backend.decode(embedding, [prompt])
        np.testing.assert_allclose(found.logits, single.logits, atol=1e-4)
        assert found.extent == single.extent


def test_rate_rises_stays_and_falls() -> None:
    assert rate_factor(0.0, 0.1, 0.4) < 0.05
    assert rate_factor(0.3, 0.1, 0.4) == 1
    assert rate_factor(0.8, 0.1, 0.4) == pytest.approx(0.5)
    assert rate_factor(1.2, 0.1, 0.4) == 0


def test_average_forgets_its_start_quickly_and_then_remembers() -> None:
    assert ema_decay(0, 0.99) == pytest.approx(0.1)
    assert ema_decay(10_000, 0.99) == 0.99
    layer = torch.nn.Linear(1, 1)
    average = Average(layer)
    start = layer.weight.item()
    torch.nn.init.constant_(layer.weight, start + 1)
    average.update(layer, 0.75)
    assert average.state["weight"].item() == pytest.approx(start + 0.25)


def test_dice_counts_only_where_the_object_is_present() -> None:
    target = torch.zeros(1, 1, 8, 8)
    empty = torch.full((1, 1, 8, 8), -9.0)
    expected = torch.zeros(1, 1)

    loss, parts = segmentation_loss(empty, expected, target, torch.zeros(1, 1), edge=1.0)
    assert parts["dice"] == 0
    assert loss < 0.01
    assert dice_scores(empty, target).item() == pytest.approx(1)


def test_validation_scores_the_ellipse_beside_the_network(tmp_path: Path) -> None:
    trainer = Trainer(short(5), tmp_path)
    rows = validate(trainer.model, [DiscStream().arrays()])
    everything = next(row for row in group_means(rows) if row["group"] == "all")

    assert everything["count"] == 4
    assert 0.3 < everything["ellipse"] <= 1


def test_options_change_the_preset() -> None:
    config, parsed = from_arguments(["--config", "second", "--output", "x", "--batch", "3", "--lr", "0.01"])
    assert (config.encoder, config.pictures, config.lr, parsed.output) == ("repvit", 3, 0.01, "x")


def test_mixture_changes_single_weights_of_training_alone() -> None:
    usual = stream_config(TrainConfig()).mixture
    changed = stream_config(TrainConfig(mixture="picture=0.1")).mixture
    assert changed == {**usual, "picture": 0.1} != usual
    assert stream_config(TrainConfig(mixture="picture=0.1"), "val").mixture == usual
    with pytest.raises(ValueError, match="there is no source pictures"):
        stream_config(TrainConfig(mixture="pictures=0.1"))


def test_emphasis_names_modalities() -> None:
    assert stream_config(TrainConfig(emphasis="Endoscopy=3,Fundus=1.5")).emphasis == {"Endoscopy": 3.0, "Fundus": 1.5}
    assert stream_config(TrainConfig(emphasis="Endoscopy=3"), "val").emphasis == {}
    with pytest.raises(ValueError, match="no modality Endoscopes"):
        stream_config(TrainConfig(emphasis="Endoscopes=3"))
