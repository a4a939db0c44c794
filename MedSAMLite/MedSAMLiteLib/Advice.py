"""Honest limits: sentences about a box that the chosen model is likely to segment badly."""

from medsam_backends.boxes import AXES
from medsam_backends.modalities import canonical_modality
from slicer.i18n import tr as _

from .Geometry import VolumeGeometry
from .VolumeViews import modalityOf

__all__ = ["AdviceLine", "adviceOn"]

_LARGEST_SHARE = 0.8
_LEAST_PIXELS = 8
_OBLIQUE_DEG = 1.0


class AdviceLine:
    """The label under the table of boxes: what speaks against the selected box or the view, or what to do first.

    Parameters
    ----------
    preview : `SlicePreview`, which knows the slice in view
    """

    def __init__(self, label, logic, preview):
        self.label, self.logic, self.preview = label, logic, preview

    def show(self, box, spec, firstStep=""):
        """Follow a box and the model's `BackendSpec`; either may be None."""
        advice = [firstStep] if box is None and firstStep else []
        if box is not None and box.isOnVolume:
            if spec is not None:
                advice = adviceOn(box, self.logic.axisOf(box), spec, modalityOf(box.volume))
            angle = self.preview.angleOf(box)
            if angle > _OBLIQUE_DEG:
                text = _("The slice view is tilted {angle} degrees: use its button 'Rotate to volume plane'.")
                advice.append(text.format(angle=round(angle)))
        self.label.setText(" ".join(advice))
        self.label.setVisible(bool(advice))


def adviceOn(box, axis, spec, modality=None):
    """Sentences for a `BoxNode`; none when nothing speaks against it.

    Parameters
    ----------
    spec : `BackendSpec` of the model
    modality : of the volume, or None
    """
    voxels, size = box.voxels, VolumeGeometry(box.volume).size_ijk
    across = [n for n in range(3) if AXES[n] != axis]
    width, height = (voxels.size[n] for n in across)
    columns, rows = (size[n] for n in across)
    advice = []
    if width * height > _LARGEST_SHARE * columns * rows:
        advice.append(_("The box covers nearly the whole slice: draw it close round one structure."))
    seen = min(width, height) * spec.input_size / max(columns, rows)
    if seen < _LEAST_PIXELS:
        advice.append(
            _("The model sees this box as only {pixels:.0f} pixels wide: expect a rough mask.").format(pixels=seen)
        )
    known = {canonical_modality(name) for name in spec.modalities}
    if modality and known and canonical_modality(modality) not in known:
        advice.append(
            _("The model was made for {known}, not for {modality}.").format(
                known=", ".join(spec.modalities), modality=modality
            )
        )
    return advice
