"""Pelvis and thigh: hip bones, sacrum, bladder, prostate with zones, rectum, and muscles parted by fat."""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree

from .canvas import spline
from .phantom import Phantom
from .scanner import Scanner
from .solid import Mask
from .tumours import lay_mass, lay_sarcoma, lump

__all__ = ["lay_limb", "lay_pelvis", "make_pelvis", "make_prostate", "make_thigh"]


def make_pelvis(rng: np.random.Generator) -> Phantom:
    """The whole pelvis or one side of it; in PET with tumours or nodes beside the bright bladder."""
    scanner = Scanner(
        rng, str(rng.choice(["CT", "MR", "PET"], p=[0.57, 0.28, 0.15])), "bone" if rng.random() < 0.4 else "soft"
    )
    small = rng.random() < 0.5
    extent = rng.uniform((90, 110, 110), (180, 180, 200)) if small else rng.uniform((160, 190, 280), (260, 240, 370))
    centre = (0, 0, rng.uniform(-90, 90)) if small else (0, 5, 0)
    phantom = Phantom(rng, scanner, extent, centre)
    lay_pelvis(phantom)
    if scanner.modality == "PET":
        _nodes(phantom)
    return phantom


def lay_pelvis(phantom: Phantom) -> Mask:
    """Fat all over, in it muscles, bones and organs; returns the bones."""
    phantom.fill("fat")
    _muscles(phantom)
    bones = _bones(phantom)
    _organs(phantom)
    return bones


def _nodes(phantom: Phantom) -> None:
    """One to several tumours along the vessels and round the bladder."""
    rng = phantom.rng
    for _ in range(int(rng.integers(1, 6))):
        spot = rng.normal(0, 1, 3) * (35, 22, 15) + (10, -10, rng.choice([-1, 1]) * rng.uniform(15, 90))
        radius = float(np.exp(rng.uniform(np.log(5), np.log(28))))
        everywhere = np.ones(phantom.shape, bool)
        lay_mass(phantom, lump(phantom, spot, radius), everywhere, phantom.pick("tumour", "metastasis"), radius)


def make_prostate(rng: np.random.Generator) -> Phantom:
    """A box round prostate and bladder, mostly in MR."""
    scanner = Scanner(rng, "MR" if rng.random() < 0.85 else "CT")
    phantom = Phantom(rng, scanner, rng.uniform((60, 70, 80), (120, 150, 190)), (-42, -5, 0))
    lay_pelvis(phantom)
    return phantom


def _muscles(phantom: Phantom) -> None:
    """Buttocks behind, hip flexors in front, the obturators inside."""
    rng = phantom.rng
    for side in (-1, 1):
        bellies = (
            [(110, 55, side * 60), (20, 75, side * 70), (-60, 55, side * 100)],
            [(80, 20, side * 120), (0, 10, side * 135), (-60, 10, side * 125)],
            [(130, 0, side * 45), (20, -35, side * 70), (-70, -20, side * 90)],
            [(-10, 10, side * 52), (-60, 25, side * 48)],
            [(-60, -30, side * 40), (-140, -20, side * 60)],
        )
        for line, wide in zip(bellies, (26, 22, 18, 11, 22), strict=True):
            shaken = np.array(line, float) + rng.normal(0, 5, (len(line), 3))
            belly = phantom.mould().rod(spline(shaken, 8), wide * rng.uniform(0.8, 1.2)).roughen(2.5).mask()
            phantom.lay(belly, "muscle", named=rng.random() < 0.5)


def _bones(phantom: Phantom) -> Mask:
    """Hip bones with wing, socket and ring; the thigh bone's head, neck and shaft; the sacrum; all of them."""
    rng, share = phantom.rng, phantom.rng.random() < 0.85
    bones = np.zeros(phantom.shape, bool)
    for side in (-1, 1):
        hip = phantom.mould()
        wing = spline(np.array([(95, 55, 50), (115, 20, 105), (95, -25, 122), (65, -45, 115)]) * (1, 1, side), 14)
        socket = np.array((-12, -2, side * 82))
        for point in wing:
            hip.rod([point, socket + (22, 0, 0)], [4.5, 9])
        hip.rod(
            spline(np.array([(10, -8, 80), (-18, -38, 45), (-32, -48, 8)]) * (1, 1, side), 8), [11, 9, 8, 7, 7, 7, 8, 9]
        )
        hip.rod(spline(np.array([(-10, 12, 76), (-55, 28, 58), (-70, 8, 45), (-40, -44, 12)]) * (1, 1, side), 12), 8.5)
        hip.ball(socket, (27, 27, 22)).roughen(0.8, "fine")
        head = socket + (-4, -2, side * 9)
        joint = phantom.mould().ball(head, 25.5).mask()
        whole = hip.mask() & ~joint
        phantom.lay(whole, "cortex bone", named=share)
        phantom.lay(hip.mask(1.6) & ~joint, "spongy bone", named=False)
        phantom.lay(joint & hip.mask(-3), "cartilage", named=False)
        thigh = phantom.mould().ball(head, 23.5)
        neck = head + (-28, 2, side * 42)
        thigh.rod([head, neck], [15, 17]).rod([neck, head + (-180, 10, side * 30)], [17, 14]).roughen(0.6, "fine")
        phantom.lay(thigh.mask(), "cortex bone", named=share)
        phantom.lay(thigh.mask(rng.uniform(1.2, 3)), "spongy bone", named=False)
        bones |= whole | thigh.mask()
    back = spline(np.array([(120, 30, 0), (80, 48, 0), (35, 78, 0), (-10, 80, 0), (-40, 62, 0)]), 20)
    sacrum = phantom.mould().rod(back, np.linspace(20, 4, 20), stretch=(1, 0.7, 2.2)).roughen(1.2, "fine")
    phantom.lay(sacrum.mask(), "cortex bone", named=share)
    phantom.lay(sacrum.mask(1.5), "spongy bone", named=False)
    return bones | sacrum.mask()


def _organs(phantom: Phantom) -> None:
    """Bladder, prostate and seminal vesicles, rectum, and vessels along the rim."""
    rng = phantom.rng
    size = np.array((rng.uniform(14, 45), rng.uniform(16, 36), rng.uniform(22, 46)))
    bladder = phantom.mould().ball((-18 + size[0], -20, rng.normal(0, 4)), size, power=2.4).roughen(2)
    label = phantom.lay(bladder.mask(), "wall")
    phantom.lay(bladder.mask(rng.uniform(1.5, 4)), "urine", label=label, named=bool(label))
    line = spline(
        np.array([(60, 35, 12), (30, 50, -6), (-10, 45, 4), (-50, 28, 0), (-80, 40, 0)]) + rng.normal(0, 3, (5, 3)), 18
    )
    rectum = phantom.mould().rod(line, rng.uniform(11, 18)).roughen(1.5, "fine")
    label = phantom.lay(rectum.mask(), "wall", named=rng.random() < 0.8)
    phantom.lay(rectum.mask(3), phantom.pick("gas", "stool", "chyme"), label=label, named=bool(label))
    for side in (-1, 1):
        vesicle = phantom.mould().rod([(-20, 16, side * 3), (-12, 22, side * 26)], [5, 6]).roughen(1, "fine")
        phantom.lay(vesicle.mask(), "water", named=rng.random() < 0.4)
        vessel = phantom.mould().rod([(120, -10, side * 45), (20, -45, side * 62), (-90, -60, side * 75)], 6)
        phantom.lay(vessel.mask(), "blood", named=rng.random() < 0.4)
    grow = rng.uniform(0.75, 1.35)
    spot = np.array((-42, 2, 0)) + rng.normal(0, 2, 3)
    gland = phantom.mould().ball(spot, np.array((21, 16, 24)) * grow, power=2.3).roughen(1.2)
    core = phantom.mould()
    for side in (-1, 1):
        core.ball(spot + (3, -4, side * 7 * grow), np.array((15, 11, 11)) * grow * rng.uniform(0.7, 1.1))
    label = phantom.lay(gland.mask(), "peripheral zone")
    apart = rng.random() < 0.4
    inner = core.roughen(1, "fine").mask() & gland.mask(1.5)
    phantom.lay(inner, "transition zone", label=None if apart else label, named=apart or bool(label))


def make_thigh(rng: np.random.Generator) -> Phantom:
    """Muscles packed round a bone with fat between, and often a tumour among them."""
    scanner = Scanner(rng, str(rng.choice(["CT", "MR", "PET"], p=[0.45, 0.43, 0.12])), "soft")
    wide = rng.uniform(55, 90)
    extent = (rng.uniform(80, 220), *(np.array((2.3, 2.3)) * wide * rng.uniform(0.6, 1.1, 2)))
    phantom = Phantom(rng, scanner, extent, (0, *rng.normal(0, 10, 2)))
    limb = lay_limb(phantom, wide)
    if rng.random() < 0.75 or scanner.modality == "PET":
        lay_sarcoma(phantom, limb, (0, *rng.normal(0, wide * 0.35, 2)), rng.uniform(10, 38))
    return phantom


def lay_limb(phantom: Phantom, wide: float) -> Mask:
    """A limb of about `wide` mm radius along the body's axis: skin, fat, muscles, bone and vessels; its inside."""
    rng = phantom.rng
    phantom.fill("air")
    limb = phantom.mould().rod([(-400, 0, 0), (400, 0, 0)], [wide * 0.8, wide * 1.2]).roughen(2)
    phantom.lay(limb.mask(), "fat", named=False)
    flesh = limb.mask(wide * rng.uniform(0.05, 0.3))
    phantom.lay(flesh, "muscle", named=False)
    _packed(phantom, flesh, wide)
    bone = phantom.mould().rod([(-400, 5, -5), (400, -5, 5)], wide * rng.uniform(0.15, 0.22)).roughen(0.6)
    phantom.lay(bone.mask(), "cortex bone")
    phantom.lay(bone.mask(rng.uniform(3, 7)), phantom.pick("spongy bone", "fat"), named=False)
    for tissue in ("blood", "vein"):
        line = np.array([(-300, 0, 22), (0, -10, 28), (300, -20, 20)]) + rng.normal(0, 5, (3, 3))
        phantom.lay(phantom.mould().rod(line, rng.uniform(3, 5)).mask(), tissue, named=rng.random() < 0.5)
    return limb.mask(2) & (bone.field > 0)


def _packed(phantom: Phantom, flesh: Mask, wide: float) -> None:
    """Part the flesh into bellies that run along the limb; the seams between them are fat."""
    rng = phantom.rng
    count = int(rng.integers(6, 13))
    angle = np.linspace(0, 2 * np.pi, count, endpoint=False) + rng.normal(0, 0.2, count)
    centres = np.stack([np.cos(angle), np.sin(angle)], 1) * wide * rng.uniform(0.3, 0.8, (count, 1))
    up, back, left = (at[flesh] for at in phantom.at)
    twist = rng.normal(0, 0.08, 2)
    places = np.stack([back + twist[0] * up, left + twist[1] * up], 1) + 2 * phantom.noise("coarse")[flesh][:, None]
    distance, nearest = cKDTree(centres).query(places, k=2)
    seam = distance[:, 1] - distance[:, 0] < rng.uniform(1, 5) * (1 + 0.5 * phantom.noise("coarse")[flesh])
    for number in range(count):
        belly = flesh.copy()
        belly[flesh] = (nearest[:, 0] == number) & ~seam
        phantom.lay(belly, "muscle", named=rng.random() < 0.7)
    between = flesh.copy()
    between[flesh] = seam
    phantom.lay(between, "fat", named=False)
