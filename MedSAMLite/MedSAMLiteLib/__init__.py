"""Slicer-facing parts of MedSAMLite, one class a file; all numeric work is in the package medsam_backends.

Importing this package makes medsam_backends importable from a source checkout too; nothing heavy is loaded.
"""

import sys
from pathlib import Path

_checkout = Path(__file__).resolve().parents[2] / "backends"
if (_checkout / "medsam_backends").is_dir() and str(_checkout) not in sys.path:
    # Before site-packages: the module must run with the package of its own version.
    sys.path.insert(0, str(_checkout))
