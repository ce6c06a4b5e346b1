"""Photographs from the storage to arrays of one size: decoded by threads, kept in memory while they fit.

Normalisation and augmentation do not belong here.
"""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from pipelines.errors import BadInput
from pipelines.fpe.image_transforms import Recipe, pixels
from pipelines.fpe.storage import Missing

if TYPE_CHECKING:
    from PIL.Image import Image

Read = Callable[[str], bytes]  # the file of a key; raises Missing if there is none


def decode(content: bytes, size: tuple[int, int] | None = None) -> Image:
    """The photograph in a file, in red, green and blue even if it is grey.

    Args:
        size: width and height that suffice: a large JPEG is decoded at a half, a quarter or an eighth.

    Raises:
        BadInput: the file is empty, cut off, or no image.
    """
    from PIL import Image, UnidentifiedImageError

    if not content:
        raise BadInput("is empty")
    try:
        with Image.open(io.BytesIO(content)) as image:
            if size is not None:
                image.draft(None, size)
            return image.convert("RGB")
    except UnidentifiedImageError:
        raise BadInput("is no image") from None
    except (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError) as error:
        raise BadInput(f"is broken ({error})") from None


@dataclass(frozen=True)
class Checked:
    """What a first look at photographs found.

    Attributes:
        aspect: width over height of most of those that can be read.
        grey: names of those in one colour (infrared by night).
        unreadable: why, by name.
    """

    aspect: float
    grey: tuple[str, ...]
    unreadable: dict[str, str] = field(default_factory=dict)


def check(names: Sequence[str], read: Read, threads: int = 2) -> Checked:
    """Decode every photograph once, small.

    Raises:
        BadInput: none of them can be read, or the storage does not answer.
    """
    with ThreadPoolExecutor(max(threads, 1)) as pool:
        looks = list(pool.map(lambda name: _look(name, read), names))
    found = dict(zip(names, looks, strict=True))
    unreadable = {name: look for name, look in found.items() if isinstance(look, str)}
    aspects = Counter(look[0] for look in looks if not isinstance(look, str))
    if not aspects:
        name, why = min(unreadable.items(), default=("", "there is none"))
        raise BadInput(f"no image can be read, {name!r}: {why}")
    most = max(aspects, key=lambda aspect: (aspects[aspect], aspect))
    grey = tuple(name for name, look in found.items() if not isinstance(look, str) and look[1])
    return Checked(most, grey, unreadable)


def _look(name: str, read: Read) -> tuple[float, bool] | str:
    """Width over height, and whether it is grey; or why it cannot be read."""
    try:
        content = read(name)
    except Missing:  # but not a storage that does not answer, which is no fault of an image
        return "is missing"
    try:
        image = decode(content, (256, 256))
    except BadInput as error:
        return str(error)
    red, green, blue = np.moveaxis(np.asarray(image), 2, 0)
    return image.width / image.height, bool((red == green).all() and (green == blue).all())


class Photos:
    """Arrays of photographs, (3, height, width) uint8, by name.

    Args:
        memory: bytes of arrays to keep; what does not fit is decoded again whenever it is asked for.
        threads: how many decode at once.
    """

    def __init__(self, read: Read, recipe: Recipe, memory: int, threads: int = 2):
        self._read, self._recipe = read, recipe
        self._room = memory // (3 * recipe.height * recipe.width)
        self._kept: dict[str, np.ndarray] = {}
        self._threads = max(threads, 1)

    def batches(self, wanted: Iterable[Sequence[str]]) -> Iterator[np.ndarray]:
        """(n, 3, height, width) for each batch of names; the next one is decoded while one is used."""
        with ThreadPoolExecutor(self._threads) as pool:
            before: list[Future[np.ndarray]] | None = None
            for names in wanted:
                coming = [pool.submit(self._array, name) for name in names]
                if before is not None:
                    yield np.stack([one.result() for one in before])
                before = coming
            if before is not None:
                yield np.stack([one.result() for one in before])

    def _array(self, name: str) -> np.ndarray:
        array = self._kept.get(name)
        if array is None:
            array = pixels(decode(self._read(name)), self._recipe)  # whole, as when it is scored
            if len(self._kept) < self._room:
                self._kept[name] = array
        return array
