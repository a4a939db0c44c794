"""Asks for onnxruntime when it is first needed; installs nothing without consent and nothing at import time."""

import importlib
import importlib.metadata
import importlib.util
import sys

import slicer
from slicer.i18n import tr as _

__all__ = ["DependencySetup"]

_PACKAGE = "onnxruntime"
_REQUIREMENT = "onnxruntime>=1.19"
_DOWNLOAD_MB = 20


class DependencySetup:
    """Whether onnxruntime is usable, and how to get it.

    Parameters
    ----------
    requirementsPath : the module's requirements.txt
    """

    def __init__(self, requirementsPath):
        self.requirementsPath = requirementsPath
        self.problem = ""  # why the last installation did not work
        self._isBroken = False  # it is there, but cannot be loaded

    def isReady(self):
        """Whether the package is there, also if it was installed by other means; cheap, imports nothing."""
        return not self._isBroken and importlib.util.find_spec(_PACKAGE) is not None

    def explanation(self):
        """What is missing and what to do, for the panel."""
        if self.problem:
            return self.problem
        return _(
            "MedSAMLite runs its models with ONNX Runtime (package onnxruntime, about {size} MB, MIT licence), "
            "which is not installed in Slicer yet. PyTorch is not needed."
        ).format(size=_DOWNLOAD_MB)

    def offlineInstructions(self):
        """How to install on a computer without internet."""
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        return _(
            "Without internet: on another computer of the same system with Python {version}, run "
            "'pip download {requirement}', copy the files here, and run in Slicer's Python console "
            "slicer.util.pip_install('--no-index --find-links FOLDER {package}')."
        ).format(version=version, requirement=_REQUIREMENT, package=_PACKAGE)

    def install(self):
        """Ask, install and try the package; returns whether it is usable now. Main thread only."""
        self.problem, self._isBroken = "", False
        try:
            if not self._ask():
                self.problem = _("Nothing was installed. Segmentation needs ONNX Runtime; everything else works.")
                return False
            importlib.invalidate_caches()
            if importlib.util.find_spec(_PACKAGE) is None:
                self.problem = _(
                    "ONNX Runtime was not installed: see the Python console for the reason, or install offline."
                )
                return False
            self._isBroken = True
            importlib.import_module(_PACKAGE)
            self._isBroken = False
        except Exception as error:  # pip and dynamic libraries fail in many ways; the panel must live on
            self.problem = _("ONNX Runtime could not be installed or loaded ({reason}). {hint}").format(
                reason=str(error).strip().splitlines()[-1] if str(error).strip() else type(error).__name__,
                hint=self._hint(error),
            )
            return False
        return True

    def _ask(self):
        packaging = getattr(slicer, "packaging", None)
        if packaging is None:
            try:
                packaging = importlib.import_module("slicer.packaging")  # Slicer 5.12 and later
            except ImportError:
                return self._askBefore512()
        try:
            packaging.pip_ensure(packaging.load_requirements(self.requirementsPath), requester="MedSAMLite")
        except RuntimeError as error:
            if "declined" in str(error):
                return False
            raise
        return True

    def _askBefore512(self):
        question = _("Install the Python package onnxruntime (about {size} MB) into Slicer?").format(size=_DOWNLOAD_MB)
        if not slicer.util.confirmOkCancelDisplay(question, windowTitle="MedSAMLite"):
            return False
        slicer.util.pip_install(_REQUIREMENT)
        return True

    def _hint(self, error):
        if "DLL" in str(error):
            return _("On Windows install the Microsoft Visual C++ Redistributable (x64), then restart Slicer.")
        return _("Check the internet connection and proxy, or install offline as described below.")
