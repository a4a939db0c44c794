"""Segments a table of cases: sorts out what is done, hands out the rest, tries again, and lists what came of it."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from ..errors import MedSAMLiteError, OutputError
from ..registry import open_model
from ..whole_file import make_folder
from .crew import Crew
from .records import changed, made_with, read_record
from .table import Case, Problem, Table
from .worker import Attempt, Order

__all__ = ["Outcome", "Plan", "done_meanwhile", "plan", "run_cohort"]


@dataclass(frozen=True)
class Outcome:
    """What became of a case.

    Attributes
    ----------
    state : ``"made"`` now, or ``"kept"`` as a former run made it
    attempts : 0 when kept
    worker : id of the process that made it
    report : see `run_report.describe`
    """

    case: Case
    state: Literal["made", "kept"]
    report: Mapping[str, Any]
    attempts: int = 0
    worker: int = 0


@dataclass(frozen=True)
class Plan:
    """A table sorted out: what is to do, what is done already, and what cannot be done."""

    orders: tuple[Order, ...]
    kept: tuple[Outcome, ...]
    problems: tuple[Problem, ...]


def plan(table: Table, folder: Path, *, force: bool = False) -> Plan:
    """Compare the table with what the output folder holds.

    Parameters
    ----------
    force : make again what was made with other settings, and replace files that are in the way

    Raises
    ------
    OutputError
        If the folder cannot be used.
    """
    folder = folder.absolute()
    make_folder(folder)
    models = _models(table.cases)
    orders: list[Order] = []
    kept: list[Outcome] = []
    problems = list(table.problems)
    for case in sorted(table.cases, key=lambda case: case.settings.model):  # so that workers seldom change models
        try:
            identity = models[case.settings.model]
            if isinstance(identity, MedSAMLiteError):
                raise identity
            found = _compare(case, folder, identity, force)
        except MedSAMLiteError as error:
            problems.append(_problem(case, folder, str(error)))
            continue
        if isinstance(found, Outcome):
            kept.append(found)
        else:
            orders.append(found)
    return Plan(tuple(orders), tuple(kept), tuple(sorted(problems, key=lambda problem: problem.line)))


def run_cohort(orders: Sequence[Order], crew: Crew, retries: int = 0) -> Iterator[Outcome | Problem]:
    """Have orders done; yields what became of each as soon as it is known.

    Parameters
    ----------
    retries : how often a case is tried again whose failure may pass: a full disk, a worker that died
    """
    attempts: Counter[int] = Counter()
    for order in orders:
        crew.submit(order)
    left = len(orders)
    while left:
        order, attempt = crew.next()
        case = order.case
        attempts[case.line] += 1
        if attempt.report is None and attempt.transient and attempts[case.line] <= retries:
            crew.submit(order)  # behind all others: what was wrong has time to pass
            continue
        left -= 1
        yield _outcome(order, attempt, attempts[case.line])


def done_meanwhile(orders: Iterable[Order], outcomes: Iterable[Outcome]) -> list[Outcome]:
    """The orders that were done although nobody waited for the answer any more."""
    known = {outcome.case.line for outcome in outcomes}
    found = []
    for order in orders:
        record = read_record(order.folder, order.case.output) if order.case.line not in known else None
        if record is not None and record.report is not None and not changed(record.made_with, order.made_with):
            found.append(Outcome(order.case, "made", record.report, 1))
    return found


def _outcome(order: Order, attempt: Attempt, attempts: int) -> Outcome | Problem:
    if attempt.report is not None:
        return Outcome(order.case, "made", attempt.report, attempts, attempt.worker)
    tried = f" (tried {attempts} times)" if attempts > 1 else ""
    return _problem(order.case, order.folder, attempt.reason + tried)


def _problem(case: Case, folder: Path, reason: str) -> Problem:
    """The reason with the names that the table has: where the folders lie is nothing for a list that is passed on."""
    told = reason.replace(str(case.image), case.named).replace(f"{folder}{os.sep}", "")
    return Problem(case.line, case.named, case.output, told)


def _models(cases: Iterable[Case]) -> dict[str, str | MedSAMLiteError]:
    """Id and digest of each model that is asked for, or why it cannot be used."""
    found: dict[str, str | MedSAMLiteError] = {}
    for name in {case.settings.model for case in cases}:
        try:
            backend = open_model(name, threads=1)
            found[name] = backend.spec.identity
            backend.close()
        except MedSAMLiteError as error:
            found[name] = error
    return found


def _compare(case: Case, folder: Path, model: str, force: bool) -> Order | Outcome:
    """The case as done, or as an order; raises `OutputError` if something else is in its place."""
    now = made_with(case, model)
    record, there = read_record(folder, case.output), os.path.exists(folder / case.output)
    if there and not force:
        if record is None:
            raise OutputError(f"{folder / case.output} exists: choose another folder, or --force to replace it.")
        differs = changed(record.made_with, now) if record.report is not None else []
        if differs:
            raise OutputError(
                f"{case.output} was made with other settings ({', '.join(differs)}): choose another folder, "
                "or --force to make it again."
            )
    if there and record is not None and record.report is not None and not changed(record.made_with, now):
        return Outcome(case, "kept", record.report)
    return Order(case, folder, model, now, force)
