"""Optimised graphs kept for the next start: the same numbers, made once, never damaged or foreign, never in the way."""

import dataclasses
import logging
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import BinaryIO

import handmade_checkpoint as hand
import numpy as np
import pytest
from medsam_backends.checkpoints import import_checkpoint, published_model
from medsam_backends.checkpoints.state_dict import expected_tensors
from medsam_backends.cli.main import main
from medsam_backends.errors import ModelError
from medsam_backends.folder_backend import open_folder
from medsam_backends.manifest import Manifest, read_manifest
from medsam_backends.processor import instruction_sets
from medsam_backends.runtimes import SessionOptions, get_runtime, onnx_runtime
from medsam_backends.runtimes.saved_graph import SavedGraph, saved_graph
from medsam_backends.types import Prompt
from medsam_backends.user_cache import cache_folder
from medsam_backends.user_key import make_room
from medsam_backends.weights_file import WeightsFile
from numpy.typing import NDArray
from test_onnx_file import adding, outside, write

SIZE_VARIABLE = "MEDSAMLITE_GRAPH_CACHE"
DIGEST = "d" * 64
posix = pytest.mark.skipif(os.name != "posix", reason="permissions are those of POSIX systems")
pytestmark = pytest.mark.skipif(not instruction_sets(), reason="numpy does not tell this processor's instruction sets")


@pytest.fixture
def graph(tmp_path: Path) -> Path:
    return write(tmp_path / "a.onnx", adding(outside("w", "nowhere")))


def kept() -> list[Path]:
    return sorted((cache_folder() / "graphs").glob("*.onnx"))


def added(graph: Path, weight: float, digest: str = DIGEST) -> float:
    """What the graph adds when it is opened with this weight."""
    options = SessionOptions(1, {"w": np.full((2, 3), weight, np.float32)}, digest)
    session = get_runtime("onnxruntime").load(graph, options)
    assert dict(session.inputs) == {"x": (2, 3)} and dict(session.outputs) == {"y": (2, 3)}
    return float(session.run({"x": np.zeros((2, 3), np.float32)})["y"][0, 0])


def place(content: bytes = b"graph", digest: str = DIGEST, runtime: str = "1") -> SavedGraph:
    found = saved_graph(content, digest, runtime)
    assert found is not None
    return found


def keep(target: SavedGraph, content: bytes) -> None:
    with target.making() as temporary:
        temporary.write_bytes(content)


@pytest.fixture(scope="module")
def litemedsam(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("published")
    state = hand.standin_state(expected_tensors(published_model("litemedsam").keys))
    return import_checkpoint("litemedsam", hand.checkpoint(folder / "lite.pth", state), folder / "litemedsam")


def answers(model: Path) -> list[NDArray[np.generic]]:
    backend = open_folder(model, threads=1)
    embedding = backend.encode(np.add.outer(np.arange(90), np.arange(70)).astype(np.uint8))
    [prediction] = backend.decode(embedding, [Prompt((5, 6, 40, 50))])
    return [embedding.arrays["features"], prediction.logits, np.float64(prediction.iou)]


def test_a_published_model_opens_from_what_was_kept_and_gives_equal_numbers(
    litemedsam: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv(SIZE_VARIABLE, "0")
    plain = answers(litemedsam)
    assert not kept(), "switched off"
    monkeypatch.delenv(SIZE_VARIABLE)
    made = answers(litemedsam)
    files = [(path.name, path.stat().st_ino) for path in kept()]
    assert len(files) == 2
    weights = litemedsam / "weights.npz"
    content = weights.read_bytes()
    try:
        weights.write_bytes(b"damaged since")
        again = answers(litemedsam)
        assert [(path.name, path.stat().st_ino) for path in kept()] == files, "used, not made again"
        monkeypatch.setenv(SIZE_VARIABLE, "0")
        with pytest.raises(ModelError, match=r"weights\.npz .*SHA-256 differs"):
            open_folder(litemedsam, threads=1)
    finally:
        weights.write_bytes(content)
    for results in (made, again):
        assert all(np.array_equal(a, b) for a, b in zip(plain, results, strict=True))
    assert not caplog.records


def test_models_check_sees_weights_that_were_damaged_since(
    litemedsam: Path, models_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = shutil.copytree(litemedsam, models_folder / "litemedsam")
    open_folder(folder, threads=1).close()
    with open(folder / "weights.npz", "r+b") as file:
        file.write(b"X")
    open_folder(folder, threads=1).close()
    assert main(["models", "check", "litemedsam"]) == 2
    told = capsys.readouterr().out
    assert "weights.npz" in told and "SHA-256 differs" in told


def test_a_graph_without_a_weights_file_is_not_kept(graph: Path) -> None:
    assert added(graph, 5, "") == 5
    assert not kept()


def test_other_weights_are_another_graph(graph: Path) -> None:
    assert [added(graph, 5), added(graph, 7), added(graph, 7, "e" * 64)] == [5, 5, 7]
    assert len(kept()) == 2


def test_the_name_tells_graph_weights_runtime_and_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    names = [place(), place(b"other"), place(digest="e" * 64), place(runtime="2")]
    module = "medsam_backends.runtimes.saved_graph"
    monkeypatch.setattr(f"{module}.instruction_sets", lambda: (*instruction_sets(), "FURTHER"))
    names.append(place())
    monkeypatch.setattr(f"{module}.processor_name", lambda: "another")
    names.append(place())
    assert len({found.name for found in names}) == 6
    monkeypatch.setattr("platform.platform", lambda **_: "the same system, updated")
    assert place() == SavedGraph(names[-1].folder, names[-1].name, names[-1].key, names[-1].max_bytes)
    monkeypatch.setattr(f"{module}.instruction_sets", tuple)
    assert saved_graph(b"graph", DIGEST, "1") is None, "what the processor can do is not known"


def _damage(path: Path, how: str) -> None:
    content = path.read_bytes()
    changed = {"flipped": content[:-1] + bytes([content[-1] ^ 1]), "truncated": content[:-9], "empty": b""}
    if how == "renamed":
        path.rename(path.with_name(path.name.replace(path.name[-10:-5], "00000")))
    elif how == "other key":
        (path.parent / "key").unlink()
    elif how == "another's":
        other = place(b"other")
        path.rename(path.with_name(path.name.replace(path.name.split("-")[0], other.name)))
        assert other.find() is None
    else:
        path.write_bytes(changed[how])


@pytest.mark.parametrize("how", ["flipped", "truncated", "empty", "renamed", "other key", "another's"])
def test_what_is_damaged_or_foreign_is_made_anew(graph: Path, caplog: pytest.LogCaptureFixture, how: str) -> None:
    added(graph, 5)
    [path] = kept()
    before = path.name
    _damage(path, how)
    assert added(graph, 7) == 7
    [path] = kept()
    assert "damaged or was not written by you" in caplog.text
    assert path.name != before, "the weight that it was made with is another"
    assert added(graph, 9) == 7


def test_what_is_signed_but_no_graph_is_made_anew(graph: Path, caplog: pytest.LogCaptureFixture) -> None:
    added(graph, 5)
    [path] = kept()
    target = SavedGraph(path.parent, path.name.split("-")[0], (path.parent / "key").read_bytes(), 1000)
    path.unlink()
    keep(target, b"no graph")
    assert [added(graph, 7), added(graph, 9)] == [7, 7]
    assert "made anew" in caplog.text and len(kept()) == 1


@posix
def test_what_another_process_deleted_meanwhile_is_not_called_damaged(
    graph: Path, caplog: pytest.LogCaptureFixture
) -> None:
    added(graph, 5)
    [path] = kept()
    path.unlink()
    path.symlink_to("deleted")  # it is listed, and cannot be read
    assert place().find() is None
    assert added(graph, 7) == 7
    assert not caplog.records
    [whole] = [found for found in kept() if found != path]
    make_room([path, whole], 1, 0)
    assert not whole.exists(), "room is made by what is there"


def test_a_graph_that_cannot_be_moved_to_its_place_is_opened_once(
    graph: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    added(graph, 5)
    [path] = kept()
    path.unlink()
    (path / "in the way").mkdir(parents=True)
    opened = []
    session = onnx_runtime.ort.InferenceSession
    monkeypatch.setattr(
        onnx_runtime.ort, "InferenceSession", lambda *args, **kwargs: opened.append(args) or session(*args, **kwargs)
    )
    assert added(graph, 5) == 5
    assert len(opened) == 1 and "was not kept in" in caplog.text


def test_a_graph_larger_than_all_the_room_is_not_written(graph: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SIZE_VARIABLE, "0.00002")  # 20 bytes, and the weight has 24
    folder = place().folder
    before = folder.stat().st_mtime_ns
    assert added(graph, 5) == 5
    assert folder.stat().st_mtime_ns == before


def test_it_is_bounded_and_the_longest_unused_goes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SIZE_VARIABLE, "0.001")
    places = [place(bytes([n])) for n in range(4)]
    for n, target in enumerate(places[:3]):
        keep(target, bytes(300))
        for path in kept():
            if path.name.startswith(target.name):
                os.utime(path, (n, n))
    assert places[0].find() is not None, "used now"
    keep(places[3], bytes(400))
    assert [target.find() is not None for target in places] == [True, False, True, True]
    keep(places[1], bytes(1001))
    assert [target.find() is not None for target in places] == [True, False, True, True], "larger than all the room"
    assert len(os.listdir(cache_folder() / "graphs")) == 4, "the key and three"


@pytest.mark.parametrize("value", ["many", "inf", "nan"])
def test_a_bound_that_is_no_number_is_said(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, value: str
) -> None:
    monkeypatch.setenv(SIZE_VARIABLE, value)
    assert place().max_bytes == 2_048_000_000
    assert SIZE_VARIABLE in caplog.text


def test_a_folder_that_cannot_be_made_is_not_in_the_way(
    graph: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setenv("MEDSAMLITE_CACHE", str(tmp_path / "file"))
    assert [added(graph, 5), added(graph, 7)] == [5, 7]
    assert "No optimised graphs are kept" in caplog.text


@posix
def test_a_full_disk_is_not_in_the_way(graph: Path) -> None:
    program = (
        "import sys, resource, logging; logging.basicConfig(stream=sys.stdout, format='%(message)s');"
        "sys.path.append(sys.argv[1]); from pathlib import Path; from test_saved_graph import added, kept;"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (40, 40));"  # the key fits, no graph does
        "print(added(Path(sys.argv[2]), 5), added(Path(sys.argv[2]), 7), kept())"
    )
    command = [sys.executable, "-c", program, str(Path(__file__).parent), str(graph)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.stdout.endswith("5.0 7.0 []\n") and done.stdout.count("was not kept in") == 2, done
    assert os.listdir(cache_folder() / "graphs") == ["key"]


def test_a_graph_replaced_while_it_is_opened_is_not_kept(graph: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = graph.read_bytes()

    def replaced(*args: str) -> SavedGraph | None:
        write(graph, adding(outside("w", "elsewhere")))
        assert graph.read_bytes() != content
        return saved_graph(*args)

    monkeypatch.setattr("medsam_backends.runtimes.onnx_runtime.saved_graph", replaced)
    assert added(graph, 5) == 5
    assert not kept()


def test_the_weights_that_were_checked_are_those_that_are_read(litemedsam: Path, tmp_path: Path) -> None:
    folder = tmp_path / "m"
    shutil.copytree(litemedsam, folder)
    manifest = read_manifest(folder)
    assert manifest.weights is not None
    expected = dict(WeightsFile(manifest))
    (other := tmp_path / "other.npz").write_bytes(manifest.weights.read_bytes()[:-100])

    class Replaced(Manifest):
        def check_digest(self, path: Path, file: BinaryIO | None = None) -> None:
            super().check_digest(path, file)
            os.replace(other, path)

    fields = {field.name: getattr(manifest, field.name) for field in dataclasses.fields(manifest)}
    got = dict(WeightsFile(Replaced(**fields)))
    assert not other.exists() and got.keys() == expected.keys()
    for name, array in expected.items():
        np.testing.assert_array_equal(got[name], array)


@posix
def test_a_folder_that_others_can_change_is_not_used(graph: Path, caplog: pytest.LogCaptureFixture) -> None:
    added(graph, 5)
    [path] = kept()
    assert path.stat().st_mode & 0o777 == 0o600 and path.parent.stat().st_mode & 0o777 == 0o700
    path.parent.chmod(0o777)
    assert added(graph, 7) == 7
    assert "can be changed by others" in caplog.text


def test_a_broken_graph_is_said_once_and_leaves_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    broken = adding(outside("w", "nowhere"))
    broken.node[0].op_type = "NoSuch"
    with caplog.at_level(logging.DEBUG), pytest.raises(ModelError, match="is not a model that ONNX Runtime"):
        added(write(tmp_path / "b.onnx", broken), 5)
    assert not caplog.records and os.listdir(cache_folder() / "graphs") == ["key"]


def test_processes_that_make_it_at_once_agree(litemedsam: Path) -> None:
    program = (
        "import sys, hashlib; sys.path.append(sys.argv[1]);"
        "from pathlib import Path; from test_saved_graph import answers;"
        "print(hashlib.sha256(b''.join(a.tobytes() for a in answers(Path(sys.argv[2])))).hexdigest())"
    )
    command = [sys.executable, "-c", program, str(Path(__file__).parent), str(litemedsam)]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    told = [process.communicate(timeout=300) for process in running]
    assert {output for output, _ in told} == {told[0][0]} and len(told[0][0]) == 65, told
    assert len({path.name.split("-")[0] for path in kept()}) == 2
    assert not [name for name in os.listdir(cache_folder() / "graphs") if name.startswith(".")]
