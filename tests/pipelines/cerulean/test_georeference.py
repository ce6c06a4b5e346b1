"""Models of a scene's georeference: what they recover, how far off they say they are, and the way back."""

import pickle

import numpy as np
import pytest
import rasterio
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from pyproj import Geod, Transformer
from rasterio.control import GroundControlPoint
from rasterio.transform import GCPTransformer, xy

from pipelines.cerulean import georeference
from pipelines.errors import BadInput
from tests.pipelines.cerulean.scene_folders import points, straight, write_background

HEIGHT, WIDTH = 400, 625


def bent(row: float, col: float) -> tuple[float, float]:
    """As a swath is: turned, and bent by terms of the second degree."""
    down, right = row / HEIGHT, col / WIDTH
    return (
        5 + 2.4 * right - 0.4 * down + 0.03 * right**2 + 0.02 * right * down,
        53 - 0.3 * right - 1.4 * down + 0.01 * right**2 - 0.012 * down**2,
    )


def wavy(row: float, col: float) -> tuple[float, float]:
    lon, lat = bent(row, col)
    return lon + 0.004 * np.sin(4 * row / HEIGHT), lat + 0.003 * np.cos(5 * col / WIDTH)


def pixels(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.uniform(0, HEIGHT, 50), rng.uniform(0, WIDTH, 50)


def metres(one: tuple[np.ndarray, np.ndarray], other: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    return Geod(ellps="WGS84").inv(*one, *other)[2]


@pytest.mark.parametrize(
    ("model", "place", "within"),
    [("affine", straight, 1e-3), ("polynomial", bent, 1e-3), ("tps", straight, 1e-3), ("tps", wavy, 60)],
)
def test_a_model_recovers_places_of_its_kind_between_the_points(model, place, within):
    fitted = georeference.fit(points(HEIGHT, WIDTH, place), model)
    rows, cols = pixels()
    assert metres(fitted.to_lonlat(rows, cols), place(rows, cols)).max() < within


def test_the_centre_of_the_first_pixel_is_half_a_pixel_from_its_corner():
    fitted = georeference.fit(points(HEIGHT, WIDTH), "affine")
    assert np.allclose(fitted.to_lonlat(0.5, 0.5), straight(0.5, 0.5), atol=1e-12)
    assert np.allclose(xy(fitted.transform, 0, 0), straight(0.5, 0.5), atol=1e-12)


def test_residuals_rank_the_models_on_a_bent_and_wavy_swath():
    """As on a real scene, where one affine fit is off by 523 m on average, a polynomial by 173 m."""
    found = {model: georeference.fit(points(HEIGHT, WIDTH, wavy), model) for model in georeference.MODELS}
    mean = {model: fitted.residuals_m[0] for model, fitted in found.items()}
    assert mean["affine"] > 1.5 * mean["polynomial"] > 3 * mean["tps"] > 0


@pytest.mark.parametrize("model", ["affine", "polynomial"])
def test_residuals_are_distances_on_the_ellipsoid(model):
    gcps = points(HEIGHT, WIDTH, wavy)
    fitted = georeference.fit(gcps, model)
    at = np.array([(one.row, one.col, one.x, one.y) for one in gcps]).T
    off = metres(fitted.to_lonlat(at[0], at[1]), (at[2], at[3]))
    assert fitted.residuals_m == pytest.approx((off.mean(), off.max()))


def test_the_residual_of_tps_is_that_of_a_point_that_is_left_out():
    gcps = points(HEIGHT, WIDTH, wavy)[::9]
    off = []
    for index, one in enumerate(gcps):
        others = georeference.fit(gcps[:index] + gcps[index + 1 :], "tps")
        off.append(metres(others.to_lonlat(one.row, one.col), (one.x, one.y)))
    assert georeference.fit(gcps, "tps").residuals_m == pytest.approx((np.mean(off), np.max(off)), rel=1e-6)


def test_the_one_point_beside_a_line_of_others_has_no_residual_of_tps():
    """Without it no spline fits; a few points at the edge of a scene may lie so."""
    places = ((0, 0), (0, 50), (0, 100), (80, 40))
    gcps = [GroundControlPoint(row=r, col=c, x=bent(r, c)[0], y=bent(r, c)[1]) for r, c in places]
    off = []
    for index, one in enumerate(gcps[:3]):
        at = np.array([(p.row, p.col, 1) for place, p in enumerate(gcps) if place != index], float)
        to = np.array([(p.x, p.y) for place, p in enumerate(gcps) if place != index])
        put = np.array([one.row, one.col, 1]) @ np.linalg.solve(at, to)  # of three points, a plane
        off.append(metres(put, (one.x, one.y)))
    assert georeference.fit(gcps, "tps").residuals_m == pytest.approx((np.mean(off), np.max(off)), rel=1e-5)


def test_models_are_those_of_gdal():
    gcps = points(HEIGHT, WIDTH, wavy)
    rows, cols = pixels()
    with GCPTransformer(gcps, tps=True) as gdal:
        lon, lat = gdal.xy(rows - 0.5, cols - 0.5)  # it adds the half pixel
    found = georeference.fit(gcps, "tps").to_lonlat(rows, cols)
    assert metres(found, (np.array(lon), np.array(lat))).max() < 1  # GDAL's logarithm is a fast one
    with GCPTransformer(gcps) as gdal:  # of the second degree, as there are enough points
        lon, lat = gdal.xy(rows - 0.5, cols - 0.5)
    found = georeference.fit(gcps, "polynomial").to_lonlat(rows, cols)
    assert metres(found, (np.array(lon), np.array(lat))).max() < 0.01


@given(
    st.sampled_from(georeference.MODELS), st.integers(0, 2**16), st.floats(-500, 500), st.floats(-179, 179)
)
@settings(max_examples=30, deadline=None)
def test_there_and_back_is_the_same_pixel(model, seed, beyond, east):
    def moved(row: float, col: float) -> tuple[float, float]:
        lon, lat = wavy(row, col)
        return lon + east, lat

    fitted = georeference.fit(points(HEIGHT, WIDTH, moved)[::3], model)
    rows, cols = pixels(seed)
    rows = rows + beyond  # land and polygons reach beyond the scene
    back = fitted.from_lonlat(*fitted.to_lonlat(rows, cols))
    assert np.abs(back[0] - rows).max() < 1e-6
    assert np.abs(back[1] - cols).max() < 1e-6


def test_what_a_polynomial_never_reaches_has_no_pixel():
    fitted = georeference.fit(points(HEIGHT, WIDTH, bent), "polynomial")
    rows, cols = fitted.from_lonlat([-120.0, 5.5], [-60.0, 52.5])
    assert np.isnan([rows[0], cols[0]]).all()
    assert np.isfinite([rows[1], cols[1]]).all()


@pytest.mark.parametrize("model", georeference.MODELS)
def test_a_scene_across_the_antimeridian_is_not_torn(model):
    def place(row: float, col: float) -> tuple[float, float]:
        lon, lat = straight(row, col)
        return (lon + 175.9 + 180) % 360 - 180, lat

    fitted = georeference.fit(points(HEIGHT, WIDTH, place), model)
    lon, lat = fitted.to_lonlat(*pixels())
    assert np.ptp(lon) < 1
    assert fitted.residuals_m[1] < 1
    for turn in (-360, 0, 360):
        rows, cols = fitted.from_lonlat(lon + turn, lat)
        assert np.allclose((rows, cols), pixels(), atol=1e-6)


def test_bounds_hold_every_pixel_of_a_window_and_no_more():
    fitted = georeference.fit(points(HEIGHT, WIDTH, bent))
    window = slice(37, 101), slice(200, 264)
    west, south, east, north = fitted.bounds(*window)
    lon, lat = fitted.to_lonlat(*np.mgrid[37:101:65j, 200:264:65j])
    assert (west, east) == pytest.approx((lon.min(), lon.max()), abs=1e-6)
    assert (south, north) == pytest.approx((lat.min(), lat.max()), abs=1e-6)


def test_the_points_beside_a_png_are_read(tmp_path):
    write_background(tmp_path, np.ones((HEIGHT, WIDTH), np.uint8), bent)
    assert (tmp_path / "Background.png.aux.xml").is_file()
    fitted = georeference.read(tmp_path / "Background.png")
    assert fitted.model == "polynomial"
    rows, cols = pixels()
    assert metres(fitted.to_lonlat(rows, cols), bent(rows, cols)).max() < 0.01
    again = pickle.loads(pickle.dumps(fitted))
    assert (again.to_lonlat(rows, cols)[0] == fitted.to_lonlat(rows, cols)[0]).all()


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
def test_points_of_another_reference_system_become_degrees(tmp_path):
    into = Transformer.from_crs("EPSG:4326", "EPSG:32631", always_xy=True)
    gcps = [
        GroundControlPoint(one.row, one.col, *into.transform(one.x, one.y))
        for one in points(HEIGHT, WIDTH, bent)
    ]
    path = tmp_path / "Background.tif"
    with rasterio.open(path, "w", driver="GTiff", height=9, width=9, count=1, dtype="uint8") as file:
        file.gcps = (gcps, "EPSG:32631")
    rows, cols = pixels()
    assert metres(georeference.read(path).to_lonlat(rows, cols), bent(rows, cols)).max() < 0.01


def test_points_that_do_not_fit_a_model_are_refused(tmp_path):
    good = points(HEIGHT, WIDTH)
    line = [GroundControlPoint(row=0, col=col, x=col / 100, y=50) for col in range(10)]
    wild = [*good, GroundControlPoint(row=1, col=1, x=4, y=553)]
    twice = [*good, GroundControlPoint(row=good[5].row, col=good[5].col, x=9, y=50)]
    for gcps, model, said in (
        (good, "spline", "no model 'spline'"),
        (good[:2], "affine", "2 ground control points, affine needs 3"),
        (good[:5], "polynomial", "5 ground control points, polynomial needs 6"),
        (line, "affine", "on a line"),
        (good[:21], "polynomial", "on a line"),
        (line, "tps", "on a line"),
        (wild, "affine", "no degrees"),
        (twice, "tps", "on one pixel"),
    ):
        with pytest.raises(BadInput) as caught:
            georeference.fit(gcps, model, where=tmp_path / "Background.png")
        assert said in str(caught.value)


def test_a_picture_without_points_is_refused(tmp_path):
    Image.fromarray(np.ones((9, 9), np.uint8)).save(tmp_path / "Background.png")
    with pytest.raises(BadInput, match=r"no ground control points.*aux\.xml"):
        georeference.read(tmp_path / "Background.png")
    with pytest.raises(BadInput, match="cannot|can be read"):
        georeference.read(tmp_path / "none.png")
