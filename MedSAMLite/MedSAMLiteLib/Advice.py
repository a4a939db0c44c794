"""Honest limits: sentences about a box that the chosen model is likely to segment badly."""

from medsam_backends.boxes import AXES
from slicer.i18n import tr as _

from .Geometry import VolumeGeometry

__all__ = ["adviceOn"]

_LARGEST_SHARE = 0.8
_LEAST_PIXELS = 8


def adviceOn(box, axis, spec, modality=None):
    """Sentences for a `BoxNode`; none when nothing speaks against it.

    Parameters
    ----------
    spec : `BackendSpec` of the model
    modality : DICOM modality of the volume, or None
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
    known = [name.upper() for name in spec.modalities]
    if modality and known and modality.upper() not in known:
        advice.append(
            _("The model was made for {known}, not for {modality}.").format(
                known=", ".join(spec.modalities), modality=modality
            )
        )
    return advice
