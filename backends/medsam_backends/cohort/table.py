"""Reads the table of a cohort: which image, which boxes, which settings, one case a row.  Opens no image."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePath

from ..boxes import VoxelBox
from ..csv_table import CsvForm, CsvRow, read_csv
from ..dicom_seg import check_highdicom
from ..errors import InputError, MedSAMLiteError, OutputError, PromptError
from ..segmentation_run import Settings, check_names, default_output
from ..segmentation_writer import FORMATS
from ..source_files import SourceFiles

__all__ = ["COLUMNS", "Case", "Problem", "Table", "read_table"]

_TEXTS = ("preset", "modality", "axis", "model", "rule")
_NUMBERS = ("level", "width")
_ALIASES = {"boxes": "box", "name": "names"}
COLUMNS = ("image", "box", "names", "output", *_TEXTS, *_NUMBERS)
_REQUIRED = ("image", "box")


@dataclass(frozen=True)
class Case:
    """A row that makes sense.

    Attributes
    ----------
    line : of the table, from 1
    image : a file or a DICOM folder, absolute
    named : the image as the table names it
    boxes : six numbers each, or four on a 2-D image
    output : where the segmentation goes, relative to the output folder
    """

    line: int
    image: Path
    named: str
    boxes: tuple[tuple[int, ...], ...]
    names: tuple[str, ...]
    output: str
    settings: Settings


@dataclass(frozen=True)
class Problem:
    """A case that was not segmented, and why."""

    line: int
    image: str
    output: str
    reason: str


@dataclass(frozen=True)
class Table:
    """The rows of a table, those that make no sense apart, the columns that nobody reads, and how it is written."""

    cases: tuple[Case, ...]
    problems: tuple[Problem, ...]
    unused: tuple[str, ...] = ()
    form: CsvForm = CsvForm()


def read_table(path: Path, defaults: Settings, ending: str, folder: Path) -> Table:
    """Read and check a table, UTF-8, its cells separated by commas, semicolons or tabs as its header is.

    Parameters
    ----------
    defaults : what an empty cell, or a missing column, means
    ending : of an output that the table does not name, like ``.seg.nrrd``
    folder : where the outputs go

    Raises
    ------
    InputError
        If there is no such table, its header makes no sense, or it has no rows.
    OutputError
        If `ending` is none, or cannot be written here.
    """
    _inside(ending)
    form, rows = read_csv(path)
    if not rows:
        raise InputError(f"The table {path} is empty: its first line names columns, {', '.join(_REQUIRED)} at least.")
    header, unused = _header(rows[0][1], path)
    if not rows[1:]:
        raise InputError(f"The table {path} has a header and no rows: give a case in each.")
    cases: list[Case] = []
    problems: list[Problem] = []
    taken: dict[str, int] = {}
    sources = SourceFiles([path, *_images(path.parent, header, rows[1:])])
    for line, cells in rows[1:]:
        row = _cells(header, cells)
        try:
            if len(cells) > len(header):
                raise PromptError(
                    f"The row has {len(cells)} cells, the header {len(header)}: put a cell with separators in quotes."
                )
            case = _case(line, row, form, path.parent, defaults, ending)
            _claim(case, taken, sources, folder)
            cases.append(case)
        except MedSAMLiteError as error:
            problems.append(Problem(line, row.get("image", ""), row.get("output", ""), str(error)))
    return Table(tuple(cases), tuple(problems), unused, form)


def _header(cells: Sequence[str], path: Path) -> tuple[list[str], tuple[str, ...]]:
    """The columns by the names used here, and those that are not used."""
    names = [_ALIASES.get(cell.lower(), cell.lower()) for cell in cells]
    for name in _REQUIRED:
        if name not in names:
            raise InputError(
                f"The table {path}, line 1, has no column '{name}': it has {', '.join(cells)}; "
                f"the columns known are {', '.join(COLUMNS)}."
            )
    twice = [name for name in COLUMNS if names.count(name) > 1]
    if twice:
        raise InputError(f"The table {path}, line 1, has the column '{twice[0]}' twice: remove one.")
    return names, tuple(cell for cell, name in zip(cells, names, strict=True) if name not in COLUMNS)


def _cells(header: Sequence[str], cells: Sequence[str]) -> dict[str, str]:
    return {name: cell for name, cell in zip(header, cells, strict=False) if cell}


def _images(base: Path, header: Sequence[str], rows: Sequence[CsvRow]) -> Iterator[Path]:
    """Every image that is named, in sound rows or not."""
    named = (_cells(header, cells).get("image") for _, cells in rows)
    return (base / image for image in named if image)


def _case(line: int, row: Mapping[str, str], form: CsvForm, base: Path, defaults: Settings, ending: str) -> Case:
    """The case of a row; raises a `MedSAMLiteError` that says what is wrong with it."""
    named = row.get("image", "")
    if not named:
        raise InputError("The row names no image.")
    image = Path(os.path.abspath(base / named))
    if not os.path.exists(image):
        raise InputError(
            f"There is no file or folder {named}: check the name; a relative one begins at the table's folder."
        )
    boxes = _boxes(row.get("box", ""))
    names = tuple(name.strip() for name in row.get("names", "").split(";")) if row.get("names") else ()
    check_names(names, boxes)
    output = row.get("output") or default_output(image, ending).name
    return Case(line, image, named, boxes, names, _inside(output), _settings(row, form, defaults))


def _boxes(text: str) -> tuple[tuple[int, ...], ...]:
    boxes = []
    for part in filter(None, (part.strip() for part in text.split(";"))):
        try:
            values = [float(number) for number in part.replace(",", " ").split()]
        except ValueError:
            raise PromptError(f"The box '{part}' holds something that is not a number.") from None
        VoxelBox.from_sequence(values)
        boxes.append(tuple(int(value) for value in values))
    if not boxes:
        raise PromptError("The row has no box: give i0 j0 k0 i1 j1 k1, further boxes after a semicolon.")
    return tuple(boxes)


def _settings(row: Mapping[str, str], form: CsvForm, defaults: Settings) -> Settings:
    numbers = {}
    for name in _NUMBERS:
        if name in row:
            try:
                numbers[name] = form.number(row[name])
            except ValueError:
                raise PromptError(f"The {name} '{row[name]}' is not a number.") from None
    texts = {name: row[name] for name in _TEXTS if name in row}
    if numbers:
        texts.setdefault("preset", "manual")
    settings = replace(defaults, **texts, **numbers)  # type: ignore[arg-type]
    settings.check()
    return settings


def _inside(output: str) -> str:
    """The output's path, if it stays in its folder and its ending names a format."""
    path = PurePath(output)
    if path.is_absolute() or ".." in path.parts or path.drive:
        raise OutputError(f"The output {output} is not inside the output folder: give a path without '..' there.")
    if not path.name.lower().endswith(tuple(FORMATS)):
        raise OutputError(f"The ending of '{path.name}' names no format: use one of {', '.join(FORMATS)}.")
    if path.suffix.lower() == ".dcm":
        check_highdicom()
    return path.as_posix()


def _claim(case: Case, taken: dict[str, int], sources: SourceFiles, folder: Path) -> None:
    """Keep two cases from writing one file, and any case from writing over an image."""
    key = case.output.casefold()  # files differ by more than capitals on every system
    if key in taken:
        raise OutputError(f"{case.output} is the output of line {taken[key]} already: name another in column 'output'.")
    sources.check(folder / case.output)
    taken[key] = case.line
