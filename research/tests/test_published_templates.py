"""The shipped weight-free graphs are what the export makes, and filled they compute what the modules compute."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from medsam_backends.checkpoints import import_checkpoint
from medsam_backends.checkpoints.fill import graph_template
from medsam_backends.runtimes import SessionOptions, get_runtime
from medsam_research.published.system import SYSTEMS, PublishedSystem, build
from medsam_research.templates import export
from medsam_research.templates.weightless import weightless


def scattered(system: str) -> PublishedSystem:
    """A module whose weights differ from each other and keep its values tame."""
    module, generator = build(system), torch.Generator().manual_seed(3)
    for name, value in module.state_dict().items():
        if name.endswith("running_var"):
            value.copy_(torch.rand(value.shape, generator=generator) + 0.5)
        elif value.is_floating_point() and value.dim() > 1:
            fan = value[0].numel()
            value.copy_((torch.rand(value.shape, generator=generator) * 2 - 1) * (3 / fan) ** 0.5)
    return module


@pytest.mark.parametrize("system", SYSTEMS)
def test_the_shipped_files_are_those_of_the_export(system: str, tmp_path: Path) -> None:
    for path in export.write(system, tmp_path):
        shipped = export.DATA / path.relative_to(tmp_path)
        assert shipped.stat().st_size < 50_000
        made, kept = (gzip.decompress(file.read_bytes()) for file in (path, shipped))
        if path.name.endswith(".onnx.gz"):
            graph = onnx.load_from_string(kept)
            if graph.producer_version != torch.__version__.split("+")[0]:
                pytest.skip(f"the shipped graphs were exported by PyTorch {graph.producer_version}")
        assert made == kept


@pytest.mark.parametrize("system", SYSTEMS)
@torch.inference_mode()
def test_a_checkpoint_saved_by_pytorch_imports_and_computes_the_same(system: str, tmp_path: Path) -> None:
    module = scattered(system)
    torch.save(module.state_dict(), tmp_path / "a.pth")
    folder = import_checkpoint(system, tmp_path / "a.pth", tmp_path / system)
    with np.load(folder / "weights.npz") as archive:
        options = SessionOptions(1, {name: archive[name] for name in archive.files})
    side = module.prompt_encoder.input_size
    image = torch.rand(1, 3, side, side, generator=torch.Generator().manual_seed(4))
    boxes = torch.tensor([[10.0, 20.0, 90.0, 110.0], [0.0, 0.0, 200.0, 30.0], [5.5, 6.5, 7.5, 8.5]])
    features = module.encode(image)
    logits, iou = module.decode(features, boxes)
    encoder, decoder = (get_runtime().load(folder / f"{part}.onnx", options) for part in ("encoder", "decoder"))
    near(encoder.run({"image": image.numpy()})["features"], features)
    got = decoder.run({"features": features.numpy(), "boxes": boxes.numpy()})
    near(got["logits"], logits)
    near(got["iou"], iou)
    near(decoder.run({"features": features.numpy(), "boxes": boxes[1:2].numpy()})["logits"], logits[1:2])


def near(got: np.ndarray, expected: torch.Tensor) -> None:
    assert got.shape == tuple(expected.shape)
    assert np.abs(got - expected.numpy()).max() <= 1e-4 * max(1.0, float(expected.std()))


@pytest.mark.parametrize("system", SYSTEMS)
def test_a_shipped_graph_is_small_and_of_an_old_enough_version(system: str) -> None:
    for part in ("encoder", "decoder"):
        model = onnx.load_from_string(graph_template(f"{system}.{part}"))
        assert [entry.version for entry in model.opset_import if entry.domain == ""] == [20]
        assert model.ir_version <= 10
        assert all(not tensor.raw_data and not tensor.float_data for tensor in model.graph.initializer)


def test_a_weight_that_hides_in_a_constant_is_noticed() -> None:
    value = onnx.numpy_helper.from_array(np.zeros(5000, np.float32))
    node = onnx.helper.make_node("Constant", [], ["y"], value=value)
    output = onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [5000])
    model = onnx.helper.make_model(onnx.helper.make_graph([node], "g", [], [output]))
    with pytest.raises(ValueError, match="holds weights"):
        weightless(model, [])
