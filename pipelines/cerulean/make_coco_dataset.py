"""The program `make_coco_dataset`: annotated scenes as a COCO dataset of square tiles.

How it is made stands in dataset_making.py.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TypeVar

import click

from pipelines.cerulean import options
from pipelines.errors import BadInput
from pipelines.option_types import Finite
from pipelines.program import run

Value = TypeVar("Value")


@click.command()
@click.argument("partition_list", required=False)
@click.argument("aux_data_path", required=False)
@click.argument("out_dir", required=False)
@click.argument("length", required=False, type=int)
@click.option("--list", "list_", help="The same as PARTITION_LIST: a list of scenes, or a folder of them.")
@click.option("--aux", help="The same as AUX_DATA_PATH; none: without.  [default: none]")
@click.option("--dst", help="The same as OUT_DIR.")
@click.option("--tile_length", type=int,
              help="Same as LENGTH: a tile's side in pixels; 0: whole scenes.  [default: 512]")  # fmt: skip
@click.option("--name", help="Of the dataset, instances_<name>.json.  [default: that of the list]")
@options.GEOREFERENCE
@click.option("--drop_empty", is_flag=True, help="Leave out tiles without annotation.")
@click.option("--min_valid", type=Finite(0, 1), default=0.0, show_default=True,
              help="Leave out tiles of which a smaller share, padding counted, has data.")  # fmt: skip
@options.workers(2)
def command(
    partition_list: str | None, aux_data_path: str | None, out_dir: str | None, length: int | None,
    list_: str | None, aux: str | None, dst: str | None, tile_length: int | None, name: str | None,
    georeference: str, drop_empty: bool, min_valid: float, workers: int,
) -> None:  # fmt: skip
    """Cut scenes and their layers into tiles and write OUT_DIR/tiled_images/*.tif and instances_<name>.json.

    A tile has three bands: VV, distance to offshore infrastructure (0 near, 255 from 60 km on) and ship
    density in the scene's month. Tiles at the right and lower edge are padded with 0.

    \b
    Examples:
      python -m pipelines.cerulean.make_coco_dataset splits/train.txt sea/aux tiles/train 256
      python -m pipelines.cerulean.make_coco_dataset --list=splits/val.txt --aux=sea/aux \\
        --dst=tiles/val --tile_length=256 --drop_empty --min_valid=0.1
    """
    listed = _one("PARTITION_LIST", partition_list, "--list", list_)
    target = _one("OUT_DIR", out_dir, "--dst", dst)
    extra = _one("AUX_DATA_PATH", aux_data_path, "--aux", aux, "none")
    side = _one("LENGTH", length, "--tile_length", tile_length, 512)
    from pipelines.cerulean import scenes
    from pipelines.cerulean.dataset_making import make
    from pipelines.cerulean.scene_tiles import Settings
    from pipelines.cerulean.tiling import check_length

    settings = Settings(check_length(side), georeference, drop_empty, min_valid)
    label = _label(name, listed)
    found = scenes.read_list(listed)
    made = make(found, options.auxiliary_data(extra), Path(target), label, settings, workers)
    tiles, slicks = (len(made.document[kind]) for kind in ("images", "annotations"))
    click.echo(
        f"wrote {made.path}: {tiles} tiles of {len(found)} scenes, {slicks} annotations,"
        f" {made.dropped} tiles left out"
    )


def _one(
    place: str, given: Value | None, option: str, named: Value | None, default: Value | None = None
) -> Value:
    """What was given, by its place or by its option.

    Raises:
        BadInput: both, or neither and there is no default.
    """
    if given is not None and named is not None:
        raise BadInput(f"{place} and {option} are the same, give one of them")
    found = given if given is not None else named if named is not None else default
    if found is None:
        raise BadInput(f"give {place} or {option}")
    return found


def _label(name: str | None, listed: str) -> str:
    path = Path(os.path.normpath(Path(listed).absolute()))
    label = (path.name if path.is_dir() else path.stem) if name is None else name
    if not label or "/" in label or label.startswith("."):
        raise BadInput(f"{label!r} cannot be part of a file's name", where="--name")
    return label


if __name__ == "__main__":
    run(command)
