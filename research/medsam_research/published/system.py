"""A published system as a whole: encoder, prompt encoder and mask decoder, with its two halves."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn

from .mask_decoder import MaskDecoder
from .prompt_encoder import PromptEncoder
from .tinyvit import TinyViT

__all__ = ["SYSTEMS", "PublishedSystem", "build"]


class PublishedSystem(nn.Module):
    """Module whose state dict has the names of the published checkpoints."""

    def __init__(self, encoder: nn.Module, input_size: int, token_eps: float) -> None:
        super().__init__()
        self.image_encoder = encoder
        self.prompt_encoder = PromptEncoder(input_size)
        self.mask_decoder = MaskDecoder(token_eps)

    def encode(self, image: Tensor) -> Tensor:
        """(1, 3, S, S) float32, normalised and padded, to features (1, 256, 64, 64)."""
        return self.image_encoder(image)

    def decode(self, features: Tensor, boxes: Tensor) -> tuple[Tensor, Tensor]:
        """Features and (N, 4) boxes in network pixels to logits (N, 1, 256, 256) and predicted IoU (N, 1)."""
        return self.mask_decoder(features, boxes, self.prompt_encoder)


SYSTEMS: dict[str, Callable[[], PublishedSystem]] = {
    "litemedsam": lambda: PublishedSystem(TinyViT(), 256, token_eps=1e-5),
}


def build(name: str) -> PublishedSystem:
    """The system called `name`, without weights, in evaluation mode."""
    return SYSTEMS[name]().eval()
