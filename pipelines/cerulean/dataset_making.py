"""Scenes as one COCO dataset of tiles: which there may be in a folder, and what its document says.

How one scene is cut stands in scene_tiles.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.cerulean.coco_tiles import CHANNELS, document, instances_name
from pipelines.cerulean.dataset_files import replacing
from pipelines.cerulean.scene_tiles import Cut, Settings, cut
from pipelines.errors import BadInput
from pipelines.processes import each
from pipelines.program import read_json, write_json

if TYPE_CHECKING:
    from pipelines.cerulean.auxiliary import Auxiliary
    from pipelines.cerulean.scenes import Scene


@dataclass(frozen=True)
class Made:
    """What was written: the document, and how many tiles were left out."""

    path: Path
    document: dict[str, Any]
    dropped: int


def make(
    scenes: Sequence[Scene], aux: Auxiliary, folder: Path, name: str, settings: Settings, workers: int = 0
) -> Made:
    """Write the tiles of ``scenes`` into ``folder`` and, last, their document.

    The order of scenes and the number of workers do not matter. Tiles of an older dataset of this name that
    are not in the new one go.

    Args:
        workers: processes, each with a scene at a time.

    Raises:
        BadInput: another dataset in the folder has one of the scenes, no tile is left, or see `cut`. Nothing
            is changed then.
    """
    last = folder / instances_name(name)
    _check_others(scenes, folder, last)
    with replacing(last) as hidden:
        ordered = sorted(scenes, key=lambda scene: scene.id)
        work = partial(_cut, aux=aux, folder=hidden, settings=settings)
        cuts = each(work, ordered, workers, "scenes", "scene")
        made = _document(cuts, name, aux, settings)
        if not made["images"]:
            raise BadInput(f"no tile is left of {len(scenes)} scenes", hint="lower --min_valid")
        write_json(hidden / last.name, made)
    return Made(last, made, sum(one.dropped for one in cuts))


def _cut(scene: Scene, aux: Auxiliary, folder: Path, settings: Settings) -> Cut:
    return cut(scene, aux, folder, settings)


def _document(cuts: Sequence[Cut], name: str, aux: Auxiliary, settings: Settings) -> dict[str, Any]:
    info = {
        "description": f"tiles of Sentinel-1 scenes with oil slicks: {name}",
        "version": "1",
        "tile_length": settings.tile_length,
        "georeference": settings.georeference,
        "channels": list(CHANNELS),
        "auxiliary": aux.known,
        "scenes": [one.about for one in cuts],
    }
    return document(info, [part for one in cuts for part in one.parts])


def _check_others(scenes: Sequence[Scene], folder: Path, own: Path) -> None:
    """Raises BadInput: another dataset in ``folder`` has tiles of a scene, maybe of another length."""
    ids = {scene.id for scene in scenes}
    for path in sorted(folder.glob(instances_name("*"))):
        twice = sorted(ids & _scenes_in(path)) if path != own else []
        if twice:
            raise BadInput(f"has tiles of {twice[0]} already", where=path, hint="use another folder")


def _scenes_in(path: Path) -> set[str]:
    """The scenes of the tiles that a document lists; none where it is not one of ours."""
    try:
        return {image["extra"]["big_image_id"] for image in read_json(path)["images"]}
    except (BadInput, KeyError, TypeError):
        return set()
