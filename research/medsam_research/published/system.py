"""A published system as a whole: encoder, prompt encoder and mask decoder, with its two halves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor, nn

from .efficientvit import EfficientViT
from .mask_decoder import MaskDecoder
from .prompt_encoder import PromptEncoder
from .repvit import RepViT
from .tinyvit import TinyViT

__all__ = ["SYSTEMS", "Design", "PublishedSystem", "build"]


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


@dataclass(frozen=True)
class Design:
    """What a published system is built of.

    Attributes
    ----------
    input_size : side of the encoder's square input, and of the frame that boxes are given in
    token_eps : of the decoder's token norms
    keys : name of the list of its state dict's tensors; systems of one architecture share it
    """

    encoder: Callable[[], nn.Module]
    input_size: int
    token_eps: float
    keys: str


def _efficientvit(variant: str, input_size: int) -> Design:
    # The factory of EfficientViT-SAM sets 1e-6 for all norms of the model, those of the decoder included.
    keys = f"efficientvit-sam-{variant}"
    return Design(lambda: EfficientViT(variant, input_size), input_size, token_eps=1e-6, keys=keys)


SYSTEMS = {
    "litemedsam": Design(TinyViT, 256, token_eps=1e-5, keys="litemedsam"),
    "medficientsam-l0": _efficientvit("l0", 512),
    "medficientsam-l1": _efficientvit("l1", 512),
    "medficientsam-l2": _efficientvit("l2", 512),
    "daft": _efficientvit("l0", 256),
    "rep-medsam": Design(RepViT, 256, token_eps=1e-5, keys="rep-medsam"),
}


def build(name: str) -> PublishedSystem:
    """The system called `name`, without weights, in evaluation mode."""
    design = SYSTEMS[name]
    return PublishedSystem(design.encoder(), design.input_size, design.token_eps).eval()
