"""Training, validation, export and evaluation of the networks in `medsam_research.models`."""
