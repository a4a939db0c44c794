"""The published lightweight MedSAM systems, written anew from facts about them so that their state dicts load strictly.

Attribute names are those of the published state dicts; nothing here is trained.
"""
