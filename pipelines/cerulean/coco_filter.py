"""The program `coco_filter`: a COCO dataset with fewer of its annotations, by area or class.

Which class becomes which other when a model trains is a matter of classes.py.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

import click

from kwdag.errors import did_you_mean
from pipelines.cerulean import dataset_files
from pipelines.errors import BadInput
from pipelines.program import run, write_json


def filtered(
    document: dict[str, Any],
    classes: Collection[str],
    min_area: float = 0,
    max_area: float = float("inf"),
    drop_empty: bool = False,
) -> dict[str, Any]:
    """The annotations of these classes with an area, in pixels, from ``min_area`` to ``max_area``.

    Ids stay, and so do categories and, if not asked otherwise, images: the pixels of a slick that is left out
    are water to a model.

    Args:
        classes: names of those that stay.
        drop_empty: leave out images that *lose* their last annotation; those without any before stay.
    """
    wanted = {category["id"] for category in document["categories"] if category["name"] in classes}
    kept = [
        one
        for one in document["annotations"]
        if one["category_id"] in wanted and min_area <= one["area"] <= max_area
    ]
    emptied: set[int] = set()
    if drop_empty:
        emptied = {one["image_id"] for one in document["annotations"]} - {one["image_id"] for one in kept}
    images = [image for image in document["images"] if image["id"] not in emptied]
    return {**document, "images": images, "annotations": kept}


def chosen(document: dict[str, Any], keep: str, drop: str) -> set[str]:
    """Names of the classes that stay, from lists with commas; all, where there is no ``keep``.

    Raises:
        BadInput: a class that the document does not have.
    """
    names = {category["name"] for category in document["categories"]}
    for option, text in (("keep", keep), ("drop", drop)):
        for name in _names(text) - names:
            raise BadInput(f"no class {name!r}", where=option, hint=did_you_mean(name, sorted(names)))
    return (_names(keep) or names) - _names(drop)


def _names(text: str) -> set[str]:
    return {name.strip() for name in text.split(",") if name.strip()}


@click.command()
@click.option("--coco", required=True, help="instances_<name>.json of a dataset.")
@click.option("--dst", required=True, help="Folder to write the new dataset to.")
@click.option("--min_area", default=0.0, show_default=True, help="Pixels that an instance has at least.")
@click.option("--max_area", default=float("inf"), show_default=True, help="And at most.")
@click.option("--keep", default="", help="Classes that stay, by commas.  [default: all]")
@click.option("--drop", default="", help="Classes that go, by commas.  [default: none]")
@click.option("--drop_empty", is_flag=True, help="Leave out tiles that lose their last annotation.")
def command(
    coco: str, dst: str, min_area: float, max_area: float, keep: str, drop: str, drop_empty: bool
) -> None:
    """Leave out annotations by area or class.

    Images stay, unless --drop_empty, and so do ids and the table of categories. Writes a dataset of its own:
    tiled_images/ (links to the same files), and last the JSON under the name it had.

    \b
    Example:
      python -m pipelines.cerulean.coco_filter --coco=tiles/train/instances_train.json --dst=large \\
        --min_area=100 --drop=ambiguous,old_vessel
    """
    if not 0 <= min_area <= max_area:
        raise BadInput(f"{min_area:g} to {max_area:g} is no range", where="min_area, max_area")
    source, folder = Path(coco), Path(dst)
    dataset_files.check_other(folder, source)
    document = dataset_files.read(source)
    result = filtered(document, chosen(document, keep, drop), min_area, max_area, drop_empty)
    with dataset_files.replacing(folder / source.name) as hidden:
        dataset_files.carry_tiles(result["images"], source.parent, hidden)
        write_json(hidden / source.name, result)
    kept, before = len(result["annotations"]), len(document["annotations"])
    click.echo(f"kept {kept} of {before} instances on {len(result['images'])} images: {folder / source.name}")


if __name__ == "__main__":
    run(command)
