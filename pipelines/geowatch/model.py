"""The network: pictures of one place at several times in, one map of scores per picture out.

Files, normalisation and training do not belong here.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

STRIDE = 4  # heights and widths are multiples of it


class TemporalUNet(nn.Module):
    """An encoder shared over time, pooling over the past and the future of each frame, and a decoder.

    Any number of frames and any height and width that `STRIDE` divides. What a frame's scores depend on:
    the frame, the mean of the frames up to it and the mean of the frames from it on, each without the
    pixels that are nodata; so that the order of time counts (a site is prepared before it is built).

    Args:
        bands: of the input, without the mask.
        scores: maps per frame.
        width: channels at full resolution.
    """

    def __init__(self, bands: int, scores: int, width: int):
        super().__init__()
        self.bands, self.scores, self.width = bands, scores, width
        self.level0 = _convolve(bands + 1, width)
        self.level1 = nn.Sequential(_convolve(width, 2 * width, stride=2), _convolve(2 * width, 2 * width))
        self.level2 = nn.Sequential(
            _convolve(2 * width, 4 * width, stride=2), _convolve(4 * width, 4 * width, dilation=2)
        )
        self.up_half = _enlarge(3 * 4 * width, 2 * width)
        self.up_full = _enlarge((1 + 3) * 2 * width, width)
        self.head = nn.Sequential(_convolve(2 * width, width), nn.Conv2d(width, scores, 1))

    def forward(self, images: Tensor) -> Tensor:
        """Scores before sigmoid or softmax.

        Args:
            images: (batch, time, bands, height, width), normalised, NaN where nodata.

        Returns:
            (batch, time, scores, height, width), finite everywhere.
        """
        batch, time = images.shape[:2]
        images = images.flatten(0, 1)
        mask = torch.isfinite(images).all(1, keepdim=True).to(images.dtype)
        full = self.level0(torch.cat([torch.nan_to_num(images, 0.0, 0.0, 0.0), mask], 1))
        half = self.level1(full)
        mask_half = nn.functional.avg_pool2d(mask, 2)
        quarter = self.level2(half)
        mask_quarter = nn.functional.avg_pool2d(mask_half, 2)
        deep = self.up_half(_with_past_and_future(quarter, mask_quarter, batch, time))
        middle = torch.cat([deep, _with_past_and_future(half, mask_half, batch, time)], 1)
        scores: Tensor = self.head(torch.cat([self.up_full(middle), full], 1))
        return scores.unflatten(0, (batch, time))


def _with_past_and_future(features: Tensor, mask: Tensor, batch: int, time: int) -> Tensor:
    """Features of frames beside their masked means over earlier and later frames, the own one included.

    (batch * time, channels, h, w) becomes (batch * time, 3 * channels, h, w).
    """
    weight = (mask + 1e-3).unflatten(0, (batch, time))  # all nodata: the plain mean
    weighted = features.unflatten(0, (batch, time)) * weight
    past = _running_sum(weighted) / _running_sum(weight)
    future = (_running_sum(weighted.flip(1)) / _running_sum(weight.flip(1))).flip(1)
    return torch.cat([features, past.flatten(0, 1), future.flatten(0, 1)], 1)


def _running_sum(values: Tensor) -> Tensor:
    """As cumsum over axis 1, which on a GPU is not deterministic."""
    sums = [values[:, 0]]
    for step in range(1, values.shape[1]):
        sums.append(sums[-1] + values[:, step])
    return torch.stack(sums, 1)


def _convolve(before: int, after: int, stride: int = 1, dilation: int = 1) -> nn.Sequential:
    # Batch statistics are fixed numbers in prediction: the same pixel scores the same in every window.
    convolution = nn.Conv2d(before, after, 3, stride, padding=dilation, dilation=dilation, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(after), nn.ReLU())


def _enlarge(before: int, after: int) -> nn.Sequential:
    """Twice the height and width, by shuffled pixels: interpolation is not deterministic on a GPU."""
    return nn.Sequential(
        nn.Conv2d(before, 4 * after, 1, bias=False), nn.PixelShuffle(2), nn.BatchNorm2d(after), nn.ReLU()
    )
