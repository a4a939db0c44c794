"""The table of a cohort: what is understood, and what is told of a row or header that is not."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from medsam_backends.cohort.table import Table, read_table
from medsam_backends.errors import InputError, OutputError
from medsam_backends.segmentation_run import Settings


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("a.nii.gz", "b.nrrd", "c.png"):
        (tmp_path / name).write_bytes(b"never opened")
    (tmp_path / "series").mkdir()
    return tmp_path


def read(folder: Path, text: str, ending: str = ".seg.nrrd", **defaults: str) -> Table:
    (folder / "cases.csv").write_text(text, "utf-8")
    return read_table(folder / "cases.csv", Settings(**defaults), ending, folder / "out")


def reason(folder: Path, header: str, row: str) -> str:
    """What is told of a wrong row; a sound row beside it stays sound."""
    table = read(folder, f"{header}\n{row}\nseries,1 2 3 4 5 6\n")
    assert [case.named for case in table.cases] == ["series"]
    [problem] = table.problems
    assert problem.line == 2
    return problem.reason


def test_a_row_says_image_boxes_names_and_output(folder: Path) -> None:
    text = 'Image,boxes,name,output,preset\na.nii.gz,"1 2 3 4 5 6; 1,1,1,2,2,2","liver;Niere ä",x/a.nii.gz,liver\n'
    [case] = read(folder, text).cases
    assert (case.image, case.named, case.line) == (folder / "a.nii.gz", "a.nii.gz", 2)
    assert case.boxes == ((1, 2, 3, 4, 5, 6), (1, 1, 1, 2, 2, 2))
    assert (case.names, case.output) == (("liver", "Niere ä"), "x/a.nii.gz")
    assert case.settings == Settings(preset="liver")


def test_an_empty_cell_and_a_missing_column_mean_the_options(folder: Path) -> None:
    text = "image,box,axis,model\na.nii.gz,1 2 3 4 5 6,,tiny\nb.nrrd,1 2 3 4 5 6,j,\n"
    first, second = read(folder, text, ending=".nii.gz", axis="i", model="other", preset="lung").cases
    assert (first.settings.axis, first.settings.model, first.settings.preset) == ("i", "tiny", "lung")
    assert (second.settings.axis, second.settings.model) == ("j", "other")
    assert (first.output, second.output) == ("a.nii.gz", "b.nii.gz")


def test_a_preset_in_capitals_is_the_preset(folder: Path) -> None:
    assert [case.line for case in read(folder, "image,box,preset\na.nii.gz,1 2 3 4 5 6,Abdomen\n").cases] == [2]


def test_a_window_needs_no_preset(folder: Path) -> None:
    [case] = read(folder, "image,box,level,width\na.nii.gz,1 2 3 4 5 6,40,400.5\n").cases
    assert (case.settings.preset, case.settings.level, case.settings.width) == ("manual", 40, 400.5)
    assert [case] == list(read(folder, "image;box;level;width\na.nii.gz;1 2 3 4 5 6;40;400,5\n").cases)
    assert read(folder, 'image,box,level,width\na.nii.gz,1 2 3 4 5 6,40,"1,000"\n').cases == ()


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_spreadsheets_of_any_country_are_read(folder: Path, separator: str) -> None:
    rows = [
        ["image", "box", "output"],
        ["series", "1 2 3 4 5 6", "s.nrrd"],
        ["", "", ""],
        ["c.png", "1 2 3 4", "c.png"],
    ]
    text = "\r\n".join(separator.join(row) for row in rows)
    (folder / "cases.csv").write_bytes(b"\xef\xbb\xbf" + text.encode())
    table = read_table(folder / "cases.csv", Settings(), ".seg.nrrd", folder / "out")
    assert [(case.line, case.output, len(case.boxes[0])) for case in table.cases] == [(2, "s.nrrd", 6), (4, "c.png", 4)]


def test_columns_that_nobody_reads_are_told(folder: Path) -> None:
    assert read(folder, "image,Age,box,modle\na.nii.gz,70,1 2 3 4 5 6,x\n").unused == ("Age", "modle")


@pytest.mark.parametrize(
    ("header", "row", "told"),
    [
        ("image,box", "no.nii.gz,1 2 3 4 5 6", "There is no file or folder"),
        ("image,box", ",1 2 3 4 5 6", "The row names no image"),
        ("image,box", "a.nii.gz,", "The row has no box"),
        ("image,box", "a.nii.gz,1 2 3 4 5", "A box of 5 numbers is not understood"),
        ("image,box", "a.nii.gz,1 2 3 4 5 x", "'1 2 3 4 5 x' holds something that is not a number"),
        ("image,box", "a.nii.gz,1 2 3 4 5 6.5", "whole numbers"),
        ("image,box", "a.nii.gz,9 2 3 4 5 6", "inverted along i"),
        ("image,box", "a.nii.gz,1,2,3,4,5,6", "The row has 7 cells, the header 2"),
        ("image,box,names", "a.nii.gz,1 2 3 4 5 6,x;y", "more names (2) than boxes (1)"),
        ("image,box,preset", "a.nii.gz,1 2 3 4 5 6,belly", "There is no preset 'belly'"),
        ("image,box,modality", "a.nii.gz,1 2 3 4 5 6,XX", "No model knows a modality 'XX': give one of CT, MR, PET"),
        ("image,box,axis", "a.nii.gz,1 2 3 4 5 6,z", "There is no axis 'z'"),
        ("image,box,rule", "a.nii.gz,1 2 3 4 5 6,magic", "magic"),
        ("image,box,level", "a.nii.gz,1 2 3 4 5 6,high", "The level 'high' is not a number"),
        ("image,box,output", "a.nii.gz,1 2 3 4 5 6,x.txt", "names no format"),
        ("image,box,output", "a.nii.gz,1 2 3 4 5 6,../x.nrrd", "not inside the output folder"),
        ("image,box,output", "a.nii.gz,1 2 3 4 5 6,/x.nrrd", "not inside the output folder"),
    ],
)
def test_a_wrong_row_is_told_and_the_others_stay(folder: Path, header: str, row: str, told: str) -> None:
    assert told in reason(folder, header, row)


def test_two_rows_cannot_write_one_file(folder: Path) -> None:
    table = read(folder, "image,box\na.nii.gz,1 2 3 4 5 6\nseries/../a.nii.gz,1 2 3 4 5 6\n")
    assert len(table.cases) == 1
    assert "a.seg.nrrd is the output of line 2 already" in table.problems[0].reason


def test_an_image_is_never_an_output(folder: Path) -> None:
    text = "image,box,output\nb.nrrd,1 2 3 4 5 6,\na.nii.gz,1 2 3 4 5 6,b.nrrd\n"
    (folder / "cases.csv").write_text(text, "utf-8")
    table = read_table(folder / "cases.csv", Settings(), ".seg.nrrd", folder)
    assert [problem.line for problem in table.problems] == [3]
    assert "b.nrrd belongs to what is read" in table.problems[0].reason


@pytest.mark.parametrize("link", [os.link, os.symlink])
def test_a_link_to_an_image_or_to_a_slice_is_never_an_output(folder: Path, link: Callable[[Path, Path], None]) -> None:
    (folder / "out").mkdir()
    (folder / "series" / "1.dcm").write_bytes(b"a slice")
    link(folder / "b.nrrd", folder / "out" / "b.seg.nrrd")
    link(folder / "series" / "1.dcm", folder / "out" / "series.nrrd")
    table = read(
        folder, "image,box,output\nb.nrrd,1 2 3 4 5 6,\nseries,1 2 3 4 5 6,series.nrrd\na.nii.gz,1 2 3 4 5 6,\n"
    )
    assert [problem.line for problem in table.problems] == [2, 3] and len(table.cases) == 1


@pytest.mark.parametrize("separator", [";", ",", "\t"])
def test_a_first_line_that_tells_excel_the_separator_is_none_of_the_table(folder: Path, separator: str) -> None:
    row = separator.join(("b.nrrd", '"1 2 3 4 5 6"'))
    table = read(folder, f"sep={separator}\r\nimage{separator}box\r\n{row}\r\n")
    assert [(case.named, case.line) for case in table.cases] == [("b.nrrd", 3)]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "is empty"),
        (b"\n\n", "is empty"),
        (b"picture,box\n", "line 1, has no column 'image': it has picture, box"),
        (b"image,level\n", "line 1, has no column 'box'"),
        (b"image,box\n\n", "has a header and no rows"),
        (b"image,box,boxes\n", "line 1, has the column 'box' twice"),
        (b'image,box\na,"1 2\n', "is not understood, line 2"),
        (b"image,box\n\xff\xfe,1\n", "it is not UTF-8: in Excel save it as 'CSV UTF-8'"),
        (None, "No such file"),
    ],
)
def test_a_table_that_makes_no_sense_is_one_sentence(folder: Path, content: bytes | None, told: str) -> None:
    if content is not None:
        (folder / "cases.csv").write_bytes(content)
    with pytest.raises(InputError, match=r"cases\.csv") as caught:
        read_table(folder / "cases.csv", Settings(), ".seg.nrrd", folder / "out")
    assert told in str(caught.value)


def test_an_ending_that_is_none_is_refused(folder: Path) -> None:
    with pytest.raises(OutputError, match="names no format"):
        read(folder, "image,box\na.nii.gz,1 2 3 4 5 6\n", ending=".doc")
