"""The numbers that the project set itself, each with what this run found."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from .cases import PEER
from .plan import BUNDLED, Plan
from .results import Results

__all__ = ["Row", "rows"]

_LITE, _L1 = "litemedsam", "medficientsam-l1"
_SEEN_S, _SEEN_MIB = 6.8, 637.0
"""MedficientSAM's own C++ program with OpenVINO on the two-box case, on a quiet machine of this kind."""


@dataclass(frozen=True)
class Row:
    """A goal and what was found; numbers that this run did not measure are None.

    Attributes
    ----------
    ours, theirs : in `unit`
    value : what is compared with `reach`: the ratio of both, or `ours` itself
    """

    what: str
    anchor: str
    unit: str
    ours: float | None
    theirs: float | None
    value: float | None
    reach: float
    note: str = ""

    @property
    def reached(self) -> bool | None:
        """Whether the goal is reached, None if this run cannot tell."""
        return None if self.value is None else self.value <= self.reach


def rows(plan: Plan, results: Results) -> list[Row]:
    """Every goal in the order in which they were set."""
    return [
        *_networks(plan, results),
        *_imported(plan, results),
        *_whole(plan, results),
        *_sharing(plan, results),
        *_rest(plan, results),
        Row("accuracy, pictures", "`medsamlite evaluate`", "DSC", None, None, None, 0.0, "see the model's card"),
        Row("accuracy, volumes", "`medsamlite evaluate`", "DSC", None, None, None, 0.0, "see the model's card"),
    ]


def _ratio(results: Results, what: str, anchor: str, names: tuple[str, str], reach: float, note: str = "") -> Row:
    ours, theirs = (None if (s := results.median(name)) is None else 1000 * s for name in names)
    return Row(what, anchor, "ms", ours, theirs, results.ratio(*names), reach, note)


def _networks(plan: Plan, results: Results) -> Iterator[Row]:
    goals = (
        ("bundled encoder", _LITE, "encode", 1 / 20),
        ("bundled encoder", _L1, "encode", 1 / 10),
        ("decode of one box, bundled", _LITE, "decode", 1 / 3),
    )
    for what, other, part, reach in goals:
        for runtime in plan.runtimes:
            names = tuple(f"{other}/{model} product {runtime}/{part}" for model in (BUNDLED, other))
            yield _ratio(results, f"{what}, {runtime}", f"{other}, {runtime}", (names[0], names[1]), reach)


def _imported(plan: Plan, results: Results) -> Iterator[Row]:
    for model in plan.models:
        if not model.system:
            continue
        for part in ("encoder", "decoder"):
            ours = {name: f"{model.name}/{model.name} graphs {name}/{part}" for name in plan.runtimes}
            best = results.fastest(ours) or plan.runtimes[0]
            for label, engine in authors(model.system):
                names = (ours[best], f"{model.name}/{model.name} {engine}/{part}")
                yield _ratio(results, f"{model.name} {part}, {best}", label, names, 0.9)


def authors(system: str) -> tuple[tuple[str, str], ...]:
    """What a system is compared with: the authors' own runtime on a CPU, and a plain export in ONNX Runtime."""
    plain = ("plain export, onnxruntime", "plain onnxruntime")
    if system in (_LITE, "rep-medsam"):
        return (("authors' way: PyTorch", "torch"), plain)
    return (("authors' way: plain export, OpenVINO f32", "plain openvino"), plain)


def _case(results: Results, case: str) -> tuple[str, dict[str, float]]:
    """The fastest of our runs of a case: its name and summary."""
    cases = results.facts.get("cases", {})
    ours = {name: found for name, found in cases.items() if name.startswith(f"{case}/{BUNDLED}")}
    if not ours:
        return "", {}
    name = min(ours, key=lambda key: ours[key]["seconds"])
    return name.removeprefix(f"{case}/"), ours[name]


def _whole(plan: Plan, results: Results) -> Iterator[Row]:
    name, found = _case(results, "picture")
    spent = found.get("seconds")
    yield Row(f"first mask, start to PNG, {name}", "the clock", "s", spent, None, spent, 0.8)
    name, found = _case(results, "two boxes")
    spent = found.get("seconds")
    peer = results.facts.get("cases", {}).get(f"two boxes/{PEER}", {})
    slices = plan.effort.volumes[0]
    what = f"({slices}, {plan.effort.side}, {plan.effort.side}), 2 boxes, {name}"
    seen = f"{_SEEN_S} s and {_SEEN_MIB:.0f} MiB were seen of its C++ program"
    yield Row(f"{what}, time", PEER, "s", spent, peer.get("seconds"), spent, 1.5, seen)
    peak = found.get("peak_mib")
    yield Row(f"{what}, memory", PEER, "MiB", peak, peer.get("peak_mib"), peak, 400.0, seen)


def _sharing(plan: Plan, results: Results) -> Iterator[Row]:
    for name, slices in results.facts.get("shared_slices", {}).items():
        group = f"volumes/{name}"
        names = (f"{group}/six boxes", f"{group}/six boxes, box by box")
        yield _ratio(results, f"6 boxes over {slices} slices, {name}", "box by box without a cache", names, 1 / 4)
    for name, slices in results.facts.get("shared_slices", {}).items():
        group = f"volumes/{name}"
        names = (f"{group}/a further box", f"{group}/encode of those slices")
        yield _ratio(results, f"a further box on {slices} cached slices, {name}", "encode of those slices", names, 0.1)
    for runtime in plan.runtimes:
        seconds = results.median(f"volumes/{BUNDLED} {runtime}/preview, slice cached")
        ms = None if seconds is None else 1000 * seconds
        yield Row(f"preview, slice cached, {BUNDLED} {runtime}", "a person's patience", "ms", ms, None, ms, 30.0)


def _rest(plan: Plan, results: Results) -> Iterator[Row]:
    cases = results.facts.get("cases", {})
    for name, found in cases.items():
        stages = found["stages_s"]
        if not stages or name.startswith("picture"):
            continue
        rest = max(0.0, found["wall_s"] - stages["encode"] - stages["decode"])
        share = rest / found["wall_s"]
        yield Row(f"not encode or decode: {name}", "whole case", "s", rest, found["wall_s"], share, 0.1)
