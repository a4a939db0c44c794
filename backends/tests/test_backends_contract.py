"""What every backend must hold: those of this repository, and every model that is found ready here."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import tiny_models
from medsam_backends.backend import Backend
from medsam_backends.errors import InputError, ModelError, PromptError
from medsam_backends.folder_backend import open_folder
from medsam_backends.manifest import read_manifest, sha256
from medsam_backends.registry import bundled_folder
from medsam_backends.runtimes import SessionOptions, get_runtime
from medsam_backends.types import Embedding, Point, Prompt
from medsam_backends.weights_file import WeightsFile
from test_onnx_file import adding, outside, write
from test_registry import Whole

SIZE = (40, 56)


def _bundled() -> list[Path]:
    folder = bundled_folder()
    return sorted(path.parent for path in folder.glob("*/model.json")) if folder else []


@pytest.fixture(
    scope="module", params=["sam", "window", "class", *_bundled()], ids=lambda made: getattr(made, "name", made)
)
def backend(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Backend]:
    folder = tmp_path_factory.mktemp("contract") / "model"
    if request.param == "class":
        made: Backend = Whole()
    elif request.param == "sam":
        made = open_folder(tiny_models.sam_model(folder), threads=1)
    elif request.param == "window":
        made = open_folder(tiny_models.window_model(folder), threads=1)
    else:
        made = open_folder(request.param, threads=1)
    yield made
    made.close()


@pytest.fixture(scope="module")
def picture() -> np.ndarray:
    rng = np.random.default_rng(3)
    picture = rng.integers(0, 90, SIZE, np.uint8)
    picture[10:30, 15:40] = 200
    return picture


BOX = (12.0, 8.0, 44.0, 33.0)


def test_a_prediction_is_a_mask_of_the_pictures_size(backend: Backend, picture: np.ndarray) -> None:
    embedding = backend.encode(picture)
    assert embedding.model == backend.spec.identity and embedding.size == SIZE
    [prediction] = backend.decode(embedding, [Prompt(BOX)])
    assert prediction.mask.shape == SIZE and prediction.mask.dtype == np.bool_
    assert 0 <= prediction.iou <= 1
    if prediction.logits is not None:
        assert prediction.logits.dtype == np.float32 and prediction.extent is not None


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
@pytest.mark.parametrize("shape", [SIZE, (*SIZE, 3), (1, 1), (1, 70), (300, 9)])
def test_any_shape_and_both_types_are_taken(backend: Backend, shape: tuple[int, ...], dtype: type) -> None:
    image = np.random.default_rng(1).integers(0, 256, shape).astype(dtype)
    before = image.copy()
    image.flags.writeable = False
    embedding = backend.encode(image)
    [prediction] = backend.decode(embedding, [Prompt((0.0, 0.0, float(shape[1]), float(shape[0])))])
    assert prediction.mask.shape == shape[:2]
    np.testing.assert_array_equal(image, before)


def test_equal_pictures_give_equal_masks(backend: Backend, picture: np.ndarray) -> None:
    masks = [backend.decode(backend.encode(picture.copy()), [Prompt(BOX)])[0].mask for _ in range(2)]
    np.testing.assert_array_equal(*masks)


def test_prompts_do_not_disturb_each_other(backend: Backend, picture: np.ndarray) -> None:
    embedding, other = backend.encode(picture), Prompt((0.0, 0.0, 9.0, 9.0))
    together = backend.decode(embedding, [Prompt(BOX), other])
    alone = backend.decode(embedding, [other])
    assert len(together) == 2
    np.testing.assert_array_equal(together[1].mask, alone[0].mask)
    assert backend.decode(embedding, []) == []


def test_a_later_change_of_the_picture_does_not_reach_the_embedding(backend: Backend, picture: np.ndarray) -> None:
    image = picture.copy()
    embedding = backend.encode(image)
    before = backend.decode(embedding, [Prompt(BOX)])[0].mask
    image[:] = 0
    np.testing.assert_array_equal(backend.decode(embedding, [Prompt(BOX)])[0].mask, before)


def test_a_halved_embedding_can_be_decoded(backend: Backend, picture: np.ndarray) -> None:
    embedding = backend.encode(picture)
    halved = embedding.halved()
    assert halved.nbytes <= embedding.nbytes
    assert backend.decode(halved, [Prompt(BOX)])[0].mask.shape == SIZE


@pytest.mark.parametrize("box", [(56, 0, 60, 9), (0, 40, 5, 44), (-9, -9, 0, 0), (-3, 50, 99, 60)])
def test_a_box_outside_the_picture_is_refused(backend: Backend, picture: np.ndarray, box: tuple[int, ...]) -> None:
    with pytest.raises(PromptError, match="lies outside the 56 x 40 image"):
        backend.decode(backend.encode(picture), [Prompt(tuple(map(float, box)))])


@pytest.mark.parametrize("box", [(-20, -20, 20, 20), (50, 30, 500, 400), (12.3, 4.5, 12.4, 4.6), (20, 20, 21, 21)])
def test_a_box_partly_outside_or_tiny_is_taken(backend: Backend, picture: np.ndarray, box: tuple[float, ...]) -> None:
    [prediction] = backend.decode(backend.encode(picture), [Prompt(tuple(map(float, box)))])
    assert prediction.mask.shape == SIZE


def test_points_and_priors_are_used_or_ignored_but_never_an_error(backend: Backend, picture: np.ndarray) -> None:
    prior = picture > 100
    prompts = [
        Prompt(BOX, points=(Point(20, 20), Point(2, 2, positive=False))),
        Prompt(BOX, prior=prior, position=-0.5),
        Prompt(BOX, prior=prior.astype(np.float32)),
    ]
    assert len(backend.decode(backend.encode(picture), prompts)) == 3


def test_a_prior_of_another_size_is_refused(backend: Backend, picture: np.ndarray) -> None:
    with pytest.raises(PromptError, match="prior mask has size"):
        backend.decode(backend.encode(picture), [Prompt(BOX, prior=np.zeros((3, 3), bool))])


def test_an_embedding_of_another_model_is_refused(backend: Backend, picture: np.ndarray) -> None:
    embedding = backend.encode(picture)
    stranger = Embedding("other@1", embedding.size, dict(embedding.arrays))
    with pytest.raises(ModelError, match="made by other@1"):
        backend.decode(stranger, [Prompt(BOX)])


@pytest.mark.parametrize(
    ("image", "sentence"),
    [
        (np.zeros((4, 4, 4), np.uint8), "cannot be encoded"),
        (np.zeros((4, 0), np.uint8), "cannot be encoded"),
        (np.zeros(4, np.uint8), "cannot be encoded"),
        (np.zeros((4, 4), np.int16), "apply an intensity preset first"),
        (np.full((4, 4), np.nan, np.float32), "not numbers"),
        (np.full((4, 4), np.inf, np.float32), "not numbers"),
    ],
)
def test_what_is_no_picture_is_refused(backend: Backend, image: np.ndarray, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        backend.encode(image)


@pytest.mark.parametrize("box", [(3, 3, 3, 9), (9, 3, 3, 9), (np.nan, 0, 1, 1), (0, 0, np.inf, 1)])
def test_a_prompt_without_a_proper_box_cannot_be_made(box: tuple[float, ...]) -> None:
    with pytest.raises(PromptError):
        Prompt(box)


def test_a_position_lies_between_the_ends() -> None:
    with pytest.raises(PromptError, match="between -1 and 1"):
        Prompt(BOX, position=1.5)


def test_a_sam_like_model_finds_what_its_graph_says(tmp_path: Path) -> None:
    side = tiny_models.SIDE
    image = np.random.default_rng(0).integers(0, 256, (side, side), np.uint8)
    with_closing = open_folder(tiny_models.sam_model(tmp_path / "m"))
    [prediction] = with_closing.decode(with_closing.encode(image), [Prompt((3.0, 5.0, 20.0, 31.0))])
    expected = np.zeros((side, side), bool)
    expected[5:31, 3:20] = image[5:31, 3:20] > tiny_models.THRESHOLD
    np.testing.assert_array_equal(prediction.mask, expected)
    assert prediction.iou == tiny_models.IOU
    with_closing.close()
    with pytest.raises(ModelError, match="was closed"):
        with_closing.encode(image)


def test_a_window_model_finds_what_its_graph_says(tmp_path: Path) -> None:
    grid, image = tiny_models.GRID, np.random.default_rng(0).integers(0, 256, (40, 50), np.uint8)
    backend = open_folder(tiny_models.window_model(tmp_path / "m"))
    box = (7.0, 11.0, 7.0 + grid, 11.0 + grid)
    embedding = backend.encode(image)
    plain, clicked, guided = backend.decode(
        embedding,
        [Prompt(box), Prompt(box, points=(Point(9.5, 12.5), Point(20.5, 25.5, False))), Prompt(box, prior=image > 60)],
    )
    inside = np.zeros(image.shape, bool)
    inside[11 : 11 + grid, 7 : 7 + grid] = True
    np.testing.assert_array_equal(plain.mask, inside & (image > 100))
    assert clicked.mask[12, 9] and not clicked.mask[25, 20]
    np.testing.assert_array_equal(guided.mask, inside & (image.astype(int) + 50 * (image > 60) > 100))
    assert plain.extent == box


def _renamed(folder: Path) -> None:
    tiny_models.save(tiny_models.sam_encoder("other"), folder / "encoder.onnx")


def _swapped(folder: Path) -> None:
    tiny_models.save(tiny_models.sam_decoder(), folder / "encoder.onnx")


def _larger_input(folder: Path) -> None:
    tiny_models.write_manifest(folder, edit=lambda raw: raw["input"].update(size=64))


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (_renamed, r"encoder.onnx has no tensor features \(it has other\)"),
        (_swapped, r"encoder.onnx has no tensor image \(it has features, boxes\)"),
        (_larger_input, "encoder.onnx failed on its input"),
    ],
)
def test_graphs_that_do_not_fit_their_description_are_named(tmp_path: Path, damage, sentence: str) -> None:
    folder = tiny_models.sam_model(tmp_path / "m")
    damage(folder)
    tiny_models.write_manifest(folder)
    if damage is _larger_input:
        damage(folder)
    with pytest.raises(ModelError, match=sentence):
        open_folder(folder).encode(np.zeros((8, 8), np.uint8))


def test_tensors_may_have_names_of_their_own(tmp_path: Path) -> None:
    folder = tiny_models.sam_model(tmp_path / "m")
    _renamed(folder)
    tiny_models.write_manifest(folder, edit=lambda raw: raw["encoder"].update(names={"features": "other"}))
    backend = open_folder(folder)
    assert "features" in backend.encode(np.zeros((8, 8), np.uint8)).arrays


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 not really", b"\x80\x04."])
def test_a_damaged_weights_file_is_refused_when_a_graph_needs_it(tmp_path: Path, content: bytes) -> None:
    folder = tiny_models.sam_model(tmp_path / "m")
    (folder / "weights.npz").write_bytes(content)
    weights = {"file": "weights.npz", "sha256": sha256(folder / "weights.npz")}
    tiny_models.write_manifest(folder, edit=lambda raw: raw.update(weights=weights))
    graph, file = write(tmp_path / "a.onnx", adding(outside("w", "nowhere"))), WeightsFile(read_manifest(folder))
    with pytest.raises(ModelError, match="weights.npz cannot be read"):
        get_runtime("onnxruntime").load(graph, SessionOptions(1, file, file.digest))
