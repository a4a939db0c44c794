"""Embeddings between runs: the same as were kept, bounded, and never one that somebody else wrote or damaged."""

import logging
import os
import stat
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import tiny_models
from cases import BRICK_BOX, brick, process, save
from medsam_backends.disk_store import DiskStore
from medsam_backends.folder_backend import open_folder
from medsam_backends.segmenter import Target, VolumeSegmenter
from medsam_backends.types import Embedding
from medsam_backends.user_key import user_key
from test_segmenter import LOOSE
from test_segmenter import brick as volume

PICTURE = np.arange(64, dtype=np.uint8).reshape(8, 8)
posix = pytest.mark.skipif(os.name != "posix", reason="permissions are those of POSIX systems")


def embedding(seed: int = 0, count: int = 100) -> Embedding:
    numbers = np.random.default_rng(seed).standard_normal((2, count)).astype(np.float32)
    return Embedding("m@1", (8, 9), {"features": numbers, "half": numbers.astype(np.float16), "picture": PICTURE})


def entries(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.embedding"))


def test_what_was_kept_comes_back_in_another_run(tmp_path: Path) -> None:
    store = DiskStore(10_000, tmp_path)
    name = store.name(PICTURE, "m@1")
    assert store.get(name) is None
    store.put(name, embedding())
    found = DiskStore(10_000, tmp_path).get(name)
    assert found is not None and (found.model, found.size) == ("m@1", (8, 9))
    for key, array in embedding().arrays.items():
        np.testing.assert_array_equal(found.arrays[key], array)
        assert found.arrays[key].dtype == array.dtype and not found.arrays[key].flags.writeable


def test_the_name_is_the_content(tmp_path: Path) -> None:
    store = DiskStore(10_000, tmp_path)
    other = PICTURE.copy()
    other[0, 0] = 9
    asked = [(PICTURE, "a"), (PICTURE, "b"), (other, "a"), (PICTURE.astype(np.float32), "a"), (PICTURE.ravel(), "a")]
    assert len({store.name(picture, model) for picture, model in asked}) == len(asked)
    assert store.name(np.asfortranarray(PICTURE), "a") == store.name(PICTURE, "a")


def test_it_is_bounded_and_the_longest_unused_goes_first(tmp_path: Path) -> None:
    store = DiskStore(4_500, tmp_path)
    names = [store.name(PICTURE + n, "m") for n in range(5)]
    for n, name in enumerate(names[:3]):
        store.put(name, embedding(n))
        os.utime(tmp_path / f"{name}.embedding", (n, n))
    assert store.get(names[0]) is not None, "used now"
    store.put(names[3], embedding(3))
    assert sum(path.stat().st_size for path in entries(tmp_path)) <= 4_500
    assert [store.get(name) is not None for name in names] == [True, False, True, True, False]
    store.put(names[4], embedding(4, 5_000))
    assert store.get(names[4]) is None, "larger than all the room"


def _damage(path: Path, how: str) -> None:
    data = path.read_bytes()
    changed = {
        "flipped": data[:-1] + bytes([data[-1] ^ 1]),
        "header": data[:60] + b"X" + data[61:],
        "truncated": data[:-40],
        "empty": b"",
        "pickle": b"\x80\x04cos\nsystem\n(S'true'\ntR.",
        "longer": data + b"\0",
    }
    path.write_bytes(changed[how])


@pytest.mark.parametrize("how", ["flipped", "header", "truncated", "empty", "pickle", "longer"])
def test_a_damaged_entry_is_said_and_not_used(tmp_path: Path, how: str, caplog: pytest.LogCaptureFixture) -> None:
    store = DiskStore(10_000, tmp_path)
    store.put("a", embedding())
    _damage(tmp_path / "a.embedding", how)
    with caplog.at_level(logging.WARNING):
        assert store.get("a") is None
    assert "damaged or was not written by you" in caplog.text and not entries(tmp_path)


def test_an_entry_of_another_user_or_under_another_name_is_not_used(tmp_path: Path) -> None:
    mine, theirs = DiskStore(10_000, tmp_path / "mine"), DiskStore(10_000, tmp_path / "theirs")
    theirs.put("a", embedding())
    (tmp_path / "mine" / "a.embedding").write_bytes((tmp_path / "theirs" / "a.embedding").read_bytes())
    assert mine.get("a") is None
    mine.put("a", embedding())
    (tmp_path / "mine" / "b.embedding").write_bytes((tmp_path / "mine" / "a.embedding").read_bytes())
    assert mine.get("b") is None and mine.get("a") is not None


@posix
def test_the_key_is_the_users_alone(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    store = DiskStore(10_000, tmp_path)
    store.put("a", embedding())
    for path in tmp_path.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    (tmp_path / "key").chmod(0o644)
    with caplog.at_level(logging.WARNING):
        again = DiskStore(10_000, tmp_path)
    assert "is replaced" in caplog.text and stat.S_IMODE((tmp_path / "key").stat().st_mode) == 0o600
    assert again.get("a") is None, "what an open key signed is not trusted"


def test_keys_made_at_once_are_one(tmp_path: Path) -> None:
    barrier = threading.Barrier(8)

    def make(number: int) -> set[bytes]:
        keys = set()
        for attempt in range(20):
            barrier.wait()
            keys.add(user_key(tmp_path / f"{attempt}" / "key")[:8] + bytes([attempt]))
        return keys

    with ThreadPoolExecutor(8) as threads:
        made = set().union(*threads.map(make, range(8)))
    assert len(made) == 20
    assert sorted(path.name for path in tmp_path.glob("*/*")) == ["key"] * 20


@pytest.mark.parametrize("kind", ["float64", "int32", "bool", ">f4"])
@pytest.mark.parametrize("shape", [(2, 3), ()])
def test_numbers_of_any_real_type_and_shape_come_back(tmp_path: Path, kind: str, shape: tuple[int, ...]) -> None:
    numbers = np.array(np.arange(np.prod(shape)).reshape(shape), kind, order="F")
    store = DiskStore(10_000, tmp_path)
    store.put("a", Embedding("m", (1, 1), {"x": numbers}))
    found = store.get("a")
    assert found is not None and found.arrays["x"].dtype == kind and found.arrays["x"].shape == numbers.shape
    np.testing.assert_array_equal(found.arrays["x"], numbers)


@pytest.mark.parametrize("kind", ["complex128", "object", "U5"])
def test_arrays_of_other_kinds_are_not_kept_and_that_is_said(
    kind: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = DiskStore(10_000, tmp_path)
    with caplog.at_level(logging.WARNING):
        store.put("a", Embedding("m", (1, 1), {"x": np.zeros(1, kind)}))
    assert "was not kept: m makes arrays" in caplog.text and store.get("a") is None


def test_a_full_disk_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    store = DiskStore(10_000, tmp_path)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    store.put("a", embedding())
    assert "No space left" in caplog.text and store.get("a") is None
    assert [path.name for path in tmp_path.iterdir()] == ["key"], "no temporary file is left"


@pytest.mark.parametrize(("rule", "kinds"), [("litemedsam", 1), ("views", 4)])
def test_a_volume_segmented_again_is_not_encoded_again(tmp_path: Path, rule: str, kinds: int) -> None:
    model = open_folder(tiny_models.sam_model(tmp_path / "m"), threads=1)
    encodes, masks = [], []
    for _ in range(2):
        segmenter = VolumeSegmenter(model, volume(), store=DiskStore(1 << 20, tmp_path / "store"))
        [segment] = segmenter.segment([Target(LOOSE)], rule=rule)
        encodes.append(segmenter.model.timings.encodes)
        masks.append(segment.full((32, 32, 32)))
    np.testing.assert_array_equal(*masks)
    assert encodes[1] == 0 and kinds <= encodes[0] <= 2 * kinds, "many slices are alike; two are encoded at a time"


def test_the_command_keeps_and_uses_it(tmp_path: Path, tiny: str) -> None:
    save(brick(), tmp_path / "ct.nii.gz")
    given = ["segment", "ct.nii.gz", "--model", tiny, "--box", *BRICK_BOX, "--output", "o.nrrd", "--force"]
    cache = tmp_path / "cache"
    for _ in range(2):
        done = process(*given, "--disk-cache", "1", cwd=tmp_path, MEDSAMLITE_CACHE=str(cache))
        assert done.returncode == 0, done.stderr
    assert entries(cache / "embeddings")
    (tmp_path / "file").write_text("in the way")
    done = process(*given, "--disk-cache", "1", cwd=tmp_path, MEDSAMLITE_CACHE=str(tmp_path / "file"))
    assert done.returncode == 2 and "leave --disk-cache out" in done.stderr


def test_threads_that_keep_embeddings_at_once_stay_within_the_bound(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = DiskStore(10_000, tmp_path)
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda n: store.put(f"{n:064x}", embedding(n)), range(200)))
    assert not caplog.records and sum(path.stat().st_size for path in entries(tmp_path)) <= 10_000
