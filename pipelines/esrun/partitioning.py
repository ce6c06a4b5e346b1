"""The first step: a request becomes partitions, each with its windows, as files.

How cells are made and pruned does not belong here; nor building the windows.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.errors import BadInput
from pipelines.esrun.features import Feature, FeatureCollection, collection, read_features
from pipelines.esrun.project import PARTITIONING, Project
from pipelines.esrun.projection import Bounds, Placed, Projection, to_lonlat
from pipelines.esrun.pruning import parts_of, pieces
from pipelines.esrun.scratch import Part
from pipelines.esrun.thin_features import handed_out
from pipelines.esrun.tools.partitioners.partition_interface import PartitionInterface
from pipelines.esrun.window_names import window_name
from pipelines.program import staged, write_json

if TYPE_CHECKING:
    from shapely.geometry.base import BaseGeometry

LISTING = "partitions.json"
Wanted = list[tuple[Feature, list["BaseGeometry"]]]  # a feature of a partition, what it holds of the request
PREFIX = "partition_"
FARTHEST = 2**40  # pixels; the world in tenths of a millimetre


def partition(project: Project, request: Path, out: Path) -> list[str]:
    """Write request.geojson and windows.geojson in `<out>/<id>` for each partition, then partitions.json.

    Features of windows.geojson are windows in lon/lat with the properties of the request's feature and
    `oe_window_name`, `_crs`, `_x_resolution`, `_y_resolution` and `_bounds` (left, top, right, bottom in
    pixels). Partitions and windows that miss the request are left out, but numbers count them: `partition_3`
    is the fourth cell, whatever the request holds of the first three. Cells of points and lines hold these
    instead of the cell, see `handed_out`. All is written, or nothing. What an
    earlier request left in ``out`` goes, and so do results of partitions that are now others.

    Returns:
        ids, sorted as text.

    Raises:
        BadInput: the request cannot be read, a partitioner cannot do its part, nothing of the request is in
            any partition, or a window crosses the antimeridian.
    """
    asked = read_features(request)
    splitter, windower = (
        project.strategy("partition_strategies", name, PartitionInterface) for name in PARTITIONING
    )
    ids = []
    with staged(out, out / LISTING) as hidden:
        for number, wanted in _partitions(splitter.partition_request_geometry(asked), asked):
            windows = _windows(windower, wanted, request)
            if windows:
                part = Part(hidden / f"{PREFIX}{number}")
                _write(part.request, (feature for feature, _ in wanted), request)
                _write(part.windows, windows, request)
                ids.append(part.id)
        if not ids:
            raise BadInput("no partition holds any of its features", where=request)
        ids.sort()
        write_json(hidden / LISTING, listing(ids))
        _settle(out, hidden, ids)
    return ids


def listing(ids: Iterable[str]) -> list[dict[str, Any]]:
    """Partitions as the items of a scatter."""
    return [{"key": one, "values": {"partition_id": one}} for one in ids]


def _partitions(found: Sequence[FeatureCollection], asked: FeatureCollection) -> Iterator[tuple[int, Wanted]]:
    """Numbers of the partitions that hold something of the request, with those of their features that do."""
    parts = handed_out(found, asked)
    cells = {id(feature) for part in found for feature in part}
    inside = pieces(parts_of(asked), [one.geometry for part in parts for one in part if id(one) in cells])
    for number, part in enumerate(parts):
        # what was cut out of a line does not meet it to the last digit
        all_held = [(one, next(inside) if id(one) in cells else [one.geometry]) for one in part]
        wanted = [(feature, held) for feature, held in all_held if held]
        if wanted:
            yield number, wanted


def _windows(windower: PartitionInterface, wanted: Wanted, request: Path) -> list[Feature]:
    made = windower.prepare_window_geometries(collection(feature for feature, _ in wanted))
    made = [(feature, placed) for feature, placed in made if not placed.shape.is_empty]
    bounds = [_at_least_a_pixel(placed.bounds()) for _, placed in made]
    shapes = _lonlat([placed.projection for _, placed in made], bounds, request)
    kept = _kept(made, shapes, wanted) if windower.covers else [True] * len(made)
    return _named(
        (feature, placed.projection, inside, shape)
        for (feature, placed), inside, shape, keep in zip(made, bounds, shapes, kept, strict=True)
        if keep
    )


def _at_least_a_pixel(bounds: Bounds) -> Bounds:
    """Raises BadInput: a window beyond any pixel of the world."""
    left, top, right, bottom = bounds
    if max(map(abs, bounds)) > FARTHEST:
        raise BadInput(f"a window reaches to pixel {max(map(abs, bounds)):.1e}",
                       hint="is its size in pixels, and the resolution in units of the CRS?")  # fmt: skip
    return left, top, max(right, left + 1), max(bottom, top + 1)


def _lonlat(projections: Sequence[Projection], bounds: Sequence[Bounds], request: Path) -> list[Any]:
    """The windows in lon/lat; all of one projection at once, as a call costs more than a window."""
    import numpy as np
    import shapely

    found = np.empty(len(bounds), dtype=object)
    for projection in dict.fromkeys(projections):
        numbers = [number for number, one in enumerate(projections) if one == projection]
        boxes: Any = shapely.box(*np.array([bounds[number] for number in numbers], dtype=float).T)
        found[numbers] = to_lonlat(boxes, projection)
    west, _, east, _ = shapely.bounds(found).reshape(-1, 4).T
    for number in np.flatnonzero(~(east - west <= 180)).tolist():
        raise BadInput(
            f"a window at {bounds[number]} in pixels of {projections[number].crs} crosses the antimeridian"
            " or leaves that CRS",
            where=request, hint="end the request a window before it, or choose another output_projection",
        )  # fmt: skip
    return list(found)


def _kept(made: Sequence[tuple[Feature, Placed]], shapes: Sequence[Any], wanted: Wanted) -> list[bool]:
    """Whether each window holds something of the request that its own feature holds, too."""
    every = [piece for _, held in wanted for piece in held]
    kept = [False] * len(made)
    by_feature: dict[int, list[int]] = {}
    for number, (feature, _) in enumerate(made):
        by_feature.setdefault(id(feature), []).append(number)
    held_by = {id(feature): held for feature, held in wanted}
    for feature_id, numbers in by_feature.items():
        inside = pieces(held_by.get(feature_id, every), [shapes[number] for number in numbers])
        for number, found in zip(numbers, inside, strict=True):
            kept[number] = bool(found)
    return kept


def _named(windows: Iterable[tuple[Feature, Projection, Bounds, BaseGeometry]]) -> list[Feature]:
    """Windows with names of their own; one that is asked for twice in the same words is one."""
    found: dict[str, Feature] = {}
    for feature, projection, bounds, shape in windows:
        stem = window_name(projection, bounds, feature.time_range)
        name, again = stem, 0
        while name in found and not _same(found[name], feature):
            again += 1
            name = f"{stem}_{again}"
        told = {f"oe_window_{key}": value for key, value in projection.to_json().items()}
        told |= {"oe_window_name": name, "oe_window_bounds": list(bounds)}
        found.setdefault(name, Feature(shape, {**feature.properties, **told}, feature.id))
    return list(found.values())


def _same(window: Feature, asking: Feature) -> bool:
    own = {key: value for key, value in window.properties.items() if not key.startswith("oe_window_")}
    return window.id == asking.id and own == dict(asking.properties)


def _settle(out: Path, hidden: Path, ids: Sequence[str]) -> None:
    """Move partitions to their places; those that are there as they should be stay, with their results."""
    (out / LISTING).unlink(missing_ok=True)  # it must not list what is not its own
    for folder in sorted(out.glob(f"{PREFIX}*")):
        ours = re.fullmatch(rf"{PREFIX}\d+", folder.name) and Part(folder).request.is_file()
        if ours and not (folder.name in ids and _same_files(Part(folder), Part(hidden / folder.name))):
            shutil.rmtree(folder)
    for one in ids:
        if not (out / one).exists():
            (hidden / one).replace(out / one)


def _same_files(old: Part, new: Part) -> bool:
    pairs = ((old.request, new.request), (old.windows, new.windows))
    return all(a.is_file() and a.read_bytes() == b.read_bytes() for a, b in pairs)


def _write(path: Path, features: Iterable[Feature], where: Path) -> None:
    """GeoJSON with a feature a line: json writes it ten times as fast as with an indent.

    Raises BadInput: a feature of the file ``where`` cannot be written, such as one that says NaN.
    """
    try:
        lines = [json.dumps(one.to_json(), sort_keys=True, allow_nan=False) for one in features]
    except ValueError as error:
        raise BadInput(f"a feature says what JSON cannot ({error})", where=where) from None
    path.parent.mkdir(parents=True, exist_ok=True)
    text = ",\n".join(lines)
    path.write_text(f'{{"features": [\n{text}\n], "type": "FeatureCollection"}}\n', encoding="utf-8")
