"""The combo box *Modality*: what the volume itself says, or what the user states for it."""

from slicer.i18n import tr as _

from .VolumeViews import modalityOf, recordedModality, statedModality, stateModality

__all__ = ["ModalityChoice"]


class ModalityChoice:
    """Offers the modalities of the model; the choice stays with the volume.

    Parameters
    ----------
    changed : called after the user chose
    """

    def __init__(self, combo, changed):
        self.combo, self.changed = combo, changed
        self._volume = self._seen = None
        combo.connect("currentIndexChanged(int)", self.onChosen)

    def show(self, volume, spec):
        """Follow a volume and the model's `BackendSpec`; either may be None."""
        known = spec.modalities if spec is not None else ()
        seen = (volume, known, volume is not None and (recordedModality(volume), statedModality(volume)))
        self.combo.setEnabled(volume is not None)
        if seen == self._seen:
            return
        self._volume, self._seen = None, seen  # filling must not state anything
        recorded = recordedModality(volume) if volume is not None else None
        self.combo.clear()
        text = _("{modality} (from the volume)").format(modality=recorded) if recorded else _("Not stated")
        self.combo.addItem(text, "")
        stated = statedModality(volume) if volume is not None else None
        for name in (*known, *([stated] if stated and stated not in known else [])):
            self.combo.addItem(name, name)
        self.combo.setCurrentIndex(max(0, self.combo.findData(stated or "")))
        self._volume = volume

    def onChosen(self, index):
        if self._volume is None or self._volume.GetScene() is None:
            return
        before = modalityOf(self._volume)
        stateModality(self._volume, self.combo.itemData(index))
        if modalityOf(self._volume) != before:
            self.changed()
