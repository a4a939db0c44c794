"""Training samples: real pictures, real volumes and synthetic shards, as streams of numpy batches.

Needs numpy, scipy, SimpleITK and Pillow; knows nothing of PyTorch.
"""
