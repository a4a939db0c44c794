"""Draws what a model made of a case: the picture that it saw, the box, and the contours of truth and prediction."""

from __future__ import annotations

import math
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from ...errors import InputError, MedSAMLiteError
from ...intensity import fit
from ..cases import Case, CaseData, find_cases
from ..instances import as_instances
from ..prompts import BOX_RULES, Boxes, BoxRule
from .study import CaseScore, Folder, Study
from .style import WIDTH, Plot, png, quiet

__all__ = ["Gallery", "worst"]

_TRUTH, _FOUND, _BOX = "#56B4E9", "#E69F00", "#FFFFFF"
_COLUMNS = 3  # fewer cases are not drawn larger
_TALLEST = 1.3  # height of a panel by its width
_ROOM = 0.6  # of the boxes' extent, shown around them

Mask = NDArray[np.bool_]
Masks = NDArray[np.bool_]


def worst(study: Study, model: str, count: int) -> list[CaseScore]:
    """The cases with a model's lowest DSC, the lowest first; of equal ones that with the lower NSD."""
    scored = [case for case in study.of(model) if not math.isnan(case.dsc)]
    return sorted(scored, key=lambda case: (case.dsc, case.nsd if not math.isnan(case.nsd) else 0, case.case))[:count]


@dataclass
class Gallery:
    """Pictures of cases, as far as image and saved masks are there.

    Attributes
    ----------
    data : folders with the cases' images
    missing : why cases could not be drawn, by case and model
    """

    study: Study
    data: Sequence[Path]
    missing: dict[tuple[str, str], str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._cases: dict[str, Case] = {case.name: case for folder in self.data for case in find_cases(folder)}

    def draw(self, model: str, cases: Sequence[CaseScore], name: str) -> Plot | None:
        """One row of panels, or None where no case can be drawn."""
        scenes = [scene for case in cases if (scene := self._scene(model, case)) is not None]
        if not scenes:
            return None
        with quiet():
            columns = max(len(scenes), _COLUMNS)
            tallest = min(_TALLEST, max(scene.proportion for scene in scenes))
            figure = Figure(figsize=(WIDTH, tallest * WIDTH / columns + 0.9))
            grid = figure.subplots(1, columns, squeeze=False)
            for axes, scene in zip(grid.flat, scenes, strict=False):
                scene.draw(axes)
            for axes in grid.flat[len(scenes) :]:
                axes.remove()
            handles = [Line2D([], [], color=_TRUTH, lw=2, label="truth"), Line2D([], [], color=_FOUND, lw=2)]
            handles[1].set_label("prediction")
            handles.append(Line2D([], [], color="#777777", lw=1, ls="--", label="box"))
            figure.legend(handles=handles, loc="outside lower center", ncols=3, frameon=False)
            image = png(figure)
        alt = "; ".join(f"{scene.score.case} with DSC {scene.score.dsc:.2f}" for scene in scenes)
        caption = "Cut out round the boxes; of a volume the slice with the most wrong voxels."
        return Plot(name, image, f"Worst cases of {model}", caption, f"Images with contours: {alt}.")

    def _scene(self, model: str, score: CaseScore) -> _Scene | None:
        try:
            case = self._cases.get(score.case)
            if case is None:
                raise InputError("no image in the folders given as --data")
            labels = [row.label for row in self.study.rows if (row.case, row.model) == (score.case, model)]
            masks, folder = self._masks(model, score.case, labels)
            data = as_instances(case.read()) if folder.settings.get("instances") else case.read()
            if masks.shape[1:] != data.truth.shape:
                raise InputError("the saved masks have another size than the image")
            return _Scene(score, case, data, dict(zip(labels, masks, strict=True)), _boxes(folder).of(case, data))
        except MedSAMLiteError as error:
            self.missing[score.case, model] = str(error).rstrip(".")
            return None

    def _masks(self, model: str, case: str, labels: Sequence[int]) -> tuple[Masks, Folder]:
        """The masks saved for a case, (N, ...) in the order of `labels`, and whence."""
        for folder in self.study.folders:
            root = (folder.path / "predictions").resolve()
            path = (root / model / f"{case}.npz").resolve()
            if path.is_relative_to(root) and path.is_file():
                return _saved(path, labels), folder
        raise InputError("its masks were not saved: evaluate with --save-predictions")


def _saved(path: Path, labels: Sequence[int]) -> Masks:
    try:
        with np.load(path) as file:
            if "masks" in file:
                masks: NDArray[Any] = file["masks"]
            else:
                masks = file["mask"][None] if "mask" in file else np.stack([file["segs"] == n for n in labels])
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise InputError(f"its saved masks cannot be read: {error}") from None
    if len(masks) != len(labels):
        raise InputError(f"{len(masks)} masks are saved for {len(labels)} labels")
    return np.asarray(masks, bool)


def _boxes(folder: Folder) -> Boxes:
    """The boxes that an evaluation asked with, from its settings."""
    settings = folder.settings
    asked = settings.get("boxes")
    rule: BoxRule = next((rule for rule in BOX_RULES if rule == asked), "tight")
    table: Mapping[str, Any] = settings.get("table") or {}
    by_case = {case: {int(n): tuple(box) for n, box in boxes.items()} for case, boxes in table.items()}
    return Boxes(rule, by_case, int(settings.get("seed", 0)))


@dataclass(frozen=True, eq=False)
class _Scene:
    """A case's image, truth, masks and boxes by label."""

    score: CaseScore
    case: Case
    data: CaseData
    masks: dict[int, Mask]
    boxes: dict[int, tuple[float, ...]]

    @property
    def proportion(self) -> float:
        """Height of what is shown by its width, as drawn."""
        x0, y0, x1, y1 = self._window()
        return self._stretch * (y1 - y0) / (x1 - x0)

    @property
    def _stretch(self) -> float:
        """How much higher than wide a pixel is."""
        return 1.0 if self.data.is_picture else self.data.spacing[1] / self.data.spacing[2]

    def draw(self, axes: Axes) -> None:
        """Draw the slice with the most wrong voxels."""
        k = 0 if self.data.is_picture else self._most_wrong()
        axes.imshow(self._picture(k), cmap="gray", vmin=0, vmax=255, aspect=self._stretch, origin="upper")
        for label, mask in self.masks.items():
            _contour(axes, self._plane(self.data.truth == label, k), _TRUTH)
            _contour(axes, self._plane(mask, k), _FOUND)
            x0, y0, x1, y1 = self._edges(label)
            axes.add_patch(Rectangle((x0 - 0.5, y0 - 0.5), x1 - x0, y1 - y0, fill=False, ec=_BOX, lw=0.9, ls="--"))
        x0, y0, x1, y1 = self._window()
        axes.set_xlim(x0 - 0.5, x1 - 0.5)
        axes.set_ylim(y1 - 0.5, y0 - 0.5)
        where = "" if self.data.is_picture else f", slice {k}"
        name = self.score.case if len(self.score.case) <= 40 else f"{self.score.case[:39]}…"
        axes.set_title(f"{name}{where}\nDSC {self.score.dsc:.3f}, NSD {self.score.nsd:.3f}", fontsize=8.5)
        axes.set_xticks([])
        axes.set_yticks([])
        axes.grid(False)

    def _most_wrong(self) -> int:
        wrong = sum(
            np.count_nonzero((self.data.truth == label) ^ mask, axis=(1, 2)) for label, mask in self.masks.items()
        )
        return int(np.argmax(wrong))

    def _plane(self, mask: Mask, k: int) -> Mask:
        return mask if self.data.is_picture else np.asarray(mask[k])

    def _picture(self, k: int) -> NDArray[np.uint8]:
        image = self.data.image
        transform = fit(image[None] if self.data.is_picture else image, self.case.preset(image))
        return np.clip(transform.apply(image if self.data.is_picture else image[k]), 0, 255).astype(np.uint8)

    def _edges(self, label: int) -> tuple[float, float, float, float]:
        """The box in the plane, as edges between pixels."""
        box = self.boxes[label]
        if self.data.is_picture:
            return box[0], box[1], box[2], box[3]
        return box[0], box[1], box[3] + 1, box[4] + 1

    def _window(self) -> tuple[float, float, float, float]:
        """What is shown of the plane: the boxes and some room round them."""
        height, width = self.data.truth.shape[-2:]
        boxes = np.array([self._edges(label) for label in self.masks])
        (x0, y0), (x1, y1) = boxes[:, :2].min(axis=0), boxes[:, 2:].max(axis=0)
        room = _ROOM * max(x1 - x0, y1 - y0)
        return max(0, x0 - room), max(0, y0 - room), min(width, x1 + room), min(height, y1 + room)


def _contour(axes: Axes, mask: Mask, colour: str) -> None:
    """The mask's outline, also where it touches the border."""
    if mask.any():
        places = [np.arange(-1, length + 1) for length in mask.shape]
        axes.contour(places[1], places[0], np.pad(mask, 1).astype(np.float32), [0.5], colors=colour, linewidths=1.3)
