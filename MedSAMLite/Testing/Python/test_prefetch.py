"""Slices prepared while nothing else is to be done: which, when, and that everything else comes first."""

import threading

import pytest

pytest.importorskip("PySide6", reason="PySide6 is not installed for this Python: pip install PySide6-Essentials")

import numpy as np  # noqa: E402
import slicer  # noqa: E402
from MedSAMLiteLib.Engine import Engine  # noqa: E402
from MedSAMLiteLib.Worker import Job, Worker  # noqa: E402
from panel_bench import APP, draw, settle  # noqa: E402
from phantoms import makeVolume  # noqa: E402

SLICES = 20


def passIdleTime(panel):
    """Let the quiet time be over at once; returns when the work has begun, if there is any."""
    timer = panel.prefetch._timer
    assert timer.isActive()
    timer.setInterval(0)
    while timer.isActive():
        APP.processEvents()
    timer.setInterval(10**7)


def held(panel):
    return panel.logic.engine.cache.counters.items


@pytest.fixture
def encoding(panel):
    """Holds the first encode: `begun` is set when it begins, and it goes on when `free` is."""
    begun, free, cache = threading.Event(), threading.Event(), panel.logic.engine.cache
    make = cache.get_or_make

    def slowly(*arguments):
        begun.set()
        assert free.wait(30)
        return make(*arguments)

    cache.get_or_make = slowly
    yield begun, free
    free.set()


def test_the_nearest_slices_come_first_and_none_beyond_the_volume():
    from MedSAMLiteLib.Prefetch import around

    assert around(3, 6, reach=4) == [3, 4, 2, 5, 1, 0]
    assert around(0, 1) == [0]
    assert around(-2, 6, reach=3) == [0, 1]


def test_the_slice_in_view_and_its_neighbours_are_ready_for_a_preview(panel, view):
    panel.refresh()
    passIdleTime(panel)
    settle(panel)
    made = panel.logic.engine.cache.counters.misses
    assert held(panel) == made == SLICES
    box = draw(panel, view)
    assert panel.preview.shownSlice == (box.id, "k", 10) and panel.logic.engine.cache.counters.misses == made


def test_scrolling_far_prepares_what_is_there_now(panel, view):
    far = makeVolume(np.full((60, 32, 32), 100, np.uint8), name="Far")
    panel.ui.inputVolumeSelector.setCurrentNode(far)
    view.show(far)
    view.jumpTo((16, 16, 5))
    passIdleTime(panel)
    settle(panel)
    few = held(panel)
    view.jumpTo((16, 16, 50))
    passIdleTime(panel)
    settle(panel)
    assert 12 < few < 25 and held(panel) > few + 12


def test_nothing_is_prepared_twice_or_when_it_is_switched_off(panel, view):
    panel.ui.prefetchCheckBox.setChecked(False)
    passIdleTime(panel)
    settle(panel)
    assert not held(panel) and panel.logic.getParameterNode().prefetch is False
    panel.ui.prefetchCheckBox.setChecked(True)
    passIdleTime(panel)
    settle(panel)
    asked = panel.logic.engine.cache.counters
    panel.refresh()
    passIdleTime(panel)
    assert not panel.logic.worker.activeJobs and panel.logic.engine.cache.counters == asked


@pytest.mark.parametrize("how", ["cleared", "another size"])
def test_what_the_cache_lost_is_prepared_again(panel, view, how):
    panel.refresh()
    passIdleTime(panel)
    settle(panel)
    assert held(panel) == SLICES
    if how == "cleared":
        panel.ui.clearCacheButton.click()
    else:
        panel.logic.getParameterNode().cacheMegabytes = 100
    passIdleTime(panel)
    settle(panel)
    assert held(panel) == SLICES


def test_apply_comes_first(panel, view, encoding):
    begun, free = encoding
    box = panel.logic.addBox(panel.logic.getParameterNode().inputVolume, (12, 12, 2, 50, 50, 18), drawnSlice=10)
    panel.selectBox(box)
    free.set()
    settle(panel)  # the preview
    free.clear()
    begun.clear()
    panel.logic.engine.cache.clear()
    passIdleTime(panel)
    assert begun.wait(30)
    [prefetch] = panel.logic.worker.activeJobs
    job = panel.logic.apply([box])
    assert prefetch.isCancelled
    free.set()
    settle(panel)
    assert prefetch.state == "cancelled" and job.state == "done"


@pytest.mark.parametrize("event", ["left", "scene closed", "other volume"])
def test_leaving_it_ends_at_once(panel, view, encoding, event):
    begun, free = encoding
    panel.refresh()
    passIdleTime(panel)
    assert begun.wait(30)
    [prefetch] = panel.logic.worker.activeJobs
    if event == "left":
        panel.exit()
    elif event == "scene closed":
        slicer.mrmlScene.Clear(False)
    else:
        panel.ui.inputVolumeSelector.setCurrentNode(makeVolume(np.full((4, 16, 16), 200, np.uint8), name="Other"))
    assert prefetch.isCancelled
    free.set()
    settle(panel)
    assert prefetch.state == "cancelled" and held(panel) <= 1
    if event == "left":
        assert not panel.prefetch._timer.isActive()
    if event == "scene closed":
        passIdleTime(panel)
        assert not panel.logic.worker.activeJobs, "there is nothing to prepare"


def test_nothing_is_pushed_out_of_the_cache(logic, volume):
    view, never = logic.view(volume, "k"), lambda: False
    logic.engine.prepare(view, [0], never)
    one = logic.engine.cache.counters.size_bytes
    for room, kept in ((8, 4), (0, 0)):
        engine = Engine(room * one)
        engine.prepare(view, range(SLICES), never)
        counters = engine.cache.counters
        assert (counters.items, counters.misses, counters.evictions) == (kept, kept, 0)
        engine.close()


def test_background_jobs_run_last_and_end_when_others_come():
    worker, ran, go = Worker(), [], threading.Event()
    try:
        worker.submit(Job(lambda job: go.wait(30)))
        worker.submit(Job(lambda job: ran.append("background"), isBackground=True))
        worker.submit(Job(lambda job: ran.append("cancels it")))
        late = worker.submit(Job(lambda job: ran.append("last"), isBackground=True))
        go.set()
        late.wait(30)
        assert ran == ["cancels it", "last"]
    finally:
        worker.close()
