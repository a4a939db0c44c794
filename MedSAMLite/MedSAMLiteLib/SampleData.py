"""Registers volumes of Slicer's own sample data under the module's name; downloads nothing itself."""

import os

from slicer.i18n import tr as _

__all__ = ["registerSampleData"]

_BASE = "https://github.com/Slicer/SlicerTestingData/releases/download/SHA256/"
_SAMPLES = (
    # name, file, SHA-256 of the file in Slicer's own testing data
    ("CTChest", "CT-chest.nrrd", "4507b664690840abb6cb9af2d919377ffc4ef75b167cb6fd0f747befdb12e38e"),
    ("MRHead", "MR-head.nrrd", "cc211f0dfd9a05ca3841ce1141b292898b2dd2d3f08286affadf823a7e58df93"),
)


def registerSampleData(iconsPath):
    """Add the tutorial's volumes to the Sample Data module, in a category of ours."""
    import SampleData

    category = "MedSAMLite"
    if hasattr(SampleData.SampleDataLogic, "registerCustomSampleDataCategory"):  # Slicer 5.12 and later
        SampleData.SampleDataLogic.registerCustomSampleDataCategory(category, title=_("MedSAM Lite"))
    for name, file, digest in _SAMPLES:
        SampleData.SampleDataLogic.registerCustomSampleDataSource(
            category=category,
            sampleName=f"MedSAMLite{name}",
            thumbnailFileName=os.path.join(iconsPath, f"MedSAMLite{name}.png"),
            uris=_BASE + digest,
            fileNames=file,
            checksums=f"SHA256:{digest}",
            nodeNames=name,
        )
