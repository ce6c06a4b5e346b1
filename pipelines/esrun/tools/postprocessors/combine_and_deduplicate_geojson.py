"""The vector post-processor that leaves one of several features found by overlapping windows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from pipelines.esrun.features import Feature, FeatureCollection, collection
from pipelines.esrun.tools.postprocessors.postprocess_interface import PostprocessInterfaceVector, joined

if TYPE_CHECKING:
    from shapely.geometry.base import BaseGeometry

AREAS = ("Polygon", "MultiPolygon")


class CombineAndDeduplicateGeojson(PostprocessInterfaceVector):
    """All features in one collection, without those that repeat another.

    Two areas repeat each other from an intersection over union of ``min_iou`` on, two points up to a distance
    of ``point_nearness``; lines and collections when they are equal. Whatever else they say of themselves.
    Of repeats the one with the highest score stays, of equal scores (or none) the earliest; a feature goes
    only for one that stays. Order is kept.

    Args:
        min_iou: above 0, at most 1.
        point_nearness: in degrees.
        score_property: the property that holds the score, a number; a feature without it comes last.
    """

    def __init__(
        self, min_iou: float = 0.9, point_nearness: float = 0.001, score_property: str | None = "score"
    ):
        if not 0 < min_iou <= 1:
            raise ValueError(f"min_iou: {min_iou!r} is not above 0 and at most 1")
        if not point_nearness >= 0:
            raise ValueError(f"point_nearness: {point_nearness!r} is below 0")
        self.min_iou = min_iou
        self.point_nearness = point_nearness
        self.score_property = score_property

    def process_window(self, window_request: Feature, window_result: FeatureCollection) -> FeatureCollection:
        return self._distinct(window_result)

    def process_partition(self, partition_window_results: Sequence[FeatureCollection]) -> FeatureCollection:
        return self._distinct(joined(partition_window_results))

    def process_dataset(self, all_partitions_results: Sequence[FeatureCollection]) -> FeatureCollection:
        return self._distinct(joined(all_partitions_results))

    def _distinct(self, features: FeatureCollection) -> FeatureCollection:
        shapes = [feature.geometry for feature in features]
        scores = [self._score(feature) for feature in features]
        near = _neighbours(shapes, self.point_nearness)
        kept: set[int] = set()
        for number in sorted(range(len(shapes)), key=lambda one: (-scores[one], one)):
            rivals = (other for other in near[number] if other in kept)
            if not any(self._repeat(shapes[number], shapes[other]) for other in rivals):
                kept.add(number)
        return collection(feature for number, feature in enumerate(features) if number in kept)

    def _score(self, feature: Feature) -> float:
        found = feature.properties.get(self.score_property) if self.score_property else None
        is_number = isinstance(found, int | float) and not math.isnan(found)
        return float(found) if is_number and found is not None else -math.inf

    def _repeat(self, one: BaseGeometry, other: BaseGeometry) -> bool:
        kinds = {one.geom_type, other.geom_type}
        if kinds == {"Point"}:
            return one.distance(other) <= self.point_nearness
        if kinds <= set(AREAS):
            return _iou(one, other) >= self.min_iou
        return one.equals(other)


def _neighbours(shapes: list[BaseGeometry], nearness: float) -> list[list[int]]:
    """For each shape the numbers of those that may repeat it."""
    import numpy as np
    from shapely import STRtree, box, get_type_id

    if not shapes:
        return []
    bounds = np.array([shape.bounds for shape in shapes])
    points = get_type_id(np.array(shapes)) == 0
    bounds += np.outer(points * nearness, [-1, -1, 1, 1])  # boxes meet a little too often, never too seldom
    places = box(*bounds.T)
    near: list[list[int]] = [[] for _ in shapes]
    for number, other in STRtree(places).query(places).T.tolist():
        near[number].append(other)
    return near


def _iou(one: BaseGeometry, other: BaseGeometry) -> float:
    from shapely import make_valid

    one, other = (shape if shape.is_valid else make_valid(shape) for shape in (one, other))
    common = one.intersection(other).area
    whole = one.area + other.area - common
    return common / whole if whole > 0 else float(one.equals(other))
