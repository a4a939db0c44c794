"""Measures speed and memory of MedSAMLite beside the published systems: ``make bench``.

Every figure comes from one run on one machine; nothing here is used by the product.
"""
