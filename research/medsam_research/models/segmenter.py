"""Encoder and decoder as one network for training, and how a network is made from a name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import Tensor, nn

from .decoder import WIDTHS, Decoder
from .encoder import FEATURE_CHANNELS, TRUNKS, Encoder
from .plain_decoder import PlainDecoder

__all__ = ["DECODERS", "DECODER_INPUTS", "ENCODERS", "Segmenter"]

ENCODERS = (*TRUNKS, "none")
DECODERS = ("window", "deep", "plain")
DECODER_INPUTS = ("features", "window", "valid", "rect", "scale", "position", "prior", "has_prior", "points")


class Segmenter(nn.Module):
    """Pictures (B, ...) with K boxes each to masks of their N = B * K windows.

    Parameters
    ----------
    encoder : "efficientvit", "repvit", or "none" for a decoder that sees the window alone
    widths : see `Decoder`
    decoder : "window", "deep" for the same with more blocks, or "plain" for one that sees the encoder's map alone (for
        comparison, never exported)
    """

    def __init__(self, encoder: str, widths: Sequence[int] = WIDTHS, decoder: str = "window") -> None:
        super().__init__()
        self.encoder = Encoder(encoder) if encoder != "none" else None
        channels = FEATURE_CHANNELS if self.encoder is not None else 0
        if decoder == "plain":
            self.decoder: nn.Module = PlainDecoder(channels)
        else:
            self.decoder = Decoder(channels, widths, deep=decoder == "deep")

    def forward(self, batch: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
        """Logits (N, 1, G, G) and expected IoU (N, 1) of a batch of float32 tensors."""
        features = None
        if self.encoder is not None:
            features = self.encoder(batch["image"])
            features = features.contiguous().repeat_interleave(len(batch["window"]) // len(features), 0)
        return self.decoder(features, *(batch[name] for name in DECODER_INPUTS[1:]))
