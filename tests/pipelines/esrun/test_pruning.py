"""What of a request lies in each cell, counted by hand and by way of whole overlays."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from shapely import unary_union
from shapely.geometry import GeometryCollection, LineString, MultiPoint, Point, Polygon, box

from pipelines.esrun.features import Feature, collection
from pipelines.esrun.pruning import parts_of, pieces

CELLS = [box(x, y, x + 1, y + 1) for x in range(3) for y in range(3)]


def held(*shapes, cells=CELLS):
    return list(pieces(parts_of(collection(Feature(shape) for shape in shapes)), cells))


@pytest.mark.parametrize(
    ("shape", "numbers"),
    [
        (box(0.5, 0.5, 1.5, 0.6), [0, 3]),
        (box(1, 1, 2, 2), [4]),  # touches all eight others
        (box(1, 1, 2 + 1e-13, 2), [4]),  # the rest is rounding
        (box(1, 1, 2.001, 2), [4, 7]),
        (Point(1, 1), [0, 1, 3, 4]),
        (MultiPoint([(0.5, 0.5), (2.5, 2.5)]), [0, 8]),
        (LineString([(0.2, 1), (0.8, 1)]), [0, 1]),
        (GeometryCollection([Point(0.5, 0.5), box(1, 1, 2, 2)]), [0, 4]),
        (Point(9, 9), []),
    ],
)
def test_which_cells_hold_something(shape, numbers):
    assert [number for number, found in enumerate(held(shape)) if found] == numbers


def test_cells_cut_to_nothing_or_to_a_line_hold_nothing_of_a_polygon():
    cells = [Polygon(), LineString([(1, 1), (1, 2)]), GeometryCollection([Point(1, 1), box(1, 1, 1.5, 2)])]
    assert [len(found) for found in held(box(1, 1, 2, 2), cells=cells)] == [0, 0, 1]
    assert held(Point(0, 0), cells=[]) == []


@given(st.lists(st.tuples(*[st.integers(0, 30)] * 2, *[st.integers(1, 20)] * 2), min_size=1, max_size=4))
def test_pieces_are_the_overlay(boxes):
    shapes = [box(x / 10, y / 10, (x + w) / 10, (y + h) / 10) for x, y, w, h in boxes]
    for cell, found in zip(CELLS, held(*shapes), strict=True):
        assert sum(piece.area for piece in found) == pytest.approx(
            sum(one.intersection(cell).area for one in shapes)
        )
        assert bool(found) == (unary_union(shapes).intersection(cell).area > 1e-9)
