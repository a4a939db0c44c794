"""One object seen from up to three sides: what each view says, and the user, and what a fusion network makes of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..types import Prompt
from .base import CubeView, Fusion, Request, SliceResult
from .cube import Cube
from .maps import Logits, SliceMaps
from .region import Region
from .side_view import SideView

if TYPE_CHECKING:
    from .views import Views

__all__ = ["ViewedObject"]

_EXPECTED = 16
"""Slices announced to the model before they are asked for; it begins with as many as it has threads for."""


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
    def slices(self) -> range:
        """Those of its box."""
        return range(self.maps.request.first, self.maps.request.last + 1)

    @property
    def arrays(self) -> list[NDArray[np.float32]]:
        """The logits that it holds, which grow with the box, and the rest, which does not."""
        views = [self.maps, *(side.maps for side in self.sides)]
        planes = [plane for maps in views for plane in maps.maps.values()]
        planes += [*self.changes.values(), *(logits for logits, _ in self.said.values())]
        cubes = [self.picture, *(found[1] for found in (self.fused, self.alone) if found)]
        return [*planes, *(array for array in cubes if array is not None)]

    def look(self, todo: list[int], beside: Sequence[ViewedObject] = ()) -> Iterator[SliceResult]:
        """Segment what is to be seen, also of objects `beside`; all is spread over the slices: progress is even."""
        views = [*self._needed(todo), *(view for other in beside for view in other._needed(other.slices))]
        asks, keys = _in_turn(views), self.maps.request.keys
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

    def _needed(self, todo: Sequence[int]) -> list[tuple[SliceMaps, Sequence[int]]]:
        """What is to be asked of each view to show slices `todo`; a fusion network looks at the whole object."""
        shown = todo if self._fusion is None else self.slices
        return [(self.maps, self.maps.needed(shown)), *((side.maps, side.maps.asked) for side in self.sides)]

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
        self.shown.clear()

        def seen(index: int) -> Logits:
            self.shown[index] = self._together(index)
            return self.shown[index][rows, columns]

        logits = cube.logits(seen, own, self.slices)
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
        return self._fused(index, logits, self.fused)

    @property
    def confidence(self) -> float:
        """Of the box alone: mean over the slices asked along its axis, weighted by their pixels; 0 when empty."""
        maps = self.maps
        pixels = [np.count_nonzero(self._fused(n, self._mean(n), self.alone) > 0) for n in maps.asked]
        return float(np.average([maps.sure[n] for n in maps.asked], weights=pixels)) if any(pixels) else 0.0

    def _together(self, index: int) -> Logits:
        """The views' mean and what the user changed."""
        return np.asarray(self._mean(index) + self._changed(index), np.float32)

    def _mean(self, index: int) -> Logits:
        """The views' mean, weighed against the ellipsoid."""
        rule, maps = self.rule, self.maps
        total = maps.smoothed(index, rule.smooth) + sum(rule.weight * side.plane(index) for side in self.sides)
        mean = total / (1 + rule.weight * len(self.sides))
        return np.asarray(mean + rule.shape * maps.region.ellipsoid(maps.request, index), np.float32)

    def _fused(self, index: int, logits: Logits, fused: tuple[Cube, NDArray[np.float32]] | None) -> Logits:
        """`logits` of a slice with what the fusion network, if it was asked, adds to them."""
        if fused is None:
            return logits
        cube, change = fused
        return logits + cube.plane(change, self.maps.region, index)

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


def _in_turn(views: Sequence[tuple[SliceMaps, Sequence[int]]]) -> list[tuple[SliceMaps, int]]:
    """The slices to ask of each view, in one list in which each view's are spread evenly."""
    asks = [((at + 0.5) / len(needed), maps, n) for maps, needed in views for at, n in enumerate(needed)]
    return [(maps, n) for _, maps, n in sorted(asks, key=lambda ask: ask[0])]
