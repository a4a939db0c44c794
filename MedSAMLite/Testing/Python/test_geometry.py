"""A box in the world is exactly the voxels it covers, whatever the directions and transforms."""

import itertools

import numpy as np
import pytest
import slicer
import vtk
from medsam_backends.boxes import VoxelBox
from medsam_backends.errors import PromptError
from MedSAMLiteLib.BoxNode import BoxNode
from MedSAMLiteLib.Geometry import VolumeGeometry
from phantoms import makeVolume
from round_trips import exactRoundTrips, rotation

SET_UPS = 1000


def test_a_thousand_random_set_ups_come_back_exactly():
    assert exactRoundTrips(SET_UPS) == SET_UPS


def test_a_rotated_roi_gives_the_hull_of_the_voxels_in_it():
    rng = np.random.default_rng(3)
    for _ in range(20):
        slicer.mrmlScene.Clear(False)
        volume = makeVolume(np.zeros((9, 10, 11), np.int16), directions=rotation(rng), spacing=(1, 1.2, 2))
        node = BoxNode.create(volume)
        node.voxels = VoxelBox(2, 3, 2, 8, 7, 6)
        pose = np.eye(4)
        pose[:3, :3], pose[:3, 3] = rotation(rng), node.roi.GetCenter()
        node.roi.GetObjectToNodeMatrix().DeepCopy(slicer.util.vtkMatrixFromArray(pose))
        node.roi.SetCenter(pose[:3, 3])
        box, geometry = node.voxels, VolumeGeometry(volume)
        grid = np.stack(np.meshgrid(*map(range, (11, 10, 9)), indexing="ij"), -1).reshape(-1, 3)
        world = geometry.ijkToWorld(grid)
        inside = grid[[bool(node.roi.IsPointInROIWorld(point)) for point in world]]
        assert (inside >= box.first).all() and (inside <= box.last).all()


def test_a_voxel_of_a_tilted_gantry_is_smaller_than_the_product_of_its_sides():
    tilt = np.deg2rad(20)
    directions = np.array([[1, 0, 0], [0, 1, np.sin(tilt)], [0, 0, np.cos(tilt)]])
    volume = makeVolume(np.zeros((5, 20, 20), np.int16), directions=directions, spacing=(1, 2, 5))
    assert VolumeGeometry(volume).voxel_ml == pytest.approx(10 * np.cos(tilt) / 1000)


def test_a_box_thinner_than_a_slice_is_the_slice_it_lies_in():
    volume = makeVolume(np.zeros((5, 20, 20), np.int16), spacing=(1, 1, 5))
    node = BoxNode.create(volume)
    node.roi.SetSize(6, 6, 0.5)
    node.roi.SetCenter(10, 10, 11.5)
    assert node.voxels.plane("k")[1:] == (2, 2)


def test_a_box_outside_or_not_placed_says_so():
    volume = makeVolume(np.zeros((5, 20, 20), np.int16))
    node = BoxNode.create(volume)
    with pytest.raises(PromptError, match="not been placed"):
        node.voxels
    node.roi.SetSize(6, 6, 6)
    node.roi.SetCenter(1000, 0, 0)
    with pytest.raises(PromptError, match="outside"):
        node.voxels


def test_changing_the_slice_range_leaves_the_plane_alone():
    volume = makeVolume(np.zeros((9, 20, 20), np.int16), directions=rotation(np.random.default_rng(1)))
    node = BoxNode.create(volume)
    node.setDrawnOn("j", 7)
    node.voxels = VoxelBox(2, 5, 1, 9, 9, 6)
    node.setSliceRange(12, 3)
    assert node.voxels == VoxelBox(2, 3, 1, 9, 12, 6) and node.sliceRange == (3, 12)


@pytest.mark.parametrize("orientation, axis", [("Axial", "k"), ("Coronal", "j"), ("Sagittal", "i")])
def test_a_slice_view_knows_its_axis_and_slice(orientation, axis):
    volume = makeVolume(np.zeros((12, 14, 16), np.int16), spacing=(1, 2, 3), directions=np.diag([-1, -1, 1]))
    parent = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    slicer.util.updateTransformMatrixFromArray(parent, np.diag([1, 1, 1, 1.0]) + np.eye(4, k=3) * 0)
    volume.SetAndObserveTransformNodeID(parent.GetID())
    view = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSliceNode", "Red")
    view.SetOrientation(orientation)
    geometry = VolumeGeometry(volume)
    view.JumpSliceByOffsetting(*geometry.ijkToWorld([(3, 4, 5)])[0])
    plane = geometry.planeOf(view)
    assert (plane.axis, plane.index) == (axis, {"i": 3, "j": 4, "k": 5}[axis])
    assert plane.angle_deg < 1e-4


def test_an_oblique_volume_tells_the_angle_of_the_view():
    turn = vtk.vtkTransform()
    turn.RotateX(20)
    directions = slicer.util.arrayFromVTKMatrix(turn.GetMatrix())[:3, :3]
    volume = makeVolume(np.zeros((12, 14, 16), np.int16), directions=directions)
    view = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSliceNode", "Red")
    view.SetOrientation("Axial")
    geometry = VolumeGeometry(volume)
    view.JumpSliceByOffsetting(*geometry.ijkToWorld([(8, 7, 6)])[0])
    assert abs(geometry.planeOf(view).angle_deg - 20) < 1e-4
    view.RotateToVolumePlane(volume)
    assert geometry.planeOf(view).angle_deg < 1e-2


def sheared():
    return makeVolume(np.zeros((12, 14, 16), np.int16), directions=[[1, 0, 0], [0, 1, 0.3], [0, 0, 0.95]])


def warped():
    volume = makeVolume(np.zeros((12, 14, 16), np.int16), spacing=(1, 1, 2))
    volume.SetAndObserveTransformNodeID(warpNode().GetID())
    return volume


@pytest.mark.parametrize("make", [sheared, warped])
def test_the_box_of_a_sheared_or_warped_volume_is_the_one_that_was_set_until_it_is_moved(make):
    node = BoxNode.create(make())
    for box in (VoxelBox(2, 3, 1, 9, 9, 6), VoxelBox(0, 0, 0, 15, 13, 11)):
        node.voxels = box
        assert node.voxels == box
    node.voxels = VoxelBox(2, 3, 1, 9, 9, 6)
    for last in (8, 7, 4):
        node.setSliceRange(1, last)
        assert node.voxels == VoxelBox(2, 3, 1, 9, 9, last)
    node.roi.SetCenter(*(np.array(node.roi.GetCenter()) + (2, 0, 0)))
    assert (node.voxels.i0, node.voxels.i1) == (4, 11)


def test_a_warped_volume_is_found_where_it_lies():
    volume = warped()
    geometry = VolumeGeometry(volume)
    ijk = np.array([[3, 4, 5], [9, 2, 10], [0, 13, 11.0]])
    world = geometry.ijkToWorld(ijk)
    assert geometry.ijkToWorldMatrix is None and np.allclose(geometry.worldToIjk(world), ijk, atol=0.01)
    corner = geometry.ijkToWorld([(15, 13, 11)])[0]
    assert np.allclose(corner, (18, 13 + 0.02 * 22**2, 22), atol=0.01)


def warpNode():
    """Shifts i by 3 mm, and j by more the higher it is."""
    warp = vtk.vtkThinPlateSplineTransform()
    source, target = vtk.vtkPoints(), vtk.vtkPoints()
    for corner in itertools.product((0, 15), (0, 13), (0, 22)):
        source.InsertNextPoint(corner)
        target.InsertNextPoint(corner[0] + 3, corner[1] + 0.02 * corner[2] ** 2, corner[2])
    warp.SetSourceLandmarks(source)
    warp.SetTargetLandmarks(target)
    warp.SetBasisToR()
    parent = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLTransformNode")
    parent.SetAndObserveTransformToParent(warp)
    return parent
