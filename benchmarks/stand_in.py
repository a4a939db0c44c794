"""``python -m benchmarks.stand_in SYSTEM FOLDER``: a published system with stand-in weights, imported like a real one.

Speed does not depend on what the weights are; masks made with them mean nothing.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from .processes import ROOT

__all__ = ["main"]


def main() -> None:
    """Write the model folder."""
    sys.path.append(str(ROOT / "backends" / "tests"))
    from handmade_checkpoint import checkpoint, standin_state
    from medsam_backends.checkpoints.catalogue import published_model
    from medsam_backends.checkpoints.importer import import_checkpoint
    from medsam_backends.checkpoints.state_dict import expected_tensors

    system, folder = sys.argv[1], Path(sys.argv[2])
    with tempfile.TemporaryDirectory() as temporary:
        file = checkpoint(
            Path(temporary) / "stand-in.pth", standin_state(expected_tensors(published_model(system).keys))
        )
        import_checkpoint(system, file, folder)


if __name__ == "__main__":
    main()
