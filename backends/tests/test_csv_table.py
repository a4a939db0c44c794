"""Tables as spreadsheets save them: read whatever separates their cells, and written in the same form."""

from pathlib import Path

import pytest
from medsam_backends.csv_table import CsvForm, read_csv, write_csv

GERMAN, PLAIN = CsvForm(semicolons=True, mark=True), CsvForm()


def test_excel_where_the_comma_is_the_decimal_mark_opens_columns_and_numbers(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    write_csv(path, ("name", "ml", "voxels"), [("Läsion 1.5", 12.5, 3), ("a;b", -0.25, 1000)], GERMAN)
    assert path.read_bytes() == '\ufeffname;ml;voxels\nLäsion 1.5;12,5;3\n"a;b";-0,25;1000\n'.encode()
    assert read_csv(path) == (
        GERMAN,
        [(1, ["name", "ml", "voxels"]), (2, ["Läsion 1.5", "12,5", "3"]), (3, ["a;b", "-0,25", "1000"])],
    )


def test_elsewhere_numbers_have_a_point_and_commas_lie_between(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    write_csv(path, ("name", "ml"), [("a;b", 12.5), ("c,d", 1e-7)])
    assert path.read_bytes() == b'name,ml\na;b,12.5\n"c,d",1e-07\n'


@pytest.mark.parametrize(
    ("content", "form"),
    [
        ("image;box\r\na;1, 2\r\n", CsvForm(semicolons=True)),
        ("\ufeffimage,box\n\n,,\na,'1, 2'\n".replace("'", '"'), CsvForm(mark=True)),
        ("image\tbox\r\n a\t1, 2 \r\n", PLAIN),
        ("sep=;\nimage;box\na;1, 2;;\n", CsvForm(semicolons=True)),
    ],
)
def test_the_form_is_told_by_the_table_itself(tmp_path: Path, content: str, form: CsvForm) -> None:
    (tmp_path / "t.csv").write_bytes(content.encode())
    found, rows = read_csv(tmp_path / "t.csv")
    assert found == form
    assert [cells for _, cells in rows] == [["image", "box"], ["a", "1, 2"]]
