"""``medsamlite evaluate``: what it writes, how it is taken up again, and what a failing case does."""

import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from cases import brick, save
from medsam_backends.cli.main import main
from medsam_backends.errors import OutputError
from medsam_backends.evaluation import records, runner
from medsam_backends.evaluation.metrics import dice
from medsam_backends.evaluation.prompts import Boxes
from medsam_backends.evaluation.runner import Plan, evaluate


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A picture of two objects and a volume of one."""
    folder = tmp_path / "data"
    folder.mkdir()
    truth = np.zeros((48, 64), np.uint8)
    truth[5:20, 5:30], truth[25:45, 40:60] = 1, 2
    np.savez(folder / "2DBox_US_a_1.npz", imgs=(truth > 0).astype(np.uint8) * 200, gts=truth)
    save(brick().astype(np.int16), folder / "MR_b_1.nii.gz")
    save((brick() == 200).astype(np.uint8), folder / "MR_b_1_seg.nii.gz")
    return folder


def command(data: Path, *options: str) -> int:
    return main(["evaluate", str(data), "--output", str(data.parent / "out"), "--threads", "1", *options])


def written(data: Path, name: str = "cases.csv") -> list[dict[str, str]]:
    with open(data.parent / "out" / name, newline="") as stream:
        return list(csv.DictReader(stream))


def test_every_label_is_scored_and_every_mean_printed(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command(data, "--model", "otsu-box", "--model", "ellipse", "--boxes", "loose", "--save-predictions") == 0
    rows = written(data)
    names = [(row["model"], row["case"], row["label"]) for row in rows]
    assert names == [
        (model, case, label)
        for model in ("otsu-box", "ellipse")
        for case, label in (("2DBox_US_a_1", "1"), ("2DBox_US_a_1", "2"), ("MR_b_1", "1"))
    ]
    assert [float(row["dsc"]) for row in rows[:3]] == [1, 1, 1], "two grey values are all that Otsu needs"
    assert all(0.5 < float(row["dsc"]) < 1 for row in rows[3:])
    assert all(float(row["seconds"]) >= float(row["encode_s"]) + float(row["decode_s"]) - 1e-5 for row in rows)
    assert [row["modality"] for row in written(data, "summary.csv")][:5] == ["MR", "US", "MR", "US", "mean"]
    assert "1.0000" in capsys.readouterr().out
    masks = data.parent / "out" / "predictions" / "ellipse"
    with np.load(masks / "MR_b_1.npz") as file:
        assert dice(brick() == 200, file["mask"]) == pytest.approx(float(rows[5]["dsc"]))
    with np.load(masks / "2DBox_US_a_1.npz") as file:
        assert file["masks"].shape == (2, 48, 64) and set(np.unique(file["segs"])) == {0, 1, 2}


def test_a_models_own_rule_can_be_replaced(data: Path, tiny: str) -> None:
    assert command(data, "--model", tiny, "--rule", "track") == 0
    assert len(written(data)) == 3 and {row["iou"] for row in written(data)} == {"0.75"}


def test_a_run_is_taken_up_where_it_ended(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert command(data, "--model", "ellipse") == 0
    path = data.parent / "out" / "cases.csv"
    whole = path.read_text()
    lines = whole.splitlines(keepends=True)
    path.write_text("".join(lines[:2]) + lines[2][:20])  # killed while the picture's second label was written
    made: list[str] = []
    segment: Callable[..., object] = runner.segment_case
    monkeypatch.setattr(runner, "segment_case", lambda *args: (made.append(args[1].name), segment(*args))[1])
    assert command(data, "--model", "ellipse") == 0
    assert made == ["2DBox_US_a_1", "MR_b_1"], "half a case is no case"
    assert command(data, "--model", "ellipse") == 0 and len(made) == 2
    assert [line.split(",")[:7] for line in path.read_text().splitlines()] == [
        line.split(",")[:7] for line in whole.splitlines()
    ]


def test_a_failing_case_never_stops_the_rest(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (data / "2DBox_CT_broken_1.npz").write_bytes(b"nothing")
    assert command(data, "--model", "ellipse") == 1
    assert len(written(data)) == 3
    [failed] = written(data, "failures.csv")
    assert failed["case"] == "2DBox_CT_broken_1"
    assert failed["reason"] == "2DBox_CT_broken_1.npz is not an .npz file, or is damaged."
    assert "1 case failed, see" in capsys.readouterr().err
    (data / "2DBox_CT_broken_1.npz").unlink()
    assert command(data, "--model", "ellipse") == 0 and written(data, "failures.csv") == []


def test_cases_that_nobody_labelled_are_segmented_and_have_no_score(data: Path) -> None:
    with np.load(data / "2DBox_US_a_1.npz") as file:
        np.savez(data / "2DBox_US_a_2.npz", imgs=file["imgs"], boxes=[[3, 3, 32, 22], [38, 23, 62, 47]])
    np.savez(data / "3DBox_CT_c_1.npz", imgs=brick(), boxes=[[6, 4, 4, 21, 26, 12]], spacing=(1, 1, 2))
    (data / "MR_b_1.nii.gz").unlink()
    (data / "2DBox_US_a_1.npz").unlink()
    assert command(data, "--model", "otsu-box", "--boxes", "file", "--clicks", "2", "--save-predictions") == 0
    rows = written(data)
    assert [(row["case"], row["label"], row["dsc"], row["nsd"], row["dsc_after_clicks"]) for row in rows] == [
        (case, label, "nan", "nan", "")
        for case, label in (("2DBox_US_a_2", "1"), ("2DBox_US_a_2", "2"), ("3DBox_CT_c_1", "1"))
    ]
    with np.load(data.parent / "out" / "predictions" / "otsu-box" / "2DBox_US_a_2.npz") as file:
        assert file["segs"].shape == (48, 64) and set(np.unique(file["segs"])) == {0, 1, 2}
    with np.load(data.parent / "out" / "predictions" / "otsu-box" / "3DBox_CT_c_1.npz") as file:
        assert file["segs"].shape == brick().shape and file["mask"].any()
    assert {row["dsc"] for row in written(data, "summary.csv")} == {"nan"}


def test_without_truth_there_is_nothing_to_draw_a_box_round(data: Path) -> None:
    np.savez(data / "2DBox_US_a_2.npz", imgs=np.zeros((9, 9), np.uint8), boxes=[[1, 1, 5, 5]])
    assert command(data, "--model", "ellipse", "--boxes", "jitter") == 1
    assert "ask for those of its file" in written(data, "failures.csv")[0]["reason"]


def test_a_table_chooses_cases_and_boxes(data: Path, tmp_path: Path) -> None:
    (tmp_path / "boxes.csv").write_text("case,label,i0,j0,k0,i1,j1,k1\nMR_b_1,1,8,6,4,19,24,12\n")
    assert command(data, "--model", "ellipse", "--table", str(tmp_path / "boxes.csv")) == 0
    assert [row["case"] for row in written(data)] == ["MR_b_1"]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--model", "ellipse", "--table", "x.csv", "--boxes", "tight"), "give --boxes or --table"),
        (("--model", "ellipse", "--table", "x.csv"), "cannot be read"),
        (("--model", "ellipse", "--model", "ellipse"), "named twice"),
        (("--model", "nobody"), "no model 'nobody'"),
        (("--model", "ellipse", "--rule", "nonsense"), "no propagation rule"),
    ],
)
def test_mistakes_are_one_sentence(
    data: Path, capsys: pytest.CaptureFixture[str], options: tuple[str, ...], sentence: str
) -> None:
    assert command(data, *options) == 2
    assert sentence in capsys.readouterr().err


def test_cases_of_a_table_that_are_not_there_are_told(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    header, box = "case,label,i0,j0,k0,i1,j1,k1\n", ",1,1,1,1,9,9,5\n"
    path = data.parent / "boxes.csv"
    path.write_text(f"{header}MR_b_1{box}MR_b_2{box}")
    assert command(data, "--model", "ellipse", "--table", str(path)) == 0
    assert "though the table names them: MR_b_2\n" in capsys.readouterr().err
    path.write_text(f"{header}MR_b_2{box}")
    assert command(data, "--model", "otsu-box", "--table", str(path)) == 2
    assert "holds no case of the table, which begins with MR_b_2" in capsys.readouterr().err


def test_settings_are_not_mixed_in_one_folder(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command(data, "--model", "ellipse") == 0
    assert command(data, "--model", "ellipse", "--boxes", "jitter", "--seed", "4") == 2
    assert "other settings (boxes, seed)" in capsys.readouterr().err
    noted = data.parent / "out" / "settings.json"
    noted.write_text(noted.read_text().replace('"ellipse@', '"ellipse@formerly'))
    assert command(data, "--model", "ellipse") == 2
    assert "other settings (ellipse)" in capsys.readouterr().err, "a model that changed is another model"
    noted.write_text("{")
    assert command(data, "--model", "ellipse") == 2


def test_a_full_disk_stops_the_run_and_nothing_written_is_lost(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    output, sync, calls = data.parent / "out", records.os.fsync, []

    def full(descriptor: int) -> None:
        calls.append(descriptor)
        if len(calls) > 1:
            raise OSError(28, "No space left on device")
        sync(descriptor)

    monkeypatch.setattr(records.os, "fsync", full)
    with pytest.raises(OutputError, match="No space left"):
        evaluate(data, ["ellipse"], output, Plan(Boxes()))
    monkeypatch.undo()
    result = evaluate(data, ["ellipse"], output, Plan(Boxes()))
    assert [(row.case, row.label) for row in result.rows] == [("2DBox_US_a_1", 1), ("2DBox_US_a_1", 2), ("MR_b_1", 1)]


def test_another_table_is_not_written_over(data: Path) -> None:
    output = data.parent / "out"
    output.mkdir()
    (output / "cases.csv").write_text("my,own\n1,2\n")
    with pytest.raises(OutputError, match="not a table of this program"):
        evaluate(data, ["ellipse"], output, Plan(Boxes()))
    assert (output / "cases.csv").read_text() == "my,own\n1,2\n"
    with pytest.raises(OutputError, match="cannot be made"):
        evaluate(data, ["ellipse"], output / "cases.csv", Plan(Boxes()))


def test_ctrl_c_says_that_the_same_command_goes_on_and_it_does(
    data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    segment, calls = runner.segment_case, []

    def interrupted(*args: object) -> object:
        if calls:
            raise KeyboardInterrupt
        calls.append(1)
        return segment(*args)

    monkeypatch.setattr(runner, "segment_case", interrupted)
    assert command(data, "--model", "ellipse") == 130
    assert capsys.readouterr().err.splitlines()[1:] == ["Interrupted: the same command again goes on."]
    assert {row["case"] for row in written(data)} == {"2DBox_US_a_1"}
    monkeypatch.undo()
    assert command(data, "--model", "ellipse") == 0
    assert [line.split(":")[0] for line in capsys.readouterr().err.splitlines()] == ["ellipse MR_b_1"]
