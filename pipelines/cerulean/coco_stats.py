"""The program `coco_stats`: tables and plots of what COCO datasets hold.

The tables are made in coco_tables.py, the plots in coco_plots.py.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pipelines.cerulean import dataset_files
from pipelines.errors import BadInput
from pipelines.program import run, staged, write_json

if TYPE_CHECKING:
    import pandas as pd


def summary(documents: dict[str, Any], classes: pd.DataFrame, shared: dict[str, list[str]]) -> dict[str, Any]:
    """What stats.json holds: counts for each dataset, by class too, and scenes that several of them share."""
    from pipelines.cerulean.coco_tables import scene_of

    found: dict[str, Any] = {}
    for name, document in documents.items():
        rows = classes[classes["dataset"] == name]
        with_slick = {one["image_id"] for one in document["annotations"]}
        found[name] = {
            "scenes": len({scene_of(image) for image in document["images"]}),
            "tiles": len(document["images"]),
            "tiles_without_slick": len(document["images"]) - len(with_slick),
            "instances": len(document["annotations"]),
            "pixels": int(rows["pixels"].sum()),
            "classes": {
                row["class"]: {"instances": int(row["instances"]), "pixels": int(row["pixels"])}
                for _, row in rows.iterrows()
            },
        }
    return {"datasets": found, "shared_scenes": shared}


def named(paths: tuple[str, ...]) -> dict[str, Any]:
    """Documents by name: that of the file without `instances_`, with its folder where two files share it.

    Raises:
        BadInput: a file is named twice; see `dataset_files.read`.
    """
    files = [Path(path) for path in paths]
    if len({file.resolve() for file in files}) != len(files):
        raise BadInput("the same file is named twice", where="coco")
    short = [file.stem.removeprefix("instances_") for file in files]
    names = [
        name if short.count(name) == 1 else str(file)
        for name, file in zip(short, files, strict=True)
    ]  # fmt: skip
    return {name: dataset_files.read(file) for name, file in zip(names, files, strict=True)}


@click.command()
@click.option(
    "--coco", multiple=True, required=True, help="instances_<name>.json of a dataset; several may follow."
)
@click.option("--dst", required=True, help="Folder to write tables, plots and stats.json to.")
def command(coco: tuple[str, ...], dst: str) -> None:
    """Count the instances of datasets and measure their areas, per class and per scene.

    Writes classes.csv, scenes.csv, instances.csv, plots of them (instances.png, areas.png, scenes.png), and
    last stats.json, which also names the scenes that stand in more than one of the datasets.

    \b
    Example:
      python -m pipelines.cerulean.coco_stats --coco tiles/train/instances_train.json \\
        tiles/val/instances_val.json --dst=stats
    """
    documents = named(coco)
    from pipelines.cerulean import coco_plots, coco_tables

    found = coco_tables.instances(documents)
    classes = coco_tables.by_class(documents, found)
    scenes = coco_tables.by_scene(documents, found)
    shared = coco_tables.shared_scenes(documents)
    folder = Path(dst)
    with staged(folder, last=folder / "stats.json") as hidden:
        for name, table in (("classes", classes), ("scenes", scenes), ("instances", found)):
            table.to_csv(hidden / f"{name}.csv", index=False, float_format="%.6g")
        coco_plots.draw_instances(hidden / "instances.png", classes)
        coco_plots.draw_areas(hidden / "areas.png", found, list(dict.fromkeys(classes["class"])))
        coco_plots.draw_scenes(hidden / "scenes.png", scenes)
        write_json(hidden / "stats.json", summary(documents, classes, shared))
    if shared:
        click.echo(f"{len(shared)} scenes stand in more than one dataset, as {next(iter(shared))}", err=True)
    click.echo(f"wrote tables and plots of {len(found)} instances: {folder}")


if __name__ == "__main__":
    run(command)
