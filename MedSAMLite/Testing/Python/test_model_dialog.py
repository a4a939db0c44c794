"""Published models in the panel: what is offered, a download with progress and cancel, an import of a folder."""

import dataclasses
import hashlib
import sys
import threading
import time
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
from panel_bench import APP, settle  # noqa: E402


@pytest.fixture
def dialog(panel, tmp_path, monkeypatch):
    from MedSAMLiteLib.ModelDialog import ModelDialog

    monkeypatch.setenv("MEDSAMLITE_MODELS", str(tmp_path))
    return ModelDialog(panel.models, panel.logic, panel.widget)


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


def test_a_download_shows_its_progress_and_becomes_a_model(panel, dialog, monkeypatch, tmp_path):
    content = hand.checkpoint(tmp_path / "a.pth", hand.standin_state(expected_tensors("rep-medsam"))).read_bytes()
    told = []
    with FileServer(content).running() as server:
        publish(server, content, monkeypatch)
        select(dialog, "rep-medsam")
        original = dialog.detail.setText
        monkeypatch.setattr(dialog.detail, "setText", lambda text: told.append(text) or original(text))
        dialog.installButton.click()
        assert not dialog.installButton.isEnabled() and dialog.cancelButton.isEnabled()
        settle(panel, 120)
    assert any(" of 42." in text for text in told)
    assert not dialog.cancelButton.isEnabled()
    assert [row.state for row in dialog.rows if row.id == "rep-medsam"] == ["ready"]


def test_a_cancelled_download_leaves_nothing(panel, dialog, monkeypatch, tmp_path):
    with FileServer(b"", endless=True).running() as server:
        publish(server, b"anything", monkeypatch)
        select(dialog, "rep-medsam")
        dialog.installButton.click()
        end = time.monotonic() + 30
        while " MB" not in dialog.detail.text() and time.monotonic() < end:
            APP.processEvents()
        dialog.cancelButton.click()
        settle(panel)
    assert dialog.detail.text().startswith("Cancelled") and list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("moment", ["while it is imported", "once it is there"])
def test_what_is_said_of_a_late_cancel_is_what_is_there(panel, dialog, monkeypatch, tmp_path, moment):
    import qt

    state = hand.standin_state(expected_tensors("litemedsam"))
    checkpoint = hand.checkpoint(tmp_path.parent / "lite_medsam.pth", state)
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
    settle(panel)
    isThere = (tmp_path / "litemedsam" / "model.json").is_file()
    assert isThere == (moment == "once it is there")
    assert isThere == any(row.id == "litemedsam" and row.state == "ready" for row in dialog.rows)
    said = "LiteMedSAM was installed: it was too late to cancel." if isThere else "Cancelled: nothing was installed."
    assert dialog.detail.text() == said


def test_a_wrong_file_is_told_and_leaves_nothing(panel, dialog, monkeypatch, tmp_path):
    with FileServer(b"another").running() as server:
        publish(server, b"the published", monkeypatch)
        select(dialog, "rep-medsam")
        dialog.installButton.click()
        settle(panel)
    assert "git blob id differs" in dialog.detail.text() and list(tmp_path.iterdir()) == []


def test_a_model_of_several_parts_is_imported_from_a_folder(panel, dialog, monkeypatch, tmp_path):
    import qt

    chosen = tmp_path / "downloads"
    chosen.mkdir()
    monkeypatch.setattr(qt.QFileDialog, "getExistingDirectory", lambda *_: str(chosen))
    assert select(dialog, "daft").isFolder
    dialog.importButton.click()
    settle(panel)
    assert "holds no part of DAFT" in dialog.detail.text()
