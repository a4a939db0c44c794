"""What a segment's tag tells of how it was made: it comes back as kept, and a damaged one is the same as none."""

import json

import pytest
import slicer
import vtk
from medsam_backends.segmenter import SliceReport
from medsam_backends.types import Point, Prompt
from MedSAMLiteLib.SegmentRecord import SegmentRecord

TAG = "MedSAMLite.Record"
RECORD = SegmentRecord(
    *("tiny@0", "none", "track", "k", "1 2 3 4 5 6", "1 2 3 4 5 6", 0.75),
    reports=(SliceReport(3, 0.5, 8, "a note"), SliceReport(4, 1.0, 9, key=True)),
    keys={3: Prompt((1.0, 2.0, 5.0, 6.0), points=(Point(2.0, 3.0, False),), position=-1.0)},
    label=3,
    messages=("The box is large.", "So is the object."),
)


def tagOf(record):
    segment, text = slicer.vtkSegment(), vtk.reference("")
    record.attach(segment)
    segment.GetTag(TAG, text)
    return text.get()


def recordOf(text):
    segment = slicer.vtkSegment()
    segment.SetTag(TAG, text)
    return SegmentRecord.of(segment)


def test_a_record_comes_back():
    found = recordOf(tagOf(RECORD))
    assert (found.reports, found.confidence, found.box) == (RECORD.reports, 0.75, "1 2 3 4 5 6")
    assert (found.keys[3].points, found.keys[3].position) == (RECORD.keys[3].points, -1.0)
    assert (found.label, found.messages) == (3, RECORD.messages)


def test_a_record_of_before_there_were_labels_and_messages_is_read():
    raw = json.loads(tagOf(RECORD))
    del raw["label"], raw["messages"]
    assert (recordOf(json.dumps(raw)).label, recordOf(json.dumps(raw)).messages) == (1, ())


@pytest.mark.parametrize("text", ["", "{", "[]", "3", '{"version": 1}', '{"version": 2}'])
def test_a_tag_that_is_no_record_is_none(text):
    assert recordOf(text) is None


@pytest.mark.parametrize(
    "name, value",
    [
        *(("axis", "x"), ("axis", 3), ("confidence", None), ("confidence", "high"), ("further", 1)),
        *(("box", None), ("box", "1 2"), ("box", "6 5 4 3 2 1"), ("box", "a b c d e f")),
        *(("reports", None), ("reports", [3]), ("reports", [[3]]), ("reports", [["x", 1, 1]])),
        *(("reports", [[float("inf"), 1, 1]]), ("keys", []), ("keys", {"x": {}}), ("keys", {"3": None})),
        ("label", "first"),
        ("messages", 3),
        ("keys", {"3": {"box": [4, 4, 4, 4], "points": [], "position": None}}),
    ],
)
def test_a_record_with_a_damaged_field_is_none(name, value):
    assert recordOf(json.dumps({**json.loads(tagOf(RECORD)), name: value})) is None


def test_a_damaged_tag_leaves_the_panel_working(panel, view):
    from panel_bench import draw, enabled, settle

    box = draw(panel, view)
    panel.ui.applyButton.click()
    settle(panel)
    box.segmentation.GetSegmentation().GetSegment(box.segmentId).SetTag(TAG, "{")
    panel.refresh()
    assert panel.logic.recordOf(box) is None and "apply" in enabled(panel)
