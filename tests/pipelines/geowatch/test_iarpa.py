"""Region models, site models and manifests: what is written comes back, and what is wrong is named."""

from __future__ import annotations

import copy
import json
from dataclasses import replace
from datetime import date
from functools import reduce
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely.geometry import MultiPolygon, Polygon, box

from pipelines.errors import BadInput
from pipelines.geowatch import iarpa
from pipelines.geowatch.iarpa import Observation, Region, Site

SQUARE = box(127.001, 37.001, 127.004, 37.003)
HOLED = Polygon(box(127, 37, 127.01, 37.01).exterior, [SQUARE.exterior])
SITE = Site(
    site_id="KR_R001_0001",
    region_id="KR_R001",
    status="positive_annotated",
    geometry=HOLED,
    start_date=date(2018, 3, 1),
    end_date=None,
    score=0.75,
    observations=(
        Observation(None, None, SQUARE),
        Observation(date(2018, 3, 1), "Site Preparation", SQUARE, "a.tif", "S2", 0.5, False, True),
        Observation(
            date(2018, 9, 1), "Active Construction", MultiPolygon([SQUARE, box(128, 37, 128.1, 37.1)])
        ),
    ),
    mgrs="52SDG",
    originator="te",
)
REGION = Region(
    "KR_R001", box(126.9, 36.9, 127.1, 37.1), date(2018, 1, 1), date(2020, 1, 1), "52SDG", (SITE.summary,)
)


def dumped(write, model, tmp_path: Path) -> dict:
    path = tmp_path / "model.geojson"
    write(path, model)
    return json.loads(path.read_text())


def test_a_site_model_comes_back(tmp_path):
    iarpa.write_site(tmp_path / "a.geojson", SITE)
    assert iarpa.read_site(tmp_path / "a.geojson") == SITE


def test_a_region_model_comes_back_with_its_sites_in_order(tmp_path):
    other = replace(SITE.summary, site_id="KR_R001_0000", status="system_confirmed")
    iarpa.write_region(tmp_path / "a.geojson", replace(REGION, sites=(SITE.summary, other)))
    assert iarpa.read_region(tmp_path / "a.geojson") == replace(REGION, sites=(other, SITE.summary))


DAYS = st.none() | st.dates(date(2010, 1, 1), date(2030, 1, 1))
OBSERVATIONS = st.builds(
    Observation,
    date=DAYS,
    phase=st.sampled_from([*iarpa.PHASES, None]),
    geometry=st.builds(
        lambda x, y, size: box(round(x, 6), round(y, 6), round(x + size, 6), round(y + size, 6)),
        st.floats(-179, 179), st.floats(-89, 89), st.floats(1e-4, 0.9),
    ),
    source=st.none() | st.text(max_size=9),
    sensor_name=st.none() | st.sampled_from(["Sentinel-2", "WorldView"]),
    score=st.floats(0, 1),
    is_occluded=st.none() | st.booleans(),
    is_site_boundary=st.none() | st.booleans(),
)  # fmt: skip


@settings(max_examples=50, deadline=None)
@given(observations=st.lists(OBSERVATIONS, max_size=4), score=st.floats(0, 1))
def test_any_site_comes_back(tmp_path_factory, observations, score):
    path = tmp_path_factory.mktemp("site") / "a.geojson"
    observations = sorted(observations, key=lambda one: one.date or date.min)
    site = replace(SITE, observations=tuple(observations), score=score)
    iarpa.write_site(path, site)
    first = path.read_bytes()
    assert iarpa.read_site(path) == site
    iarpa.write_site(path, iarpa.read_site(path))
    assert path.read_bytes() == first


def test_what_is_written_is_geojson_of_the_reference(tmp_path):
    document = dumped(iarpa.write_site, SITE, tmp_path)
    site, *observations = (feature["properties"] for feature in document["features"])
    assert (site["type"], site["region_id"], site["start_date"], site["end_date"]) == (
        "site", "KR_R001", "2018-03-01", None,
    )  # fmt: skip
    assert [one["type"] for one in observations] == ["observation"] * 3
    assert observations[1]["current_phase"] == "Site Preparation"


def test_iarpas_own_ways_of_writing_are_read(tmp_path):
    """Several polygons of one observation have phases and flags with commas; `Unknown` is no phase."""
    document = dumped(iarpa.write_site, SITE, tmp_path)
    last = document["features"][3]["properties"]
    last |= {"current_phase": "Active Construction, Post Construction", "is_occluded": "False, True"}
    document["features"][2]["properties"] |= {"current_phase": "Unknown", "is_occluded": "False"}
    path = tmp_path / "iarpa.geojson"
    path.write_text(json.dumps(document))
    observations = iarpa.read_site(path).observations
    assert [one.phase for one in observations] == [None, None, "Active Construction", "Post Construction"]
    assert [one.geometry.geom_type for one in observations[2:]] == ["Polygon", "Polygon"]
    assert [one.is_occluded for one in observations] == [None, False, True, True]


def test_a_ring_that_crosses_itself_is_mended(tmp_path):
    document = dumped(iarpa.write_region, REGION, tmp_path)
    bow_tie = [[[0, 0], [2, 2], [2, 0], [0, 2], [0, 0]]]
    document["features"][1]["geometry"] = {"type": "Polygon", "coordinates": bow_tie}
    path = tmp_path / "a.geojson"
    path.write_text(json.dumps(document))
    (site,) = iarpa.read_region(path).sites
    assert site.geometry.is_valid and site.geometry.area == pytest.approx(2)


# Where (2.score is the score of feature 2), what is put there (`...` takes it out), what the error says.
UTM = {"properties": {"name": "urn:ogc:def:crs:EPSG::32652"}}
WRONG = [
    ("region", "type", "Feature", "key 'type', is \"Feature\", not FeatureCollection"),
    ("region", "features", [], "key 'features'"),
    ("region", "features", ..., "the document has no key 'features'"),
    ("region", "crs", UTM, "not EPSG:4326"),
    ("region", "features.0", 5, "feature 0, is 5, not of type object|feature 0 is 5, not of type object"),
    ("region", "0.type", "site", "feature 0 .*key 'type', is \"site\""),
    ("region", "0.type", "site_summary", "feature 0 .*has no key 'site_id'"),
    ("region", "0.region_id", ..., "feature 0 .region. has no key 'region_id'"),
    ("region", "0.region_id", "../x", "key 'region_id', is \"../x\", not an id"),
    ("region", "0.start_date", "2018-13-01", "'start_date', is \"2018-13-01\", not a date"),
    ("region", "0.start_date", "20180101", "key 'start_date', is \"20180101\", not a date"),
    ("region", "0.start_date", "2021-01-01", "ends .2020-01-01. before it starts"),
    ("region", "1.status", "fine", "site_summary KR_R001_0001.*'status', is \"fine\", not pos"),
    ("region", "1.score", 1.5, "key 'score', is 1.5, not a number from 0 to 1"),
    ("region", "1.mgrs", "Seoul", "key 'mgrs', is \"Seoul\", not an MGRS tile"),
    ("region", "1.geometry", None, "key 'geometry', is null, not of type object"),
    ("region", "1.geometry.type", "Point", "key 'geometry.type', is \"Point\", not Polygon or Multi"),
    ("region", "1.geometry.coordinates", [[[0, 0], [1, 1]]], "key 'geometry.coordinates', .*a closed ring"),
    ("region", "1.geometry.coordinates.0.0.0", 322000.5, "is 322000.5, not a longitude in degrees"),
    ("region", "1.geometry.coordinates.0.0.1", 4100000, "is 4100000, not a latitude in degrees"),
    ("region", "1.geometry.coordinates", [[[0, 0], [1, 1], [2, 2], [0, 0]]], "feature 1 .*without area"),
    ("site", "0.site_id", ..., "feature 0 .site KR_R001. has no key 'site_id'"),
    ("site", "0.type", "observation", "has no key 'observation_date'"),
    ("site", "2.current_phase", "Digging", "feature 2 .observation.*'current_phase', is \"Dig"),
    ("site", "2.observation_date", ..., "feature 2 .observation. has no key 'observation_d"),
    ("site", "2.is_occluded", "maybe", "key 'is_occluded', is \"maybe\", not True or False"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "place", "value", "message"), WRONG)
def test_what_is_wrong_is_named(kind, place, value, message, tmp_path):
    write, model = (iarpa.write_region, REGION) if kind == "region" else (iarpa.write_site, SITE)
    document = copy.deepcopy(dumped(write, model, tmp_path))
    if place[0].isdigit():
        number, _, rest = place.partition(".")
        place = f"features.{number}.{rest if rest.startswith('geometry') else f'properties.{rest}'}"
    *folders, key = [int(part) if part.isdigit() else part for part in place.split(".")]
    owner = reduce(lambda item, part: item[part], folders, document)
    if value is ...:
        del owner[key]
    else:
        owner[key] = value
    path = tmp_path / "wrong.geojson"
    path.write_text(json.dumps(document))
    with pytest.raises(BadInput, match=f"wrong.geojson: .*({message})"):
        (iarpa.read_region if kind == "region" else iarpa.read_site)(path)


def test_a_site_twice_and_two_regions_in_a_file(tmp_path):
    document = dumped(iarpa.write_region, REGION, tmp_path)
    region, site = document["features"]
    for features, message in (
        ([region, site, site], "two site summaries 'KR_R001_0001'"),
        ([region, region], "2 features of type 'region'"),
        ([site], "0 features of type 'region'"),
    ):
        path = tmp_path / "wrong.geojson"
        path.write_text(json.dumps(document | {"features": features}))
        with pytest.raises(BadInput, match=message):
            iarpa.read_region(path)


def test_phases_without_their_polygons(tmp_path):
    document = dumped(iarpa.write_site, SITE, tmp_path)
    document["features"][2]["properties"]["current_phase"] = "No Activity, Post Construction"
    path = tmp_path / "wrong.geojson"
    path.write_text(json.dumps(document))
    with pytest.raises(BadInput, match="feature 2 has 2 phases, 1 polygons"):
        iarpa.read_site(path)


def test_a_wrong_model_is_not_written(tmp_path):
    with pytest.raises(BadInput, match="key 'status', is \"found\""):
        iarpa.write_site(tmp_path / "a.geojson", replace(SITE, status="found"))
    assert list(tmp_path.iterdir()) == []


def test_a_manifest_names_files_from_its_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    files = [Path("sites/b.geojson"), Path("sites/a.geojson")]
    for file in files:
        iarpa.write_site(file, SITE)
    iarpa.write_manifest("out/manifest.json", files)
    document = json.loads(Path("out/manifest.json").read_text())
    assert document == {"type": "tracking_result", "files": ["../sites/a.geojson", "../sites/b.geojson"]}
    assert [path.name for path in iarpa.read_manifest("out/manifest.json")] == ["a.geojson", "b.geojson"]
    assert iarpa.find("sites") == [Path("sites/a.geojson"), Path("sites/b.geojson")]
    assert iarpa.find("sites/a.geojson") == [Path("sites/a.geojson")]
    assert len(iarpa.find("out/manifest.json")) == 2
    Path("sites/b.geojson").unlink()
    with pytest.raises(
        BadInput, match="manifest.json: names the file '../sites/b.geojson', which is missing"
    ):
        iarpa.read_manifest("out/manifest.json")
    with pytest.raises(BadInput, match="no such file or folder"):
        iarpa.find("nowhere")


@pytest.mark.parametrize("document", [[], {"type": "other", "files": []}, {"type": "tracking_result"}])
def test_other_json_is_no_manifest(document, tmp_path):
    path = tmp_path / "manifest.json"
    path.write_text(json.dumps(document))
    with pytest.raises(BadInput, match="is no manifest of models"):
        iarpa.read_manifest(path)
