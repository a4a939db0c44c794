"""SAM's mask decoder, computing only the mask and the predicted IoU that the published systems use (number 0).

Written for one embedding and several boxes: what does not depend on a box is computed once.  Pictures
stay channel-last, so that the enlargement is two matrix products and one small rearrangement at the end.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu, layer_norm

from .layers import LayerNorm2d
from .prompt_encoder import PromptEncoder

__all__ = ["MaskDecoder"]

WIDTH, GRID, HEADS, MASKS = 256, 64, 8, 4


class Attention(nn.Module):
    """Multi-head attention with separate projections, `inner` wide inside."""

    def __init__(self, inner: int) -> None:
        super().__init__()
        self.head = inner // HEADS
        self.q_proj = nn.Linear(WIDTH, inner)
        self.k_proj = nn.Linear(WIDTH, inner)
        self.v_proj = nn.Linear(WIDTH, inner)
        self.out_proj = nn.Linear(inner, WIDTH)

    def forward(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """(N, T, 256) each, to (N, T, 256)."""
        q, k, v = self.split(self.q_proj(q)) * self.head**-0.5, self.split(self.k_proj(k)), self.split(self.v_proj(v))
        return self.out_proj(join((q @ k.transpose(-2, -1)).softmax(-1) @ v))

    def split(self, x: Tensor) -> Tensor:
        """(N, T, inner) to (N, HEADS, T, head)."""
        return x.unflatten(2, (HEADS, self.head)).transpose(1, 2)

    def per_head(self, projection: nn.Linear) -> Tensor:
        """A projection's weight as (HEADS, head, WIDTH)."""
        return projection.weight.view(HEADS, self.head, WIDTH)


def join(x: Tensor) -> Tensor:
    """(N, HEADS, T, head) to (N, T, HEADS * head)."""
    return x.transpose(1, 2).flatten(2)


class TokensToImage(Attention):
    """Tokens look at the picture.

    The picture's 4096 cells are many and the tokens few, so the projections of keys and values are
    moved to the tokens' side: q (W k) = (q W) k, and the sum of weighted values is projected once.
    The keys' bias adds the same to all scores of a token, which softmax ignores.
    """

    def forward(self, tokens: Tensor, coded_image: Tensor, image: Tensor) -> Tensor:
        """(N, T, 256) tokens, (N or 1, 4096, 256) picture with and without code, to (N, T, 256)."""
        q = self.split(self.q_proj(tokens)) * self.head**-0.5
        scores = (q @ self.per_head(self.k_proj)).flatten(1, 2) @ coded_image.transpose(1, 2)
        mixed = (scores.softmax(-1) @ image).unflatten(1, (HEADS, -1))
        values = mixed @ self.per_head(self.v_proj).transpose(1, 2) + self.v_proj.bias.view(HEADS, 1, self.head)
        return self.out_proj(join(values))


class ImageToTokens(Attention):
    """The picture looks at the tokens; projections are moved to the tokens' side as in `TokensToImage`.

    A head's weights sum to one, so its share of the output's bias can ride on its values.
    """

    def forward(self, coded_image: Tensor, coded_tokens: Tensor, tokens: Tensor) -> Tensor:
        """(N or 1, 4096, 256) picture, (N, T, 256) tokens with and without code, to (N, 4096, 256)."""
        k = self.split(self.k_proj(coded_tokens)) * self.head**-0.5
        offset = (k @ self.q_proj.bias.view(HEADS, self.head, 1)).flatten(1).unsqueeze(1)
        scores = coded_image @ (k @ self.per_head(self.q_proj)).flatten(1, 2).transpose(1, 2) + offset
        weights = scores.unflatten(2, (HEADS, -1)).softmax(-1).flatten(2)
        out = self.out_proj.weight.t().reshape(HEADS, self.head, WIDTH)
        return weights @ (self.split(self.v_proj(tokens)) @ out + self.out_proj.bias / HEADS).flatten(1, 2)


class Mlp(nn.Module):
    """The token MLP of a transformer layer."""

    def __init__(self) -> None:
        super().__init__()
        self.lin1 = nn.Linear(WIDTH, 2048)
        self.lin2 = nn.Linear(2048, WIDTH)

    def forward(self, x: Tensor) -> Tensor:
        return self.lin2(self.lin1(x).relu())


class TwoWayLayer(nn.Module):
    """Tokens attend to themselves and to the picture, then the picture to the tokens; post-norm."""

    def __init__(self, eps: float, first: bool) -> None:
        super().__init__()
        self.first = first
        self.self_attn = Attention(WIDTH)
        self.norm1 = nn.LayerNorm(WIDTH, eps)
        self.cross_attn_token_to_image = TokensToImage(WIDTH // 2)
        self.norm2 = nn.LayerNorm(WIDTH, eps)
        self.mlp = Mlp()
        self.norm3 = nn.LayerNorm(WIDTH, eps)
        self.norm4 = nn.LayerNorm(WIDTH, eps)
        self.cross_attn_image_to_token = ImageToTokens(WIDTH // 2)

    def forward(self, tokens: Tensor, image: Tensor, token_code: Tensor, image_code: Tensor) -> tuple[Tensor, Tensor]:
        if self.first:  # no positional part and no residual here, as published
            tokens = self.self_attn(tokens, tokens, tokens)
        else:
            coded = tokens + token_code
            tokens = tokens + self.self_attn(coded, coded, tokens)
        tokens = self.norm1(tokens)
        coded_image = image + image_code
        tokens = self.norm2(tokens + self.cross_attn_token_to_image(tokens + token_code, coded_image, image))
        tokens = self.norm3(tokens + self.mlp(tokens))
        image = self.norm4(image + self.cross_attn_image_to_token(coded_image, tokens + token_code, tokens))
        return tokens, image


class TwoWayTransformer(nn.Module):
    """Two layers and a last look of the tokens at the picture."""

    def __init__(self, eps: float) -> None:
        super().__init__()
        self.layers = nn.ModuleList([TwoWayLayer(eps, first=True), TwoWayLayer(eps, first=False)])
        self.final_attn_token_to_image = TokensToImage(WIDTH // 2)
        self.norm_final_attn = nn.LayerNorm(WIDTH, eps)

    def forward(self, tokens: Tensor, image: Tensor, image_code: Tensor) -> tuple[Tensor, Tensor]:
        token_code = tokens
        for layer in self.layers:
            tokens, image = layer(tokens, image, token_code, image_code)
        look = self.final_attn_token_to_image(tokens + token_code, image + image_code, image)
        return self.norm_final_attn(tokens + look), image


class Head(nn.Module):
    """Three linear layers with ReLU between."""

    def __init__(self, outputs: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(WIDTH, WIDTH), nn.Linear(WIDTH, WIDTH), nn.Linear(WIDTH, outputs)])

    def forward(self, x: Tensor) -> Tensor:
        return self.layers[2](self.layers[1](self.layers[0](x).relu()).relu())


class MaskDecoder(nn.Module):
    """Embedding and box tokens to logits and predicted IoU.

    `eps` is that of the token norms: 1e-5 in LiteMedSAM and Rep-MedSAM, 1e-6 in the EfficientViT systems.
    """

    def __init__(self, eps: float = 1e-5) -> None:
        super().__init__()
        self.transformer = TwoWayTransformer(eps)
        self.iou_token = nn.Embedding(1, WIDTH)
        self.mask_tokens = nn.Embedding(MASKS, WIDTH)
        self.output_upscaling = nn.Sequential(
            nn.ConvTranspose2d(WIDTH, 64, 2, 2), LayerNorm2d(64), nn.GELU(), nn.ConvTranspose2d(64, 32, 2, 2), nn.GELU()
        )
        self.output_hypernetworks_mlps = nn.ModuleList(Head(32) for _ in range(MASKS))
        self.iou_prediction_head = Head(MASKS)

    def forward(self, features: Tensor, boxes: Tensor, prompts: PromptEncoder) -> tuple[Tensor, Tensor]:
        """One picture, N boxes.

        Parameters
        ----------
        features : (1, 256, 64, 64) embedding
        boxes : (N, 4) ``x0 y0 x1 y1`` in network pixels

        Returns
        -------
        logits (N, 1, 256, 256) and predicted IoU (N, 1)
        """
        corners = prompts(boxes)
        own = torch.cat([self.iou_token.weight, self.mask_tokens.weight])
        tokens = torch.cat([own.expand(corners.shape[0], -1, -1), corners], 1)
        image = features.flatten(2).transpose(1, 2) + prompts.no_mask_embed.weight
        tokens, image = self.transformer(tokens, image, prompts.grid_code())
        kernel = self.output_hypernetworks_mlps[0](tokens[:, 1])
        return self._mask(image, kernel), self.iou_prediction_head(tokens[:, 0])[:, :1]

    def _mask(self, image: Tensor, kernel: Tensor) -> Tensor:
        """(N, 4096, 256) picture and (N, 32) kernel to (N, 1, 256, 256)."""
        up1, norm, _, up2, _ = self.output_upscaling
        x = gelu(layer_norm(_enlarge(image, up1), (64,), norm.weight, norm.bias, norm.eps))
        x = gelu(_enlarge(x, up2)).view(-1, 16 * GRID * GRID, 32) @ kernel[:, :, None]
        quads = x.view(-1, GRID, GRID, 2, 2, 2, 2).permute(0, 1, 3, 5, 2, 4, 6)
        return quads.reshape(-1, 1, 4 * GRID, 4 * GRID)


def _enlarge(x: Tensor, up: nn.ConvTranspose2d) -> Tensor:
    """A 2x2 stride-2 transposed convolution of channel-last cells: (..., C) to (cells * 4, D), the four row by row."""
    weight = up.weight.permute(0, 2, 3, 1).flatten(1)
    cells = torch.addmm(up.bias.repeat(4), x.reshape(-1, up.in_channels), weight)
    return cells.view(-1, up.out_channels)
