"""Segments: overlap rules and the Segment Editor's masks, undo with neighbours, surfaces, other lattices."""

import numpy as np
import pytest
import slicer
import vtk
from medsam_backends.errors import OutputError
from MedSAMLiteLib.ParameterNode import Overlap
from MedSAMLiteLib.SegmentHistory import SegmentHistory
from MedSAMLiteLib.SegmentWriter import SegmentWriter
from phantoms import makeVolume

SHAPE = (6, 20, 20)


@pytest.fixture
def work(scene):
    """(writer, volume, segmentation, old segment, new segment); the old one fills columns 0 to 9 of slices 1 to 3."""
    writer = SegmentWriter()
    volume = makeVolume(np.arange(np.prod(SHAPE), dtype=np.int16).reshape(SHAPE))
    node = writer.newSegmentation(volume)
    old, new = writer.addSegment(node, "old"), writer.addSegment(node, "new")
    writer.write(node, old, volume, np.ones((3, 20, 10), bool), (1, 0, 0))
    return writer, volume, node, old, new


def full(writer, volume, node, segment):
    mask, origin = writer.read(node, segment, volume)
    out = np.zeros(SHAPE, bool)
    out[tuple(slice(o, o + n) for o, n in zip(origin, mask.shape))] = mask
    return out


def box(k, j, i):
    out = np.zeros(SHAPE, bool)
    out[slice(*k), slice(*j), slice(*i)] = True
    return out


OLD, NEW = box((1, 4), (0, 20), (0, 10)), box((2, 5), (5, 15), (5, 15))


def writeNew(work, overlap):
    writer, volume, node, old, new = work
    writer.write(node, new, volume, np.ones((3, 10, 10), bool), (2, 5, 5), overlap)
    return full(writer, volume, node, old), full(writer, volume, node, new)


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("overlap", list(Overlap))
def test_overlap_rules(work, overlap, shared):
    writer, volume, node, old, new = work
    if shared:  # both in one labelmap, as the Segment Editor leaves them
        writer.write(node, new, volume, np.ones((1, 2, 2), bool), (5, 18, 18))
        node.GetSegmentation().CollapseBinaryLabelmaps(False)
        assert node.GetSegmentation().GetNumberOfLayers() == 1
    keptOld, gotNew = writeNew(work, overlap)
    overwrites = overlap in (Overlap.OVERWRITE_ALL, Overlap.OVERWRITE_VISIBLE)
    assert np.array_equal(keptOld, OLD & ~NEW if overwrites else OLD)
    assert np.array_equal(gotNew, NEW & ~OLD if overlap is Overlap.KEEP_OTHERS else NEW)


def test_hidden_segments_are_not_overwritten_when_visible_ones_are(work):
    work[2].GetDisplayNode().SetSegmentVisibility(work[3], False)
    keptOld, _ = writeNew(work, Overlap.OVERWRITE_VISIBLE)
    assert np.array_equal(keptOld, OLD)


def editor(**settings):
    node = slicer.mrmlScene.CreateNodeByClass("vtkMRMLSegmentEditorNode")
    node.UnRegister(None)
    node.SetSingletonTag("SegmentEditor")
    node = slicer.mrmlScene.AddNode(node)
    for name, value in settings.items():
        getattr(node, "Set" + name)(*value if isinstance(value, tuple) else (value,))
    return node


KINDS = slicer.vtkMRMLSegmentationNode


@pytest.mark.parametrize(
    "settings, expected",
    [
        ({"MaskMode": KINDS.EditAllowedOutsideAllSegments}, NEW & ~OLD),
        ({"MaskMode": KINDS.EditAllowedInsideAllSegments}, NEW & OLD),
        (
            {"SourceVolumeIntensityMask": True, "SourceVolumeIntensityMaskRange": (0, 999)},
            NEW & (np.arange(np.prod(SHAPE)).reshape(SHAPE) <= 999),
        ),
    ],
)
def test_the_segment_editors_masks_are_obeyed(work, settings, expected):
    editor(OverwriteMode=slicer.vtkMRMLSegmentEditorNode.OverwriteNone, **settings)
    keptOld, gotNew = writeNew(work, Overlap.SEGMENT_EDITOR)
    assert np.array_equal(gotNew, expected) and np.array_equal(keptOld, OLD)


def test_the_segment_editors_overwrite_mode_is_obeyed(work):
    editor(OverwriteMode=slicer.vtkMRMLSegmentEditorNode.OverwriteAllSegments)
    keptOld, gotNew = writeNew(work, Overlap.SEGMENT_EDITOR)
    assert np.array_equal(keptOld, OLD & ~NEW) and np.array_equal(gotNew, NEW)


def test_undo_gives_neighbours_back_and_tells_of_later_edits(work):
    writer, volume, node, old, new = work
    history = SegmentHistory()
    history.saveState(node, "Kidney")
    writeNew(work, Overlap.OVERWRITE_ALL)
    history.markContent(node)
    assert history.canUndo(node) == "Kidney" and not history.editedSince(node)
    slicer.util.updateSegmentBinaryLabelmapFromArray(np.zeros(SHAPE, np.uint8), node, new, volume)
    assert history.editedSince(node)
    assert history.undo(node) == "Kidney"
    assert np.array_equal(full(writer, volume, node, old), OLD)
    assert not full(writer, volume, node, new).any() and history.canUndo(node) == ""


def test_a_shown_surface_follows_and_one_not_shown_is_not_made(work):
    writer, volume, node, old, new = work
    writeNew(work, Overlap.ALLOW)
    assert not node.GetSegmentation().ContainsRepresentation("Closed surface")
    node.CreateClosedSurfaceRepresentation()
    writeNew(work, Overlap.ALLOW)
    assert node.GetSegmentation().ContainsRepresentation("Closed surface")


def test_an_empty_result_empties_the_segment(work):
    writer, volume, node, old, new = work
    writer.write(node, old, volume, np.zeros((0, 0, 0), bool), (0, 0, 0))
    assert not full(writer, volume, node, old).any()


def test_a_deleted_segment_says_what_to_do(work):
    writer, volume, node, old, new = work
    node.GetSegmentation().RemoveSegment(new)
    with pytest.raises(OutputError, match="press Apply"):
        writer.write(node, new, volume, np.ones((1, 1, 1), bool), (0, 0, 0))


def test_a_segmentation_of_another_volume_takes_the_voxels_at_their_place(work):
    writer, volume, node, old, new = work
    finer = makeVolume(np.zeros((12, 40, 40), np.int16), "finer", (0.5, 0.5, 1.0))
    writer.write(node, new, finer, np.ones((4, 8, 8), bool), (4, 12, 12))
    mask, origin = writer.read(node, new, finer)
    assert mask.all() and mask.shape == (4, 8, 8) and origin == (4, 12, 12)
    assert np.array_equal(full(writer, volume, node, old), OLD)


def test_different_transforms_that_are_not_linear_are_refused(work):
    writer, volume, node, old, new = work
    warp = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLBSplineTransformNode")
    volume.SetAndObserveTransformNodeID(warp.GetID())
    with pytest.raises(OutputError, match="harden"):
        writer.write(node, new, volume, np.ones((1, 1, 1), bool), (0, 0, 0))


def surfaces(name):
    """A segmentation that is kept as surfaces, as one from an STL file is."""
    sphere = vtk.vtkSphereSource()
    sphere.SetRadius(4)
    sphere.Update()
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", name)
    node.CreateDefaultDisplayNodes()
    node.GetSegmentation().SetSourceRepresentationName("Closed surface")
    return node, node.AddSegmentFromClosedSurfaceRepresentation(sphere.GetOutput(), "tumour")


def surfaceOf(node, segment):
    return node.GetSegmentation().GetSegment(segment).GetRepresentation("Closed surface")


@pytest.mark.parametrize("hasVoxels", [False, True])
def test_voxels_are_not_written_over_what_is_kept_as_surfaces(work, hasVoxels):
    writer, volume, *_ = work
    node, tumour = surfaces("RT")
    if hasVoxels:
        node.CreateBinaryLabelmapRepresentation()
    new = writer.addSegment(node, "new")
    with pytest.raises(OutputError, match="RT is kept as Closed surface"):
        writer.write(node, new, volume, np.ones((3, 3, 3), bool), (0, 0, 0))
    assert surfaceOf(node, tumour).GetNumberOfPoints()


def test_a_segmentation_of_surfaces_is_refused_before_the_work(logic):
    volume = makeVolume(np.full(SHAPE, 200, np.uint8))
    parameters = logic.getParameterNode()
    parameters.inputVolume, parameters.segmentation = volume, surfaces("RT")[0]
    with pytest.raises(OutputError, match="None for a new one"):
        logic.apply([logic.addBox(volume, (2, 2, 1, 15, 15, 4))])
    assert not logic.worker.activeJobs


def test_surfaces_that_are_all_there_is_are_hidden_not_removed(panel):
    node, tumour = surfaces("STL")
    panel.logic.getParameterNode().segmentation = node
    button = panel.ui.show3DButton
    assert button.isChecked()
    button.click()
    assert surfaceOf(node, tumour).GetNumberOfPoints() and not node.GetDisplayNode().GetVisibility3D()
    panel.refresh()
    assert not button.isChecked()
    button.click()
    assert node.GetDisplayNode().GetVisibility3D()


def test_a_new_name_or_colour_is_an_edit_that_undo_would_lose(work):
    writer, volume, node, old, new = work
    history = SegmentHistory()
    history.saveState(node, "Kidney")
    writeNew(work, Overlap.ALLOW)
    history.markContent(node)
    node.CreateClosedSurfaceRepresentation()
    assert not history.editedSince(node)
    node.GetSegmentation().GetSegment(new).SetName("Left kidney")
    assert history.editedSince(node)
    history.markContent(node)
    node.GetSegmentation().GetSegment(old).SetColor(0.1, 0.2, 0.3)
    assert history.editedSince(node)


@pytest.mark.parametrize("spacing", [(0.8, 0.8, 1.5), (3, 3, 5)])
def test_a_neighbour_on_another_lattice_loses_what_is_overwritten_and_nothing_else(scene, spacing):
    writer, volume = SegmentWriter(), makeVolume(np.zeros((20, 64, 64), np.uint8))
    size = [round(mm / step) for mm, step in zip((40, 64, 64), spacing[::-1])]
    other = makeVolume(np.zeros(size, np.uint8), "other", spacing)
    node = writer.newSegmentation(other)
    old, new = writer.addSegment(node, "old"), writer.addSegment(node, "new")
    writer.write(node, old, other, np.ones(size, bool), (0, 0, 0))
    writer.write(node, new, volume, np.ones((4, 20, 20), bool), (8, 20, 20), Overlap.OVERWRITE_ALL)
    assert node.GetBinaryLabelmapInternalRepresentation(old).GetSpacing() == pytest.approx(spacing)
    kept, origin = writer.read(node, old, other)
    assert kept.shape == tuple(size) and origin == (0, 0, 0)
    centres = np.stack(np.indices(size), -1) * spacing[::-1]  # mm along k, j, i
    covered = np.all((centres >= (15, 19.5, 19.5)) & (centres < (23, 39.5, 39.5)), axis=-1)
    assert np.array_equal(kept, ~covered)


def test_a_mask_segment_that_was_never_chosen_allows_nothing(work):
    editor(MaskMode=KINDS.EditAllowedInsideSingleSegment)
    assert not writeNew(work, Overlap.SEGMENT_EDITOR)[1].any()
