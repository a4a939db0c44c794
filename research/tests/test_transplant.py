"""Objects moved from one picture into another: labels, surroundings and reproducibility."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from medsam_research.data.packed import Item, Pack, write_pack
from medsam_research.data.pictures import PictureSource
from medsam_research.data.transplant import kind_of, transplant
from medsam_research.training.config import from_arguments
from medsam_research.training.feed import stream_config

SIDE = 128


def _picture(name: str, ground: int, object_grey: int, centre: tuple[int, int], radius: int, *, colour: bool) -> Item:
    """A disc on plain ground with a black frame 10 pixels wide."""
    rows, cols = np.indices((SIDE, SIDE))
    disc = np.hypot(rows - centre[0], cols - centre[1]) < radius
    grey = np.where(disc, object_grey, ground).astype(np.uint8)
    grey[:10] = grey[-10:] = grey[:, :10] = grey[:, -10:] = 0
    pixels = np.stack([grey, grey // 2, grey // 3], 2) if colour else grey
    return Item(name, "skin-b", "Dermoscopy", name, pixels, disc.astype(np.uint8))


def _pair(*, colour: bool = True, ground: int = 120) -> tuple[Item, Item]:
    donor = _picture("donor", 100, 200, (60, 70), 14, colour=colour)
    return donor, _picture("host", ground, 40, (40, 40), 15, colour=colour)


def _made(donor: Item, host: Item, count: int = 30) -> list[Item]:
    made = [transplant(np.random.default_rng(seed), donor, host) for seed in range(count)]
    return [item for item in made if item is not None]


@pytest.mark.parametrize("colour", [True, False])
def test_the_guest_gets_a_new_label_and_the_host_keeps_its_own(colour: bool) -> None:
    donor, host = _pair(colour=colour)
    made = _made(donor, host)
    assert len(made) > 15
    for item in made:
        assert item.pixels.shape == host.pixels.shape and item.pixels.dtype == np.uint8
        assert np.array_equal(item.labels == 1, host.labels == 1)
        assert np.array_equal(item.pixels[host.labels == 1], host.pixels[host.labels == 1])
        assert np.count_nonzero(item.labels == 2) > 60
        assert not (host.pixels.reshape(SIDE, SIDE, -1).max(2)[item.labels == 2] == 0).mean() > 0.3


def test_the_guest_is_seen_where_its_label_lies() -> None:
    donor, host = _pair(colour=False)
    for item in _made(donor, host):
        inside = (item.labels == 2) & (host.pixels > 0)
        rim = (item.pixels > 150) & (item.labels != 2)
        assert item.pixels[inside].mean() > 160
        assert np.count_nonzero(rim) < 0.2 * np.count_nonzero(inside)


def test_the_seam_cannot_be_seen() -> None:
    donor, host = _pair(colour=False, ground=130)
    for item in _made(donor, host):
        around = (item.labels == 0) & (item.pixels > 20)
        steps = np.abs(np.diff(item.pixels.astype(int), axis=1))[around[:, 1:] & around[:, :-1]]
        assert np.percentile(steps, 97) <= 12


def test_the_black_frame_stays_black_and_the_caller_keeps_its_arrays() -> None:
    donor, host = _pair()
    before = host.pixels.copy(), host.labels.copy()
    for item in _made(donor, host):
        assert item.pixels[:5].max() <= 2
        assert not item.labels[:5].any()
    assert np.array_equal(before[0], host.pixels) and np.array_equal(before[1], host.labels)


def test_places_of_quite_another_brightness_are_refused() -> None:
    donor, _ = _pair()
    assert not _made(donor, _picture("bright", 250, 100, (40, 40), 10, colour=True))


def test_grey_and_colour_do_not_mix_and_labels_do_not_overflow() -> None:
    donor, host = _pair()
    grey, _ = _pair(colour=False)
    full = Item(host.name, host.dataset, host.modality, host.group, host.pixels, host.labels * np.uint8(255))
    assert not _made(grey, host)
    assert not _made(donor, full)


def test_an_object_that_the_edge_cuts_is_no_donor() -> None:
    _, host = _pair()
    assert not _made(_picture("cut", 100, 200, (2, 60), 14, colour=True), host)


def test_a_source_transplants_as_often_as_asked(tmp_path: Path) -> None:
    donor, host = _pair()
    write_pack(tmp_path / "pack", [donor, host])
    items, weights = [(Pack(tmp_path / "pack"), i) for i in range(2)], np.ones(2)

    def colours(share: float) -> list[int]:
        source, rng = PictureSource(items, weights, share), np.random.default_rng(0)
        return [len({t.mask.tobytes() for t in source.scene(rng, 6).targets}) for _ in range(30)]

    assert max(colours(0.0)) == 1
    assert np.mean(np.array(colours(1.0)) > 1) > 0.3


def test_parts_of_one_collection_are_of_a_kind() -> None:
    assert kind_of("ISIC2017") == kind_of("ISIC2017-b") != kind_of("HC18")


def test_a_run_hands_the_share_to_its_training_stream_only() -> None:
    config, _ = from_arguments(["--output", "run", "--transplant", "0.4"])
    assert stream_config(config).transplant == 0.4
    assert stream_config(config, "val").transplant == 0.0
