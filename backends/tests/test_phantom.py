"""The phantom is the same every time and is what it says; the demonstration segments it."""

import json
from pathlib import Path

import numpy as np
import pytest
import tiny_models
from cases import brick, save
from medsam_backends import phantom as phantoms
from medsam_backends import registry
from medsam_backends.cli.main import main
from medsam_backends.phantom import LABELS, Phantom, make_phantom

SMALL = {"size_ijk": (128, 90, 40), "spacing_mm": (2.7, 2.7, 4.8)}


@pytest.fixture(scope="module")
def phantom() -> Phantom:
    return make_phantom(**SMALL)


def test_it_is_the_same_every_time(phantom: Phantom) -> None:
    again = make_phantom(**SMALL)
    np.testing.assert_array_equal(again.volume.array, phantom.volume.array)
    np.testing.assert_array_equal(again.labels, phantom.labels)
    assert (make_phantom(**SMALL, seed=8).volume.array != phantom.volume.array).any()


def test_it_is_an_oblique_anisotropic_ct(phantom: Phantom) -> None:
    volume = phantom.volume
    assert volume.array.dtype == np.int16 and volume.size_ijk == (128, 90, 40) and volume.modality == "CT"
    np.testing.assert_allclose(volume.direction @ volume.direction.T, np.eye(3), atol=1e-12)
    assert abs(volume.direction[2, 2]) < 0.999 and volume.spacing_mm[2] > volume.spacing_mm[0]
    assert not volume.array.flags.writeable and not phantom.labels.flags.writeable


@pytest.mark.parametrize(
    ("name", "low", "high", "ml"),
    [
        ("right lung", -900, -700, 250),
        ("left lung", -900, -700, 250),
        ("liver", 90, 115, 600),
        ("lesion", 50, 75, 15),
        ("spleen", 105, 135, 90),
        ("right kidney", 120, 180, 50),
        ("left kidney", 120, 180, 50),
        ("spine", 180, 260, 150),
        ("aorta", 170, 215, 40),
    ],
)
def test_organs_have_the_density_and_size_of_organs(
    phantom: Phantom, name: str, low: float, high: float, ml: float
) -> None:
    truth = phantom.truth(name)
    assert low < phantom.volume.array[truth].mean() < high
    assert ml < truth.sum() * phantom.volume.voxel_ml < 6 * ml
    assert phantom.volume.array[truth].std() > 10, "noise and texture"


def test_the_lesion_lies_inside_the_liver(phantom: Phantom) -> None:
    lesion, liver = phantom.truth("lesion"), phantom.truth("liver")
    assert (liver & lesion).sum() == lesion.sum() < liver.sum()
    i0, j0, k0, i1, j1, k1 = phantom.box("lesion", slack=1)
    grown = np.zeros_like(liver)
    grown[k0 : k1 + 1, j0 : j1 + 1, i0 : i1 + 1] = True
    assert not (lesion & ~grown).any()


def test_edges_are_shared_between_tissues(phantom: Phantom) -> None:
    between = (phantom.volume.array > -700) & (phantom.volume.array < -250)
    assert between.sum() > 1000, "partial volume between skin and air, and round the lungs"


def test_every_label_is_there_and_boxes_stay_inside(phantom: Phantom) -> None:
    assert set(np.unique(phantom.labels)) == {0, *LABELS.values()}
    assert phantom.box("body", slack=500) == (0, 0, 0, 127, 89, 39)


@pytest.fixture
def bundled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tiny_models.sam_model(tmp_path / "bundled" / "tiny", edit=lambda raw: raw.update(rule="track"))
    monkeypatch.setattr(registry, "bundled_folder", lambda: tmp_path / "bundled")


def test_the_demonstration_segments_three_organs(
    tmp_path: Path, bundled: None, phantom: Phantom, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(phantoms, "make_phantom", lambda: phantom)
    assert main(["demo", "--output", str(tmp_path / "o")]) == 0
    assert {path.name for path in (tmp_path / "o").iterdir()} == {"segmentation.seg.nrrd", "preview.png", "report.json"}
    report = json.loads((tmp_path / "o" / "report.json").read_text())
    assert {entry["name"] for entry in report["segments"]} == {"liver", "left kidney", "lesion"}
    dice = {entry["name"]: entry["dice"] for entry in report["segments"]}
    assert dice["left kidney"] > 0.5
    assert all(0 <= value <= 1 for value in dice.values())
    assert capsys.readouterr().out.count("Dice") == 3
    assert main(["demo", "--output", str(tmp_path / "o")]) == 0, "again, over the former files"


def test_the_demonstration_takes_a_file_of_ones_own(tmp_path: Path, bundled: None) -> None:
    image = save(brick(), tmp_path / "a.nrrd")
    assert (
        main(["demo", "--output", str(tmp_path / "o"), "--image", str(image), "--box", "8", "6", "4", "19", "24", "12"])
        == 0
    )
    assert "dice" not in json.loads((tmp_path / "o" / "report.json").read_text())["segments"][0]


def test_the_demonstration_says_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(registry, "bundled_folder", lambda: None)
    (tmp_path / "file").write_text("")
    box = ["--box", "1", "1", "1", "2", "2", "2"]
    for arguments, sentence in (
        ([], "No model is bundled here"),
        (["--image", "a.nrrd"], "An image and its boxes belong together"),
        (box, "An image and its boxes belong together"),
        (["--output", str(tmp_path / "file" / "o")], "cannot be made"),
    ):
        given = arguments if "--output" in arguments else ["--output", str(tmp_path / "o"), *arguments]
        assert main(["demo", *given]) == 2
        assert sentence in capsys.readouterr().err
