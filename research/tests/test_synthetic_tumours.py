"""Synthetic tumours and PET: uptake, noise that grows with activity, what may be named, dead cores that belong."""

from __future__ import annotations

import numpy as np
import pytest
from medsam_research.synthesis.lesions import make_pet_body, make_sarcoma
from medsam_research.synthesis.pet import UPTAKE, hidden_labels, pet_picture
from medsam_research.synthesis.phantom import Phantom, scanned
from medsam_research.synthesis.scanner import TISSUES, Scanner
from medsam_research.synthesis.tumours import lay_lung_tumour, lay_mass, lay_sarcoma, lump, place_in


def _block(modality: str = "PET", seed: int = 0) -> Phantom:
    rng = np.random.default_rng(seed)
    phantom = Phantom(rng, Scanner(rng, modality), (120, 120, 120))
    phantom.fill("muscle")
    return phantom


def test_every_tissue_has_an_uptake_and_brain_burns_most_sugar() -> None:
    scanner = Scanner(np.random.default_rng(0), "PET")
    tones = {tissue: np.median([scanner.tone(tissue) for _ in range(9)]) for tissue in TISSUES}
    assert min(tones.values()) > 0
    assert set(UPTAKE) <= set(TISSUES)
    order = ("air", "fat", "muscle", "liver", "grey matter")
    assert [tones[tissue] for tissue in order] == sorted(tones[tissue] for tissue in order)


def test_pet_noise_grows_with_activity() -> None:
    values = np.full((24, 60, 60), 0.3, np.float32)
    values[:, :, 30:] = 6.0
    shown = [pet_picture(np.random.default_rng(seed), values, (4, 4, 4)).astype(float) for seed in range(6)]
    halves = ([volume[6:-6, 8:-8, half] for volume in shown] for half in (np.s_[4:22], np.s_[38:56]))
    cold, hot = (np.median([half.std() for half in one]) for one in halves)
    assert hot > 1.5 * cold
    assert all(volume[:, :, 40:].mean() > volume[:, :, :20].mean() + 60 for volume in shown)


def test_pet_blurs_an_edge_over_millimetres() -> None:
    values = np.full((24, 30, 60), 0.3, np.float32)
    values[:, :, 30:] = 6.0
    profile = pet_picture(np.random.default_rng(0), values, (1, 1, 1)).astype(float).mean((0, 1))
    rise = np.flatnonzero((profile > profile[10] + 0.12 * 200) & (profile < profile[50] - 0.12 * 200))
    assert 3 <= len(rise) <= 10


def test_what_cannot_be_seen_is_found() -> None:
    grey, labels = np.full((20, 40, 40), 90, np.uint8), np.zeros((20, 40, 40), np.uint8)
    labels[5:12, 5:12, 5:12], labels[5:12, 25:32, 25:32] = 1, 3
    grey[labels == 3] = 130
    assert hidden_labels(grey, labels) == [1]


def test_pet_names_hardly_anything_that_it_does_not_show() -> None:
    named = hidden = 0
    for seed in range(4):
        voxels, labels, _, modality = scanned(make_pet_body(np.random.default_rng(seed)))
        assert modality == "PET"
        named += len(np.unique(labels)) - 1
        hidden += len(hidden_labels(voxels, labels))
    assert named >= 4
    assert hidden <= 0.2 * named


@pytest.mark.parametrize("seed", range(6))
def test_a_mass_is_one_object_with_its_dead_core(seed: int) -> None:
    phantom = _block("CT", seed)
    mass = lump(phantom, (0, 0, 0), 25)
    everywhere = np.ones(phantom.shape, bool)
    label = lay_mass(phantom, mass, everywhere, "tumour", 25)
    assert np.array_equal(phantom.labels == label, mass.mask())
    volume = np.count_nonzero(mass.mask()) * float(np.prod(phantom.spacing))
    assert 0.3 < volume / (4 / 3 * np.pi * 25**3) < 3


def test_a_hot_sarcoma_stays_in_the_flesh_and_stands_out() -> None:
    brighter = 0
    for seed in range(6):
        phantom = _block("PET", seed)
        flesh = np.broadcast_to(phantom.at[2] < 10, phantom.shape)
        label = lay_sarcoma(phantom, flesh, (0, 0, 0), 22)
        assert label
        assert not (phantom.labels[~flesh] == label).any()
        brighter += phantom.values[phantom.labels == label].mean() > 1.3 * np.median(phantom.values[~flesh])
    assert brighter >= 4


def test_a_place_lies_in_its_organ_or_nowhere() -> None:
    phantom = _block()
    organ = phantom.mould().ball((10, -5, 5), 15).mask()
    spot = place_in(phantom, organ)
    assert spot is not None
    assert np.linalg.norm(spot - (10, -5, 5)) < 16
    assert place_in(phantom, np.zeros(phantom.shape, bool)) is None


def test_a_lung_tumour_lies_in_the_lung_and_is_denser() -> None:
    found = 0
    for seed in range(5):
        phantom = _block("CT", seed)
        lung = phantom.mould().ball((0, 0, 0), 50).mask()
        phantom.lay(lung, "lung", named=False)
        label = lay_lung_tumour(phantom, lung, 1, 14)
        tumour = phantom.labels == label
        found += label > 0
        assert np.count_nonzero(tumour & lung) >= 0.5 * np.count_nonzero(tumour)
        assert np.median(phantom.values[tumour]) > np.median(phantom.values[lung & ~tumour]) + 300
    assert found == 5


def test_a_piece_of_body_is_filled_by_its_tumour_to_a_part() -> None:
    shares = []
    for seed in range(6):
        phantom = make_sarcoma(np.random.default_rng(seed))
        sizes = np.bincount(phantom.labels.ravel())[1:]
        shares.append(sizes.max() / phantom.labels.size)
    assert 0.02 < np.median(shares) < 0.6
