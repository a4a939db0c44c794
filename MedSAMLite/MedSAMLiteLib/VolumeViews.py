"""From a volume node and the panel's choices to the `View` that a job works on; main thread only."""

import os

import slicer

from .Engine import View
from .Geometry import VolumeGeometry

__all__ = ["fingerprintOf", "modalityOf", "viewOf"]


def viewOf(volume, axis, parameters):
    """The volume as a job sees it.

    The voxels are not copied: holding the array keeps VTK from reusing its memory, and a job whose
    volume changed meanwhile is refused by its fingerprint.

    Parameters
    ----------
    parameters : `MedSAMLiteParameterNode`

    Raises
    ------
    PromptError
        If the volume holds no voxels.
    """
    VolumeGeometry(volume)
    preset, level, width = parameters.preset, None, None
    array = slicer.util.arrayFromVolume(volume)
    if preset == "manual":
        level, width = parameters.level, parameters.width
    elif preset == "display":
        preset, level, width = _displayed(volume) if array.ndim == 3 else ("auto", None, None)
    return View(
        array=array,
        fingerprint=fingerprintOf(volume),
        axis=axis,
        preset=preset,
        level=level,
        width=width,
        modality=modalityOf(volume),
        model=parameters.model,
        runtime=parameters.runtime,
        threads=parameters.threads or _automaticThreads(),
    )


def fingerprintOf(volume):
    """Changes with the voxels of a volume, not with its display; begins with the node's ID and a blank."""
    return f"{volume.GetID()} {volume.GetImageData().GetMTime()}"


def _automaticThreads():
    """All cores but one, which stays free for the application; both of two, or a preview would lag."""
    cores = os.cpu_count() or 2
    return max(min(2, cores), cores - 1)


def _displayed(volume):
    display = volume.GetDisplayNode()
    if display is None or not hasattr(display, "GetWindow") or display.GetWindow() <= 0:
        return "auto", None, None
    return "manual", display.GetLevel(), display.GetWindow()


def modalityOf(volume):
    """DICOM modality of a volume loaded from DICOM; None otherwise."""
    uids = (volume.GetAttribute("DICOM.instanceUIDs") or "").split()
    database = getattr(slicer, "dicomDatabase", None)
    if not uids or database is None or not database.isOpen:
        return None
    return database.instanceValue(uids[0], "0008,0060") or None
