"""Who validates: patients, not pictures, stand on one side of the split, in archives and volumes alike.

The volumes carry no patient in their names; the table below was found by correlating their slices
with those of the archives.
"""

from __future__ import annotations

import hashlib
import re

__all__ = ["HELD_OUT_VOLUMES", "is_validation", "patient_of"]

_VALIDATION_SHARE = 0.08
_RUN_OF_NEIGHBOURS, _RUNS_A_TURN, _HELD_OUT_RUN = 5, 12, 2
_PATIENT = re.compile(r"^(?P<patient>msdlung-\w+-g\d+|sc-[a-z]+(?:-[a-z]+)?-\d+|[a-z]+\d+)")

_PATIENT_OF_VOLUME = {
    **{f"CT_sts_{i:04}": f"sts{n:03}" for i, n in enumerate((2, 3, 4), 1)},
    **{f"MR_sts-t1_{i:04}": f"sts{n:03}" for i, n in enumerate((5, 10, 12, 22), 1)},
    **{f"PET_sts_{i:04}": f"sts{n:03}" for i, n in enumerate((2, 3, 4, 5, 7, 9, 10, 11, 12, 13, 14, 15), 1)},
    **{f"MR_sunnybrook_{i:04}": f"sunnybrook/sc-hf-i-{n:02}" for i, n in enumerate((1, 4, 6, 7, 8, 9), 1)},
    **{
        f"MR_hippocampus-msd_{i:04}": f"hippocampus-msd/hip{n:03}"
        for i, n in {1: 1, 2: 3, 5: 11, 6: 14, 7: 15, 9: 19, 10: 20, 12: 24, 13: 25, 14: 26, 18: 36}.items()
    },
    "CT_totalseg-dicom_0001": "totalseg-dicom/dicom",
}
HELD_OUT_VOLUMES = frozenset(
    {
        "CT_sts_0003",
        "PET_sts_0003",
        "MR_sts-t1_0002",
        "PET_sts_0007",
        "MR_sunnybrook_0006",
        "MR_hippocampus-msd_0015",
        "MR_hippocampus-msd_0017",
        "MR_hippocampus-msd_0018",
    }
)
_DECIDED = dict.fromkeys(_PATIENT_OF_VOLUME.values(), False) | {
    _PATIENT_OF_VOLUME[name]: True for name in HELD_OUT_VOLUMES if name in _PATIENT_OF_VOLUME
}


def patient_of(dataset: str, name: str) -> str:
    """The patient (or the run of neighbouring numbers) that picture `name` of `dataset` belongs to.

    Numbered pictures of these sets come in the order of their source, so that neighbours may be
    slices of one patient: five in a row are kept together.
    """
    if name.isdigit():
        return f"{dataset}/{int(name) // _RUN_OF_NEIGHBOURS}"
    found = _PATIENT.match(name)
    patient = found["patient"] if found else name.split("_")[0]
    # One patient of these sets is scanned several times, and the sarcoma sets share their patients.
    patient = re.sub(r"^(p\d+|unf\d+).*", r"\1", patient)
    return patient if patient.startswith("sts") else f"{dataset}/{patient}"


def is_validation(patient: str) -> bool:
    """Whether `patient` is held out: where its volume is, else by a hash, so that new data moves nobody.

    Of numbered pictures every twelfth run is held out, so that small sets validate too.
    """
    if patient in _DECIDED:
        return _DECIDED[patient]
    number = patient.rsplit("/", 1)[-1]
    if number.isdigit():
        return int(number) % _RUNS_A_TURN == _HELD_OUT_RUN
    digest = hashlib.sha256(patient.encode()).digest()
    return int.from_bytes(digest[:4], "big") / 2**32 < _VALIDATION_SHARE
