"""The published propagation rules equal their authors' programs in every voxel and every prompt."""

import json
from pathlib import Path

import numpy as np
import pytest
from medsam_backends.errors import PromptError
from medsam_backends.propagation import RULES, Request, get_rule
from medsam_backends.propagation.published import PUBLISHED
from medsam_backends.types import Prompt
from toy_volumes import DIGESTS, ToyModel, digest, run, volumes

REFERENCE = Path(__file__).parents[3] / "shared" / "published-models" / "propagation.reference.npz"
NAMES = {
    "litemedsam": "litemedsam",
    "rep-medsam": "rep_medsam",
    "rep-cpp": "rep_cpp_third_party",
    "medficientsam": "medficientsam_torch",
    "medficientsam-onnx": "medficientsam_onnx",
    "medficientsam-cpp": "medficientsam_cpp",
    "daft": "daft_python",
    "daft-cpp": "daft_cpp",
    "slicer-classic": "slicer_classic",
    "slicer-daft": "slicer_daft",
    "slicer-medficient": "slicer_medficient",
}
TOYS = volumes()
REFUSED_BY_AUTHORS = {("one_slice", "litemedsam"), ("one_slice", "rep-medsam"), ("one_slice", "daft")}


@pytest.mark.parametrize("volume", TOYS)
@pytest.mark.parametrize("rule", NAMES)
def test_every_voxel_and_prompt_equals_the_authors_program(volume: str, rule: str) -> None:
    if not REFERENCE.exists():
        pytest.skip("needs the shared reference of the published rules, which a clone does not have")
    with np.load(REFERENCE) as reference:
        toy = reference[f"{volume}.volume"], [tuple(box) for box in reference[f"{volume}.boxes"].tolist()]
        labels, asked = run(rule, toy)
        key = f"{volume}.{NAMES[rule]}"
        if (volume, rule) in REFUSED_BY_AUTHORS:
            assert f"{key}.labels" not in reference
            assert [index for index, _ in asked] == [3]
            return
        assert np.array_equal(labels, reference[f"{key}.labels"])
        expected = reference[f"{key}.prompt_boxes"]
        np.testing.assert_allclose(np.reshape([box for _, box in asked], (-1, 4)), expected, rtol=0, atol=1e-6)
        if f"{key}.prompt_z" in reference:
            assert [index for index, _ in asked] == reference[f"{key}.prompt_z"].tolist()


@pytest.mark.parametrize("volume", TOYS)
def test_labels_and_prompts_are_those_once_compared_with_the_authors(volume: str) -> None:
    known = json.loads(DIGESTS.read_text(encoding="utf-8"))[volume]
    assert {rule: digest(rule, TOYS[volume]) for rule in PUBLISHED} == known


def test_the_objects_number_decides_which_border_pixels_survive() -> None:
    volume, boxes = TOYS["many"]
    rule = PUBLISHED["litemedsam"]
    x0, y0, first, x1, y1, last = boxes[0]
    edges = (float(x0), float(y0), x1 + 1.0, y1 + 1.0)
    asked = []
    for label in (1, 2):
        model = ToyModel(volume, rule)
        list(rule(Request(edges, first, last, label=label), model))
        asked.append(model.asked)
    assert asked[0] != asked[1]


def test_a_prompt_of_the_user_replaces_the_rules_own_on_its_slice() -> None:
    volume, [box] = TOYS["ball"]
    rule = PUBLISHED["litemedsam"]
    key = Prompt((84.0, 68.0, 100.0, 90.0), frame="network")
    request = Request((21.0, 17.0, 48.0, 44.0), box[2], box[5], keys={10: key})
    model = ToyModel(volume, rule)
    assert sorted(result.index for result in rule(request, model)) == list(range(3, 14))
    assert dict(model.asked)[10] == key.box


def test_a_model_of_another_frame_is_asked_in_pixels_of_the_image() -> None:
    volume, [box] = TOYS["ball"]
    rule = PUBLISHED["medficientsam"]
    asked: list[Prompt] = []

    class Other(ToyModel):
        def _segment(self, index: int, prompt: Prompt):  # type: ignore[no-untyped-def]
            asked.append(prompt)
            x0, y0, x1, y1 = prompt.box
            return super()._segment(index, Prompt((x0 * 4, y0 * 4, (x1 - 1) * 4, (y1 - 1) * 4), frame="network"))

    labels = np.zeros(volume.shape, np.uint8)
    for result in rule(Request((21.0, 17.0, 48.0, 44.0), box[2], box[5]), Other(volume, PUBLISHED["litemedsam"])):
        labels[result.index][result.mask] = 1
    assert {prompt.frame for prompt in asked} == {"image"}
    assert asked[0].box == (21.0, 17.0, 48.0, 44.0)
    assert np.array_equal(labels, run("medficientsam", TOYS["ball"])[0])


def test_an_empty_mask_is_noted() -> None:
    volume, [box] = TOYS["gap"]
    rule = PUBLISHED["litemedsam"]
    results = list(rule(Request((19.0, 20.0, 42.0, 41.0), box[2], box[5]), ToyModel(volume, rule)))
    assert [result.index for result in results if result.note == "empty mask"] == [8, 9, 7]


def test_rules_are_found_by_name() -> None:
    assert get_rule("litemedsam") is RULES["litemedsam"]
    assert set(NAMES) == set(PUBLISHED) <= set(RULES)
    with pytest.raises(PromptError, match="no propagation rule 'x': choose one of track"):
        get_rule("x")
