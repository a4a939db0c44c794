"""What the panel shows and a scene saves, as typed parameters on the module's singleton node."""

import enum
from typing import Annotated

from slicer import vtkMRMLMarkupsROINode, vtkMRMLScalarVolumeNode, vtkMRMLSegmentationNode
from slicer.parameterNodeWrapper import WithinRange, parameterNodeWrapper

__all__ = ["MedSAMLiteParameterNode", "Overlap", "PropagationAxis", "widgetsOf"]


class Overlap(enum.Enum):
    """What a new segment does to its neighbours; stored by name, so the names stay."""

    ALLOW = "Allow overlap"
    KEEP_OTHERS = "Keep other segments"
    OVERWRITE_VISIBLE = "Overwrite visible segments"
    OVERWRITE_ALL = "Overwrite all segments"
    SEGMENT_EDITOR = "As set in the Segment Editor"

    def label(self):
        """The text in the panel."""
        return self.value


class PropagationAxis(enum.Enum):
    """Along which axis of the volume slices are walked; stored by name."""

    VIEW = "Of the view where the box was drawn"
    I = "i (columns)"  # noqa: E741  the name of the axis
    J = "j (rows)"
    K = "k (slices)"

    def label(self):
        """The text in the panel."""
        return self.value


@parameterNodeWrapper
class MedSAMLiteParameterNode:
    """Parameters; an empty model or rule stands for the default.

    level, width : of the preset ``manual``, in the volume's units
    boxMargin : voxels by which a box is grown in its plane before the model sees it
    cacheMegabytes : bound of the embedding cache
    threads : of the inference; 0 leaves one core free where there are more than two
    prefetch : slices round the one in view are encoded while nothing else is to be done
    """

    inputVolume: vtkMRMLScalarVolumeNode
    segmentation: vtkMRMLSegmentationNode
    currentBox: vtkMRMLMarkupsROINode
    model: str = ""
    preset: str = "auto"
    level: Annotated[float, WithinRange(-1000000, 1000000)] = 40.0
    width: Annotated[float, WithinRange(0.001, 2000000)] = 400.0
    showModelPicture: bool = False
    preview: bool = True
    overlap: Overlap = Overlap.ALLOW
    rule: str = ""
    axis: PropagationAxis = PropagationAxis.VIEW
    boxMargin: Annotated[int, WithinRange(0, 50)] = 0
    cacheMegabytes: Annotated[int, WithinRange(0, 65536)] = 512
    threads: Annotated[int, WithinRange(0, 256)] = 0
    runtime: str = "onnxruntime"
    prefetch: bool = True


def widgetsOf(ui):
    """The widgets of the .ui that show a parameter, by its name, for `connectParametersToGui`.

    Slicer 5.10's `connectGui` finds them itself but keeps its tag, so that nothing could be disconnected, and
    the next connection would set the combo boxes to their first entries.
    """
    named = {widget.property("SlicerParameterName"): widget for widget in vars(ui).values()}
    return {name: widget for name, widget in named.items() if name}
