"""Model folders: what is read, what is refused, and that our small schema reader agrees with the standard one."""

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import tiny_models
from hypothesis import given
from hypothesis import strategies as st
from medsam_backends.errors import ModelError
from medsam_backends.folder_backend import open_folder
from medsam_backends.manifest import read_manifest, schema
from medsam_backends.schema import violations


def test_a_sound_folder_is_read(tmp_path: Path) -> None:
    manifest = read_manifest(tiny_models.sam_model(tmp_path / "m"))
    assert (manifest.spec.id, manifest.spec.licence, manifest.spec.rule) == ("tiny", "CC0-1.0", "litemedsam")
    assert manifest.spec.box_side == manifest.spec.input_size == tiny_models.SIDE
    assert manifest.spec.prompts == {"box"} and manifest.decoder.kind == "sam"
    manifest.check_digests()


@pytest.mark.parametrize(
    "edit",
    [
        lambda raw: raw["encoder"].update(sha256="0" * 64),
        lambda raw: raw["decoder"].update(sha256="0" * 64),
        lambda raw: raw["decoder"].update(names={"boxes": "b"}),
        lambda raw: raw["input"].update(resize="square"),
        lambda raw: raw["input"].update(channels="adjacent"),
        lambda raw: raw["input"]["normalisation"].update(kind="minmax"),
        lambda raw: raw.update(box={"corners": "edges", "rounding": "none", "unit": "pixel"}),
        lambda raw: raw.update(output={"upsample": "torch_linear", "threshold": 0.5}),
        lambda raw: raw.update(window={"grid": 16, "scale": 1.5}),
        lambda raw: raw.update(rule="track"),
        lambda raw: raw.update(prompts=["box", "prior"]),
    ],
)
def test_the_digest_changes_with_whatever_a_result_depends_on(
    tmp_path: Path, edit: Callable[[dict[str, Any]], None]
) -> None:
    folder = tiny_models.sam_model(tmp_path / "m")
    before = read_manifest(folder).spec.digest
    tiny_models.write_manifest(folder, edit=edit)
    assert read_manifest(folder).spec.digest != before


def test_what_the_fusion_network_sees_counts_in_the_digest(tmp_path: Path) -> None:
    folder = tiny_models.add_fusion(tiny_models.window_model(tmp_path / "m"))
    before = read_manifest(folder).spec.digest
    tiny_models.write_manifest(folder, edit=lambda raw: raw["cube"].update(scale=1.5))
    assert read_manifest(folder).spec.digest != before


def test_the_digest_keeps_when_only_words_change_or_their_order(tmp_path: Path) -> None:
    folder = tiny_models.sam_model(tmp_path / "m")
    before = read_manifest(folder).spec.digest
    words = {"name": "Other", "licence": "MIT", "citation": "c", "source": "s", "limits": ["Slow."], "family": "f"}
    tiny_models.write_manifest(folder, edit=lambda raw: raw.update(words))
    raw = json.loads((folder / "model.json").read_text())
    (folder / "model.json").write_text(json.dumps(dict(reversed(raw.items())), indent=4))
    assert read_manifest(folder).spec.digest == before


@pytest.mark.parametrize(
    ("edit", "sentence"),
    [
        (lambda raw: raw.update(schema_version=2), "of version 2.*update MedSAMLite"),
        (lambda raw: raw.pop("licence"), "the file lacks licence"),
        (lambda raw: raw.update(id="Not An Id"), "id is 'Not An Id'"),
        (lambda raw: raw.update(colour="red"), "colour is not known"),
        (lambda raw: raw["input"].update(resize="crop"), "input.resize is 'crop', not one of"),
        (lambda raw: raw["input"].update(size="large"), "input.size is not of type integer"),
        (lambda raw: raw["input"].update(size=0), "input.size is 0, less than 1"),
        (lambda raw: raw.update(prompts=["smell"]), r"prompts\[0\] is 'smell'"),
        (lambda raw: raw["encoder"].update(file="../encoder.onnx"), "outside its folder: it is refused"),
        (lambda raw: raw["encoder"].update(file="/etc/hostname"), "outside its folder: it is refused"),
        (lambda raw: raw["decoder"].update(file="other.onnx"), "lacks its file other.onnx"),
        (lambda raw: raw["decoder"].update(kind="window"), "needs the object window"),
    ],
)
def test_a_wrong_description_is_one_sentence(
    tmp_path: Path, edit: Callable[[dict[str, Any]], None], sentence: str
) -> None:
    folder = tiny_models.sam_model(tmp_path / "m", edit=edit)
    with pytest.raises(ModelError, match=sentence):
        read_manifest(folder)


@pytest.mark.parametrize("text", ["", "{", "[]", "3", "null", "\x00"])
def test_what_is_no_description_is_refused(tmp_path: Path, text: str) -> None:
    folder = tiny_models.sam_model(tmp_path / "m")
    (folder / "model.json").write_text(text)
    with pytest.raises(ModelError, match="model.json"):
        read_manifest(folder)


def test_a_description_that_is_no_text_is_refused(tmp_path: Path) -> None:
    folder = tiny_models.sam_model(tmp_path / "m")
    (folder / "model.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ModelError, match="cannot be read as JSON"):
        read_manifest(folder)


def test_a_folder_without_a_description_is_refused(tmp_path: Path) -> None:
    folder = tiny_models.sam_model(tmp_path / "m")
    for wrong in (tmp_path, folder / "model.json"):
        with pytest.raises(ModelError, match="is not a model folder: it has no model.json"):
            read_manifest(wrong)


def test_a_file_that_was_changed_is_refused(tmp_path: Path) -> None:
    folder = tiny_models.sam_model(tmp_path / "m")
    with open(folder / "decoder.onnx", "ab") as file:
        file.write(b"\0")
    with pytest.raises(ModelError, match="decoder.onnx of the model tiny is not the file its manifest describes"):
        open_folder(folder)


@st.composite
def _mutated(draw: st.DrawFn) -> Any:
    """A sound description with one to three random changes."""
    raw = copy.deepcopy(_SOUND)
    for _ in range(draw(st.integers(1, 3))):
        target = raw
        while True:
            key = draw(st.sampled_from(sorted(target)))
            if not (isinstance(target[key], dict) and target[key] and draw(st.booleans())):
                break
            target = target[key]
        change = draw(st.sampled_from(("delete", "replace", "rename", "wrap")))
        if change == "replace":
            target[key] = draw(_VALUES)
        elif change == "wrap":
            target[key] = [target[key]]
        else:
            value = target.pop(key)
            if change == "rename":
                target[f"{key}x"] = value
        if not raw:
            break
    return raw


_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-2, 300)
    | st.floats(-2, 2)
    | st.sampled_from(("", "a", "linear", "box", "0" * 64)),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(st.sampled_from(("file", "sha256", "kind", "x")), inner, max_size=2)
    ),
    max_leaves=4,
)
_SOUND: dict[str, Any] = {
    "schema_version": 1,
    "id": "m",
    "name": "M",
    "version": "1",
    "licence": "MIT",
    "modalities": ["CT"],
    "prompts": ["box", "prior"],
    "limits": ["none known"],
    "encoder": {"file": "encoder.onnx", "sha256": "a" * 64, "names": {"image": "x"}},
    "decoder": {"file": "decoder.onnx", "sha256": "b" * 64, "kind": "window"},
    "weights": {"file": "weights.npz", "sha256": "c" * 64},
    "input": {
        "size": 256,
        "resize": "square",
        "interpolation": "area",
        "channels": "grey",
        "normalisation": {"kind": "mean_std", "mean": [1, 2.5, 3], "std": [1, 1, 1]},
    },
    "box": {"corners": "edges", "rounding": "none", "unit": "fraction"},
    "output": {"upsample": "linear", "via": 256, "threshold": 0.5},
    "window": {"grid": 64, "scale": 1.5},
}


def test_the_published_schema_is_a_sound_one() -> None:
    jsonschema.Draft202012Validator.check_schema(schema())
    assert list(violations(_SOUND, schema())) == []


@given(_mutated())
def test_our_reader_and_the_standard_one_agree_on_every_description(raw: Any) -> None:
    ours = not list(violations(raw, schema()))
    assert ours == jsonschema.Draft202012Validator(schema()).is_valid(raw), json.dumps(raw)
