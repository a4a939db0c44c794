"""First and last slice of the selected box: typed, or taken from the slice in view."""

from slicer.i18n import tr as _

from .Geometry import VolumeGeometry

__all__ = ["RangeEditor"]


class RangeEditor:
    """The two spin boxes and their buttons.

    Parameters
    ----------
    preview : `SlicePreview`, which knows the slice in view
    say : shows a sentence to the user
    """

    def __init__(self, ui, logic, preview, say):
        self.logic, self.preview, self.say = logic, preview, say
        self.spins = (ui.firstSliceSpinBox, ui.lastSliceSpinBox)
        self.buttons = (ui.firstFromViewButton, ui.lastFromViewButton)
        self._box = None
        self._isShowing = False
        for end in (0, 1):
            self.spins[end].connect("valueChanged(int)", self.onEdited)
            self.buttons[end].connect("clicked()", lambda end=end: self.onFromView(end))

    def show(self, box):
        """Follow a box, or none."""
        usable = box is not None and box.isOnVolume
        self._box = box if usable else None
        for widget in (*self.spins, *self.buttons):
            widget.setEnabled(usable)
        if not usable:
            return
        self._isShowing = True
        size = VolumeGeometry(box.volume).size_ijk["ijk".index(box.axis)]
        for spin, value in zip(self.spins, box.sliceRange):
            spin.setMaximum(size - 1)
            spin.setValue(value)
        self._isShowing = False

    def onEdited(self, *_value):
        if self._box is not None and not self._isShowing:
            self._box.setSliceRange(*(spin.property("value") for spin in self.spins))
            self.logic.changed()

    def onFromView(self, end):
        shown = self.preview.sliceInView(self._box.volume, self._box.axis)
        if shown is None:
            self.say(_("No slice view runs along the axis of this box: scroll a view of that orientation."))
            return
        bounds = list(self._box.sliceRange)
        bounds[end] = shown
        self._box.setSliceRange(*bounds)
        self.logic.changed()
