"""Chest and upper belly: lungs with lobes and vessels, ribs, liver, gall bladder, kidneys, pancreas, adrenal glands."""

from __future__ import annotations

import numpy as np

from .bowel import lay_loops
from .canvas import spline
from .phantom import Mould, Phantom
from .scanner import Scanner
from .solid import Mask
from .tumours import lay_lesion, lay_lung_tumour, lay_mass, lump
from .vessels import lay_backbone

__all__ = ["lay_belly", "lay_chest", "lay_wall", "make_belly", "make_chest"]


def lay_wall(phantom: Phantom, named: float) -> Mould:
    """Skin, fat, a wall of muscle and twelve pairs of ribs sloping to the front; returns the hollow inside."""
    rng = phantom.rng
    phantom.fill("air")
    trunk = phantom.mould().ball((0, 0, 0), (700, 110, 165), power=2.4).roughen(2)
    phantom.lay(trunk.mask(), "fat", named=False)
    phantom.lay(trunk.mask(rng.uniform(6, 25)), "muscle", named=False)
    hollow = rng.uniform(30, 38)
    phantom.lay(trunk.mask(hollow), "fat", named=False)
    share, slope, pitch = rng.random() < named, rng.uniform(0.3, 0.6), rng.uniform(22, 28)
    low, high = float(phantom.at[0].min()) - 80, float(phantom.at[0].max()) + 80
    round_about = np.linspace(0.15, 2.8, 18)
    for up in np.arange(max(low, -130), min(high, 170), pitch):
        for side in (-1, 1):
            back, left = np.cos(round_about) * (107 - hollow), np.sin(round_about) * (162 - hollow) * side
            rib = phantom.mould().rod(
                np.stack([up - (1 - np.cos(round_about)) * 60 * slope, back, left], 1), 3.5, stretch=(1.7, 1, 1)
            )
            phantom.lay(rib.mask(), "cortex bone", named=share)
            phantom.lay(rib.mask(1.3), "spongy bone", named=False)
    trunk.field += np.float32(hollow + 4)
    return trunk


def make_chest(rng: np.random.Generator) -> Phantom:
    """The chest or a piece of it, at times with tumours in the lungs."""
    scanner = Scanner(rng, str(rng.choice(["CT", "MR", "PET"], p=[0.7, 0.15, 0.15])), "chest")
    small = rng.random() < 0.4
    extent = rng.uniform((90, 100, 100), (180, 160, 170)) if small else rng.uniform((200, 220, 300), (320, 270, 370))
    centre = rng.uniform((-30, -20, -70), (80, 20, 70)) if small else (20, 0, 0)
    phantom = Phantom(rng, scanner, extent, centre)
    lungs = lay_chest(phantom)
    for _ in range(int(rng.integers(0, 4))):
        side = int(rng.choice([-1, 1]))
        lay_lung_tumour(phantom, lungs[side], side, float(np.exp(rng.uniform(np.log(3), np.log(25)))))
    return phantom


def lay_chest(phantom: Phantom) -> dict[int, Mask]:
    """Lungs whole or by lobes, with vessels and airways, heart, ribs and liver dome; returns the lungs, left 1."""
    rng = phantom.rng
    hollow = lay_wall(phantom, 0.6)
    lay_backbone(phantom, (55, 0), 0.4)
    lungs = {side: _lung(phantom, hollow, side) for side in (-1, 1)}
    heart = phantom.mould().ball((-25, -28, 18), (48, 38, 55)).roughen(2).mask()
    phantom.lay(heart, phantom.pick("muscle", "blood"), named=rng.random() < 0.7)
    if phantom.scanner.modality == "PET":
        _hot_heart(phantom)
    phantom.lay(
        phantom.mould()
        .rod(
            spline(np.array([(10, -20, -5), (45, -25, -15), (65, 0, 5), (40, 30, 20), (-150, 32, 15)], float), 30), 12.5
        )
        .mask(),
        "blood",
        named=rng.random() < 0.7,
    )
    windpipe = phantom.mould().rod([(170, 5, 0), (40, 12, 0)], rng.uniform(7, 10))
    for side in (-1, 1):
        windpipe.rod([(40, 12, 0), (15, 15, side * 30), (0, 18, side * 50)], [7, 5.5, 3.5])
        _tree(phantom, lungs[side], side)
    phantom.lay(windpipe.mask(-1.2), "wall", named=False)
    phantom.lay(windpipe.mask(), "gas", named=rng.random() < 0.8)
    return lungs


def _hot_heart(phantom: Phantom) -> None:
    """The wall of the left chamber, a cup that burns sugar more or less, open to the right and up."""
    rng = phantom.rng
    tip, base = np.array((-48, -45, 55.0)), np.array((-12, -18, 20.0))
    cup = phantom.mould().rod([tip, base], [22, 30]).roughen(1)
    opening = phantom.mould().rod([tip + 0.15 * (base - tip), base + 0.8 * (base - tip)], [11, 24])
    phantom.lay(cup.mask() & ~opening.mask(), "heart wall", named=rng.random() < 0.7)


def _lung(phantom: Phantom, hollow: Mould, side: int) -> Mask:
    """One lung over its dome of liver or spleen, parted by fissures when lobes are asked for."""
    rng = phantom.rng
    dome = phantom.mould().ball((-110, -5, side * 65), (75 + 8 * (side < 0), 95, 80)).roughen(2)
    space = phantom.mould().ball((0, 0, side * 78), (150, 105, 72 - 8 * (side > 0)), power=2.6)
    lung = (hollow.field < -2) & (space.roughen(2).field < 0) & (dome.field > 0)
    phantom.lay(dome.mask(4) & (hollow.field < 0), "liver" if side < 0 else "spleen", named=rng.random() < 0.6)
    if rng.random() < 0.5:
        phantom.lay(lung, "lung")
        return lung
    at = phantom.at
    tilt = at[0] - np.float32(rng.uniform(0.6, 1.1)) * at[1] + 3 * phantom.noise("coarse")
    upper = lung & (tilt > 0)
    phantom.lay(lung & ~upper, "lung")
    phantom.lay(upper, "lung")
    fissure = lung & (np.abs(tilt) < 0.9)
    phantom.values[fissure] *= np.float32(0.85)
    if side < 0:
        phantom.name(upper & (at[0] < rng.uniform(-10, 30)))
    return lung


def _tree(phantom: Phantom, lung: Mask, side: int) -> None:
    """Vessels that branch from the root to the rim; they belong to the lung's label or to none."""
    rng = phantom.rng
    twigs = phantom.mould()
    for _ in range(int(rng.integers(8, 22))):
        start = np.array((10, 15, side * 38.0))
        middle = start + rng.normal(0, 1, 3) * (35, 28, 6) + (0, 0, side * 22)
        end = middle + rng.normal(0, 1, 3) * (35, 28, 8) + (0, 0, side * 18)
        twigs.rod(spline(np.array([start, middle, end]), 8), np.linspace(4.5, 0.8, 8))
        for fork in (middle, (middle + end) / 2):
            twigs.rod(np.array([fork, fork + rng.normal(0, 22, 3)]), [1.8, 0.6])
    thin = np.clip(2 * phantom.noise("grain") - 8 * np.abs(phantom.noise("fine")) - np.float32(rng.uniform(0, 2)), 0, 1)
    lit = np.float32(rng.uniform(0.3, 0.8)) * thin[lung]
    phantom.values[lung] += lit * (np.float32(phantom.scanner.tone("vein")) - phantom.values[lung])
    mask = twigs.mask() & lung
    phantom.lay(mask, "vein", named=False)
    if rng.random() < 0.3:
        phantom.clear(mask)


def make_belly(rng: np.random.Generator) -> Phantom:
    """The upper belly or a piece of it; in PET with tumours spread over it."""
    scanner = Scanner(rng, str(rng.choice(["CT", "MR", "PET"], p=[0.45, 0.42, 0.13])), "soft")
    small = rng.random() < 0.5
    extent = rng.uniform((60, 80, 90), (150, 150, 190)) if small else rng.uniform((140, 200, 280), (260, 250, 360))
    centre = rng.uniform((-40, -20, -80), (50, 30, 80)) if small else (10, 0, 0)
    phantom = Phantom(rng, scanner, extent, centre)
    lay_belly(phantom)
    if scanner.modality == "PET":
        _spread(phantom)
    return phantom


def _spread(phantom: Phantom) -> None:
    """One to several tumours anywhere in the raster, each an object."""
    rng, body = phantom.rng, phantom.values > phantom.scanner.tone("air") * 3
    low, high = ([float(f(at)) for at in phantom.at] for f in (np.min, np.max))
    for _ in range(int(rng.integers(1, 6))):
        radius = float(np.exp(rng.uniform(np.log(5), np.log(28))))
        mass = lump(phantom, rng.uniform(low, high), radius)
        lay_mass(phantom, mass, body, phantom.pick("tumour", "metastasis"), radius)


def lay_belly(phantom: Phantom) -> dict[str, Mask]:
    """Liver, gall bladder, spleen, kidneys, pancreas, adrenal glands, stomach, great vessels, bowel; organs by name."""
    rng = phantom.rng
    inside = lay_wall(phantom, 0.2).field < 0
    lay_backbone(phantom, (45, 0), 0.2)
    for side in (-1, 1):
        psoas = phantom.mould().rod([(30, 42, side * 24), (-160, 32, side * 42)], [9, 22]).mask()
        phantom.lay(psoas, "muscle", named=rng.random() < 0.5)
        base = phantom.mould().ball((115, 0, side * 80), (70, 100, 75)).mask() & inside
        phantom.lay(base, "lung", named=False)
    lay_loops(phantom, (-70, -30, 10), (35, 35, 80), named=rng.random() < 0.3)
    liver = _liver(phantom, inside)
    spleen = phantom.mould().ball((40, 28, 100), (46, 38, 20)).ball((50, 40, 85), (30, 20, 18)).roughen(1.5)
    organs = {"liver": liver, "spleen": spleen.mask() & inside}
    phantom.lay(organs["spleen"], "spleen")
    stomach = (
        phantom.mould()
        .rod(
            spline(np.array([(70, 10, 60), (40, -25, 62), (5, -48, 20), (12, -40, -22)], float), 14),
            np.linspace(28, 13, 14),
        )
        .roughen(2)
    )
    label = phantom.lay(stomach.mask() & inside, "wall", named=rng.random() < 0.7)
    phantom.lay(
        stomach.mask(3.5) & inside, phantom.pick("chyme", "gas", "oral contrast"), label=label, named=bool(label)
    )
    for out, tissue in ((12, "blood"), (-20, "vein")):
        phantom.lay(
            phantom.mould()
            .rod([(-300, 14, out), (0, 14, out), (200, 20, out)], rng.uniform(8, 12))
            .roughen(0.5)
            .mask(),
            tissue,
        )
    organs["pancreas"] = _pancreas(phantom)
    kidneys = []
    for side in (-1, 1):
        kidneys.append(_kidney(phantom, side))
        _adrenal(phantom, side)
    return organs | {"kidney": kidneys[0] | kidneys[1]}


def _liver(phantom: Phantom, inside: Mask) -> Mask:
    """A dome below the lung, with vessels, lesions and the gall bladder under it."""
    rng = phantom.rng
    liver = phantom.mould().ball((35, 0, -78), (75, 82, 62), power=2.4).ball((35, -38, -10), (38, 36, 62))
    whole = liver.roughen(3.5).mask() & inside
    label = phantom.lay(whole, "liver")
    vessels = phantom.mould()
    for _ in range(int(rng.integers(5, 12))):
        start = np.array(((15, 0, -35), (75, 15, -30))[int(rng.integers(2))], float)
        middle = start + rng.normal(0, 18, 3) + (0, 0, -18)
        vessels.rod(spline(np.array([start, middle, middle + rng.normal(0, 32, 3)]), 9), np.linspace(6, 1.5, 9))
    phantom.lay(vessels.mask() & whole, "vein", named=False)
    apart = rng.random() < 0.6
    for _ in range(int(rng.integers(0, 6))):
        spot = np.array((35, 0, -75)) + rng.normal(0, 28, 3)
        lay_lesion(phantom, whole, spot, rng.uniform(4, 22), label=None if apart else label)
    bladder = phantom.mould().ball(
        np.array((-22, -35, -48)) + rng.normal(0, 4, 3), np.array((26, 15, 15)) * rng.uniform(0.5, 1.3, 3)
    )
    label = phantom.lay(bladder.roughen(0.8).mask(), "wall")
    phantom.lay(bladder.mask(1.2), "bile", label=label, named=bool(label))
    if rng.random() < 0.2 and label:
        phantom.lay(
            phantom.mould().ball((-30, -30, -48), rng.uniform(2, 6, 3)).mask() & bladder.mask(), "calcium", label=label
        )
    return whole


def _kidney(phantom: Phantom, side: int) -> Mask:
    """Cortex, pyramids and the pelvis that opens inwards, one label or apart; at times a cyst or tumour."""
    rng = phantom.rng
    spot = np.array((-22 + 8 * side, 38, side * 62)) + rng.normal(0, 3, 3)
    grow = rng.uniform(0.8, 1.15)
    bean = phantom.mould().ball(spot, np.array((54, 25, 28)) * grow).roughen(1.2)
    sinus = phantom.mould().ball(spot + (0, -3, -side * 15), np.array((24, 12, 17)) * grow).roughen(2, "fine")
    kidney = bean.mask() & (sinus.field > 0)
    label = phantom.lay(kidney, "kidney cortex")
    pyramids = kidney & bean.mask(6) & (phantom.noise("fine") + 0.3 > 0)
    phantom.lay(pyramids, "medulla", label=label, named=bool(label))
    phantom.lay(sinus.mask() & bean.mask(), "fat", named=False)
    pelvis = phantom.mould().rod(
        np.array([spot + (0, -3, -side * 8), spot + (-8, -8, -side * 26), (-140, 28, side * 40)]), [9, 6, 2.5]
    )
    phantom.lay(pelvis.mask(), "urine", named=False)
    if rng.random() < 0.4:
        place = spot + rng.normal(0, 1, 3) * (30, 16, 18)
        lay_lesion(phantom, bean.mask(-25), place, rng.uniform(5, 25))
    return bean.mask()


def _adrenal(phantom: Phantom, side: int) -> None:
    """A thin Y above the kidney."""
    rng = phantom.rng
    tip = np.array((38, 22, side * 32)) + rng.normal(0, 3, 3)
    gland = phantom.mould()
    for low in ((-22, 12, side * 4), (-20, 14, side * 16), (12, -10, -side * 2)):
        gland.rod(
            spline(np.array([tip, tip + np.array(low) * 0.5 + rng.normal(0, 1.5, 3), tip + low]), 6),
            rng.uniform(1.8, 3.2),
            stretch=(1.8, 1, 1),
        )
    phantom.lay(gland.roughen(0.3, "fine").mask(), "adrenal")


def _pancreas(phantom: Phantom) -> Mask:
    """Lobulated, from the head beside the duodenum over the great vessels to the spleen, with its vein behind."""
    rng = phantom.rng
    knots = np.array([(-30, -15, -30), (-8, -18, -22), (4, -26, 2), (10, -12, 32), (24, 8, 62), (30, 18, 80)], float)
    line = spline(knots + rng.normal(0, 4, knots.shape), 30)
    wide = np.interp(np.linspace(0, 1, 30), [0, 0.2, 0.4, 0.7, 1], [13, 12, 8, 9, 6]) * rng.uniform(0.7, 1.2)
    phantom.lay(phantom.mould().rod(line + (0, 9, 0), 4.5).mask(), "vein", named=rng.random() < 0.5)
    gut = phantom.mould().rod(
        spline(np.array([(10, -36, -28), (-5, -12, -50), (-40, -10, -46), (-55, 0, -10), (-50, 2, 30)], float), 24), 12
    )
    label = phantom.lay(gut.roughen(1, "fine").mask(), "wall", named=rng.random() < 0.6)
    phantom.lay(gut.mask(2.5), phantom.pick("chyme", "gas", "oral contrast"), label=label, named=bool(label))
    gland = phantom.mould().rod(line, wide, stretch=(1.3, 0.9, 1)).roughen(rng.uniform(1, 2.5), "fine")
    phantom.lay(gland.mask(), "pancreas")
    if rng.random() < 0.3:
        lay_lesion(phantom, gland.mask(-8), line[int(rng.integers(30))], rng.uniform(5, 18))
    return gland.mask()
