"""Write the card of a trained model: ``python -m medsam_research.cards.write MODEL --run runs/NAME --data DATA``.

``card.md`` and ``curves.png`` go into the model's folder.  ``--evaluation`` adds the accuracy that
``medsamlite evaluate`` measured; without it the card holds what the run measured on held-out patients.
"""

from __future__ import annotations

import argparse
import logging
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from medsam_backends.errors import MedSAMLiteError
from medsam_backends.manifest import Manifest, read_manifest
from medsam_backends.whole_file import replacing

from medsam_research.training import checkpoint

from .measured import accuracy
from .sources import LICENCES, Source, find_sources
from .tables import held_out_table, markdown, parts_table, runs_table

__all__ = ["Training", "card", "main"]

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Training:
    """What a model came from.

    Parameters
    ----------
    runs : folders of its training runs in order; the last one gave its weights
    fusion : folder of the fusion network's run, if it has one
    sources : data sets
    """

    runs: tuple[Path, ...]
    fusion: Path | None
    sources: tuple[Source, ...]


def card(manifest: Manifest, training: Training, evaluations: Sequence[Path] = (), beside: Sequence[str] = ()) -> str:
    """The card as Markdown.

    Parameters
    ----------
    evaluations : output folders of ``medsamlite evaluate``
    beside : see `accuracy`

    Raises
    ------
    ValueError
        If an evaluation does not hold a model.
    """
    spec, last = manifest.spec, training.runs[-1]
    parts = [
        f"# {spec.name} (`{spec.id}`)",
        f"Segments what a box encloses in medical pictures and volumes. Version {spec.version}, {spec.licence}.",
        "## Architecture",
        parts_table(manifest, last),
        f"A picture is seen at {manifest.input['size']} x {manifest.input['size']}; volumes by the rule `{spec.rule}`.",
        "## Training",
        runs_table([*training.runs, *([training.fusion] if training.fusion else [])]),
        "![Training loss and validation DSC](curves.png)",
        "### Data",
        _permission(training.sources),
        _sources_table(training.sources),
        _synthetic(last),
        "## Accuracy on held-out patients",
        held_out_table(last),
    ]
    if evaluations:
        parts += ["## Accuracy on evaluation sets", accuracy(evaluations, spec.id, beside)]
    parts += ["## What it must not be used for", _WARNING]
    return "\n\n".join(parts) + "\n"


_WARNING = (
    "Not for diagnosis or treatment. Every mask has to be looked at by somebody who knows the anatomy; the rows above "
    "with the lowest DSC show where it fails. On kinds of pictures that no row names nothing is known."
)


def _permission(sources: Sequence[Source]) -> str:
    unknown = [f"{source.modality} {source.dataset}" for source in sources if not source.licence]
    if not unknown:
        return "The licence of every data set is known; whether it allows the weights to be passed on, the table shows."
    return f"**Do not pass these weights on**: no licence is known of {', '.join(unknown)}."


def _sources_table(sources: Sequence[Source]) -> str:
    return markdown(
        ("modality", "data set", "pictures", "volumes", "licence", "publisher"),
        [
            (one.modality, one.dataset, one.pictures, one.volumes, one.licence or "**unknown**", one.publisher)
            for one in sources
        ],
    )


def _synthetic(run: Path) -> str:
    folder = checkpoint.load(run / "checkpoint.pt")["config"]["synthetic"]
    return f"Procedural pictures and volumes beside them: {'yes' if folder else 'none'} (`medsam_research.synthesis`)."


def main(arguments: list[str] | None = None) -> None:
    """Command line."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    parser = argparse.ArgumentParser(prog="python -m medsam_research.cards.write", description=__doc__)
    parser.add_argument("model", type=Path, help="model folder")
    parser.add_argument("--run", type=Path, required=True, action="append", help="training run; repeat, in order")
    parser.add_argument("--fusion", type=Path, help="run of the fusion network")
    parser.add_argument("--data", type=Path, required=True, help="folder of the training archives")
    parser.add_argument("--licences", type=Path, default=LICENCES, help="CSV: modality, dataset, licence, publisher")
    parser.add_argument("--evaluation", type=Path, action="append", default=[], help="output of 'medsamlite evaluate'")
    parser.add_argument("--beside", action="append", default=[], metavar="ID", help="another evaluated model")
    parsed = parser.parse_args(arguments)
    training = Training(tuple(parsed.run), parsed.fusion, tuple(find_sources(parsed.data, parsed.licences)))
    try:
        text = card(read_manifest(parsed.model), training, parsed.evaluation, parsed.beside)
    except (MedSAMLiteError, OSError, ValueError) as error:
        sys.exit(str(error))
    with replacing(parsed.model / "card.md", ".md", force=True) as temporary:
        temporary.write_text(text, "utf-8")
    shutil.copyfile(training.runs[-1] / "curves.png", parsed.model / "curves.png")
    log.info("%s", parsed.model / "card.md")


if __name__ == "__main__":
    main()
