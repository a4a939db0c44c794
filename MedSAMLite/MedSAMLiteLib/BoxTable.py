"""The table of boxes: name, slices, state and confidence of each, in its colour."""

import qt
import slicer
from medsam_backends.errors import PromptError
from slicer.i18n import tr as _

from .BoxNode import BoxNode

__all__ = ["BoxTable"]


class BoxTable:
    """Shows boxes, selects one, renames it.

    Parameters
    ----------
    table : the QTableWidget
    select : called with the box that the user selects
    """

    def __init__(self, table, logic, select):
        self.table, self.logic, self.select = table, logic, select
        self._ids = []
        self._isShowing = False
        table.setColumnCount(4)
        table.setHorizontalHeaderLabels([_("Name"), _("Slices"), _("State"), _("Confidence")])
        table.verticalHeader().setVisible(False)
        table.horizontalHeader().setSectionResizeMode(qt.QHeaderView.ResizeToContents)
        table.horizontalHeader().setSectionResizeMode(0, qt.QHeaderView.Stretch)
        table.connect("itemSelectionChanged()", self.onSelected)
        table.connect("cellChanged(int,int)", self.onEdited)

    def show(self, boxes, selected):
        """Bring the rows up to date."""
        self._isShowing = True
        try:
            self._ids = [box.id for box in boxes]
            self.table.setRowCount(len(boxes))
            for row, box in enumerate(boxes):
                for column, text in enumerate(self._texts(box)):
                    self._set(row, column, text, box)
            if selected is not None and selected.id in self._ids:
                self.table.selectRow(self._ids.index(selected.id))
            else:
                self.table.clearSelection()
        finally:
            self._isShowing = False

    def onSelected(self):
        row = self.table.currentRow()
        if not self._isShowing and 0 <= row < len(self._ids):
            self.select(BoxNode.of(slicer.mrmlScene.GetNodeByID(self._ids[row])))

    def onEdited(self, row, column):
        if self._isShowing or column != 0 or not 0 <= row < len(self._ids):
            return
        box = BoxNode.of(slicer.mrmlScene.GetNodeByID(self._ids[row]))
        name = self.table.item(row, 0).text().strip()
        if box is None or not name:
            return
        box.roi.SetName(name)
        if box.segmentId:
            box.segmentation.GetSegmentation().GetSegment(box.segmentId).SetName(name)

    def _texts(self, box):
        state = self.logic.stateOf(box)
        words = {
            "placing": _("click two corners"),
            "outside": _("outside the volume"),
            "drawn": _("drawn"),
            "running": _("running"),
            "changed": _("changed since Apply"),
            "segmented": _("segmented"),
        }
        try:
            slices = "{}: {} - {}".format(box.axis, *box.sliceRange)
        except PromptError:
            slices = ""
        record = self.logic.recordOf(box)
        return box.name, slices, words[state], f"{record.confidence:.2f}" if record is not None else ""

    def _set(self, row, column, text, box):
        item = self.table.item(row, column)
        if item is None:
            item = qt.QTableWidgetItem(text)
            if column:
                item.setFlags(qt.Qt.ItemIsEnabled | qt.Qt.ItemIsSelectable)
            self.table.setItem(row, column, item)
        elif item.text() != text:
            item.setText(text)
        if column == 0:
            swatch = qt.QPixmap(12, 12)
            swatch.fill(qt.QColor(*(int(255 * part) for part in box.color)))
            item.setIcon(qt.QIcon(swatch))
