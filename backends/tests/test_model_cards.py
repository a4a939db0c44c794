"""Every bundled model has a card, and was trained only on data whose licence allows it."""

import csv
from pathlib import Path

import pytest
from medsam_backends.manifest import read_manifest
from medsam_backends.registry import bundled_folder

CARDS = Path(__file__).resolve().parents[2] / "docs" / "models"
PERMISSIVE = {"CC0", "CC BY", "CC BY 3.0", "CC BY 4.0", "CC BY-SA 4.0", "Apache-2.0", "BSD-3-Clause", "MIT"}
LARGEST = 4 * 10**6  # bytes; the Extensions Index limits a checkout with its history
FOLDERS = sorted(path.parent for path in bundled_folder().glob("*/model.json"))


def test_a_model_is_bundled():
    assert FOLDERS


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_a_bundled_model_is_small_permissive_and_described(folder):
    manifest = read_manifest(folder)
    manifest.check_digests()
    assert sum(path.stat().st_size for path in folder.iterdir()) <= LARGEST
    assert manifest.spec.licence == "Apache-2.0"
    card = (CARDS / f"{folder.name}.md").read_text("utf-8")
    assert "training-data.csv" in card
    assert manifest.encoder.sha256[:12] in card, "the card speaks of another encoder than the bundled one"


def test_training_data_may_train_what_is_shipped():
    with (CARDS / "training-data.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert rows
    assert {row["licence"] for row in rows} <= PERMISSIVE
