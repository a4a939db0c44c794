"""A small picture of the slice as the model sees it, 0 to 255; the volume's own display stays as it is."""

import os

import numpy as np
import qt
import slicer
from medsam_backends.errors import MedSAMLiteError

from .Geometry import VolumeGeometry

__all__ = ["ModelPicture"]

_HEIGHT = 160


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
                self.logic.picture(volume, axis, index, self._fill)
        except MedSAMLiteError:
            self.label.setVisible(False)

    def _fill(self, picture):
        pixmap = qt.QPixmap()
        path = os.path.join(slicer.app.temporaryPath, "medsamlite-model-picture.pnm")
        height, width = picture.shape[:2]
        with open(path, "wb") as file:  # a raw PNM is the one way in that Qt and numpy share everywhere
            file.write(f"P{6 if picture.ndim == 3 else 5} {width} {height} 255\n".encode())
            file.write(np.ascontiguousarray(picture[::1]).tobytes())
        pixmap.load(path)
        os.remove(path)
        self.label.setPixmap(pixmap.scaledToHeight(_HEIGHT))
