"""Which images a window takes: places, space modes and periods, against tables made by hand."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely import from_wkt
from shapely.geometry import box

from pipelines.errors import BadInput
from pipelines.esrun import matching
from pipelines.esrun.dataset_config import ItemSpec, Query, Source
from pipelines.esrun.local_files import Index, Item, list_items
from pipelines.esrun.projection import Projection
from tests.pipelines.esrun.source_images import LEFT, TOP, UTM, window, write_image

START, END = datetime(2024, 1, 1, tzinfo=UTC), datetime(2024, 4, 1, tzinfo=UTC)
# The window of rslearn's documentation: A and D cover it, B its left half, C its right half.
DOCS = {"A": (0, 0, 10, 10), "B": (0, 0, 5, 10), "C": (5, 0, 10, 10), "D": (0, 0, 10, 10)}


def item(name, bounds):
    left, top, right, bottom = bounds
    shape = box((LEFT + left) * 10, -(TOP + top) * 10, (LEFT + right) * 10, -(TOP + bottom) * 10)
    return Item(name, UTM, shape, (f"{name}.tif",))


def names(found):
    return ["".join(one.name for one in group) for group in found]


def met(one, shapes):
    return Index([item(name, bounds) for name, bounds in shapes.items()]).meeting(one)


@pytest.mark.parametrize(
    ("mode", "most", "expected"),
    [
        ("MOSAIC", 2, ["A", "BC"]),
        ("MOSAIC", 1, ["A"]),
        ("MOSAIC", 5, ["A", "BC", "D"]),
        ("CONTAINS", 2, ["A", "D"]),
        ("CONTAINS", 1, ["A"]),
        ("INTERSECTS", 2, ["A", "B"]),
        ("INTERSECTS", 9, ["A", "B", "C", "D"]),
        ("SINGLE_COMPOSITE", 1, ["ABCD"]),
    ],
)
def test_space_modes_choose_as_rslearns_documentation_has_it(mode, most, expected):
    one = window(0, 0, 10, 10)
    assert names(matching.choose(Query(mode), one, met(one, DOCS), most)) == expected


def test_items_that_only_touch_a_window_are_left_out():
    shapes = {"west": (-5, 0, 0, 10), "far": (500, 0, 510, 10), "in": (9, 9, 20, 20)}
    assert [one.name for one, _ in met(window(0, 0, 10, 10), shapes)] == ["in"]


def test_a_sliver_of_a_window_counts_that_rslearn_leaves_out():
    one = window(0, 0, 64, 64)
    shapes = {"a": (-90, -90, 4, 4), "b": (4, 0, 70, 70)}
    assert names(matching.mosaics(one, met(one, shapes), 1)) == ["ab"]


@given(
    st.lists(st.tuples(*[st.integers(-4, 8)] * 2, *[st.integers(1, 12)] * 2), max_size=7), st.integers(1, 3)
)
@settings(max_examples=60)
def test_the_first_mosaic_covers_all_that_any_item_covers(rectangles, most):
    shapes = {str(n): (x, y, x + w, y + h) for n, (x, y, w, h) in enumerate(rectangles)}
    one = window(0, 0, 10, 10)
    found = met(one, shapes)
    groups = matching.mosaics(one, found, most)

    covered = lambda picked: {  # noqa: E731
        (x, y) for n in picked for x in range(10) for y in range(10)
        if shapes[n][0] <= x < shapes[n][2] and shapes[n][1] <= y < shapes[n][3]
    }  # fmt: skip
    assert len(groups) <= most
    if found:
        assert covered([one.name for one in groups[0]]) == covered(shapes)
    for group in groups:  # each item adds something to those before it
        for n in range(len(group)):
            assert covered([group[n].name]) - covered([one.name for one in group[:n]])


def test_fewer_than_min_matches_is_none():
    one = window(0, 0, 10, 10)
    source = Source(Path(), "im", Query("CONTAINS", 5, min_matches=3))
    assert matching.match(one, source, met(one, DOCS)) == []


def test_the_time_asked_for_is_moved_and_lasts():
    def asked(**how):
        return matching.request_time((START, END), Source(Path(), "im", Query(), **how))

    assert asked() == (START, END)
    assert asked(offset=timedelta(30)) == (START + timedelta(30), END + timedelta(30))
    assert asked(duration=timedelta(180)) == (START, START + timedelta(180))
    assert asked(offset=timedelta(-5), duration=timedelta(3)) == (
        START - timedelta(5), START - timedelta(2)
    )  # fmt: skip


@pytest.mark.parametrize(("newest_first", "days"), [(True, [61, 31, 1]), (False, [1, 31, 61])])
def test_periods_are_whole_and_counted_from_the_end(newest_first, days):
    query = Query(max_matches=5, period=timedelta(30), newest_first=newest_first)
    found = matching.periods((START, END), query)  # 91 days: the first day is left over
    assert [(one[0] - START).days for one in found] == days
    newest = matching.periods((START, END), Query(max_matches=1, period=timedelta(30)))
    assert [(one[0] - START).days for one in newest] == [61]


def test_a_period_needs_a_time():
    source = Source(Path(), "im", Query(period=timedelta(30)))
    one = window(0, 0, 10, 10)
    with pytest.raises(BadInput, match="period_duration: the window w has no time"):
        matching.match(one, source, met(one, DOCS))
    spanned = replace(one, time_range=(START, END))
    found = matching.match(
        spanned, replace(source, query=replace(source.query, max_matches=2)), met(one, DOCS)
    )
    assert names([group.items for group in found]) == ["A", "A"]


def test_items_of_another_crs_are_found_by_their_real_outline(tmp_path):
    # 0.001 degrees at 39.75 N are 85.6 m by 111 m, so the image covers 8.56 by 11.1 pixels
    write_image(tmp_path / "ll.tif", np.ones((1, 10, 10), "uint8"), size=1e-4, crs="EPSG:4326",
                corner=(-105, 39.75))  # fmt: skip
    index = Index(list_items(Source(tmp_path, "im", Query())))
    corner = from_wkt("POINT (50000 -440001.03)")  # by pyproj: 500000 m east, 4400010.3 m north
    assert [one.name for one, _ in index.meeting(window(0, -7, 8, 4))] == ["ll"]
    assert index.meeting(window(9, -7, 20, 4)) == []
    ((_, share),) = index.meeting(window(-50, -50, 50, 50))
    assert share.area == pytest.approx(8.563 * 11.104, rel=1e-3)
    assert share.distance(corner) < 0.1
    assert index.meeting(window(0, 0, 10, 10, projection=Projection("EPSG:32633", 10, -10))) == []


def test_files_are_listed_by_name_below_the_folder(tmp_path):
    for name in ("b.tif", "a/z.TIF", "a/b/c.tiff", ".hidden.tif"):
        write_image(tmp_path / name, np.ones((2, 4, 4), "uint8"))
    (tmp_path / "a/z.TIF.aux.xml").write_text("<x/>")
    found = list_items(Source(tmp_path, "im", Query()))
    assert [one.fnames[0] for one in found] == ["a/b/c.tiff", "a/z.TIF", "b.tif"]
    assert found[0].files[0].bands == ("B1", "B2")


def test_item_specs_name_the_bands_of_several_files(tmp_path):
    for name in ("red.tif", "nir.tif"):
        write_image(tmp_path / name, np.ones((1, 4, 4), "uint8"))
    spec = ItemSpec(("red.tif", "nir.tif"), (("R",), ("N",)), "scene")
    (found,) = list_items(Source(tmp_path, "im", Query(), (spec,)))
    assert (found.name, [one.bands for one in found.files]) == ("scene", [("R",), ("N",)])
    wrong = ItemSpec(("red.tif",), (("R", "G"),))
    with pytest.raises(BadInput, match=r"red\.tif: has 1 bands, not 2 as its item says"):
        list_items(Source(tmp_path, "im", Query(), (wrong,)))


def test_folders_and_files_that_cannot_be_used_are_named(tmp_path):
    def listed(folder):
        return list_items(Source(tmp_path / folder, folder, Query()))

    with pytest.raises(BadInput, match=r"none: no such folder of source images"):
        listed("none")
    (tmp_path / "empty").mkdir()
    with pytest.raises(BadInput, match=r"empty: holds no \.tif or"):
        listed("empty")
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "x.tif").write_bytes(b"II*\0 this is no image")
    with pytest.raises(BadInput, match=r"bad/x\.tif: cannot be opened"):
        listed("bad")
    write_image(tmp_path / "nowhere" / "x.tif", np.ones((1, 4, 4), "uint8"), crs="")
    with pytest.raises(BadInput, match=r"nowhere/x\.tif: has no coordinate reference system"):
        listed("nowhere")
