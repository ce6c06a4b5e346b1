"""`predict` against the bare model on windows already in memory: `python -m benchmarks.geowatch_predict`.
The promise is 80 percent of the bare model's pixels per second, on the same threads or the same GPU."""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from pipelines import devices
from pipelines.geowatch import package
from pipelines.geowatch.grids import Grid
from pipelines.geowatch.predictor import Predictor, Settings, one_thread, read_window
from pipelines.geowatch.series import Asset, Frame, Series

PROMISE = 0.8
BANDS = ("blue", "green", "red", "nir")


def main() -> int:
    """Time both in turn, print the medians; exit code 1 when the promise is broken."""
    args = _parser().parse_args()
    one_thread()
    recipe = package.Recipe(
        "saliency", BANDS, {"*": dict.fromkeys(BANDS, (1500.0, 700.0))}, 10.0, args.frames, "contiguous",
        args.window, args.width,
    )  # fmt: skip
    settings = Settings(
        (args.window, args.window), args.overlap, args.frames, "contiguous", workers=args.workers,
        device=devices.chosen(args.device), batch=args.batch,
    )  # fmt: skip
    predictor = Predictor(recipe, recipe.network().eval().to(settings.device), settings)
    with tempfile.TemporaryDirectory() as folder:
        series = _series(Path(folder), args.size, args.frames)
        bare = _bare(predictor, series)
        paths = {frame.image_id: Path(folder) / f"map{frame.image_id}.tif" for frame in series.frames}
        whole = [0.0] * args.repeats
        alone = [0.0] * args.repeats
        for turn in range(args.repeats):
            alone[turn] = _seconds(bare)
            whole[turn] = _seconds(lambda: predictor.heatmaps(series, series.grid, paths, series.grid))
    share = statistics.median(alone) / statistics.median(whole)
    print(f"{args.frames} frames of {args.size} x {args.size}, {settings}")
    print(
        f"bare model {statistics.median(alone):.2f} s, predict {statistics.median(whole):.2f} s: {share:.0%}"
    )
    return 0 if share >= PROMISE else 1


def _bare(predictor: Predictor, series: Series) -> Callable[[], None]:
    """The network on as many windows and threads, one window prepared in memory and no output kept."""
    import torch

    settings = predictor.settings
    corners = predictor.windows(series, series.grid)
    place = series.grid.crop(0, 0, settings.window[1], settings.window[0])
    # As many at once as predict scores at once: one on a CPU.
    count = settings.batch if settings.device != "cpu" else 1
    pixels = np.stack([read_window(predictor.recipe, series.frames, place)] * count)
    images = torch.from_numpy(pixels).to(settings.device)

    def one(_: int) -> None:
        with torch.inference_mode():
            predictor.network(images).sum().item()

    def every() -> None:
        with ThreadPoolExecutor(max(1, settings.workers), initializer=one_thread) as pool:
            list(pool.map(one, range(-(-corners // count))))

    return every


def _series(folder: Path, size: int, frames: int) -> Series:
    """Frames of noise on one grid, tiled and compressed as the generator's."""
    import rasterio

    grid = Grid("EPSG:32652", (10.0, 0.0, 300000.0, 0.0, -10.0, 4000000.0), size, size)
    rng = np.random.default_rng(0)
    found = []
    for number in range(frames):
        path = folder / f"{number}.tif"
        with rasterio.open(
            path, "w", driver="GTiff", dtype="int16", count=4, width=size, height=size, crs=grid.crs,
            transform=grid.affine, nodata=-9999, tiled=True, compress="deflate",
        ) as image:  # fmt: skip
            image.write(rng.integers(300, 3000, (4, size, size)).astype(np.int16))
        found.append(Frame(number, str(number), "S2", float(number), (Asset(path, BANDS),)))
    return Series(1, "XX_R001", grid, tuple(found))


def _seconds(action: Callable[[], object]) -> float:
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    for name, value in {
        "size": 1536, "frames": 5, "window": 256, "width": 12, "workers": 2, "batch": 1, "repeats": 3,
    }.items():  # fmt: skip
        parser.add_argument(f"--{name}", type=int, default=value)
    parser.add_argument("--overlap", type=float, default=0.3)
    parser.add_argument("--device", default="auto")
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
