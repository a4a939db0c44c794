"""A real slice view without a window: slicer-core's slice logic and displayable managers on off-screen VTK.

Does what qMRMLSliceWidget does, and takes simulated mouse events.
"""

import numpy as np
import slicer
import vtk
from vtk.util import numpy_support

__all__ = ["SliceView"]

_MANAGERS = (
    "vtkMRMLModelSliceDisplayableManager",
    "vtkMRMLCrosshairDisplayableManager",
    "vtkMRMLMarkupsDisplayableManager",
    "vtkMRMLSegmentationsDisplayableManager2D",
)


class SliceView:
    """A slice view called Red, Green or Yellow, as a picture and a mouse."""

    def __init__(self, name="Red", orientation="Axial", size=(400, 400)):
        logic = slicer.app.applicationLogic()
        self.window = vtk.vtkRenderWindow()
        self.window.SetOffScreenRendering(1)
        self.window.SetSize(*size)
        self.window.SetNumberOfLayers(2)
        self.renderer = vtk.vtkRenderer()
        self.renderer.GetActiveCamera().ParallelProjectionOn()
        overlay = vtk.vtkRenderer()
        overlay.SetLayer(1)
        self.window.AddRenderer(self.renderer)
        self.window.AddRenderer(overlay)
        self.interactor = vtk.vtkRenderWindowInteractor()
        self.interactor.SetRenderWindow(self.window)
        self.interactor.Initialize()
        self.logic = slicer.vtkMRMLSliceLogic()
        self.logic.SetMRMLApplicationLogic(logic)
        logic.GetSliceLogics().AddItem(self.logic)
        self.logic.SetMRMLScene(slicer.mrmlScene)
        self.node = self.logic.AddSliceNode(name)
        self.node.SetOrientation(orientation)
        self.node.SetMappedInLayout(1)  # managers ignore views outside the layout
        self._addManagers(logic)
        self._addPicture()
        self.logic.ResizeSliceNode(*size)

    def close(self):
        """Off the layout; the scene keeps slice nodes when it is closed, as Slicer does."""
        self.node.SetMappedInLayout(0)
        self.group.SetMRMLDisplayableNode(None)
        self.style.SetInteractor(None)
        self.style.SetDisplayableManagers(None)
        self.style.SetSliceLogic(None)
        slicer.app.applicationLogic().GetSliceLogics().RemoveItem(self.logic)
        composite = self.logic.GetSliceCompositeNode()
        slicer.mrmlScene.RemoveNode(self.node)
        if composite is not None:
            slicer.mrmlScene.RemoveNode(composite)
        self.window.Finalize()

    @property
    def composite(self):
        return self.logic.GetSliceCompositeNode()

    def show(self, volume):
        """Put a volume in the background and fit it."""
        self.composite.SetBackgroundVolumeID(volume.GetID())
        self.logic.FitSliceToBackground()
        self.logic.SnapSliceOffsetToIJK()

    def jumpTo(self, point):
        """Show the slice through a point in RAS."""
        self.node.JumpSliceByOffsetting(*point)

    def render(self, path=None):
        """The picture, (H, W, 3) uint8 with the top row first; also written to `path`."""
        self.logic.UpdatePipeline()
        connection = self.logic.GetImageDataConnection()
        if connection is not None:
            self._picture.GetMapper().SetInputConnection(connection)
        self.window.Render()
        grab = vtk.vtkWindowToImageFilter()
        grab.SetInput(self.window)
        grab.ReadFrontBufferOff()
        grab.Update()
        if path is not None:
            writer = vtk.vtkPNGWriter()
            writer.SetFileName(str(path))
            writer.SetInputConnection(grab.GetOutputPort())
            writer.Write()
        image = grab.GetOutput()
        width, height, _ = image.GetDimensions()
        pixels = numpy_support.vtk_to_numpy(image.GetPointData().GetScalars()).reshape(height, width, 3)
        return pixels[::-1].copy()

    def position(self, point):
        """View pixel, origin bottom left, of a point in RAS."""
        fromRas = vtk.vtkMatrix4x4()
        vtk.vtkMatrix4x4.Invert(self.node.GetXYToRAS(), fromRas)
        return fromRas.MultiplyPoint((*point, 1))[:2]

    def click(self, point):
        """Click at a point in RAS."""
        self._send(self.position(point), "MouseMoveEvent", "LeftButtonPressEvent", "LeftButtonReleaseEvent")

    def drag(self, start, end, steps=8, between=lambda: None):
        """Drag from one view pixel to another; `between` is called after each step."""
        self._send(start, "MouseMoveEvent", "LeftButtonPressEvent")
        for share in np.linspace(0, 1, steps + 1)[1:]:
            self._send(np.array(start) + share * (np.array(end) - np.array(start)), "MouseMoveEvent")
            between()
        self._send(end, "LeftButtonReleaseEvent")

    def scroll(self, steps):
        """Turn the mouse wheel."""
        event = "MouseWheelForwardEvent" if steps > 0 else "MouseWheelBackwardEvent"
        for _ in range(abs(steps)):
            self._send(np.array(self.window.GetSize()) / 2, event)

    def _send(self, position, *events):
        for event in events:
            self.interactor.SetEventInformation(int(round(position[0])), int(round(position[1])), 0, 0)
            self.interactor.InvokeEvent(event)

    def _addManagers(self, applicationLogic):
        factory = slicer.vtkMRMLSliceViewDisplayableManagerFactory.GetInstance()
        factory.SetMRMLApplicationLogic(applicationLogic)
        for manager in _MANAGERS:
            if not factory.IsDisplayableManagerRegistered(manager):
                factory.RegisterDisplayableManager(manager)
        self.group = slicer.vtkMRMLDisplayableManagerGroup()
        self.group.SetRenderer(self.renderer)
        self.group.Initialize(factory, self.renderer)
        self.group.SetMRMLDisplayableNode(self.node)
        self.style = slicer.vtkMRMLSliceViewInteractorStyle()
        self.style.SetSliceLogic(self.logic)
        self.style.SetDisplayableManagers(self.group)
        self.interactor.SetInteractorStyle(vtk.vtkInteractorStyleUser())
        self.style.SetInteractor(self.interactor)

    def _addPicture(self):
        mapper = vtk.vtkImageMapper()
        mapper.SetColorWindow(255)
        mapper.SetColorLevel(127.5)
        self._picture = vtk.vtkActor2D()
        self._picture.SetMapper(mapper)
        self._picture.GetProperty().SetDisplayLocationToBackground()
        self.renderer.AddViewProp(self._picture)
