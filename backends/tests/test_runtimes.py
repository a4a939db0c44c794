"""Runtimes: the same answers from each that is installed, weights given to each, and the choice of the fastest."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
import tiny_models
from medsam_backends import fastest_runtime
from medsam_backends.errors import ModelError
from medsam_backends.folder_backend import open_folder
from medsam_backends.onnx_file import external_tensors, with_weights
from medsam_backends.registry import DEFAULT_MODEL, bundled_folder
from medsam_backends.runtimes import SessionOptions, available_runtimes, check_runtime, get_runtime
from medsam_backends.types import Prompt
from medsam_backends.user_cache import cache_folder, read_json, write_json
from onnx import numpy_helper
from test_onnx_file import adding, outside, write

INSTALLED = [name for name, reason in available_runtimes().items() if not reason and not name.endswith("-reduced")]
BOX = Prompt((4.0, 4.0, 20.0, 20.0))
PICTURE = np.full((tiny_models.SIDE, tiny_models.SIDE), 200, np.uint8)
needs_two = pytest.mark.skipif(len(INSTALLED) < 2, reason="OpenVINO is not installed")


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MEDSAMLITE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.mark.parametrize("runtime", INSTALLED)
@pytest.mark.parametrize("make", [tiny_models.sam_model, tiny_models.window_model])
def test_every_runtime_gives_the_known_mask(tmp_path: Path, runtime: str, make) -> None:  # type: ignore[no-untyped-def]
    model = open_folder(make(tmp_path / "m"), runtime, threads=1)
    [prediction] = model.decode(model.encode(PICTURE), [BOX])
    expected = np.zeros(PICTURE.shape, bool)
    expected[4:20, 4:20] = True
    np.testing.assert_array_equal(prediction.mask, expected)
    assert prediction.iou == pytest.approx(tiny_models.IOU)


@pytest.mark.parametrize("runtime", INSTALLED)
def test_weights_are_given_by_name(tmp_path: Path, runtime: str) -> None:
    path = write(tmp_path / "a.onnx", adding(outside("w", "nowhere")))
    session = get_runtime(runtime).load(path, SessionOptions(1, {"w": np.full((2, 3), 5)}))
    assert dict(session.inputs) == {"x": (2, 3)} and dict(session.outputs) == {"y": (2, 3)}
    for value in (1, 2):
        got = session.run({"x": np.full((2, 3), value, np.float32)})["y"]
        assert got.tolist() == [[5 + value] * 3] * 2
    first = session.run({"x": np.zeros((2, 3), np.float32)})["y"]
    session.run({"x": np.ones((2, 3), np.float32)})
    assert (first == 5).all(), "a result is not changed by the next run"


@pytest.mark.parametrize("runtime", INSTALLED)
def test_a_broken_graph_is_a_sentence_by_every_runtime(tmp_path: Path, runtime: str) -> None:
    graph = adding(numpy_helper.from_array(np.zeros((2, 3), np.float32), "w"))
    graph.node[0].op_type = "NoSuch"
    with pytest.raises(ModelError, match="is not a model that"):
        get_runtime(runtime).load(write(tmp_path / "a.onnx", graph), SessionOptions(1))


def test_weights_written_into_a_graph_are_those_of_the_onnx_package() -> None:
    model = tiny_models.model(adding(outside("w", "nowhere")))
    weights = np.arange(6, dtype=np.float32).reshape(2, 3)
    filled = onnx.load_from_string(with_weights(model.SerializeToString(), {"w": weights}))
    onnx.checker.check_model(filled)
    np.testing.assert_array_equal(numpy_helper.to_array(filled.graph.initializer[0]), weights)
    assert external_tensors(filled.SerializeToString()) == []
    assert filled.graph.node == model.graph.node and filled.opset_import == model.opset_import


def test_a_missing_runtime_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "openvino" else found(name))
    reasons = available_runtimes()
    assert reasons["onnxruntime"] == "" and "pip install openvino" in reasons["openvino"]
    for name in ("magic", "", "AUTO"):
        with pytest.raises(ModelError, match="choose one of onnxruntime, openvino"):
            check_runtime(name)


@needs_two
def test_the_fastest_is_measured_once_and_remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, measured = tiny_models.sam_model(tmp_path / "m"), []
    real = fastest_runtime._seconds
    monkeypatch.setattr(fastest_runtime, "_seconds", lambda backend: measured.append(1) or real(backend))
    for count in (12, 12):
        model = open_folder(folder, "auto", threads=1)
        assert model.decode(model.encode(PICTURE), [BOX])[0].mask.any() and len(measured) <= count
    remembered = read_json("runtimes")
    assert len(measured) >= 4 and len(remembered) == 1
    [(key, chosen)] = remembered.items()
    assert chosen in INSTALLED and all(name in key for name in INSTALLED)
    open_folder(folder, "auto", threads=2)
    assert len(read_json("runtimes")) == 2, "another number of threads is another question"


@needs_two
@pytest.mark.parametrize("content", ["", "{", "[]", "null", '{"a": 3}', "\xff"])
def test_a_damaged_memory_is_the_same_as_none(tmp_path: Path, cache: Path, content: str) -> None:
    cache.mkdir()
    (cache / "runtimes.json").write_bytes(content.encode("latin-1"))
    open_folder(tiny_models.sam_model(tmp_path / "m"), "auto", threads=1)
    assert set(json.loads((cache / "runtimes.json").read_text("utf-8")).values()) & set(INSTALLED)


def test_one_runtime_needs_no_choice(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fastest_runtime, "available_runtimes", lambda: {"onnxruntime": "", "openvino": "missing"})
    open_folder(tiny_models.sam_model(tmp_path / "m"), "auto", threads=1)
    assert not cache.exists()


def test_where_nothing_can_be_kept_nothing_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("MEDSAMLITE_CACHE", str(tmp_path / "file" / "cache"))
    write_json("runtimes", {"a": 1})
    assert read_json("runtimes") == {}
    for variable in ("MEDSAMLITE_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(variable, raising=False)
    assert "MedSAMLite" in cache_folder().parts


def test_a_cache_in_the_home_folder_is_written_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEDSAMLITE_CACHE", "~/cached slices")
    assert cache_folder() == Path.home() / "cached slices"


_MODELS_END_AND_CTRL_C = """
import faulthandler, gc, signal, sys
from medsam_backends.folder_backend import open_folder

faulthandler.enable()  # gives signals a stack of their own
signal.signal(signal.SIGINT, signal.default_int_handler)
models = [open_folder(sys.argv[1], "openvino", threads=1) for _ in range(3)]
while models:
    del models[0]
    gc.collect()
try:
    signal.raise_signal(signal.SIGINT)
except KeyboardInterrupt:
    print("interrupted")
"""


@needs_two
def test_ctrl_c_after_models_have_ended_harms_nothing(tmp_path: Path) -> None:
    folder = tiny_models.sam_model(tmp_path / "m")
    done = subprocess.run(
        [sys.executable, "-c", _MODELS_END_AND_CTRL_C, str(folder)], capture_output=True, encoding="utf-8", timeout=120
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "interrupted\n", "")


_LOAD_IN_TWO_THREADS = """
import locale, sys
from medsam_backends.folder_backend import open_folder
locale.setlocale(locale.LC_ALL, "C.UTF-8")
for _ in range(20):
    open_folder(sys.argv[1], "openvino")
print(locale.setlocale(locale.LC_ALL, None))
"""


@needs_two
@pytest.mark.skipif(sys.platform != "linux", reason="other systems name their locales otherwise")
def test_loading_leaves_the_locale_alone(tmp_path: Path) -> None:
    folder = bundled_folder() / DEFAULT_MODEL
    done = subprocess.run(
        [sys.executable, "-c", _LOAD_IN_TWO_THREADS, str(folder)], capture_output=True, encoding="utf-8", timeout=120
    )
    assert (done.returncode, done.stdout.strip()) == (0, "C.UTF-8"), done.stderr


_IN_FLOAT32_THEN_SHORTER = """
import sys
import numpy as np
from medsam_backends.folder_backend import open_folder
from medsam_backends.types import Prompt
picture = np.random.default_rng(0).integers(0, 256, (256, 256), dtype=np.uint8)
for runtime in ("openvino", "openvino-reduced", "openvino"):
    model = open_folder(sys.argv[1], runtime, threads=1)
    print(model.decode(model.encode(picture), [Prompt((50.0, 60.0, 190.0, 200.0))])[0].iou)
"""


@needs_two
def test_what_was_compiled_for_float32_is_not_run_in_shorter_numbers(cache: Path) -> None:
    """OpenVINO keeps both under one name: large models ended the process."""
    if reason := available_runtimes()["openvino-reduced"]:
        pytest.skip(reason)
    folder = bundled_folder() / DEFAULT_MODEL
    done = subprocess.run(
        [sys.executable, "-c", _IN_FLOAT32_THEN_SHORTER, str(folder)],
        capture_output=True,
        encoding="utf-8",
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    first, shorter, again = (float(line) for line in done.stdout.split())
    assert first == again and 0 < abs(first - shorter) < 0.1
    folders = [path for path in (cache / "openvino").iterdir() if list(path.glob("*.blob"))]
    assert len(folders) == 2, "one for each kind of numbers"
