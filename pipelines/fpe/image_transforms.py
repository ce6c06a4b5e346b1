"""What happens to a photograph before the network sees it: one size, a crop, and for training, chance.

Files and their decoding do not belong here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from PIL.Image import Image
    from torch import Tensor

ROTATION = 10.0  # degrees, at most, to either side
JITTER = 0.2  # of brightness, contrast and saturation, at most, as a share
LUMA = (0.299, 0.587, 0.114)  # red, green, blue to grey, ITU-R 601, as PIL has it


@dataclass(frozen=True)
class Recipe:
    """Transforms of a model.

    Attributes:
        height, width: pixels of the whole photograph after resizing.
        crop: share of height and width that the network sees.
        decolorize: whether colours are taken away.
        mean, std: of red, green and blue, 0 to 1; 0 and 1 where nothing is normalised.
    """

    height: int
    width: int
    crop: float = 0.8
    decolorize: bool = False
    mean: tuple[float, ...] = (0.0, 0.0, 0.0)
    std: tuple[float, ...] = (1.0, 1.0, 1.0)

    @property
    def cropped(self) -> tuple[int, int]:
        """Height and width that the network sees, in pixels."""
        return max(round(self.height * self.crop), 1), max(round(self.width * self.crop), 1)

    @classmethod
    def from_plain(cls, data: Mapping[str, Any]) -> Recipe:
        """From a dictionary with lists for tuples. Raises KeyError, TypeError, ValueError."""
        found: dict[str, Any] = {field.name: data[field.name] for field in fields(cls)}
        return cls(**{**found, "mean": tuple(found["mean"]), "std": tuple(found["std"])})


def pixels(image: Image, recipe: Recipe) -> np.ndarray:
    """(3, height, width) uint8; the aspect is kept, and what another one has more at its sides is cut off."""
    from PIL import Image as images
    from PIL import ImageOps

    image = image.convert("L") if recipe.decolorize else image
    size = (recipe.width, recipe.height)
    fitted = ImageOps.fit(image.convert("RGB"), size, images.Resampling.BILINEAR)
    return np.ascontiguousarray(np.moveaxis(np.asarray(fitted), 2, 0))


def evaluated(image: Image, recipe: Recipe) -> Tensor:
    """One photograph as a model scores it: (3, height, width) float, the centre, normalised."""
    import torch

    return normalised(centre(torch.from_numpy(pixels(image, recipe))[None], recipe), recipe)[0]


def centre(batch: Tensor, recipe: Recipe) -> Tensor:
    """The middle of (n, 3, height, width) uint8 images as float, 0 to 1."""
    height, width = recipe.cropped
    top, left = (recipe.height - height) // 2, (recipe.width - width) // 2
    return batch[:, :, top : top + height, left : left + width].float() / 255


def normalised(batch: Tensor, recipe: Recipe) -> Tensor:
    """Less the mean, by the standard deviation, of each colour."""
    mean, std = (batch.new_tensor(one).reshape(1, 3, 1, 1) for one in (recipe.mean, recipe.std))
    return (batch - mean) / std


def statistics(batches: Iterable[np.ndarray]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation of each colour, 0 to 1, over all pixels of uint8 (n, 3, height, width)."""
    count, total, squares = 0, np.zeros(3), np.zeros(3)
    for batch in batches:
        values = batch.astype(np.float64) / 255
        count += values[:, 0].size
        total += values.sum((0, 2, 3))
        squares += (values**2).sum((0, 2, 3))
    mean = total / max(count, 1)
    std = np.sqrt(np.maximum(squares / max(count, 1) - mean**2, 0))
    # Images all of one value would be divided by nothing.
    return tuple(mean.tolist()), tuple(np.maximum(std, 1e-3).tolist())


@dataclass(frozen=True)
class Chances:
    """What chance does to each of n images; all (n,).

    Attributes:
        top, left: of the crop, as a share of the room there is, 0 to 1.
        flip: whether left and right change places.
        degrees: of rotation about the middle of the crop.
        brightness, contrast, saturation: factors.
    """

    top: np.ndarray
    left: np.ndarray
    flip: np.ndarray
    degrees: np.ndarray
    brightness: np.ndarray
    contrast: np.ndarray
    saturation: np.ndarray


def drawn(count: int, rng: np.random.Generator) -> Chances:
    """Chances for ``count`` images; drawn on the CPU, so that they are the same for any device."""
    top, left, flip, turn, *factors = rng.random((7, count))
    jitter = [1 + JITTER * (2 * one - 1) for one in factors]
    return Chances(top, left, flip < 0.5, ROTATION * (2 * turn - 1), *jitter)


def augmented(batch: Tensor, recipe: Recipe, chances: Chances) -> Tensor:
    """(n, 3, height, width) uint8 images, cropped, flipped, turned and jittered, as float, 0 to 1.

    Crop, flip and rotation are one interpolation; beyond the photograph it is mirrored.
    """
    from torch.nn.functional import grid_sample

    grid = _grid(recipe, chances, batch)
    seen = grid_sample(batch.float() / 255, grid, "bilinear", "reflection", align_corners=False)
    return _jittered(seen, chances)


def _grid(recipe: Recipe, chances: Chances, like: Tensor) -> Tensor:
    """Where each pixel of the crop comes from, (n, height, width, 2), -1 to 1 over the photograph."""
    import torch

    height, width = recipe.cropped
    top = np.rint(chances.top * (recipe.height - height))
    left = np.rint(chances.left * (recipe.width - width))
    angle, mirror = np.radians(chances.degrees), np.where(chances.flip, -1.0, 1.0)
    # Pixels from the middle of the photograph: a = turn and mirror, b = middle of the crop.
    middle = (left + (width - recipe.width) / 2, top + (height - recipe.height) / 2)
    rows = [
        [np.cos(angle) * mirror, -np.sin(angle), middle[0]],
        [np.sin(angle) * mirror, np.cos(angle), middle[1]],
    ]
    matrix = torch.from_numpy(np.array(rows).transpose(2, 0, 1)).float().to(like.device)
    down = torch.arange(height, device=like.device) + 0.5 - height / 2
    right = torch.arange(width, device=like.device) + 0.5 - width / 2
    y, x = torch.meshgrid(down, right, indexing="ij")
    places = torch.stack([x, y, torch.ones_like(x)], -1)
    scale = torch.tensor([2 / recipe.width, 2 / recipe.height], device=like.device)
    return torch.einsum("hwk,njk->nhwj", places, matrix) * scale


def _jittered(images: Tensor, chances: Chances) -> Tensor:
    def factor(values: np.ndarray) -> Tensor:
        return images.new_tensor(values).reshape(-1, 1, 1, 1)

    luma = images.new_tensor(LUMA).reshape(1, 3, 1, 1)
    images = (images * factor(chances.brightness)).clamp(0, 1)
    mean = (images * luma).sum(1, keepdim=True).mean((2, 3), keepdim=True)
    images = (mean + (images - mean) * factor(chances.contrast)).clamp(0, 1)
    grey = (images * luma).sum(1, keepdim=True)
    return (grey + (images - grey) * factor(chances.saturation)).clamp(0, 1)
