"""Undo of whole segmentations, neighbours included: a state before each change of ours, and the change's name.

Slicer's own undo of the Segment Editor does not see what a module writes.
"""

from dataclasses import dataclass, field

import slicer

__all__ = ["SegmentHistory"]

_UNDO_STATES = 10


@dataclass(frozen=True)
class _Step:
    """A change of ours: its name, and what else to call when it is undone."""

    what: str
    also: list = field(default_factory=list)


class SegmentHistory:
    """The states of every segmentation that was written to."""

    def __init__(self):
        self._histories = {}  # segmentation node ID -> (history, the step after each state, content then)

    def saveState(self, node, what):
        """Remember the whole segmentation, neighbours included, before changing it; `what` names the change."""
        history, steps, _ = self._history(node)
        history.SaveState()
        steps.append(_Step(what))
        del steps[:-_UNDO_STATES]

    def undoAlso(self, node, call):
        """Have something called when the change is undone whose state was saved last."""
        self._history(node)[1][-1].also.append(call)

    def dropState(self, node):
        """Undo a change that failed half-way; it is then as if it had never begun."""
        if self.canUndo(node):
            self.undo(node)

    def markContent(self, node):
        """Note the content after a change of ours, to tell it from later edits by others."""
        history, steps, _ = self._history(node)
        self._histories[node.GetID()] = (history, steps, _content(node))

    def canUndo(self, node):
        """The name of the change that `undo` takes back; empty if there is none."""
        if node is None or node.GetID() not in self._histories:
            return ""
        history, steps, _ = self._histories[node.GetID()]
        return steps[-1].what if steps and history.IsRestorePreviousStateAvailable() else ""

    def editedSince(self, node):
        """Whether others changed the segmentation since our last change; undoing would lose their edits."""
        return node.GetID() in self._histories and self._histories[node.GetID()][2] != _content(node)

    def undo(self, node):
        """Take back our last change; returns its name."""
        what = self.canUndo(node)
        if not what:
            return ""
        history, steps, _ = self._histories[node.GetID()]
        history.RestorePreviousState()
        for call in steps.pop().also:
            call()
        self.markContent(node)
        node.Modified()
        return what

    def forget(self, isKept=lambda nodeId: False):
        """Drop the histories of the segmentations that are not kept."""
        for nodeId in [nodeId for nodeId in self._histories if not isKept(nodeId)]:
            history, _, _ = self._histories.pop(nodeId)
            history.RemoveAllStates()

    def _history(self, node):
        entry = self._histories.get(node.GetID())
        if entry is None:
            history = slicer.vtkSegmentationHistory()
            history.SetMaximumNumberOfStates(_UNDO_STATES)
            history.SetSegmentation(node.GetSegmentation())
            entry = self._histories[node.GetID()] = (history, [], None)
        return entry


def _content(node):
    """What changes whenever voxels, names or colours of a segmentation do."""
    segmentation = node.GetSegmentation()
    content = []
    for segmentId in segmentation.GetSegmentIDs():
        image = node.GetBinaryLabelmapInternalRepresentation(segmentId)
        segment, changed = segmentation.GetSegment(segmentId), image.GetMTime() if image is not None else 0
        content.append((segmentId, segment.GetName(), segment.GetColor(), changed))
    return tuple(content)
