"""Windows that preparers make of tasks.

Expected windows of the tables were looked up in olmoearth-runner 0.1.14 where it is right; it shifts points
toward zero, transposes tasks that are not square and drops a task's last row and column of pixels.
"""

import math
from dataclasses import replace

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.path import Path as Outline
from pyproj import Transformer

from pipelines.errors import BadInput
from pipelines.esrun.annotations import Annotation, AnnotationTask
from pipelines.esrun.rasterizing import MOST
from pipelines.esrun.tools.labeled_window_preparers.point_to_pixel_window_preparer import (
    PointToPixelWindowPreparer,
)
from pipelines.esrun.tools.labeled_window_preparers.point_to_raster_window_preparer import (
    PointToRasterWindowPreparer,
)
from pipelines.esrun.tools.labeled_window_preparers.polygon_to_raster_window_preparer import (
    PolygonToRasterWindowPreparer,
)
from pipelines.esrun.tools.samplers.choose_n_sampler import ChooseNSampler
from tests.pipelines.esrun.labelled_projects import box, point

AREA = box(440000.5, 4460000.5, 440639.5, 4460639.5)  # a hair less than 64 x 64 pixels of 10 m
WIDE = box(440000.5, 4460000.5, 441009.5, 4460709.5)  # 101 x 71
ICE = Annotation(box(440100, 4460100, 440300, 4460200), 1, place="feature 0 of annotation_features.geojson")
ROCK = Annotation(box(440200, 4460150, 440400, 4460450), 2, place="feature 1 of annotation_features.geojson")


def area(shape=AREA, *annotations):
    return AnnotationTask("t", shape, None, annotations or (ICE, ROCK))


def counts(window, nodata=255):
    values, numbers = np.unique(window.labels.values, return_counts=True)
    return {v: n for v, n in zip(values.tolist(), numbers.tolist(), strict=True) if v != nodata}


def test_later_polygons_lie_over_earlier_ones():
    (window,) = PolygonToRasterWindowPreparer().prepare_labeled_windows(area())
    assert window.projection.to_json() == {"crs": "EPSG:32613", "x_resolution": 10, "y_resolution": -10}
    assert window.bounds == (44000, -446064, 44064, -446000) and window.size == (64, 64)
    assert counts(window) == {1: 150, 2: 600} and window.labels.values.dtype == np.uint8
    (other,) = PolygonToRasterWindowPreparer().prepare_labeled_windows(area(AREA, ROCK, ICE))
    assert counts(other) == {1: 200, 2: 550}


def test_a_task_that_is_not_square_keeps_its_sides():
    (window,) = PolygonToRasterWindowPreparer().prepare_labeled_windows(area(WIDE))
    assert window.size == (71, 101) and window.labels.values.shape == (71, 101)
    rows, columns = np.nonzero(window.labels.values == 2)
    assert (columns.min(), columns.max(), rows.min(), rows.max()) == (20, 39, 26, 55)


@pytest.mark.parametrize(
    ("size", "strategy", "wanted"),
    [
        (48, "CENTER_CROP", {(44008, -446056): {1: 150, 2: 600}}),
        (
            32,
            "PAD_TO_FILL",
            {
                (44000, -446064): {2: 156},
                (44032, -446064): {2: 104},
                (44000, -446032): {1: 150, 2: 204},
                (44032, -446032): {2: 136},
            },
        ),
        (
            48,
            "PAD_TO_FILL",
            {
                (44000, -446064): {1: 40, 2: 580},
                (44000, -446016): {1: 110, 2: 20},
            },  # (44048, ...) hold nothing
        ),
    ],
)
def test_a_grid_of_windows(size, strategy, wanted):
    config = {"window_size_px": size, "gridding_strategy": strategy}
    windows = PolygonToRasterWindowPreparer(grid_config=config).prepare_labeled_windows(area())
    assert {window.bounds[:2]: counts(window) for window in windows} == wanted
    assert len({window.name for window in windows}) == len(windows)
    assert all(window.size == (size, size) for window in windows)


def test_a_task_smaller_than_a_window(capsys):
    crop, pad = (
        PolygonToRasterWindowPreparer(grid_config={"window_size_px": 100, "gridding_strategy": how})
        for how in ("CENTER_CROP", "PAD_TO_FILL")
    )
    assert crop.prepare_labeled_windows(area()) == []
    assert "task t is smaller than a window" in capsys.readouterr().err
    assert [window.size for window in pad.prepare_labeled_windows(area())] == [(100, 100)]


def test_padding_has_no_class():
    everywhere = replace(ICE, geometry=box(430000, 4450000, 450000, 4470000))
    preparer = PolygonToRasterWindowPreparer(
        grid_config={"window_size_px": 40, "gridding_strategy": "PAD_TO_FILL"}
    )
    windows = preparer.prepare_labeled_windows(area(AREA, everywhere))
    assert [counts(window) for window in windows] == [{1: n} for n in (1600, 960, 960, 576)]
    assert np.all(windows[-1].labels.values[24:] == 255) and np.all(windows[-1].labels.values[:24, :24] == 1)


def test_a_task_without_any_label_gives_no_window():
    far = replace(ICE, geometry=box(441000, 4461000, 441100, 4461100))
    for annotations in ((far,), ()):
        task = AnnotationTask("t", AREA, None, annotations)
        assert PolygonToRasterWindowPreparer().prepare_labeled_windows(task) == []


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.floats(0, 640), st.floats(0, 640)), min_size=3, max_size=6), st.integers(2, 64))
def test_every_pixel_has_the_class_of_its_centre(corners, size):
    """Against matplotlib's point in polygon, on the hull of some corners and every grid."""
    back = Transformer.from_crs("EPSG:32613", "EPSG:4326", always_xy=True)
    hull = shapely.MultiPoint([(440000 + x, 4460000 + y) for x, y in corners]).convex_hull
    if hull.geom_type != "Polygon" or hull.area < 1:
        return
    shape = shapely.transform(hull, lambda xy: np.column_stack(back.transform(*xy.T)))
    config = {"window_size_px": size, "gridding_strategy": "PAD_TO_FILL"}
    task = AnnotationTask("t", AREA, None, (Annotation(shape, 5),))
    outline = Outline(np.array(hull.exterior.coords) - (440000, 4460000))
    for window in PolygonToRasterWindowPreparer(grid_config=config).prepare_labeled_windows(task):
        left, top = window.bounds[:2]
        y, x = np.mgrid[:size, :size] + 0.5
        metres = np.column_stack([((left + x) * 10 - 440000).ravel(), (-(top + y) * 10 - 4460000).ravel()])
        sure = outline.contains_points(metres, radius=1e-3) == outline.contains_points(metres, radius=-1e-3)
        x, y = metres.T
        inside = outline.contains_points(metres) & (x > 0) & (x < 640) & (y > 0) & (y < 640)
        found = window.labels.values.ravel() == 5
        assert np.array_equal(found[sure], inside[sure])


def test_a_task_over_two_zones_is_an_error_or_left_out(capsys):
    task = AnnotationTask(
        "t",
        shapely.box(-102.02, 40, -101.999, 40.01),
        None,
        (replace(ICE, geometry=shapely.box(-101.9995, 40, -101.9991, 40.001)),),
    )
    with pytest.raises(BadInput, match="task t spans UTM zones.*EPSG:32613, feature 0.*EPSG:32614"):
        PolygonToRasterWindowPreparer().prepare_labeled_windows(task)
    dropping = PolygonToRasterWindowPreparer(drop_inconsistent_utm=True)
    assert dropping.prepare_labeled_windows(task) == []
    assert "warning: task t spans UTM zones" in capsys.readouterr().err


@pytest.mark.parametrize("resolution", [10.0, 2.5, 30.0])
@pytest.mark.parametrize("place", [(-105.695, 40.3051), (-71.6, -40.3051), (179.99, -16.2), (0.001, 0.001)])
def test_a_pixel_holds_its_point(place, resolution):
    spot = Annotation(shapely.Point(place), 1)
    (window,) = PointToPixelWindowPreparer(resolution).prepare_labeled_windows(area(AREA, spot))
    left, top, right, bottom = window.bounds
    assert (right - left, bottom - top) == (1, 1) and window.labels == (spot,)
    move = Transformer.from_crs("EPSG:4326", window.projection.crs, always_xy=True)
    x, y = move.transform(*place)
    assert left == math.floor(x / resolution) and top == math.floor(-y / resolution)
    south = 700 if place[1] < 0 else 600
    assert window.projection.crs == f"EPSG:32{south + int((place[0] + 180) // 6) + 1}"


def test_points_on_one_pixel_have_windows_of_their_own():
    spots = [Annotation(point(440105 + i, 4460105), i) for i in range(3)]
    windows = PointToPixelWindowPreparer().prepare_labeled_windows(area(AREA, *spots))
    assert len({window.name for window in windows}) == 3
    assert {window.bounds for window in windows} == {(44010, -446011, 44011, -446010)}


def test_tasks_whose_ids_cannot_be_folders_have_names_of_their_own():
    names = [PointToPixelWindowPreparer().prepare_labeled_windows(
        AnnotationTask(task_id, AREA, None, (Annotation(point(440105, 4460105), 1),)))[0].name
        for task_id in ("site 1", "site/1", "site-1", "../1")]  # fmt: skip
    assert len(set(names)) == 4 and names[2] == "task_site-1_32613_44010_-446011"
    assert not any("/" in name or " " in name for name in names)


def test_a_window_round_a_point():
    spot = Annotation(point(440105, 4460105), 3.5)
    (window,) = PointToRasterWindowPreparer(2, 10.0, "float32", -1).prepare_labeled_windows(area(AREA, spot))
    assert window.bounds == (44008, -446013, 44013, -446008)
    wanted = np.full((5, 5), -1, np.float32)
    wanted[2, 2] = 3.5
    assert np.array_equal(window.labels.values, wanted) and window.labels.values.dtype == np.float32


BYTES = PointToRasterWindowPreparer(1, 10, "uint8", 0)
BAD = {
    "point for polygons": (
        PolygonToRasterWindowPreparer(),
        point(440105, 4460105),
        1,
        "Point; wanted is a Polygon",
    ),
    "polygon for pixels": (PointToPixelWindowPreparer(), AREA, 1, "is a Polygon; wanted is a Point"),
    "polygon for windows": (BYTES, AREA, 1, "is a Polygon; wanted is a Point"),
    "many points": (BYTES, shapely.MultiPoint([(1, 1), (2, 2)]), 1, "is a MultiPoint"),
    "class is nodata": (BYTES, point(440105, 4460105), 0, "label 0 is the nodata_value"),
    "class above a byte": (PolygonToRasterWindowPreparer(), AREA, 256, r"label 256 is no uint8 \(0 to 255\)"),
    "broken class": (PolygonToRasterWindowPreparer(), AREA, 1.5, "label 1.5 is no uint8"),
}


@pytest.mark.parametrize("name", BAD)
def test_an_annotation_that_does_not_fit_is_named(name):
    preparer, shape, label, said = BAD[name]
    with pytest.raises(BadInput, match=f"feature 8 .*{said}"):
        preparer.prepare_labeled_windows(area(AREA, Annotation(shape, label, place="feature 8 of it")))


def test_a_task_of_points_has_no_area():
    with pytest.raises(BadInput, match="task t is a Point"):
        PolygonToRasterWindowPreparer().prepare_labeled_windows(area(point(440105, 4460105), ICE))


def test_a_task_of_half_a_country_needs_a_grid():
    country = AnnotationTask("t", shapely.box(-107.9, 37, -102.1, 41), None, ())
    with pytest.raises(BadInput, match="task t has .* pixels; give a grid_config"):
        PolygonToRasterWindowPreparer().check(country)
    PolygonToRasterWindowPreparer(grid_config={"window_size_px": 64}).check(country)
    assert MOST >= 2**26


@pytest.mark.parametrize(
    "make",
    [
        lambda: PointToPixelWindowPreparer(0),
        lambda: PolygonToRasterWindowPreparer(-10.0),
        lambda: PolygonToRasterWindowPreparer(nodata_value=300),
        lambda: PointToRasterWindowPreparer(-1, 10, "uint8", 0),
        lambda: PointToRasterWindowPreparer(1, 10, "int12", 0),
        lambda: PointToRasterWindowPreparer(1, 10, "uint8", 1.5),  # would become 1, which may be a class
        lambda: PointToRasterWindowPreparer(1, 10, "uint8", math.inf),
        lambda: PointToRasterWindowPreparer(10**9, 10, "uint8", 0),
        lambda: PolygonToRasterWindowPreparer(grid_config={"window_size_px": 10**9}),
        lambda: ChooseNSampler(0),
    ],
)
def test_arguments_that_cannot_be(make):
    with pytest.raises(ValueError):
        make()


def test_n_tasks_are_chosen_the_same_way_each_time():
    tasks = [AnnotationTask(str(i), AREA) for i in range(100)]
    chosen = ChooseNSampler(10).sample(tasks)
    assert len(chosen) == 10 and chosen == sorted(chosen, key=tasks.index)
    assert ChooseNSampler(10).sample(tasks[::-1]) == chosen[::-1]
    assert ChooseNSampler(10, seed=1).sample(tasks) != chosen
    assert ChooseNSampler(1000).sample(tasks) == tasks
    more = ChooseNSampler(11).sample(tasks)
    assert set(map(id, chosen)) < set(map(id, more))
