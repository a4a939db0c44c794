"""Cases, the boxes they get, the two baselines, and means: what a run of the evaluation is made of."""

from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from cases import brick, save
from medsam_backends.errors import InputError
from medsam_backends.evaluation.baselines import EllipseInBox, OtsuInBox
from medsam_backends.evaluation.cases import Case, CaseData, find_cases
from medsam_backends.evaluation.prompts import Boxes, read_table
from medsam_backends.evaluation.records import Row
from medsam_backends.evaluation.summary import MEAN, summarise, table
from medsam_backends.types import Prompt

CASE = Case("2DBox_US_Two_Sets_0001", Path("2DBox_US_Two_Sets_0001.npz"))


def picture() -> CaseData:
    truth = np.zeros((128, 256), np.uint8)
    truth[20:40, 30:80] = 3
    truth[100:128, 200:256] = 7
    return CaseData(np.zeros((128, 256), np.uint8), truth, boxes=np.array([[30, 20, 80, 40], [200, 100, 256, 128.0]]))


def volume() -> CaseData:
    truth = (brick() == 200).astype(np.uint8)
    return CaseData(brick(), truth)


def test_a_name_says_where_a_case_belongs() -> None:
    assert (CASE.modality, CASE.dataset) == ("US", "Two_Sets")
    assert (Case("CT_lung-set_0001", Path()).modality, Case("CT_lung-set_0001", Path()).dataset) == ("CT", "lung-set")


@pytest.mark.parametrize(
    ("name", "preset"),
    [("CT_Lung_1", "lung"), ("CT_a_1", "abdomen"), ("MR_lung_1", "mr"), ("PET_a_1", "pet"), ("US_a_1", "auto")],
)
def test_intensities_follow_the_modality(name: str, preset: str) -> None:
    case = Case(name, Path())
    assert case.preset(np.zeros(1, np.int16)) == preset
    assert case.preset(np.zeros(1, np.uint8)) == "auto", "8 bits were windowed by whoever made them"


def test_both_layouts_are_found_and_read(tmp_path: Path) -> None:
    np.savez(tmp_path / "3DBox_MR_b_1.npz", imgs=brick(), gts=brick() // 200, spacing=(1.0, 2.0, 3.0))
    save(brick(), tmp_path / "CT_a_1.nii.gz")
    save((brick() // 200).astype(np.float32), tmp_path / "CT_a_1_seg.nii.gz")
    save(brick(), tmp_path / "CT_without-truth_1.nii.gz")
    challenge, nifti = find_cases(tmp_path)
    assert (challenge.name, nifti.name) == ("3DBox_MR_b_1", "CT_a_1")
    assert challenge.read().spacing == (1, 2, 3), "as it is stored"
    data = nifti.read()
    assert data.spacing == (2, 1, 1) and data.labels == [1] and data.truth.dtype.kind == "i"


@pytest.mark.parametrize(
    ("spacing", "origin", "direction"),
    [
        ((1.0, 1.0, 3.0), (0.0, 0.0, 0.0), (1.0, 1.0)),
        ((1.0, 1.0, 2.0), (0.0, 0.6, 0.0), (1.0, 1.0)),
        ((1.0, 1.0, 2.0), (31.0, 31.0, 0.0), (-1.0, -1.0)),
    ],
)
def test_a_truth_that_lies_elsewhere_is_not_scored(
    tmp_path: Path, spacing: tuple[float, ...], origin: tuple[float, ...], direction: tuple[float, float]
) -> None:
    save(brick(), tmp_path / "CT_a_1.nii.gz")
    truth = sitk.GetImageFromArray(brick() // 200)
    truth.SetSpacing((1.0, 1.0, 2.0))
    truth.SetOrigin((0.0, 0.4, 0.0))  # less than half a voxel: rounding in the file
    sitk.WriteImage(truth, str(tmp_path / "CT_a_1_seg.nii.gz"))
    [case] = find_cases(tmp_path)
    assert case.read().labels == [1]
    truth.SetSpacing(spacing)
    truth.SetOrigin(origin)
    truth.SetDirection(np.diag([*direction, 1.0]).ravel().tolist())
    sitk.WriteImage(truth, str(tmp_path / "CT_a_1_seg.nii.gz"))
    with pytest.raises(InputError, match="mm off the image at a corner"):
        case.read()


def test_fractions_are_no_labels(tmp_path: Path) -> None:
    save(brick(), tmp_path / "CT_a_1.nii.gz")
    save((brick() / 300).astype(np.float32), tmp_path / "CT_a_1_seg.nii.gz")
    np.savez(tmp_path / "2DBox_US_a_1.npz", imgs=brick()[4], gts=brick()[4] / 300)
    for case in find_cases(tmp_path):
        with pytest.raises(InputError, match="holds fractions, which are no labels"):
            case.read()


def test_what_is_no_case_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no folder"):
        find_cases(tmp_path / "none")
    with pytest.raises(InputError, match="holds no case"):
        find_cases(tmp_path)
    image = np.zeros((8, 8), np.uint8)
    arrays = {
        "'gts' or 'boxes'": {"imgs": image},
        "needs 'imgs'": {"gts": image},
        "has size": {"imgs": image, "gts": np.ones((8, 9), np.uint8)},
        "neither a label nor a box": {"imgs": image, "gts": image},
    }
    for number, (reason, content) in enumerate(arrays.items()):
        path = tmp_path / f"2DBox_US_a_{number}.npz"
        np.savez(path, **content)
        with pytest.raises(InputError, match=reason):
            Case(path.stem, path).read()
    path.write_bytes(b"no archive")
    with pytest.raises(InputError, match="is not an .npz file"):
        Case(path.stem, path).read()
    np.savez(path, imgs=np.array([object()]), gts=image)
    with pytest.raises(InputError, match="something else than arrays of numbers"):
        Case(path.stem, path).read()


def test_boxes_round_the_truth_are_edges_or_voxels() -> None:
    assert Boxes("tight").of(CASE, picture()) == {3: (30, 20, 80, 40), 7: (200, 100, 256, 128)}
    assert Boxes("file").of(CASE, picture()) == Boxes("tight").of(CASE, picture())
    assert Boxes("loose").of(CASE, picture()) == {3: (25, 18, 85, 42), 7: (194.4, 97.2, 256, 128)}
    assert Boxes("tight").of(CASE, volume()) == {1: (8, 6, 4, 19, 24, 12)}
    assert Boxes("loose").of(CASE, volume()) == {1: (7, 4, 3, 20, 26, 13)}, "whole voxels, slices too"
    assert Boxes("looser").of(CASE, volume()) == {1: (6, 2, 2, 21, 28, 14)}


def test_jitter_is_seeded_and_moves_sides_out_by_five_at_most() -> None:
    tight = np.array(Boxes("tight").of(CASE, picture())[3])
    boxes = [np.array(Boxes("jitter", seed=seed).of(CASE, picture())[3]) for seed in range(20)]
    moved = np.array([(tight - box) * (1, 1, -1, -1) for box in boxes])
    assert moved.min() == 0 and moved.max() == 5
    np.testing.assert_array_equal(boxes[4], Boxes("jitter", seed=4).of(CASE, picture())[3])


def test_tables_name_the_labels_to_segment(tmp_path: Path) -> None:
    path = tmp_path / "boxes.csv"
    path.write_text(f"case,label,x0,y0,x1,y1\n{CASE.name},7,199.5,100,256,128\n")
    boxes = Boxes(table=read_table(path))
    assert boxes.of(CASE, picture()) == {7: (199.5, 100, 256, 128)}
    with pytest.raises(InputError, match="no box for other"):
        boxes.of(Case("other", Path()), picture())
    with pytest.raises(InputError, match="6 numbers"):
        boxes.of(CASE, volume())
    with pytest.raises(InputError, match="label 8, which is none of its labels"):
        Boxes(table={CASE.name: {8: (1, 1, 5, 5)}}).of(CASE, picture())


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_tables_of_boxes_are_read_as_spreadsheets_save_them(tmp_path: Path, separator: str) -> None:
    text = "Case,Label,x0,y0,x1,y1\r\na,7,1,2,3.5,4\r\na,8,5,6,7,8\r\n,,,,,\r\n"
    (tmp_path / "t.csv").write_text(text.replace(",", separator), "utf-8-sig", newline="")
    assert read_table(tmp_path / "t.csv") == {"a": {7: (1, 2, 3.5, 4), 8: (5, 6, 7, 8)}}
    if separator == ";":
        (tmp_path / "t.csv").write_text((tmp_path / "t.csv").read_text("utf-8").replace(".", ","), "utf-8")
        assert read_table(tmp_path / "t.csv")["a"][7] == (1, 2, 3.5, 4)


@pytest.mark.parametrize("row", ["b,1,1,2,3", "b,one,1,2,3,4", "b,1,1,2,3,x", ",1,1,2,3,4", "a,7,1,2,3,4"])
def test_a_row_that_cannot_be_meant_is_told(tmp_path: Path, row: str) -> None:
    (tmp_path / "t.csv").write_text(f"case,label,x0,y0,x1,y1\na,7,1,2,3,4\n{row}\n")
    with pytest.raises(InputError, match=r"t\.csv, line 3"):
        read_table(tmp_path / "t.csv")


@pytest.mark.parametrize("text", ["case,label\na,1\n", "case,label,i0,j0\na,1,2,3\n", "case,label,x0,y0,x1,y1\n"])
def test_other_tables_are_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises(InputError, match="t.csv"):
        read_table(tmp_path / "t.csv")
    with pytest.raises(InputError, match="cannot be read"):
        read_table(tmp_path / "none.csv")


def test_boxes_of_a_file_must_fit_its_labels() -> None:
    with pytest.raises(InputError, match="holds no boxes"):
        Boxes("file").of(CASE, volume())
    data = picture()
    with pytest.raises(InputError, match="1 boxes for 2 labels"):
        Boxes("file").of(CASE, CaseData(data.image, data.truth, boxes=np.ones((1, 4))))


def test_the_ellipse_fills_its_share_of_the_box_and_of_the_slice() -> None:
    backend = EllipseInBox()
    embedding = backend.encode(np.zeros((100, 120, 3), np.uint8))
    middle, off = backend.decode(embedding, [Prompt((10, 20, 110, 80)), Prompt((10, 20, 110, 80), position=0.6)])
    assert np.count_nonzero(middle.mask) == pytest.approx(np.pi / 4 * 100 * 60, rel=0.01)
    assert np.count_nonzero(off.mask) == pytest.approx(np.pi / 4 * 100 * 60 * 0.64, rel=0.01)


@pytest.mark.parametrize(("inside", "outside"), [(200, 50), (50, 200)])
def test_otsu_finds_the_object_bright_or_dark(inside: int, outside: int) -> None:
    image = np.full((40, 40), outside, np.uint8)
    image[10:20, 12:30] = inside
    backend = OtsuInBox()
    [found] = backend.decode(backend.encode(image), [Prompt((8.5, 7, 34, 60))])
    np.testing.assert_array_equal(found.mask, image == inside)


def test_otsu_of_a_flat_box_is_a_mask_all_the_same() -> None:
    backend = OtsuInBox()
    [found] = backend.decode(backend.encode(np.full((9, 9), 7, np.uint8)), [Prompt((1, 1, 5, 5))])
    assert found.mask.shape == (9, 9)


def row(case: str, modality: str, dataset: str, label: int, dsc: float) -> Row:
    return Row(case, modality, dataset, label, 1, "m", dsc, dsc / 2, 1.0, 2.0, 1.0, 0.5)


def test_every_modality_counts_the_same() -> None:
    rows = [
        row("a", "CT", "x", 1, 0.2),
        row("a", "CT", "x", 2, 0.4),
        row("b", "CT", "x", 1, 0.5),
        row("c", "CT", "y", 1, 0.8),
        row("d", "MR", "z", 1, 1.0),
    ]
    means = {(mean.modality, mean.dataset): mean for mean in summarise(rows)}
    assert means["CT", "x"].dsc == pytest.approx(0.4) and means["CT", "x"].cases == 2
    assert means["CT", "x"].seconds == pytest.approx(3)
    assert means["CT", MEAN].dsc == pytest.approx(0.6)
    overall = means[MEAN, MEAN]
    assert (overall.dsc, overall.nsd, overall.cases) == (pytest.approx(0.8), pytest.approx(0.4), 4)
    assert "0.8000" in table([overall])[-1]
    assert summarise([]) == []
