"""Runs models over cases, scores what they find and writes it down; may be stopped and taken up again at any time.

One model and one case are in memory at a time.  A case that fails is noted and the rest go on.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..backend import Backend
from ..cache import EmbeddingCache
from ..errors import InputError, OutputError, PromptError
from ..memory import forget_peak, peak_mib
from ..propagation import get_rule
from ..registry import list_models, open_model
from ..runtimes import check_runtime
from ..source_files import SourceFiles
from . import baselines
from .cases import Case, CaseData, find_cases
from .failures import Failure, failures_of_others, write_failures
from .inference import Found, segment_case
from .instances import as_instances
from .metrics import Score, label_score, under_challenge_rule
from .output_folder import check_apart, claim
from .packages import needed
from .predictions import prediction_path, save_prediction
from .prompts import Boxes
from .records import Journal, Row
from .summary import Mean, summarise, write_summary

__all__ = ["Plan", "Result", "evaluate"]

_CACHE_BYTES = 256 * 2**20
BASELINES = (baselines.EllipseInBox.spec.id, baselines.OtsuInBox.spec.id)


@dataclass(frozen=True)
class Plan:
    """How to evaluate.

    Attributes
    ----------
    rule : propagation rule of volumes; each model's own when empty
    threads : of each model; all cores when 0
    save_predictions : write ``predictions/MODEL/CASE.npz``
    instances : every connected component of a label is a label of its own
    clicks : simulated corrections of every label
    runtime : what runs each model
    """

    boxes: Boxes
    rule: str = ""
    threads: int = 0
    save_predictions: bool = False
    instances: bool = False
    clicks: int = 0
    runtime: str = "onnxruntime"

    def __post_init__(self) -> None:
        if self.instances and (self.boxes.table or self.boxes.rule == "file"):
            raise PromptError("Instances have no boxes in a file or table: ask for tight, jitter or loose ones.")


@dataclass(frozen=True)
class Result:
    """Everything in the output folder, former runs included; what failed formerly is tried again by its own model."""

    rows: list[Row]
    means: list[Mean]
    failures: list[Failure]


def evaluate(
    data: Path, models: Sequence[str], output: Path, plan: Plan, note: Callable[[str], None] = lambda line: None
) -> Result:
    """Evaluate models on the cases of a folder; writes ``cases.csv``, ``summary.csv`` and ``failures.csv``.

    Parameters
    ----------
    models : ids; what is in ``cases.csv`` already is not made again
    note : told a line for every case

    Raises
    ------
    InputError
        If `data` holds no case, or none that the table names.
    ModelError
        If a model cannot be opened.
    OutputError
        If `output` cannot be written, was made with another plan or another model of the same id, or a file to be
        written there is read.
    """
    needed("surface_distance")
    if plan.rule:
        get_rule(plan.rule)
    check_runtime(plan.runtime)
    if len(set(models)) < len(models):
        raise PromptError("A model is named twice: name each once.")
    cases = find_cases(data)
    if plan.boxes.table:
        cases = _named(cases, plan.boxes.table, data, note)
    _check_apart(cases, models, output, plan)
    claim(output, _settings(data, plan), _identities(models))
    journal = Journal(output / "cases.csv")
    failures = failures_of_others(output, models)
    for model in models:
        left = [case for case in cases if (case.name, model) not in journal.done]
        if left:
            failures += _run_model(model, left, journal, output, plan, note)
    means = summarise(journal.rows)
    write_summary(output / "summary.csv", means)
    write_failures(output, failures)
    return Result(journal.rows, means, failures)


def _named(cases: Sequence[Case], table: Collection[str], data: Path, note: Callable[[str], None]) -> list[Case]:
    """The cases that the table names; those that it names and that are not there are told."""
    found = [case for case in cases if case.name in table]
    missing = sorted(set(table) - {case.name for case in found})
    if not found:
        raise InputError(f"{data} holds no case of the table, which begins with {missing[0]}: check names and folder.")
    if missing:
        note(f"Not in {data}, though the table names them: {', '.join(missing)}")
    return found


def _check_apart(cases: Sequence[Case], models: Sequence[str], output: Path, plan: Plan) -> None:
    """Raise `OutputError` if a file to be written is one of a case."""
    sources = SourceFiles([file for case in cases for file in case.files])
    check_apart(output, sources)
    if plan.save_predictions:
        for model in models:
            for case in cases:
                sources.check(prediction_path(output, model, case.name))


def _run_model(
    model: str, cases: Iterable[Case], journal: Journal, output: Path, plan: Plan, note: Callable[[str], None]
) -> list[Failure]:
    backend = open_model(model, plan.runtime, plan.threads)
    failures = []
    try:
        for case in cases:
            started = time.perf_counter()
            try:
                rows = _run_case(backend, case, model, output, plan)
            except OutputError:  # every further case would meet it as well
                raise
            except Exception as error:  # whatever is wrong with one case, the others go on
                said = " ".join(f"{error}".split()) or type(error).__name__
                said = said.replace(f"{case.path.parent}{os.sep}", "")  # where the images lie is nothing for a report
                failures.append(Failure(case.name, model, said))
                note(f"{model} {case.name}: failed: {failures[-1].reason}")
                continue
            journal.add(rows)
            mean = sum(row.dsc for row in rows) / len(rows)
            note(f"{model} {case.name}: DSC {mean:.3f}, {time.perf_counter() - started:.1f} s")
    finally:
        backend.close()
    return failures


def _run_case(backend: Backend, case: Case, model: str, output: Path, plan: Plan) -> list[Row]:
    data = as_instances(case.read()) if plan.instances else case.read()
    boxes = plan.boxes.of(case, data)
    chosen = backend.for_modality(case.modality)
    forget_peak()
    clicks = plan.clicks if data.is_labelled else 0
    found = segment_case(chosen, case, data, boxes, plan.rule, EmbeddingCache(_CACHE_BYTES), clicks)
    peak = round(peak_mib(), 1)
    if plan.save_predictions:
        save_prediction(prediction_path(output, model, case.name), found, data.truth.shape)
    scores = _scores(data, found)
    return [_row(case, model, len(found), one, score, peak) for one, score in zip(found, scores, strict=True)]


def _scores(data: CaseData, found: Sequence[Found]) -> list[Score]:
    """Of every label, unknown where there is no truth."""
    if not data.is_labelled:
        return [Score(math.nan, math.nan)] * len(found)
    masks = ((data.truth == one.label, one.full(data.truth.shape)) for one in found)
    return under_challenge_rule([label_score(truth, mask, data.spacing) for truth, mask in masks])


def _row(case: Case, model: str, labels: int, found: Found, score: Score, peak: float) -> Row:
    return Row(
        case.name,
        case.modality,
        case.dataset,
        found.label,
        labels,
        model,
        score.dsc,
        score.nsd,
        found.iou,
        round(found.seconds, 6),
        round(found.encode_s, 6),
        round(found.decode_s, 6),
        score.hd95_mm,
        score.volume_difference_ml,
        score.volume_difference_percent,
        peak,
        " ".join(f"{dsc:.4f}" for dsc in found.clicks),
    )


def _settings(data: Path, plan: Plan) -> dict[str, Any]:
    """What the scores depend on besides the model."""
    table = {case: {str(n): list(box) for n, box in boxes.items()} for case, boxes in plan.boxes.table.items()}
    return {
        "data": str(data.resolve()),
        "boxes": "table" if table else plan.boxes.rule,
        "table": table,
        "seed": plan.boxes.seed,
        "rule": plan.rule,
        "predictions": plan.save_predictions,
        "instances": plan.instances,
        "clicks": plan.clicks,
        **({} if plan.runtime == "onnxruntime" else {"runtime": plan.runtime}),
    }


def _identities(models: Sequence[str]) -> dict[str, str]:
    """Id and digest of the models by id, without those there are not, which opening them will tell."""
    specs = [entry.spec for entry in list_models() if entry.id in models and entry.state == "ready"]
    return {spec.id: spec.identity for spec in specs if spec is not None}
