"""A COCO dataset folder as a whole: its document is read and checked, its tiles follow into another folder.

Making tiles and annotations does not belong here.
"""

from __future__ import annotations

import os
import shutil
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pipelines.cerulean.coco_tiles import TILES, instances_name
from pipelines.errors import BadInput
from pipelines.program import read_json, staged

_KEYS = {"images": ("id", "file_name"), "categories": ("id", "name"),
         "annotations": ("id", "image_id", "category_id", "area")}  # fmt: skip


def read(path: str | os.PathLike[str]) -> dict[str, Any]:
    """A COCO document of instances.

    Raises:
        BadInput: no such file, not JSON, a list or a key of an entry is missing, an id is there twice, an
            annotation is of an image or a category that is not there.
    """
    document = read_json(path)
    if not isinstance(document, dict):
        raise BadInput("is not a COCO document", where=path)
    ids = {}
    for kind, keys in _KEYS.items():
        entries = document.get(kind)
        if not isinstance(entries, list):
            raise BadInput(f"is not a COCO document: it has no list {kind!r}", where=path)
        for number, entry in enumerate(entries):
            missing = [key for key in keys if not isinstance(entry, dict) or key not in entry]
            if missing:
                raise BadInput(f"entry {number} of {kind!r} has no {missing[0]!r}", where=path)
        ids[kind] = {entry["id"] for entry in entries}
        if len(ids[kind]) != len(entries):
            raise BadInput(f"has an id of {kind!r} twice", where=path)
    for one in document["annotations"]:
        if not isinstance(one["area"], int | float):
            raise BadInput(f"annotation {one['id']} has the area {one['area']!r}", where=path)
        if one["image_id"] not in ids["images"]:
            raise BadInput(f"annotation {one['id']} is of an image {one['image_id']} not there", where=path)
        if one["category_id"] not in ids["categories"]:
            wrong = one["category_id"]
            raise BadInput(f"annotation {one['id']} is of a category {wrong} not there", where=path)
    return document


def by_image(document: Mapping[str, Any]) -> dict[int, list[dict[str, Any]]]:
    """The annotations of each image that has some, by the image's id."""
    found: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for annotation in document["annotations"]:
        found[annotation["image_id"]].append(annotation)
    return dict(found)


def check_other(folder: Path, document: Path) -> None:
    """Raises BadInput: a new dataset would be written over the one that it is made of."""
    if folder.resolve() == document.parent.resolve():
        raise BadInput("is the folder of the dataset itself", where=folder, hint="name another one")


def carry_tiles(images: Iterable[Mapping[str, Any]], source: Path, target: Path) -> None:
    """The files of images also below another folder: as links to the same bytes, or copied to another disk.

    Raises:
        BadInput: a file is not there, or named by a way out of the folder.
    """
    for image in images:
        name = Path(image["file_name"])
        if name.is_absolute() or ".." in name.parts:
            raise BadInput(f"lies outside the dataset's folder {source}", where=name)
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        try:
            os.link(source / name, target / name)
        except FileNotFoundError:
            raise BadInput("is not there", where=source / name) from None
        except OSError:
            shutil.copyfile(source / name, target / name)


@contextmanager
def replacing(document: Path) -> Iterator[Path]:
    """A hidden folder for a new dataset, which takes the place of ``document`` and its tiles in the end.

    Tiles of the older dataset of that name go, if neither the new one nor another in the folder lists them.
    """
    folder = document.parent
    old = _tiles(document)
    with staged(folder, last=document) as hidden:
        yield hidden
    kept = set().union(*(_tiles(path) for path in folder.glob(instances_name("*"))), _tiles(document))
    for name in sorted(old - kept):
        (folder / name).unlink(missing_ok=True)


def _tiles(document: Path) -> set[str]:
    """The files that a document lists, of its own tiles; none where it cannot be read."""
    try:
        names = {str(image["file_name"]) for image in read_json(document)["images"]}
    except (BadInput, KeyError, TypeError):
        return set()
    return {name for name in names if name.startswith(f"{TILES}/") and ".." not in name}
