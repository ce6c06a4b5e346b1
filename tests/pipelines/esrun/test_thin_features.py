"""Points and lines in cells of partitions: where each goes, by hand and over random requests."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from shapely import unary_union
from shapely.geometry import GeometryCollection, LineString, MultiPoint, Point, Polygon, box

from pipelines.esrun.features import Feature, collection
from pipelines.esrun.thin_features import handed_out
from pipelines.esrun.tools.partitioners.chunk_partitioner import ChunkPartitioner
from pipelines.esrun.tools.partitioners.grid_partitioner import GridPartitioner
from pipelines.esrun.tools.partitioners.noop_partitioner import NoopPartitioner

GRID = GridPartitioner(1)


def shapes(*asked, tool=GRID):
    """For each partition the shapes of its features; asked are shapes, or (shape, properties)."""
    pairs = [one if isinstance(one, tuple) else (one, {}) for one in asked]
    request = collection(Feature(shape, properties) for shape, properties in pairs)
    parts = handed_out(tool.partition_request_geometry(request), request)
    return [[one.geometry for one in part] for part in parts]


@pytest.mark.parametrize(
    ("asked", "wanted"),
    [
        (Point(0.1, 0.1), [[Point(0.1, 0.1)]]),
        (Point(1, 1), [[Point(1, 1)]]),
        (Point(1 - 1e-12, 1), [[Point(1 - 1e-12, 1)]]),  # rounding; its only cell begins at 1
        # on the border of two cells, on a corner of four, and on the outermost corner
        (
            MultiPoint([(0.5, 0.5), (1, 0.5), (1, 1), (1.5, 1.5), (2, 2)]),
            [[Point(0.5, 0.5), Point(1, 0.5), Point(1, 1)], [], [], [Point(1.5, 1.5), Point(2, 2)]],
        ),
        (
            LineString([(0.5, 0.5), (1.5, 0.5)]),
            [[LineString([(0.5, 0.5), (1, 0.5)])], [LineString([(1, 0.5), (1.5, 0.5)])]],
        ),
        (
            LineString([(1, 0.2), (1, 0.8), (1.5, 0.8), (0.5, 0.1)]),
            [
                [
                    LineString([(1, 0.2), (1, 0.8)]).union(LineString([(1, 0.45), (0.5, 0.1)])),
                ],
                [LineString([(1, 0.8), (1.5, 0.8), (1, 0.45)])],
            ],
        ),
        (
            GeometryCollection([Point(0.5, 0.5), LineString([(1.2, 0.5), (1.8, 0.5)])]),
            [[Point(0.5, 0.5)], [LineString([(1.2, 0.5), (1.8, 0.5)])]],
        ),
    ],
)
def test_a_cell_becomes_what_it_has(asked, wanted):
    found = shapes(asked)
    assert len(found) == len(wanted)
    for mine, theirs in zip(found, wanted, strict=True):
        assert len(mine) == len(theirs)
        assert all(a.equals(b) for a, b in zip(mine, theirs, strict=True))


def test_areas_keep_their_cells():
    mixed = GeometryCollection([box(0, 0, 1, 1), Point(1.5, 0.5)])
    bow_tie = Polygon([(0, 0), (1, 1), (1, 0), (0, 1)])  # its area comes out as 0
    for asked in (mixed, bow_tie, box(0.2, 0.2, 1.2, 0.8)):
        assert all(one.area == 1 for part in shapes(asked) for one in part)


def test_each_feature_has_points_of_its_own():
    found = shapes((MultiPoint([(0.1, 0.1), (2.1, 0.1)]), {"n": 1}), (Point(0.2, 0.2), {"n": 2}),
                   (box(0, 0, 3, 1), {"n": 3}))  # fmt: skip
    assert found[:4] == [[Point(0.1, 0.1)], [], [Point(2.1, 0.1)], [Point(0.2, 0.2)]]
    assert [one.area for part in found[4:] for one in part] == [1, 1, 1]


@pytest.mark.parametrize("tool", [NoopPartitioner(), ChunkPartitioner(2)])
def test_features_that_are_handed_on_as_they_are_stay(tool):
    asked = [MultiPoint([(0.1, 0.1), (5, 5)]), Point(0.1, 0.1), LineString([(0, 0), (3, 3)])]
    assert [one for part in shapes(*asked, tool=tool) for one in part] == asked


def test_a_partitioner_may_copy_properties():
    class Copies(GridPartitioner):
        def partition_request_geometry(self, request):
            found = super().partition_request_geometry(request)
            return [collection(Feature(one.geometry, dict(one.properties)) for one in part) for part in found]

    assert shapes((Point(0.1, 0.1), {"n": 1}), tool=Copies(1)) == [[Point(0.1, 0.1)]]


@given(
    st.lists(st.tuples(st.integers(0, 12), st.integers(0, 12)), min_size=1, max_size=8, unique=True),
    st.booleans(),
    st.sampled_from([0, 0.5]),
)
def test_every_point_is_in_one_partition_and_every_line_is_whole(corners, clip, overlap):
    """Corners on a raster of which every third line is a border."""
    tool = GridPartitioner(0.3, overlap_size=overlap, clip=clip)
    places = [(x / 10, y / 10) for x, y in corners]
    found = [one for part in shapes(MultiPoint(places), tool=tool) for one in part]
    if len(found) == 1:
        assert found[0].equals(MultiPoint(places))
    else:
        assert sorted((one.x, one.y) for one in found) == sorted(places)
    if len(places) > 1:
        line = LineString(places)
        pieces = [one for part in shapes(line, tool=tool) for one in part]
        assert unary_union(pieces).hausdorff_distance(line) < 1e-9
