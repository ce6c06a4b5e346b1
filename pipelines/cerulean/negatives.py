"""Tiles without a slick, to be added to a dataset: which there could be, which are taken, how they are cut.

Tiles with slicks are made in scene_tiles.py.
"""

from __future__ import annotations

import functools
import random
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.cerulean import scene_tiles
from pipelines.cerulean.coco_tiles import TILES, tile_name
from pipelines.cerulean.tiling import Tile, tiles
from pipelines.errors import BadInput
from pipelines.processes import each

if TYPE_CHECKING:
    from pipelines.cerulean.auxiliary import Auxiliary
    from pipelines.cerulean.scenes import Scene


@dataclass(frozen=True)
class Grid:
    """How the dataset was cut: the side of a tile (0: whole scenes), and the model of the georeference."""

    tile_length: int
    georeference: str


@dataclass(frozen=True)
class Cut:
    """Negatives of one scene: what info of the dataset says of the scene, and of each tile its image."""

    about: dict[str, Any]
    images: list[dict[str, Any]]


def check_auxiliary(document: Mapping[str, Any], path: Path, aux: Auxiliary) -> None:
    """Raises BadInput: new tiles would lack a channel that those of the dataset have, or the other way.

    By such a channel alone a model would tell tiles without a slick.
    """
    known = document["info"].get("auxiliary", aux.known)
    if known != aux.known:
        lists = (" and ".join(map(str, names)) or "no auxiliary data" for names in (known, aux.known))
        raise BadInput("was made with {}, but --aux has {}".format(*lists), where=path, hint="name the same")


def grid_of(document: Mapping[str, Any], path: Path) -> Grid:
    """How a dataset was cut. Raises BadInput: it does not say so."""
    info = document.get("info")
    known = info if isinstance(info, Mapping) else {}
    length, model = known.get("tile_length"), known.get("georeference")
    if not isinstance(length, int) or not isinstance(model, str):
        raise BadInput("does not say how its tiles were cut (tile_length and georeference in info)",
                       where=path, hint="make it with make_coco_dataset")  # fmt: skip
    return Grid(length, model)


def missing(document: Mapping[str, Any], ratio: float) -> int:
    """How many tiles without annotation it takes to have ``ratio`` of them for each one with; 0 at least."""
    with_slick = len({one["image_id"] for one in document["annotations"]})
    without = len(document["images"]) - with_slick
    return max(round(ratio * with_slick) - without, 0)


def candidates(scene: Scene, grid: Grid, min_valid: float) -> list[int]:
    """Indices of the tiles of a scene that no slick of any class touches.

    Args:
        min_valid: share of a tile, padding counted, that has data at least.
    """
    import numpy as np

    from pipelines.cerulean import scenes

    free = _free(scene, grid)
    found = []
    with scenes.opened(scene) as vv:
        for tile in free:
            valid = np.count_nonzero(vv.read(*tile.inside(*vv.shape)))
            if valid and valid / (tile.height * tile.width) >= min_valid:
                found.append(tile.index)
    return found


def _free(scene: Scene, grid: Grid) -> list[Tile]:
    """The tiles that no layer has a pixel in; layers of background's colour mark no slick."""
    from pipelines.cerulean.classes import BACKGROUND, IDS
    from pipelines.cerulean.layers import read_cropped

    shape = scene.size()
    free = list(tiles(*shape, grid.tile_length))
    for path in scene.layers:
        layer = read_cropped(path, shape)
        if layer.number != IDS[BACKGROUND]:
            free = [tile for tile in free if not layer.part(*tile.inside(*shape)).any()]
    return free


def choose(
    free: Mapping[str, Sequence[int]], there: Collection[str], count: int, seed: int
) -> dict[str, list[int]]:
    """Some tiles, by lot among all scenes; fewer where there are no more.

    Args:
        free: indices of candidates of each scene, by its id.
        there: files of tiles that the dataset has already.

    Returns:
        indices, sorted, of each scene of which any was chosen; the same for the same seed.
    """
    pool = [
        (scene, index)
        for scene in sorted(free)
        for index in sorted(free[scene])
        if f"{TILES}/{tile_name(scene, index)}" not in there
    ]
    chosen: dict[str, list[int]] = {}
    for scene, index in sorted(random.Random(seed).sample(pool, min(count, len(pool)))):
        chosen.setdefault(scene, []).append(index)
    return chosen


def cut(job: tuple[Scene, Sequence[int]], aux: Auxiliary, grid: Grid, folder: Path) -> Cut:
    """Write these tiles of a scene below ``folder``; the images are without their ids."""
    scene, indices = job
    wanted = set(indices)
    with scene_tiles.opened(scene, aux, grid.georeference) as source:
        places = [tile for tile in tiles(*source.shape, grid.tile_length) if tile.index in wanted]
        images = []
        for tile, pixels in source.read(places):
            source.write(tile, pixels, folder)
            images.append(source.image(tile, pixels))
        return Cut(source.about, images)


def cut_all(
    scenes: Mapping[str, Scene], chosen: Mapping[str, Sequence[int]], aux: Auxiliary, grid: Grid,
    folder: Path, workers: int,
) -> list[Cut]:  # fmt: skip
    """The chosen tiles of all scenes, in order of scenes, in processes."""
    jobs = [(scenes[scene], indices) for scene, indices in sorted(chosen.items())]
    return each(functools.partial(cut, aux=aux, grid=grid, folder=folder), jobs, workers, "tiles", "scene")


def with_images(document: dict[str, Any], cuts: Sequence[Cut], about: Mapping[str, Any]) -> dict[str, Any]:
    """The document with the images of ``cuts`` after its own, whose ids stay, and ``about`` in its info."""
    following = max((image["id"] for image in document["images"]), default=0) + 1
    added = [image for one in cuts for image in one.images]
    info = document["info"]
    known = list(info.get("scenes", []))
    ids = {scene["id"] for scene in known}
    known += [one.about for one in cuts if one.about["id"] not in ids]
    return {
        **document,
        "info": {**info, "scenes": sorted(known, key=lambda scene: scene["id"]), "negatives": dict(about)},
        "images": [
            *document["images"],
            *({"id": number, **image} for number, image in enumerate(added, following)),
        ],
    }
