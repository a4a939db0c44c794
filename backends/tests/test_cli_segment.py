"""``medsamlite segment``: what it writes, says and refuses to overwrite."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from cases import BRICK_BOX, SHAPE, brick, process, save
from dicom_series import write_series
from medsam_backends.cli.main import main
from PIL import Image


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tiny: str) -> Path:
    """A folder with the brick as ``ct.nii.gz``, which is the current one."""
    monkeypatch.chdir(tmp_path)
    save(brick(), tmp_path / "ct.nii.gz")
    return tmp_path


def segment(*arguments: str) -> int:
    return main(["segment", *arguments, "--model", "tiny", "--threads", "1"])


def test_a_box_becomes_a_segmentation_a_report_and_a_preview(here: Path) -> None:
    done = process(
        *("segment", "ct.nii.gz", "--box", *BRICK_BOX, "--name", "Leber äü", "--model", "tiny"),
        *("--output", "out.seg.nrrd", "--report", "r.json", "--preview", "p.png"),
        cwd=here,
    )
    assert (done.returncode, done.stderr) == (0, ""), "and no progress bar in a pipe"
    assert "Leber äü" in done.stdout and "Written to out.seg.nrrd" in done.stdout
    image = sitk.ReadImage("out.seg.nrrd")
    np.testing.assert_array_equal(sitk.GetArrayFromImage(image), brick() == 200)
    assert image.GetMetaData("Segment0_Name") == "Leber äü"
    assert image.GetSpacing() == (1, 1, 2)
    report = json.loads((here / "r.json").read_text("utf-8"))
    [found] = report["segments"]
    assert (found["voxels"], found["volume_ml"], found["confidence"]) == (2052, pytest.approx(4.104), 0.75)
    assert [entry["index"] for entry in found["slices"]] == list(range(4, 13))
    assert report["model"]["id"] == "tiny" and report["model"]["licence"] == "CC0-1.0" and report["model"]["digest"]
    assert (report["rule"], report["axis"]) == ("litemedsam", "k")
    assert (report["preset"], report["window"]) == ("none", [0, 255])
    assert report["image"] == {"name": "ct.nii.gz", "size": [32, 32, 16], "spacing_mm": [1, 1, 2], "modality": None}
    times = report["time_s"]
    assert times["total"] == pytest.approx(sum(times[n] for n in ("load", "encode", "decode", "other")), abs=1e-3)
    assert sorted(os.listdir(here)) == ["ct.nii.gz", "out.seg.nrrd", "p.png", "r.json"]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows does not tell a process's peak")
def test_the_peak_memory_is_the_commands_and_not_that_of_who_started_it(here: Path) -> None:
    program = """
import subprocess, sys
import numpy as np
block = np.ones(100 * 2**20)
subprocess.run([sys.executable, "-m", "medsam_backends", *sys.argv[1:]], check=True)
"""
    given = ("segment", "ct.nii.gz", "--box", *BRICK_BOX, "--model", "tiny", "--threads", "1", "--report", "r.json")
    subprocess.run([sys.executable, "-c", program, *given], cwd=here, capture_output=True, check=True, timeout=120)
    assert 10 < json.loads((here / "r.json").read_text("utf-8"))["peak_memory_mib"] < 700


@pytest.mark.parametrize("ending", [".nii.gz", ".nrrd", ".nii", ".mha"])
def test_label_maps_number_the_boxes(here: Path, ending: str) -> None:
    assert (
        segment("ct.nii.gz", "--box", *BRICK_BOX, "--box", *["8", "6", "4", "9", "7", "5"], "--output", f"out{ending}")
        == 0
    )
    labels = sitk.GetArrayFromImage(sitk.ReadImage(f"out{ending}"))
    assert labels.shape == SHAPE and labels[4, 6, 8] == 2 and labels[12, 24, 19] == 1


def test_without_an_output_the_images_name_is_taken(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert segment("ct.nii.gz", "--box", *BRICK_BOX) == 0
    assert (here / "ct.seg.nrrd").is_file()
    assert segment("ct.nii.gz", "--box", *BRICK_BOX) == 2, "never replaced unasked"
    assert "ct.seg.nrrd exists: choose another name, or --force" in capsys.readouterr().err


def test_nothing_is_replaced_without_force(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("o.nrrd", "r.json", "p.png"):
        (here / name).write_text("mine")
    wanted = ["--output", "o.nrrd"], ["--output", "x.nrrd", "--report", "r.json"], ["--preview", "p.png"]
    for options in wanted:
        assert segment("ct.nii.gz", "--box", *BRICK_BOX, *options) == 2
        assert "exists: choose another name" in capsys.readouterr().err
    assert {(here / name).read_text() for name in ("o.nrrd", "r.json", "p.png")} == {"mine"}
    assert sorted(os.listdir(here)) == ["ct.nii.gz", "o.nrrd", "p.png", "r.json"]
    every = ["--output", "o.nrrd", "--report", "r.json", "--preview", "p.png"]
    assert segment("ct.nii.gz", "--box", *BRICK_BOX, *every, "--force") == 0
    assert (here / "p.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    "boxes",
    [
        ["--box", *BRICK_BOX, "ct.nii.gz"],
        ["--box=" + ",".join(BRICK_BOX), "ct.nii.gz"],
        ["--box", " ".join(BRICK_BOX), "ct.nii.gz"],
        ["ct.nii.gz", "--box", ",".join(BRICK_BOX)],
        ["ct.nii.gz", "--axis", "k", "--box", *BRICK_BOX, "--axis", "i"],
    ],
)
def test_a_box_may_stand_anywhere_and_be_written_in_several_ways(here: Path, boxes: list[str]) -> None:
    assert segment(*boxes, "--output", "o.nrrd") == 0
    np.testing.assert_array_equal(sitk.GetArrayFromImage(sitk.ReadImage("o.nrrd")), brick() == 200)


@pytest.mark.parametrize("axis", ["i", "j", "k"])
def test_any_axis_finds_the_brick(here: Path, axis: str) -> None:
    assert segment("ct.nii.gz", "--box", *BRICK_BOX, "--axis", axis, "--output", "o.nrrd") == 0
    np.testing.assert_array_equal(sitk.GetArrayFromImage(sitk.ReadImage("o.nrrd")), brick() == 200)


def test_a_2d_picture_takes_four_numbers(here: Path) -> None:
    grey, colour = brick()[6], np.repeat(brick()[6][..., None], 3, axis=2)
    Image.fromarray(grey).save("grey.png")
    Image.fromarray(colour).save("colour.png")
    for name in ("grey", "colour"):
        box = ["--box", "5", "3", "22", "27"]
        assert segment(f"{name}.png", *box, "--output", f"{name}-o.png", "--preview", f"{name}-p.png") == 0
        np.testing.assert_array_equal(np.asarray(Image.open(f"{name}-o.png")), grey == 200)
        preview = Image.open(f"{name}-p.png").convert("RGB")
        assert (230, 158, 0) in {color for _, color in preview.getcolors(1 << 20)}, "the contour's colour"


def test_a_slice_is_measured_in_pixels_and_where_its_spacing_is_known_in_mm2(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pixels = int((brick()[6] == 200).sum())
    Image.fromarray(brick()[6]).save("grey.png", dpi=(72, 72))
    save(brick()[6], here / "known.nrrd", spacing=(0.5, 2.0))
    save(brick()[6], here / "unknown.nrrd", spacing=(1.0, 1.0))
    said = {"grey.png": "pixels  conf", "unknown.nrrd": "pixels  conf", "known.nrrd": f"pixels  {pixels:>9.2f} mm2"}
    for name, size in said.items():
        box = ["--box", "5", "3", "22", "27", "--output", "o.nrrd", "--report", "r.json", "--force"]
        assert segment(name, *box) == 0
        assert f"{pixels} {size}" in capsys.readouterr().out
        [found] = json.loads((here / "r.json").read_text())["segments"]
        assert found["volume_ml"] is None and found["area_mm2"] == (pixels if name == "known.nrrd" else None)


def test_segments_of_one_name_are_told(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    boxes = ["--box", *BRICK_BOX, "--box", *BRICK_BOX, "--name", "a", "--name", "a"]
    assert segment("ct.nii.gz", *boxes) == 0
    assert "Note: 2 segments have the name 'a': only their order tells them apart." in capsys.readouterr().err


def test_a_preview_shows_true_proportions(here: Path) -> None:
    save(brick(), here / "flat.nrrd", spacing=(1, 1, 4))
    assert segment("flat.nrrd", "--box", *BRICK_BOX, "--output", "o.nrrd", "--preview", "p.png") == 0
    with Image.open("p.png") as picture:
        # 32 x 32 mm in the axial plane, 32 x 64 mm in the two others, drawn with 400 pixels along the longer side
        assert picture.size == (400 + 200 + 200 + 4 * 8, 400 + 22 + 2 * 8)


def test_more_segments_than_rows_and_empty_ones_can_be_drawn(here: Path) -> None:
    boxes = [part for n in range(10) for part in ("--box", "0", "0", str(n), "3", "3", str(n + 1))]
    assert segment("ct.nii.gz", *boxes, "--output", "o.seg.nrrd", "--preview", "p.png") == 0


def test_a_window_of_ones_own_needs_no_preset(here: Path) -> None:
    save(brick().astype(np.int16) * 10, here / "wide.nrrd")
    window = ["--level", "1275", "--width", "2550", "--report", "r.json"]
    assert segment("wide.nrrd", "--box", *BRICK_BOX, *window, "--output", "o.nrrd") == 0
    np.testing.assert_array_equal(sitk.GetArrayFromImage(sitk.ReadImage("o.nrrd")), brick() == 200)
    assert json.loads((here / "r.json").read_text())["preset"] == "manual"


def test_a_modality_that_the_file_does_not_tell_can_be_given(here: Path) -> None:
    save(brick().astype(np.int16), here / "a.nrrd")
    for modality, preset in (("CT", "abdomen"), ("PT", "pet"), ("MR", "mr")):
        options = ["--modality", modality, "--report", "r.json", "--output", "o.nrrd", "--force"]
        assert segment("a.nrrd", "--box", *BRICK_BOX, *options) == 0
        assert json.loads((here / "r.json").read_text())["preset"] == preset


def test_the_modality_of_a_dicom_image_chooses_the_preset(here: Path) -> None:
    write_series(here / "series", brick(), t0008_0060="PT")
    for given, preset in (([], "pet"), (["--modality", "MR"], "mr")):
        options = [*given, "--report", "r.json", "--output", "o.nrrd", "--force"]
        assert segment("series", "--box", *BRICK_BOX, *options) == 0
        assert json.loads((here / "r.json").read_text())["preset"] == preset


def test_a_box_that_was_clipped_and_one_without_a_find_are_told(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    boxes = ["--box", "-4", "6", "4", "19", "24", "99", "--box", "0", "0", "0", "3", "3", "3"]
    assert segment("ct.nii.gz", *boxes, "--report", "r.json") == 0
    told = capsys.readouterr().err
    assert "Segment 1: The box reached beyond the image and was clipped" in told
    assert "Segment 2: Nothing was found in this box." in told
    first, second = json.loads((here / "r.json").read_text())["segments"]
    assert first["messages"] and second["voxels"] == 0


def test_overlaps_that_a_label_map_cannot_keep_are_told(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    boxes = ["--box", *BRICK_BOX, "--box", *BRICK_BOX, "--name", "a", "--name", "b"]
    assert segment("ct.nii.gz", *boxes, "--output", "o.nii.gz") == 0
    assert "'a' and 'b' overlap" in capsys.readouterr().err


def test_the_progress_bar_is_drawn_on_a_terminal_only(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from medsam_backends.cli.progress_bar import progress_bar
    from medsam_backends.segmenter import Progress

    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    with progress_bar() as progress:
        assert progress is not None
        progress(Progress(1, 9, 0))
    monkeypatch.setattr(sys.stderr, "isatty", lambda: False, raising=False)
    with progress_bar() as progress:
        assert progress is None


@pytest.mark.parametrize("slices", [0, 3, 8])
def test_ctrl_c_at_any_slice_writes_nothing(here: Path, monkeypatch: pytest.MonkeyPatch, slices: int) -> None:
    from medsam_backends.sam import SamBackend

    decode, calls = SamBackend.decode, []

    def interrupted(self, embedding, prompts):
        if len(calls) == slices:
            raise KeyboardInterrupt
        calls.append(1)
        return decode(self, embedding, prompts)

    monkeypatch.setattr(SamBackend, "decode", interrupted)
    assert segment("ct.nii.gz", "--box", *BRICK_BOX, "--report", "r.json", "--preview", "p.png") == 130
    assert os.listdir(here) == ["ct.nii.gz"]


_AT_WORK = """
import signal, sys
from medsam_backends.cli.main import main
from medsam_backends.sam import SamBackend
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell may start tests with it ignored
decode = SamBackend.decode
def first(self, embedding, prompts):
    SamBackend.decode = decode
    print("at work", flush=True)
    return decode(self, embedding, prompts)
SamBackend.decode = first
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT for one process")
def test_ctrl_c_ends_the_process_with_130_and_leaves_no_file(here: Path) -> None:
    save(np.repeat(brick(), 1000, axis=0), here / "long.nrrd")
    box = ["--box", "0", "0", "0", "31", "31", "15999"]
    command = [sys.executable, "-c", _AT_WORK, "segment", "long.nrrd", *box, "--model", "tiny", "--cache", "1"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8") as child:
        assert child.stdout is not None and child.stdout.readline() == "at work\n"
        child.send_signal(signal.SIGINT)
        told = child.communicate(timeout=60)[1]
    assert (child.returncode, told.strip()) == (130, "Cancelled: nothing was written.")
    assert sorted(os.listdir(here)) == ["ct.nii.gz", "long.nrrd"]
