"""Files in and out: geometry survives, mistakes are one sentence, and nothing half-written stays behind."""

from __future__ import annotations

import gc
import gzip
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from medsam_backends import segmentation_writer
from medsam_backends.errors import InputError, OutputError
from medsam_backends.io import NamedMask, Volume, check_output, read_image, write_segmentation
from medsam_backends.named_mask import layers

GREY = np.arange(2 * 3 * 4, dtype=np.int16).reshape(2, 3, 4)
ENDINGS = [".seg.nrrd", ".nrrd", ".nii.gz", ".nii", ".mha"]


def oblique() -> np.ndarray:
    cos, sin = np.cos(0.3), np.sin(0.3)
    return np.array([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]]) @ np.array([[1, 0, 0], [0, cos, -sin], [0, sin, cos]])


def volume() -> Volume:
    return Volume(np.zeros((6, 8, 10), np.int16), (0.7, 0.8, 2.5), (-11.5, 20.25, 300.0), oblique())


def segments() -> list[NamedMask]:
    """Two that overlap, one without a voxel, one by itself."""
    return [
        NamedMask("Leber äü", np.ones((3, 4, 5), bool), (1, 2, 3), (0.5, 0.25, 0.125)),
        NamedMask("tumour\n\\1", np.ones((2, 2, 2), bool), (2, 3, 4)),
        NamedMask("nothing", np.zeros((0, 0, 0), bool)),
        NamedMask("spot", np.ones((1, 1, 1), bool), (5, 7, 9)),
    ]


def save(array: np.ndarray, path: Path, *, vector: bool = False, **tags: str) -> Path:
    image = sitk.GetImageFromArray(array, isVector=vector)
    for key, value in tags.items():
        image.SetMetaData(key, value)
    writer = sitk.ImageFileWriter()
    writer.SetFileName(str(path))
    writer.KeepOriginalImageUIDOn()
    writer.Execute(image)
    return path


@pytest.mark.parametrize("ending", [".nii.gz", ".nii", ".nrrd", ".mha"])
def test_a_volume_comes_with_its_geometry(tmp_path: Path, ending: str) -> None:
    image = sitk.GetImageFromArray(GREY)
    image.SetSpacing((0.7, 0.8, 2.5))
    image.SetOrigin((-11.5, 20.25, 300.0))
    image.SetDirection(oblique().ravel().tolist())
    sitk.WriteImage(image, str(tmp_path / f"a{ending}"))
    read = read_image(tmp_path / f"a{ending}")
    gc.collect()
    assert np.array_equal(read.array, GREY)
    assert not read.array.flags.writeable
    assert (read.size_ijk, read.rgb, read.modality) == ((4, 3, 2), False, None)
    np.testing.assert_allclose(read.spacing_mm, (0.7, 0.8, 2.5), rtol=1e-6)
    np.testing.assert_allclose(read.origin_mm, (-11.5, 20.25, 300.0), rtol=1e-6)
    np.testing.assert_allclose(read.direction, oblique(), atol=1e-6)
    assert read.voxel_ml == pytest.approx(0.0014)


def test_a_voxel_of_a_tilted_gantry_is_smaller_than_the_product_of_its_sides(tmp_path: Path) -> None:
    image = sitk.GetImageFromArray(GREY)
    image.SetSpacing((0.7, 0.8, 2.5))
    tilt = np.deg2rad(20)
    image.SetDirection([1, 0, 0, 0, 1, np.sin(tilt), 0, 0, np.cos(tilt)])
    sitk.WriteImage(image, str(tmp_path / "a.nrrd"))
    assert read_image(tmp_path / "a.nrrd").voxel_ml == pytest.approx(0.0014 * np.cos(tilt))


@pytest.mark.parametrize(("channels", "shape"), [(0, (1, 3, 4)), (3, (1, 3, 4, 3)), (4, (1, 3, 4, 4))])
def test_a_2d_picture_is_a_volume_of_one_slice(tmp_path: Path, channels: int, shape: tuple[int, ...]) -> None:
    picture = np.arange(12 * max(channels, 1), dtype=np.uint8).reshape(3, 4, *([channels] if channels else []))
    read = read_image(save(picture, tmp_path / "a.png", vector=bool(channels)))
    assert read.array.shape == shape
    assert read.rgb == (channels > 2)
    assert read.direction.tolist() == np.eye(3).tolist()
    assert np.array_equal(read.array[0], picture)


def test_jpeg_colours_are_read(tmp_path: Path) -> None:
    read = read_image(save(np.zeros((8, 8, 3), np.uint8), tmp_path / "a.jpg", vector=True))
    assert (read.array.shape, read.rgb, read.array.dtype) == ((1, 8, 8, 3), True, np.uint8)


def test_a_fourth_dimension_of_one_frame_is_dropped(tmp_path: Path) -> None:
    image = sitk.JoinSeries([sitk.GetImageFromArray(GREY)])
    sitk.WriteImage(image, str(tmp_path / "a.nii"))
    assert np.array_equal(read_image(tmp_path / "a.nii").array, GREY)


def _missing(folder: Path) -> Path:
    return folder / "nothing.nii.gz"


def _endless(folder: Path) -> Path:
    return folder / ("a" * 5000)


def _empty(folder: Path) -> Path:
    (folder / "a.nii").touch()
    return folder / "a.nii"


def _text(folder: Path) -> Path:
    (folder / "a.nii.gz").write_text("no image")
    return folder / "a.nii.gz"


def _no_dicom(folder: Path) -> Path:
    return folder


def _frames(folder: Path) -> Path:
    sitk.WriteImage(sitk.JoinSeries([sitk.GetImageFromArray(GREY)] * 2), str(folder / "a.nii"))
    return folder / "a.nii"


def _complex(folder: Path) -> Path:
    return save(np.ones((2, 3, 4), np.complex64), folder / "a.nrrd")


def _vectors(folder: Path) -> Path:
    return save(np.ones((2, 3, 4, 3), np.float32), folder / "a.nrrd", vector=True)


def _five(folder: Path) -> Path:
    return save(np.ones((3, 4, 5), np.uint8), folder / "a.nrrd", vector=True)


def _truncated(folder: Path) -> Path:
    path = save(GREY.repeat(50, axis=0), folder / "a.nrrd")
    path.write_bytes(path.read_bytes()[:-200])
    return path


def _half(name: str) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        path = save(np.random.default_rng(0).integers(0, 99, (9, 30, 40), np.int16), folder / name)
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
        return path

    return make


def test_a_nifti_file_packed_in_several_pieces_is_whole(tmp_path: Path) -> None:
    content = save(GREY, tmp_path / "a.nii").read_bytes()
    (tmp_path / "b.nii.gz").write_bytes(gzip.compress(content[:370]) + gzip.compress(content[370:]))
    np.testing.assert_array_equal(read_image(tmp_path / "b.nii.gz").array, GREY)


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (_half("a.nii"), "ends before its last voxel"),
        (_half("a.nii.gz"), "ends before its last voxel"),
        (_missing, "There is no file or folder"),
        (_endless, "There is no file or folder"),
        (_empty, "is empty"),
        (_text, "is not an image that can be read"),
        (_no_dicom, "holds no DICOM images"),
        (_frames, "is 4-dimensional: save one 3-D frame"),
        (_complex, "complex numbers"),
        (_vectors, "only grey and colour"),
        (_five, "only grey and colour"),
        (_truncated, "damaged or incomplete"),
    ],
)
def test_what_cannot_be_segmented_is_one_sentence(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], make: Callable[[Path], Path], sentence: str
) -> None:
    path = make(tmp_path)
    capfd.readouterr()
    with pytest.raises(InputError, match=sentence) as caught:
        read_image(path)
    assert "\n" not in str(caught.value)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_segmentation_lies_where_the_image_lies(tmp_path: Path, ending: str) -> None:
    place = volume()
    notes = write_segmentation(tmp_path / f"a{ending}", segments(), place)
    image = sitk.ReadImage(str(tmp_path / f"a{ending}"))
    np.testing.assert_allclose(image.GetSpacing(), place.spacing_mm, rtol=1e-6)
    np.testing.assert_allclose(image.GetOrigin(), place.origin_mm, rtol=1e-6)
    np.testing.assert_allclose(image.GetDirection(), place.direction.ravel(), atol=1e-6)
    labels = sitk.GetArrayFromImage(image)
    if ending == ".seg.nrrd":
        assert notes == ()
        assert [int((labels == n).sum()) for n in (1, 2, 3, 4)] == [60, 8, 0, 1]
    else:
        assert notes == (
            f"'Leber äü' and 'tumour\n\\1' overlap; a {ending} keeps 'tumour\n\\1' there, a .seg.nrrd both.",
        )
        assert [int((labels == n).sum()) for n in (1, 2, 3, 4)] == [52, 8, 0, 1]
        assert labels[5, 7, 9] == 4


def test_a_segmentation_has_what_slicer_reads(tmp_path: Path) -> None:
    write_segmentation(tmp_path / "a.seg.nrrd", segments(), volume())
    image = sitk.ReadImage(str(tmp_path / "a.seg.nrrd"))
    keys = {key: image.GetMetaData(key) for key in image.GetMetaDataKeys()}
    assert image.GetNumberOfComponentsPerPixel() == 2
    assert keys["NRRD_kinds[pixel]"] == "list"
    assert [keys[f"Segment{n}_Layer"] for n in range(4)] == ["0", "1", "0", "0"]
    assert [keys[f"Segment{n}_LabelValue"] for n in range(4)] == ["1", "2", "3", "4"]
    assert [keys[f"Segment{n}_ID"] for n in range(4)] == ["Segment_1", "Segment_2", "Segment_3", "Segment_4"]
    assert keys["Segment0_Name"] == "Leber äü"
    assert keys["Segment0_Color"] == "0.5 0.25 0.125"
    # Slicer cuts a layer to its first segment's extent: all of a layer must agree.
    assert keys["Segment0_Extent"] == keys["Segment2_Extent"] == keys["Segment3_Extent"] == "3 9 2 7 1 5"
    assert keys["Segment1_Extent"] == "4 5 3 4 2 3"
    assert keys["Segmentation_MasterRepresentation"] == "Binary labelmap"
    assert keys["Segmentation_ReferenceImageExtentOffset"] == "0 0 0"
    name, geometry, _ = keys["Segmentation_ConversionParameters"].split("|")
    numbers = [float(number) for number in geometry.rstrip(";").split(";")]
    assert name == "Reference image geometry"
    assert numbers[16:] == [0, 9, 0, 7, 0, 5]
    np.testing.assert_allclose(np.reshape(numbers[:16], (4, 4))[:, 3], [11.5, -20.25, 300, 1])


def test_a_segmentation_of_nothing_can_be_written(tmp_path: Path) -> None:
    write_segmentation(tmp_path / "a.seg.nrrd", segments()[2:3], volume())
    image = sitk.ReadImage(str(tmp_path / "a.seg.nrrd"))
    assert image.GetMetaData("Segment0_Extent") == "0 -1 0 -1 0 -1"
    assert not sitk.GetArrayFromImage(image).any()


def test_a_2d_label_map_can_be_a_png(tmp_path: Path) -> None:
    flat = Volume(np.zeros((1, 8, 10), np.uint8))
    mask = NamedMask("a", np.ones((1, 2, 3), bool), (0, 1, 2))
    write_segmentation(tmp_path / "a.png", [mask], flat)
    assert np.argwhere(sitk.GetArrayFromImage(sitk.ReadImage(str(tmp_path / "a.png")))).tolist() == [
        [y, x] for y in (1, 2) for x in (2, 3, 4)
    ]


def test_more_than_255_segments_take_16_bits(tmp_path: Path) -> None:
    spots = [NamedMask(str(n), np.ones((1, 1, 1), bool), np.unravel_index(n, (6, 8, 10))) for n in range(300)]  # type: ignore[arg-type]
    for ending in (".seg.nrrd", ".nii.gz"):
        write_segmentation(tmp_path / f"a{ending}", spots, volume())
        assert sitk.GetArrayFromImage(sitk.ReadImage(str(tmp_path / f"a{ending}"))).ravel()[299] == 300
    with pytest.raises(OutputError, match="do not fit one file"):
        write_segmentation(tmp_path / "b.seg.nrrd", spots[:1] * 65536, volume())


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25, deadline=None)
@given(st.lists(st.tuples(*[st.tuples(st.integers(0, 3), st.integers(1, 3))] * 3), max_size=5))
def test_every_segment_comes_back_from_its_layer(tmp_path: Path, boxes: list[tuple[tuple[int, int], ...]]) -> None:
    masks = [
        NamedMask(str(n), np.ones([size for _, size in box], bool), tuple(start for start, _ in box))  # type: ignore[arg-type]
        for n, box in enumerate(boxes)
    ]
    write_segmentation(tmp_path / "a.seg.nrrd", masks, volume(), force=True)
    stored = sitk.GetArrayFromImage(sitk.ReadImage(str(tmp_path / "a.seg.nrrd")))
    stored = stored.reshape(6, 8, 10, -1)
    for number, (mask, layer) in enumerate(zip(masks, layers(masks), strict=True), start=1):
        wanted = np.zeros((6, 8, 10), bool)
        wanted[tuple(slice(a, a + n) for a, n in zip(mask.origin, mask.mask.shape, strict=True))] = True
        assert np.array_equal(stored[..., layer] == number, wanted)


@pytest.mark.parametrize("ending", [".seg.nrrd", ".nrrd"])
def test_what_lies_between_large_empty_parts_keeps_its_place(tmp_path: Path, ending: str) -> None:
    wide = Volume(np.zeros((12, 500, 600), np.uint8))  # zeros are written a megabyte or more at a time
    dots = np.random.default_rng(0).random((2, 30, 40)) > 0.5
    write_segmentation(tmp_path / f"a{ending}", [NamedMask("a", dots, (5, 400, 9))], wide)
    wanted = np.zeros(wide.array.shape, bool)
    wanted[5:7, 400:430, 9:49] = dots
    assert np.array_equal(sitk.GetArrayFromImage(sitk.ReadImage(str(tmp_path / f"a{ending}"))), wanted)


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("a.tiff", "names no format: use one of .seg.nrrd"),
        ("missing/a.nii.gz", "does not exist: create it first"),
        ("folder.nrrd", "is a folder"),
        ("there.seg.nrrd", "exists: choose another name"),
        ("a.png", "holds one slice"),
    ],
)
def test_an_output_that_cannot_be_is_refused(tmp_path: Path, name: str, sentence: str) -> None:
    (tmp_path / "folder.nrrd").mkdir()
    (tmp_path / "there.seg.nrrd").write_text("mine")
    with pytest.raises(OutputError, match=sentence):
        write_segmentation(tmp_path / name, segments(), volume())
    assert (tmp_path / "there.seg.nrrd").read_text() == "mine"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder.nrrd", "there.seg.nrrd"]


def test_force_replaces_a_file(tmp_path: Path) -> None:
    (tmp_path / "a.seg.nrrd").write_text("old")
    write_segmentation(tmp_path / "a.seg.nrrd", segments(), volume(), force=True)
    assert (tmp_path / "a.seg.nrrd").read_bytes().startswith(b"NRRD")
    assert len(list(tmp_path.iterdir())) == 1


def test_an_image_that_may_not_be_read_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = save(GREY, tmp_path / "a.nrrd")
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # root may read everything
    with pytest.raises(InputError, match=r"a\.nrrd may not be read"):
        read_image(path)


def test_a_read_only_folder_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # root may write everywhere
    with pytest.raises(OutputError, match="read-only"):
        check_output(tmp_path / "a.nrrd")


def test_a_file_that_appears_meanwhile_is_not_overwritten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.nrrd"

    def slow(temporary: Path, *_: object) -> None:
        temporary.write_text("ours")
        path.write_text("theirs")

    monkeypatch.setitem(segmentation_writer.FORMATS, ".nrrd", slow)
    with pytest.raises(OutputError, match="exists"):
        write_segmentation(path, segments(), volume())
    assert [p.read_text() for p in tmp_path.iterdir()] == ["theirs"]


def test_an_interruption_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(temporary: Path, *_: object) -> None:
        temporary.write_text("half")
        raise KeyboardInterrupt

    monkeypatch.setitem(segmentation_writer.FORMATS, ".nrrd", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_segmentation(tmp_path / "a.nrrd", segments(), volume())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(sys.platform == "win32", reason="needs a limit on the size of files, which Windows has not")
@pytest.mark.parametrize("ending", ENDINGS)
def test_a_full_disk_is_told_and_leaves_the_old_file(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"a{ending}"
    path.write_text("old")
    program = f"""
import resource, numpy as np
from medsam_backends.errors import OutputError
from medsam_backends.io import NamedMask, Volume, write_segmentation
mask = NamedMask("a", np.random.default_rng(0).random((40, 64, 64)) > 0.5)
import SimpleITK
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
try:
    write_segmentation({str(path)!r}, [mask], Volume(np.zeros((40, 64, 64))), force=True)
except OutputError as error:
    print(error)
"""
    package = str(Path(segmentation_writer.__file__).parents[1])
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        encoding="utf-8",
        env={**os.environ, "PYTHONPATH": package},
        check=True,
        timeout=120,
    )
    assert "could not be written" in done.stdout
    assert [p.read_text() for p in tmp_path.iterdir()] == ["old"]


def test_names_may_be_in_any_script_and_long(tmp_path: Path) -> None:
    folder = tmp_path / "Größe 体积 объём" / ("x" * 200) / ("y" * 200)
    folder.mkdir(parents=True)
    source = save(GREY, folder / f"{'ж' * 60}.nii.gz")
    read = read_image(source)
    assert np.array_equal(read.array, GREY)
    for ending in ENDINGS:
        target = folder / f"{'z' * (255 - len(ending))}{ending}"
        write_segmentation(target, [NamedMask("a", np.ones((1, 1, 1), bool))], read)
        assert target.exists()
    with pytest.raises(OutputError, match="could not be written"):
        write_segmentation(folder / f"{'z' * 300}.nrrd", [], read)
