"""The window "Manage models": what there is, why one is broken, and how to get or remove one."""

import qt
import slicer
from medsam_backends.errors import MedSAMLiteError
from slicer.i18n import tr as _

from .JobRunner import JobRunner
from .Worker import Job

__all__ = ["ModelDialog"]

_MODALITIES_WIDTH = 190
"""Pixels: a model may have many, and licence and size must be seen without scrolling."""


class ModelDialog:
    """Stays open beside the panel.

    A download has a worker of its own, so that one goes on segmenting meanwhile; closing the window cancels it.

    Parameters
    ----------
    changed : called after a model came, or went
    """

    def __init__(self, models, changed, parent=None):
        self.models, self.changed = models, changed
        self.worker = JobRunner()
        self.rows = []
        self.job = None
        self.wanted = None  # the row that is installed or imported
        self.dialog = qt.QDialog(parent)
        self.dialog.setWindowTitle(_("Models of MedSAM Lite"))
        self.dialog.resize(760, 420)
        layout = qt.QVBoxLayout(self.dialog)
        self.table = qt.QTableWidget(0, 6, self.dialog)
        self.table.setHorizontalHeaderLabels([_("Name"), _("State"), _("For"), _("Licence"), _("Size"), _("From")])
        self.table.setSelectionBehavior(qt.QAbstractItemView.SelectRows)
        self.table.setSelectionMode(qt.QAbstractItemView.SingleSelection)
        self.table.setEditTriggers(qt.QAbstractItemView.NoEditTriggers)
        self.table.verticalHeader().setVisible(False)
        self.detail = qt.QLabel(self.dialog)
        self.detail.setWordWrap(True)
        layout.addWidget(self.table)
        layout.addWidget(self.detail)
        buttons = qt.QHBoxLayout()
        layout.addLayout(buttons)
        self.installButton = self._button(buttons, _("Install..."), self.onInstall)
        self.importButton = self._button(buttons, _("Import checkpoint..."), self.onImport)
        self.addButton = self._button(buttons, _("Add model folder..."), self.onAdd)
        self.deleteButton = self._button(buttons, _("Delete..."), self.onDelete)
        self.openButton = self._button(buttons, _("Open folder"), self.onOpen)
        self.cancelButton = self._button(buttons, _("Cancel"), self.onCancel)
        self.closeButton = self._button(buttons, _("Close"), self.dialog.accept)
        self.table.connect("itemSelectionChanged()", self.onSelected)
        self.dialog.connect("finished(int)", lambda _result: self.onCancel())

    def show(self):
        """Open the window, or bring it to the front."""
        self.fill()
        self.dialog.show()
        self.dialog.activateWindow()

    def close(self):
        """End what it does, and the window, for good."""
        self.worker.close()
        self.dialog.hide()

    def fill(self):
        self.rows = self.models.rows()
        self.table.setRowCount(len(self.rows))
        states = {
            "ready": _("ready"),
            "broken": _("broken"),
            "download": _("can be installed"),
            "import": _("can be imported"),
        }
        for number, row in enumerate(self.rows):
            size = f"{row.size_bytes / 1e6:.1f} MB" if row.size_bytes else ""
            texts = (row.name, states[row.state], ", ".join(row.modalities), row.licence, size, row.source)
            for column, text in enumerate(texts):
                self.table.setItem(number, column, qt.QTableWidgetItem(text))
        self.table.resizeColumnsToContents()
        self.table.setColumnWidth(2, min(_MODALITIES_WIDTH, self.table.columnWidth(2)))
        self.onSelected()

    def selected(self):
        number = self.table.currentRow()
        return self.rows[number] if 0 <= number < len(self.rows) else None

    def onSelected(self):
        row = None if self._isBusy() else self.selected()
        self.installButton.setEnabled(row is not None and row.state == "download")
        self.importButton.setEnabled(row is not None and row.state in ("download", "import"))
        self.deleteButton.setEnabled(row is not None and row.canDelete)
        self.cancelButton.setEnabled(self._isBusy())
        if self._isBusy():
            return  # the line tells what is running
        self.detail.setText(" ".join([row.detail, *row.limits]) if row is not None else _("Select a model."))

    def onInstall(self):
        row = self.selected()
        question = _("Download {name} ({size}licence {licence}) and install it?")
        size = f"{row.size_bytes / 1e6:.0f} MB, " if row.size_bytes else ""
        if not slicer.util.confirmOkCancelDisplay(
            question.format(name=row.name, size=size, licence=row.licence), windowTitle="MedSAMLite"
        ):
            return
        self._run(
            row,
            _("Installing {name}...").format(name=row.name),
            lambda job: self.models.download(row.id, lambda *bytes_: job.report(bytes_), lambda: job.isCancelled),
        )

    def onImport(self):
        row = self.selected()
        if row.isFolder:
            path = qt.QFileDialog.getExistingDirectory(self.dialog, _("Folder with {name}").format(name=row.name))
        else:
            path = qt.QFileDialog.getOpenFileName(self.dialog, _("Checkpoint of {name}").format(name=row.name))
            path = path[0] if isinstance(path, tuple) else path  # PySide6 also returns the filter
        if path:
            self._run(
                row,
                _("Importing {name}...").format(name=row.name),
                lambda job: self.models.importFile(row.id, path, lambda: job.isCancelled),
            )

    def onAdd(self):
        path = qt.QFileDialog.getExistingDirectory(self.dialog, _("Folder with model.json"))
        if path:
            self._try(lambda: self.models.addFolder(path))

    def onDelete(self):
        row = self.selected()
        if slicer.util.confirmOkCancelDisplay(
            _("Delete {path} from disk?").format(path=row.path), windowTitle="MedSAMLite"
        ):
            self._try(lambda: self.models.delete(row))

    def onOpen(self):
        self._try(lambda: qt.QDesktopServices.openUrl(qt.QUrl.fromLocalFile(str(self.models.folder()))))

    def onCancel(self):
        if self._isBusy():
            self.job.cancel()

    def _isBusy(self):
        return self.job is not None and self.job.isActive

    def _button(self, layout, text, slot):
        button = qt.QPushButton(text, self.dialog)
        button.setAutoDefault(False)
        button.connect("clicked()", slot)
        layout.addWidget(button)
        return button

    def _run(self, row, text, function):
        def tell(bytes_):
            done, total = (count / 1e6 for count in bytes_)
            self.detail.setText(f"{text} {done:.1f} of {total:.1f} MB" if total else f"{text} {done:.1f} MB")

        self.wanted = row
        self.job = Job(function, progress=tell, finished=self._finished, kind="model")
        self.worker.submit(self.job)
        self.onSelected()
        self.detail.setText(text)

    def _finished(self, job):
        self.fill()
        isReady = any(row.id == self.wanted.id and row.state == "ready" for row in self.rows)
        if job.isCancelled and isReady:
            self.detail.setText(_("{name} was installed: it was too late to cancel.").format(name=self.wanted.name))
        elif job.isCancelled:
            self.detail.setText(_("Cancelled: nothing was installed."))
        elif job.error is not None:
            self.detail.setText(str(job.error))
        self.changed()

    def _try(self, call):
        try:
            call()
        except MedSAMLiteError as error:
            self._failed(error)
        else:
            self.fill()
            self.changed()

    def _failed(self, error):
        self.onSelected()
        self.detail.setText(str(error))
