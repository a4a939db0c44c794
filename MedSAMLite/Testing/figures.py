"""Measures the module on the stand-in host and prints a table; times are medians, on a machine that is otherwise idle.

.venv/bin/python MedSAMLite/Testing/figures.py
"""

import gc
import sys
import threading
import time
from pathlib import Path
from statistics import median

FOLDER = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(FOLDER), str(FOLDER / "Testing"), str(FOLDER / "Testing" / "Python")]

from host import application, qt_modules  # noqa: E402

application.start()
APP = qt_modules.start()

import MedSAMLiteLib  # noqa: E402, F401  finds medsam_backends
import numpy as np  # noqa: E402
import slicer  # noqa: E402
from host.slice_view import SliceView  # noqa: E402
from phantoms import bodyPhantom, makeVolume  # noqa: E402
from round_trips import exactRoundTrips  # noqa: E402

SPACING = (0.8, 0.8, 2.0)
BOX = (100, 180, 120, 240, 320, 179)  # 60 slices
SET_UPS, RUNS = 1000, 20


def main():
    say("exact round trips of random set-ups", f"{exactRoundTrips(SET_UPS)} of {SET_UPS}")
    application.clearScene()
    say("panel set-up", f"{1000 * median(panelSetUp() for _ in range(5)):.0f} ms")
    volume = makeVolume(np.repeat(bodyPhantom((10, 512, 512)), 30, 0), spacing=SPACING)
    panel, view = newPanel(), SliceView()
    view.show(volume)
    panel.logic.getParameterNode().inputVolume = volume
    box = panel.logic.addBox(volume, BOX, drawnSlice=150)
    view.jumpTo((136, 200, 300))
    panel.selectBox(box)
    settle(panel)
    say("release of a handle to preview, slice cached", f"{1000 * median(releases(panel, box)):.0f} ms")
    say("slice scrolled to preview, not cached", f"{1000 * median(scrolls(panel, view, box)):.0f} ms")
    for name, cleared in (("first time", True), ("slices cached", False)):
        if cleared:
            panel.logic.engine.cache.clear()
        before = memory_mb()
        seconds, peak = applied(panel, box)
        say(f"Apply, (300, 512, 512), 60 slices, {name}", f"{seconds:.1f} s, {peak - before:.0f} MB more at most")
    files = [FOLDER / "MedSAMLite.py", *FOLDER.glob("MedSAMLiteLib/*.py"), *FOLDER.glob("MedSAMLiteEffect/*.py")]
    say("lines of module code", str(sum(len(file.read_text().splitlines()) for file in files)))
    panel.cleanup()
    view.close()


def say(what, figure):
    print(f"{what:60} {figure}", flush=True)


def newPanel():
    from MedSAMLiteLib.Panel import Panel

    panel = Panel(lambda name: str(FOLDER / "Resources" / name))
    panel.enter()
    return panel


def panelSetUp():
    """Seconds until the panel can be used."""
    start = time.perf_counter()
    panel = newPanel()
    APP.processEvents()
    seconds = time.perf_counter() - start
    panel.cleanup()
    return seconds


def settle(panel):
    while panel.logic.worker.activeJobs:
        APP.processEvents()
        time.sleep(0.0005)


def releases(panel, box):
    """Seconds from letting go of a handle until the overlay holds the new mask."""
    roi = box.roi
    for run in range(RUNS):
        size = list(roi.GetSize())
        size[0] += 4 if run % 2 else -4
        with slicer.util.NodeModify(roi):
            panel.preview.setBox(None)  # what dragging asked for is no part of it
            roi.SetSize(size)
        panel.preview.setBox(box)
        settle(panel)
        start = time.perf_counter()
        roi.InvokeEvent(roi.PointEndInteractionEvent)
        settle(panel)
        yield time.perf_counter() - start
        rest()


def scrolls(panel, view, box):
    """Seconds from the wheel until the overlay holds the mask of a slice that was never encoded."""
    for _ in range(RUNS):
        start = time.perf_counter()
        view.scroll(1)
        settle(panel)
        yield time.perf_counter() - start
        rest()


def rest():
    """What follows a drag on its own: the table, the buttons."""
    end = time.perf_counter() + 0.15
    while time.perf_counter() < end:
        APP.processEvents()
        time.sleep(0.005)


def applied(panel, box):
    """Seconds of Apply until the segment is in the scene, and the most memory in use meanwhile in MB."""
    gc.collect()
    seen, done = [], threading.Event()

    def watch():
        while not done.wait(0.01):
            seen.append(memory_mb())

    watcher = threading.Thread(target=watch)
    watcher.start()
    start = time.perf_counter()
    panel.logic.apply([box], wait=True)
    seconds = time.perf_counter() - start
    done.set()
    watcher.join()
    return seconds, max(seen, default=memory_mb())


def memory_mb():
    """Resident memory of this process; Linux only."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 1e6


if __name__ == "__main__":
    main()
