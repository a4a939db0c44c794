"""The catalogue of published models as text: a paragraph a model, for ``medsamlite models list --catalog``."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from ..checkpoints.catalogue import PublishedFile, PublishedModel

__all__ = ["paragraph"]

_INDENT, _LABEL, _WIDTH = 2, 10, 110


def paragraph(model: PublishedModel, state: str) -> str:
    """All that is known of a published model, and how to have it.

    Parameters
    ----------
    state : what it is on this computer, e.g. ``"ready"``; empty when it is not here
    """
    lines = [f"{model.id}  ({state})" if state else model.id]
    for label, text in _facts(model):
        head = " " * _INDENT + f"{label:<{_LABEL}}"
        lines += textwrap.wrap(
            text,
            _WIDTH,
            initial_indent=head,
            subsequent_indent=" " * len(head),
            break_long_words=False,
            break_on_hyphens=False,
        )
    return "\n".join(lines)


def _facts(model: PublishedModel) -> Iterator[tuple[str, str]]:
    yield "system", f"{model.system}, by {model.authors}"
    yield "licence", f"{model.licence or 'none found'}; of the weights: {model.weights_licence}"
    yield "paper", model.paper
    yield "page", model.page
    for number, file in enumerate(model.files):
        yield "" if number else "files", _file(file)
    yield "to get it", model.get
    if model.installable:
        yield "", f"medsamlite models install {model.id}"
    if model.keys:
        yield "", f"medsamlite models import {model.id} {'FILE' if len(model.files) == 1 else 'FOLDER'}"
    yield "cost", _cost(model)
    for number, figures in enumerate(model.accuracy):
        text = f"DSC {figures.dsc:.2f} %, NSD {figures.nsd:.2f} %: {figures.on} ({figures.source})"
        yield "" if number else "accuracy", text
    if not model.accuracy:
        yield "accuracy", "none published where we could read it"
    for number, limit in enumerate(model.manifest.get("limits", ())):
        yield "" if number else "limits", limit


def _file(file: PublishedFile) -> str:
    size = f"{file.size / 1e6:.1f} MB" if file.size else ""
    digest = f"SHA-256 {file.sha256}" if file.sha256 else f"git blob {file.git_blob}" if file.git_blob else ""
    return ", ".join(filter(None, (file.name, file.note, size, digest)))


def _cost(model: PublishedModel) -> str:
    size = f"{model.parameters / 1e6:.1f} million parameters, sees {model.input_size} pixels"
    if not model.encode_seconds:
        return size
    return f"{size}; {model.encode_seconds:.1f} s for a slice in PyTorch on one thread of a 2.5 GHz processor"
