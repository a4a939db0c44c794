"""Published checkpoints as model folders, with numpy alone: no PyTorch, and no code of a checkpoint is ever run."""

from .catalogue import PublishedModel, catalogue, published_model
from .importer import import_checkpoint
from .sources import install

__all__ = ["PublishedModel", "catalogue", "import_checkpoint", "install", "published_model"]
