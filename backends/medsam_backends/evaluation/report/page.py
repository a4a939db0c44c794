"""Puts tables, plots and facts into one HTML page that needs nothing else, neither files nor a network."""

from __future__ import annotations

import base64
import hashlib
import math
import platform
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from ... import __version__
from ..ranking import Ranking, Standing
from ..summary import MEAN
from .study import CaseScore, Study
from .style import Plot, looks
from .tables import matrices, results

__all__ = ["Parts", "Ranked", "render"]

_HERE = Path(__file__).parent
_PACKAGES = ("numpy", "onnxruntime", "SimpleITK", "scipy", "matplotlib")
_HIDDEN = {"table", "models", "data"}
_DEFINITIONS = (
    "DSC: Dice similarity coefficient. NSD: normalised surface Dice with a tolerance of 2 mm (of a picture: 2 pixels), "
    "0 where the mean DSC of a case is 0.2 or less, as the challenge counts it. Means run over the labels of a case, "
    "the cases of a data set, the data sets of a modality, and the modalities. Times are wall times on the machine "
    "that evaluated; compare only times of one machine and one load. Peak memory is that of the whole program, in "
    "which an earlier model of the same run may have left its mark."
)


@dataclass(frozen=True)
class Ranked:
    """The ranking of the models, and its plots."""

    ranking: Ranking
    plots: Sequence[Plot]

    def text(self) -> str:
        """What the table and plots are, and how stable the order is."""
        known = self.ranking.taus[~np.isnan(self.ranking.taus)]
        found = (
            "Models are ranked by DSC, NSD and runtime in every case; the mean of these ranks over the cases of a "
            "modality, then over modalities, orders them, so a model that computes nothing gains by its speed. "
            "A failed case counts as the last."
        )
        if known.size:
            low, middle, high = np.percentile(known, (2.5, 50, 97.5))
            found += (
                f" Kendall's tau of {len(self.ranking.taus)} bootstrap samples: {middle:.2f} ({low:.2f} to {high:.2f})."
            )
        if self.ranking.left_out:
            found += f" {self.ranking.left_out} cases that not every model was tried on are left out."
        return found


@dataclass(frozen=True)
class Parts:
    """Plots by section, and what accompanies them.

    Attributes
    ----------
    ranking : or a sentence why there is none
    """

    results: Sequence[Plot]
    ranking: Ranked | str
    modalities: Sequence[Plot]
    worst: Sequence[Plot]
    worst_cases: Sequence[CaseScore]
    picture_notes: Sequence[str] = ()

    def all(self) -> list[Plot]:
        """Every plot, in the page's order."""
        ranking = () if isinstance(self.ranking, str) else self.ranking.plots
        return [*self.results, *ranking, *self.modalities, *self.worst]


def render(study: Study, parts: Parts, title: str, command: Sequence[str]) -> str:
    """The page.

    Parameters
    ----------
    command : as it was typed; of paths only the last part is shown
    """
    environment = Environment(
        loader=FileSystemLoader(_HERE), autoescape=True, undefined=StrictUndefined, trim_blocks=False
    )
    script = (_HERE / "sort.js").read_text("utf-8")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return environment.get_template("page.html").render(
        title=title,
        lead=_lead(study),
        contents=_contents(study),
        warnings=_warnings(study),
        models=study.models,
        colours={model: look.colour for model, look in looks(study.seen).items()},
        overall=results(study),
        matrices=matrices(study),
        plots=parts,
        ranked=None if isinstance(parts.ranking, str) else parts.ranking,
        standings=_standings(parts.ranking),
        ranking_text=parts.ranking if isinstance(parts.ranking, str) else parts.ranking.text(),
        worst=parts.worst_cases,
        picture_notes=parts.picture_notes,
        failures=study.failures,
        facts=_facts(study, command),
        definitions=_DEFINITIONS,
        number=_number,
        base64=lambda image: base64.b64encode(image).decode(),
        script=Markup(script),
        script_hash=f"sha256-{digest}",
    )


def _lead(study: Study) -> str:
    kinds = [f"{len({case.case for case in study.cases if case.kind == kind})} {kind}" for kind in study.kinds]
    labels = len({(row.case, row.label) for row in study.rows})
    models, modalities = len(study.models), len(study.modalities)
    return (
        f"{models} model{'s' * (models != 1)} on {' and '.join(kinds)} of {modalities} "
        f"modalit{'ies' if modalities != 1 else 'y'} with {labels} labelled objects, each from one box."
    )


def _contents(study: Study) -> list[tuple[str, str]]:
    found = [("results", "Results"), ("ranking", "Ranking"), ("modalities", "By modality"), ("worst", "Worst cases")]
    if study.failures:
        found.append(("failures", "Failed cases"))
    return [*found, ("settings", "Settings and versions")]


def _warnings(study: Study) -> list[str]:
    found = []
    if study.uneven:
        named = ", ".join(f"{model} lacks {count}" for model, count in study.uneven.items())
        total = len({case.case for case in study.cases})
        found.append(f"Not every model has scores for all {total} cases ({named}): their means cannot be compared.")
    digests: dict[str, set[str]] = {}
    for folder in study.folders:
        for model, identity in dict(folder.settings.get("models", {})).items():
            digests.setdefault(model, set()).add(str(identity))
    for model in sorted(model for model, known in digests.items() if len(known) > 1):
        found.append(f"The evaluations used different versions of {model} under one name.")
    return found


def _standings(ranking: Ranked | str) -> list[Standing]:
    """Over all modalities, the best first."""
    return [] if isinstance(ranking, str) else [one for one in ranking.ranking.standings if one.modality == MEAN]


def _facts(study: Study, command: Sequence[str]) -> list[tuple[str, str]]:
    facts = []
    for folder in study.folders:
        settings = {name: value for name, value in folder.settings.items() if name not in _HIDDEN}
        data = Path(str(folder.settings.get("data", "unknown"))).name
        said = ", ".join(f"{name} {_plain(value)}" for name, value in settings.items())
        facts.append((f"Evaluation {folder.path.resolve().name}", f"data {data}, {said}"))
    identities: dict[str, str] = {}
    for folder in study.folders:
        identities.update({str(k): str(v) for k, v in dict(folder.settings.get("models", {})).items()})
    facts += [(f"Model {name}", _digest(name, identity)) for name, identity in identities.items()]
    packages = ", ".join(f"{name} {version}" for name in _PACKAGES if (version := _version(name)))
    facts += [
        ("Report made", f"{datetime.now(timezone.utc):%Y-%m-%d %H:%M} UTC"),
        ("On", f"{platform.system()} {platform.machine()}, Python {platform.python_version()}"),
        ("With", f"medsamlite {__version__}, {packages}"),
        ("Command", shlex.join(Path(part).name or part for part in command)),
    ]
    return facts


def _digest(name: str, identity: str) -> str:
    digest = identity.removeprefix(f"{name}@")
    return f"SHA-256 {digest}" if digest else "code alone, no files"


def _plain(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value) if value not in ("", None) else "default"


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return ""


def _number(value: float, form: str) -> str:
    if math.isinf(value):
        return "∞"
    return f"{value:.0f}" if form == "#.3g" and value >= 100 else format(value, form)
