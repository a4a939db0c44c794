"""The stream of training batches, on small archives, volumes and shards made here; never on measured data."""

from __future__ import annotations

import builtins
import io
import itertools
import zipfile
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from medsam_backends.window import sample
from medsam_research.data.archives import open_archives
from medsam_research.data.boxes import draw, scaled_like_ellipsoid
from medsam_research.data.clicks import corrective, paint
from medsam_research.data.config import SOURCES, StreamConfig
from medsam_research.data.packed import Item, write_pack
from medsam_research.data.patients import HELD_OUT_VOLUMES, is_validation, patient_of
from medsam_research.data.priors import damaged
from medsam_research.data.stream import batches
from medsam_research.models.segmenter import Segmenter
from medsam_research.training.gap import gap
from PIL import Image

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"
GRID = 64


def _disc(height: int, width: int, radius: float) -> np.ndarray:
    rows, cols = np.ogrid[:height, :width]
    return (rows - height / 2) ** 2 + (cols - width / 2) ** 2 < radius**2


def _archive(path: Path, names: list[str], *, colour: bool) -> None:
    rng = np.random.default_rng(0)
    with zipfile.ZipFile(path, "w") as archive:
        for name in names:
            labels = _disc(90, 120, rng.uniform(15, 30)).astype(np.uint8)
            pixels = np.clip(60 + 120 * labels + rng.normal(0, 10, labels.shape), 0, 255).astype(np.uint8)
            picture = np.stack([pixels, pixels // 2, pixels // 3], 2) if colour else pixels
            for folder, array, kind in (("img", picture, "jpeg"), ("lab", labels, "png")):
                stream = io.BytesIO()
                Image.fromarray(array).save(stream, kind)
                archive.writestr(f"{folder}/{name}.{'jpg' if kind == 'jpeg' else 'png'}", stream.getvalue())


def _ball(shape: tuple[int, int, int]) -> np.ndarray:
    axes = np.meshgrid(*[np.linspace(-1, 1, n) for n in shape], indexing="ij")
    return (sum(a**2 for a in axes) < 0.4).astype(np.uint8)


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> StreamConfig:
    """A data folder with every kind of source."""
    root = tmp_path_factory.mktemp("data")
    (root / "volumes").mkdir()
    _archive(root / "Dermoscopy_skin.zip", [f"{i:04}" for i in range(1, 31)], colour=True)
    _archive(root / "CT_organs.zip", [f"pat{p}_z{z:03}" for p in range(1, 30) for z in range(3)], colour=False)
    for name in ("MR_balls_0001", "PET_sts_0003"):
        labels = _ball((20, 40, 44))
        values = labels.astype(np.float32) * 500 + 100
        for array, ending in ((values, ""), (labels, "_seg")):
            image = sitk.GetImageFromArray(array)
            image.SetSpacing((1.0, 1.0, 2.0))
            sitk.WriteImage(image, str(root / "volumes" / f"{name}{ending}.nii.gz"))
    labels = _ball((16, 40, 40))
    item = Item("v", "synthetic-volume", "MR", "2,1,1", labels * 200, labels)
    write_pack(root / "synthetic" / "volumes-0000", [item])
    disc = _disc(64, 80, 20).astype(np.uint8)
    write_pack(
        root / "synthetic" / "pictures-0000", [Item("p", "synthetic-chest", "XRay", "synthetic", disc * 99, disc)]
    )
    return StreamConfig(data=root, cache=root / "cache", synthetic=root / "synthetic", pictures=4, boxes=3)


def _only(config: StreamConfig, source: str, **changes: object) -> StreamConfig:
    values = {**config.__dict__, "mixture": {source: 1.0}, **changes}
    return StreamConfig(**values)


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("split", ["train", "val"])
def test_batches_have_the_promised_shapes_and_ranges(config: StreamConfig, source: str, split: str) -> None:
    for batch in itertools.islice(batches(_only(config, source, split=split), 0), 5):
        shapes = {name: array.shape for name, array in batch.items()}
        assert shapes == {
            "image": (4, 3, 256, 256),
            "window": (12, 3, GRID, GRID),
            "valid": (12, 1, GRID, GRID),
            "rect": (12, 4),
            "scale": (12, 2),
            "position": (12, 2),
            "prior": (12, 1, GRID, GRID),
            "has_prior": (12, 1),
            "points": (12, 2, GRID, GRID),
            "target": (12, 1, GRID, GRID),
            "inside": (12, 1),
            "modality": (12,),
        }
        assert batch["image"].dtype == batch["window"].dtype == np.uint8
        for name in ("valid", "prior", "points", "target", "has_prior", "inside"):
            assert batch[name].min() >= 0 and batch[name].max() <= 1.001, name
        assert np.all(np.isfinite(batch["scale"]))
        assert np.abs(batch["position"][:, 1]).max() <= 1
        assert np.all(batch["rect"][:, 2:] > batch["rect"][:, :2])
        assert not batch["prior"][batch["has_prior"][:, 0] == 0].any()
        assert not batch["target"][batch["inside"][:, 0] == 0].any()


def test_equal_seeds_give_equal_batches_and_others_do_not(config: StreamConfig) -> None:
    first, again, other = (next(batches(config, seed)) for seed in (3, 3, 4))
    assert all(np.array_equal(first[name], again[name]) for name in first)
    assert not np.array_equal(first["image"], other["image"])


def test_the_target_fills_the_box_in_the_middle_of_the_window(config: StreamConfig) -> None:
    """The box is the grid's central 1/1.4; an object drawn round by it reaches its sides, not the grid's."""
    margin = GRID * (1 - 1 / config.window_scale) / 2
    reached = []
    plain = _only(config, "synthetic-picture", points=0.0, prior=0.0)
    for batch in itertools.islice(batches(plain, 1), 8):
        for target in batch["target"][:, 0].astype(np.float32):
            cols = np.flatnonzero(target.max(0) > 0.5)
            reached.append((cols[0], GRID - 1 - cols[-1]))
    reached = np.array(reached)
    assert np.median(reached) >= margin - 1
    assert np.median(reached) <= margin + 6
    assert (reached >= margin - 5).mean() > 0.9


def test_windows_show_what_the_backend_samples(config: StreamConfig) -> None:
    batch = next(batches(_only(config, "synthetic-picture"), 2))
    side = 256
    picture = np.moveaxis(batch["image"][0], 0, 2)
    rect = tuple(float(v) * side for v in batch["rect"][0])
    seen = sample(picture, rect, GRID)
    assert np.abs(seen - batch["window"][0].astype(np.float32)).mean() < 6


def test_stacks_and_volumes_tell_the_place_of_the_slice(config: StreamConfig) -> None:
    for source in ("stack", "volume", "synthetic-volume"):
        batch = next(batches(_only(config, source, position=1.0), 0))
        assert np.all(batch["position"][:, 0] == 1)
    assert not next(batches(_only(config, "picture", position=1.0), 0))["position"].any()


def test_the_box_of_a_slice_is_drawn_round_the_whole_object(config: StreamConfig) -> None:
    """Near the ends of a ball its section fills less of the 3-D box than in the middle."""
    wide = _only(config, "synthetic-volume", position=1.0, pictures=16)
    share, place = [], []
    for batch in itertools.islice(batches(wide, 5), 6):
        share.extend(batch["target"].astype(np.float32).mean((1, 2, 3)))
        place.extend(np.abs(batch["position"][:, 1]))
    share, place = np.array(share), np.array(place)
    assert share[place > 0.75].mean() < 0.6 * share[place < 0.4].mean()


def test_volumes_sometimes_ask_for_an_object_that_is_not_there(config: StreamConfig) -> None:
    inside = np.concatenate([b["inside"] for b in itertools.islice(batches(_only(config, "volume"), 0), 40)])
    assert 0.85 < inside.mean() < 1


def test_prompts_come_about_as_often_as_asked(config: StreamConfig) -> None:
    asked = _only(config, "picture", prior=0.0, points=0.4, pictures=16)
    clicked = np.concatenate([b["points"].max((1, 2, 3)) > 0 for b in itertools.islice(batches(asked, 0), 10)])
    assert 0.2 < clicked.mean() < 0.5
    never = next(batches(_only(config, "picture", prior=0.0, points=0.0), 0))
    assert not never["has_prior"].any() and not never["points"].any()


def test_no_source_with_data_is_an_error(tmp_path: Path) -> None:
    empty = StreamConfig(data=tmp_path, cache=tmp_path, mixture={"synthetic-picture": 1.0})
    with pytest.raises(FileNotFoundError):
        next(batches(empty, 0))


def test_boxes_stay_in_the_picture_and_hold_most_of_the_object() -> None:
    rng = np.random.default_rng(0)
    for _ in range(200):
        x0, y0, x1, y1 = draw(rng, (10, 20, 60, 90), (100, 120))
        assert 0 <= x0 <= 13 and 0 <= y0 <= 24 and 57 <= x1 <= 120 and 86 <= y1 <= 100


def test_an_ellipsoids_section_shrinks_to_its_ends_but_not_to_nothing() -> None:
    assert scaled_like_ellipsoid((0, 0, 10, 10), 0.0) == (0, 0, 10, 10)
    x0, _, x1, _ = scaled_like_ellipsoid((0, 0, 10, 10), 1.0)
    assert x1 - x0 == pytest.approx(3.5)


def test_damage_grows_with_strength() -> None:
    mask = _disc(64, 64, 20)

    def overlap(strength: float) -> float:
        rng, truth = np.random.default_rng(0), sample(mask, (0, 0, 64, 64), GRID) > 0.5
        priors = [damaged(rng, mask, (0, 0, 64, 64), GRID, strength=strength) > 0.5 for _ in range(40)]
        return float(np.mean([2 * (p & truth).sum() / max(1, p.sum() + truth.sum()) for p in priors]))

    assert overlap(0.0) > 0.95 > overlap(1.0) > overlap(2.5) > 0.2


def test_clicks_set_a_shown_mask_right() -> None:
    truth = _disc(GRID, GRID, 20).astype(np.float32)
    shown = truth.copy()
    shown[:, :32] = 0
    shown[:10, :10] = 1
    clicks = corrective(np.random.default_rng(0), truth, shown, 2)
    assert [positive for _, _, positive in clicks] == [True, False]
    for row, col, positive in clicks:
        assert bool(truth[int(row), int(col)]) == positive
    planes = paint(clicks, GRID)
    assert planes.max((1, 2)) == pytest.approx([1, 1])


def test_a_patient_stands_on_one_side_of_the_split() -> None:
    assert patient_of("sts", "sts004_z016_wst") == patient_of("sts-t1", "sts004_z010") == "sts004"
    assert patient_of("openms", "p07flair_x057") == patient_of("openms", "p07t2_z001")
    assert is_validation("sts004") and not is_validation("sts002")
    assert "PET_sts_0003" in HELD_OUT_VOLUMES  # the same patient's PET


def test_decoded_pictures_are_written_once(config: StreamConfig) -> None:
    open_archives(config.data, config.cache)
    before = {p: p.stat().st_mtime_ns for p in config.cache.iterdir()}
    assert len(open_archives(config.data, config.cache)) == 117
    assert {p: p.stat().st_mtime_ns for p in config.cache.iterdir()} == before


@pytest.mark.skipif(not (SHARED / "train").is_dir(), reason="the training data is not here")
def test_measured_data_is_never_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    real_open, real_read = io.open, sitk.ReadImage

    def open_noting(file: object, *args: object, **options: object) -> object:
        opened.append(str(file))
        return real_open(file, *args, **options)  # type: ignore[call-overload]

    def read_noting(path: str, *args: object) -> object:
        opened.append(path)
        return real_read(path, *args)

    monkeypatch.setattr(builtins, "open", open_noting)
    monkeypatch.setattr(io, "open", open_noting)
    monkeypatch.setattr(sitk, "ReadImage", read_noting)
    next(
        batches(
            StreamConfig(
                data=SHARED / "train", cache=tmp_path, pictures=2, boxes=1, mixture={"volume": 1.0, "picture": 1.0}
            ),
            0,
        )
    )
    assert opened
    assert not [name for name in opened if "eval" in Path(name).parts]


def test_the_gap_compares_patients_learned_from_with_held_out_ones(config: StreamConfig) -> None:
    found = gap(Segmenter("none").eval(), config, 1)

    assert list(found) == ["pictures", "slices of volumes", "synthetic"]
    assert all(0 <= dsc <= 1 for splits in found.values() for values in splits.values() for dsc in values)
    assert all(set(splits) == {"train", "val"} for splits in found.values())
    assert found["pictures"]["train"] != found["pictures"]["val"]
