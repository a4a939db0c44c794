"""Cross-sections of trunk, head and limb as CT, MR or PET would show them: tissues by plan, grey by modality."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from .canvas import Canvas, Mask, blob, fill, finish, noise, pick_size, soften, texture

__all__ = ["TISSUES", "grey_values", "make_ct", "make_mr", "make_pet"]

Picture = tuple[NDArray[np.uint8], NDArray[np.uint8]]

# Usual CT numbers in HU with their spread between patients and phases.
TISSUES: dict[str, tuple[float, float]] = {
    "air": (-1000, 0),
    "lung": (-830, 50),
    "fat": (-100, 12),
    "water": (8, 8),
    "muscle": (55, 12),
    "organ": (85, 30),
    "vessel": (140, 80),
    "lesion": (50, 35),
    "brain": (36, 5),
    "bone": (650, 250),
    "marrow": (180, 90),
}
_SEEN_BY_PET = ("lesion", "organ")


@dataclass
class _Plan:
    """Tissue by tissue from back to front; the named ones are objects."""

    shape: tuple[int, int]
    parts: list[tuple[str, Mask, bool]] = field(default_factory=list)

    def add(self, tissue: str, mask: Mask, *, named: bool = True) -> None:
        self.parts.append((tissue, mask, named))


def grey_values(rng: np.random.Generator, modality: str) -> Callable[[str], float]:
    """A drawing of grey 0..1 for a tissue, one patient and scan; each call is another organ."""
    if modality == "CT":
        level, width = (
            (40, 400) if rng.random() < 0.7 else (float(rng.uniform(-50, 150)), float(rng.uniform(200, 1600)))
        )
        return lambda t: float(np.clip((rng.normal(*TISSUES[t]) - level) / width + 0.5, 0, 1))
    if modality == "MR":
        tones = {t: rng.uniform(0.1, 0.95) for t in TISSUES} | {
            "air": 0.02,
            "lung": 0.06,
            "bone": rng.uniform(0.03, 0.2),
        }
        return lambda t: float(np.clip(tones[t] + rng.normal(0, 0.07), 0.02, 1))
    uptake = {t: rng.uniform(0.05, 0.22) for t in TISSUES} | {"air": 0.0, "lung": 0.04, "fat": 0.05, "bone": 0.08}
    return lambda t: float(rng.uniform(0.35, 1) if t == "lesion" else uptake[t] * np.exp(rng.normal(0, 0.3)))


def make_ct(rng: np.random.Generator) -> Picture:
    """A CT slice."""
    plan = _plan(rng)
    canvas = _drawn(rng, plan, "CT")
    image = soften(canvas.image, rng.uniform(0.4, 1.1))
    grain = rng.uniform(0.005, 0.06) * texture(rng, plan.shape, rng.uniform(1.5, 3.5), 2)
    return finish(image, 0, grain), canvas.labels


def make_mr(rng: np.random.Generator) -> Picture:
    """An MR slice: bias field, Rician noise."""
    plan = _plan(rng)
    canvas = _drawn(rng, plan, "MR")
    image = soften(canvas.image, rng.uniform(0.4, 1.3)) * np.exp(rng.uniform(0, 0.35) * noise(rng, plan.shape, 110))
    sigma = rng.uniform(0.005, 0.06)
    real, imaginary = noise(rng, plan.shape, 1.1), noise(rng, plan.shape, 1.1)
    return finish(np.hypot(image + sigma * real, sigma * imaginary)), canvas.labels


def make_pet(rng: np.random.Generator) -> Picture:
    """A PET slice: blurred uptake with hot spots, noise that grows with uptake."""
    plan = _plan(rng, most_lesions=4)
    canvas = _drawn(rng, plan, "PET")
    image = soften(canvas.image, rng.uniform(2, 6))
    grain = texture(rng, plan.shape, rng.uniform(4, 9), 2)
    image = image * rng.uniform(0.9, 2.2) + np.sqrt(np.clip(image, 0, 1)) * rng.uniform(0.02, 0.12) * grain
    return finish(image), canvas.labels


def _plan(rng: np.random.Generator, most_lesions: int = 2) -> _Plan:
    shape = pick_size(rng)
    plan = _Plan(shape)
    makers = (_trunk, _trunk, _head, _limb)
    region = makers[int(rng.integers(len(makers)))](rng, plan)
    for _ in range(int(rng.integers(0 if most_lesions < 3 else 1, most_lesions + 1))):
        _lesion(rng, plan, region)
    return plan


def _drawn(rng: np.random.Generator, plan: _Plan, modality: str) -> Canvas:
    grey = grey_values(rng, modality)
    canvas = Canvas(np.full(plan.shape, grey("air"), np.float32))
    grain = texture(rng, plan.shape, rng.uniform(4, 14), 3)
    for tissue, mask, named in plan.parts:
        roughness = rng.uniform(0, 0.025 if modality == "CT" else 0.05)
        canvas.paint(mask, grey(tissue) + (roughness * grain if tissue != "air" else 0 * grain), 1.0)
        shown = modality != "PET" or tissue in _SEEN_BY_PET
        if named and shown and np.count_nonzero(mask) > 30:
            canvas.label(mask)
    return canvas


def _ellipse(
    rng: np.random.Generator,
    plan: _Plan,
    x: float,
    y: float,
    w: float,
    h: float,
    roughness: float = 0.1,
    turn: float = 0.0,
) -> Mask:
    """A deformed ellipse; all in fractions of the picture."""
    height, width = plan.shape
    jitter = rng.normal(0, 0.015, 2)
    centre = ((x + jitter[0]) * width, (y + jitter[1]) * height)
    size = (w * width * np.exp(rng.normal(0, 0.12)), h * height * np.exp(rng.normal(0, 0.12)))
    return fill(plan.shape, blob(rng, centre, size, angle=turn + rng.normal(0, 0.12), roughness=roughness))


def _trunk(rng: np.random.Generator, plan: _Plan) -> Mask:
    body = _ellipse(rng, plan, 0.5, 0.52, 0.44, 0.4, 0.03)
    plan.add("fat", body, named=False)
    wall = _ellipse(rng, plan, 0.5, 0.52, 0.38, 0.33, 0.03) & body
    plan.add("muscle", wall, named=False)
    inside = _ellipse(rng, plan, 0.5, 0.48, 0.33, 0.27, 0.04) & wall
    chest = rng.random() < 0.35
    plan.add("lung" if chest else "fat", inside, named=chest and rng.random() < 0.3)
    if chest:
        _chest_organs(rng, plan, inside)
    else:
        _abdominal_organs(rng, plan, inside)
    for i in range(12):
        angle = i / 12 * 2 * np.pi + rng.normal(0, 0.05)
        rib = _ellipse(
            rng, plan, 0.5 + 0.355 * np.cos(angle), 0.5 + 0.3 * np.sin(angle), 0.03, 0.013, 0.05, angle + np.pi / 2
        )
        plan.add("bone", rib & wall)
    vertebra = _ellipse(rng, plan, 0.5, 0.72, 0.06, 0.055, 0.06)
    plan.add(
        "bone", vertebra | _ellipse(rng, plan, 0.5, 0.83, 0.02, 0.06) | _ellipse(rng, plan, 0.5, 0.79, 0.09, 0.015)
    )
    plan.add("marrow", _ellipse(rng, plan, 0.5, 0.72, 0.05, 0.045, 0.06) & vertebra, named=False)
    plan.add("water", _ellipse(rng, plan, 0.5, 0.795, 0.02, 0.02, 0.05))
    plan.add("vessel", _ellipse(rng, plan, 0.47, 0.64, 0.025, 0.025, 0.04))
    for side in (-1, 1):
        plan.add("muscle", _ellipse(rng, plan, 0.5 + side * 0.11, 0.82, 0.07, 0.05, 0.08))
    return inside


def _chest_organs(rng: np.random.Generator, plan: _Plan, inside: Mask) -> None:
    plan.add("fat", _ellipse(rng, plan, 0.5, 0.52, 0.09, 0.24, 0.1) & inside, named=False)
    plan.add("organ", _ellipse(rng, plan, 0.55, 0.48, 0.14, 0.12, 0.1) & inside)
    for _ in range(3):
        spot = rng.normal(0, 0.05, 2)
        plan.add("vessel", _ellipse(rng, plan, 0.54 + spot[0], 0.47 + spot[1], 0.045, 0.04, 0.12) & inside)
    for _ in range(25):
        spot = rng.uniform(-0.26, 0.26, 2)
        plan.add("vessel", _ellipse(rng, plan, 0.5 + spot[0], 0.5 + spot[1], 0.006, 0.006) & inside, named=False)


def _abdominal_organs(rng: np.random.Generator, plan: _Plan, inside: Mask) -> None:
    if rng.random() < 0.8:
        liver = _ellipse(rng, plan, 0.34, 0.42, 0.17, 0.19, 0.15) & inside
        plan.add("organ", liver)
        for _ in range(4):
            spot = rng.normal(0, 0.06, 2)
            plan.add(
                "vessel",
                _ellipse(rng, plan, 0.34 + spot[0], 0.42 + spot[1], 0.03, 0.007, 0.1, rng.uniform(0, 3)) & liver,
                named=False,
            )
        plan.add("organ", _ellipse(rng, plan, 0.74, 0.56, 0.05, 0.1, 0.12) & inside)
    for side in (-1, 1):
        kidney = _ellipse(rng, plan, 0.5 + side * 0.17, 0.65, 0.055, 0.07, 0.08, side * 0.4) & inside
        plan.add("organ", kidney)
        plan.add(
            "water", _ellipse(rng, plan, 0.5 + side * 0.155, 0.65, 0.02, 0.03, 0.1, side * 0.4) & kidney, named=False
        )
    plan.add("organ", _ellipse(rng, plan, 0.52, 0.52, 0.11, 0.025, 0.2, -0.2) & inside)
    stomach = _ellipse(rng, plan, 0.62, 0.38, 0.1, 0.08, 0.15) & inside
    plan.add("water", stomach)
    plan.add("air", _ellipse(rng, plan, 0.62, 0.33, 0.06, 0.03, 0.05) & stomach, named=False)
    plan.add("vessel", _ellipse(rng, plan, 0.55, 0.62, 0.022, 0.02, 0.08) & inside)
    for _ in range(int(rng.integers(3, 12))):
        x, y = rng.uniform(0.3, 0.75), rng.uniform(0.33, 0.62)
        loop = _ellipse(rng, plan, x, y, 0.045, 0.035, 0.15, rng.uniform(0, 3)) & inside
        plan.add("muscle", loop)
        plan.add(
            str(rng.choice(["air", "water", "organ"])), _ellipse(rng, plan, x, y, 0.03, 0.022, 0.1) & loop, named=False
        )


def _head(rng: np.random.Generator, plan: _Plan) -> Mask:
    scalp = _ellipse(rng, plan, 0.5, 0.5, 0.4, 0.44, 0.02)
    plan.add("fat", scalp, named=False)
    skull = _ellipse(rng, plan, 0.5, 0.5, 0.375, 0.415, 0.015) & scalp
    plan.add("bone", skull, named=False)
    fluid = _ellipse(rng, plan, 0.5, 0.5, 0.345, 0.385, 0.015) & skull
    plan.add("water", fluid, named=False)
    brain = fluid & (soften(fluid.astype(np.float32), 4) + 0.15 * noise(rng, plan.shape, 9) > 0.55)
    plan.add("brain", brain, named=rng.random() < 0.4)
    white = brain & (soften(brain.astype(np.float32), 10) + 0.14 * noise(rng, plan.shape, 10) > 0.8)
    plan.add("organ" if rng.random() < 0.5 else "brain", white, named=rng.random() < 0.3)
    for side in (-1, 1):
        plan.add("water", _ellipse(rng, plan, 0.5 + side * 0.06, 0.47, 0.028, 0.1, 0.15, side * 0.25) & brain)
        plan.add("marrow", _ellipse(rng, plan, 0.5 + side * 0.13, 0.5, 0.035, 0.07, 0.12, side * 0.2) & brain)
        plan.add("muscle", _ellipse(rng, plan, 0.5 + side * 0.08, 0.57, 0.045, 0.04, 0.1) & brain)
    return brain


def _limb(rng: np.random.Generator, plan: _Plan) -> Mask:
    limb = _ellipse(rng, plan, 0.5, 0.5, 0.42, 0.42, 0.04)
    plan.add("fat", limb, named=False)
    flesh = _ellipse(rng, plan, 0.5, 0.5, 0.36, 0.35, 0.05) & limb
    plan.add("muscle", flesh, named=False)
    for _ in range(int(rng.integers(4, 9))):
        spot = rng.normal(0, 0.14, 2)
        belly = _ellipse(rng, plan, 0.5 + spot[0], 0.5 + spot[1], 0.11, 0.08, 0.12, rng.uniform(0, 3)) & flesh
        plan.add("fat", soften(belly.astype(np.float32), rng.uniform(0.8, 2)) > 0.15, named=False)
        plan.add("muscle", belly)
    for _ in range(int(rng.integers(1, 3))):
        spot, size = rng.normal(0, 0.07, 2), rng.uniform(0.05, 0.1)
        bone = _ellipse(rng, plan, 0.5 + spot[0], 0.5 + spot[1], size, size, 0.05)
        plan.add("bone", bone)
        centre = np.array(np.nonzero(bone)).mean(1) if bone.any() else np.zeros(2)
        inner = fill(
            plan.shape,
            blob(
                rng, (centre[1], centre[0]), (size * 0.55 * plan.shape[1], size * 0.55 * plan.shape[0]), roughness=0.05
            ),
        )
        plan.add("marrow", inner & bone, named=False)
    for _ in range(4):
        spot = rng.normal(0, 0.12, 2)
        plan.add("vessel", _ellipse(rng, plan, 0.5 + spot[0], 0.5 + spot[1], 0.014, 0.014) & flesh)
    return flesh


def _lesion(rng: np.random.Generator, plan: _Plan, region: Mask) -> None:
    rows, cols = np.nonzero(region)
    if not rows.size:
        return
    i = int(rng.integers(rows.size))
    size = min(plan.shape) * rng.uniform(0.02, 0.16)
    mask = (
        fill(
            plan.shape,
            blob(
                rng,
                (cols[i], rows[i]),
                (size, size * rng.uniform(0.5, 1)),
                roughness=rng.choice([0.08, 0.2, 0.35]),
                waves=7,
            ),
        )
        & region
    )
    plan.add("lesion", mask)
    if rng.random() < 0.3:
        core = fill(plan.shape, blob(rng, (cols[i], rows[i]), (size * 0.5, size * 0.4), roughness=0.2)) & mask
        plan.add("water", core, named=False)
        plan.parts[-2] = ("lesion", mask, True)
