"""The command ``medsamlite``: one module a command, and what they share."""

import os

# numpy's products here are small: threads of its own would only take the cores from the model's.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
