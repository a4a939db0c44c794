"""What one process does with its cases: it keeps the model loaded, and turns every failure into a sentence."""

from __future__ import annotations

import os
import shutil
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..backend import Backend
from ..errors import FormatError, MedSAMLiteError, ModelError, OutputError
from ..io import Volume, check_output, read_image, write_segmentation
from ..registry import open_model
from ..run_report import describe
from ..segmentation_run import Settings, run, targets
from ..segmentation_writer import check_fits
from ..segmenter import Target
from ..whole_file import make_folder
from .records import Record, read_record, record_path, write_record
from .table import Case

__all__ = ["Attempt", "CaseWorker", "Order"]


@dataclass(frozen=True)
class Order:
    """A case to segment.

    Attributes
    ----------
    folder : of all outputs, absolute
    model : id and digest that the case is to be segmented with
    made_with : see `records.made_with`
    replace : whether a file that is in the way may be replaced
    """

    case: Case
    folder: Path
    model: str
    made_with: Mapping[str, Any]
    replace: bool


@dataclass(frozen=True)
class Attempt:
    """What came of an order: a report, or a reason.

    Attributes
    ----------
    transient : whether the same order may succeed another time
    worker : id of the process, 0 when it died
    """

    report: Mapping[str, Any] | None
    reason: str = ""
    transient: bool = False
    worker: int = 0


class CaseWorker:
    """Segments cases, one model loaded at a time; several threads may share it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._key: tuple[str, int] | None = None
        self._backend: Backend | None = None

    def segment(self, order: Order) -> Attempt:
        """Segment a case as ``medsamlite segment`` does, and write it with its record; never raises."""
        try:
            return Attempt(self._make(order), worker=os.getpid())
        except OutputError as error:  # a disk may have space again
            return self._failed(str(error), transient=not isinstance(error, FormatError))
        except MedSAMLiteError as error:
            return self._failed(str(error))
        except MemoryError:
            return self._failed("The memory does not suffice: give fewer --workers.", transient=True)
        except Exception as error:  # whatever it is, the other cases go on
            return self._failed(f"Unexpected {type(error).__name__}: {error}", transient=True)

    def close(self) -> None:
        """Free the model."""
        with self._lock:
            if self._backend is not None:
                self._backend.close()
            self._key = self._backend = None

    def _failed(self, reason: str, transient: bool = False) -> Attempt:
        return Attempt(None, " ".join(reason.split()), transient, os.getpid())

    def _make(self, order: Order) -> Mapping[str, Any]:
        started = time.perf_counter()
        case, output = order.case, order.folder / order.case.output
        # With a record the file is ours, be it complete or not: a former attempt may have died after writing it.
        ours = order.replace or read_record(order.folder, case.output) is not None
        write_record(order.folder, case.output, Record(order.made_with))
        make_folder(output.parent)
        check_output(output, force=ours)

        def choose(volume: Volume) -> list[Target]:
            check_fits(output, volume)
            return targets(case.boxes, case.names, volume)

        outcome = run(
            case.settings, lambda: read_image(case.image), choose, started=started, load=lambda s: self._model(s, order)
        )
        with _apart(order.folder, case.output) as temporary:
            messages = write_segmentation(temporary, outcome.masks(), outcome.image)
        report = describe(outcome, time.perf_counter() - started, messages)
        write_record(order.folder, case.output, Record(order.made_with, report))
        return report

    def _model(self, settings: Settings, order: Order) -> Backend:
        """The model of an order, kept for the next one."""
        with self._lock:
            key = order.model, settings.threads
            if self._key != key or self._backend is None:
                backend = open_model(settings.model, settings.runtime, settings.threads)
                if backend.spec.identity != order.model:
                    raise ModelError(
                        f"The model {settings.model} of this worker is not that of the one who asks: install the same."
                    )
                self._key, self._backend = key, backend  # threads at work may still use the former one
            return self._backend


@contextmanager
def _apart(folder: Path, output: str) -> Iterator[Path]:
    """A file that takes the output's place in the end, alone in a folder that a killed worker may have left filled."""
    apart, path = record_path(folder, output).with_suffix(".part"), folder / output
    shutil.rmtree(apart, ignore_errors=True)
    try:
        apart.mkdir(parents=True)
        yield apart / path.name
        os.replace(apart / path.name, path)
    except OSError as error:
        raise OutputError(f"{path} could not be written ({error.strerror or error}): nothing was changed.") from error
    except OutputError as error:
        raise type(error)(str(error).replace(str(apart / path.name), str(path))) from None
    finally:
        shutil.rmtree(apart, ignore_errors=True)
