"""Errors of the package: each message is one sentence that tells the user what to do."""

__all__ = ["Cancelled", "FormatError", "InputError", "MedSAMLiteError", "ModelError", "OutputError", "PromptError"]


class MedSAMLiteError(Exception):
    """Base of every error that a user's input, model or machine can cause."""


class InputError(MedSAMLiteError):
    """The image cannot be used: missing, unreadable, of a wrong kind or without finite values."""


class PromptError(MedSAMLiteError):
    """A box, point, slice or option asked for does not fit the image or the model."""


class ModelError(MedSAMLiteError):
    """A model folder, checkpoint or graph is missing, damaged, refused or of a wrong shape."""


class OutputError(MedSAMLiteError):
    """A result could not be written."""


class FormatError(OutputError):
    """The format cannot hold the result, however often it is tried."""


class Cancelled(MedSAMLiteError):
    """The user cancelled; nothing was written."""
