"""Published models in the panel: what is offered, a download with progress and cancel, an import of a folder."""

import dataclasses
import hashlib
import json
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import pytest
import slicer

pytest.importorskip("PySide6", reason="PySide6 is not installed for this Python: pip install PySide6-Essentials")

sys.path.append(str(Path(__file__).resolve().parents[3] / "backends" / "tests"))

import handmade_checkpoint as hand  # noqa: E402
from file_server import FileServer  # noqa: E402
from medsam_backends.checkpoints import importable, published_model, sources  # noqa: E402
from medsam_backends.checkpoints.catalogue import PublishedFile  # noqa: E402
from medsam_backends.checkpoints.state_dict import expected_tensors  # noqa: E402
from panel_bench import APP, drain, draw, settle  # noqa: E402
from phantoms import tinyModel  # noqa: E402


@pytest.fixture
def dialog(panel, tmp_path, monkeypatch):
    monkeypatch.setenv("MEDSAMLITE_MODELS", str(tmp_path))
    panel.ui.manageModelsButton.click()
    return panel.modelDialog


def select(dialog, identifier):
    number = [row.id for row in dialog.rows].index(identifier)
    dialog.table.selectRow(number)
    return dialog.rows[number]


def publish(server, content, monkeypatch):
    """Let Rep-MedSAM be `content`, at the server."""
    blob = hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
    file = PublishedFile("rep_medsam.pth", git_blob=blob, url=server.url)
    model = dataclasses.replace(published_model("rep-medsam"), files=(file,))
    monkeypatch.setattr(sources, "published_model", lambda system: model)
    monkeypatch.setattr(slicer.util, "confirmOkCancelDisplay", lambda text, **_: True)


def test_every_importable_model_is_offered_with_its_page_and_figures(dialog):
    offered = {row.id: row for row in dialog.rows if row.source == "published"}
    assert set(offered) == set(importable())
    assert {name for name, row in offered.items() if row.state == "download"} == {"litemedsam", "rep-medsam"}
    select(dialog, "medficientsam-l1")
    assert dialog.importButton.isEnabled() and not dialog.installButton.isEnabled()
    text = dialog.detail.text()
    assert "https://github.com/hieplpvip/medficientsam" in text and "DSC 86.4 %, NSD 8" in text


def test_a_download_shows_its_progress_and_becomes_a_model(dialog, monkeypatch, tmp_path):
    content = hand.checkpoint(tmp_path / "a.pth", hand.standin_state(expected_tensors("rep-medsam"))).read_bytes()
    told = []
    with FileServer(content).running() as server:
        publish(server, content, monkeypatch)
        select(dialog, "rep-medsam")
        original = dialog.detail.setText
        monkeypatch.setattr(dialog.detail, "setText", lambda text: told.append(text) or original(text))
        dialog.installButton.click()
        assert not dialog.installButton.isEnabled() and dialog.cancelButton.isEnabled()
        drain(dialog.worker, 120)
    assert any(" of 42." in text for text in told)
    assert not dialog.cancelButton.isEnabled()
    assert [row.state for row in dialog.rows if row.id == "rep-medsam"] == ["ready"]


@contextmanager
def endlessDownload(dialog, monkeypatch):
    """A download of which some bytes have come, and which does not end by itself."""
    with FileServer(b"", endless=True).running() as server:
        publish(server, b"anything", monkeypatch)
        select(dialog, "rep-medsam")
        dialog.installButton.click()
        end = time.monotonic() + 30
        while " MB" not in dialog.detail.text() and time.monotonic() < end:
            APP.processEvents()
        yield


def test_a_cancelled_download_leaves_nothing(dialog, monkeypatch, tmp_path):
    with endlessDownload(dialog, monkeypatch):
        dialog.cancelButton.click()
        drain(dialog.worker)
    assert dialog.detail.text().startswith("Cancelled") and list(tmp_path.iterdir()) == []


def test_one_goes_on_segmenting_during_a_download(panel, dialog, monkeypatch, tmp_path, volume):
    tinyModel(tmp_path / "tiny")
    box = panel.logic.addBox(volume, (12, 12, 4, 52, 52, 15))
    with endlessDownload(dialog, monkeypatch):
        panel.ui.applyButton.click()
        settle(panel)
        assert panel.logic.stateOf(box) == "segmented"
        assert dialog.dialog.isVisible() and not dialog.dialog.isModal() and dialog.job.state == "running"
        dialog.closeButton.click()
        drain(dialog.worker)
    assert dialog.job.isCancelled and [path.name for path in tmp_path.iterdir()] == ["tiny"]


def test_a_download_ends_with_the_panel(dialog, monkeypatch, tmp_path):
    with endlessDownload(dialog, monkeypatch):
        dialog.close()
        assert not dialog.worker._thread.is_alive()
    assert dialog.job.state == "cancelled" and not dialog.dialog.isVisible() and not list(tmp_path.iterdir())


def test_the_panel_follows_a_model_that_is_deleted_and_one_that_takes_its_place(
    panel, dialog, view, monkeypatch, tmp_path, tmp_path_factory
):
    import qt

    def shown():
        label = slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLLabelMapVolumeNode")
        return None if label is None else int(slicer.util.arrayFromVolume(label).sum())

    tinyModel(tmp_path / "tiny")
    blind = tinyModel(tmp_path_factory.mktemp("source") / "blind", "tiny")
    description = json.loads((blind / "model.json").read_text())
    description["output"]["threshold"] = 1.0
    (blind / "model.json").write_text(json.dumps(description))
    draw(panel, view)
    assert shown() > 400
    dialog.show()
    select(dialog, "tiny")
    monkeypatch.setattr(slicer.util, "confirmOkCancelDisplay", lambda text, **_: True)
    dialog.deleteButton.click()
    settle(panel)
    assert shown() is None and "no model 'tiny'" in panel.ui.statusLabel.text()
    assert "(missing)" in panel.ui.modelComboBox.currentText()
    monkeypatch.setattr(qt.QFileDialog, "getExistingDirectory", lambda *_: str(blind))
    dialog.addButton.click()
    settle(panel)
    assert shown() == 0 and panel.ui.modelComboBox.currentText() == "Test model tiny"


@pytest.mark.parametrize("moment", ["while it is imported", "once it is there"])
def test_what_is_said_of_a_late_cancel_is_what_is_there(dialog, monkeypatch, tmp_path, tmp_path_factory, moment):
    import qt

    state = hand.standin_state(expected_tensors("litemedsam"))
    checkpoint = hand.checkpoint(tmp_path_factory.mktemp("source") / "lite_medsam.pth", state)
    monkeypatch.setattr(qt.QFileDialog, "getOpenFileName", lambda *_: (str(checkpoint), ""))
    importFile, reached, free = dialog.models.importFile, threading.Event(), threading.Event()

    def held(*arguments):
        calls = [lambda: (reached.set(), free.wait(30)), lambda: importFile(*arguments)]
        for call in calls if moment == "while it is imported" else reversed(calls):
            call()

    monkeypatch.setattr(dialog.models, "importFile", held)
    select(dialog, "litemedsam")
    dialog.importButton.click()
    assert reached.wait(30)
    dialog.cancelButton.click()
    free.set()
    drain(dialog.worker)
    isThere = (tmp_path / "litemedsam" / "model.json").is_file()
    assert isThere == (moment == "once it is there")
    assert isThere == any(row.id == "litemedsam" and row.state == "ready" for row in dialog.rows)
    said = "LiteMedSAM was installed: it was too late to cancel." if isThere else "Cancelled: nothing was installed."
    assert dialog.detail.text() == said


def test_a_wrong_file_is_told_and_leaves_nothing(dialog, monkeypatch, tmp_path):
    with FileServer(b"another").running() as server:
        publish(server, b"the published", monkeypatch)
        select(dialog, "rep-medsam")
        dialog.installButton.click()
        drain(dialog.worker)
    assert "git blob id differs" in dialog.detail.text() and list(tmp_path.iterdir()) == []


def test_a_model_of_several_parts_is_imported_from_a_folder(dialog, monkeypatch, tmp_path):
    import qt

    chosen = tmp_path / "downloads"
    chosen.mkdir()
    monkeypatch.setattr(qt.QFileDialog, "getExistingDirectory", lambda *_: str(chosen))
    assert select(dialog, "daft").isFolder
    dialog.importButton.click()
    drain(dialog.worker)
    assert "holds no part of DAFT" in dialog.detail.text()
