"""Features put together, without repeats, with fewer vertices."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely import LineString, MultiPoint, MultiPolygon, Point, Polygon, box

from pipelines.errors import BadInput
from pipelines.esrun.class_path import build
from pipelines.esrun.features import Feature, collection
from pipelines.esrun.tools.postprocessors.combine_and_deduplicate_geojson import CombineAndDeduplicateGeojson
from pipelines.esrun.tools.postprocessors.combine_geojson import CombineGeojson
from pipelines.esrun.tools.postprocessors.postprocess_interface import PostprocessInterfaceVector
from pipelines.esrun.tools.postprocessors.simplify_polygons import SimplifyPolygons

REQUEST = Feature(Point(3, 3), {"oe_start_time": "2024-01-01", "x": 1, "a": "asked"}, "r1")


def features(*shapes, **properties):
    return collection(Feature(shape, {"n": n, **properties}) for n, shape in enumerate(shapes))


def numbers(found):
    return [feature.properties["n"] for feature in found]


# Outcomes as olmoearth-runner 0.1.14 has them
@pytest.mark.parametrize("source", ["request", "result"])
@pytest.mark.parametrize("include", [True, False])
def test_the_properties_of_a_result_win(source, include):
    found = CombineGeojson(source, include).process_window(REQUEST, features(box(0, 0, 1, 1), a=1))
    [feature] = found
    assert feature.geometry == (Point(3, 3) if source == "request" else box(0, 0, 1, 1))
    asked = {"oe_start_time": "2024-01-01", "x": 1} if include else {}
    assert feature.properties == {**asked, "a": 1, "n": 0}


def test_results_are_joined_in_order():
    some, more = features(Point(0, 0), Point(1, 1)), features(Point(2, 2))
    for tool in (CombineGeojson(), PostprocessInterfaceVector()):
        assert [one.geometry.x for one in tool.process_partition([some, collection([]), more])] == [0, 1, 2]
        assert [one.geometry.x for one in tool.process_dataset([more, some])] == [2, 0, 1]
        assert len(tool.process_dataset([])) == 0


# Shapes, and which of them stay; outcomes as olmoearth-runner 0.1.14 has them
@pytest.mark.parametrize(
    ("shapes", "kept"),
    [
        ([], []),
        ([box(0, 0, 1, 1), box(0.01, 0, 1.01, 1), box(0.5, 0, 1.5, 1)], [0, 2]),
        ([Point(0, 0), Point(0, 0.0005), Point(0, 0.001), Point(0.5, 0.5), box(0, 0, 1, 1)], [0, 3, 4]),
        ([Point(0, k * 0.0009) for k in range(4)], [0, 2]),
        ([Point(0, 0), Point(0.001, 0.001), Point(0, 0.0011)], [0, 1, 2]),
        ([LineString([(0, 0), (1, 1)])] * 2 + [MultiPoint([(0, 0), (1, 1)])] * 2, [0, 2]),
        ([MultiPolygon([box(0, 0, 1, 1)]), box(0, 0, 1, 1)], [0]),
        ([Polygon([(0, 0), (1, 1), (1, 0), (0, 1)])] * 2, [0]),
    ],
)
def test_repeats_go(shapes, kept):
    tool = CombineAndDeduplicateGeojson()
    every = features(*shapes)
    assert numbers(tool.process_partition([every])) == kept
    assert numbers(tool.process_dataset([every])) == kept
    assert numbers(tool.process_window(REQUEST, every)) == kept


def test_an_iou_just_at_the_limit_is_a_repeat():
    shapes = features(box(0, 0, 2, 1), box(0, 0, 1, 1))
    assert numbers(CombineAndDeduplicateGeojson(min_iou=0.5).process_dataset([shapes])) == [0]
    assert numbers(CombineAndDeduplicateGeojson(min_iou=0.51).process_dataset([shapes])) == [0, 1]


def test_the_highest_score_stays_and_the_order_too():
    scores = [0.5, 0.9, None, 0.9, 0.1]
    places = [0, 0, 0, 0, 7]
    some = collection(
        Feature(Point(x, 0), {"n": n} if score is None else {"n": n, "score": score})
        for n, (x, score) in enumerate(zip(places, scores, strict=True))
    )
    assert numbers(CombineAndDeduplicateGeojson().process_dataset([some])) == [1, 4]
    assert numbers(CombineAndDeduplicateGeojson(score_property=None).process_dataset([some])) == [0, 4]


def brute_force(shapes, scores, min_iou, nearness):
    """Every pair, one after the other; the best first."""
    kept = []
    for n in sorted(range(len(shapes)), key=lambda n: (-scores[n], n)):
        repeats = False
        for k in kept:
            one, other = shapes[n], shapes[k]
            if one.geom_type == other.geom_type == "Point":
                repeats |= one.distance(other) <= nearness
            elif one.geom_type == other.geom_type:
                repeats |= one.intersection(other).area / one.union(other).area >= min_iou
        if not repeats:
            kept.append(n)
    return sorted(kept)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(0, 40), st.sampled_from([0.3, 0.503, 0.9]))
def test_repeats_as_by_brute_force(seed, count, min_iou):
    rng = np.random.default_rng(seed)
    corners, sizes = rng.uniform(0, 3, (count, 2)), rng.uniform(0.3, 2, (count, 2))
    shapes = [
        Point(x, y) if n % 3 == 0 else box(x, y, x + w, y + h)
        for n, ((x, y), (w, h)) in enumerate(zip(corners, sizes, strict=True))
    ]
    scores = rng.integers(0, 4, count) / 4
    some = collection(
        Feature(shape, {"n": n, "score": float(score)})
        for n, (shape, score) in enumerate(zip(shapes, scores, strict=True))
    )
    found = CombineAndDeduplicateGeojson(min_iou, point_nearness=0.25).process_dataset([some])
    assert numbers(found) == brute_force(shapes, scores, min_iou, 0.25)


def test_ten_thousand_features_are_no_matter():
    rng = np.random.default_rng(0)
    some = features(*(box(x, y, x + 0.01, y + 0.01) for x, y in rng.uniform(0, 3, (10_000, 2))))
    assert len(CombineAndDeduplicateGeojson().process_dataset([some])) > 9_000


def test_polygons_lose_vertices_and_stay_valid():
    dent = Polygon([(0, 0), (0.5, 0.001), (1, 0), (1, 1)])
    bow_tie = Polygon([(0, 0), (2, 2), (2, 0), (0, 2)])
    found = list(SimplifyPolygons().process_partition([features(dent, bow_tie, Point(1, 1))]))
    assert found[0].geometry.equals(Polygon([(0, 0), (1, 0), (1, 1)]))
    assert found[1].geometry.is_valid and found[1].geometry.area == pytest.approx(2)
    assert found[2].geometry == Point(1, 1)


def test_what_nothing_is_left_of_is_dropped():
    small, large = box(0, 0, 0.1, 0.1), box(3, 0, 5, 2)
    some = features(small, MultiPolygon([small, large]))
    assert numbers(SimplifyPolygons(0.5).process_dataset([some])) == [0, 1]
    [left] = SimplifyPolygons(0.5, preserve_topology=False).process_dataset([some])
    assert left.properties["n"] == 1 and left.geometry.equals(large)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.booleans())
def test_any_polygon_becomes_a_valid_one(seed, preserve):
    points = np.random.default_rng(seed).uniform(0, 1, (12, 2))
    tool = SimplifyPolygons(0.2, preserve)
    for feature in tool.process_window(REQUEST, features(Polygon(points))):
        assert feature.geometry.is_valid and feature.geometry.area > 0


@pytest.mark.parametrize(
    ("tool", "args", "words"),
    [
        (
            "combine_geojson.CombineGeojson",
            {"geometry_source": "both"},
            "'both' is neither request nor result",
        ),
        ("simplify_polygons.SimplifyPolygons", {"tolerance": -1}, "-1 is below 0"),
        ("combine_and_deduplicate_geojson.CombineAndDeduplicateGeojson", {"min_iou": 0}, "min_iou: 0"),
        ("combine_and_deduplicate_geojson.CombineAndDeduplicateGeojson", {"min_iou": 1.1}, "min_iou: 1.1"),
        ("combine_and_deduplicate_geojson.CombineAndDeduplicateGeojson", {"point_nearness": -1}, "below 0"),
        ("noop_raster.NoopRaster", {}, "NoopRaster is no PostprocessInterfaceVector"),
    ],
)
def test_arguments_that_cannot_be(tool, args, words):
    spec = {"class_path": f"olmoearth_run.runner.tools.postprocessors.{tool}", "init_args": args}
    with pytest.raises(BadInput) as caught:
        build(spec, PostprocessInterfaceVector, "a.b", "esrun.yaml")
    assert words in str(caught.value)
