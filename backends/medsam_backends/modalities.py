"""Kinds of images by the names that models use for them, whatever a DICOM file or a person calls them."""

from __future__ import annotations

from .errors import PromptError

__all__ = ["canonical_modality", "check_modality"]

# Model's name: what else it is called.  Codes: DICOM PS3.3, C.7.3.1.1.1 (Modality, 0008,0060).
_NAMES = {
    "CT": ("CT",),
    "MR": ("MR", "MRI"),
    "PET": ("PT", "PET"),
    "US": ("US", "IVUS", "BDUS", "Ultrasound"),
    "XRay": ("XRay", "CR", "DX", "RG", "RF", "XA", "PX", "IO", "CXR", "Radiography"),
    "Mammography": ("Mammography", "MG", "Mammo"),
    "Endoscopy": ("Endoscopy", "ES"),
    "Fundus": ("Fundus", "OP"),
    "OCT": ("OCT", "OPT", "IVOCT"),
    "Microscopy": ("Microscopy", "SM", "GM", "Microscope"),
    "Dermoscopy": ("Dermoscopy", "DMS", "Dermoscope"),
}


def _plain(name: str) -> str:
    return "".join(letter for letter in name.lower() if letter.isalnum())


_BY_PLAIN = {_plain(other): name for name, others in _NAMES.items() for other in others}


def canonical_modality(name: str) -> str:
    """The models' name for a modality, e.g. ``"PET"`` for ``"PT"`` and ``"XRay"`` for ``"x-ray"``; else as given."""
    return _BY_PLAIN.get(_plain(name), name)


def check_modality(name: str) -> None:
    """Raise `PromptError` unless a modality that somebody typed is one that models know."""
    if canonical_modality(name) not in _NAMES:
        raise PromptError(f"No model knows a modality '{name}': give one of {', '.join(_NAMES)}, or leave it out.")
