"""Requests and annotations as GeoJSON, and what is wrong with bad ones."""

import json
from datetime import UTC, datetime

import pytest
from shapely.geometry import Point, box, mapping

from pipelines.errors import BadInput
from pipelines.esrun.features import Feature, collection, read_features, write_features


@pytest.fixture
def written(tmp_path):
    def write(*features, **top):
        path = tmp_path / "r.geojson"
        path.write_text(json.dumps({"type": "FeatureCollection", "features": list(features), **top}))
        return path

    return write


def feature(geometry, **properties):
    geometry = geometry if isinstance(geometry, dict) else mapping(geometry)
    return {"type": "Feature", "geometry": geometry, "properties": properties}


def test_features_come_back(tmp_path):
    some = collection([Feature(Point(1, 2), {"a": 1}, 7), Feature(box(0, 0, 1, 1))])
    write_features(tmp_path / "f.geojson", some)
    assert read_features(tmp_path / "f.geojson") == some


def test_the_time_of_a_request_newer_names_first(written):
    path = written(feature(Point(0, 0), oe_start_time="2020-01-01", es_start_time="1990-01-01",
                           es_end_time="2020-02-01T00:00:00+00:00"))  # fmt: skip
    (found,) = read_features(path)
    assert found.time_range == (datetime(2020, 1, 1, tzinfo=UTC), datetime(2020, 2, 1, tzinfo=UTC))


def test_without_a_time_there_is_none(written):
    (found,) = read_features(written(feature(Point(0, 0))))
    assert found.time_range is None


OPEN = {"type": "Polygon", "coordinates": [[[0, 0], [1, 0], [1, 1], [0, 1]]]}


@pytest.mark.parametrize(
    ("features", "said"),
    [
        ([], "has no features"),
        ([feature(OPEN)], "feature 0: a ring of its Polygon is not closed"),
        (
            [feature({"type": "MultiPolygon", "coordinates": [OPEN["coordinates"]]})],
            "ring of its MultiPolygon",
        ),
        ([feature(Point(0, 0)), feature(Point(500000, 4400000))], "feature 1 lies at .* not lon/lat"),
        ([feature(box(-179, 0, 179, 1))], "antimeridian.*cut it at 180 degrees"),
        ([{"type": "Feature"}], "feature 0 has no geometry"),
        ([feature({"type": "Blob", "coordinates": []})], "feature 0: its geometry cannot be read"),
        ([feature({"type": "Polygon", "coordinates": []})], "feature 0 has an empty geometry"),
        ([feature({"type": "Polygon", "coordinates": 5})], "feature 0: its geometry cannot be read"),
        ([feature({"type": "MultiPolygon", "coordinates": [5]})], "feature 0: its geometry cannot be read"),
        ([feature({"type": "GeometryCollection", "geometries": [5]})], "its geometry cannot be read"),
        ([feature({"type": "GeometryCollection", "geometries": 5})], "its geometry cannot be read"),
        ([feature(Point(0, 0), size=float("nan"))], "feature 0: size is nan, which JSON has not; use null"),
        (
            [feature(Point(0, 0), oe_start_time="2020-02-01", oe_end_time="2020-01-01")],
            "starts at .* after its end",
        ),
        (
            [feature(Point(0, 0), oe_start_time="soon", oe_end_time="2020-01-01")],
            "feature 0: 'soon' is no ISO date",
        ),
    ],
)
def test_what_is_wrong_is_said(written, features, said):
    path = written(*features)
    with pytest.raises(BadInput, match=said) as error:
        read_features(path)
    assert str(path) in str(error.value)


@pytest.mark.parametrize("text", ["{", "[]", '{"type": "Polygon"}', "\x00"])
def test_what_is_no_collection(tmp_path, text):
    (tmp_path / "r.geojson").write_text(text)
    with pytest.raises(BadInput, match="is not JSON|is no GeoJSON FeatureCollection"):
        read_features(tmp_path / "r.geojson")
