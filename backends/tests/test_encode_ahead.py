"""Slices that are expected are worked on in other threads: results, counts, errors and cancelling stay as they are."""

import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from medsam_backends import ahead, folder_backend
from medsam_backends.boxes import VoxelBox
from medsam_backends.cache import EmbeddingCache
from medsam_backends.errors import Cancelled, InputError
from medsam_backends.folder_backend import open_folder
from medsam_backends.intensity import fit
from medsam_backends.segmenter import Target, VolumeSegmenter
from medsam_backends.slices import SliceStack
from medsam_backends.types import Embedding, Prediction, Prompt
from medsam_backends.volume_slices import VolumeSlices
from test_registry import Whole
from tiny_models import window_model

PROMPT = Prompt((1.0, 1.0, 4.0, 4.0))


class Watched(Whole):
    """Says in which thread it encoded, and may be told to wait or to fail."""

    def __init__(self) -> None:
        self.threads: list[str] = []
        self.go = threading.Event()
        self.go.set()
        self.broken = False

    def encode(self, image: np.ndarray) -> Embedding:
        self.threads.append(threading.current_thread().name)
        assert self.go.wait(20)
        if self.broken:
            raise InputError("This slice cannot be encoded.")
        return super().encode(image)


@pytest.fixture(autouse=True)
def two_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ahead, "usable_cores", lambda: 2)


@pytest.fixture
def backend() -> Iterator[Watched]:
    model = Watched()
    yield model
    model.go.set()


def slices(backend: Watched, cache_bytes: int = 1 << 20) -> VolumeSlices:
    array = np.zeros((6, 8, 8), np.uint8)
    return VolumeSlices(backend, SliceStack(array), fit(array, "none"), EmbeddingCache(cache_bytes))


@pytest.mark.parametrize("cache_bytes", [0, 1 << 20])
def test_an_expected_slice_is_encoded_once_in_another_thread(backend: Watched, cache_bytes: int) -> None:
    model = slices(backend, cache_bytes)
    model.expect(3, PROMPT)
    model.expect(3, PROMPT)
    [prediction] = model.predict(3, [PROMPT])
    assert prediction.mask[1:4, 1:4].all() and prediction.mask.sum() == 9
    assert [name.startswith("MedSAMLite ahead") for name in backend.threads] == [True]
    assert (model.timings.encodes, model.timings.decodes) == (1, 1)


def test_other_slices_go_on_meanwhile(backend: Watched) -> None:
    model = slices(backend)
    model.predict(0, [PROMPT])
    backend.go.clear()
    model.expect(1, PROMPT)
    assert model.predict(0, [PROMPT])[0].mask.any(), "slice 0 is decoded while slice 1 is being encoded"
    backend.go.set()
    model.predict(1, [PROMPT])
    assert len(backend.threads) == 2


def test_a_slice_that_nobody_expected_waits_until_the_other_thread_has_encoded(backend: Watched) -> None:
    model, other = slices(backend), slices(backend)
    backend.go.clear()
    model.expect(1, PROMPT)
    asked = [threading.Thread(target=one.predict, args=(5, [PROMPT])) for one in (model, other)]
    for thread in asked:
        thread.start()
        thread.join(0.2)
    assert len(backend.threads) == 1, "one thread encodes at most, whatever the volume"
    backend.go.set()
    for thread in asked:
        thread.join(20)
    assert len(backend.threads) == 3


def test_what_is_known_or_cancelled_or_on_one_core_is_not_encoded_ahead(
    backend: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = slices(backend)
    model.predict(0, [PROMPT])
    model.expect(0, PROMPT)
    model.cancelled = lambda: True
    model.expect(1, PROMPT)
    model.cancelled = lambda: False
    monkeypatch.setattr(ahead, "usable_cores", lambda: 1)
    model.expect(2, PROMPT)
    model.predict(2, [PROMPT])
    assert backend.threads == [threading.current_thread().name] * 2


def test_an_error_is_raised_where_the_slice_is_asked_for(backend: Watched) -> None:
    model = slices(backend)
    backend.broken = True
    model.expect(1, PROMPT)
    with pytest.raises(InputError, match="cannot be encoded"):
        model.predict(1, [PROMPT])
    backend.broken = False
    assert model.predict(1, [PROMPT])[0].mask.any(), "it can be tried again"


def test_cancelling_is_heard_on_other_axes_too(backend: Watched) -> None:
    model = slices(backend)
    view = model.view("i")
    model.cancelled = lambda: True
    view.expect(0, PROMPT)
    with pytest.raises(Cancelled):
        view.predict(0, [PROMPT])
    assert not backend.threads


def test_cancelling_does_not_wait_and_gives_up_what_was_expected(backend: Watched) -> None:
    array = np.zeros((6, 8, 8), np.uint8)
    segmenter = VolumeSegmenter(backend, array, preset="none")
    backend.go.clear()
    for index in (4, 5):
        segmenter.model.expect(index, PROMPT)
        segmenter.model.view("i").expect(index, PROMPT)
    with pytest.raises(Cancelled):
        segmenter.segment([Target(VoxelBox(1, 1, 0, 3, 3, 5))], rule="track", cancelled=lambda: True)
    backend.go.set()
    segmenter.model.expect(0, PROMPT)
    assert segmenter.model.predict(0, [PROMPT])[0].mask.any()
    assert threading.current_thread().name not in backend.threads, "what was given up takes nobody's place"
    [segment] = segmenter.segment([Target(VoxelBox(1, 1, 0, 3, 3, 5))], rule="track")
    assert segment.voxels and segmenter.model.timings.encodes in (6, 7), "the one at work when cancelled is no loss"


class Together(Watched):
    """Works on two slices at once: an encode waits until another one has begun."""

    at_once = 2

    def __init__(self) -> None:
        super().__init__()
        self.meeting = threading.Barrier(2)

    def encode(self, image: np.ndarray) -> Embedding:
        self.meeting.wait(20)
        return super().encode(image)


def test_a_light_model_works_on_several_slices_at_once() -> None:
    backend = Together()
    model = slices(backend)
    for index in range(6):
        model.expect(index, PROMPT)
    assert all(model.predict(index, [PROMPT])[0].mask.sum() == 9 for index in range(4))
    spent = model.timings
    assert spent.encodes == spent.decodes == 4, "two are at work and two wait; no more is begun"
    assert spent.busy_s < spent.encode_s + spent.decode_s


def test_an_answer_to_another_prompt_is_not_taken_for_this_ones() -> None:
    backend = Together()
    model = slices(backend)
    for index in (0, 1):
        model.expect(index, PROMPT)
    other = Prompt((2.0, 2.0, 8.0, 8.0))
    assert model.predict(0, [other])[0].mask.sum() == 36
    assert model.predict(1, [Prompt(PROMPT.box, prior=np.ones((8, 8), bool))])[0].mask.sum() == 9
    assert model.timings.encodes == 2


class Several(Watched):
    """Decodes up to three slices in a call, and says how many it was given."""

    batch = 3

    def __init__(self, at_once: int = 1) -> None:
        super().__init__()
        self.at_once = at_once
        self.calls: list[int] = []

    def decode_many(self, asks: Sequence[tuple[Embedding, Prompt]]) -> list[Prediction]:
        self.calls.append(len(asks))
        return super().decode_many(asks)


def test_slices_that_are_expected_share_a_call(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ahead, "usable_cores", lambda: 1)
    backend = Several()
    model = slices(backend)
    boxes = [Prompt((0.0, 0.0, 2.0 + n, 3.0)) for n in range(5)]
    for index, prompt in enumerate(boxes):
        model.expect(index, prompt)
    assert not backend.threads, "on one core nothing begins before it is asked for"
    for index, prompt in enumerate(boxes):
        assert model.predict(index, [prompt])[0].mask.sum() == (2 + index) * 3
        assert backend.calls == [3, 2][: index // 3 + 1]
    assert (model.timings.encodes, model.timings.decodes) == (5, 5)


def test_a_slice_whose_encode_is_not_done_does_not_hold_up_the_others() -> None:
    several = Several()
    model = slices(several)
    for index in (0, 1):
        model.embedding(index)
    several.go.clear()
    for index in (0, 1, 2):
        model.expect(index, PROMPT)
    assert model.predict(0, [PROMPT])[0].mask.any() and several.calls == [2]
    several.go.set()
    assert model.predict(2, [PROMPT])[0].mask.any() and several.calls == [2, 1]


def test_threads_share_what_waits_in_calls_that_get_smaller() -> None:
    backend = Several(at_once=2)
    model = slices(backend)
    backend.go.clear()
    for index in range(6):
        model.expect(index, PROMPT)
    backend.go.set()
    assert all(model.predict(index, [PROMPT])[0].mask.sum() == 9 for index in range(6))
    assert sum(backend.calls) == 6 and max(backend.calls) <= 3
    assert model.timings.encodes == 6


@pytest.mark.parametrize("at_once", [1, 2])
def test_cancelling_takes_effect_between_the_slices_of_a_call(at_once: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ahead, "usable_cores", lambda: 1)
    backend = Several(at_once)
    model = slices(backend)
    model.cancelled = lambda: len(backend.threads) >= 2
    for index in range(6):
        model.expect(index, PROMPT)
    with pytest.raises(Cancelled):
        for index in range(6):
            model.predict(index, [PROMPT])
    assert len(backend.threads) <= 1 + at_once and sum(backend.calls) <= 1, "what was encoded is not decoded"


@pytest.mark.parametrize("at_once", [1, 2])
def test_an_error_of_one_slice_leaves_the_others_of_its_call_alone(
    at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ahead, "usable_cores", lambda: 1)
    model = slices(Several(at_once))
    picture = model.picture

    def broken(index: int) -> np.ndarray:
        if index == 1:
            raise InputError("This slice cannot be encoded.")
        return picture(index)

    monkeypatch.setattr(model, "picture", broken)
    for index in range(3):
        model.expect(index, PROMPT)
    assert model.predict(0, [PROMPT])[0].mask.any() and model.predict(2, [PROMPT])[0].mask.any()
    with pytest.raises(InputError, match="cannot be encoded"):
        model.predict(1, [PROMPT])


def test_only_a_model_of_short_graphs_shares_its_threads_among_slices(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folder_backend, "usable_cores", lambda: 3)
    folder = window_model(tmp_path / "tiny")
    assert [open_folder(folder, threads=threads).at_once for threads in (0, 1, 2)] == [3, 1, 2]
    monkeypatch.setattr(folder_backend, "_LIGHT_BYTES", 10)
    assert open_folder(folder, threads=2).at_once == 1
