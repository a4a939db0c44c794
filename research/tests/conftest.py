"""One BLAS thread for the small matrices of these tests: more only wait for each other on a busy machine."""

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
