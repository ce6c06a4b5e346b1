"""What a network sees of a batch of tiles, and how wrong its scores are.

The order of tiles and the steps downhill do not belong here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from pipelines.cerulean.matching import IGNORED
from pipelines.learning import cross_entropy, turned

if TYPE_CHECKING:
    from torch import Tensor

    from pipelines.cerulean.tiles_data import Example

GAIN = 0.1  # of the radar's values: the wind is not the same in every scene


def seen(example: Example, crop: int, augment: bool, rng: np.random.Generator) -> Example:
    """A tile and its truth as they are seen this time.

    Args:
        crop: side of the part that is seen, 0 is all of it; every second time a pixel of a slick is in it.
        augment: one of the eight turned views, and the radar's values by a factor of 0.9 to 1.1.
    """
    pixels, truth = example
    if crop:
        rows, cols = _part(truth, crop, rng)
        pixels, truth = pixels[:, rows, cols], truth[rows, cols]
    if not augment:
        return pixels, truth
    view, gain = int(rng.integers(8)), rng.uniform(1 - GAIN, 1 + GAIN)
    pixels, truth = turned(pixels, view), turned(truth, view)
    radar = np.where(pixels[0] > 0, (pixels[0] * gain).round().clip(1, 255), 0).astype(np.uint8)
    return np.concatenate([radar[None], pixels[1:]]), truth  # not in place: the tile is kept for other epochs


def stacked(batch: Sequence[Example], picked: Sequence[int]) -> tuple[Tensor, Tensor]:
    """Tiles of any sizes as one batch; the smaller ones go on with nodata at the right and lower edge.

    Returns:
        pixels: (n, picked channels, height, width) float32 of 0 to 255. truth: (n, height, width) uint8.
    """
    import torch

    height = max(truth.shape[0] for _, truth in batch)
    width = max(truth.shape[1] for _, truth in batch)
    pixels = np.zeros((len(batch), len(picked), height, width), np.float32)
    truths = np.full((len(batch), height, width), IGNORED, np.uint8)
    for number, (values, truth) in enumerate(batch):
        rows, cols = truth.shape
        pixels[number, :, :rows, :cols] = values[list(picked)]
        truths[number, :rows, :cols] = truth
    return torch.from_numpy(pixels).contiguous(memory_format=torch.channels_last), torch.from_numpy(truths)


def loss(scores: Tensor, truth: Tensor, weights: Tensor) -> Tensor:
    """Cross entropy weighted by class, and the mean of 1 - Dice over the classes of slicks.

    The soft Dice of a class is 2 sum(p t) / (sum(p) + sum(t)) over the whole batch (after Milletari, Navab
    and Ahmadi 2016); a class that is not in the batch's truth does not count.

    Args:
        scores: (n, classes, height, width), before softmax.
        truth: (n, height, width) uint8 numbers of classes, or `IGNORED`.
    """
    import torch

    known = truth != IGNORED
    target = torch.where(known, truth.long(), -1)
    logs = scores.log_softmax(1)
    likely = logs.exp() * known[:, None]
    choice = torch.nn.functional.one_hot(target.clamp(min=0), scores.shape[1]).movedim(-1, 1) * known[:, None]
    sizes = choice.sum((0, 2, 3))
    dice = 2 * (likely * choice).sum((0, 2, 3)) / (likely.sum((0, 2, 3)) + sizes).clamp(min=1e-6)
    there = (sizes[1:] > 0).float()
    apart = ((1 - dice[1:]) * there).sum() / there.sum().clamp(min=1)
    return cross_entropy(logs, target, weights, axis=1) + apart


def _part(truth: np.ndarray, crop: int, rng: np.random.Generator) -> tuple[slice, slice]:
    """Rows and columns of a square of the tile, or of all of it along a shorter side."""
    spare = [max(size - crop, 0) for size in truth.shape]
    slick = np.argwhere((truth > 0) & (truth != IGNORED)) if rng.random() < 0.5 else np.empty((0, 2))
    if len(slick):
        pixel = slick[rng.integers(len(slick))]
        shift = rng.integers(0, crop, 2)
        corner = [int(np.clip(pixel[axis] - shift[axis], 0, spare[axis])) for axis in (0, 1)]
    else:
        corner = [int(rng.integers(one + 1)) for one in spare]
    return slice(corner[0], corner[0] + crop), slice(corner[1], corner[1] + crop)
