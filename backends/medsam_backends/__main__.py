"""``python -m medsam_backends`` is the command ``medsamlite``."""

import sys

from .cli.main import main

sys.exit(main())
