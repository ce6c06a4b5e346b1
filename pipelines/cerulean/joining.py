"""Slicks of a scene: which polygons are parts of one, and which are a second copy of another.

All geometries are in metres of one plane. Where none may lie stands in exclusions.py.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import median
from typing import TYPE_CHECKING, Any

from pipelines.cerulean.planes import polygons_of

if TYPE_CHECKING:
    from shapely.geometry.base import BaseGeometry

INSIDE = 0.5  # share of a polygon in a surer one beyond which it is a copy


@dataclass(frozen=True)
class Slick:
    """One or several polygons that were found and belong together.

    Attributes:
        geometry: Polygon or MultiPolygon.
        names, scores: class and score of each of its parts.
        max_confidence: the surest pixel of all.
        tile_sets: in which sets of tiles it was found, sorted.
    """

    geometry: BaseGeometry
    names: tuple[str, ...]
    scores: tuple[float, ...]
    max_confidence: float
    tile_sets: tuple[int, ...]

    @cached_property
    def name(self) -> str:
        """The commonest class of its parts; of two as common, that with the higher scores."""
        counts = Counter(self.names)
        sums: Counter[str] = Counter()
        for name, score in zip(self.names, self.scores, strict=True):
            sums[name] += score  # type: ignore[assignment]
        return max(sorted(counts), key=lambda name: (counts[name], sums[name]))

    @cached_property
    def score(self) -> float:
        """The median of its parts."""
        return float(median(self.scores))


def together(slicks: Sequence[Slick], geometry: BaseGeometry) -> Slick:
    """One slick of several, with a geometry of its own."""
    return Slick(
        geometry,
        tuple(name for one in slicks for name in one.names),
        tuple(score for one in slicks for score in one.scores),
        max(one.max_confidence for one in slicks),
        tuple(sorted({number for one in slicks for number in one.tile_sets})),
    )


def groups(slicks: Sequence[Slick], distance: float, across_classes: bool = False) -> list[list[Slick]]:
    """Slicks that are connected by steps of at most ``distance``, in the order of their first members.

    Args:
        across_classes: also those of different classes.
    """
    import numpy as np
    import shapely
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    if not slicks:
        return []
    shapes = [one.geometry for one in slicks]
    first, second = shapely.STRtree(shapes).query(shapes, predicate="dwithin", distance=distance)
    names = np.array([one.name for one in slicks])
    alike = np.ones(len(first), bool) if across_classes else names[first] == names[second]
    edges = coo_array((np.ones(alike.sum(), bool), (first[alike], second[alike])), shape=(len(slicks),) * 2)
    _, labels = connected_components(edges, directed=False)
    found: dict[int, list[Slick]] = {}
    for label, slick in zip(labels.tolist(), slicks, strict=True):
        found.setdefault(label, []).append(slick)
    return list(found.values())


def join(
    slicks: Sequence[Slick], distance: float = 1000.0, closing: float = 500.0, across_classes: bool = False
) -> list[Slick]:
    """Each group of slicks (see `groups`) as one: dissolved, gaps up to twice ``closing`` wide closed."""
    import shapely

    found = []
    for group in groups(slicks, distance, across_classes):
        shape = shapely.union_all([one.geometry for one in group])
        if closing > 0:
            shape = shapely.union(shape, shape.buffer(closing).buffer(-closing))  # it never loses a part
        found.append(together(group, polygons_of(shape)))
    return found


def without_copies(
    slicks: Sequence[Slick], iou_threshold: float | None = 0.2
) -> tuple[list[Slick], list[Slick]]:
    """Those that stay, surest first, and those that go.

    One goes whose intersection over union with a surer one that stays is above the threshold, or that lies in
    such a one with more than half of its area.

    Args:
        iou_threshold: None: all stay.
    """
    import shapely

    ordered = sorted(slicks, key=_rank)
    if iou_threshold is None or not ordered:
        return ordered, []
    shapes = [one.geometry for one in ordered]
    tree = shapely.STRtree(shapes)
    stays: list[bool] = []
    for number, shape in enumerate(shapes):
        surer = (other for other in sorted(tree.query(shape, "intersects").tolist()) if other < number)
        stays.append(not any(stays[other] and _copy(shape, shapes[other], iou_threshold) for other in surer))
    kept = [one for one, stay in zip(ordered, stays, strict=True) if stay]
    return kept, [one for one, stay in zip(ordered, stays, strict=True) if not stay]


def _rank(slick: Slick) -> tuple[Any, ...]:
    """Surest first; then the larger, then by place."""
    return (-slick.score, -slick.max_confidence, -slick.geometry.area, slick.geometry.bounds, slick.name)


def _copy(shape: BaseGeometry, surer: BaseGeometry, iou_threshold: float) -> bool:
    both = shape.intersection(surer).area
    union = shape.area + surer.area - both
    return bool(both > iou_threshold * union or both > INSIDE * shape.area)
