"""Tables of people: read as spreadsheets of any country save them, and written so that these open them in columns."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from .errors import InputError
from .whole_file import replacing

__all__ = ["CsvForm", "CsvRow", "read_csv", "write_csv"]

CsvRow = tuple[int, list[str]]
"""Line of the file, from 1, and cells without blanks round them."""

_MARK = "\ufeff"


@dataclass(frozen=True)
class CsvForm:
    """What differs between the tables that spreadsheets save and open.

    Attributes
    ----------
    semicolons : between cells, and a comma in numbers, as where the comma is the decimal mark
    mark : the bytes at the beginning by which Excel knows UTF-8
    """

    semicolons: bool = False
    mark: bool = False

    def number(self, cell: str) -> float:
        """The number in a cell; raises `ValueError` if there is none."""
        return float(cell.replace(",", ".") if self.semicolons else cell)


def read_csv(path: Path) -> tuple[CsvForm, list[CsvRow]]:
    """The rows that are not blank, the header among them; commas, semicolons or tabs are told by the first line.

    Raises
    ------
    InputError
        If it cannot be read, is not UTF-8, or a quotation mark is missing.
    """
    try:
        text = path.read_bytes().decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8: in Excel save it as 'CSV UTF-8'"
        raise InputError(f"The table {path} cannot be read ({reason}).") from None
    content = text.removeprefix(_MARK)
    separator = max(",;\t", key=content.partition("\n")[0].count)
    rows = list(_rows(csv.reader(io.StringIO(content, newline=""), delimiter=separator, strict=True), path))
    if rows and rows[0][1] == ["sep="]:  # how Excel is told the separator
        del rows[0]
    return CsvForm(separator == ";", text.startswith(_MARK)), rows


def _rows(reader: Iterator[list[str]], path: Path) -> Iterator[CsvRow]:
    line = 1
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                while cells and not cells[-1].strip():
                    cells.pop()
                yield line, [cell.strip() for cell in cells]
            line = reader.line_num + 1  # type: ignore[attr-defined]
    except csv.Error as error:
        raise InputError(
            f"The table {path} is not understood, line {line} ({error}): is a quotation mark missing?"
        ) from None


def write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]], form: CsvForm = CsvForm()) -> None:
    """Write a table whole or not at all; replaces the former one, and raises `OutputError` if it cannot."""
    encoding, separator = "utf-8-sig" if form.mark else "utf-8", ";" if form.semicolons else ","
    with (
        replacing(path, ".csv", force=True) as temporary,
        open(temporary, "x", encoding=encoding, newline="") as stream,
    ):
        writer = csv.writer(stream, delimiter=separator, lineterminator="\n")
        writer.writerow(header)
        writer.writerows([_cell(value, form) for value in row] for row in rows)


def _cell(value: object, form: CsvForm) -> object:
    return str(value).replace(".", ",") if form.semicolons and isinstance(value, float) else value
