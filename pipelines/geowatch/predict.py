"""The program `predict`: a model package over a kwcoco dataset, one heatmap per image.

How windows are scored and blended does not belong here: see predictor.py and stitching.py.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pipelines import devices
from pipelines.errors import BadInput
from pipelines.geowatch import grids
from pipelines.program import run, staged
from pipelines.rasters import CACHE

if TYPE_CHECKING:
    from pipelines.geowatch.grids import Grid
    from pipelines.geowatch.model import TemporalUNet
    from pipelines.geowatch.package import Recipe
    from pipelines.geowatch.predictor import Predictor, Settings
    from pipelines.geowatch.series import Series

AUTO = ("auto", "none", "null", "")


@click.command()
@click.option("--package_fpath", required=True, help="Model package, as `fit` writes it.")
@click.option("--test_dataset", required=True, help="kwcoco dataset to predict on.")
@click.option("--pred_pxl_fpath", required=True, help="kwcoco file to write; heatmaps go beside it.")
@click.option("--with_saliency", type=bool, default=True, show_default=True, help="Write `salient` maps.")
@click.option("--with_class", type=bool, default=False, show_default=True, help="Write a map per phase.")
@click.option(
    "--chip_dims",
    default="auto",
    help="Height,width of a window in pixels of window space.  [default: the model's]",
)
@click.option("--chip_overlap", type=click.FloatRange(0, 0.9), default=0.3, show_default=True)
@click.option("--time_steps", default="auto", help="Frames per window.  [default: the model's]")
@click.option("--time_sampling", default="auto", help="contiguous or uniform.  [default: the model's]")
@click.option("--window_space_scale", default="auto", help="GSD of chip_dims.  [default: the input's]")
@click.option("--input_space_scale", default="auto", help="GSD that the model sees.  [default: the model's]")
@click.option("--output_space_scale", default="auto", help="GSD of the heatmaps.  [default: the input's]")
@click.option("--tta_fliprot", type=click.IntRange(0, 7), default=0, help="Flips and turns to average.")
@click.option("--tta_time", type=click.IntRange(0), default=0, help="Further time samplings to average.")
@click.option("--drop_unused_frames", type=bool, default=False, help="Leave out images without any data.")
@click.option(
    "--num_workers", type=click.IntRange(0), default=2, show_default=True, help="Threads that read and score."
)
@click.option(
    "--devices",
    default="auto",
    help="cpu, or the number of a GPU (of several the first); auto: a GPU if any.  [default: auto]",
)
@click.option("--batch_size", type=click.IntRange(1), default=1, show_default=True, help="Windows at once.")
def command(
    package_fpath: str,
    test_dataset: str,
    pred_pxl_fpath: str,
    with_saliency: bool,
    with_class: bool,
    **how: Any,
) -> None:
    """Predict heatmaps of saliency or of phases for every image of a kwcoco dataset.

    A GSD is written as 10GSD; `native` is that of the finest image, `video` that of the dataset. Images that
    lack a band of the model stay in the dataset without a heatmap, and a warning counts them.

    \b
    Example:
      python -m pipelines.geowatch.predict --package_fpath=model.pt \\
        --test_dataset=data.kwcoco.json --pred_pxl_fpath=pred/pred.kwcoco.zip \\
        --chip_dims=256,256 --input_space_scale=10GSD
    """
    import rasterio
    import torch

    from pipelines.geowatch import coco_files, package
    from pipelines.geowatch.predictor import one_thread
    from pipelines.geowatch.series import read_series, with_bands

    # Unlike use_deterministic_algorithms, it does not import the compiler, which takes seconds.
    torch.set_deterministic_debug_mode("error")
    one_thread()
    recipe, network = package.load(package_fpath)
    _check_head(recipe, package_fpath, with_saliency, with_class)
    dataset = coco_files.read_dataset(test_dataset)
    every = with_bands(read_series(dataset), recipe.channels, test_dataset)
    plans = [_plan(series, recipe, network, how) for series in every]
    for plan in plans:
        plan.check()
    _check_names(plans, test_dataset)
    network.to(devices.chosen(how["devices"]))
    target = Path(pred_pxl_fpath)
    with staged(target.parent, last=target) as folder, rasterio.Env(GDAL_CACHEMAX=CACHE):
        used = _write_heatmaps(plans, folder)
        _add_heatmaps(dataset, plans, recipe)
        if how["drop_unused_frames"]:
            dataset.remove_images(sorted(set(dataset.imgs) - used))
        coco_files.write_dataset(dataset, folder / target.name)


@dataclass(frozen=True)
class Plan:
    """What is done with one video: the grid that the network sees and the grid of the heatmaps."""

    series: Series
    predictor: Predictor
    input: Grid
    output: Grid

    def check(self) -> None:
        """Raise BadInput before hours of work rather than in their midst."""
        for frame in self.series.frames:
            frame.check(self.predictor.recipe.channels, self.series.grid)


def _plan(series: Series, recipe: Recipe, network: TemporalUNet, how: Mapping[str, Any]) -> Plan:
    from pipelines.geowatch.predictor import Predictor

    input_gsd = _scale(how["input_space_scale"], series, recipe, recipe.gsd)
    window_gsd = _scale(how["window_space_scale"], series, recipe, input_gsd)
    output_gsd = _scale(how["output_space_scale"], series, recipe, input_gsd)
    grid = series.grid.at_gsd(input_gsd)
    window = _window(how["chip_dims"], recipe.window, window_gsd / input_gsd, grid)
    return Plan(
        series,
        Predictor(recipe, network, _settings(recipe, how, window)),
        grid,
        series.grid.at_gsd(output_gsd),
    )


def _settings(recipe: Recipe, how: Mapping[str, Any], window: tuple[int, int]) -> Settings:
    from pipelines.geowatch.predictor import Settings
    from pipelines.geowatch.windows import sampling_named

    sampling = how["time_sampling"]
    return Settings(
        window=window,
        overlap=how["chip_overlap"],
        steps=_count(how["time_steps"], "time_steps", recipe.time_steps),
        sampling=recipe.time_sampling if sampling.lower() in AUTO else sampling_named(sampling),
        fliprot=how["tta_fliprot"],
        shifts=how["tta_time"],
        workers=how["num_workers"],
        device=devices.chosen(how["devices"]),
        batch=how["batch_size"],
    )


def _scale(text: str, series: Series, recipe: Recipe, default: float) -> float:
    """Metres per pixel that an option names."""
    if text.lower() in AUTO:
        return default
    if text.lower() == "native":
        return min(frame.gsd(recipe.channels) for frame in series.frames)
    return series.grid.gsd if text.lower() in ("video", "space") else grids.gsd(text)


def _window(text: str, default: int, scale: float, grid: Grid) -> tuple[int, int]:
    """Height and width in pixels of ``grid``: what `--chip_dims` says times ``scale``, at most the grid."""
    from pipelines.geowatch.model import STRIDE

    numbers = [] if text.lower() in AUTO else re.findall(r"[^\s,\[\]()]+", text)
    sizes = [_count(number, "chip_dims", default) for number in numbers or ["auto"]]
    if len(sizes) > 2:
        raise BadInput(f"{text!r} is not a height and a width", where="chip_dims", hint="write 256,256")
    height, width = (
        math.ceil(min(round(size * scale), whole) / STRIDE) * STRIDE
        for size, whole in zip((sizes[0], sizes[-1]), (grid.height, grid.width), strict=True)
    )
    return max(height, STRIDE), max(width, STRIDE)


def _count(text: str, option: str, default: int) -> int:
    if text.lower() in AUTO:
        return default
    if not text.isdecimal() or int(text) < 1:
        raise BadInput(f"{text!r} is not a number above 0", where=option)
    return int(text)


def _check_head(recipe: Recipe, path: str, saliency: bool, classes: bool) -> None:
    wanted = [task for task, asked in (("saliency", saliency), ("classes", classes)) if asked]
    if recipe.task not in wanted:
        raise BadInput(
            f"predicts {recipe.task}, but {' and '.join(wanted) or 'nothing'} is asked for",
            where=path,
            hint="see --with_saliency and --with_class",
        )


def _check_names(plans: list[Plan], where: str) -> None:
    """Raise BadInput for two images whose heatmaps would be one file."""
    taken: dict[str, str] = {}
    for frame in (frame for plan in plans for frame in plan.series.frames):
        file = _file_name(plans[0].predictor.recipe, frame.name)
        if file in taken:
            raise BadInput(f"images {taken[file]!r} and {frame.name!r} have one name as files", where=where)
        taken[file] = frame.name


def _write_heatmaps(plans: list[Plan], folder: Path) -> set[int]:
    """Write all heatmaps below ``folder``; ids of the images that have data."""
    from tqdm import tqdm

    used: set[int] = set()
    total = sum(plan.predictor.windows(plan.series, plan.input) for plan in plans)
    try:
        with tqdm(total=total, unit="window", desc="predict", disable=None) as bar:
            for plan in plans:
                paths = {
                    frame.image_id: folder / _file_name(plan.predictor.recipe, frame.name)
                    for frame in plan.series.frames
                }
                used |= plan.predictor.heatmaps(plan.series, plan.input, paths, plan.output, bar.update)
    except OSError as error:
        raise BadInput(f"cannot be written ({error.strerror or error})", where=folder.parent) from None
    return used


def _add_heatmaps(dataset: Any, plans: list[Plan], recipe: Recipe) -> None:
    """Add the heatmaps as further assets, in place of older ones of the same channels."""
    for image in dataset.imgs.values():
        _make_absolute(dataset, image)
        _drop(image, "|".join(recipe.outputs))  # also where nothing was predicted: they are another model's
    for plan in plans:
        for frame in plan.series.frames:
            _add_heatmap(dataset.imgs[frame.image_id], plan, _file_name(recipe, frame.name))


def _drop(image: dict[str, Any], code: str) -> None:
    for key in ("auxiliary", "assets"):
        if key in image:
            image[key] = [asset for asset in image[key] or [] if asset.get("channels") != code]


def _make_absolute(dataset: Any, image: dict[str, Any]) -> None:
    """Name the files of an image by whole paths, as the new dataset lies in another folder."""
    from pipelines.geowatch import coco_files

    for asset in coco_files.assets(image):
        asset["file_name"] = os.path.abspath(coco_files.asset_path(dataset, asset))  # noqa: PTH100


def _add_heatmap(image: dict[str, Any], plan: Plan, file_name: str) -> None:
    """Append the asset."""
    import kwimage

    outputs = plan.predictor.recipe.outputs
    image_from_video = kwimage.Affine.coerce(image.get("warp_img_to_vid")).inv()
    a, b, c, d, e, f = (~plan.series.grid.affine @ plan.output.affine)[:6]
    video_from_map = kwimage.Affine(matrix=[[a, b, c], [d, e, f], [0, 0, 1]])
    key = "auxiliary" if "auxiliary" in image else "assets"
    image.setdefault(key, []).append(
        {
            "file_name": file_name,
            "channels": "|".join(outputs),
            "width": plan.output.width,
            "height": plan.output.height,
            "num_bands": len(outputs),
            "warp_aux_to_img": (image_from_video @ video_from_map).concise(),
        }
    )


def _file_name(recipe: Recipe, name: str) -> str:
    """Where the heatmap of an image lies, from the dataset's folder on."""
    folder = "salient" if recipe.task == "saliency" else "phases"
    return f"_assets/{folder}/{name.replace('/', '_')}.tif"


if __name__ == "__main__":
    run(command)
