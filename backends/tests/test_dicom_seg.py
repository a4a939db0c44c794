"""DICOM Segmentations: the same voxels as in any other format, the source referenced, nothing of it told needlessly."""

import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from cases import BRICK_BOX, brick, save
from dicom_series import SECRETS, SPACING_MM, oblique, write_series
from medsam_backends import dicom_seg
from medsam_backends.cli.main import main
from medsam_backends.errors import OutputError
from medsam_backends.io import COLORS, NamedMask, Volume, read_image, write_segmentation

hd = pytest.importorskip("highdicom", reason="the extra 'dicom' is not installed")
pydicom = pytest.importorskip("pydicom", reason="the extra 'dicom' is not installed")

SHARED = Path(__file__).parents[3] / "shared" / "data" / "dicom"
MODEL = ("Tiny", "1.0")


def masks() -> list[NamedMask]:
    """Two that overlap, between empty slices, and one without a voxel."""
    random = np.random.default_rng(3)
    return [
        NamedMask("Leber äü", random.random((4, 9, 7)) > 0.5, (3, 5, 6), COLORS[0], MODEL),
        NamedMask("a\\b " + "x" * 80, random.random((2, 9, 7)) > 0.5, (5, 7, 8), COLORS[1], MODEL),
        NamedMask("nothing", np.zeros((0, 0, 0), bool), found_by=MODEL),
    ]


def painted(segments: list[NamedMask], volume: Volume) -> np.ndarray:
    """(K, J, I, segments) zeros and ones."""
    full = np.zeros((*volume.array.shape, len(segments)), np.uint8)
    for n, segment in enumerate(segments):
        for k in range(len(full)):
            segment.paint(full[k, ..., n], k, 1)
    return full


def read_back(path: Path, volume: Volume) -> np.ndarray:
    """The same, from the file, found by the source images that it refers to."""
    headers = [pydicom.dcmread(file, stop_before_pixels=True) for file in volume.files]
    uids = [header.get("SOPInstanceUID") or header.file_meta.MediaStorageSOPInstanceUID for header in headers]
    found = hd.seg.segread(path).get_pixels_by_source_instance(uids, assert_missing_frames_are_empty=True)
    return np.asarray(found)


@pytest.fixture
def series(tmp_path: Path) -> Volume:
    return read_image(write_series(tmp_path / "series", brick()))


@pytest.fixture
def written(series: Volume, tmp_path: Path) -> Path:
    assert write_segmentation(tmp_path / "s.dcm", masks(), series) == ()
    return tmp_path / "s.dcm"


def test_voxels_come_back_one_by_one(series: Volume, written: Path) -> None:
    np.testing.assert_array_equal(read_back(written, series), painted(masks(), series))


def test_a_nifti_file_of_the_same_segments_says_the_same(series: Volume, tmp_path: Path) -> None:
    apart = [masks()[0], NamedMask("c", np.ones((2, 3, 3), bool), (12, 20, 20), COLORS[1], MODEL)]
    write_segmentation(tmp_path / "s.dcm", apart, series)
    write_segmentation(tmp_path / "s.nii.gz", apart, series)
    labels = sitk.GetArrayFromImage(sitk.ReadImage(str(tmp_path / "s.nii.gz")))
    found = read_back(tmp_path / "s.dcm", series)
    for n in range(2):
        np.testing.assert_array_equal(found[..., n], labels == n + 1)


def test_every_frame_lies_where_its_slice_does(series: Volume, written: Path) -> None:
    dataset = pydicom.dcmread(written)
    source = {uid: k for k, uid in enumerate(pydicom.dcmread(file).SOPInstanceUID for file in series.files)}
    seen = []
    for frame in dataset.PerFrameFunctionalGroupsSequence:
        [derivation] = frame.DerivationImageSequence[0].SourceImageSequence
        k = source[derivation.ReferencedSOPInstanceUID]
        place = np.array(series.origin_mm) + series.direction[:, 2] * series.spacing_mm[2] * k
        np.testing.assert_allclose(frame.PlanePositionSequence[0].ImagePositionPatient, place, atol=1e-4)
        seen.append((frame.SegmentIdentificationSequence[0].ReferencedSegmentNumber, k))
    assert sorted(seen) == [(1, 3), (1, 4), (1, 5), (1, 6), (2, 5), (2, 6)], "no frame without a voxel"
    shared = dataset.SharedFunctionalGroupsSequence[0]
    np.testing.assert_allclose(
        shared.PlaneOrientationSequence[0].ImageOrientationPatient, oblique()[:, :2].T.ravel(), atol=1e-6
    )
    measures = shared.PixelMeasuresSequence[0]
    assert [float(value) for value in measures.PixelSpacing] == [SPACING_MM[1], SPACING_MM[0]]
    assert (float(measures.SliceThickness), float(measures.SpacingBetweenSlices)) == (3, pytest.approx(2.5))
    [referenced] = dataset.ReferencedSeriesSequence
    assert {item.ReferencedSOPInstanceUID for item in referenced.ReferencedInstanceSequence} == set(source)


def test_segments_keep_name_colour_and_model(written: Path) -> None:
    first, second, third = hd.seg.segread(written).SegmentSequence
    assert (first.SegmentLabel, third.SegmentLabel) == ("Leber äü", "nothing")
    assert second.SegmentLabel == ("a/b " + "x" * 80)[:64]
    assert (first.SegmentAlgorithmType, first.SegmentAlgorithmName) == ("SEMIAUTOMATIC", "Tiny")
    assert first.SegmentationAlgorithmIdentificationSequence[0].AlgorithmVersion == "1.0"
    for code in (first.SegmentedPropertyCategoryCodeSequence[0], first.SegmentedPropertyTypeCodeSequence[0]):
        assert (code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning) == ("85756007", "SCT", "Tissue")
    rgb = hd.color.CIELabColor.from_dicom_value(first.RecommendedDisplayCIELabValue).to_rgb()
    np.testing.assert_allclose(rgb, [255 * channel for channel in COLORS[0]], atol=2)


def test_only_what_the_standard_demands_is_copied(written: Path) -> None:
    dataset = pydicom.dcmread(written)
    assert str(dataset.PatientName) == "Müller^Ännchen"
    assert (dataset.PatientID, dataset.PatientSex, dataset.StudyDate) == ("P1", "F", "20200102")
    text = dataset.to_json()
    assert not [secret for secret in SECRETS if secret in text]
    assert not {"PatientAge", "InstitutionName", "StudyDescription", "OperatorsName"} & set(dataset.dir())


def test_segments_that_are_all_empty_make_a_file_nevertheless(
    series: Volume, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    write_segmentation(tmp_path / "s.dcm", masks()[2:], series)
    assert not read_back(tmp_path / "s.dcm", series).any()
    assert capfd.readouterr().err == ""


def test_the_order_of_the_slices_is_that_of_the_patient(tmp_path: Path) -> None:
    volume = read_image(
        write_series(tmp_path / "s", np.arange(12, dtype=np.int16)[:, None, None].repeat(8, 1).repeat(8, 2))
    )
    assert [int(pydicom.dcmread(file).InstanceNumber) for file in volume.files] == volume.array[:, 0, 0].tolist()


def test_one_dicom_file_is_a_source_too(tmp_path: Path) -> None:
    folder = write_series(tmp_path / "s", brick()[:1])
    volume = read_image(next(folder.iterdir()))
    write_segmentation(tmp_path / "s.dcm", [NamedMask("\t", np.ones((1, 2, 2), bool))], volume)
    made = hd.seg.segread(tmp_path / "s.dcm")
    assert made.pixel_array.sum() == 4
    assert made.SegmentSequence[0].SegmentLabel == "Segment 1", "an empty name may not be written"


def test_identifiers_that_were_taken_away_are_made_anew_and_told(tmp_path: Path) -> None:
    volume = read_image(write_series(tmp_path / "s", brick(), t0020_0052="", t0010_0010="", t0018_0050=""))
    [note] = write_segmentation(tmp_path / "s.dcm", masks()[:1], volume)
    assert "have no FrameOfReferenceUID" in note
    dataset = pydicom.dcmread(tmp_path / "s.dcm")
    assert dataset.FrameOfReferenceUID and str(dataset.PatientName) == ""
    assert float(dataset.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0].SliceThickness) == pytest.approx(
        2.5
    )


def test_other_images_are_refused_in_a_sentence(tmp_path: Path) -> None:
    volume = read_image(save(brick(), tmp_path / "a.nii.gz"))
    with pytest.raises(OutputError, match=r"refers to the DICOM images it was made from.*choose \.seg\.nrrd"):
        write_segmentation(tmp_path / "s.dcm", masks(), volume)
    assert os.listdir(tmp_path) == ["a.nii.gz"]


def test_images_without_a_place_are_refused_in_a_sentence(tmp_path: Path) -> None:
    folder = tmp_path / "s"
    folder.mkdir()
    image = sitk.GetImageFromArray(brick()[0])
    sitk.WriteImage(image, str(folder / "a.dcm"))
    bare = pydicom.dcmread(folder / "a.dcm")
    for name in ("ImagePositionPatient", "ImageOrientationPatient"):
        if name in bare:
            delattr(bare, name)
    bare.save_as(folder / "a.dcm")
    with pytest.raises(OutputError, match="does not say where its one slice lies"):
        write_segmentation(tmp_path / "s.dcm", masks()[2:], read_image(folder / "a.dcm"))


def test_sources_that_were_damaged_since_are_refused_in_a_sentence(series: Volume, tmp_path: Path) -> None:
    file = series.files[2]
    header = pydicom.dcmread(file)
    del header.SOPInstanceUID, header.file_meta.MediaStorageSOPInstanceUID
    header.save_as(file, enforce_file_format=False)
    for _ in range(2):  # without an identifier, then no DICOM file at all
        with pytest.raises(OutputError, match=r"A \.dcm of these images cannot be made \("):
            write_segmentation(tmp_path / "s.dcm", masks(), series)
        file.write_bytes(bytes(300))
    assert os.listdir(tmp_path) == ["series"]


def test_without_highdicom_the_package_is_named_before_any_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from medsam_backends.io import check_output

    monkeypatch.setattr(dicom_seg.util, "find_spec", lambda name: None)
    with pytest.raises(OutputError, match="pip install highdicom"):
        check_output(tmp_path / "s.dcm")


def test_dcmqi_reads_it(series: Volume, written: Path, tmp_path: Path) -> None:
    reader = shutil.which(
        "segimage2itkimage", path=f"{os.path.dirname(os.sys.executable)}{os.pathsep}{os.environ['PATH']}"
    )
    if reader is None:
        pytest.skip("dcmqi is not installed (pip install dcmqi)")
    (tmp_path / "out").mkdir()
    command = [reader, "--inputDICOM", str(written), "--outputDirectory", str(tmp_path / "out"), "--outputType", "nrrd"]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", timeout=300)
    assert done.returncode == 0 and " W: " not in done.stderr and " E: " not in done.stderr
    for n, want in enumerate(np.moveaxis(painted(masks(), series), -1, 0), start=1):
        image = sitk.ReadImage(str(tmp_path / "out" / f"{n}.nrrd"))
        grid = sitk.GetImageFromArray(series.array)
        grid.SetSpacing(series.spacing_mm)
        grid.SetOrigin(series.origin_mm)
        grid.SetDirection(series.direction.ravel().tolist())
        whole = sitk.Resample(image, grid, sitk.Transform(), sitk.sitkNearestNeighbor)
        np.testing.assert_array_equal(sitk.GetArrayFromImage(whole) > 0, want > 0)


@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared DICOM series are not here")
@pytest.mark.parametrize("name", ["MR_sts-t1", "CT_totalseg-compressed"])
def test_series_of_real_scanners_compressed_or_not(name: str, tmp_path: Path) -> None:
    volume = read_image(SHARED / name)
    write_segmentation(tmp_path / "s.dcm", masks()[:1], volume)
    write_segmentation(tmp_path / "s.nii.gz", masks()[:1], volume)
    labels = sitk.GetArrayFromImage(sitk.ReadImage(str(tmp_path / "s.nii.gz")))
    np.testing.assert_array_equal(read_back(tmp_path / "s.dcm", volume)[..., 0], labels)


def test_both_commands_write_it_and_refuse_other_images_before_the_work(
    tmp_path: Path, tiny: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    volume = read_image(write_series(tmp_path / "series", brick()))
    given = ["--box", *BRICK_BOX, "--model", tiny]
    assert main(["segment", "series", *given, "--output", "s.dcm"]) == 0
    save(brick(), tmp_path / "a.nrrd")
    (tmp_path / "cases.csv").write_text(f"image,box\nseries,{' '.join(BRICK_BOX)}\na.nrrd,{' '.join(BRICK_BOX)}\n")
    assert main(["batch", "cases.csv", "--output", "o", "--model", tiny, "--workers", "0", "--format", ".dcm"]) == 1
    for name in ("s.dcm", "o/series.dcm"):
        np.testing.assert_array_equal(read_back(tmp_path / name, volume)[..., 0], brick() == 200)
        assert hd.seg.segread(tmp_path / name).SegmentSequence[0].SegmentAlgorithmName == "Tiny"
    assert "refers to the DICOM images it was made from" in (tmp_path / "o" / "failed.csv").read_text()
    capsys.readouterr()
    assert main(["segment", "a.nrrd", *given, "--output", "a.dcm"]) == 2
    assert "refers to the DICOM images it was made from" in capsys.readouterr().err
    assert not (tmp_path / "a.dcm").exists()
