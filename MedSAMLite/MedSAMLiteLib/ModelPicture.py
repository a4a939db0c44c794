"""A small picture of the slice as the model sees it, 0 to 255; the volume's own display stays as it is."""

import os
import tempfile

import numpy as np
import qt
import slicer
from medsam_backends.errors import MedSAMLiteError

from .Geometry import VolumeGeometry

__all__ = ["ModelPicture"]

_LARGEST = 160
"""Pixels of the panel, of either side."""


class ModelPicture:
    """Fills a label with the picture of the current box's slice, or of the volume's middle."""

    def __init__(self, label, logic):
        self.label, self.logic = label, logic
        self._asked = None

    def show(self, parameters, box):
        """Ask for the picture if it is wanted and another than the one shown."""
        wanted = parameters.showModelPicture and parameters.inputVolume is not None
        self.label.setVisible(bool(wanted))
        if not wanted:
            self._asked = None
            return
        try:
            volume = parameters.inputVolume
            axis = self.logic.axisOf(box) if box is not None else "k"
            size = VolumeGeometry(volume).size_ijk["ijk".index(axis)]
            index = box.drawnSlice if box is not None and box.drawnSlice is not None else size // 2
            key = (*self.logic.view(volume, axis).key, index)
            if key != self._asked:
                self._asked = key
                spacing = [mm for mm, name in zip(VolumeGeometry(volume).spacing_mm, "ijk") if name != axis]
                self.logic.picture(volume, axis, index, lambda picture: self._fill(picture, spacing))
        except MedSAMLiteError:
            self.label.setVisible(False)

    def _fill(self, picture, spacing):
        """Show (H, W[, 3]) uint8 with pixels of `spacing` (across, down) in millimetres."""
        height, width = picture.shape[:2]
        # A raw PNM is the one way from numpy to a picture that PythonQt and PySide6 share.
        handle, path = tempfile.mkstemp(".pnm", "medsamlite-", slicer.app.temporaryPath)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(f"P{6 if picture.ndim == 3 else 5} {width} {height} 255\n".encode())
                file.write(np.ascontiguousarray(picture).tobytes())
            pixmap = qt.QPixmap(path)
        finally:
            os.remove(path)
        across, down = width * spacing[0], height * spacing[1]
        scale = _LARGEST / max(across, down)
        size = [max(1, round(side * scale)) for side in (across, down)]
        self.label.setPixmap(pixmap.scaled(*size, qt.Qt.IgnoreAspectRatio, qt.Qt.SmoothTransformation))
