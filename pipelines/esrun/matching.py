"""Which items a window takes, in which time steps: rslearn's space modes, and the times they are asked for.

Finding the items that meet a window, and reading them, do not belong here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipelines.errors import BadInput
from pipelines.esrun.dataset_config import Query, Source
from pipelines.esrun.local_files import LEAST, Item

if TYPE_CHECKING:
    from shapely.geometry.base import BaseGeometry

    from pipelines.esrun.dataset import TimeRange, Window

Met = Sequence[tuple[Item, "BaseGeometry"]]


@dataclass(frozen=True)
class Group:
    """The items of one time step, the preferred first, and the time they were asked for."""

    items: tuple[Item, ...]
    time_range: TimeRange | None = None


def match(window: Window, source: Source, met: Met) -> list[Group]:
    """The time steps that ``source.query`` makes of the items that meet a window.

    Local files are of any time, so a period takes the same items as the whole time would.

    Args:
        met: items with the part of the window that each covers, in pixels.

    Raises:
        BadInput: the query has a period, and the window no time.
    """
    query, span = source.query, request_time(window.time_range, source)
    if query.period is None:
        groups = [Group(items, span) for items in choose(query, window, met, query.max_matches)]
    elif span is None:
        raise BadInput(f"period_duration: the window {window.name} has no time to be cut into periods")
    else:
        best = choose(query, window, met, 1)
        groups = [Group(items, one) for one in periods(span, query) for items in best]
    return groups if len(groups) >= query.min_matches else []


def choose(query: Query, window: Window, met: Met, most: int) -> list[tuple[Item, ...]]:
    """Up to ``most`` groups of items, by the space mode."""
    if query.space_mode == "MOSAIC":
        return mosaics(window, met, most)
    if query.space_mode == "SINGLE_COMPOSITE":
        return [tuple(item for item, _ in met)] if met else []
    if query.space_mode == "CONTAINS":
        height, width = window.size
        met = [(item, share) for item, share in met if share.area >= height * width - LEAST]
    return [(item,) for item, _ in met[:most]]


def mosaics(window: Window, met: Met, most: int) -> list[tuple[Item, ...]]:
    """Each item goes to the first mosaic in which it covers something new.

    rslearn leaves out items that cover less than a share of the window; here each pixel counts, so that two
    windows that overlap see the same images where they do.
    """
    from shapely.geometry import box

    whole = box(*window.bounds)
    chosen: list[list[Item]] = []
    missing: list[BaseGeometry] = []
    for item, share in met:
        for number in range(most):
            if number == len(chosen):
                chosen.append([])
                missing.append(whole)
            if missing[number].intersection(share).area > LEAST:
                chosen[number].append(item)
                missing[number] = missing[number].difference(share)
                break
    return [tuple(items) for items in chosen if items]


def request_time(span: TimeRange | None, source: Source) -> TimeRange | None:
    """The time that a layer asks for: the window's, moved by the offset, and as long as the duration."""
    if span is None:
        return None
    start = span[0] + source.offset
    return start, span[1] + source.offset if source.duration is None else start + source.duration


def periods(span: TimeRange | None, query: Query) -> list[TimeRange]:
    """Whole periods, counted from the end of a time; what is left at its start is too short to be one."""
    if span is None or query.period is None:
        return []
    found: list[TimeRange] = []
    end = span[1]
    while len(found) < query.max_matches and end - query.period >= span[0]:
        found.append((end - query.period, end))
        end -= query.period
    return found if query.newest_first else found[::-1]


def to_json(layer: str, groups: Sequence[Group], source: Source) -> dict[str, Any]:
    """An entry of items.json, as rslearn keeps it."""
    return {
        "layer_name": layer,
        "serialized_item_groups": [[_item_json(item, source) for item in one.items] for one in groups],
        "group_time_ranges": [
            one.time_range and [end.isoformat() for end in one.time_range] for one in groups
        ],
        "materialized": False,
    }


def _item_json(item: Item, source: Source) -> dict[str, Any]:
    import shapely

    size = (item.grid.x_resolution, item.grid.y_resolution)
    shape = shapely.transform(item.footprint, lambda points: points / size)
    found: dict[str, Any] = {
        "name": item.name,
        "geometry": {"projection": item.grid.to_json(), "shp": shape.wkt, "time_range": None},
    }
    if not item.files:
        return {**found, "path_uri": f"{source.src_dir}/{item.fnames[0]}"}
    spec = item.spec
    bands = None if spec is None or spec.bands is None else [list(one) for one in spec.bands]
    return {
        **found, "src_dir": source.src_dir,
        "spec": {"fnames": list(item.fnames), "bands": bands, "name": spec and spec.name},
    }  # fmt: skip
