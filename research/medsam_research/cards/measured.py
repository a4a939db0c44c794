"""Put measured accuracy into a card: ``python -m medsam_research.cards.measured CARD --model ID --evaluation FOLDER``.

The figures are those of ``medsamlite evaluate``; they take the place of what stands between the card's two marks.
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from medsam_backends.evaluation.summary import MEAN
from medsam_backends.whole_file import replacing

from .tables import markdown

__all__ = ["accuracy", "insert", "main"]

_Means = dict[tuple[str, str], dict[str, str]]
_BEGIN, _END = "<!-- measured accuracy begins -->", "<!-- measured accuracy ends -->"


def accuracy(evaluations: Sequence[Path], model: str, beside: Sequence[str] = ()) -> str:
    """Tables by modality and by data set, between the marks that `insert` looks for.

    Parameters
    ----------
    evaluations : output folders of ``medsamlite evaluate``; their names become headings, those of one name one table
    beside : ids of other models, to show their DSC where one of the folders has it

    Raises
    ------
    ValueError
        If `model` was not evaluated under one of the names.
    """
    rows: dict[str, list[dict[str, str]]] = {}
    for folder in evaluations:
        with (folder / "summary.csv").open(newline="", encoding="utf-8") as file:
            rows.setdefault(folder.name, []).extend(csv.DictReader(file))
    parts = [_BEGIN]
    for name, found in rows.items():
        own, *others = (_means(found, one) for one in (model, *beside))
        if not own:
            raise ValueError(f"{name} holds no evaluation of {model}")
        shown = {one: means for one, means in zip(beside, others, strict=True) if means}
        parts += [f"### {name.capitalize()}", _table(own, shown, by_set=False)]
        parts += [f"### {name.capitalize()} by data set", _table(own, shown, by_set=True)]
    return "\n\n".join([*parts, _END])


def insert(page: str, measured: str) -> str:
    """`page` with what `accuracy` made in place of what it made before; raises `ValueError` if `page` has no marks."""
    before, _, rest = page.partition(_BEGIN)
    _, mark, after = rest.partition(_END)
    if not mark:
        raise ValueError(f"The page lacks {_BEGIN} or {_END}.")
    return before + measured + after


def _means(rows: Sequence[dict[str, str]], model: str) -> _Means:
    return {(row["modality"], row["dataset"]): row for row in rows if row["model"] == model}


def _table(own: _Means, others: Mapping[str, _Means], *, by_set: bool) -> str:
    return markdown(
        ("data set" if by_set else "modality", "cases", "DSC", "NSD", "DSC after each click", *others),
        [
            (
                f"{modality} {dataset}" if by_set else modality,
                row["cases"],
                *(f"{float(row[name]):.3f}" for name in ("dsc", "nsd")),
                " ".join(f"{float(dsc):.3f}" for dsc in row["dsc_after_clicks"].split()) or "-",
                *(f"{float(other[modality, dataset]['dsc']):.3f}" for other in others.values()),
            )
            for (modality, dataset), row in own.items()
            if (dataset != MEAN) == by_set
        ],
    )


def main(arguments: list[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m medsam_research.cards.measured", description=__doc__)
    parser.add_argument("card", type=Path)
    parser.add_argument("--model", required=True, help="id, as evaluated")
    parser.add_argument(
        "--evaluation", type=Path, action="append", required=True, help="folder; its name becomes a heading"
    )
    parser.add_argument("--beside", action="append", default=[], metavar="ID", help="another evaluated model")
    parsed = parser.parse_args(arguments)
    try:
        text = insert(parsed.card.read_text("utf-8"), accuracy(parsed.evaluation, parsed.model, parsed.beside))
    except (OSError, ValueError) as error:
        sys.exit(str(error))
    with replacing(parsed.card, ".md", force=True) as temporary:
        temporary.write_text(text, "utf-8")


if __name__ == "__main__":
    main()
