"""Annotation layers of a scene: of what class each is, and which pixels it marks.

The classes and their colours stand in classes.py; cutting layers into tiles does not belong here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pipelines.cerulean.classes import BACKGROUND, BY_COLOUR, IDS
from pipelines.cerulean.scenes import Scene, Window, open_picture
from pipelines.errors import BadInput

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from rasterio.io import DatasetReader

STRIP = 2**22  # pixels of a picture that are held in colour at once
OPAQUE = 255


@dataclass(frozen=True, eq=False)
class Layer:
    """What a layer marks.

    Attributes:
        number: the id of its class.
        row, col: of the upper left corner of ``mask`` in the scene.
        mask: marked pixels, bool (h, w), cut to the smallest box that holds all of them.
    """

    number: int
    row: int
    col: int
    mask: NDArray[np.bool_]

    def part(self, rows: slice, cols: slice) -> NDArray[np.bool_]:
        """The marked pixels of a window of the scene."""
        found = np.zeros((rows.stop - rows.start, cols.stop - cols.start), bool)
        top, bottom = _overlap(rows, self.row, self.mask.shape[0])
        left, right = _overlap(cols, self.col, self.mask.shape[1])
        if top < bottom and left < right:
            found[top - rows.start : bottom - rows.start, left - cols.start : right - cols.start] = self.mask[
                top - self.row : bottom - self.row, left - self.col : right - self.col
            ]
        return found


def read_layer(path: Path, shape: tuple[int, int]) -> tuple[int, NDArray[np.bool_]]:
    """The id of a layer's class and the pixels (h, w) that it marks.

    Raises:
        BadInput: see `read_cropped`.
    """
    layer = read_cropped(path, shape)
    return layer.number, layer.part(slice(0, shape[0]), slice(0, shape[1]))


def read_cropped(path: Path, shape: tuple[int, int]) -> Layer:
    """A layer, read in strips: pictures with colours of large scenes would not fit into memory.

    A pixel is marked where it is not fully transparent. In a picture that knows no transparency at all (grey
    or palette pictures, mostly), black is what is not marked.

    Args:
        shape: height and width of the scene.

    Raises:
        BadInput: a colour of no class or of two classes, no marked pixel, another size than the scene's.
    """
    with open_picture(path) as dataset:
        if dataset.shape != shape:
            size, wanted = (f"{width} x {height}" for height, width in (dataset.shape, shape))
            raise BadInput(f"is {size} pixels (width x height), its scene {wanted}", where=path)
        colours = _reader(dataset, path)
        height = max(1, STRIP // shape[1])
        mask = np.zeros(shape, bool)
        seen: set[int] = set()
        for top in range(0, shape[0], height):
            codes = colours(slice(top, min(top + height, shape[0])))
            marked = codes & 255 != 0
            mask[top : top + height] = marked
            seen.update(_distinct(codes[marked]))
    if not seen:
        raise BadInput("the layer is empty: it marks no pixel", where=path)
    number = _class(seen, path)
    row, rows = _extent(np.any(mask, axis=1))
    col, cols = _extent(np.any(mask, axis=0))
    box = mask[row : row + rows, col : col + cols]
    return Layer(number, row, col, box if 2 * box.size > mask.size else box.copy())  # never two large ones


def label_map(scene: Scene, window: Window | None = None) -> NDArray[np.uint8]:
    """Ids of classes (h, w) of a scene or of a window of it; of layers that overlap, the last by name counts.

    Raises:
        BadInput: see `read_cropped`.
    """
    shape = scene.size()
    rows, cols = window or (slice(0, shape[0]), slice(0, shape[1]))
    labels = np.full((rows.stop - rows.start, cols.stop - cols.start), IDS[BACKGROUND], np.uint8)
    for path in scene.layers:
        layer = read_cropped(path, shape)
        labels[layer.part(rows, cols)] = layer.number
    return labels


def _reader(dataset: DatasetReader, path: Path) -> Callable[[slice], NDArray[np.uint32]]:
    """What reads rows of a picture as codes (h, w): red, green, blue, alpha, a byte each."""
    from rasterio.windows import Window as Part

    if any(kind != "uint8" for kind in dataset.dtypes) or dataset.count > 4:
        raise BadInput(f"has pixels of {dataset.dtypes[0]}, not of 8 bits", where=path)
    decode = _palette(dataset) if dataset.colorinterp[0].name == "palette" else _direct(dataset)

    def read(rows: slice) -> NDArray[np.uint32]:
        part = Part(0, rows.start, dataset.width, rows.stop - rows.start)
        return decode(dataset.read(window=part))

    return read


def _palette(dataset: DatasetReader) -> Callable[[NDArray[np.uint8]], NDArray[np.uint32]]:
    table = np.zeros(256, np.uint32)
    colours = dataset.colormap(1)
    clear = any(alpha != OPAQUE for *_, alpha in colours.values())
    for index, (red, green, blue, alpha) in colours.items():
        unmarked = not clear and (red, green, blue) == (0, 0, 0)
        table[index] = red << 24 | green << 16 | blue << 8 | (0 if unmarked else alpha)
    return lambda bands: table[bands[0]]


def _direct(dataset: DatasetReader) -> Callable[[NDArray[np.uint8]], NDArray[np.uint32]]:
    """Of a picture whose bands are grey or red, green and blue, and perhaps alpha."""
    bits = int(dataset.tags(1, ns="IMAGE_STRUCTURE").get("NBITS", 8))
    times = OPAQUE // (2**bits - 1)  # white is 1 in a picture of one bit
    alpha = dataset.count in (2, 4)
    clear = np.array([value or 0 for value in dataset.nodatavals])[
        :, None, None
    ]  # this colour is transparent

    def decode(bands: NDArray[np.uint8]) -> NDArray[np.uint32]:
        colour = bands[:-1] if alpha else bands
        red, green, blue = colour if len(colour) == 3 else np.repeat(colour, 3, axis=0)
        opacity = bands[-1] if alpha else np.where((colour != clear).any(axis=0), OPAQUE, 0)
        codes = np.zeros(red.shape, np.uint32)
        for band, scale in ((red, times), (green, times), (blue, times), (opacity, 1)):
            codes = codes << np.uint32(8) | band.astype(np.uint32) * np.uint32(scale)
        return codes

    return decode


def _distinct(codes: NDArray[np.uint32]) -> set[int]:
    """The different codes; the first of them, mostly the only one, needs no sorting."""
    found: set[int] = set()
    while len(codes) and len(found) < 4:
        found.add(int(codes[0]))
        codes = codes[codes != codes[0]]
    return found | set(np.unique(codes).tolist())


def _class(seen: set[int], path: Path) -> int:
    """The one class that all colours of a layer may have.

    Soft edges are stored less exactly the more transparent they are, so that they may fit several classes.
    """
    fitting = set(IDS)
    for code in sorted(seen, key=lambda code: (-(code & 255), code)):  # the opaque ones first
        may = set(_candidates(code))
        if not may:
            red, green, blue = (code >> shift & 255 for shift in (24, 16, 8))
            raise BadInput(f"the colour ({red}, {green}, {blue}) is of no class", where=path)
        if not fitting & may:
            names = " and ".join(sorted(fitting | may, key=IDS.__getitem__))
            raise BadInput(f"has colours of several classes: {names}", where=path)
        fitting &= may
    if len(fitting) > 1:
        raise BadInput("is too transparent to tell its colour", where=path)
    return IDS[fitting.pop()]


def _candidates(code: int) -> Iterator[str]:
    """Classes whose colour is this one, as exactly as 8 bits multiplied by its opacity keep it."""
    alpha = code & 255
    away = 0.0 if alpha == OPAQUE else 0.5 + OPAQUE / (2 * alpha)
    for colour, name in BY_COLOUR.items():
        stored = (code >> 24 & 255, code >> 16 & 255, code >> 8 & 255)
        if all(abs(one - other) <= away for one, other in zip(stored, colour, strict=True)):
            yield name


def _extent(marked: NDArray[Any]) -> tuple[int, int]:
    """Where the marked ones begin, and how many lie between the first and the last."""
    (places,) = np.nonzero(marked)
    return int(places[0]), int(places[-1] - places[0] + 1)


def _overlap(window: slice, start: int, length: int) -> tuple[int, int]:
    return max(window.start, start), min(window.stop, start + length)
