"""A model whose answers are known functions of the voxel, for rules that look along several axes."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from medsam_backends.boxes import Axis, VoxelBox
from medsam_backends.propagation import Fusion
from medsam_backends.propagation.kept import Kept
from medsam_backends.slices import SliceStack
from medsam_backends.types import Prediction, Prompt

SHAPE = (14, 17, 20)  # voxels along k, j and i
BOX = VoxelBox(3, 2, 1, 17, 14, 12)
Field = Callable[[Axis], np.ndarray]


class FieldModel:
    """Answers with the values of a field, (K, J, I), that may depend on the axis looked along; a click adds 5.

    What rules want to keep is not kept.
    """

    prompts = frozenset({"box", "points", "position"})
    box_side = 1
    fusion: Fusion | None = None

    def __init__(self, field: Field, axis: Axis = "k", asked: list[tuple[Axis, int]] | None = None) -> None:
        self.field, self.axis = field, axis
        self.asked = [] if asked is None else asked
        self.kept = Kept(0)
        self._stack = SliceStack(field(axis), axis)

    @property
    def shape(self) -> tuple[int, int, int]:
        return self._stack.shape

    def view(self, axis: Axis) -> FieldModel:
        return FieldModel(self.field, axis, self.asked)

    def expect(self, index: int, prompt: Prompt) -> None:
        assert 0 <= index < self.shape[0] and prompt.position is not None

    def plane(self, index: int) -> np.ndarray:
        return np.clip(np.asarray(self._stack.slice(index)), 0, 255).astype(np.uint8)

    def predict(self, index: int, prompts: Sequence[Prompt]) -> list[Prediction]:
        self.asked.extend((self.axis, index) for _ in prompts)
        rows, columns = self.shape[1:]
        plane = np.asarray(self._stack.slice(index), np.float32)
        answers = [plane + 5 * len(prompt.points) for prompt in prompts]
        return [Prediction(a > 0, 0.5, a, (0.0, 0.0, float(columns), float(rows))) for a in answers]
