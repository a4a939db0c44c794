"""Makes a decoder compute as SAM's authors write it, from the same weights: what a peer's program really runs."""

from __future__ import annotations

from types import MethodType

from torch import Tensor

from .mask_decoder import GRID, Attention, ImageToTokens, MaskDecoder, TokensToImage

__all__ = ["textbook"]


def textbook(decoder: MaskDecoder) -> None:
    """Projections where they stand, enlargement by convolutions."""
    for module in decoder.modules():
        if isinstance(module, (TokensToImage, ImageToTokens)):
            module.forward = MethodType(Attention.forward, module)  # type: ignore[method-assign]
    decoder._mask = MethodType(_mask, decoder)  # type: ignore[method-assign]


def _mask(decoder: MaskDecoder, image: Tensor, kernel: Tensor) -> Tensor:
    up = decoder.output_upscaling(image.transpose(1, 2).unflatten(2, (GRID, GRID)))
    return (kernel[:, None] @ up.flatten(2)).unflatten(2, (4 * GRID, 4 * GRID))
