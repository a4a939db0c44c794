"""The models that can be had: lists them, installs and imports published ones, adds and deletes folders.

Plain Python without Qt, so that downloads may run on the worker thread.
"""

from dataclasses import dataclass
from pathlib import Path

from medsam_backends.backend import BackendSpec
from medsam_backends.checkpoints import add_folder, import_published, importable, install, remove_folder
from medsam_backends.errors import ModelError, OutputError
from medsam_backends.registry import DEFAULT_MODEL, list_models, user_folder

__all__ = ["ModelManager", "ModelRow"]


@dataclass(frozen=True)
class ModelRow:
    """A model as a person reads it.

    Attributes
    ----------
    state : ``"ready"``, ``"broken"``, ``"download"`` (by one click) or ``"import"`` (needs the authors' file)
    detail : why it is broken, or what getting it takes
    isFolder : what is imported is a folder of files
    """

    id: str
    name: str
    source: str
    state: str
    detail: str
    licence: str = ""
    modalities: tuple = ()
    limits: tuple = ()
    size_bytes: int = 0
    canDelete: bool = False
    isFolder: bool = False
    path: Path | None = None
    spec: BackendSpec | None = None


class ModelManager:
    """What the registry finds, and what the catalogue of published models offers beside it."""

    def rows(self):
        """Every model: usable, broken, and those that could be added."""
        found = [self._found(entry) for entry in list_models()]
        ready = {row.id for row in found if row.state == "ready"}
        return found + [self._offered(model) for model in importable().values() if model.id not in ready]

    def usable(self):
        """Rows that can segment, the bundled default first."""
        rows = [row for row in self.rows() if row.state == "ready"]
        order = {"bundled": 0}
        return sorted(rows, key=lambda row: (row.id != DEFAULT_MODEL, order.get(row.source, 1), row.name.lower()))

    def folder(self):
        """The folder of the user's models, made if need be."""
        folder = user_folder()
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(
                f"The model folder {folder} cannot be made ({error}): set MEDSAMLITE_MODELS to another."
            ) from None
        return folder

    def download(self, identifier, progress=None, cancelled=lambda: False):
        """Install a published model; seconds to minutes, may run in a thread.

        Parameters
        ----------
        progress : called with the bytes that have come and those that will (0 when unknown)
        cancelled : asked all the time; `Cancelled` is raised when it says so
        """
        install(identifier, self.folder() / identifier, progress=progress, cancelled=cancelled)

    def importFile(self, identifier, source, cancelled=lambda: False):
        """Make a model of what the user got from its authors: a file, or the folder of a model of several parts."""
        import_published(identifier, source, self.folder() / identifier, replace=True, cancelled=cancelled)

    def addFolder(self, source):
        """Copy a model folder to the user's models; returns its id."""
        return add_folder(Path(source), self.folder())

    def delete(self, row):
        """Remove a model of the user's folder from disk."""
        if not row.canDelete:
            raise ModelError(f"The model {row.id} is not in the user's folder and cannot be deleted here.")
        remove_folder(row.path)

    def _found(self, entry):
        spec = entry.spec
        files = [file for file in entry.path.rglob("*") if file.is_file()] if entry.path else []
        return ModelRow(
            id=entry.id,
            name=spec.name if spec else entry.id,
            source=entry.source,
            state=entry.state,
            detail=entry.reason,
            licence=spec.licence if spec else "",
            modalities=spec.modalities if spec else (),
            limits=spec.limits if spec else (),
            size_bytes=sum(file.stat().st_size for file in files),
            canDelete=entry.source == "user" and entry.path is not None,
            path=entry.path,
            spec=spec,
        )

    def _offered(self, model):
        state, detail = ("download", model.get) if model.installable else ("import", f"{model.get} {model.page}")
        figures = [f"Published accuracy: DSC {a.dsc:.1f} %, NSD {a.nsd:.1f} % ({a.on})." for a in model.accuracy]
        return ModelRow(
            id=model.id,
            name=model.system,
            source="published",
            state=state,
            detail=" ".join([detail, *figures]),
            licence=model.licence,
            modalities=tuple(model.manifest["modalities"]),
            limits=tuple(model.manifest["limits"]),
            size_bytes=model.size,
            isFolder=len(model.files) > 1,
        )
