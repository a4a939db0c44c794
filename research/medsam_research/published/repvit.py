"""RepViT-M1.0 as Rep-MedSAM uses it: 256 x 256 pictures, strides changed so that the embedding is 64 x 64."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d

from .layers import ConvNorm, neck

__all__ = ["DepthwiseTriple", "RepViT"]


class DepthwiseTriple(nn.Module):
    """A 3x3 and a 1x1 depthwise convolution and the picture itself, summed and normalised.

    All three are linear, so that they can be merged to one convolution once training is over.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv = ConvNorm(width, width, 3, groups=width)
        self.conv1 = nn.Conv2d(width, width, 1, groups=width)
        self.bn = nn.BatchNorm2d(width, eps=1e-5)

    def forward(self, x: Tensor) -> Tensor:
        return self.bn(self.conv(x) + self.conv1(x) + x)


class SqueezeExcite(nn.Module):
    """Each channel is weighted by what the whole picture says."""

    def __init__(self, width: int) -> None:
        super().__init__()
        reduced = (width // 4 + 4) // 8 * 8
        self.fc1 = nn.Conv2d(width, reduced, 1)
        self.fc2 = nn.Conv2d(reduced, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        return x * self.fc2(self.fc1(adaptive_avg_pool2d(x, 1)).relu()).sigmoid()


class ChannelMixer(nn.Module):
    """Widen and narrow each pixel's channels, with a shortcut."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.m = two_layers(width, 2 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.m(x)


class Block(nn.Module):
    """Mixes pixels, then channels."""

    def __init__(self, token_mixer: nn.Module, channel_mixer: nn.Module) -> None:
        super().__init__()
        self.token_mixer = token_mixer
        self.channel_mixer = channel_mixer

    def forward(self, x: Tensor) -> Tensor:
        return self.channel_mixer(self.token_mixer(x))


def two_layers(inputs: int, hidden: int, outputs: int) -> nn.Sequential:
    """Two 1x1 convolutions, GELU between."""
    return nn.Sequential(ConvNorm(inputs, hidden), nn.GELU(), ConvNorm(hidden, outputs))


def level(width: int, squeezed: bool = False) -> Block:
    """A block that keeps resolution and width."""
    squeeze = SqueezeExcite(width) if squeezed else nn.Identity()
    return Block(nn.Sequential(DepthwiseTriple(width), squeeze), ChannelMixer(width))


def levels(width: int, count: int, squeezed: int) -> list[Block]:
    """`count` blocks; every second one squeezes, from the first on, `squeezed` in all."""
    return [level(width, index % 2 == 0 and index < 2 * squeezed) for index in range(count)]


def halved(inputs: int, outputs: int) -> Block:
    """A block that halves the resolution."""
    mixer = nn.Sequential(ConvNorm(inputs, inputs, 3, 2, groups=inputs), nn.Identity(), ConvNorm(inputs, outputs))
    return Block(mixer, ChannelMixer(outputs))


def widened(inputs: int, outputs: int) -> Block:
    """A block that widens at the same resolution; its channel mixer has no shortcut."""
    return Block(nn.Sequential(DepthwiseTriple(inputs), nn.Identity()), two_layers(inputs, outputs, outputs))


class RepViT(nn.Module):
    """(1, 3, 256, 256) float32 to an embedding (1, 256, 64, 64)."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Sequential(ConvNorm(3, 28, 3), nn.GELU(), ConvNorm(28, 56, 3)),
            *levels(56, 3, squeezed=1),
            halved(56, 112),
            *levels(112, 3, squeezed=1),
            halved(112, 224),
            *levels(224, 15, squeezed=7),
            widened(224, 448),
            *levels(448, 2, squeezed=1),
        )
        self.neck = neck(448)

    def forward(self, image: Tensor) -> Tensor:
        return self.neck(self.features(image))
