"""External data of ONNX files: found wherever it hides, and never followed out of the model's folder."""

from pathlib import Path

import numpy as np
import onnx
import pytest
import tiny_models
from hypothesis import given
from hypothesis import strategies as st
from medsam_backends.errors import ModelError
from medsam_backends.onnx_file import _as_varint, _field, external_tensors
from medsam_backends.runtimes import SessionOptions, available_runtimes, get_runtime
from onnx import TensorProto, helper, numpy_helper


def outside(name: str, path: str, shape: tuple[int, ...] = (2, 3)) -> onnx.TensorProto:
    """A tensor whose data lies in the file `path`."""
    tensor = onnx.TensorProto(name=name, data_type=TensorProto.FLOAT, dims=shape)
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value=path)
    tensor.external_data.add(key="length", value=str(4 * int(np.prod(shape))))
    return tensor


def adding(weights: onnx.TensorProto) -> onnx.GraphProto:
    """y = x + weights"""
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, [2, 3])]
    outputs = [helper.make_tensor_value_info("y", TensorProto.FLOAT, [2, 3])]
    node = helper.make_node("Add", ["x", weights.name], ["y"])
    return helper.make_graph([node], "adding", inputs, outputs, [weights])


def write(path: Path, graph: onnx.GraphProto) -> Path:
    path.write_bytes(tiny_models.model(graph).SerializeToString())
    return path


def load(path: Path, **weights: np.ndarray):
    return get_runtime("onnxruntime").load(path, SessionOptions(1, weights))


def _in_a_node() -> onnx.GraphProto:
    node = helper.make_node("Constant", [], ["y"], value=outside("c", "a.bin"))
    return helper.make_graph([node], "g", [], [])


def _in_a_branch() -> onnx.GraphProto:
    node = helper.make_node(
        "If", ["x"], ["y"], then_branch=_in_a_node(), else_branch=helper.make_graph([], "e", [], [])
    )
    return helper.make_graph([node], "g", [], [])


def _sparse() -> onnx.GraphProto:
    indices = numpy_helper.from_array(np.zeros((2, 3), np.int64), "indices")
    sparse = onnx.SparseTensorProto(values=outside("c", "a.bin"), indices=indices, dims=[9])
    return helper.make_graph([], "g", [], [], sparse_initializer=[sparse])


def _sparse_in_a_node() -> onnx.GraphProto:
    node = helper.make_node("Constant", [], ["y"])
    sparse = onnx.SparseTensorProto(values=outside("c", "a.bin"), dims=[9])
    node.attribute.append(onnx.AttributeProto(name="sparse_value", type=11, sparse_tensor=sparse))
    return helper.make_graph([node], "g", [], [])


@pytest.mark.parametrize(
    "graph", [adding(outside("c", "a.bin")), _in_a_node(), _in_a_branch(), _sparse(), _sparse_in_a_node()]
)
def test_data_outside_the_file_is_found_wherever_it_hides(graph: onnx.GraphProto) -> None:
    [tensor] = external_tensors(tiny_models.model(graph).SerializeToString())
    assert (tensor.name, tensor.shape, tensor.path, tensor.data_type) == ("c", (2, 3), "a.bin", TensorProto.FLOAT)


def test_data_in_a_function_of_the_model_is_found() -> None:
    model = tiny_models.model(adding(numpy_helper.from_array(np.zeros((2, 3), np.float32), "w")))
    function = onnx.FunctionProto(name="f", domain="d")
    function.node.append(helper.make_node("Constant", [], ["y"], value=outside("c", "a.bin")))
    function.attribute_proto.append(helper.make_attribute("default", outside("d", "b.bin")))
    model.functions.append(function)
    assert [tensor.name for tensor in external_tensors(model.SerializeToString())] == ["c", "d"]


def disguised(place: str, tag: int, location: int) -> bytes:
    """y = x + w + s: `w` lies in ``a.bin``, `s` in `place`, which is told in a number wider than protobuf keeps."""
    tensor = outside("s", place)
    tensor.ClearField("data_location")
    model = tiny_models.model(adding(outside("w", "a.bin")))
    model.graph.node[0].output[0] = "sum"
    model.graph.node.append(helper.make_node("Add", ["sum", "s"], ["y"]))
    graph = model.graph.SerializeToString() + _field(
        5, tensor.SerializeToString() + _as_varint(14 << 3 | tag) + _as_varint(location)
    )
    model.ClearField("graph")
    return model.SerializeToString() + _field(7, graph)


DISGUISES = {"none": (0, 1), "a wide location": (0, (1 << 32) + 1), "a wide field number": (1 << 32, 1)}


@pytest.mark.parametrize("disguise", DISGUISES)
def test_numbers_that_protobuf_cuts_hide_no_tensor(tmp_path: Path, disguise: str) -> None:
    np.full(6, 42, np.float32).tofile(tmp_path / "secret.bin")
    (tmp_path / "model").mkdir()
    np.zeros(6, np.float32).tofile(tmp_path / "model" / "a.bin")
    path = tmp_path / "model" / "m.onnx"
    path.write_bytes(disguised("../secret.bin", *DISGUISES[disguise]))
    with pytest.raises(ModelError, match=r"s in '../secret.bin', outside the model's folder|not a whole ONNX model"):
        load(path)


def test_a_tensor_with_a_place_and_no_word_of_being_elsewhere_counts() -> None:
    tensor = outside("c", "a.bin")
    tensor.ClearField("data_location")
    assert [t.path for t in external_tensors(tiny_models.model(adding(tensor)).SerializeToString())] == ["a.bin"]


def test_a_given_weight_shields_no_other_tensor_of_its_name(tmp_path: Path) -> None:
    model = tiny_models.model(adding(outside("w", "nowhere.bin")))
    model.graph.node.append(helper.make_node("Constant", [], ["z"], value=outside("w", "../secret.bin")))
    (tmp_path / "m.onnx").write_bytes(model.SerializeToString())
    with pytest.raises(ModelError, match="outside the model's folder: the model is refused"):
        load(tmp_path / "m.onnx", w=np.zeros((2, 3), np.float32))


def test_a_place_that_no_file_can_have_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="damaged"):
        load(write(tmp_path / "m.onnx", adding(outside("w", "a\0.bin"))))


def test_a_model_with_its_data_inside_has_none_outside() -> None:
    assert external_tensors(tiny_models.model(tiny_models.sam_decoder()).SerializeToString()) == []


@given(st.binary(max_size=200))
def test_bytes_that_are_no_model_are_refused_or_hold_nothing(data: bytes) -> None:
    try:
        external_tensors(data)
    except ModelError as error:
        assert "install the model again" in str(error)


def test_a_model_cut_off_anywhere_raises_nothing_but_our_error() -> None:
    data = tiny_models.model(adding(outside("c", "a.bin"))).SerializeToString()
    for length in range(len(data)):
        try:
            external_tensors(data[:length])
        except ModelError as error:
            assert "damaged" in str(error)


def test_data_beside_the_file_is_used(tmp_path: Path) -> None:
    (tmp_path / "a.bin").write_bytes(np.arange(6, dtype=np.float32).tobytes())
    session = load(write(tmp_path / "m.onnx", adding(outside("w", "a.bin"))))
    got = session.run({"x": np.ones((2, 3), np.float32)})["y"]
    np.testing.assert_array_equal(got, np.arange(6).reshape(2, 3) + 1)


def test_given_weights_take_the_place_of_files(tmp_path: Path) -> None:
    path = write(tmp_path / "m.onnx", adding(outside("w", "nowhere.bin")))
    session = load(path, w=np.full((2, 3), 5, np.float16))
    np.testing.assert_array_equal(session.run({"x": np.ones((2, 3), np.float32)})["y"], np.full((2, 3), 6))
    with pytest.raises(ModelError, match=r"w has shape \(3, 2\), but m.onnx needs \(2, 3\)"):
        load(path, w=np.zeros((3, 2), np.float32))


@pytest.mark.parametrize("place", ["../a.bin", "{outside}/a.bin", "link.bin", "sub/../../a.bin", ""])
def test_data_outside_the_folder_is_refused(tmp_path: Path, place: str) -> None:
    (tmp_path / "a.bin").write_bytes(bytes(24))
    folder = tmp_path / "model"
    (folder / "sub").mkdir(parents=True)
    (folder / "link.bin").symlink_to(tmp_path / "a.bin")
    path = write(folder / "m.onnx", adding(outside("w", place.format(outside=tmp_path))))
    with pytest.raises(ModelError, match="outside the model's folder: the model is refused"):
        load(path)


def test_data_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"m.onnx lacks its data file a.bin"):
        load(write(tmp_path / "m.onnx", adding(outside("w", "a.bin"))))


@pytest.mark.parametrize("content", [b"", b"\x00" * 40, b"no model at all", None])
def test_a_file_that_is_no_model_is_refused(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "m.onnx").write_bytes(content)
    with pytest.raises(ModelError):
        load(tmp_path / "m.onnx")


def test_a_graph_with_an_unknown_operator_is_refused(tmp_path: Path) -> None:
    graph = adding(numpy_helper.from_array(np.zeros((2, 3), np.float32), "w"))
    graph.node[0].op_type = "NoSuchOperator"
    with pytest.raises(ModelError, match="is not a model that ONNX Runtime can load"):
        load(write(tmp_path / "m.onnx", graph))


def test_runtimes_are_known_by_name() -> None:
    assert available_runtimes()["onnxruntime"] == ""
    with pytest.raises(ModelError, match="There is no runtime 'abacus': choose one of onnxruntime"):
        get_runtime("abacus")
