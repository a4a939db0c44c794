"""Finds models in four places: bundled folders, the user's folder, registered classes, entry points.

A broken model is listed with its reason and never hides the others.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar

from .backend import Backend, BackendSpec
from .errors import ModelError
from .folder_backend import open_folder
from .routed import read_model

__all__ = [
    "DEFAULT_MODEL",
    "ModelEntry",
    "bundled_folder",
    "find_model",
    "list_models",
    "open_model",
    "register_backend",
    "user_folder",
]

DEFAULT_MODEL = "medsamlite-repvit"
_ENTRY_POINTS = "medsam_backends"
_BackendClass = TypeVar("_BackendClass", bound=type[Backend])
_registered: dict[str, type[Backend]] = {}


@dataclass(frozen=True)
class ModelEntry:
    """A model that was found.

    Attributes
    ----------
    state : ``"ready"`` or ``"broken"``
    reason : why it is broken, else empty
    source : ``"bundled"``, ``"user"``, ``"registered"`` or ``"entry point"``
    spec : its facts; None when broken
    path : its folder; None for a class
    """

    id: str
    state: Literal["ready", "broken"]
    source: str
    reason: str = ""
    spec: BackendSpec | None = None
    path: Path | None = None
    factory: Callable[[], Backend] | None = None

    def stamp(self) -> tuple[int, ...]:
        """Told in microseconds: another once the model's folder was replaced or is gone."""
        try:
            now = (self.path / "model.json").stat() if self.path is not None else None
        except OSError:
            return ()
        return (now.st_ino, now.st_size, now.st_mtime_ns, now.st_ctime_ns) if now is not None else (0,)

    def open(self, runtime: str = "onnxruntime", threads: int = 0) -> Backend:
        """Load it, see `open_folder`.

        Raises
        ------
        ModelError
            If it is broken.
        """
        if self.path is not None:
            return open_folder(self.path, runtime, threads)
        if self.factory is None:
            raise ModelError(self.reason)
        try:
            return self.factory()
        except ModelError:
            raise
        except Exception as error:  # a plug-in may fail in any way; the others must stay usable
            raise ModelError(f"The model {self.id} cannot be loaded: {error}.") from error


def register_backend(cls: _BackendClass) -> _BackendClass:
    """Class decorator: make a `Backend` subclass known under the id of its `spec`.

    The class must set `spec` as a class attribute and be callable without arguments.

    Raises
    ------
    ModelError
        If another class has that id already.
    """
    taken = _registered.get(cls.spec.id)
    # A module that Slicer reloads registers its own class anew.
    if taken is not None and (taken.__module__, taken.__qualname__) != (cls.__module__, cls.__qualname__):
        owner = f"{taken.__module__}.{taken.__qualname__}"
        raise ModelError(f"The model id {cls.spec.id} is taken by {owner}: choose another.")
    _registered[cls.spec.id] = cls
    return cls


def user_folder() -> Path:
    """The folder of the user's models: ``MEDSAMLITE_MODELS``, else the platform's user-data folder."""
    named = os.environ.get("MEDSAMLITE_MODELS")
    if named:
        return Path(named).expanduser()
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData" / "Local"))
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Application Support"
    else:
        base = Path(os.environ.get("XDG_DATA_HOME", Path.home() / ".local" / "share"))
    return base / "MedSAMLite" / "models"


def bundled_folder() -> Path | None:
    """The folder of the bundled models: in a checkout, an installed package or an installed extension."""
    package = Path(__file__).resolve().parent
    places = (
        package.parents[1] / "MedSAMLite" / "Resources" / "Models",
        package / "models",
        package.parent / "Resources" / "Models",
    )
    return next((place for place in places if place.is_dir()), None)


def list_models() -> list[ModelEntry]:
    """Every model that can be found, sound or broken; the first of an id counts."""
    entries: list[ModelEntry] = []
    seen: dict[str, ModelEntry] = {}
    for entry in _find():
        first = seen.get(entry.id)
        if first is None:
            seen[entry.id] = entry
        elif entry.state == "ready" and first.state == "ready":
            reason = f"The id {entry.id} is taken by another model ({first.source}): give this one another id."
            entry = ModelEntry(entry.id, "broken", entry.source, reason, None, entry.path)
        entries.append(entry)
    return entries


def find_model(model: str = "") -> ModelEntry:
    """The model with the id `model` (the bundled default when empty), ready to be opened.

    Raises
    ------
    ModelError
        If there is none of that id, or it is broken.
    """
    model = model or _default()
    ready = next((entry for entry in _find() if entry.id == model and entry.state == "ready"), None)
    if ready is not None:
        return ready
    entries = list_models()
    broken = [entry for entry in entries if entry.id == model]
    if broken:
        raise ModelError(f"The model {model} is broken: {broken[0].reason}")
    raise ModelError(_how_to_have(model, entries))


def open_model(model: str = "", runtime: str = "onnxruntime", threads: int = 0) -> Backend:
    """Load what `find_model` finds."""
    return find_model(model).open(runtime, threads)


def _how_to_have(model: str, found: Iterable[ModelEntry]) -> str:
    """A sentence on a model that is not here: how to get a published one, else which ones there are."""
    from .checkpoints import importable

    published = importable().get(model)
    if published is not None:
        way = f"run 'medsamlite models install {model}'" if published.installable else published.by_hand
        return f"The model {model} is not installed yet: {way}."
    known = ", ".join(sorted({entry.id for entry in found if entry.state == "ready"})) or "none"
    return f"There is no model {model!r}: the models found are {known}; see 'medsamlite models list'."


def _default() -> str:
    """Id of the bundled model that is used when none is named."""
    bundled = [entry.id for entry in _bundled() if entry.state == "ready"]
    if not bundled:
        advice = "install one ('medsamlite models install litemedsam') and name it"
        raise ModelError(f"No model is bundled here: {advice}.")
    return DEFAULT_MODEL if DEFAULT_MODEL in bundled else bundled[0]


def _bundled() -> Iterable[ModelEntry]:
    folder = bundled_folder()
    return () if folder is None else _folders(folder, "bundled")


def _find() -> Iterator[ModelEntry]:
    yield from _bundled()
    yield from _folders(user_folder(), "user")
    for identifier, cls in _registered.items():
        yield ModelEntry(identifier, "ready", "registered", spec=cls.spec, factory=cls)
    yield from _entry_points()


def _folders(parent: Path, source: str) -> Iterator[ModelEntry]:
    try:
        folders = sorted(p for p in parent.iterdir() if p.is_dir() and not p.name.startswith((".", "_")))
    except OSError:
        return  # the user's folder need not exist
    for folder in folders:
        try:
            spec = read_model(folder).spec
        except ModelError as error:
            yield ModelEntry(folder.name, "broken", source, str(error), path=folder)
        else:
            yield ModelEntry(spec.id, "ready", source, spec=spec, path=folder)


def _entry_points() -> Iterator[ModelEntry]:
    from importlib import metadata  # slow to import, and the bundled models are found without

    for point in metadata.entry_points(group=_ENTRY_POINTS):
        try:
            cls = point.load()
            spec = cls.spec
            if not (isinstance(cls, type) and issubclass(cls, Backend) and isinstance(spec, BackendSpec)):
                raise TypeError("it is no Backend with a spec")
        except Exception as error:  # a plug-in may fail in any way; the others must stay usable
            yield ModelEntry(point.name, "broken", "entry point", f"{point.value} cannot be loaded: {error}.")
            continue
        if _registered.get(spec.id) is not cls:  # the module may use the decorator as well
            yield ModelEntry(spec.id, "ready", "entry point", spec=spec, factory=cls)
