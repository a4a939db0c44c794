"""Takes a label map apart: every connected component becomes a label of its own, as lesions are counted."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from .cases import CaseData
from .packages import needed

__all__ = ["as_instances"]


def as_instances(data: CaseData) -> CaseData:
    """The case with the components of its labels numbered from 1, label by label; the file's boxes no longer fit.

    Voxels that touch by a face, an edge or a corner belong together.

    Raises
    ------
    MedSAMLiteError
        If SciPy is not installed.
    """
    ndimage = needed("scipy.ndimage")
    touching = np.ones((3,) * data.truth.ndim, bool)
    instances = np.zeros(data.truth.shape, np.int32)
    count = 0
    for label in data.labels:
        parts, found = ndimage.label(data.truth == label, touching)
        instances[parts > 0] = parts[parts > 0] + count
        count += found
    return replace(data, truth=instances, boxes=None)
