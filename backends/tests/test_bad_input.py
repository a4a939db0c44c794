"""Bad input on the command line: exit status 2, one sentence that says what to do, and no file."""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
import tiny_models
from cases import BRICK_BOX, SHAPE, brick, process, save
from medsam_backends.cli.main import main


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tiny: str) -> Path:
    monkeypatch.chdir(tmp_path)
    save(brick(), tmp_path / "ct.nrrd")
    return tmp_path


def refused(capfd: pytest.CaptureFixture[str], *arguments: str) -> str:
    """The sentence with which the command refuses; asserts that it is one, and that nothing was written."""
    before = sorted(os.listdir())
    capfd.readouterr()
    status = main(["segment", "--model", "tiny", *arguments])
    told = capfd.readouterr()
    assert (status, told.out) == (2, "")
    assert told.err.count("\n") == 1 and "Traceback" not in told.err and "Unexpected" not in told.err, told.err
    assert sorted(os.listdir()) == before
    return told.err


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ("--box 40 0 0 50 9 9", "lies outside the volume along i, whose voxels are 0 to 31"),
        ("--box -9 -9 -9 -1 -1 -1", "lies outside the volume"),
        ("--box 9 9 9 5 12 12", "inverted along i (9 comes after 5)"),
        ("--box 1 1 1 5 5", "--box has 5 numbers"),
        ("--box", "--box has 0 numbers"),
        ("--box 1 2 x 4 5 6", "--box has 2 numbers, then 'x'"),
        ("--box=1,2,x,4,5,6", "not a number"),
        ("--box=1,2,3", "A box of 3 numbers"),
        ("--box 1 1 1.5 5 5 5", "whole numbers"),
        ("--box 1 1 nan 5 5 5", "whole numbers"),
        ("--box 1 1 1 5 5 1e999", "whole numbers"),
        ("--box 1 1 5 5", "The image has 16 slices: give each box as i0 j0 k0 i1 j1 k1"),
        ("", "Missing option '--box'"),
        ("--box 1 1 1 5 5 5 --name a --name b", "There are more names (2) than boxes (1)"),
        ("--box 1 1 1 5 5 5 --modality XX", "No model knows a modality 'XX': give one of CT, MR, PET"),
        ("--box 1 1 1 5 5 5 --cache nan", "nan is no size: give a number of megabytes"),
        ("--box 1 1 1 5 5 5 --disk-cache inf", "inf is no size"),
        ("--box 1 1 1 5 5 5 --preset liverish", "There is no preset 'liverish': choose one of auto, abdomen"),
        ("--box 1 1 1 5 5 5 --preset liver --level 3", "Level and width belong to the preset 'manual'"),
        ("--box 1 1 1 5 5 5 --level 3", "needs a level and a width"),
        ("--box 1 1 1 5 5 5 --level 3 --width -2", "are no window"),
        ("--box 1 1 1 5 5 5 --level x --width 2", "'x' is not a valid float"),
        ("--box 1 1 1 5 5 5 --model nothing", "There is no model 'nothing': the models found are"),
        ("--box 1 1 1 5 5 5 --rule magic", "There is no propagation rule 'magic': choose one of track"),
        ("--box 1 1 1 5 5 5 --axis z", "There is no axis 'z': choose i, j or k"),
        ("--box 1 1 1 5 5 5 --cache -1", "-1"),
        ("--box 1 1 1 5 5 5 --threads -1", "-1"),
        ("--box 1 1 1 5 5 5 --colour red", "No such option"),
        ("--box 1 1 1 5 5 5 --output out.txt", "names no format: use one of .seg.nrrd"),
        ("--box 1 1 1 5 5 5 --output out.png", "A .png holds one slice, this is a volume"),
        ("--box 1 1 1 5 5 5 --output no/such/o.nrrd", "does not exist: create it first"),
        ("--box 1 1 1 5 5 5 --report r.txt", "'r.txt' must end in .json"),
        ("--box 1 1 1 5 5 5 --report no/r.json", "does not exist: create it first"),
        ("--box 1 1 1 5 5 5 --preview p.jpg", "'p.jpg' must end in .png"),
        ("--box 1 1 1 5 5 5 --output o.png --preview o.png", "cannot go to one file"),
    ],
)
def test_a_wrong_option_is_one_sentence(
    here: Path, capfd: pytest.CaptureFixture[str], arguments: str, sentence: str
) -> None:
    assert sentence in refused(capfd, "ct.nrrd", *arguments.split())


def _complex(folder: Path) -> Path:
    return save(np.ones(SHAPE, np.complex64), folder / "a.nrrd")


def _four(folder: Path) -> Path:
    path = folder / "a.nii"
    sitk.WriteImage(sitk.JoinSeries([sitk.GetImageFromArray(brick())] * 2), str(path))
    return path


def _text(folder: Path) -> Path:
    (folder / "a.nii.gz").write_text("no image")
    return folder / "a.nii.gz"


def _empty_file(folder: Path) -> Path:
    (folder / "a.nii").touch()
    return folder / "a.nii"


def _empty_folder(folder: Path) -> Path:
    (folder / "a").mkdir()
    return folder / "a"


def _all_nan(folder: Path) -> Path:
    return save(np.full(SHAPE, np.nan, np.float32), folder / "a.nrrd")


def _all_nan_as_nifti(folder: Path) -> Path:
    return save(np.full(SHAPE, np.nan, np.float32), folder / "a.nii.gz")


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda folder: folder / "nothing.nii", "There is no file or folder"),
        (lambda folder: folder / ("x" * 4000), "There is no file or folder"),
        (_text, "is not an image"),
        (_empty_file, "is empty"),
        (_empty_folder, "holds no DICOM images"),
        (_four, "4-dimensional"),
        (_complex, "complex numbers"),
        (_all_nan, "no finite value"),
        (_all_nan_as_nifti, "no finite value"),
    ],
)
def test_a_file_that_cannot_be_segmented_is_one_sentence(
    here: Path, capfd: pytest.CaptureFixture[str], make: Callable[[Path], Path], sentence: str
) -> None:
    path = make(here)
    assert sentence in refused(capfd, str(path), "--box", *BRICK_BOX, "--output", "o.nrrd")


@pytest.mark.parametrize(
    "array",
    [
        np.full(SHAPE, 7, np.int16),
        np.zeros(SHAPE, np.float32),
        np.where(brick() == 200, 1, 0).astype(np.uint8),
        brick().astype(np.int64) * 10**12,
        brick().astype(np.float64) * 1e300,
        brick().astype(np.float32) - 1000,
        np.where(brick() == 200, np.iinfo(np.int16).max, np.iinfo(np.int16).min).astype(np.int16),
        np.where(brick() == 200, np.finfo(np.float32).max, np.finfo(np.float32).min).astype(np.float32),
        np.where(brick() == 200, np.nan, 5).astype(np.float32),
        np.where(brick() == 20, -np.inf, 5).astype(np.float32),
    ],
    ids=[
        "constant",
        "zero",
        "1-bit",
        "int64",
        "float64",
        "negative",
        "int16 limits",
        "float limits",
        "some nan",
        "inf",
    ],
)
def test_odd_voxels_are_segmented_without_a_word(
    here: Path, capfd: pytest.CaptureFixture[str], array: np.ndarray
) -> None:
    save(array, here / "odd.nrrd")
    capfd.readouterr()
    assert (
        main(
            ["segment", "odd.nrrd", "--model", "tiny", "--box", *BRICK_BOX, "--output", "o.nrrd", "--preview", "p.png"]
        )
        == 0
    )
    told = capfd.readouterr().err
    assert "Warning" not in told and all(line.startswith("Note: ") for line in told.splitlines())


def _holes(value: float, dtype: type = np.float32) -> np.ndarray:
    volume = brick().astype(dtype)
    volume[5:7, 8:10, 9:12] = value
    return volume


@pytest.mark.parametrize("name", ["holes.nii.gz", "holes.nii", "holes.nrrd"])
@pytest.mark.parametrize("array", [_holes(np.nan), _holes(np.inf, np.float64)], ids=["nan", "inf"])
def test_voxels_that_are_no_numbers_are_told(
    here: Path, capsys: pytest.CaptureFixture[str], name: str, array: np.ndarray
) -> None:
    save(array, here / name)
    assert main(["segment", name, "--model", "tiny", "--box", *BRICK_BOX, "--output", "o.nrrd"]) == 0
    told = capsys.readouterr().err
    assert f"Voxels {'of the image' if '.nii' in name else 'in this box'} are not numbers" in told and ": 12." in told


def test_zeros_of_a_nifti_file_are_numbers(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    save(_holes(0), here / "whole.nii.gz")
    assert main(["segment", "whole.nii.gz", "--model", "tiny", "--box", *BRICK_BOX, "--output", "o.nrrd"]) == 0
    assert capsys.readouterr().err == ""


def test_slices_without_contrast_are_told(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    save(np.full(SHAPE, 7, np.int16), here / "flat.nrrd")
    wanted = {"flat.nrrd": [[]], "ct.nrrd": [["--level", "5000", "--width", "10"], ["--preset", "none"]]}
    told = []
    for name, windows in wanted.items():
        for window in windows:
            given = [name, "--box", *BRICK_BOX, *window, "--output", "o.nrrd", "--force", "--model", "tiny"]
            assert main(["segment", *given]) == 0
            told.append("The slices of this box have no contrast" in capsys.readouterr().err)
    assert told == [True, True, False], "a flat object in a slice with contrast is none of it"


def test_a_single_slice_a_single_voxel_and_names_in_any_script(here: Path) -> None:
    deep = here.joinpath(*(f"Ordner mit Umläuten äöü {n} 名前" for n in range(6)))
    deep.mkdir(parents=True)
    image = save(brick()[6:7], deep / "Büld 影像.nrrd")
    box, output = ["--box", "8", "6", "0", "8", "6", "0"], deep / "Erg 結果.seg.nrrd"
    assert main(["segment", str(image), *box, "--name", "肝臓", "--model", "tiny", "--output", str(output)]) == 0
    labels = sitk.GetArrayFromImage(sitk.ReadImage(str(output)))
    assert labels.sum() == labels[0, 6, 8] == 1


def test_a_folder_is_no_output(here: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (here / "results").mkdir()
    assert "results is a folder: give a file name." in refused(
        capfd, "ct.nrrd", "--box", *BRICK_BOX, "--output=results", "--force"
    )


@pytest.mark.parametrize("option", ["--output=x/o.nrrd", "--report=x/r.json", "--preview=x/p.png"])
def test_a_read_only_folder_is_refused(
    here: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, option: str
) -> None:
    (here / "x").mkdir()
    writable = os.access  # not by chmod: the tests may run as a user who may write anywhere
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path).name != "x" and writable(path, mode))
    assert "is read-only: choose another" in refused(capfd, "ct.nrrd", "--box", *BRICK_BOX, option)


@pytest.mark.parametrize("option", ["--output=x.nrrd", "--report=x.json", "--preview=x.png"])
def test_a_folder_in_the_place_of_a_file_is_refused(here: Path, capfd: pytest.CaptureFixture[str], option: str) -> None:
    (here / option.split("=")[1]).mkdir()
    assert "is a folder: give a file name" in refused(capfd, "ct.nrrd", "--box", *BRICK_BOX, option, "--force")


@pytest.mark.parametrize("name", ["o.seg.nrrd", "o.nii.gz", "r.json", "p.png"])
def test_a_full_disk_is_told_and_leaves_no_part_of_a_file(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    from medsam_backends import segmentation_writer

    def full(source: object, target: object) -> None:
        if Path(str(target)).name == name:
            raise OSError(28, "No space left on device")
        os.rename(source, target)

    monkeypatch.setattr(segmentation_writer.os, "replace", full)
    output = name if name.startswith("o.") else "o.nrrd"
    given = ["--output", output, "--report", "r.json", "--preview", "p.png"]
    assert main(["segment", "ct.nrrd", "--model", "tiny", "--box", *BRICK_BOX, *given]) == 2
    told = capsys.readouterr().err
    assert name in told and "could not be written (No space left on device)" in told
    assert name not in os.listdir() and not [file for file in os.listdir() if file.startswith(".")]


def _truncated(folder: Path) -> None:
    path = folder / "encoder.onnx"
    path.write_bytes(path.read_bytes()[:-20])
    tiny_models.write_manifest(folder)


def _missing(folder: Path) -> None:
    (folder / "decoder.onnx").unlink()


def _changed(folder: Path) -> None:
    with open(folder / "decoder.onnx", "ab") as file:
        file.write(b"\0")


def _swapped(folder: Path) -> None:
    tiny_models.save(tiny_models.sam_decoder(), folder / "encoder.onnx")
    tiny_models.write_manifest(folder)


def _newer(folder: Path) -> None:
    tiny_models.write_manifest(folder, edit=lambda raw: raw.update(schema_version=99))


def _mis_sized(folder: Path) -> None:
    tiny_models.write_manifest(folder, edit=lambda raw: raw["input"].update(size=48))


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (_truncated, "encoder.onnx"),
        (_missing, "lacks its file decoder.onnx"),
        (_changed, "SHA-256 differs"),
        (_swapped, "has no tensor image"),
        (_newer, "update MedSAMLite"),
        (_mis_sized, "encoder.onnx failed on its input"),
    ],
)
def test_a_broken_model_is_one_sentence(
    here: Path, models_folder: Path, capfd: pytest.CaptureFixture[str], damage: Callable[[Path], None], sentence: str
) -> None:
    damage(models_folder / "tiny")
    assert sentence in refused(capfd, "ct.nrrd", "--box", *BRICK_BOX)


def test_a_traceback_is_shown_with_debug_only(here: Path) -> None:
    given = ["segment", "nothing.nii", "--box", *BRICK_BOX]
    plain, debug = process(*given, cwd=here), process(*given, "--debug", cwd=here)
    assert (plain.returncode, debug.returncode) == (2, 2)
    assert plain.stderr.count("\n") == 1 and "Traceback" in debug.stderr


def test_an_error_that_nobody_foresaw_is_a_sentence_too(
    here: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from medsam_backends import io

    monkeypatch.setattr(io, "read_image", lambda path: 1 / 0)
    assert main(["segment", "ct.nrrd", "--box", *BRICK_BOX]) == 2
    assert capfd.readouterr().err == "Unexpected ZeroDivisionError: division by zero; --debug shows where.\n"
    assert main(["segment", "ct.nrrd", "--box", *BRICK_BOX, "--debug"]) == 2
    assert "Traceback" in capfd.readouterr().err


def test_too_little_memory_is_a_sentence(
    here: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from medsam_backends import io

    def exhausted(path: str) -> None:
        raise MemoryError

    monkeypatch.setattr(io, "read_image", exhausted)
    assert main(["segment", "ct.nrrd", "--box", *BRICK_BOX]) == 2
    assert "memory of this computer does not suffice" in capfd.readouterr().err
