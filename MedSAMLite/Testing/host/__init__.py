"""A stand-in for the Slicer application, on slicer-core's real MRML: only what Slicer has and slicer-core lacks.

Every name here is one of Slicer's, with the behaviour of Slicer's own sources as far as the module uses it.
"""
