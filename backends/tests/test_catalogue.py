"""The catalogue of published models keeps its schema, and what it says agrees with the lists of tensors."""

from __future__ import annotations

import json
import math
from importlib import resources
from typing import Any

import jsonschema
import pytest
from medsam_backends.checkpoints import catalogue, importable, published_model
from medsam_backends.checkpoints.state_dict import expected_tensors
from medsam_backends.errors import ModelError
from medsam_backends.manifest import schema
from medsam_backends.schema import violations

BUFFERS = ("running_mean", "running_var", "num_batches_tracked", "positional_encoding_gaussian_matrix")


def data(name: str) -> Any:
    return json.loads(resources.files("medsam_backends").joinpath(f"data/{name}").read_text("utf-8"))


def test_it_keeps_its_schema() -> None:
    rules, models = data("models.schema.json"), data("models.json")
    jsonschema.Draft202012Validator.check_schema(rules)
    jsonschema.validate(models, rules, cls=jsonschema.Draft202012Validator)
    assert list(violations(models, rules)) == []
    assert len(catalogue()) == len(models["models"]), "an id is used twice"


def test_the_promised_systems_are_there() -> None:
    promised = {"litemedsam", "medficientsam-l0", "medficientsam-l1", "medficientsam-l2", "daft", "rep-medsam"}
    assert set(importable()) == promised
    assert {name for name, model in catalogue().items() if model.installable} == {"litemedsam", "rep-medsam"}


@pytest.mark.parametrize("system", importable())
def test_an_imported_folder_would_be_valid(system: str) -> None:
    model = published_model(system)
    file = {"file": "x.onnx", "sha256": "0" * 64}
    description = {"schema_version": 1, "id": system, "encoder": file, "decoder": file, **model.manifest}
    jsonschema.validate(description, schema(), cls=jsonschema.Draft202012Validator)
    assert model.manifest["input"]["size"] == model.input_size
    assert model.manifest["licence"] == model.licence


@pytest.mark.parametrize("system", importable())
def test_the_parameters_are_those_of_the_state_dict(system: str) -> None:
    model = published_model(system)
    shapes = {name: shape for name, (_, shape) in expected_tensors(model.keys).items() if not name.endswith(BUFFERS)}
    assert model.parameters == sum(math.prod(shape) for shape in shapes.values())


def test_nothing_is_fetched_that_cannot_be_told_from_another_file() -> None:
    for model in catalogue().values():
        for file in model.files:
            assert not file.url or file.sha256 or file.git_blob
            assert file.url.startswith("https://") or not file.url


def test_what_cannot_be_imported_says_why() -> None:
    for name in set(catalogue()) - set(importable()):
        with pytest.raises(ModelError, match="Not imported here"):
            published_model(name)
    with pytest.raises(ModelError, match="choose one of litemedsam"):
        published_model("nothing")
