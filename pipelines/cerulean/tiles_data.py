"""The tiles of a COCO dataset with their truth, as arrays to learn from.

What is done with them in training, and how datasets are made, does not belong here.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import threading
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from kwdag.errors import did_you_mean
from pipelines.cerulean import dataset_files
from pipelines.cerulean.classes import IDS, NAMES, Remap
from pipelines.cerulean.matching import IGNORED
from pipelines.cerulean.models import CHANNELS
from pipelines.errors import BadInput

LEAST_DEVIATION = 8.0  # a channel that is all but constant in training must not explode elsewhere
Example = tuple[np.ndarray, np.ndarray]  # see `TileSet.read`


@dataclass(frozen=True)
class Record:
    """A tile: its file, its number in the dataset, its size in pixels, and the scene that it is of."""

    path: Path
    id: int
    height: int
    width: int
    scene: str


@dataclass(frozen=True)
class Survey:
    """What tiles hold: pixels of each class of a remap (classes,), mean and deviation of each of `CHANNELS`,
    and a digest of all pixels and truths."""

    counts: np.ndarray
    mean: tuple[float, ...]
    std: tuple[float, ...]
    digest: str


class TileSet:
    """The tiles of a dataset, decoded when they are wanted, and kept while they fit into memory.

    Args:
        path: `instances_<name>.json`, or a dataset folder that holds one of these.
        memory: bytes of decoded tiles to keep.
        workers: threads that decode ahead; the examples and their order are the same for any number.

    Raises:
        BadInput: no such file, it is no COCO document or without images, a category that is no class.
    """

    def __init__(self, path: Path, remap: Remap, memory: int = 2**31, workers: int = 1):
        from pycocotools.coco import COCO

        self.path, self.remap = document_in(path), remap
        document = dataset_files.read(self.path)
        self.records = tuple(_record(self.path, image) for image in document["images"])
        if not self.records:
            raise BadInput("has no images", where=self.path)
        self._ids = {one["id"]: _class_id(one["name"], self.path) for one in document["categories"]}
        self._annotations = dataset_files.by_image(document)
        self._coco = COCO()
        self._coco.dataset = document
        with contextlib.redirect_stdout(io.StringIO()):  # it prints what it does
            self._coco.createIndex()
        self._room, self._workers = memory, workers
        self._kept: dict[int, Example] = {}
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self.records)

    @property
    def tile_length(self) -> int:
        """The longest side of a tile."""
        return max(max(one.height, one.width) for one in self.records)

    @property
    def scenes(self) -> set[str]:
        """Ids of the scenes that the tiles are of."""
        return {one.scene for one in self.records}

    def read(self, index: int) -> Example:
        """A tile and its truth.

        Returns:
            pixels: (3, height, width) uint8, channels as in `CHANNELS`. truth: (height, width) uint8, numbers
            of the remap's classes, later annotations over earlier ones; `IGNORED` in nodata (VV is 0) and
            where a class is that is left out.

        Raises:
            BadInput: the file cannot be read, or is of another size or of other bands than it says.
        """
        with self._lock:
            if index in self._kept:
                return self._kept[index]
        pixels = _read_tile(self.records[index])
        made = pixels, self._truth(self.records[index], pixels[0])
        size = sum(array.nbytes for array in made)
        with self._lock:
            if size <= self._room and index not in self._kept:
                self._kept[index] = made
                self._room -= size
        return made

    def batches(self, chosen: Iterable[Sequence[int]]) -> Iterator[list[Example]]:
        """Batches of tiles by their places, of which the next is decoded while one is in use."""
        with ThreadPoolExecutor(max(self._workers, 1)) as pool:
            ahead: deque[list[Future[Example]]] = deque()
            for batch in chosen:
                ahead.append([pool.submit(self.read, int(index)) for index in batch])
                if len(ahead) > 1:
                    yield [one.result() for one in ahead.popleft()]
            while ahead:
                yield [one.result() for one in ahead.popleft()]

    def survey(self) -> Survey:
        """Look at every tile once; nodata counts for nothing."""
        counts = np.zeros(len(self.remap.names), np.int64)
        values = np.zeros((len(CHANNELS), 256), np.int64)
        digest = hashlib.sha256()
        for batch in self.batches([index] for index in range(len(self))):
            for pixels, truth in batch:
                digest.update(repr(truth.shape).encode() + pixels.tobytes() + truth.tobytes())
                counts += np.bincount(truth[truth != IGNORED], minlength=len(counts))
                known = pixels[0] > 0
                values += np.stack([np.bincount(band[known], minlength=256) for band in pixels])
        number = values.sum(1).clip(1)
        levels = np.arange(256)
        mean = values @ levels / number
        deviation = np.sqrt((values @ levels**2 / number - mean**2).clip(0))
        mean, deviation = mean.tolist(), deviation.clip(LEAST_DEVIATION).tolist()
        return Survey(counts, tuple(mean), tuple(deviation), digest.hexdigest())

    def _truth(self, record: Record, radar: np.ndarray) -> np.ndarray:
        found = np.zeros(radar.shape, np.uint8)
        for annotation in sorted(self._annotations.get(record.id, ()), key=lambda one: one["id"]):
            mask = self._mask(annotation)
            if mask.shape != found.shape:
                size = f"{mask.shape[0]} by {mask.shape[1]}"
                raise BadInput(f"annotation {annotation['id']} is {size} pixels, not its tile's size",
                               where=self.path)  # fmt: skip
            found[mask > 0] = self._ids[annotation["category_id"]]
        numbers = np.array(self.remap.numbers, np.uint8)
        numbers[[IDS[name] for name in sorted(self.remap.dropped)]] = IGNORED
        truth: np.ndarray = numbers[found]
        truth[radar == 0] = IGNORED
        return truth

    def _mask(self, annotation: dict[str, Any]) -> np.ndarray:
        try:
            mask: np.ndarray = self._coco.annToMask(annotation)
        except Exception as error:  # it raises whatever its parsers raise
            said = f"annotation {annotation['id']} has no segmentation that pycocotools reads ({error!r})"
            raise BadInput(said, where=self.path) from None
        return mask


def document_in(path: Path) -> Path:
    """``path``, or the one `instances_*.json` in it.

    Raises:
        BadInput: the folder holds none, or several.
    """
    if not path.is_dir():
        return path
    found = sorted(path.glob("instances_*.json"))
    if len(found) != 1:
        names = ", ".join(one.name for one in found) or "none"
        raise BadInput(f"holds not one instances_*.json but {names}", where=path, hint="name the file")
    return found[0]


def _record(document: Path, image: dict[str, Any]) -> Record:
    try:
        height, width = int(image["height"]), int(image["width"])
        scene = str(image.get("extra", {}).get("big_image_id", image["file_name"]))
    except (KeyError, TypeError, ValueError, AttributeError):
        raise BadInput(f"image {image['id']} has no height and width", where=document) from None
    return Record(document.parent / image["file_name"], image["id"], height, width, scene)


def _class_id(name: str, path: Path) -> int:
    if name not in IDS:
        raise BadInput(f"category {name!r} is no class", where=path, hint=did_you_mean(str(name), NAMES))
    return IDS[name]


def _read_tile(record: Record) -> np.ndarray:
    """(3, height, width) uint8."""
    import rasterio

    try:
        with rasterio.open(record.path) as source:
            pixels: np.ndarray = source.read()
    except rasterio.errors.RasterioError as error:
        reason = "is not there" if not record.path.exists() else f"cannot be read ({error})"
        raise BadInput(reason, where=record.path) from None
    if pixels.dtype != np.uint8 or pixels.shape != (len(CHANNELS), record.height, record.width):
        size = " x ".join(str(one) for one in pixels.shape)
        wanted = f"{len(CHANNELS)} x {record.height} x {record.width} of uint8"
        raise BadInput(f"is {size} of {pixels.dtype}, not {wanted} as its dataset says", where=record.path)
    return pixels
