"""The boxes of a case: from a table, from its file, or round the truth with a seeded inaccuracy."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ..csv_table import read_csv
from ..errors import InputError
from .cases import Case, CaseData

__all__ = ["BOX_RULES", "BoxRule", "Boxes", "read_table"]

BoxRule = Literal["file", "tight", "jitter", "loose", "looser"]
BOX_RULES: tuple[BoxRule, ...] = ("file", "tight", "jitter", "loose", "looser")

Numbers = tuple[float, ...]
Table = Mapping[str, Mapping[int, Numbers]]

_MOST_JITTER, _JITTER_SIDE = 5, 256  # pixels, on a picture whose longest side is that
_ROOM = {"loose": 0.1, "looser": 0.2}  # of the box's side, each way
_COLUMNS = (("x0", "y0", "x1", "y1"), ("i0", "j0", "k0", "i1", "j1", "k1"))


@dataclass(frozen=True)
class Boxes:
    """Gives each label of a case its box: edges ``x0 y0 x1 y1`` in 2-D, first and last voxel in 3-D.

    Attributes
    ----------
    rule : ``"file"``, the file's own; ``"tight"`` round the truth; ``"jitter"``, each side in the
        plane moved out by 0 to 5 pixels of a 256-pixel picture; ``"loose"`` and ``"looser"``, each side
        by a tenth and a fifth of the box, a volume's first and last slice too, which are exact otherwise.
    table : boxes by case and label, which come before the rule; only these labels are segmented
    seed : of the jitter, together with the case's name
    """

    rule: BoxRule = "tight"
    table: Table = field(default_factory=dict)
    seed: int = 0

    def of(self, case: Case, data: CaseData) -> dict[int, Numbers]:
        """Boxes by label.

        Raises
        ------
        InputError
            If the table or the file lacks the case's boxes, or they do not fit it.
        """
        if self.table:
            if case.name not in self.table:
                raise InputError(f"The table has no box for {case.name}.")
            found = dict(self.table[case.name])
        elif self.rule == "file":
            found = _stored(case, data)
        else:
            found = self._round_truth(case, data)
        wanted = 4 if data.is_picture else 6
        if any(len(box) != wanted for box in found.values()):
            raise InputError(f"The boxes of {case.name} need {wanted} numbers each.")
        strange = sorted(set(found) - set(data.labels))
        if strange:
            raise InputError(f"{case.name} has a box for label {strange[0]}, which is none of its labels.")
        return found

    def _round_truth(self, case: Case, data: CaseData) -> dict[int, Numbers]:
        if not data.is_labelled:
            raise InputError(f"{case.name} holds no truth to draw boxes round: ask for those of its file.")
        random = np.random.default_rng([self.seed, zlib.crc32(case.name.encode())])
        height, width = data.truth.shape[-2:]
        slices = 1 if data.is_picture else len(data.truth)
        found: dict[int, Numbers] = {}
        for label in data.labels:
            x0, y0, k0, x1, y1, k1 = _tight(data.truth == label)
            out = np.zeros(4)
            if self.rule == "jitter":
                out = random.integers(0, _MOST_JITTER + 1, 4) * max(height, width) / _JITTER_SIDE
            elif self.rule in _ROOM:
                room = _ROOM[self.rule]
                out = room * np.array([x1 - x0, y1 - y0] * 2, np.float64)
                beyond = round(room * (k1 + 1 - k0))
                k0, k1 = max(0, k0 - beyond), min(slices - 1, k1 + beyond)
            if not data.is_picture:
                out = np.round(out)
            left, top = max(0.0, x0 - out[0]), max(0.0, y0 - out[1])
            right, bottom = min(float(width), x1 + out[2]), min(float(height), y1 + out[3])
            plane = (float(left), float(top), float(right), float(bottom))
            found[label] = plane if data.is_picture else (*plane[:2], k0, plane[2] - 1, plane[3] - 1, k1)
        return found


def read_table(path: Path) -> Table:
    """Boxes by case and label of a CSV with columns ``case, label`` and ``x0 .. y1`` or ``i0 .. k1``.

    Raises
    ------
    InputError
        If it cannot be read, has other columns, a row that is not understood, or two boxes for one label.
    """
    form, rows = read_csv(path)
    header = [name.lower() for name in rows[0][1]] if rows else []
    columns = next((names for names in _COLUMNS if {"case", "label", *names} <= set(header)), None)
    if columns is None or not rows[1:]:
        raise InputError(f"{path} is no table of boxes: case,label,x0,y0,x1,y1 or case,label,i0,j0,k0,i1,j1,k1.")
    table: dict[str, dict[int, Numbers]] = {}
    for line, cells in rows[1:]:
        row = {name: cell for name, cell in zip(header, cells, strict=False) if cell}
        try:
            case, label, box = row["case"], int(row["label"]), tuple(form.number(row[name]) for name in columns)
        except (KeyError, ValueError):
            raise InputError(f"{path}, line {line}, needs case, label and the numbers {' '.join(columns)}.") from None
        if label in table.setdefault(case, {}):
            raise InputError(f"{path}, line {line}: {case} has a box for label {label} already; give each label one.")
        table[case][label] = box
    return table


def _stored(case: Case, data: CaseData) -> dict[int, Numbers]:
    if data.boxes is None:
        raise InputError(f"{case.name} holds no boxes: ask for tight, jitter or loose ones.")
    if len(data.boxes) != len(data.labels):
        raise InputError(f"{case.name} holds {len(data.boxes)} boxes for {len(data.labels)} labels.")
    return {label: tuple(box) for label, box in zip(data.labels, data.boxes.tolist(), strict=True)}


def _tight(mask: NDArray[np.bool_]) -> tuple[int, int, int, int, int, int]:
    """``x0 y0 k0 x1 y1 k1``: edges in the plane, first and last slice."""
    volume = mask[None] if mask.ndim == 2 else mask
    slices, rows, columns = (np.flatnonzero(np.any(volume, axis=axes)) for axes in ((1, 2), (0, 2), (0, 1)))
    k0, k1 = int(slices[0]), int(slices[-1])
    return int(columns[0]), int(rows[0]), k0, int(columns[-1]) + 1, int(rows[-1]) + 1, k1
