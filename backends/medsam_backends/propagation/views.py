"""The rule of models that know a slice's place in the box: slices on their own, from up to three sides, then together.

Slices along the user's axis are segmented from his box and their place between its ends, a few slices across it
likewise; logits are averaged, weighed lightly against the ellipsoid inscribed in the box.  A slice alone cannot tell an
organ from its neighbour of equal brightness; one across it often can, and a few carry nearly all of the gain.  Where
the user spoke on a slice, what he changed there fades out over the slices beside it.  A model that has a fusion network
then looks at all of this, the user's clicks and the picture together, in 3-D.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from ..types import Prompt
from .base import CubeView, Fusion, Request, SliceModel, SliceResult
from .cube import Cube
from .maps import Logits, SliceMaps, spread
from .region import Region
from .side_view import SideView, side_views

__all__ = ["ViewedObject", "Views"]

_EXPECTED = 16
"""Slices announced to the model before they are asked for; it begins with as many as it has threads for."""


@dataclass(frozen=True)
class Views:
    """Views together; see the module.

    Attributes
    ----------
    along : most slices segmented along the user's axis; the slices between are interpolated
    across : most slices of each view across it; 0 for the user's view alone
    least : slices the box must have for views across it to show anything
    weight : of a view across relative to the user's own
    smooth : weight of each neighbouring slice relative to the slice itself
    shape : weight of the ellipsoid, in logits at its centre
    reach : share of the box over which a change that the user made on a slice fades, one standard deviation
    again : weight of the answer to clicks shown together with the mask that they were made on
    """

    along: int = 12
    across: int = 8
    least: int = 4
    weight: float = 0.6
    smooth: float = 0.5
    shape: float = 0.25
    reach: float = 0.1
    again: float = 0.3

    def __call__(self, request: Request, model: SliceModel) -> Iterator[SliceResult]:
        object_ = self.begin(request, model)
        key = (self, request.box, request.first, request.last, object_.maps.region)
        before = model.kept.take(key)
        if isinstance(before, ViewedObject):
            object_ = before.again(request)
        todo = [n for n in range(request.first, request.last + 1) if n not in request.known]
        yield from object_.look(todo)
        object_.fuse({})
        if object_.heed():
            object_.fuse(request.keys)
        for index in todo:
            yield object_.result(index, object_.agreed(index), settled=True)
        object_.shown.clear()
        model.kept.put(key, object_, object_.nbytes)

    def begin(self, request: Request, model: SliceModel) -> ViewedObject:
        """The object of `request` with its views, nothing segmented yet."""
        first, end = request.first, request.last + 1
        maps = SliceMaps(request, model, Region.of(request, model.shape[1:]), spread(first, end, self.along))
        sides = side_views(maps, self.across) if self.across and end - first >= self.least else []
        return ViewedObject(self, maps, sides)


@dataclass(eq=False)
class ViewedObject:
    """One object under the rule.

    Attributes
    ----------
    said : what the user's own prompts said of their slices, and how sure the model was
    changes : what these changed on their slices, against the box alone, as the user's own view sees it
    picture : what the fusion network sees, once it was asked
    fused : its cube and what it adds to the logits
    alone : the same before it was shown what the user changed
    shown : what the views say of the slices that it was shown, until they are asked for again; at most one a cell
    """

    rule: Views
    maps: SliceMaps
    sides: list[SideView]
    said: dict[int, tuple[Logits, float]] = field(default_factory=dict)
    changes: dict[int, Logits] = field(default_factory=dict)
    picture: NDArray[np.float32] | None = None
    fused: tuple[Cube, NDArray[np.float32]] | None = None
    alone: tuple[Cube, NDArray[np.float32]] | None = None
    shown: dict[int, Logits] = field(default_factory=dict)

    def again(self, request: Request) -> ViewedObject:
        """The same box with what the user says now: nothing is asked about again that would be answered alike."""
        maps, before = replace(self.maps, request=request), self.maps.request.keys
        same = {n for n, prompt in request.keys.items() if n in before and prompt.asks_like(before[n])}
        said = {n: answer for n, answer in self.said.items() if n in same}
        changes = {n: change for n, change in self.changes.items() if n in same}
        return replace(self, maps=maps, said=said, changes=changes)

    @property
    def nbytes(self) -> int:
        """Bytes of the logits that it holds, which grow with the box, and of the rest, which does not."""
        views = [self.maps, *(side.maps for side in self.sides)]
        planes = [plane for maps in views for plane in maps.maps.values()]
        planes += [*self.changes.values(), *(logits for logits, _ in self.said.values())]
        cubes = [self.picture, *(found[1] for found in (self.fused, self.alone) if found)]
        return sum(array.nbytes for array in (*planes, *cubes) if array is not None)

    def look(self, todo: list[int]) -> Iterator[SliceResult]:
        """Segment what is to be seen; the views across are spread over the slices, so that progress is even."""
        asks, keys = self._asks(todo), self.maps.request.keys
        total = len(asks)
        for done, index in enumerate(todo, 1):
            while asks and len(asks) * len(todo) > (len(todo) - done) * total:
                for maps, n in asks[:_EXPECTED]:
                    maps.expect(n)
                maps, n = asks.pop(0)
                maps.ask(n)
            if index in keys and index not in self.said:
                self.said[index] = self.maps.answer(index, keys[index])
            yield self.result(index, self.maps.logits(index))

    def _asks(self, todo: list[int]) -> list[tuple[SliceMaps, int]]:
        """What is to be asked of each view, in turn."""
        request = self.maps.request
        # a fusion network looks at the whole object
        shown = todo if self._fusion is None else range(request.first, request.last + 1)
        views = [(self.maps, self.maps.needed(shown)), *((side.maps, side.maps.asked) for side in self.sides)]
        asks = [((at + 0.5) / len(needed), maps, n) for maps, needed in views for at, n in enumerate(needed)]
        return [(maps, n) for _, maps, n in sorted(asks, key=lambda ask: ask[0])]

    @property
    def _fusion(self) -> Fusion | None:
        return self.maps.model.fusion if self.sides else None

    def heed(self) -> bool:
        """Find what the user's prompts change on their slices, also on those that an earlier run knows.

        Returns whether they change anything.
        """
        known, self.changes = self.changes, {}  # a change is what it is against the box alone
        keys = self.maps.request.keys
        self.changes = {n: known[n] if n in known else self._change(n, prompt) for n, prompt in keys.items()}
        return any(change.any() for change in self.changes.values())

    def _change(self, key: int, prompt: Prompt) -> Logits:
        """What a prompt changes on its slice against the box alone; `changes` must not be known yet.

        Clicks are asked about again together with the mask that they were made on.  That answer mends more of what is
        wrong and spoils more of what is right, so it counts a little.
        """
        said = self.said.get(key) or self.maps.answer(key, prompt)
        self.maps.ask(key)
        change = said[0] - self.maps.maps[key]
        if not prompt.points or "prior" not in self.maps.model.prompts:
            return change
        agreed = self.agreed(key)
        mask = self.maps.region.full(agreed > 0)
        if not mask.any():
            return change
        again, _ = self.maps.answer(key, replace(prompt, prior=mask))
        weight = np.float32(self.rule.again)
        return (1 - weight) * change + weight * (again - agreed)

    def fuse(self, keys: Mapping[int, Prompt]) -> None:
        """Let the model's fusion network, if there is one, look at the object; everything is asked for.

        Parameters
        ----------
        keys : the user's prompts that it is shown, whose `changes` are known
        """
        fusion, model, request = self._fusion, self.maps.model, self.maps.request
        if fusion is None:
            return
        if not keys and self.alone is not None:
            self.fused = self.alone
            return
        cube = Cube.of(request, model.shape, fusion.grid, fusion.scale)
        # what it sees depends on the main box alone, not on larger ones that the user drew on single slices
        own, whole = Region.of(replace(request, keys={}), model.shape[1:]), self.maps.region
        rows, columns = slice(own.y0 - whole.y0, own.y1 - whole.y0), slice(own.x0 - whole.x0, own.x1 - whole.x0)
        slices = range(request.first, request.last + 1)
        self.shown.clear()

        def seen(index: int) -> Logits:
            self.shown[index] = self._together(index)
            return self.shown[index][rows, columns]

        logits = cube.logits(seen, own, slices)
        picture = cube.picture(model.plane) if self.picture is None else self.picture
        view = CubeView(picture, cube.valid(), logits, cube.voxels_per_cell, cube.clicks(keys))
        self.picture, self.fused = picture, (cube, fusion(view))
        if not keys:
            self.alone = self.fused

    def agreed(self, index: int) -> Logits:
        """What the views, the user, and the fusion network once it was asked, say of a slice."""
        logits = self.shown.pop(index, None)
        if logits is None:
            logits = self._together(index)
        if self.fused is None:
            return logits
        cube, change = self.fused
        return logits + cube.plane(change, self.maps.region, index)

    def _together(self, index: int) -> Logits:
        """The views' mean, weighed against the ellipsoid, and what the user changed."""
        rule, maps = self.rule, self.maps
        total = maps.smoothed(index, rule.smooth) + sum(rule.weight * side.plane(index) for side in self.sides)
        mean = total / (1 + rule.weight * len(self.sides))
        agreed = mean + rule.shape * maps.region.ellipsoid(maps.request, index)
        return np.asarray(agreed + self._changed(index), np.float32)

    def _changed(self, index: int) -> Logits | np.float32:
        """What the user changed on a slice, or faded from those nearby."""
        if index in self.changes:
            return self.changes[index]
        width = self.rule.reach * (self.maps.request.last - self.maps.request.first + 1)
        weights = {n: np.exp(-0.5 * ((index - n) / width) ** 2) for n in self.changes}
        total = sum((weights[n] * change for n, change in self.changes.items()), np.float32(0))
        return total / np.float32(max(1.0, sum(weights.values())))

    def result(self, index: int, logits: Logits, settled: bool = False) -> SliceResult:
        """The slice's mask; a box that the user drew there stays as it was answered, clicks change what is agreed."""
        confidence = self.maps.confidence(index)
        if index in self.said:
            said, confidence = self.said[index]
            logits = logits if settled and self.maps.request.keys[index].points else said
        mask = self.maps.region.full(logits > 0)
        return SliceResult(index, mask, confidence, "" if mask.any() else "empty mask")
