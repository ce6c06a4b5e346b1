"""Networks of our own: small ones, for windows of any size; a user's own stand in modules of theirs.

Files, normalisation and training do not belong here.
"""

from __future__ import annotations

from torch import Tensor, nn

DILATIONS = (1, 2, 4, 8)


class SegmentationNet(nn.Module):
    """A class for every pixel, from the 31 x 31 pixels round it; no steps, so that any size and place fits.

    What a pixel scores depends on nothing farther than ``radius`` pixels away: windows that overlap by more
    than twice that agree on the pixels between.

    Args:
        channels: of the input: bands, times steps.
        classes: scores per pixel.
        width: channels inside.
    """

    radius = sum(DILATIONS)
    stride = 1

    def __init__(self, channels: int, classes: int, width: int = 24):
        super().__init__()
        self.first = _convolve(channels, width, DILATIONS[0])
        self.blocks = nn.ModuleList(_convolve(width, width, dilation) for dilation in DILATIONS[1:])
        self.head = nn.Conv2d(width, classes, 1)

    def forward(self, images: Tensor) -> Tensor:
        """Scores before softmax: (n, channels, height, width) becomes (n, classes, height, width)."""
        features = self.first(images)
        for block in self.blocks:
            features = features + block(features)
        scores: Tensor = self.head(features)
        return scores


class ClassificationNet(nn.Module):
    """One class for a window, of one pixel or many: features of 5 x 5 pixels, their mean, a linear layer.

    Args:
        channels: of the input: bands, times steps.
        classes: scores per window.
        width: channels inside.
    """

    radius = 2
    stride = 1

    def __init__(self, channels: int, classes: int, width: int = 32):
        super().__init__()
        self.features = nn.Sequential(_convolve(channels, width, 1), _convolve(width, width, 1))
        self.head = nn.Linear(width, classes)

    def forward(self, images: Tensor) -> Tensor:
        """Scores before softmax: (n, channels, height, width) becomes (n, classes)."""
        scores: Tensor = self.head(self.features(images).mean((2, 3)))
        return scores


def _convolve(before: int, after: int, dilation: int) -> nn.Sequential:
    # Batch statistics are fixed numbers in prediction: the same pixel scores the same in every window.
    convolution = nn.Conv2d(before, after, 3, padding=dilation, dilation=dilation, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(after), nn.ReLU())
