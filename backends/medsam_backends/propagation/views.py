"""The rule of models that know a slice's place in the box: slices on their own, from up to three sides, then together.

Slices along the user's axis are segmented from his box and their place between its ends, a few slices across it
likewise; logits are averaged, weighed lightly against the ellipsoid inscribed in the box.  A slice alone cannot tell an
organ from its neighbour of equal brightness; one across it often can, and a few carry nearly all of the gain.  A model
that has a fusion network then looks at what was agreed and the picture together, in 3-D.  Where the user spoke on a
slice, what he changed there fades out over the slices beside it.
"""

from __future__ import annotations

from collections.abc import Iterator
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
    """

    along: int = 12
    across: int = 8
    least: int = 4
    weight: float = 0.6
    smooth: float = 0.5
    shape: float = 0.25
    reach: float = 0.15

    def __call__(self, request: Request, model: SliceModel) -> Iterator[SliceResult]:
        object_ = self.begin(request, model)
        todo = [n for n in range(request.first, request.last + 1) if n not in request.known]
        yield from object_.look(todo)
        object_.fuse()
        changes = {key: object_.change(key) for key in request.keys}  # also of keys that an earlier run knows
        for index in todo:
            yield object_.result(index, object_.changed(index, changes), settled=True)

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
    fused : the fusion network's cube and what it adds to the logits
    shown : what the views say of the slices that it was shown, until they are asked for again; at most one a cell
    """

    rule: Views
    maps: SliceMaps
    sides: list[SideView]
    said: dict[int, tuple[Logits, float]] = field(default_factory=dict)
    fused: tuple[Cube, NDArray[np.float32]] | None = None
    shown: dict[int, Logits] = field(default_factory=dict)

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
            if index in keys:
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

    def fuse(self) -> None:
        """Let the model's fusion network, if there is one, look at the object; everything is asked for."""
        fusion, model, request = self._fusion, self.maps.model, self.maps.request
        if fusion is None:
            return
        cube = Cube.of(request, model.shape, fusion.grid, fusion.scale)
        # what it sees depends on the main box alone, not on larger ones that the user drew on single slices
        own, whole = Region.of(replace(request, keys={}), model.shape[1:]), self.maps.region
        rows, columns = slice(own.y0 - whole.y0, own.y1 - whole.y0), slice(own.x0 - whole.x0, own.x1 - whole.x0)
        slices = range(request.first, request.last + 1)

        def seen(index: int) -> Logits:
            self.shown[index] = self._together(index)
            return self.shown[index][rows, columns]

        logits = cube.logits(seen, own, slices)
        self.fused = cube, fusion(CubeView(cube.picture(model.plane), cube.valid(), logits, cube.voxels_per_cell))

    def agreed(self, index: int) -> Logits:
        """What the views, and the fusion network once it was asked, say of a slice, before the user's own word."""
        logits = self.shown.pop(index, None)
        if logits is None:
            logits = self._together(index)
        if self.fused is None:
            return logits
        cube, change = self.fused
        return logits + cube.plane(change, self.maps.region, index)

    def _together(self, index: int) -> Logits:
        """The views' mean, weighed against the ellipsoid."""
        rule, maps = self.rule, self.maps
        total = maps.smoothed(index, rule.smooth) + sum(rule.weight * side.plane(index) for side in self.sides)
        mean = total / (1 + rule.weight * len(self.sides))
        return np.asarray(mean + rule.shape * maps.region.ellipsoid(maps.request, index), np.float32)

    def change(self, key: int) -> Logits:
        """What the user's prompt changes on its slice, against the box alone, as the user's own view sees it."""
        said = self.said.get(key) or self.maps.answer(key, self.maps.request.keys[key])
        self.maps.ask(key)
        return said[0] - self.maps.maps[key]

    def changed(self, index: int, changes: dict[int, Logits]) -> Logits:
        """What is agreed, and what the user changed on slices nearby."""
        if index in changes:
            return np.asarray(self.agreed(index) + changes[index], np.float32)
        agreed, width = self.agreed(index), self.rule.reach * (self.maps.request.last - self.maps.request.first + 1)
        weights = {n: np.exp(-0.5 * ((index - n) / width) ** 2) for n in changes}
        total = sum((weights[n] * change for n, change in changes.items()), np.float32(0))
        return np.asarray(agreed + total / max(1.0, sum(weights.values())), np.float32)

    def result(self, index: int, logits: Logits, settled: bool = False) -> SliceResult:
        """The slice's mask; a box that the user drew there stays as it was answered, clicks change what is agreed."""
        confidence, prompt = self.maps.confidence(index), self._prompt(index)
        if index in self.said:
            said, confidence = self.said[index]
            logits = logits if settled and prompt.points else said
        mask = self.maps.region.full(logits > 0)
        return SliceResult(index, mask, confidence, prompt, "" if mask.any() else "empty mask")

    def _prompt(self, index: int) -> Prompt:
        return self.maps.request.keys.get(index) or self.maps.prompt(index)
