"""A network over a whole scene: probabilities of each class in a GeoTIFF, in bounded memory.

Options and records of the program belong in predict.py, where windows lie in windows.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.cerulean.instances import FULL
from pipelines.cerulean.windows import BLOCK, Blend, corners

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from pipelines.cerulean.auxiliary import Auxiliary
    from pipelines.cerulean.models import Config
    from pipelines.cerulean.scenes import Scene
    from pipelines.cerulean.unet import UNet

FAR, EMPTY = 255, 0  # distance and density where nothing is known of them
AHEAD = 2  # batches in the making for each worker


@dataclass(frozen=True)
class Settings:
    """How a scene is cut and scored.

    Attributes:
        window: side of a window in pixels.
        overlap: share of a window that its neighbour covers, too.
        batch: windows scored at once; on a CPU always one, as sums of a batch round differently.
        device: as torch names it.
        workers: threads that score; the result is the same whatever their number.
        georeference: model of the scene's georeference, for auxiliary channels.
    """

    window: int = 512
    overlap: float = 0.25
    batch: int = 1
    device: str = "cpu"
    workers: int = 1
    georeference: str = "polynomial"

    def rows(self, height: int, width: int) -> list[list[tuple[int, int]]]:
        """Corners of the windows over a scene; see `windows.corners`."""
        return corners(height, width, self.window, self.overlap)


def predict_scene(
    network: UNet,
    config: Config,
    scene: Scene,
    aux: Auxiliary | None,
    path: Path,
    settings: Settings,
    tick: Callable[[int], object] = lambda count: None,
) -> None:
    """Write the probabilities of the classes (value / 65535, a band each; all 0 in nodata) of a scene.

    The GeoTIFF keeps the scene's ground control points.

    Args:
        tick: called with the number of windows just scored.

    Raises:
        BadInput: pictures or auxiliary data that cannot be read.
    """
    from pipelines.cerulean.scenes import opened

    with ExitStack() as stack:
        vv = stack.enter_context(opened(scene))
        height, width = vv.shape
        image = stack.enter_context(_created(path, vv.dataset, config.classes))
        blend = Blend(len(config.classes), height, width, settings.window, settings.overlap)
        strip = _strips(vv, config, scene, aux, settings)
        score = stack.enter_context(_scorer(network, config, settings))
        for places in settings.rows(height, width):
            row = places[0][0]
            _write(image, blend.finished(row))
            tiles = strip(row)
            for col, maps in score(tiles, [col for _, col in places], tick):
                blend.add(row, col, maps)
        _write(image, blend.finished(height))


def _strips(
    vv: Any, config: Config, scene: Scene, aux: Auxiliary | None, settings: Settings
) -> Callable[[int], NDArray[np.uint8]]:
    """What reads the channels (3, rows, width) of the row of windows from a row on, for rows in order."""
    import numpy as np

    from pipelines.cerulean.auxiliary import Warp

    height, width = vv.shape
    wanted = set(config.channels) - {"vv"}
    warp = Warp.of(aux, scene, settings.georeference) if aux is not None and wanted else None

    def read(row: int) -> NDArray[np.uint8]:
        rows, cols = slice(row, min(row + settings.window, height)), slice(0, width)
        channels = np.empty((3, rows.stop - rows.start, width), np.uint8)
        channels[0] = vv.read(rows, cols)
        if warp is None:
            channels[1], channels[2] = FAR, EMPTY
        else:
            channels[1:] = warp.window(rows, cols)
        return channels

    return read


@contextmanager
def _scorer(network: UNet, config: Config, settings: Settings) -> Iterator[Callable[..., Any]]:
    """What scores the windows of a strip, ahead of whoever takes the results, in their order."""
    import torch

    from pipelines.cerulean.models import probabilities

    batch = 1 if settings.device == "cpu" else settings.batch
    network = network.to(settings.device)

    def one(tiles: NDArray[np.uint8]) -> NDArray[np.float32]:
        found: NDArray[np.float32] = probabilities(network, config, tiles, settings.device)
        return found

    def work(group: tuple[NDArray[np.uint8], Sequence[int]]) -> Sequence[NDArray[np.float32] | None]:
        strip, cols = group
        tiles = _windows(strip, cols, settings.window)
        known = [
            number for number, tile in enumerate(tiles) if tile[0].any()
        ]  # a sea of nodata costs nothing
        maps: list[NDArray[np.float32] | None] = [None] * len(tiles)
        if known:
            for number, scored in zip(known, one(tiles[known]), strict=True):
                maps[number] = scored
        return maps

    with ThreadPoolExecutor(settings.workers, initializer=torch.set_num_threads, initargs=(1,)) as pool:

        def score(
            strip: NDArray[np.uint8], cols: Sequence[int], tick: Callable[[int], object]
        ) -> Iterator[tuple[int, NDArray[np.float32] | None]]:
            groups = [cols[first : first + batch] for first in range(0, len(cols), batch)]
            few = AHEAD * settings.workers  # results of a whole strip at once would fill the memory
            for first in range(0, len(groups), few):
                some = groups[first : first + few]
                for group, found in zip(some, pool.map(work, [(strip, one) for one in some]), strict=True):
                    yield from zip(group, found, strict=True)
                    tick(len(group))

        yield score


def _windows(strip: NDArray[np.uint8], cols: Sequence[int], window: int) -> NDArray[np.uint8]:
    """(n, 3, window, window), zeros beyond the scene as in tiles of the dataset."""
    import numpy as np

    tiles = np.zeros((len(cols), len(strip), window, window), np.uint8)
    for tile, col in zip(tiles, cols, strict=True):
        part = strip[:, :, col : col + window]
        tile[:, : part.shape[1], : part.shape[2]] = part
    return tiles


@contextmanager
def _created(path: Path, source: Any, bands: Sequence[str]) -> Iterator[Any]:
    """An open GeoTIFF of the size and with the ground control points of ``source``."""
    import rasterio

    points, crs = source.gcps
    place = {"gcps": points, "crs": crs} if points else {}
    with rasterio.open(
        path, "w", driver="GTiff", dtype="uint16", count=len(bands), width=source.width, height=source.height,
        tiled=True, blockxsize=BLOCK, blockysize=BLOCK, compress="deflate", predictor=2, zlevel=4,
        interleave="band", bigtiff="if_safer", photometric="minisblack", **place,
    ) as image:  # fmt: skip
        for number, name in enumerate(bands, 1):
            image.set_band_description(number, name)
        yield image


def _write(image: Any, strips: Iterator[tuple[int, NDArray[np.float32]]]) -> None:
    import numpy as np
    from rasterio.windows import Window

    for top, maps in strips:
        values = np.rint(maps * FULL).clip(0, FULL).astype(np.uint16)
        image.write(values, window=Window(0, top, image.width, maps.shape[1]))
