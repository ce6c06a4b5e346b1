"""Manifests: JSON files that name the models of a result; callers find these functions in `iarpa` too.

What a model file holds is iarpa.py's.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from pipelines.errors import BadInput
from pipelines.geowatch.iarpa_check import check
from pipelines.program import read_json, write_json

Name = str | os.PathLike[str]


def read_manifest(path: Name) -> list[Path]:
    """The files that a manifest names, in its order, as paths that can be opened.

    Raises:
        BadInput: it is no manifest, or a file that it names is missing.
    """
    document = read_json(path)
    check(document, "manifest", path)
    files = [Path(path).parent / name for name in document["files"]]
    for name, file in zip(document["files"], files, strict=True):
        if not file.is_file():
            raise BadInput(f"names the file {name!r}, which is missing", where=path)
    return files


def write_manifest(path: Name, files: Iterable[Name]) -> None:
    """Write a manifest of ``files``, sorted, by their paths from the manifest's folder."""
    folder = Path(path).absolute().parent
    names = sorted(Path(os.path.relpath(Path(file).absolute(), folder)).as_posix() for file in files)
    write_json(path, {"type": "tracking_result", "files": names})


def find(path: Name) -> list[Path]:
    """The model files that ``path`` means: a folder's `*.geojson`, sorted; a manifest's; the file itself.

    Raises:
        BadInput: there is no such thing.
    """
    place = Path(path)
    if place.is_dir():
        return sorted(place.glob("*.geojson"))
    if not place.is_file():
        raise BadInput("no such file or folder", where=path)
    return read_manifest(place) if place.suffix == ".json" else [place]
