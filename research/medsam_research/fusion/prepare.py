"""Samples for the fusion network: ``python -m medsam_research.fusion.prepare --model FOLDER --output FOLDER``.

A sample is a training object in its cube: picture, the views' agreed logits of a finished model, and the truth.  Models
of different age make them more like what the network meets on objects that no model was trained on.
"""

from __future__ import annotations

import argparse
import logging
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from medsam_backends.backend import Backend
from medsam_backends.folder_backend import open_folder
from medsam_backends.intensity import IntensityTransform, fit
from medsam_backends.propagation import Request, Views
from medsam_backends.propagation.cube import Cube
from medsam_backends.propagation.region import LIMIT
from medsam_backends.segmenter import VolumeSegmenter
from numpy.typing import NDArray

from medsam_research.data.shards import open_shards, shard_volume
from medsam_research.data.volume_files import open_volumes
from medsam_research.data.volumes import Labelled, Volume, random_window
from medsam_research.models.planes import BOX_HALF

__all__ = ["GRID", "SCALE", "drawn_box", "main", "sample_of", "write_samples"]

log = logging.getLogger(__name__)
GRID, SCALE = 32, BOX_HALF
_LARGEST_LOOSE = 0.02  # of the picture's longest side, as people draw
_WIDE_SHARE, _LARGEST_WIDE = 0.5, 0.25  # boxes that leave room on every side, and how much, in the object's own size


def main(arguments: list[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m medsam_research.fusion.prepare", description=__doc__)
    parser.add_argument("--model", required=True, action="append", help="model folder; several take turns at random")
    parser.add_argument("--volumes", default="../shared/data/train/volumes")
    parser.add_argument("--synthetic", default="", help="folder of synthetic shards")
    parser.add_argument("--split", choices=("train", "val"), default="train")
    parser.add_argument("--real", type=int, default=8, help="samples of each object of a real volume")
    parser.add_argument("--made", type=int, default=4, help="samples of each synthetic volume")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", required=True, help="folder of packs of samples")
    parsed = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    models = [open_folder(folder, threads=1) for folder in parsed.model]
    rng = np.random.default_rng(parsed.seed)
    plan = _plan(rng, parsed)
    folder = Path(parsed.output)
    folder.mkdir(parents=True, exist_ok=True)
    for first in range(0, len(plan), 64):
        path = folder / f"samples-{parsed.seed:02}-{first // 64:04}.npz"
        if path.exists():
            continue
        rng = np.random.default_rng([parsed.seed, first])  # a run that was stopped goes on with the same samples
        made = [_try(rng, models, *task) for task in plan[first : first + 64]]
        write_samples(path, [one for one in made if one is not None])
        log.info("%d of %d", min(first + 64, len(plan)), len(plan))


def _plan(rng: np.random.Generator, parsed: argparse.Namespace) -> list[tuple[Volume, Labelled]]:
    """Every (volume, object) to make a sample of, shuffled."""
    validation = parsed.split == "val"
    tasks = [
        (volume, found)
        for volume in open_volumes(Path(parsed.volumes), validation=validation)
        for found in volume.objects
        for _ in range(parsed.real)
    ]
    for pack in open_shards(Path(parsed.synthetic) if parsed.synthetic else None, "volumes", parsed.split):
        for index in range(len(pack)):
            volume = shard_volume(pack[index])
            chosen = rng.permutation(len(volume.objects))[: parsed.made]
            tasks += [(volume, volume.objects[int(n)]) for n in chosen]
    return [tasks[n] for n in rng.permutation(len(tasks))]


def _try(
    rng: np.random.Generator, models: Sequence[Backend], volume: Volume, found: Labelled
) -> dict[str, NDArray[np.generic]] | None:
    model = models[int(rng.integers(len(models)))]
    axis = 0 if rng.random() < 0.7 else int(rng.choice(volume.axes()))
    return sample_of(rng, model, volume, found, axis)


def sample_of(
    rng: np.random.Generator, model: Backend, volume: Volume, found: Labelled, axis: int
) -> dict[str, NDArray[np.generic]] | None:
    """Picture, views, truth (G, G, G) uint8 and the cube's scale; None for objects too flat for views across."""
    labels = np.moveaxis(volume.labels, axis, 0)
    places = [found.places[axis], *(found.places[i] for i in range(3) if i != axis)]
    box = drawn_box(rng, [(place.start, place.stop) for place in places], labels.shape)
    if box is None:
        return None
    pixels = np.ascontiguousarray(np.moveaxis(_bytes(rng, volume), axis, 0))
    (first, end), (y0, y1), (x0, x1) = box
    request = Request((float(x0), float(y0), float(x1), float(y1)), first, end - 1)
    slices = VolumeSegmenter(model, pixels, transform=_as_it_is(pixels)).model
    object_ = Views().begin(request, slices)
    list(object_.look(list(range(first, end))))
    cube = Cube.of(request, slices.shape, GRID, SCALE)
    inside = labels == found.value
    views = cube.logits(object_.agreed, object_.maps.region, range(first, end))
    return {
        "picture": np.rint(cube.picture(lambda n: pixels[n])).astype(np.uint8),
        "valid": np.rint(cube.valid() * 255).astype(np.uint8),
        "views": np.rint(views * (127 / LIMIT)).astype(np.int8),
        "truth": np.rint(cube.picture(lambda n: inside[n].astype(np.uint8) * 255)).astype(np.uint8),
        "scale": np.log2(cube.voxels_per_cell).astype(np.float32),
    }


def drawn_box(
    rng: np.random.Generator, tight: Sequence[tuple[int, int]], shape: tuple[int, ...]
) -> list[tuple[int, int]] | None:
    """The `tight` box (start, stop) along each axis, its sides moved out as by hand; None if it has under four slices.

    Drawn with care, its first and last slice are mostly exact; drawn widely, it leaves room there, too.
    """
    wide = rng.random() < _WIDE_SHARE
    careful = _LARGEST_LOOSE * max(shape[1:])
    box = []
    for axis, ((start, stop), length) in enumerate(zip(tight, shape, strict=True)):
        most = _LARGEST_WIDE * (stop - start) if wide else min(careful, 0.35 * (stop - start))
        drawn = wide or rng.random() < (0.3 if axis == 0 else 0.9)
        low, high = rng.uniform(-0.1, 1, 2) * most * drawn
        box.append((max(0, round(start - low)), min(length, round(stop + high))))
    return box if box[0][1] - box[0][0] >= 4 else None


def _bytes(rng: np.random.Generator, volume: Volume) -> NDArray[np.uint8]:
    if volume.values.dtype == np.uint8:
        return np.asarray(volume.values)
    low, high = random_window(rng, volume.values, volume.modality)
    grey = np.clip((volume.values.astype(np.float32) - low) * np.float32(255 / (high - low)), 0, 255)
    if volume.modality != "CT":
        grey[volume.values == 0] = 0
    return grey.astype(np.uint8)


def _as_it_is(pixels: NDArray[np.uint8]) -> IntensityTransform:
    return fit(pixels, "manual", level=127.5, width=255)


def write_samples(path: Path, samples: Sequence[dict[str, NDArray[np.generic]]]) -> None:
    """All samples end to end; temporary file, then renamed. Nothing if there are none."""
    if not samples:
        return
    temporary = path.with_suffix(".part")
    with open(temporary, "wb") as file:
        np.savez(file, **{name: np.stack([one[name] for one in samples]) for name in samples[0]})
    os.replace(temporary, path)


if __name__ == "__main__":
    main()
