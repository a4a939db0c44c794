"""Draws the module's icons and takes the pictures of the tutorial; run it again after the panel changed.

    .venv/bin/python docs/slicer/make_pictures.py

The slice views are Slicer's own code off screen; the panel is the real one, drawn by the tests' stand-in
host, so frames and fonts differ a little from the application.  All images are phantoms made by code.
"""

import sys
import time
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

ROOT = Path(__file__).resolve().parents[2]
IMAGES = Path(__file__).parent / "images"
ICONS = ROOT / "MedSAMLite" / "Resources" / "Icons"
sys.path[:0] = [str(ROOT / "MedSAMLite"), str(ROOT / "MedSAMLite" / "Testing"), str(ROOT / "MedSAMLite/Testing/Python")]


def icon(size=128):
    """A dark body section, an orange organ, and the box round it with its corners."""
    scale = 4
    picture = Image.new("RGBA", (size * scale, size * scale), (0, 0, 0, 0))
    draw, unit = ImageDraw.Draw(picture), size * scale / 128
    at = lambda *numbers: [n * unit for n in numbers]  # noqa: E731
    draw.rounded_rectangle(at(4, 4, 124, 124), 22 * unit, fill=(32, 42, 58, 255))
    draw.ellipse(at(16, 28, 112, 102), fill=(92, 108, 128, 255))
    draw.ellipse(at(48, 40, 96, 86), fill=(246, 166, 46, 255))
    draw.ellipse(at(24, 54, 42, 78), fill=(132, 148, 166, 255))
    draw.rectangle(at(42, 34, 102, 92), outline=(255, 255, 255, 255), width=round(4 * unit))
    for x in (42, 102):
        for y in (34, 92):
            draw.rectangle(at(x - 6, y - 6, x + 6, y + 6), fill=(255, 255, 255, 255))
    return picture.resize((size, size), Image.LANCZOS)


def thumbnail(kind):
    """A drawing in the place of a sample volume's picture: no patient's image is shipped."""
    picture = Image.new("RGB", (260, 280), (0, 0, 0))
    draw = ImageDraw.Draw(picture)
    if kind == "CTChest":
        draw.ellipse((20, 50, 240, 230), fill=(150, 150, 150))
        draw.ellipse((38, 78, 122, 200), fill=(25, 25, 25))
        draw.ellipse((138, 78, 222, 200), fill=(25, 25, 25))
        draw.ellipse((105, 90, 170, 170), fill=(190, 190, 190))
        draw.ellipse((112, 178, 148, 214), fill=(245, 245, 245))
    else:
        draw.ellipse((50, 25, 210, 255), fill=(210, 210, 210))
        draw.ellipse((60, 35, 200, 245), fill=(30, 30, 30))
        draw.ellipse((68, 43, 192, 237), fill=(150, 150, 150))
        draw.ellipse((110, 100, 128, 170), fill=(40, 40, 40))
        draw.ellipse((132, 100, 150, 170), fill=(40, 40, 40))
    draw.rectangle((20, 20, 239, 259), outline=(246, 166, 46), width=3)
    return picture


class Session:
    """The panel and an axial view on a phantom."""

    def __init__(self):
        from host import application, qt_modules

        application.start()
        self.app = qt_modules.start()
        import slicer

        slicer.util.modulePath = lambda name: str(ROOT / "MedSAMLite" / f"{name}.py")
        import MedSAMLiteLib  # noqa: F401  finds medsam_backends
        from host.slice_view import SliceView
        from medsam_backends.phantom import make_phantom
        from MedSAMLiteLib.Panel import Panel
        from phantoms import makeVolume

        spacing = (1.8, 1.8, 4.0)
        self.phantom = make_phantom((192, 136, 48), spacing)
        self.volume = makeVolume(self.phantom.volume.array, "CT phantom", spacing, np.diag([-1, -1, 1]))
        self.volume.CreateDefaultDisplayNodes()
        self.volume.GetDisplayNode().SetAutoWindowLevel(False)
        self.volume.GetDisplayNode().SetWindowLevelMinMax(-160, 240)
        self.view = SliceView(size=(480, 480))
        self.view.show(self.volume)
        self.panel = Panel(lambda name: str(ROOT / "MedSAMLite" / "Resources" / name))
        self.panel.enter()

    def settle(self):
        while self.panel.logic.worker.activeJobs:
            self.app.processEvents()
            time.sleep(0.005)
        self.app.processEvents()

    def save(self, name):
        """Panel and view side by side."""
        self.settle()
        widget = self.panel.widget
        widget.resize(480, 760)
        widget.show()
        self.app.processEvents()
        path = IMAGES / f"{name}.png"
        widget.grab().save(str(path))
        panel, view = Image.open(path).convert("RGB"), Image.fromarray(self.view.render())
        both = Image.new("RGB", (panel.width + view.width + 8, panel.height), (0, 0, 0))
        both.paste(panel, (0, 0))
        both.paste(view, (panel.width + 8, (panel.height - view.height) // 2))
        both.quantize(128).save(path, optimize=True)

    def jumpTo(self, box, shift=0):
        """Show the middle slice of a box, or one `shift` slices on."""
        middle = np.array(box.roi.GetCenter())
        self.view.jumpTo(middle + [0, 0, 4.0 * shift])

    def draw(self, name):
        """Draw the box of an organ by two clicks on its middle slice."""
        from medsam_backends.boxes import VoxelBox
        from MedSAMLiteLib.Geometry import VolumeGeometry

        voxels = VoxelBox.from_sequence(self.phantom.box(name, 1))
        k = (voxels.k0 + voxels.k1) // 2
        corners = [(voxels.i0 - 0.4, voxels.j0 - 0.4, k), (voxels.i1 + 0.4, voxels.j1 + 0.4, k)]
        corners = VolumeGeometry(self.volume).ijkToWorld(corners)
        self.view.jumpTo(corners[0])
        self.panel.ui.addBoxButton.click()
        for corner in corners:
            self.view.click(corner)
        box = self.panel.currentBox()
        box.roi.SetName(name.capitalize())
        self.settle()
        return box, (voxels.k0, voxels.k1)


def take():
    """One picture a step of the tutorial."""
    session = Session()
    panel = session.panel
    session.save("empty")
    liver, slices = session.draw("liver")
    session.save("preview")
    panel.ui.firstSliceSpinBox.setValue(slices[0])
    panel.ui.lastSliceSpinBox.setValue(slices[1])
    kidney, slices = session.draw("left kidney")
    kidney.setSliceRange(*slices)
    panel.ui.applyButton.click()
    session.settle()
    panel.selectBox(liver)
    session.view.jumpTo(liver.roi.GetCenter())
    session.save("segmented")
    panel.ui.advancedCollapsibleButton.setProperty("collapsed", False)
    panel.ui.pictureCheckBox.setChecked(True)
    session.save("advanced")
    panel.cleanup()


if __name__ == "__main__":
    IMAGES.mkdir(exist_ok=True)
    icon().save(ICONS / "MedSAMLite.png")
    for kind in ("CTChest", "MRHead"):
        thumbnail(kind).save(ICONS / f"MedSAMLite{kind}.png", optimize=True)
    take()
