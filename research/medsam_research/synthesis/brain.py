"""Brains in three dimensions: folded cortex, ventricles, deep nuclei, hippocampi, tumours and scattered plaques."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from .canvas import spline
from .phantom import Mould, Phantom
from .scanner import Scanner
from .solid import Mask

__all__ = ["make_brain", "make_hippocampus", "make_plaques", "make_tumour"]

# Middle lines and radii of the deep nuclei of the left side, in mm (up, back, left) from between the two.
_PAIRS: dict[str, tuple[str, list[tuple[float, float, float]], list[float]]] = {
    "putamen": ("deep nucleus", [(2, -14, 23), (4, -2, 27), (3, 10, 28)], [6.5, 7.5, 3.5]),
    "pallidum": ("pallidum", [(0, -8, 17), (1, 1, 20)], [4.5, 4]),
    "thalamus": ("thalamus", [(6, 2, 7), (7, 12, 10), (6, 19, 14)], [6, 8.5, 6.5]),
    "caudate": (
        "deep nucleus",
        [(6, -22, 12), (13, -14, 14), (20, 0, 17), (19, 18, 22), (8, 28, 27), (-4, 20, 30)],
        [7.5, 6, 4, 3, 2.5, 2],
    ),
    "accumbens": ("deep nucleus", [(-5, -20, 8), (-5, -16, 11)], [3.5, 3.5]),
    "hippocampus": (
        "grey matter",
        [(-19, -2, 24), (-20, 6, 27), (-16, 16, 28), (-9, 26, 25), (0, 32, 20)],
        [6.5, 5.5, 4.8, 4.2, 2.5],
    ),
    "amygdala": ("grey matter", [(-16, -8, 21), (-17, -5, 23)], [7, 7]),
}
_SEEN = {"CT": 5.0, "MR": 0.12}  # fainter oedema is drawn but not named, as no reader could outline it
_HORNS = [(2, -30, 10), (12, -24, 9), (22, -8, 9), (23, 12, 14), (14, 30, 23), (0, 32, 29), (-12, 16, 33), (-17, 2, 31)]


def _mirrored(points: ArrayLike, side: int) -> np.ndarray:
    return np.asarray(points, float) * (1, 1, side)


def _phantom(rng: np.random.Generator, extent: ArrayLike, centre: ArrayLike = (0, 0, 0), ct: float = 0.1) -> Phantom:
    scanner = Scanner(rng, "CT" if rng.random() < ct else "MR", "brain")
    phantom = Phantom(rng, scanner, extent, centre)
    phantom.fill("air")
    return phantom


def _head(phantom: Phantom) -> tuple[Mask, Mask]:
    """Scalp, skull, fluid, folded cortex, white matter, insula and hindbrain; returns brain and white matter."""
    rng = phantom.rng
    outer = phantom.mould().ball((8, 5, 0), (72, 88, 70), power=2.3).ball((-45, 25, 0), (32, 38, 50))
    outer.roughen(1.2)
    stripped = rng.random() < 0.4
    if not stripped:
        for depth, tissue in ((-14, "fat"), (-9, "cortex bone"), (-7, "spongy bone"), (-5, "cortex bone")):
            layer = outer.field + np.float32(depth) < 0
            phantom.lay(layer, tissue, named=False)
        phantom.lay(outer.mask(-3), "water", named=False)
    fold = np.abs(phantom.smooth(rng.uniform(9, 14)) + 0.4 * phantom.noise("fine"))
    depth = -outer.field
    deep = rng.uniform(12, 24)
    sulcus = (fold < rng.uniform(0.08, 0.2) * np.clip(1.3 - depth / deep, 0, 1.3)) & (depth < deep)
    brain = (depth > 0) & ~sulcus
    if not stripped:
        phantom.lay(depth > 0, "water", named=False)
    phantom.lay(brain, "grey matter", named=rng.random() < 0.3)
    white = (depth > 3.5) & (fold > 0.75 * np.clip(1.4 - depth / deep, 0, 1)) & brain
    phantom.lay(white, "white matter", named=rng.random() < 0.4)
    middle = (np.abs(phantom.at[2]) < 1.2) & (phantom.at[0] > 22) & (depth > 0)
    phantom.lay(middle, "water", named=False)
    for side in (-1, 1):
        for out, tissue in ((36.5, "grey matter"), (40, "water")):
            sheet = phantom.mould().ball((3, -3, side * out), (17, 21, 2.4)).roughen(0.7, "fine").mask() & brain
            phantom.lay(sheet, tissue, named=False)
            white &= ~sheet
    _hindbrain(phantom, brain)
    return brain, white


def _hindbrain(phantom: Phantom, brain: Mask) -> None:
    """Cerebellum with its thin leaves, and the stem before it."""
    rng = phantom.rng
    little = phantom.mould()
    for side in (-1, 1):
        little.ball((-44, 34, side * 22), (20, 28, 27))
    phantom.lay(little.mask() & brain, "grey matter", named=rng.random() < 0.3)
    leaves = little.mask(4) & brain & (np.abs(phantom.noise("fine")) < rng.uniform(0.2, 0.6))
    phantom.lay(leaves, "white matter", named=False)
    stem = phantom.mould().rod([(-2, 4, 0), (-28, 3, 0), (-85, 20, 0)], [11, 14, 7]).roughen(0.6)
    phantom.lay(stem.mask() & brain, "white matter", named=rng.random() < 0.3)


def _melt(phantom: Phantom, shape: Mould, tissue: str, within: Mask, width: float, strength: float = 1.0) -> None:
    """Let `tissue` fade into what is there over about `width` mm at the shape's border, `strength` of it inside."""
    near = within & (shape.field < 3 * width)
    share = np.float32(strength) / (1 + np.exp(np.clip(shape.field[near] / np.float32(width), -20, 20)))
    scanner = phantom.scanner
    tone = np.float32(scanner.tone(tissue)) + np.float32(scanner.mottle(tissue)) * phantom.noise("grain")[near]
    phantom.values[near] += share * (tone - phantom.values[near])


def _ventricles(phantom: Phantom, named: float = 0.5) -> Mould:
    """Both lateral ventricles with their horns and the slit between the thalami."""
    rng = phantom.rng
    wide = np.exp(rng.uniform(np.log(0.5), np.log(2.2)))
    both = phantom.mould()
    for side in (-1, 1):
        line = spline(_mirrored(np.array(_HORNS) + rng.normal(0, 1, (8, 3)), side), 22)
        both.rod(line, wide * np.interp(np.linspace(0, 1, 22), [0, 0.3, 0.6, 1], [3.5, 4.5, 5, 1.8]))
    both.ball((2, 5, 0), (10, 14, 1.5 * wide))
    phantom.lay(both.roughen(0.5, "fine").mask(), "water", named=rng.random() < named)
    return both


def _nuclei(phantom: Phantom, share: float = 1.0) -> None:
    """The deep pairs, left and right apart or together; in many patients they hardly differ from white matter."""
    everywhere = np.ones(phantom.shape, bool)
    width, strength = phantom.rng.uniform(0.2, 1.3), phantom.rng.uniform(0.5, 1)
    rng, together = phantom.rng, phantom.rng.random() < 0.4
    size = rng.uniform(0.85, 1.15)
    for tissue, line, radii in _PAIRS.values():
        label, named = 0, rng.random() < share
        shake = rng.normal(0, 0.8, (len(line), 3))
        for side in (-1, 1):
            way = spline(_mirrored(np.array(line, float) + shake, side), 14)
            wide = np.interp(np.linspace(0, 1, 14), np.linspace(0, 1, len(radii)), radii) * size
            body = phantom.mould().rod(way, wide, stretch=(1.15, 1, 0.8)).roughen(0.5, "fine")
            _melt(phantom, body, tissue, everywhere, width, strength)
            if named:
                label = phantom.name(body.mask(), label if together else None) or label


def make_brain(rng: np.random.Generator) -> Phantom:
    """A head, or a box from its middle, with the deep nuclei as objects."""
    small = rng.random() < 0.5
    extent = rng.uniform((55, 70, 75), (100, 130, 120)) if small else rng.uniform((120, 175, 145), (185, 225, 190))
    phantom = _phantom(rng, extent, (0, 3, 0) if small else (0, 5, 0))
    _head(phantom)
    _nuclei(phantom)
    _ventricles(phantom)
    return phantom


def make_hippocampus(rng: np.random.Generator) -> Phantom:
    """A small box round one hippocampus, its head and its rest apart or as one."""
    side, grow = int(rng.choice([-1, 1])), rng.uniform(0.8, 1.2)
    extent = np.array((32, 52, 34)) * rng.uniform(0.9, 1.5, 3)
    phantom = _phantom(rng, extent, np.array((-12, 13, 25 * side)) + rng.normal(0, 2, 3), ct=0)
    _head(phantom)
    _nuclei(phantom, 0.3)
    horn = phantom.mould().rod(
        spline(_mirrored([(0, 34, 28), (-10, 20, 33), (-17, 2, 31)], side), 12), rng.uniform(1, 4)
    )
    phantom.lay(horn.mask(), "water", named=False)
    line = np.array(_PAIRS["hippocampus"][1], float) + rng.normal(0, 1.5, (5, 3))
    way = spline(_mirrored(line, side), 18)
    wide = np.interp(np.linspace(0, 1, 18), np.linspace(0, 1, 5), _PAIRS["hippocampus"][2]) * grow
    body = phantom.mould().rod(way, wide, stretch=(0.8, 1, 1.25)).roughen(0.6, "fine").mask()
    phantom.lay(body, "grey matter")
    if rng.random() < 0.7:
        phantom.name(body & (phantom.at[1] > rng.uniform(5, 14)))
    return phantom


def make_plaques(rng: np.random.Generator) -> Phantom:
    """Many small bright plaques round the ventricles and under the cortex, all of one label."""
    phantom = _phantom(rng, rng.uniform((90, 120, 110), (170, 210, 180)), (8, 3, 0), ct=0)
    brain, _ = _head(phantom)
    if rng.random() < 0.3:
        _nuclei(phantom, 0.2)
    ventricles = _ventricles(phantom, 0.3)
    plaques = phantom.mould()
    horns = [spline(_mirrored(_HORNS, side), 40) for side in (-1, 1)]
    around = rng.uniform(0.4, 1)
    for _ in range(int(rng.integers(12, 90))):
        if rng.random() < around:
            horn = horns[int(rng.integers(2))]
            spot = horn[int(rng.integers(30))] + rng.normal(0, 6, 3) + (3, 0, 0)
        else:
            spot = rng.normal(0, 1, 3) * (24, 36, 26) + (12, 5, 0)
        plaques.ball(spot, np.exp(rng.normal(0.8, 0.55)) * rng.uniform(0.6, 1.6, 3))
    if rng.random() < 0.4:
        for horn in horns:
            tip = horn[int(rng.integers(4, 26))]
            plaques.ball(tip + (2, 0, 0), rng.uniform(5, 12, 3))
    inside = plaques.roughen(rng.uniform(0.3, 1.2), "fine").mask() & brain & (ventricles.field > 0)
    label = phantom.lay(inside, "plaque")
    if rng.random() < 0.3:
        phantom.lay(plaques.mask(2.5) & inside, "necrosis", label=label)
    return phantom


def make_tumour(rng: np.random.Generator) -> Phantom:
    """A brain tumour: ragged oedema along the white matter, a bright or dull rim, a dead core; parts or one label."""
    side = int(rng.choice([-1, 1]))
    spot = rng.normal(0, 1, 3) * (18, 28, 8) + (14, 5, 28 * side)
    extent = rng.uniform((120, 160, 140), (180, 220, 180)) if rng.random() < 0.6 else rng.uniform(70, 120, 3)
    phantom = _phantom(rng, extent, (5, 5, 0) if extent[1] > 130 else spot, ct=0.15)
    brain, white = _head(phantom)
    _nuclei(phantom, 0.1)
    ventricles = _ventricles(phantom, 0.1)
    radius = rng.uniform(7, 26)
    room = (brain | (phantom.labels > 0)) & (ventricles.field > 0)
    together, sharp = rng.random() < 0.55, rng.random() < 0.5
    solid = phantom.mould()
    for _ in range(int(rng.integers(1, 5))):
        solid.ball(spot + rng.normal(0, radius * 0.35, 3), radius * rng.uniform(0.35, 0.8, 3))
    for _ in range(int(rng.poisson(0.6))):
        solid.ball(rng.normal(0, 1, 3) * (22, 34, 24) + (12, 5, 0), rng.uniform(2, 8) * rng.uniform(0.8, 1.2, 3))
    solid.roughen(radius * 0.08).roughen(rng.uniform(0.3, 1.5), "fine")
    label = 0
    if rng.random() < 0.85:
        label = _oedema(phantom, (spot, radius), solid, room & white, named=together or rng.random() < 0.5)
    tissue = phantom.pick("tumour", "bright rim", "bright rim")
    _melt(phantom, solid, tissue, room, 0.3 if sharp else rng.uniform(0.5, 2))
    label = phantom.name(solid.mask() & room, label if together else None) or label
    if rng.random() < 0.7:
        rim = np.float32(rng.uniform(1.5, 5)) * (1 + np.float32(0.4) * phantom.noise("fine"))
        core = (solid.field < -rim) & room
        phantom.lay(core, phantom.pick("necrosis", "necrosis", "tumour"), named=False)
        if not together and rng.random() < 0.6:
            phantom.name(core)
    return phantom


def _oedema(phantom: Phantom, seat: tuple[np.ndarray, float], solid: Mould, white: Mask, *, named: bool) -> int:
    """Swelling round a tumour that runs in fingers through the white matter and spares the cortex."""
    rng, (spot, radius) = phantom.rng, seat
    swelling = phantom.mould()
    for _ in range(int(rng.integers(2, 8))):
        swelling.ball(spot + rng.normal(0, radius * 0.7, 3), radius * rng.uniform(0.5, 1.5, 3))
    swelling.roughen(radius * rng.uniform(0.1, 0.35)).roughen(rng.uniform(0.5, 4), "fine")
    swelling.field = np.minimum(swelling.field, solid.field - np.float32(rng.uniform(0, 4)))
    _melt(phantom, swelling, "oedema", white, rng.uniform(0.3, 2), rng.uniform(0.7, 1))
    seen = abs(phantom.scanner.tone("oedema") - phantom.scanner.tone("white matter"))
    return phantom.name(swelling.mask() & white) if named and seen > _SEEN[phantom.scanner.modality] else 0
