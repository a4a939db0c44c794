"""``medsamlite batch`` in one process: what it makes, keeps, makes again, and tells of cases that fail."""

import csv
import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from cases import BRICK_BOX, brick, save
from medsam_backends.cli.main import main
from medsam_backends.cohort import crew, worker

BOX = " ".join(BRICK_BOX)
OTHER = "0 0 0 12 12 8"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tiny: str) -> Path:
    """The current folder, with four images."""
    monkeypatch.chdir(tmp_path)
    for n, name in enumerate(("a.nii.gz", "b.nrrd", "c.mha", "d.nii")):
        save(np.roll(brick(), n, axis=2), tmp_path / name)
    return tmp_path


def table(text: str) -> None:
    Path("cases.csv").write_text(text, "utf-8")


def batch(*options: str, output: str = "out") -> int:
    return main(["batch", "cases.csv", "--output", output, "--model", "tiny", "--workers", "0", *options])


def rows(name: str, output: str = "out") -> list[dict[str, str]]:
    with open(Path(output, name), encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def test_every_case_is_byte_by_byte_what_the_single_command_makes(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table(
        "image,box,names,output,preset,axis,level,width\n"
        f"a.nii.gz,{BOX};{OTHER},brick;other one,a.seg.nrrd,,,,\n"
        f"b.nrrd,{BOX},,b.nii.gz,mr,,,\n"
        f"c.mha,{BOX},,deep/er/c.nrrd,,j,,\n"
        f"d.nii,{BOX},,d.nii,,,150,200\n"
    )
    assert batch("--threads-per-worker", "1") == 0
    assert "4 of 4 cases are segmented" in capsys.readouterr().out
    singles: dict[str, list[str]] = {
        "a.seg.nrrd": ["a.nii.gz", "--box", *OTHER.split(), "--name", "brick", "--name", "other one"],
        "b.nii.gz": ["b.nrrd", "--preset", "mr"],
        "c.nrrd": ["c.mha", "--axis", "j"],
        "d.nii": ["d.nii", "--level", "150", "--width", "200"],
    }
    (here / "single").mkdir()
    for output, given in singles.items():
        options = ["--box", *BRICK_BOX, *given, "--model", "tiny", "--threads", "1", "--output", f"single/{output}"]
        assert main(["segment", *options]) == 0
        made = next((here / "out").rglob(output))
        assert made.read_bytes() == (here / "single" / output).read_bytes()
    assert (here / "out" / "deep" / "er" / "c.nrrd").is_file()


def test_the_tables_tell_times_volumes_and_failures(here: Path) -> None:
    table(f"image,box,names\na.nii.gz,{BOX};0 0 0 2 2 2,Leber ä\nb.nrrd,900 900 0 950 950 3,\nno.nrrd,{BOX},\n")
    assert batch() == 1
    [case] = rows("batch.csv")
    assert (case["line"], case["image"], case["output"], case["state"]) == ("2", "a.nii.gz", "a.seg.nrrd", "made")
    assert (case["attempts"], case["segments"], case["model"], case["worker"]) == ("1", "2", "tiny", str(os.getpid()))
    parts = sum(float(case[f"{name}_s"]) for name in ("load", "encode", "decode", "other"))
    assert float(case["total_s"]) == pytest.approx(parts, abs=1e-3)
    first, second = rows("segments.csv")
    assert (first["name"], first["voxels"], first["volume_ml"]) == ("Leber ä", "2052", "4.104")
    assert (second["name"], second["voxels"]) == ("Segment 2", "0")
    assert "Nothing was found" in second["messages"]
    outside, missing = rows("failed.csv")
    assert (outside["line"], outside["image"]) == ("3", "b.nrrd") and "lies outside the volume" in outside["reason"]
    assert missing["line"] == "4" and "There is no file or folder" in missing["reason"]


def test_the_tables_have_the_form_of_the_cohorts_own(here: Path) -> None:
    Path("cases.csv").write_text(f"image;box;name\r\na.nii.gz;{BOX};Läsion\r\nno.nrrd;{BOX};\r\n", "utf-8-sig")
    assert batch() == 1
    for name in ("batch.csv", "segments.csv", "failed.csv"):
        assert Path("out", name).read_bytes().startswith(b"\xef\xbb\xbfline;image;output;")
    [segment] = csv.DictReader(Path("out/segments.csv").read_text("utf-8-sig").splitlines(), delimiter=";")
    assert (segment["name"], segment["volume_ml"]) == ("Läsion", "4,104")


def test_a_log_hears_how_far_the_cohort_is(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    table("image,box\n" + f"a.nii.gz,{BOX}\nb.nrrd,{BOX}\n")
    assert batch() == 0
    assert "cases done" not in capsys.readouterr().err, "within the first minute"
    monkeypatch.setattr("medsam_backends.cli.progress_bar._LINES_S", 0.0)
    assert batch(output="again") == 0
    assert capsys.readouterr().err.splitlines()[-2:] == ["1 of 2 cases done", "2 of 2 cases done"]


def test_failures_name_images_and_outputs_as_the_table_does(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "deep").mkdir()
    (here / "deep" / "empty.nrrd").touch()
    (here / "out").mkdir()
    Path("out/b.nrrd").write_text("mine")
    Path("out/sub").write_text("in the way of a folder")
    wrong = "deep/empty.nrrd,,\nno.nrrd,,\nb.nrrd,b.nrrd,\na.nii.gz,sub/a.nrrd,\nc.mha,,nowhere\n"
    table("image,output,model,box\n" + wrong.replace("\n", f",{BOX}\n"))
    assert batch("--retries", "0") == 1
    reasons = [row["reason"] for row in rows("failed.csv")]
    assert len(reasons) == 5 and "deep/empty.nrrd" in reasons[0] and "no.nrrd" in reasons[1] and "sub" in reasons[3]
    assert reasons[2].startswith("b.nrrd exists")
    assert str(here) not in Path("out/failed.csv").read_text() + capsys.readouterr().err


def test_wrong_rows_are_told_before_the_work_begins(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table(f"image,box,model\na.nii.gz,{BOX},none-such\nb.nrrd,1 2 3,\nc.mha,{BOX},\n")
    assert batch() == 1
    told = capsys.readouterr().err
    assert "2 of 3 rows cannot be segmented:" in told
    assert "line 2     a.nii.gz  There is no model 'none-such'" in told
    assert "line 3     b.nrrd    A box of 3 numbers" in told
    assert os.listdir("out/records") == ["c.seg.nrrd.json"]


def test_a_second_run_keeps_what_is_done(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table(f"image,box\na.nii.gz,{BOX}\nb.nrrd,{BOX}\n")
    assert batch() == 0
    before = {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in (here / "out").rglob("*.seg.nrrd")}
    times = [row["total_s"] for row in rows("batch.csv")]
    table(f"image,box\na.nii.gz,{BOX}\nb.nrrd,{BOX}\nc.mha,{BOX}\n")
    capsys.readouterr()
    assert batch() == 0
    assert "3 of 3 cases are segmented, 2 of them before" in capsys.readouterr().out
    assert [row["state"] for row in rows("batch.csv")] == ["kept", "kept", "made"]
    assert [row["total_s"] for row in rows("batch.csv")][:2] == times
    assert {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in before} == before


def _preset() -> None:
    table(f"image,box,preset\na.nii.gz,{BOX},mr\n")


def _box() -> None:
    table(f"image,box\na.nii.gz,{OTHER}\n")


def _names() -> None:
    table(f"image,box,names\na.nii.gz,{BOX},liver\n")


def _image() -> None:
    save(np.roll(brick(), 5, axis=0), Path("a.nii.gz"))


@pytest.mark.parametrize(("change", "told"), [(_preset, "preset"), (_box, "box"), (_names, "names"), (_image, "image")])
def test_what_was_made_otherwise_is_refused_and_made_again_by_force(
    here: Path, change: Callable[[], None], told: str
) -> None:
    table(f"image,box\na.nii.gz,{BOX}\n")
    assert batch() == 0
    before = Path("out/a.seg.nrrd").read_bytes()
    change()
    assert batch() == 1
    assert f"was made with other settings ({told})" in rows("failed.csv")[0]["reason"]
    assert Path("out/a.seg.nrrd").read_bytes() == before
    assert batch("--force") == 0
    assert [row["state"] for row in rows("batch.csv")] == ["made"] and rows("failed.csv") == []
    assert batch() == 0
    assert [row["state"] for row in rows("batch.csv")] == ["kept"]


def test_a_file_of_somebody_else_is_not_replaced(here: Path) -> None:
    (here / "out").mkdir()
    Path("out/a.seg.nrrd").write_text("mine")
    table(f"image,box\na.nii.gz,{BOX}\nb.nrrd,{BOX}\n")
    assert batch() == 1
    assert "a.seg.nrrd exists: choose another folder" in rows("failed.csv")[0]["reason"]
    assert Path("out/a.seg.nrrd").read_text() == "mine" and Path("out/b.seg.nrrd").is_file()
    assert batch("--force") == 0
    assert Path("out/a.seg.nrrd").read_bytes().startswith(b"NRRD")


def _dead_worker(record: Path) -> None:
    """As a worker leaves things that is killed after the output took its place."""
    record.write_text(json.dumps(json.loads(record.read_text()) | {"report": None}))
    (record.parent / "a.seg.nrrd.part").mkdir()
    (record.parent / "a.seg.nrrd.part" / ".half").write_text("half")


def _damaged(record: Path) -> None:
    record.write_text("{")


def _deleted(record: Path) -> None:
    Path("out/a.seg.nrrd").unlink()


@pytest.mark.parametrize("harm", [_dead_worker, _damaged, _deleted])
def test_what_is_not_known_to_be_done_is_made_again(here: Path, harm: Callable[[Path], None]) -> None:
    table(f"image,box\na.nii.gz,{BOX}\n")
    assert batch() == 0
    before = Path("out/a.seg.nrrd").read_bytes()
    harm(Path("out/records/a.seg.nrrd.json"))
    assert batch() == 0
    assert [row["state"] for row in rows("batch.csv")] == ["made"]
    assert Path("out/a.seg.nrrd").read_bytes() == before
    assert os.listdir("out/records") == ["a.seg.nrrd.json"]


def test_a_failure_that_may_pass_is_tried_again_behind_the_others(here: Path) -> None:
    (here / "out").mkdir()
    Path("out/sub").write_text("in the way of a folder")
    table(f"image,box,output\na.nii.gz,{BOX},sub/a.nrrd\nb.nrrd,{BOX},b.nrrd\n")
    assert batch("--retries", "2") == 1
    assert "(tried 3 times)" in rows("failed.csv")[0]["reason"]
    assert [row["output"] for row in rows("batch.csv")] == ["b.nrrd"]
    Path("out/sub").unlink()
    assert batch() == 0


def test_a_format_that_does_not_fit_the_image_is_not_tried_again(here: Path) -> None:
    pytest.importorskip("highdicom", reason="the extra 'dicom' is not installed")
    table(f"image,box,output\na.nii.gz,{BOX},a.dcm\nb.nrrd,{BOX},b.png\n")
    assert batch() == 1
    reasons = [row["reason"] for row in rows("failed.csv")]
    assert reasons[0].endswith("this image is none: choose .seg.nrrd or .nii.gz.")
    assert reasons[1].startswith("A .png holds one slice") and reasons[1].endswith("or .nrrd.")


def test_a_read_only_folder_is_refused_before_any_case(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (here / "out").mkdir()
    table(f"image,box\na.nii.gz,{BOX}\n")
    writable = os.access  # not by chmod: the tests may run as a user who may write anywhere
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path).name != "out" and writable(path, mode))
    assert batch() == 2
    assert "is read-only: choose another." in capsys.readouterr().err
    assert os.listdir("out") == []


def test_a_damaged_image_is_not_tried_again_and_stops_nobody(here: Path) -> None:
    image = Path("a.nii.gz")
    image.write_bytes(image.read_bytes()[:-40])
    table(f"image,box\na.nii.gz,{BOX}\nb.nrrd,{BOX}\n")
    assert batch() == 1
    [failed] = rows("failed.csv")
    assert "damaged or incomplete" in failed["reason"] and "tried" not in failed["reason"]
    assert len(rows("batch.csv")) == 1


def test_the_model_is_loaded_once_for_all_cases(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    open_model = worker.open_model

    def counted(model: str, *options: object):
        opened.append(model)
        return open_model(model, *options)

    monkeypatch.setattr(worker, "open_model", counted)
    table(f"image,box\na.nii.gz,{BOX}\nb.nrrd,{BOX}\nc.mha,{BOX}\n")
    assert batch() == 0
    assert opened == ["tiny"]


def test_a_runtime_is_chosen_for_all_cases(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("openvino")
    chosen: list[object] = []
    open_model = worker.open_model

    def noted(model: str, *options: object):
        chosen.append(options[0])
        return open_model(model, *options)

    monkeypatch.setattr(worker, "open_model", noted)
    table(f"image,box\na.nii.gz,{BOX}\n")
    assert batch("--runtime", "openvino") == 0
    assert chosen == ["openvino"]


def test_ctrl_c_keeps_what_is_done_and_the_next_run_goes_on(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    read_image = worker.read_image

    def interrupted(path: Path):
        if path.name == "b.nrrd":
            raise KeyboardInterrupt
        return read_image(path)

    table(f"image,box\na.nii.gz,{BOX}\nb.nrrd,{BOX}\nc.mha,{BOX}\n")
    with monkeypatch.context() as patch:
        patch.setattr(worker, "read_image", interrupted)
        assert batch() == 130
    told = capsys.readouterr()
    assert "1 of 3 cases are segmented" in told.out and "the same command again goes on" in told.err
    assert [row["line"] for row in rows("batch.csv")] == ["2"]
    assert batch() == 0
    assert [row["state"] for row in rows("batch.csv")] == ["kept", "made", "made"]


def test_a_dicom_folder_becomes_a_segmentation_like_any_other(here: Path) -> None:
    from dicom_series import write_series

    write_series(here / "series", brick())
    table(f"image,box,output\nseries,{BOX},s.nii.gz\n")
    assert batch() == 0
    np.testing.assert_array_equal(sitk.GetArrayFromImage(sitk.ReadImage("out/s.nii.gz")), brick() == 200)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--workers", "0", "--memory-limit", "2GB"], "--memory-limit needs workers of their own"),
        (["--workers", "1", "--scheduler", "tcp://x:1"], "--scheduler has its own workers"),
        (["--workers", "1", "--memory-limit", "much"], "The memory limit 'much' is not understood"),
        (["--workers", "1", "--memory-limit", "20MB"], "does not suffice for a worker"),
        (["--format", ".doc"], "names no format"),
        (["--runtime", "steam"], "steam"),
    ],
)
def test_options_that_do_not_fit_are_one_sentence(
    here: Path, capsys: pytest.CaptureFixture[str], options: list[str], told: str
) -> None:
    pytest.importorskip("distributed")
    table(f"image,box\na.nii.gz,{BOX}\n")
    assert main(["batch", "cases.csv", "--output", "out", "--model", "tiny", *options]) == 2
    said = capsys.readouterr().err
    assert told in said and len(said.splitlines()) == 1


def test_without_dask_one_process_is_offered(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(crew.util, "find_spec", lambda name: None)
    table(f"image,box\na.nii.gz,{BOX}\n")
    assert main(["batch", "cases.csv", "--output", "out", "--model", "tiny"]) == 2
    assert "pip install 'dask[distributed]', or work in one process by --workers 0" in capsys.readouterr().err
