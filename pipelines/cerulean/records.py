"""What one step leaves for the next: a record of its scenes, and files of polygons, a feature a line.

What else stands in a record, and in a feature, is checked where it is used.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pipelines.cerulean.classes import BACKGROUND, NAMES
from pipelines.errors import BadInput
from pipelines.program import read_json

#: Members that each step hands on from `predict`, so that none of them needs the model.
CARRIED = ("classes", "numbers", "dropped")


def read(path: Path, members: Mapping[str, type], writer: str) -> dict[str, Any]:
    """The record of a step, whose lists `CARRIED` and "scenes" are as that step writes them.

    Args:
        members: that each scene has beside its id, with their types.
        writer: name of the program, for whoever names another folder.

    Raises:
        BadInput: no such file, a list is missing or not of classes of the table, see `scenes`.
    """
    record = read_json(path)
    for key in CARRIED:
        if not isinstance(record, dict) or not isinstance(record.get(key), list):
            raise BadInput(f"has no list {key!r}", where=path, hint=f"name the folder that {writer} wrote")
    _check_classes(record, path)
    scenes(record, path, members)
    return record


def scenes(record: Any, path: Path, members: Mapping[str, type]) -> list[dict[str, Any]]:
    """The scenes of a record, each with an id that can name a file.

    Raises:
        BadInput: there is none, one lacks a member, or one is there twice.
    """
    found = record.get("scenes") if isinstance(record, dict) else None
    if not isinstance(found, list):
        raise BadInput("has no list 'scenes'", where=path)
    if not found:
        raise BadInput("holds no scene", where=path)
    seen: set[str] = set()
    for scene in found:
        for key, kind in {"id": str, **members}.items():
            if not isinstance(scene, dict) or not isinstance(scene.get(key), kind):
                raise BadInput(f"has a scene without {key!r}", where=path)
        name = scene["id"]
        if Path(name).name != name:
            raise BadInput(f"has {name!r} for a scene, which cannot name a file", where=path)
        if name in seen:
            raise BadInput(f"has scene {name} twice", where=path)
        seen.add(name)
    return found


def carried(record: Mapping[str, Any]) -> dict[str, Any]:
    """What the next record says as this one does."""
    return {key: record[key] for key in (*CARRIED, "channels") if key in record}


def read_features(path: Path) -> list[Any]:
    """The features of a GeoJSON file, in their order.

    Raises:
        BadInput: no such file, or it is no FeatureCollection.
    """
    document = read_json(path)
    features = document.get("features") if isinstance(document, dict) else None
    if not isinstance(features, list):
        raise BadInput("is no FeatureCollection", where=path)
    return features


def write_features(path: Path, head: Mapping[str, Any], features: Iterable[Mapping[str, Any]]) -> None:
    """Write a FeatureCollection, without holding all of its features.

    Args:
        head: further members of the collection.
    """
    start = json.dumps({"type": "FeatureCollection", **head})
    with path.open("w", encoding="utf-8") as file:
        file.write(start.removesuffix("}") + ', "features": [')
        for number, feature in enumerate(features):
            file.write((",\n" if number else "\n") + json.dumps(feature, allow_nan=False))
        file.write("\n]}\n")


def _check_classes(record: Mapping[str, Any], path: Path) -> None:
    classes, numbers = record["classes"], record["numbers"]
    known = all(name in NAMES for name in classes) and len(set(classes)) == len(classes)
    if not known or len(classes) < 2 or classes[0] != BACKGROUND:
        raise BadInput(
            f"'classes' are {', '.join(map(str, classes)) or 'none'}, not background and others",
            where=path,
            hint=f"of {', '.join(NAMES)}",
        )
    if len(numbers) != len(NAMES) or not all(number in range(len(classes)) for number in numbers):
        raise BadInput("'numbers' has no number of a class for each of " + ", ".join(NAMES), where=path)
    for name in record["dropped"]:
        if name not in NAMES:
            raise BadInput(f"'dropped' has no class {name!r}", where=path, hint=f"of {', '.join(NAMES)}")
