"""The seed's tree of JSON files, read whole and checked before anything is imported.

    DIR/variables.json, DIR/modelTypes.json, DIR/users/<uuid>/user.json, and for each station, below
    DIR/users/<uuid>/stations/<CODE>/:  db/station.json, db/annotations.json,
    db/imagesets/<uuid>/{imageset,images}.json, db/datasets/<uuid>/{dataset.json, series/<VARIABLE>.json},
    storage/ (files by their keys in the storage).

What becomes of the rows does not belong here. Keys that no table has are ignored.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipelines.errors import BadInput
from pipelines.fpe.seed_rows import (
    ANNOTATION,
    DATASET,
    IMAGE,
    IMAGESET,
    MODEL_TYPE,
    STATION,
    USER,
    VALUE,
    VARIABLE,
    Columns,
    read_row,
    unlike,
)
from pipelines.program import read_json

Row = dict[str, Any]


@dataclass(frozen=True)
class Group:
    """A row and those that are part of it: an imageset's images, a dataset's series, a series' values."""

    row: Row
    path: Path  # of the file that lists the parts
    parts: Sequence[Any]


@dataclass(frozen=True)
class StationFiles:
    """All that the seed says of a station; `storage` is the folder of its files."""

    row: Row
    path: Path
    storage: Path
    imagesets: Sequence[Group]
    datasets: Sequence[Group]
    annotations: Sequence[Row]


@dataclass(frozen=True)
class Seed:
    variables: Sequence[Row]
    model_types: Sequence[Row]
    users: Sequence[Row]
    stations: Sequence[StationFiles]


def read_seed(folder: str | os.PathLike[str], bucket: str) -> Seed:
    """Everything but the images themselves; ``bucket`` replaces {STORAGE_BUCKET}.

    Raises:
        BadInput: a file is missing or malformed; the message names it and the key.
    """
    folder = Path(folder)
    if not (folder / "users").is_dir():
        raise BadInput("has no folder users", where=folder, hint="it holds users/, variables.json, ...")
    users, stations = [], []
    for place in _folders(folder / "users"):
        users.append(read_row(_object(place / "user.json", bucket), USER, place / "user.json"))
        if users[-1]["id"] in {user["id"] for user in users[:-1]}:
            raise BadInput(f"id: {users[-1]['id']!r} comes twice", where=place / "user.json")
        stations += [_station(path, users[-1]["id"], bucket) for path in _folders(place / "stations")]
    return Seed(
        _rows(folder / "variables.json", VARIABLE, bucket, unique=("id",)),
        _rows(folder / "modelTypes.json", MODEL_TYPE, bucket, unique=("id",)),
        users,
        stations,
    )


def _station(folder: Path, user_id: str, bucket: str) -> StationFiles:
    path = folder / "db" / "station.json"
    row = read_row(_object(path, bucket), STATION, path)
    annotations = folder / "db" / "annotations.json"
    imagesets = [_imageset(place, bucket) for place in _folders(folder / "db" / "imagesets")]
    datasets = [_dataset(place, bucket) for place in _folders(folder / "db" / "datasets")]
    _check_once("uuid", ((one.row["uuid"], one.path.with_name("imageset.json")) for one in imagesets))
    _check_once("uuid", ((one.row["uuid"], one.path) for one in datasets))
    _check_once("id", ((row["id"], one.path) for one in imagesets for row in one.parts if "id" in row))
    return StationFiles(
        {**row, "user_id": user_id},
        path,
        folder / "storage",
        imagesets,
        datasets,
        _rows(annotations, ANNOTATION, bucket, unique=("uuid",)) if annotations.exists() else [],
    )


def _check_once(key: str, found: Iterable[tuple[Any, Path]]) -> None:
    """Raise BadInput if a value comes twice in a station, in whichever of its files."""
    seen: set[Any] = set()
    for value, path in found:
        if value in seen:
            raise BadInput(f"{key}: {value!r} comes twice", where=path)
        seen.add(value)


def _imageset(folder: Path, bucket: str) -> Group:
    path = folder / "imageset.json"
    row = read_row({"uuid": folder.name, **_object(path, bucket)}, IMAGESET, path)
    images = _rows(folder / "images.json", IMAGE, bucket, unique=("id", "filename"))
    for image in images:
        key = f"imagesets/{row['uuid']}/images/{image['filename']}"
        image["full_s3"] = image["full_s3"] or {"Bucket": bucket, "Key": key}
        if not isinstance(image["full_s3"].get("Key"), str):
            raise BadInput(f"{image['filename']}: full_s3 has no Key", where=folder / "images.json")
    return Group(row, folder / "images.json", images)


def _dataset(folder: Path, bucket: str) -> Group:
    path = folder / "dataset.json"
    row = read_row({"uuid": folder.name, **_object(path, bucket)}, DATASET, path)
    files = sorted((folder / "series").glob("*.json"))
    series = [Group({"variable_id": file.stem}, file, _values(file)) for file in files]
    return Group(row, path, series)


def _values(path: Path) -> list[Row]:
    """The observations that there are: null, NaN and no value at all are gaps."""
    rows = [read_row(data, VALUE, path, number) for number, data in enumerate(_array(path))]
    return [row for row in rows if row["value"] is not None and math.isfinite(row["value"])]


def _rows(path: Path, columns: Columns, bucket: str, unique: Sequence[str]) -> list[Row]:
    data = _filled(_array(path), bucket)
    rows = [read_row(each, columns, path, number) for number, each in enumerate(data)]
    for name in unique:
        seen: set[Any] = set()
        for number, row in enumerate(rows):
            if row.get(name) is not None and row[name] in seen:
                raise BadInput(f"[{number}].{name}: {row[name]!r} comes twice", where=path)
            seen.add(row.get(name))
    return rows


def _object(path: Path, bucket: str) -> Row:
    data = read_json(path)
    if not isinstance(data, dict):
        raise BadInput(f"is {unlike(data)}, not an object", where=path)
    return dict(_filled(data, bucket))


def _array(path: Path) -> list[Any]:
    data = read_json(path)
    if not isinstance(data, list):
        raise BadInput(f"is {unlike(data)}, not a list", where=path)
    return data


def _filled(data: Any, bucket: str) -> Any:
    if isinstance(data, str):
        return data.replace("{STORAGE_BUCKET}", bucket)
    if isinstance(data, list):
        return [_filled(each, bucket) for each in data]
    if isinstance(data, dict):
        return {key: _filled(each, bucket) for key, each in data.items()}
    return data


def _folders(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("*") if path.is_dir() and not path.name.startswith("."))
