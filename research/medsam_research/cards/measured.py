"""Put measured accuracy into a card: ``python -m medsam_research.cards.measured CARD --model ID --evaluation FOLDER``.

The figures are those of ``medsamlite evaluate``; they take the place of what stands between the card's two marks.
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Sequence
from pathlib import Path

from medsam_backends.evaluation.summary import MEAN
from medsam_backends.whole_file import replacing

from .tables import markdown

__all__ = ["accuracy", "insert", "main"]

_BEGIN, _END = "<!-- measured accuracy begins -->", "<!-- measured accuracy ends -->"


def accuracy(evaluations: Sequence[Path], model: str, beside: Sequence[str] = ()) -> str:
    """Two tables an evaluation, by modality and by data set, between the marks that `insert` looks for.

    Parameters
    ----------
    evaluations : output folders of ``medsamlite evaluate``, whose names become headings
    beside : ids of other models evaluated there, to show their DSC

    Raises
    ------
    ValueError
        If a model was not evaluated there.
    """
    parts = [_BEGIN]
    for folder in evaluations:
        for by_set in (False, True):
            parts.append(f"### {folder.name.capitalize()}{' by data set' if by_set else ''}")
            parts.append(_table(folder, model, beside, by_set=by_set))
    return "\n\n".join([*parts, _END])


def insert(page: str, measured: str) -> str:
    """`page` with what `accuracy` made in place of what it made before; raises `ValueError` if `page` has no marks."""
    before, _, rest = page.partition(_BEGIN)
    _, mark, after = rest.partition(_END)
    if not mark:
        raise ValueError(f"The page lacks {_BEGIN} or {_END}.")
    return before + measured + after


def _table(evaluation: Path, model: str, beside: Sequence[str], *, by_set: bool) -> str:
    with (evaluation / "summary.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    own, *others = (_means(rows, name, evaluation) for name in (model, *beside))
    chosen = {key: row for key, row in own.items() if (key[1] != MEAN) == by_set}
    header = ("data set" if by_set else "modality", "cases", "DSC", "NSD", "DSC after each click", *beside)
    return markdown(
        header,
        [
            (
                f"{key[0]} {key[1]}" if by_set else key[0],
                row["cases"],
                *(f"{float(row[name]):.3f}" for name in ("dsc", "nsd")),
                " ".join(f"{float(dsc):.3f}" for dsc in row["dsc_after_clicks"].split()) or "-",
                *(f"{float(other[key]['dsc']):.3f}" for other in others),
            )
            for key, row in chosen.items()
        ],
    )


def _means(rows: Sequence[dict[str, str]], model: str, evaluation: Path) -> dict[tuple[str, str], dict[str, str]]:
    means = {(row["modality"], row["dataset"]): row for row in rows if row["model"] == model}
    if not means:
        raise ValueError(f"{evaluation} holds no evaluation of {model}")
    return means


def main(arguments: list[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m medsam_research.cards.measured", description=__doc__)
    parser.add_argument("card", type=Path)
    parser.add_argument("--model", required=True, help="id, as evaluated")
    parser.add_argument(
        "--evaluation", type=Path, action="append", required=True, help="folder; its name becomes a heading"
    )
    parser.add_argument("--beside", action="append", default=[], metavar="ID", help="another model evaluated there")
    parsed = parser.parse_args(arguments)
    try:
        text = insert(parsed.card.read_text("utf-8"), accuracy(parsed.evaluation, parsed.model, parsed.beside))
    except (OSError, ValueError) as error:
        sys.exit(str(error))
    with replacing(parsed.card, ".md", force=True) as temporary:
        temporary.write_text(text, "utf-8")


if __name__ == "__main__":
    main()
