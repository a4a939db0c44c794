"""The shipped weight-free graphs are what the export makes, and filled they compute what the modules compute."""

from __future__ import annotations

import gzip
from collections import Counter
from functools import partial
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
        elif "mixer" in name and name.endswith("bn.weight"):
            value.fill_(0.5)  # or RepViT's shortcuts would double its values at every block
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


def as_published(system: str, state: dict[str, torch.Tensor]) -> object:
    """What the authors' training programs save round a state dict."""
    if system == "daft":
        return {"model": {f"module.{name}": value for name, value in state.items()}, "epoch": 9}
    if not system.startswith("medficientsam"):
        return state
    optimiser = torch.optim.AdamW([torch.nn.Parameter(torch.ones(3))], lr=1e-4)
    return {
        "epoch": 9,
        "pytorch-lightning_version": "2.1.3",
        "state_dict": {f"model.{name}": value for name, value in state.items()},
        "optimizer_states": [optimiser.state_dict()],
        "lr_schedulers": [torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, 10).state_dict()],
        "hyper_parameters": {
            "optimizer": partial(torch.optim.AdamW, lr=1e-4),
            "scheduler": partial(torch.optim.lr_scheduler.CosineAnnealingLR, T_max=10),
        },
    }


@pytest.mark.parametrize("system", SYSTEMS)
@torch.no_grad()
def test_a_checkpoint_saved_by_pytorch_imports_and_computes_the_same(system: str, tmp_path: Path) -> None:
    module = scattered(system)
    torch.save(as_published(system, module.state_dict()), tmp_path / "a.pth")
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
        slow = {"Resize", "Erf", "Tanh"}
        assert not slow & {node.op_type for node in model.graph.node}


@pytest.mark.parametrize("system", SYSTEMS)
def test_every_norm_has_the_eps_of_its_authors(system: str) -> None:
    """A wrong one in the decoder changes masks by a pixel or none, so that the graphs themselves are looked at."""
    efficientvit = system == "daft" or system.startswith("medficientsam")
    encoder, decoder = norms(system, "encoder"), norms(system, "decoder")
    assert {eps for kind, eps in encoder if kind == "BatchNormalization"} == {1e-6 if efficientvit else 1e-5}
    tokens = {1e-6: 10} if efficientvit else {1e-5: 9, 1e-6: 1}
    assert decoder == {("LayerNormalization", eps): count for eps, count in tokens.items()}
    pictures = {"litemedsam": {1e-5: 20, 1e-6: 2}, "rep-medsam": {1e-6: 2}}.get(system, {1e-6: 1})
    assert {eps: count for (kind, eps), count in encoder.items() if kind == "LayerNormalization"} == pictures


def norms(system: str, part: str) -> Counter[tuple[str, float]]:
    """How many norms of each kind and eps a shipped graph has."""
    nodes = onnx.load_from_string(graph_template(f"{system}.{part}")).graph.node
    found = [node for node in nodes if node.op_type in ("BatchNormalization", "LayerNormalization")]
    eps = [next((entry.f for entry in node.attribute if entry.name == "epsilon"), 1e-5) for node in found]
    return Counter((node.op_type, float(f"{value:.3g}")) for node, value in zip(found, eps, strict=True))


def test_a_weight_that_hides_in_a_constant_is_noticed() -> None:
    value = onnx.numpy_helper.from_array(np.zeros(5000, np.float32))
    node = onnx.helper.make_node("Constant", [], ["y"], value=value)
    output = onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [5000])
    model = onnx.helper.make_model(onnx.helper.make_graph([node], "g", [], [output]))
    with pytest.raises(ValueError, match="holds weights"):
        weightless(model, [])
