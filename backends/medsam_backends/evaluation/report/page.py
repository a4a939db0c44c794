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

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from ... import __version__
from .study import CaseScore, Folder, Study
from .style import Plot, looks
from .tables import matrices, results

__all__ = ["Parts", "render"]

_HERE = Path(__file__).parent
_PACKAGES = ("numpy", "onnxruntime", "SimpleITK", "scipy", "matplotlib")
_HIDDEN = {"table", "models", "data"}
_DEFINITIONS = (
    "DSC: Dice similarity coefficient. NSD: normalised surface Dice with a tolerance of 2 mm (of a picture: 2 pixels), "
    "0 where the mean DSC of a case is 0.2 or less, as the challenge counts it. Means run over the labels of a case, "
    "the cases of a data set, the data sets of a modality, and the modalities. Times are wall times on the machine "
    "that evaluated; compare only times of one machine and one load."
)


@dataclass(frozen=True)
class Parts:
    """Plots by section, and what accompanies them."""

    results: Sequence[Plot]
    ranking: Sequence[Plot]
    modalities: Sequence[Plot]
    worst: Sequence[Plot]
    worst_cases: Sequence[CaseScore]
    picture_notes: Sequence[str] = ()
    ranking_text: str = ""

    def all(self) -> list[Plot]:
        """Every plot, in the page's order."""
        return [*self.results, *self.ranking, *self.modalities, *self.worst]


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
        contents=_contents(study, parts),
        warnings=_warnings(study),
        models=study.models,
        colours={model: look.colour for model, look in looks(study.seen).items()},
        overall=results(study),
        matrices=matrices(study),
        plots=parts,
        ranking_text=parts.ranking_text,
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


def _contents(study: Study, parts: Parts) -> list[tuple[str, str]]:
    found = [("results", "Results"), ("modalities", "By modality"), ("worst", "Worst cases")]
    if parts.ranking:
        found.insert(1, ("ranking", "Ranking"))
    if study.failures:
        found.append(("failures", "Failed cases"))
    return [*found, ("settings", "Settings and versions")]


def _warnings(study: Study) -> list[str]:
    found = []
    if study.uneven:
        named = ", ".join(f"{model} lacks {count}" for model, count in study.uneven.items())
        total = len({case.case for case in study.cases})
        found.append(f"Not every model has scores for all {total} cases ({named}): their means cannot be compared.")
    if len({_boxes(folder) for folder in study.folders}) > 1:
        found.append("The evaluations used different boxes: scores across them cannot be compared.")
    digests: dict[str, set[str]] = {}
    for folder in study.folders:
        for model, identity in dict(folder.settings.get("models", {})).items():
            digests.setdefault(model, set()).add(str(identity))
    for model in sorted(model for model, known in digests.items() if len(known) > 1):
        found.append(f"The evaluations used different versions of {model} under one name.")
    return found


def _boxes(folder: Folder) -> str:
    return str(folder.settings.get("boxes", "unknown"))


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
    return f"{value:.0f}" if form == ".3g" and value >= 100 else format(value, form)
