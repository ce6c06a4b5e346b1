"""The program `add_negatives`: a dataset with tiles added that hold no slick.

Which tiles, and how they are cut, is in negatives.py.
"""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pipelines.cerulean import dataset_files, options
from pipelines.errors import BadInput
from pipelines.option_types import SEED, Finite
from pipelines.program import run, write_json

if TYPE_CHECKING:
    from pipelines.cerulean.scenes import Scene


def sources(document: dict[str, Any], path: Path, list_path: str | None) -> dict[str, Scene]:
    """The scenes to take tiles from, by id: those of the list, and without one the dataset's own.

    Raises:
        BadInput: a dataset that does not say where its scenes are; see `scenes.read_list` and `from_line`.
    """
    from pipelines.cerulean.scenes import from_line, read_list

    if list_path:
        return {scene.id: scene for scene in read_list(Path(list_path))}
    try:
        lines = [str(scene["folder"]) for scene in document["info"]["scenes"]]
    except (KeyError, TypeError):
        raise BadInput("does not say where its scenes are", where=path, hint="name a --list") from None
    return {scene.id: scene for scene in map(from_line, lines)}


@click.command()
@click.option("--coco", required=True, help="instances_<name>.json that `make_coco_dataset` wrote.")
@click.option("--dst", required=True, help="Folder to write the new dataset to.")
@options.AUX
@click.option("--list", "list_path", help="List of scenes to take tiles from, or a folder of "
              "them.  [default: the dataset's own, so that none of another split comes in]")  # fmt: skip
@click.option("--ratio", type=Finite(0), default=0.5, show_default=True,
              help="Tiles without a slick for each one with.")  # fmt: skip
@click.option("--min_valid", type=Finite(0, 1), default=0.1, show_default=True,
              help="Leave out tiles of which a smaller share, padding counted, has data.")  # fmt: skip
@click.option("--seed", type=SEED, default=4, show_default=True, help="Another seed, other tiles.")
@options.workers(2)
def command(
    coco: str, dst: str, aux: str | None, list_path: str | None, ratio: float, min_valid: float, seed: int,
    workers: int,
) -> None:  # fmt: skip
    """Add tiles without a slick until there are so many for each tile with one.

    Tiles that the dataset has without annotation count; none goes. New ones are cut on the dataset's own grid
    where no layer of any class marks a pixel. Writes a dataset of its own: tiled_images/ (links to the same
    files, and the new tiles), and last the JSON under the name it had, in which old ids stay. --aux has to be
    what the dataset was made with.

    \b
    Example:
      python -m pipelines.cerulean.add_negatives --coco=tiles/train/instances_train.json \\
        --aux=sea/aux --dst=negatives --ratio=0.5
    """
    from pipelines.cerulean import negatives
    from pipelines.processes import each

    source, folder = Path(coco), Path(dst)
    dataset_files.check_other(folder, source)
    document = dataset_files.read(source)
    grid = negatives.grid_of(document, source)
    scenes = sources(document, source, list_path)
    data = options.auxiliary_data(aux)
    negatives.check_auxiliary(document, source, data)
    wanted = negatives.missing(document, ratio)
    search = functools.partial(negatives.candidates, grid=grid, min_valid=min_valid)
    found = each(search, list(scenes.values()), workers, "search", "scene") if wanted else [[]] * len(scenes)
    there = {image["file_name"] for image in document["images"]}
    chosen = negatives.choose(dict(zip(scenes, found, strict=True)), there, wanted, seed)
    added = sum(map(len, chosen.values()))
    about = {"ratio": ratio, "min_valid": min_valid, "seed": seed, "wanted": wanted, "added": added}
    with dataset_files.replacing(folder / source.name) as hidden:
        dataset_files.carry_tiles(document["images"], source.parent, hidden)
        cuts = negatives.cut_all(scenes, chosen, data, grid, hidden, workers)
        write_json(hidden / source.name, negatives.with_images(document, cuts, about))
    if added < wanted:
        click.echo(f"only {added} of {wanted} tiles without a slick could be had", err=True)
    click.echo(f"added {added} tiles to {len(there)}: {folder / source.name}")


if __name__ == "__main__":
    run(command)
