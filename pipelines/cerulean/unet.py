"""The network: tiles of radar and auxiliary channels in, a map of scores per class out.

Files, training and probabilities do not belong here.
"""

# Without the annotations of __future__, which TorchScript does not understand.

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class UNet(nn.Module):
    """An encoder that halves its maps ``depth`` times, and a decoder that sees each size of them again
    (Ronneberger, Fischer and Brox 2015, "U-Net").

    Statistics of batches are fixed numbers in prediction, so that a pixel far from a tile's rim scores the
    same in every tile. Channels double with every halving, at most eight times ``width``.

    Args:
        classes: maps of scores.
        width: channels at full size.
        mean, std: of each channel, in its values 0 to 255.
        vv: which channel is the radar's, where 0 is nodata; -1 if none is.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self, classes: int, width: int, depth: int, mean: Sequence[float], std: Sequence[float], vv: int
    ):
        super().__init__()
        self.vv = vv
        self.stride = 2**depth
        self.register_buffer("mean", torch.tensor(mean, dtype=torch.float32).view(1, -1, 1, 1))
        self.register_buffer("std", torch.tensor(std, dtype=torch.float32).view(1, -1, 1, 1))
        widths = [width * min(2**level, 8) for level in range(depth + 1)]
        self.first = _convolve(len(mean), width)
        self.down = nn.ModuleList(
            nn.Sequential(_convolve(before, after, stride=2), _convolve(after, after))
            for before, after in zip(widths, widths[1:], strict=False)
        )
        steps = list(zip(widths[:0:-1], widths[-2::-1], strict=True))
        self.up = nn.ModuleList(_enlarge(before, after) for before, after in steps)
        self.join = nn.ModuleList(_convolve(2 * after, after) for _, after in steps)
        self.head = nn.Conv2d(width, classes, 1)

    def forward(self, images: Tensor) -> Tensor:
        """Scores before softmax.

        Args:
            images: (n, channels, height, width) float32 of 0 to 255, any height and width.

        Returns:
            (n, classes, height, width), finite everywhere.
        """
        height, width = images.shape[-2], images.shape[-1]
        maps = (images - self.mean) / self.std
        if self.vv >= 0:  # nodata is not the darkest water
            maps = maps * (images[:, self.vv : self.vv + 1] > 0)
        maps = nn.functional.pad(maps, [0, -width % self.stride, 0, -height % self.stride])
        maps = self.first(maps)
        seen = [maps]
        for halve in self.down:
            maps = halve(maps)
            seen.append(maps)
        for number, (double, join) in enumerate(zip(self.up, self.join)):  # noqa: B905  TorchScript has no strict
            maps = join(torch.cat([double(maps), seen[-2 - number]], 1))
        scores: Tensor = self.head(maps)
        return scores[:, :, :height, :width]


def _convolve(before: int, after: int, stride: int = 1) -> nn.Sequential:
    convolution = nn.Conv2d(before, after, 3, stride, padding=1, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(after), nn.ReLU())


def _enlarge(before: int, after: int) -> nn.Sequential:
    """Twice the height and width; its squares do not overlap, so its sums have one order on a GPU, too."""
    return nn.Sequential(
        nn.ConvTranspose2d(before, after, 2, 2, bias=False), nn.BatchNorm2d(after), nn.ReLU()
    )
