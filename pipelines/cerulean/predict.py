"""The program `predict`: a trained network over scenes, one raster of probabilities for each.

How windows are scored and blended does not belong here: see predicting.py and windows.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pipelines import devices
from pipelines.cerulean import options
from pipelines.cerulean.tiling import SMALLEST
from pipelines.errors import BadInput
from pipelines.option_types import NONE, given
from pipelines.program import run, staged, write_json

if TYPE_CHECKING:
    from pipelines.cerulean.auxiliary import Auxiliary
    from pipelines.cerulean.models import Config
    from pipelines.cerulean.predicting import Settings
    from pipelines.cerulean.scenes import Scene

AUTO = ("auto", *NONE)
LARGE = 1024  # pixels: a window for networks that learned from whole scenes
RECORD = "predict.json"


@click.command()
@click.option("--model", required=True, help="`model.pt` of `train`, or its folder.")
@options.SCENES
@options.AUX
@click.option("--dst", required=True, help="Folder to write <scene>.tif and predict.json to.")
@click.option(
    "--tile_length",
    default="auto",
    help=f"Side of a window in pixels; 0: {LARGE}.  [default: that of the model's tiles]",
)
@click.option(
    "--overlap", default="0.25", help="Share of a window that the next one covers.  [default: 0.25]"
)
@options.GEOREFERENCE
@click.option(
    "--batch_size", type=click.IntRange(1), default=4, show_default=True, help="Windows at once on a GPU."
)
@options.DEVICE
@click.option("--workers", type=click.IntRange(1), default=1, show_default=True, help="Threads that score.")
def command(model: str, list_path: str, aux: str | None, dst: str, **how: Any) -> None:
    """Predict in every pixel of some scenes how probable each class is.

    Windows overlap, and are blended where they do. <scene>.tif holds a band for each class of the model
    (value / 65535); nodata is 0 in all of them. Memory is bounded by the width of a scene, not its height.

    \b
    Example:
      python -m pipelines.cerulean.predict --model=model/model.pt --list=splits/test.txt \\
        --aux=sea/aux --dst=pred
    """
    import rasterio

    from pipelines.cerulean import models
    from pipelines.cerulean import scenes as scene_lists
    from pipelines.learning import repeatable
    from pipelines.rasters import CACHE

    found = scene_lists.read_list(list_path)
    device = devices.chosen(how["device"])
    network, config = models.load(model, device)
    settings = _settings(config, device, how)
    known = _auxiliary(config, aux)
    target = Path(dst).resolve()
    with staged(target, last=target / RECORD) as folder, rasterio.Env(GDAL_CACHEMAX=CACHE), repeatable():
        _predict(network, config, found, known, folder, settings)
        write_json(folder / RECORD, _record(config, found, target, settings))
    click.echo(f"wrote probabilities of {len(found)} scenes: {dst}")


def _predict(
    network: Any,
    config: Config,
    scenes: Sequence[Scene],
    aux: Auxiliary | None,
    folder: Path,
    settings: Settings,
) -> None:
    from tqdm import tqdm

    from pipelines.cerulean.predicting import predict_scene

    total = sum(len(row) for scene in scenes for row in settings.rows(*scene.size()))
    with tqdm(total=total, unit="window", desc="predict", disable=None) as bar:
        for scene in scenes:
            predict_scene(network, config, scene, aux, folder / f"{scene.id}.tif", settings, bar.update)


def _settings(config: Config, device: str, how: dict[str, Any]) -> Settings:
    from pipelines.cerulean.predicting import Settings

    return Settings(
        window=_window(how["tile_length"], config),
        overlap=_overlap(how["overlap"]),
        batch=how["batch_size"],
        device=device,
        workers=how["workers"],
        georeference=how["georeference"],
    )


def _window(text: str, config: Config) -> int:
    text = text.strip().lower()
    if text in AUTO:
        return min(max(config.tile_length, SMALLEST), LARGE)
    if not text.isdecimal():
        raise BadInput(f"{text!r} is not a number of pixels", where="tile_length", hint="or auto")
    if 0 < int(text) < SMALLEST:
        raise BadInput(f"is {text}, less than {SMALLEST}", where="tile_length", hint=f"0 is {LARGE}")
    return int(text) or LARGE


def _overlap(text: str) -> float:
    text = text.strip().lower()
    try:
        share = 0.25 if text in AUTO else float(text)
    except ValueError:
        share = -1.0
    if not 0 <= share <= 0.9:
        raise BadInput(f"{text!r} is not from 0 to 0.9", where="overlap")
    return share


def _auxiliary(config: Config, path: str | None) -> Auxiliary | None:
    """The auxiliary data, where the network wants any."""
    wanted = [name for name in config.channels if name != "vv"]
    if given(path) is not None:
        return options.auxiliary_data(path) if wanted else None
    if wanted:
        click.echo(f"no --aux: {' and '.join(wanted)} are empty for every scene", err=True)
    return None


def _record(config: Config, scenes: Sequence[Scene], target: Path, settings: Settings) -> dict[str, Any]:
    sizes = {scene.id: scene.size() for scene in scenes}
    return {
        "classes": list(config.classes),
        "numbers": list(config.numbers),
        "dropped": sorted(config.dropped),
        "channels": list(config.channels),
        "tile_length": settings.window,
        "overlap": settings.overlap,
        "scenes": [
            {
                "id": scene.id,
                "folder": scene.line,
                "raster": str(target / f"{scene.id}.tif"),
                "height": sizes[scene.id][0],
                "width": sizes[scene.id][1],
            }
            for scene in scenes
        ],
    }


if __name__ == "__main__":
    run(command)
