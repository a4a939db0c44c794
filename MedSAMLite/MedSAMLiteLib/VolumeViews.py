"""From a volume node and the panel's choices to the `View` that a job works on; main thread only."""

import os

import slicer
from medsam_backends.modalities import canonical_modality

from .Engine import View
from .Geometry import VolumeGeometry

__all__ = [
    "fingerprintOf",
    "fingerprintsInScene",
    "modalityOf",
    "recordedModality",
    "stateModality",
    "statedModality",
    "viewOf",
    "volumeInView",
]

_MODALITY = "MedSAMLite.Modality"


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


def volumeInView():
    """The volume that the user works with, else the first that can be segmented; None if there is none."""
    active = slicer.app.applicationLogic().GetSelectionNode().GetActiveVolumeID()
    nodes = [slicer.mrmlScene.GetNodeByID(active)] if active else []
    nodes += slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode")
    usable = ("vtkMRMLScalarVolumeNode", "vtkMRMLVectorVolumeNode")
    return next((node for node in nodes if node is not None and node.GetClassName() in usable), None)


def fingerprintOf(volume):
    """Changes with the voxels of a volume, not with its display; begins with the node's ID and a blank."""
    image = volume.GetImageData()
    return f"{volume.GetID()} {image.GetMTime() if image is not None else 0}"


def fingerprintsInScene():
    """Those of all volumes."""
    return set(map(fingerprintOf, slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode")))


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
    """What kind of image a volume is: what the user stated, else what is recorded of it; None if nobody said."""
    return statedModality(volume) or recordedModality(volume)


def statedModality(volume):
    """What the user said, by the models' names; None if nothing."""
    return volume.GetAttribute(_MODALITY) or None


def stateModality(volume, modality):
    """Keep with the volume what the user says; an empty text takes it back."""
    volume.SetAttribute(_MODALITY, canonical_modality(modality) if modality else None)


def recordedModality(volume):
    """Of a volume that was loaded from DICOM, by the models' names; None otherwise."""
    found = _fromHierarchy(volume) or _fromDatabase(volume)
    return canonical_modality(found) if found else None


def _fromHierarchy(volume):
    hierarchy = slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLSubjectHierarchyNode")
    item = hierarchy.GetItemByDataNode(volume) if hierarchy is not None else 0
    name = slicer.vtkMRMLSubjectHierarchyConstants.GetDICOMSeriesModalityAttributeName()
    return hierarchy.GetItemAttribute(item, name) if item else ""


def _fromDatabase(volume):
    uids = (volume.GetAttribute("DICOM.instanceUIDs") or "").split()
    database = getattr(slicer, "dicomDatabase", None)
    if not uids or database is None or not database.isOpen:
        return ""
    return database.instanceValue(uids[0], "0008,0060")
