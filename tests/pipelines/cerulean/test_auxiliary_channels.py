"""Distance to infrastructure and density of ships in the pixels of a scene."""

import json
import pickle
from pathlib import Path

import numpy as np
import pytest
import rasterio
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from pyogrio import raw
from pyproj import Geod, Transformer
from rasterio.transform import Affine
from shapely.geometry import MultiPoint, Point, box

from pipelines.cerulean import auxiliary, auxiliary_files, georeference
from pipelines.cerulean.auxiliary import Auxiliary, Warp
from pipelines.cerulean.scenes import Scene
from pipelines.errors import BadInput
from tests.pipelines.cerulean.scene_folders import ID, points, straight, write_background, write_scene

SHAPE = (70, 110)  # no multiple of the ratio, not square
PLACE = georeference.fit(points(*SHAPE), "polynomial")
PLATFORMS = np.array([straight(20, 30), straight(55, 90), straight(-300, 50)])


def write_points(path: Path, found: np.ndarray) -> Path:
    features = [
        {"type": "Feature", "properties": {}, "geometry": {"type": "Point", "coordinates": list(one)}}
        for one in found.tolist()
    ]
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    return path


def write_shapes(path: Path, shapes: list, crs: str, kind: str = "Point") -> None:
    wkb = np.array([None if one is None else shapely.to_wkb(one) for one in shapes], object)
    raw.write(path, wkb, field_data=[], fields=[], geometry_type=kind, crs=crs)


def write_density(path: Path, values: np.ndarray, transform: Affine, crs: str = "EPSG:4326") -> Path:
    bands, height, width = values.shape
    shape = {"height": height, "width": width, "count": bands, "dtype": "float32"}
    with rasterio.open(path, "w", driver="GTiff", **shape, crs=crs, transform=transform, nodata=-1) as file:
        file.write(values.astype("float32"))
    return path


def world(path: Path, values: np.ndarray) -> Path:
    """A raster of the whole world in cells of five degrees."""
    return write_density(path, values, Affine(5, 0, -180, 0, -5, 90))


def centres(shape: tuple[int, int] = SHAPE) -> tuple[np.ndarray, np.ndarray]:
    rows, cols = np.mgrid[: shape[0], : shape[1]] + 0.5
    return PLACE.to_lonlat(rows, cols)


def geodesic(found: np.ndarray) -> np.ndarray:
    """Metres (h, w) from every pixel's centre to the nearest of some points, by pyproj."""
    lon, lat = centres()
    each = [
        Geod(ellps="WGS84").inv(lon, lat, np.full_like(lon, x), np.full_like(lat, y))[2] for x, y in found
    ]
    return np.min(each, axis=0)


@pytest.mark.parametrize("saturate", [500.0, 3_000.0, 60_000.0])
def test_distances_are_geodesics_within_a_255th(saturate):
    channel = auxiliary.distance_channel(SHAPE, PLACE, PLATFORMS, saturate_m=saturate)
    exact = 255 * np.minimum(geodesic(PLATFORMS) / saturate, 1)
    bent = 255 * 8 * 45 / saturate  # what the ratio smooths near a platform: at most 8 pixels
    assert channel.dtype == np.uint8
    assert np.abs(channel - exact).max() <= min(bent, 128) + 0.51
    assert np.abs(channel - exact).mean() < 0.05 * min(bent, 128) + 0.3


def test_without_a_ratio_distances_are_exact():
    channel = auxiliary.distance_channel(SHAPE, PLACE, PLATFORMS, ratio=1, saturate_m=60_000)
    assert np.abs(channel - 255 * np.minimum(geodesic(PLATFORMS) / 60_000, 1)).max() <= 0.6


def test_0_is_near_and_255_is_60_km_and_beyond():
    near = auxiliary.distance_channel(SHAPE, PLACE, np.array([straight(32, 32)]))
    assert near[32, 32] == near.min() == 0
    far = np.array([straight(35, -60_500 / 40)])  # a pixel is a little more than 40 m wide
    assert geodesic(far).min() > 60_000
    assert (auxiliary.distance_channel(SHAPE, PLACE, far) == 255).all()
    assert auxiliary.distance_channel(SHAPE, PLACE, np.array([straight(35, -1_000)])).max() < 255


def test_distance_is_short_across_the_antimeridian():
    def place(row: float, col: float) -> tuple[float, float]:
        lon, lat = straight(row, col)
        return (lon + 175.98 + 180) % 360 - 180, lat

    across = georeference.fit(points(*SHAPE, place), "polynomial")
    for turn in (0, 360):
        platform = np.array([place(40, 96)]) + (turn, 0)
        channel = auxiliary.distance_channel(SHAPE, across, platform, saturate_m=10_000)
        assert channel[40, 96] == channel.min() < 3
        assert channel.max() < 255


def test_density_is_that_of_the_month(tmp_path):
    values = np.zeros((12, 36, 72))
    values += 10 * np.arange(12)[:, None, None]
    path = world(tmp_path / "d.tif", values)
    for month in (1, 8, 12):
        channel = auxiliary.density_channel(SHAPE, PLACE, path, month)
        expected = min(round(10 * (month - 1) * 2.55), 255)
        assert (np.abs(channel.astype(int) - expected) <= 1).all()


@given(st.integers(0, 2**16), st.floats(-180, 540), st.floats(-87, 87))
@settings(max_examples=25, deadline=None)
def test_density_is_linear_between_centres_of_cells_around_the_world(tmp_path_factory, seed, lon, lat):
    values = np.random.default_rng(seed).uniform(0, 90, (12, 36, 72))
    path = world(tmp_path_factory.mktemp("d") / "d.tif", values)
    found = auxiliary_files.sample_density(path, 3, np.array([lon]), np.array([lat]))[0]
    right, down = (lon + 180) / 5 - 0.5, (90 - lat) / 5 - 0.5
    left, top = int(np.floor(right)), int(np.floor(down))
    expected = 0.0
    for row, high in ((top, top + 1 - down), (top + 1, down - top)):
        for col, wide in ((left, left + 1 - right), (left + 1, right - left)):
            expected += values[2, min(max(row, 0), 35), col % 72] * high * wide
    assert found == pytest.approx(expected, rel=1e-5, abs=1e-4)


def test_density_is_0_beside_the_raster_and_where_it_knows_nothing(tmp_path):
    values = np.full((12, 4, 4), 100.0)
    values[:, 1, 1] = -1  # nodata
    values[:, 2, 2] = np.nan
    path = write_density(tmp_path / "d.tif", values, Affine(1, 0, 2, 0, -1, 54))
    lon, lat = np.array([1.9, 6.1, 3.5, 4.5, 2.1, 3.5, 180]), np.array([53, 53, 52.5, 51.5, 53.9, 49.9, 0.0])
    found = auxiliary_files.sample_density(path, 1, lon, lat)
    assert found.tolist() == [0, 0, 0, 0, 100, 0, 0]
    elsewhere = write_density(tmp_path / "e.tif", values, Affine(1, 0, 80, 0, -1, 20))
    assert not auxiliary.density_channel(SHAPE, PLACE, elsewhere, 1).any()


@pytest.fixture(scope="module")
def known(tmp_path_factory) -> tuple[Auxiliary, Scene]:
    """Auxiliary data, and a scene among them."""
    folder = tmp_path_factory.mktemp("known")
    rng = np.random.default_rng(3)
    scene = Scene(write_scene(folder, np.ones((200, 300), np.uint8)))
    lon, lat = rng.uniform(3.9, 4.3, 40), rng.uniform(52.8, 53.1, 40)
    (folder / "aux").mkdir()
    write_points(folder / "aux" / "infrastructure.geojson", np.stack([lon, lat], axis=1))
    grid = Affine(0.05, 0, 3, 0, -0.05, 54)
    write_density(folder / "aux" / "ship_density.tif", rng.uniform(0, 120, (12, 40, 60)), grid)
    write_points(folder / "aux" / "land.geojson", np.zeros((0, 2)))
    return auxiliary.load(folder / "aux"), scene


@given(st.sampled_from(["polynomial", "tps"]), st.integers(0, 2**16))
@settings(max_examples=12, deadline=None)
def test_a_window_has_the_values_of_the_whole_scene(known, model, seed):
    loaded, scene = known
    whole = auxiliary.channels(loaded, scene, model=model)
    assert whole.shape == (2, 200, 300)
    assert min(np.ptp(one) for one in whole) > 15
    rng = np.random.default_rng(seed)
    (top, bottom), (left, right) = (sorted(rng.choice(size + 1, 2, replace=False)) for size in (200, 300))
    window = slice(int(top), int(bottom)), slice(int(left), int(right))
    assert (auxiliary.channels(loaded, scene, window, model) == whole[:, *window]).all()
    again = pickle.loads(pickle.dumps(Warp.of(loaded, scene, model)))
    assert (again.window(*window) == whole[:, *window]).all()


def test_strips_have_the_values_of_the_whole_scene(known, monkeypatch):
    whole = auxiliary.channels(*known)
    monkeypatch.setattr(auxiliary, "STRIP", 1000)
    assert (auxiliary.channels(*known) == whole).all()


def test_channels_are_those_of_the_scenes_month(known):
    loaded, scene = known
    place = georeference.read(scene.background)
    assert loaded.points is not None
    assert loaded.density is not None
    distance, density = auxiliary.channels(loaded, scene)
    assert (distance == auxiliary.distance_channel((200, 300), place, loaded.points)).all()
    assert (density == auxiliary.density_channel((200, 300), place, loaded.density, 8)).all()
    assert (density != auxiliary.density_channel((200, 300), place, loaded.density, 7)).any()


def test_what_is_not_known_is_far_and_empty_and_said_once(tmp_path, capsys):
    scene = Scene(write_scene(tmp_path, np.ones((40, 50), np.uint8), place=None))  # nor is its place needed
    loaded = auxiliary.load(tmp_path)
    said = capsys.readouterr().out.splitlines()
    assert [any(word in line for line in said) for word in ("infrastructure", "ship_density", "land")] == [
        True
    ] * 3
    assert len(said) == 3
    distance, density = auxiliary.channels(loaded, scene)
    assert (distance == 255).all()
    assert (density == 0).all()


def test_a_scene_without_points_of_its_own_is_refused_where_it_has_to_be_placed(tmp_path):
    scene = Scene(write_scene(tmp_path, np.ones((40, 50), np.uint8), place=None))
    with pytest.raises(BadInput, match="no ground control points"):
        auxiliary.channels(Auxiliary(points=PLATFORMS), scene)


@pytest.mark.parametrize("suffix", ["geojson", "gpkg", "shp", "csv", "utm.gpkg", "tif"])
def test_points_are_read_from_every_kind_of_file(tmp_path, suffix):
    path = tmp_path / f"infrastructure.{suffix}"
    if suffix == "csv":
        lines = [f"{number},{lat},{lon}" for number, (lon, lat) in enumerate(PLATFORMS)]
        path.write_text("\n".join(["name,lat,lon", *lines]))
    elif suffix == "tif":
        values = np.zeros((1, 700, 700), np.uint8)
        for lon, lat in PLATFORMS:
            values[0, int((53.5 - lat) / 0.001), int((lon - 3.5) / 0.001)] = 1
        values[0, 0, 0] = 255
        with rasterio.open(
            path, "w", driver="GTiff", height=700, width=700, count=1, dtype="uint8", nodata=255,
            crs="EPSG:4326", transform=Affine(0.001, 0, 3.5, 0, -0.001, 53.5),
        ) as file:  # fmt: skip
            file.write(values)
    else:
        crs = "EPSG:32631" if "utm" in suffix else "EPSG:4326"
        into = Transformer.from_crs("EPSG:4326", crs, always_xy=True)
        write_shapes(path, [Point(into.transform(*one)) for one in PLATFORMS], crs)
    found = auxiliary.read_points(path)
    off = 0.0005 if suffix == "tif" else 1e-6
    assert found.shape == PLATFORMS.shape
    assert np.abs(np.sort(found, axis=0) - np.sort(PLATFORMS, axis=0)).max() <= off * 1.01


def test_of_other_shapes_parts_and_middles_count(tmp_path):
    shapes = [MultiPoint([(1, 2), (3, 4)]), box(4, 50, 6, 52), None, Point()]
    write_shapes(tmp_path / "a.gpkg", shapes, "EPSG:4326", "Unknown")
    assert auxiliary.read_points(tmp_path / "a.gpkg").tolist() == [[1, 2], [3, 4], [5, 51]]


def test_infrastructure_that_has_no_points_is_refused(tmp_path):
    folder = tmp_path / "aux"
    folder.mkdir()
    file = folder / "infrastructure.geojson"
    for text, said in (
        (json.dumps({"type": "FeatureCollection", "features": []}), "has no points"),
        ("no json", "can be read"),
    ):
        file.write_text(text)
        with pytest.raises(BadInput) as caught:
            auxiliary.load(folder)
        assert said in str(caught.value)
        assert "infrastructure.geojson" in str(caught.value)
    write_points(file, np.array([[500_000.0, 5_800_000.0]]))
    with pytest.raises(BadInput, match="no longitude and latitude"):
        auxiliary.load(folder)
    file.unlink()
    (folder / "infrastructure.csv").write_text("name,size\na,1\n")
    with pytest.raises(BadInput, match=r"infrastructure\.csv"):
        auxiliary.load(folder)
    with pytest.raises(BadInput, match="no such folder"):
        auxiliary.load(tmp_path / "none")


def test_density_of_another_kind_is_refused_when_loaded(tmp_path):
    path, north = tmp_path / "ship_density.tif", Affine(5, 0, -180, 0, -5, 90)
    for bands, transform, crs, said in (
        (1, north, "EPSG:4326", "1 bands, not one for each of 12 months"),
        (12, north, "EPSG:3857", "not in EPSG:4326"),
        (12, Affine(5, 0, -180, 0, 5, -90), "EPSG:4326", "first row"),
        (12, Affine(5, 1, -180, 0, -5, 90), "EPSG:4326", "turned"),
    ):
        write_density(path, np.ones((bands, 36, 72)), transform, crs)
        with pytest.raises(BadInput) as caught:
            auxiliary.load(tmp_path)
        assert said in str(caught.value)
    path.write_bytes(b"no raster")
    with pytest.raises(BadInput, match=r"ship_density\.tif"):
        auxiliary.load(tmp_path)


def test_a_scene_of_one_row_or_column_is_warped_too(tmp_path):
    for shape in ((1, 40), (40, 1), (8, 8), (9, 17)):
        assert auxiliary.distance_channel(shape, PLACE, PLATFORMS, ratio=8).shape == shape
    assert auxiliary.distance_channel(SHAPE, PLACE, PLATFORMS, window=(slice(3, 3), slice(0, 5))).size == 0


def test_the_id_gives_the_month(tmp_path):
    folder = tmp_path / ID.replace("20200802T", "20201202T")
    write_background(folder, np.ones((40, 50), np.uint8))
    values = np.zeros((12, 36, 72))
    values[11] = 50
    density = world(tmp_path / "d.tif", values)
    assert auxiliary.channels(Auxiliary(density=density), Scene(folder))[1].min() > 100
