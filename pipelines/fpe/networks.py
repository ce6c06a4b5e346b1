"""The network that gives a photograph a score: a convolutional body, an average, and three layers.

Losses, images and files of weights do not belong here.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from pipelines.errors import BadInput

BODIES = ("small", "resnet18", "resnet50")


class Ranker(nn.Module):
    """(n, 3, height, width) normalised images to (n,) scores; more water, a higher score.

    Args:
        body: one of `BODIES`.

    Raises:
        BadInput: there is no such body.
    """

    def __init__(self, body: str = "small"):
        super().__init__()
        self.body: SmallBody | ResNetBody
        if body == "small":
            self.body = SmallBody()
        elif body in BODIES:
            self.body = ResNetBody(_Basic if body == "resnet18" else _Bottleneck, _DEPTHS[body])
        else:
            raise BadInput(f"no body {body!r}", where="body", hint=f"there are {', '.join(BODIES)}")
        self.head = nn.Sequential(
            nn.Linear(self.body.channels, 256), nn.ReLU(), nn.Linear(256, 64), nn.ReLU(), nn.Linear(64, 1)
        )

    def forward(self, images: Tensor) -> Tensor:
        # Not squeeze(): it would take the dimension of a batch of one, too.
        return self.head(self.body(images).mean((2, 3))).squeeze(1)

    def freeze(self, frozen: bool) -> None:
        """Whether the body stays as it is while the layers behind it learn; its statistics stay, too."""
        self.body.requires_grad_(not frozen)
        self.body.train(not frozen and self.training)


class SmallBody(nn.Module):
    """Four convolutions that halve the resolution, 16 to 64 channels; learns from scratch in minutes.

    Groups are normalised and not batches, so that an image's score is its own.
    """

    channels = 64

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        before = 3
        for after in (16, 32, 48, self.channels):
            layers += [nn.Conv2d(before, after, 3, 2, 1), nn.GroupNorm(8, after), nn.ReLU()]
            before = after
        self.layers = nn.Sequential(*layers)

    def forward(self, images: Tensor) -> Tensor:
        return self.layers(images)


class ResNetBody(nn.Module):
    """ResNet (He et al. 2016) without its last two layers; tensors have the names of torchvision's."""

    def __init__(self, block: type[_Basic] | type[_Bottleneck], depths: tuple[int, int, int, int]):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        self.layer1 = _stage(block, 64, 64, depths[0], 1)
        self.layer2 = _stage(block, 64 * block.widening, 128, depths[1], 2)
        self.layer3 = _stage(block, 128 * block.widening, 256, depths[2], 2)
        self.layer4 = _stage(block, 256 * block.widening, 512, depths[3], 2)
        self.channels = 512 * block.widening
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, images: Tensor) -> Tensor:
        deep = self.maxpool(torch.relu(self.bn1(self.conv1(images))))
        return self.layer4(self.layer3(self.layer2(self.layer1(deep))))


class _Basic(nn.Module):
    """Two convolutions of 3 by 3 beside a shortcut: ResNet-18."""

    widening = 1

    def __init__(self, before: int, width: int, stride: int):
        super().__init__()
        self.conv1 = nn.Conv2d(before, width, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.downsample = _shortcut(before, width, stride)

    def forward(self, images: Tensor) -> Tensor:
        deep = torch.relu(self.bn1(self.conv1(images)))
        return torch.relu(self.bn2(self.conv2(deep)) + self.downsample(images))


class _Bottleneck(nn.Module):
    """Convolutions of 1, 3 and 1 beside a shortcut: ResNet-50."""

    widening = 4

    def __init__(self, before: int, width: int, stride: int):
        super().__init__()
        after = width * self.widening
        self.conv1 = nn.Conv2d(before, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, after, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(after)
        self.downsample = _shortcut(before, after, stride)

    def forward(self, images: Tensor) -> Tensor:
        deep = torch.relu(self.bn1(self.conv1(images)))
        deep = torch.relu(self.bn2(self.conv2(deep)))
        return torch.relu(self.bn3(self.conv3(deep)) + self.downsample(images))


_DEPTHS = {"resnet18": (2, 2, 2, 2), "resnet50": (3, 4, 6, 3)}


def _stage(
    block: type[_Basic] | type[_Bottleneck], before: int, width: int, depth: int, stride: int
) -> nn.Sequential:
    first = block(before, width, stride)
    return nn.Sequential(first, *(block(width * block.widening, width, 1) for _ in range(depth - 1)))


def _shortcut(before: int, after: int, stride: int) -> nn.Module:
    if stride == 1 and before == after:
        return nn.Identity()
    return nn.Sequential(nn.Conv2d(before, after, 1, stride, bias=False), nn.BatchNorm2d(after))
