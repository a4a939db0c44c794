"""Writes NRRD label maps and 3D Slicer's segmentations (``.seg.nrrd``), slice by slice.

The keys are those that Slicer's vtkMRMLSegmentationStorageNode reads.  Overlapping segments go to
different layers, the first axis of the file; a file with one layer is a plain label map to other programs.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from .image_reader import Volume
from .named_mask import NamedMask, label_type, layers
from .sparse_gzip import SparseGzip

__all__ = ["write_label_map", "write_segmentation_nrrd"]

_MOST_ZEROS = 1 << 20
_LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])


def write_segmentation_nrrd(stream: BinaryIO, segments: Sequence[NamedMask], volume: Volume) -> None:
    """Write every segment with its name and colour, overlapping or not."""
    label_type(segments)  # refuses too many before they are compared with each other
    layer_of = layers(segments)
    keys = [*_segmentation_keys(volume), *_segment_keys(segments, layer_of)]
    _write(stream, segments, volume, layer_of, keys)


def write_label_map(stream: BinaryIO, segments: Sequence[NamedMask], volume: Volume) -> None:
    """Write one label map with labels 1, 2, ... in order; where segments overlap the later one wins."""
    _write(stream, segments, volume, [0] * len(segments), [])


def _write(
    stream: BinaryIO, segments: Sequence[NamedMask], volume: Volume, layer_of: Sequence[int], keys: Sequence[str]
) -> None:
    count = max(layer_of, default=0) + 1
    labels = label_type(segments).newbyteorder("<")
    stream.write("\n".join([*_header(volume, labels, count), *keys, "", ""]).encode())
    columns, rows, slices = volume.size_ijk
    row_bytes = columns * count * labels.itemsize
    with SparseGzip(stream) as packed:
        empty = 0  # bytes of zeros not written yet
        for k in range(slices):
            first, stop = _rows(segments, k)
            empty += first * row_bytes
            if stop > first:
                packed.zeros(empty)
                packed.write(_part(segments, layer_of, k, (first, stop), (columns, count), labels).tobytes())
                empty = 0
            empty += (rows - stop) * row_bytes
            if empty >= _MOST_ZEROS:
                packed.zeros(empty)
                empty = 0
        packed.zeros(empty)


def _rows(segments: Sequence[NamedMask], k: int) -> tuple[int, int]:
    """First row of slice `k` that a segment's crop touches and the row after the last; twice 0 if none does."""
    touching = [s for s in segments if s.mask.size and s.origin[0] <= k <= s.last[0]]
    if not touching:
        return 0, 0
    return min(s.origin[1] for s in touching), max(s.last[1] for s in touching) + 1


def _part(
    segments: Sequence[NamedMask],
    layer_of: Sequence[int],
    k: int,
    rows: tuple[int, int],
    across: tuple[int, int],
    labels: np.dtype[np.unsignedinteger],
) -> NDArray[np.unsignedinteger]:
    """Some rows of slice `k`, (J, I, layers)."""
    part = np.zeros((rows[1] - rows[0], *across), labels)
    for number, (segment, layer) in enumerate(zip(segments, layer_of, strict=True), start=1):
        (k0, j0, i0) = segment.origin
        lifted = replace(segment, origin=(k0, j0 - rows[0], i0))
        lifted.paint(part[..., layer], k, number)
    return part


def _header(volume: Volume, labels: np.dtype[np.unsignedinteger], count: int) -> list[str]:
    vectors = [_vector(volume.direction[:, n] * volume.spacing_mm[n]) for n in range(3)]
    sizes, kinds = [*volume.size_ijk], ["domain"] * 3
    if count > 1:
        vectors, sizes, kinds = ["none", *vectors], [count, *sizes], ["list", *kinds]
    return [
        "NRRD0004",
        f"type: {'unsigned char' if labels.itemsize == 1 else 'unsigned short'}",
        f"dimension: {len(sizes)}",
        "space: left-posterior-superior",
        f"sizes: {' '.join(map(str, sizes))}",
        f"space directions: {' '.join(vectors)}",
        f"kinds: {' '.join(kinds)}",
        "endian: little",
        "encoding: gzip",
        f"space origin: {_vector(volume.origin_mm)}",
    ]


def _vector(values: Sequence[float] | NDArray[np.float64]) -> str:
    return f"({','.join(repr(float(value)) for value in values)})"


def _segmentation_keys(volume: Volume) -> Iterator[str]:
    to_ras = np.eye(4)
    to_ras[:3, :3] = volume.direction * volume.spacing_mm
    to_ras[:3, 3] = volume.origin_mm
    to_ras = _LPS_TO_RAS @ to_ras
    extent = [number for size in volume.size_ijk for number in (0, size - 1)]
    geometry = "".join(f"{number!r};" for number in [*to_ras.ravel().tolist(), *extent])
    yield "Segmentation_MasterRepresentation:=Binary labelmap"
    yield "Segmentation_ContainedRepresentationNames:=Binary labelmap|"
    yield "Segmentation_ReferenceImageExtentOffset:=0 0 0"
    # Without it Slicer would take the segments' own extent for the volume's when they are edited.
    yield f"Segmentation_ConversionParameters:=Reference image geometry|{geometry}|Geometry of the segmented volume&"


def _segment_keys(segments: Sequence[NamedMask], layer_of: Sequence[int]) -> Iterator[str]:
    # Slicer cuts a layer to the extent of its first segment, so all segments of a layer give the same.
    extents = [
        _extent([segment for segment, other in zip(segments, layer_of, strict=True) if other == layer])
        for layer in range(max(layer_of, default=-1) + 1)
    ]
    for number, (segment, layer) in enumerate(zip(segments, layer_of, strict=True)):
        for key, value in (
            ("ID", f"Segment_{number + 1}"),
            ("Name", segment.name.replace("\\", "\\\\").replace("\n", "\\n")),
            ("Color", " ".join(f"{channel:.6g}" for channel in segment.color)),
            ("NameAutoGenerated", "0"),
            ("ColorAutoGenerated", "0"),
            ("Extent", extents[layer]),
            ("LabelValue", str(number + 1)),
            ("Layer", str(layer)),
        ):
            yield f"Segment{number}_{key}:={value}"


def _extent(segments: Sequence[NamedMask]) -> str:
    """First and last voxel along i, j and k of all segments together, as Slicer writes it."""
    boxes = [(segment.origin, segment.last) for segment in segments if segment.mask.size]
    if not boxes:
        return "0 -1 0 -1 0 -1"
    first, last = np.min([box[0] for box in boxes], axis=0), np.max([box[1] for box in boxes], axis=0)
    return " ".join(f"{first[n]} {last[n]}" for n in (2, 1, 0))
