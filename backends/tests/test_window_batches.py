"""Windows of several slices in one call of the decoder: the same answers, where the graph allows it."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import onnx
import pytest
import tiny_models
from medsam_backends.boxes import VoxelBox
from medsam_backends.errors import ModelError, PromptError
from medsam_backends.folder_backend import open_folder
from medsam_backends.segmenter import Progress, Segment, Target, VolumeSegmenter
from medsam_backends.types import Embedding, Point, Prompt

RUNTIMES = ["onnxruntime", *(["openvino"] if importlib.util.find_spec("openvino") else [])]


def asks() -> list[tuple[np.ndarray, Prompt]]:
    """Pictures of several sizes, each with a prompt of its own."""
    rng = np.random.default_rng(1)
    prompts = [
        Prompt((3.0, 5.0, 20.0, 30.0)),
        Prompt((7.0, 11.0, 23.0, 27.0), points=(Point(9.5, 12.5), Point(20.5, 25.5, False))),
        Prompt((-4.0, 8.0, 30.0, 44.0), position=0.5),
        Prompt((2.0, 2.0, 9.0, 40.0), prior=rng.random((38, 50)) > 0.5),
        Prompt((10.0, 12.0, 31.0, 29.0)),
        Prompt((1.0, 1.0, 30.0, 30.0)),
    ]
    sizes = [(40, 50), (32, 32), (60, 41), (38, 50), (40, 50), (33, 47)]
    return [(rng.integers(0, 256, size, np.uint8), prompt) for size, prompt in zip(sizes, prompts, strict=True)]


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize(("windows", "batch"), [(1, False), ("n", True)])
def test_windows_of_several_slices_are_answered_as_one_by_one(
    tmp_path: Path, runtime: str, windows: int | str, batch: bool
) -> None:
    backend = open_folder(tiny_models.window_model(tmp_path / "m", windows=windows), runtime, threads=1)
    assert (backend.batch > 1) == batch
    wanted: list[tuple[Embedding, Prompt]] = [(backend.encode(picture), prompt) for picture, prompt in asks()]
    together = backend.decode_many(wanted)
    assert len(together) == len(wanted) and backend.decode_many([]) == []
    for (embedding, prompt), found in zip(wanted, together, strict=True):
        [alone] = backend.decode(embedding, [prompt])
        np.testing.assert_array_equal(found.logits, alone.logits)
        np.testing.assert_array_equal(found.mask, alone.mask)
        assert (found.iou, found.extent, found.size) == (alone.iou, alone.extent, alone.size)
        assert found.mask.any() and not found.mask.all()


def test_one_wrong_prompt_among_several_is_said(tmp_path: Path) -> None:
    backend = open_folder(tiny_models.window_model(tmp_path / "m", windows="n"), threads=1)
    embedding = backend.encode(np.zeros((20, 20), np.uint8))
    with pytest.raises(PromptError, match="outside the 20 x 20 image"):
        backend.decode_many([(embedding, Prompt((1, 1, 5, 5))), (embedding, Prompt((30, 30, 35, 35)))])


def test_a_graph_that_answers_once_for_all_windows_is_named(tmp_path: Path) -> None:
    folder = tiny_models.window_model(tmp_path / "m", windows="n")
    graph = onnx.load(folder / "decoder.onnx").graph
    graph.node[-1].CopyFrom(onnx.helper.make_node("Identity", ["iou_value"], ["iou"]))
    tiny_models.save(graph, folder / "decoder.onnx")
    tiny_models.write_manifest(folder)
    backend = open_folder(folder, threads=1)
    embedding = backend.encode(np.zeros((20, 20), np.uint8))
    with pytest.raises(ModelError, match=r"decoder.onnx answers 2 and 1 times when asked for 2 windows"):
        backend.decode(embedding, [Prompt((1, 1, 5, 5)), Prompt((2, 2, 9, 9))])


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("rule", ["views", "sweep", "neighbours", "track"])
def test_a_volume_is_segmented_alike_with_and_without(tmp_path: Path, rule: str, threads: int) -> None:
    array = np.random.default_rng(2).integers(0, 256, (24, 30, 33), np.uint8)
    segments: list[Segment] = []
    for windows in (1, "n"):
        folder = tiny_models.window_model(tmp_path / str(windows), windows=windows)
        segmenter = VolumeSegmenter(open_folder(folder, threads=threads), array, preset="none")
        steps: list[Progress] = []
        targets = [Target(VoxelBox(4, 5, 2, 25, 24, 20)), Target(VoxelBox(8, 9, 3, 20, 28, 22))]
        segments += segmenter.segment(targets, rule=rule, progress=steps.append)
        done = [step.done for step in steps]
        assert done == sorted(done) and set(done) == set(range(1, 40)), "progress comes with every slice"
    for old, new in zip(segments[:2], segments[2:], strict=True):
        np.testing.assert_array_equal(old.mask, new.mask)
        assert old.voxels and old.slices == new.slices
        assert (old.timings.encodes, old.timings.decodes) == (new.timings.encodes, new.timings.decodes)
