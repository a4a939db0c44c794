"""Procedural pictures and volumes with the physics of the modalities, for training without patients."""
