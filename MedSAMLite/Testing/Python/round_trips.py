"""Random boxes on random volumes under random transforms, through everything that could lose a voxel."""

import numpy as np
import slicer
from medsam_backends.boxes import VoxelBox
from MedSAMLiteLib.BoxNode import BoxNode
from MedSAMLiteLib.SegmentWriter import SegmentWriter

__all__ = ["exactRoundTrips", "rotation"]


def rotation(rng):
    """A random rotation matrix, (3, 3)."""
    q, r = np.linalg.qr(rng.normal(size=(3, 3)))
    q *= np.sign(np.diag(r))
    return q if np.linalg.det(q) > 0 else -q


def transformNode(rng, scale=True):
    matrix = np.eye(4)
    matrix[:3, :3] = rotation(rng) * (rng.uniform(0.5, 2) if scale else 1)
    matrix[:3, 3] = rng.normal(size=3) * 50
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    slicer.util.updateTransformMatrixFromArray(node, matrix)
    return node


def randomVolume(rng):
    shape = tuple(int(n) for n in rng.integers(1, 14, 3))
    directions = rotation(rng) if rng.random() < 0.6 else np.eye(3)[rng.permutation(3)]
    directions = directions * rng.choice([-1, 1], 3)  # left-handed half of the time
    pose = np.eye(4)
    pose[:3, :3] = directions * rng.uniform(0.3, 6, 3)
    pose[:3, 3] = rng.normal(size=3) * 100
    volume = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode")
    volume.SetIJKToRASMatrix(slicer.util.vtkMatrixFromArray(pose))
    slicer.util.updateVolumeFromArray(volume, np.zeros(shape, np.int16))  # not shown, so without a display node
    return volume, shape


def randomBox(rng, shape):
    first = [int(rng.integers(0, n)) for n in shape[::-1]]
    last = [int(rng.integers(f, n)) for f, n in zip(first, shape[::-1])]
    return VoxelBox.from_sequence([*first, *last])


def exactRoundTrips(count):
    """How many of `count` random set-ups come back voxel for voxel.

    Box -> ROI -> IJK -> mask -> segment -> read back, with transforms on volume, ROI and segmentation.
    """
    rng = np.random.default_rng(11)
    writer, exact = SegmentWriter(), 0
    for number in range(count):
        slicer.mrmlScene.Clear(False)
        volume, shape = randomVolume(rng)
        if rng.random() < 0.5:
            volume.SetAndObserveTransformNodeID(transformNode(rng).GetID())
        box = randomBox(rng, shape)
        node = BoxNode.create(volume)
        node.setDrawnOn("ijk"[number % 3])
        node.voxels = box
        if rng.random() < 0.5:  # the same box, seen through a transform of its own
            parent = transformNode(rng, scale=False)
            moveUnder(node.roi, parent)
        agrees = node.voxels == box
        mask = rng.random(tuple(b - a + 1 for a, b in zip(box.first, box.last))[::-1]) < 0.6
        segmentation = writer.newSegmentation(volume)
        if rng.random() < 0.5:
            segmentation.SetAndObserveTransformNodeID(transformNode(rng, scale=False).GetID())
        segment = writer.addSegment(segmentation, "object")
        writer.write(segmentation, segment, volume, mask, box.first[::-1])
        got, origin = writer.read(segmentation, segment, volume)
        full, back = np.zeros(shape, bool), np.zeros(shape, bool)
        full[tuple(slice(f, l + 1) for f, l in zip(box.first[::-1], box.last[::-1]))] = mask
        back[tuple(slice(o, o + n) for o, n in zip(origin, got.shape))] = got
        if number % 5 == 0:
            agrees &= np.array_equal(full, asSlicerReads(segmentation, segment, volume))
        exact += bool(agrees and np.array_equal(full, back))
    return exact


def asSlicerReads(segmentation, segment, volume):
    """The segment as Slicer's own function gives it, which is exact once the transforms are hardened."""
    segmentation.HardenTransform()
    volume.HardenTransform()
    return slicer.util.arrayFromSegmentBinaryLabelmap(segmentation, segment, volume) > 0


def moveUnder(roi, parent):
    """Put a ROI under a rigid transform without moving it in the world."""
    toWorld = slicer.util.arrayFromVTKMatrix(roi.GetObjectToWorldMatrix())
    size = np.array(roi.GetSize()) * np.linalg.norm(toWorld[:3, :3], axis=0)
    pose = np.linalg.inv(slicer.util.arrayFromTransformMatrix(parent)) @ toWorld
    pose[:3, :3] /= np.linalg.norm(pose[:3, :3], axis=0)
    roi.SetAndObserveTransformNodeID(parent.GetID())
    roi.SetSize(*size)
    roi.GetObjectToNodeMatrix().DeepCopy(slicer.util.vtkMatrixFromArray(pose))
    roi.SetCenter(pose[:3, 3])
