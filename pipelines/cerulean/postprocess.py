"""The program `postprocess`: polygons of the instances in predicted probabilities, per tile.

What is done with a tile does not belong here: see postprocessing.py. Joining tiles is `merge`'s.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pipelines.cerulean import options
from pipelines.cerulean.tiling import check_length
from pipelines.program import run, staged, write_json
from pipelines.rasters import CACHE

if TYPE_CHECKING:
    from pipelines.cerulean.postprocessing import Settings
    from pipelines.cerulean.predicted import Predicted


class Offsets(click.ParamType):
    """Parts of a tile, in [0, 1), by commas."""

    name = "numbers"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if isinstance(value, tuple):
            return value
        numbers = tuple(_number(part) for part in str(value).strip("[]() ").split(","))
        if not all(0 <= number < 1 for number in numbers):
            self.fail(f"{value!r} is no list of numbers from 0 to below 1", param, ctx)
        if len(set(numbers)) < len(numbers):
            self.fail(f"{value!r} has a number twice", param, ctx)
        return numbers


@click.command()
@click.option("--pred", required=True, help="Folder that `predict` wrote.")
@click.option("--dst", required=True, help="Folder to write <scene>.geojson and postprocess.json to.")
@options.threshold(
    "conf_threshold", 0.2, "Least probability of a pixel of an instance; none: its class is likeliest."
)
@options.threshold("bbox_score_thresh", 0.2, "Drop instances whose mean probability is not above this.")
@options.threshold("pixel_score_thresh", 0.2, "Drop instances whose surest pixel is not above this.")
@options.threshold("pixel_nms_thresh", 0.4, "Drop the less sure of two whose soft Dice is above this.")
@options.threshold("poly_score_thresh", 0.2, "Draw polygons around pixels above this.")
@click.option(
    "--tile_length", type=int, default=512, show_default=True, help="Pixels; 0: the whole scene at once."
)
@click.option(
    "--offsets",
    type=Offsets(),
    default="0,0.33,0.66",
    show_default=True,
    help="Tile sets: parts of a tile by which each begins before the scene.",
)
@options.GEOREFERENCE
@options.workers()
def command(pred: str, dst: str, georeference: str, workers: int, **how: Any) -> None:
    """Turn predicted probabilities into polygons, one for each instance in each tile.

    A tile's instances are the connected pixels of a class. They pass the thresholds in the order
    below, each of which may be `none`. `merge` makes polygons of the scene from those of its tiles.

    \b
    Example:
      python -m pipelines.cerulean.postprocess --pred=pred --dst=polygons \\
        --bbox_score_thresh=0.3 --pixel_nms_thresh=none --tile_length=512
    """
    from pipelines.cerulean import predicted
    from pipelines.cerulean.postprocessing import Settings
    from pipelines.processes import each

    check_length(how["tile_length"])
    settings = Settings(**how)
    record, scenes = predicted.read(Path(pred), georeference)
    target = Path(dst)
    with staged(target, last=target / "postprocess.json") as folder:
        work = partial(_write, tuple(record["classes"]), settings, folder)
        counts = each(work, scenes, workers, "postprocess", "scene")
        done = _record(record, scenes, counts, settings, target.resolve())
        write_json(folder / "postprocess.json", {**done, "georeference": georeference})
    click.echo(f"wrote {done['counts']['polygons']} polygons of {len(scenes)} scenes: {dst}")


def _record(
    record: dict[str, Any],
    scenes: list[Predicted],
    counts: list[dict[str, int]],
    settings: Settings,
    folder: Path,
) -> dict[str, Any]:
    """What postprocess.json says, in which ``record`` is that of `predict`."""
    from pipelines.cerulean.postprocessing import STEPS
    from pipelines.cerulean.records import carried

    return {
        **carried(record),
        "scenes": [
            {**scene.record, "polygons": str(folder / f"{scene.id}.geojson"), "counts": one}
            for scene, one in zip(scenes, counts, strict=True)
        ],
        "counts": {step: sum(one[step] for one in counts) for step in STEPS},
        "thresholds": {name: value for name, value in asdict(settings).items() if "thresh" in name},
        "tile_length": settings.tile_length,
        "offsets": list(settings.offsets),
    }


def _write(names: tuple[str, ...], settings: Settings, folder: Path, scene: Predicted) -> dict[str, int]:
    """Write the polygons of a scene into ``folder``; the counts of it."""
    import rasterio
    from tqdm import tqdm

    from pipelines.cerulean.postprocessing import STEPS, features
    from pipelines.cerulean.records import write_features

    counts: Counter[str] = Counter()
    total = sum(1 for _ in settings.tiles(*scene.size))
    with (
        rasterio.Env(GDAL_CACHEMAX=CACHE),
        scene.opened() as read,
        tqdm(total=total, unit="tile", desc=scene.id[17:32], leave=False, disable=None) as bar,
    ):
        found = features(read, scene.size, names, scene.georeference, settings, counts, bar.update)
        write_features(folder / f"{scene.id}.geojson", _head(scene), found)
    return {step: counts[step] for step in STEPS}


def _head(scene: Predicted) -> dict[str, Any]:
    height, width = scene.size
    return {
        "scene": scene.id,
        "height": height,
        "width": width,
        "georeference": scene.georeference.model,
    }


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


if __name__ == "__main__":
    run(command)
