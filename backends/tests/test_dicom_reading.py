"""Folders of DICOM images: which become one volume, which are refused, and what is said of them."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from dicom_series import write_series
from medsam_backends.errors import InputError
from medsam_backends.io import read_image


def dicom_series(folder: Path, uid: str, slices: int, name: str, rows: int = 4, brighter: int = 0) -> Path:
    folder.mkdir(exist_ok=True)
    for k in range(slices):
        image = sitk.GetImageFromArray(np.full((1, rows, 5), k + brighter, np.int16))
        image.SetSpacing((0.5, 0.6, 2.0))
        for key, value in {
            "0008|0060": "MR", "0008|103e": name, "0020|000d": "1.2.3", "0020|000e": uid,
            "0008|0018": f"{uid}.{k + 1}", "0020|0032": f"0\\0\\{2 * k}", "0020|0037": "1\\0\\0\\0\\1\\0",
            "0020|0013": str(k), "0018|0050": "2",
        }.items():  # fmt: skip
            image.SetMetaData(key, value)
        writer = sitk.ImageFileWriter()
        writer.KeepOriginalImageUIDOn()
        writer.SetFileName(str(folder / f"{uid}-{k}.dcm"))
        writer.Execute(image)
    return folder


def test_a_dicom_folder_is_a_volume_with_a_modality(tmp_path: Path) -> None:
    read = read_image(dicom_series(tmp_path / "series", "1.2.3.4", 3, "T1"))
    assert read.array[:, 0, 0].tolist() == [0, 1, 2]
    assert (read.modality, read.notes) == ("MR", ())
    np.testing.assert_allclose(read.spacing_mm, (0.5, 0.6, 2.0))


def test_of_several_series_the_largest_is_read_and_all_are_named(tmp_path: Path) -> None:
    dicom_series(tmp_path / "study", "1.2.3.4", 2, "scout")
    read = read_image(dicom_series(tmp_path / "study", "1.2.3.5", 3, "T1 fat"))
    assert read.array.shape[0] == 3
    assert read.notes == (
        "The folder holds 2 DICOM series: 'T1 fat' (3 images) is used as the largest, not 'scout' (2 images).",
    )


def test_missing_slices_of_a_series_are_told(tmp_path: Path) -> None:
    folder = dicom_series(tmp_path / "series", "1.2.3.4", 5, "T1")
    (folder / "1.2.3.4-1.dcm").unlink()
    assert read_image(folder).notes == (
        "Slices are missing or unevenly spaced (2 to 4 mm): lengths and volumes may be wrong.",
    )


def test_a_folder_of_series_is_answered_with_their_folders(tmp_path: Path) -> None:
    for name in ("b", "a"):
        (tmp_path / "CD" / "study" / name).mkdir(parents=True)
        dicom_series(tmp_path / "CD" / "study" / name, "1.2.3.4", 1, "T1")
    (tmp_path / "CD" / "DICOMDIR").write_bytes(b"index")
    named = f"such as {Path('study', 'a')}, {Path('study', 'b')}."
    with pytest.raises(InputError, match=re.escape(named)):
        read_image(tmp_path / "CD")


def test_copies_of_files_of_a_series_are_left_out(tmp_path: Path) -> None:
    folder = dicom_series(tmp_path / "series", "1.2.3.4", 5, "T1")
    for k in (1, 2, 3):
        shutil.copy(folder / f"1.2.3.4-{k}.dcm", folder / f"1.2.3.4-{k} (1).dcm")
    read = read_image(folder)
    assert read.array[:, 0, 0].tolist() == [0, 1, 2, 3, 4]
    assert [file.name[8] for file in read.files] == ["0", "1", "2", "3", "4"]
    np.testing.assert_allclose(read.spacing_mm, (0.5, 0.6, 2.0))
    [note] = read.notes
    assert note.startswith("Left out as copies of others: 3 of the folder's files, such as 1.2.3.4-")


def test_copies_leave_the_order_to_the_places_whatever_the_files_are_called(tmp_path: Path) -> None:
    folder = dicom_series(tmp_path / "series", "1.2.3.4", 5, "T1")
    for k in range(5):
        (folder / f"1.2.3.4-{k}.dcm").rename(folder / f"{9 - k}.dcm")
    shutil.copy(folder / "6.dcm", folder / "1.dcm")  # GDCM goes by names now, for no two images may have one place
    read = read_image(folder)
    assert read.array[:, 0, 0].tolist() == [0, 1, 2, 3, 4]
    assert read.direction[2, 2] == 1 and read.origin_mm[2] == 0
    assert [file.name for file in read.files] == ["9.dcm", "8.dcm", "7.dcm", "1.dcm", "5.dcm"]


def test_images_of_several_times_are_no_volume(tmp_path: Path) -> None:
    folder = dicom_series(tmp_path / "series", "1.2.3.4", 3, "dynamic")
    later = dicom_series(tmp_path / "later", "1.2.3.4", 3, "dynamic", brighter=50)
    for file in later.iterdir():
        file.replace(folder / f"later-{file.name}")
    with pytest.raises(InputError, match=r"holds 6 images of 3 places .* into a folder of their own"):
        read_image(folder)


def test_a_slice_taken_twice_is_told(tmp_path: Path) -> None:
    folder = dicom_series(tmp_path / "series", "1.2.3.4", 4, "T1")
    again = dicom_series(tmp_path / "again", "1.2.3.4", 4, "T1", brighter=50)
    (again / "1.2.3.4-3.dcm").replace(folder / "again.dcm")
    read = read_image(folder)
    assert read.array.shape[0] == 5
    assert read.notes == ("Slices are missing or unevenly spaced (0 to 2 mm): lengths and volumes may be wrong.",)


@pytest.mark.parametrize("lacking", ["the value", "the element"])
def test_a_slice_without_a_position_is_told(tmp_path: Path, lacking: str) -> None:
    pydicom = pytest.importorskip("pydicom", reason="the extra 'dicom' is not installed")
    folder = write_series(tmp_path / "series", np.zeros((4, 5, 5), np.int16))
    path = min(folder.iterdir())
    header = pydicom.dcmread(path)
    if lacking == "the value":
        header.ImagePositionPatient = None
    else:
        del header.ImagePositionPatient
    header.save_as(path)
    read = read_image(folder)
    assert read.array.shape == (4, 5, 5)
    assert read.notes == ("The slices' positions are not all stated: slices may be missing or unevenly spaced.",)


def test_damaged_files_of_a_series_are_told(tmp_path: Path) -> None:
    folder = dicom_series(tmp_path / "series", "1.2.3.4", 3, "T1")
    damaged = folder / "1.2.3.4-1.dcm"
    damaged.write_bytes(damaged.read_bytes()[:-30])
    [note] = read_image(folder).notes
    assert note == "Left out as damaged or no images: 1 of the folder's files, such as 1.2.3.4-1.dcm."


def test_slices_of_different_sizes_are_no_volume(tmp_path: Path) -> None:
    folder = dicom_series(tmp_path / "series", "1.2.3.4", 3, "T1")
    other = dicom_series(tmp_path / "other", "1.2.3.4", 3, "T1", rows=6)
    (other / "1.2.3.4-1.dcm").replace(folder / "1.2.3.4-1.dcm")
    with pytest.raises(InputError, match="cannot be read as one volume"):
        read_image(folder)


def test_a_single_dicom_file_is_one_slice(tmp_path: Path) -> None:
    folder = dicom_series(tmp_path / "series", "1.2.3.4", 1, "T1")
    read = read_image(next(folder.iterdir()))
    assert (read.array.shape, read.modality) == ((1, 4, 5), "MR")
