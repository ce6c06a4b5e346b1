"""Polygon evaluation as a program, on sites written by hand."""

import datetime
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner
from shapely.geometry import box

from pipelines import program
from pipelines.geowatch import evaluate_polygons, grids, iarpa
from pipelines.geowatch.iarpa import Observation, Region, Site, SiteSummary
from pipelines.geowatch.nodes import BasPolyEval, ScPolyEval

UTM = "EPSG:32652"
WEST, SOUTH = 300_000, 4_150_000
START, END = datetime.date(2018, 1, 1), datetime.date(2019, 12, 31)
PHASES = ("No Activity", "Site Preparation", "Active Construction", "Post Construction")
DATES = [datetime.date(2018, month, 1) for month in (3, 6, 9, 12)]


def ground(west, south, east, north, crs=UTM):
    """A rectangle in metres from the region's corner, in longitude and latitude."""
    shape = box(WEST + west, SOUTH + south, WEST + east, SOUTH + north)
    return grids.reproject(shape.segmentize(200), crs, grids.LONLAT)


def site(number, *corners, status="positive_annotated", region="XX_R001", phases=PHASES, **more):
    outline = ground(*corners)
    observations = tuple(
        Observation(day, phase, outline, sensor_name="S2") for day, phase in zip(DATES, phases, strict=True)
    )
    return Site(
        f"{region}_{number:04d}",
        region,
        status,
        outline,
        more.get("start", START),
        more.get("end", END),
        observations=observations,
    )


class World:
    """A folder with one region of 10 km x 10 km, true sites and proposals."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.region("XX_R001", ground(0, 0, 10_000, 10_000))

    def region(self, name, geometry, sites=()):
        (self.folder / "regions").mkdir(exist_ok=True)
        model = Region(name, geometry, START, END, "52SCG", tuple(sites))
        iarpa.write_region(self.folder / "regions" / f"{name}.geojson", model)

    def evaluate(self, truths, proposals, *options):
        for name, sites in (("truth", truths), ("sites", proposals)):
            (self.folder / name).mkdir(exist_ok=True)
            for one in sites:
                iarpa.write_site(self.folder / name / f"{one.site_id}.geojson", one)
        files = [self.folder / "sites" / f"{one.site_id}.geojson" for one in proposals]
        iarpa.write_manifest(self.folder / "manifest.json", files)
        result = CliRunner().invoke(
            evaluate_polygons.main, [*self.options(), *options], catch_exceptions=False
        )
        assert result.exit_code == 0, result.output
        return json.loads((self.folder / "poly_eval.json").read_text())["result"]

    def options(self):
        return [
            f"--true_site_dpath={self.folder / 'truth'}",
            f"--true_region_dpath={self.folder / 'regions'}",
            f"--sites_fpath={self.folder / 'manifest.json'}",
            f"--eval_fpath={self.folder / 'poly_eval.json'}",
        ]


@pytest.fixture
def world(tmp_path):
    return World(tmp_path)


A, B = (1000, 1000, 1400, 1400), (5000, 5000, 5300, 5400)


def only(metrics, *names):
    return tuple(metrics[name] for name in names)


def test_perfect(world):
    sites = [site(1, *A), site(2, *B)]
    metrics = world.evaluate(sites, [replace(one, status="system_confirmed") for one in sites])["metrics"]
    assert only(metrics, "bas_tp", "bas_fp", "bas_fn") == (2, 0, 0)
    assert only(metrics, "bas_tpr", "bas_ppv", "bas_f1", "bas_faa_f1", "tau") == (1, 1, 1, 1, 0.9)
    assert only(metrics, "bas_ffpa", "bas_space_FAR", "bas_time_FAR") == (0, 0, 0)
    assert only(metrics, "sc_macro_f1", "macro_f1_siteprep", "macro_f1_active") == (1, 1, 1)


def test_no_prediction(world):
    metrics = world.evaluate([site(1, *A), site(2, *B)], [])["metrics"]
    assert only(metrics, "bas_tp", "bas_fp", "bas_fn", "bas_ppv") == (0, 0, 2, None)
    assert only(metrics, "bas_tpr", "bas_f1", "bas_faa_f1", "sc_macro_f1") == (0, 0, 0, 0)
    assert only(metrics, "bas_ffpa", "bas_space_FAR", "bas_time_FAR") == (0, 0, 0)


def test_no_truth(world):
    metrics = world.evaluate([], [site(1, *A, status="system_confirmed")])["metrics"]
    assert only(metrics, "bas_tp", "bas_fp", "bas_fn", "bas_tpr", "sc_macro_f1") == (0, 1, 0, None, None)
    assert only(metrics, "bas_ppv", "bas_f1", "bas_faa_f1") == (0, 0, 0)
    # UTM's scale at this distance from its central meridian, (1 - 0.0004 + 0.0005)^2, cancels in the ratio.
    assert metrics["bas_ffpa"] == pytest.approx(400 * 400 / 1e8, rel=1e-4)
    assert metrics["bas_space_FAR"] == pytest.approx(1 / 100, rel=1e-3)
    assert metrics["bas_time_FAR"] == pytest.approx(1 / 730)


def test_an_empty_region_has_no_f1(world):
    metrics = world.evaluate([], [])["metrics"]
    assert only(metrics, "bas_tp", "bas_fp", "bas_fn") == (0, 0, 0)
    assert only(metrics, "bas_f1", "bas_faa_f1", "bas_tpr", "bas_ppv") == (None,) * 4
    assert only(metrics, "bas_ffpa", "bas_space_FAR", "bas_time_FAR") == (0, 0, 0)
    assert only(metrics, "sc_macro_f1", "macro_f1_siteprep", "macro_f1_active") == (None,) * 3


MINIMISED = {"bas_fp", "bas_fn", "bas_ffpa", "bas_space_FAR", "bas_time_FAR"}
BAS = {"bas_tp", "bas_tpr", "bas_ppv", "bas_f1", "bas_faa_f1"} | MINIMISED


@pytest.mark.parametrize(
    ("node", "names", "primary"),
    [
        (BasPolyEval, BAS, {"bas_faa_f1"}),
        (
            ScPolyEval,
            BAS | {"sc_macro_f1", "macro_f1_siteprep", "macro_f1_active"},
            {"sc_macro_f1", "bas_faa_f1"},
        ),
    ],
)
def test_what_the_nodes_rank_by_is_reported(world, node, names, primary):
    sites = [site(1, *A)]
    metrics = world.evaluate(sites, [replace(one, status="system_confirmed") for one in sites])["metrics"]
    declared = {one["metric"]: one for one in node.metrics}
    assert names == declared.keys() <= {name for name, value in metrics.items() if value is not None}
    assert {name for name, one in declared.items() if one["objective"] == "minimize"} == MINIMISED
    assert {name for name, one in declared.items() if one["primary"]} == primary


def test_one_split_in_two_is_one_found_and_one_false(world):
    halves = [(1000, 1000, 1200, 1400), (1200, 1000, 1400, 1400)]
    proposals = [site(n, *half, status="system_confirmed") for n, half in enumerate(halves, 1)]
    result = world.evaluate([site(1, *A)], proposals)
    assert only(result["metrics"], "bas_tp", "bas_fp", "bas_fn", "tau") == (1, 1, 0, 0.5)
    assert only(result["metrics"], "bas_tpr", "bas_ppv", "bas_f1") == pytest.approx((1, 1 / 2, 2 / 3))
    false_area = 200 * 400 / 1e8  # of the region's
    assert result["metrics"]["bas_ffpa"] == pytest.approx(false_area, rel=1e-3)
    assert result["metrics"]["bas_faa_f1"] == pytest.approx(2 / 3 * (1 - false_area))
    assert result["metrics"]["sc_macro_f1"] == 1  # the half that was found goes through the right phases
    strict = {row["tau"]: row["bas_f1"] for row in result["scoreboard"]}
    assert strict[0.6] == 0


def test_two_joined_in_one_are_one_found_and_one_missed(world):
    truths = [site(1, 1000, 1000, 1200, 1400), site(2, 1200, 1000, 1400, 1400)]
    metrics = world.evaluate(truths, [site(1, *A, status="system_confirmed")])["metrics"]
    assert only(metrics, "bas_tp", "bas_fp", "bas_fn") == (1, 0, 1)


def test_a_site_across_the_boundary_counts_and_one_outside_does_not(world):
    across = (9800, 5000, 10_200, 5400)
    outside = (10_600, 5000, 11_000, 5400)
    proposals = [site(n, *at, status="system_confirmed") for n, at in enumerate((across, outside), 1)]
    result = world.evaluate([site(1, *across), site(2, *outside)], proposals)
    assert only(result["metrics"], "bas_tp", "bas_fp", "bas_fn", "bas_faa_f1") == (1, 0, 0, 1)
    assert result["regions"]["XX_R001"]["pairs"] == [["XX_R001_0001", "XX_R001_0001"]]


def test_of_a_false_site_across_the_boundary_the_area_inside_counts(world):
    metrics = world.evaluate([], [site(1, 9800, 5000, 10_200, 5400, status="system_confirmed")])["metrics"]
    assert metrics["bas_fp"] == 1
    assert metrics["bas_ffpa"] == pytest.approx(200 * 400 / 1e8, rel=1e-3)


def test_overlapping_false_sites_cover_their_ground_once(world):
    metrics = world.evaluate([], [site(n, *A, status="system_confirmed") for n in (1, 2)])["metrics"]
    assert metrics["bas_fp"] == 2
    assert metrics["bas_ffpa"] == pytest.approx(400 * 400 / 1e8, rel=1e-4)


@pytest.mark.parametrize(
    ("truth", "proposal", "counts"),
    [
        ("ignore", "system_confirmed", (0, 0, 0)),
        ("positive_excluded", "system_confirmed", (0, 0, 0)),
        ("negative", "system_confirmed", (0, 1, 0)),
        ("positive_pending", "system_confirmed", (1, 0, 0)),
        ("positive_annotated", "system_rejected", (0, 0, 1)),
    ],
)
def test_what_a_status_counts_for(world, truth, proposal, counts):
    metrics = world.evaluate([site(1, *A, status=truth)], [site(1, *A, status=proposal)])["metrics"]
    assert only(metrics, "bas_tp", "bas_fp", "bas_fn") == counts


def test_a_proposal_of_another_time_is_false(world):
    truth = site(1, *A, phases=("Site Preparation", "Active Construction", *["Post Construction"] * 2))
    late = replace(truth, status="system_confirmed", observations=(), start_date=datetime.date(2018, 9, 2))
    metrics = world.evaluate([truth], [late])["metrics"]
    assert only(metrics, "bas_tp", "bas_fp", "bas_fn") == (0, 1, 1)


def test_a_summary_without_a_model_is_a_truth_without_phases(world):
    summary = SiteSummary("XX_R001_0007", "positive_pending", ground(*A), START, END)
    world.region("XX_R001", ground(0, 0, 10_000, 10_000), [summary])
    metrics = world.evaluate([], [site(1, *A, status="system_confirmed")])["metrics"]
    assert only(metrics, "bas_tp", "bas_fp", "bas_fn", "sc_macro_f1") == (1, 0, 0, None)


def test_the_thresholds_of_the_iarpa_framework_can_be_asked_for(world):
    part = (1000, 1000, 1100, 1400)  # a quarter of the site
    metrics = {}
    for tau in (0.2, 0.3):
        found = world.evaluate(
            [site(1, *A)], [site(1, *part, status="system_confirmed")], f"--tau={tau}", "--rho=0.5"
        )
        metrics[tau] = found["metrics"]["bas_tp"]
    assert metrics == {0.2: 1, 0.3: 0}


def test_regions_are_pooled_and_told_apart(world):
    world.region("XX_R002", ground(20_000, 0, 30_000, 10_000))
    far = (21_000, 1000, 21_400, 1400)
    truths = [site(1, *A), site(1, *far, region="XX_R002"), site(2, *B)]
    proposals = [
        site(1, *A, status="system_confirmed"),
        site(1, 25_000, 0, 25_100, 100, status="system_confirmed", region="XX_R002"),
    ]
    result = world.evaluate(truths, proposals)
    assert only(result["metrics"], "bas_tp", "bas_fp", "bas_fn") == (1, 1, 2)
    found = {
        name: only(one["metrics"], "bas_tp", "bas_fp", "bas_fn") for name, one in result["regions"].items()
    }
    assert found == {"XX_R001": (1, 0, 1), "XX_R002": (0, 1, 1)}
    assert result["regions"]["XX_R001"]["pairs"] == [["XX_R001_0001", "XX_R001_0001"]]


def test_a_region_in_which_the_tracker_found_nothing_is_scored(world):
    world.region("XX_R002", ground(20_000, 0, 30_000, 10_000))
    world.region("XX_R003", ground(40_000, 0, 50_000, 10_000))  # not searched
    folder = world.folder
    regions = [folder / "regions" / f"XX_R00{n}.geojson" for n in (1, 2)]
    iarpa.write_manifest(folder / "site_summaries_manifest.json", regions)
    truths = [site(1, *A), site(1, 21_000, 1000, 21_400, 1400, region="XX_R002")]
    truths.append(site(1, 41_000, 1000, 41_400, 1400, region="XX_R003"))
    metrics = world.evaluate(truths, [site(1, *A, status="system_confirmed")])["metrics"]
    assert only(metrics, "bas_tp", "bas_fp", "bas_fn") == (1, 0, 1)


def test_phases_are_compared_on_the_days_of_the_truth(world):
    told = ("No Activity", "Active Construction", "Active Construction", "Post Construction")
    result = world.evaluate([site(1, *A)], [site(1, *A, status="system_confirmed", phases=told)])
    metrics = result["metrics"]
    # Site Preparation: missed once. Active Construction: right once, false once.
    assert only(metrics, "macro_f1_siteprep", "macro_f1_active") == (0, pytest.approx(2 / 3))
    assert metrics["sc_macro_f1"] == pytest.approx(1 / 3)
    assert result["confusion"]["true_by_proposed"] == [[1, 0, 0, 0], [0, 0, 1, 0], [0, 0, 1, 0], [0, 0, 0, 1]]


def test_macro_f1_is_that_of_scikit_learn(world):
    from sklearn.metrics import f1_score

    told = {
        1: ("Site Preparation", "Site Preparation", "Active Construction", "Post Construction"),
        2: ("No Activity", "Active Construction", "Active Construction", "Active Construction"),
    }
    places = {1: A, 2: B}
    truths = [site(n, *places[n]) for n in told]
    proposals = [site(n, *places[n], status="system_confirmed", phases=told[n]) for n in told]
    metrics = world.evaluate(truths, proposals)["metrics"]
    active = list(PHASES[1:3])
    by_site = [f1_score(PHASES, phases, labels=active, average=None) for phases in told.values()]
    prep, build = sum(by_site) / 2
    assert metrics["macro_f1_siteprep"] == pytest.approx(prep)
    assert metrics["macro_f1_active"] == pytest.approx(build)
    assert metrics["sc_macro_f1"] == pytest.approx((prep + build) / 2)


@pytest.mark.parametrize(("lon", "lat"), [(129, 37), (-66.01, -18), (17.99, 59), (178, -40)])
def test_areas_are_true_everywhere(lon, lat):
    from pyproj import Geod
    from shapely.geometry import Polygon

    from pipelines.geowatch import matching

    outline = Polygon(
        [(lon - 0.1, lat - 0.1), (lon + 0.1, lat - 0.1), (lon + 0.12, lat + 0.1), (lon, lat + 0.1)]
    )
    region = Region("XX_R001", outline, START, END)
    exact = abs(Geod(ellps="WGS84").geometry_area_perimeter(outline.segmentize(1e-3))[0])
    projected = matching.in_metres(outline, matching.equal_area_crs(region)).area
    assert projected == pytest.approx(exact, rel=1e-5)


def test_maps_are_drawn_and_bytes_repeat(world):
    truths = [site(1, *A), site(2, *B)]
    proposals = [site(1, *A, status="system_confirmed"), site(3, 0, 0, 90, 90, status="system_confirmed")]
    files = [world.folder / "poly_eval.json", world.folder / "maps" / "XX_R001.png"]
    world.evaluate(truths, proposals, "--enable_viz=True")
    first = [file.read_bytes() for file in files]
    world.evaluate(truths, proposals, "--enable_viz=True")
    assert [file.read_bytes() for file in files] == first


@pytest.mark.parametrize(
    ("option", "named"),
    [
        ("--sites_fpath={}/no.json", "no.json"),
        ("--sites_fpath={}/broken.json", "broken.json"),
        ("--sites_fpath={}/odd.geojson", "odd.geojson"),
        ("--regions=YY_R009", "YY_R009"),
        ("--true_site_dpath={}/nowhere", "nowhere"),
        ("--tau=2", "--tau"),
    ],
)
def test_bad_input_is_one_line_and_exit_2(world, option, named, capsys):
    world.evaluate([site(1, *A)], [site(1, *A, status="system_confirmed")])
    (world.folder / "poly_eval.json").unlink()
    (world.folder / "broken.json").write_text("{")
    (world.folder / "odd.geojson").write_text('{"type": "FeatureCollection", "features": []}')
    with pytest.raises(SystemExit) as ended:
        program.run(evaluate_polygons.main, [*world.options(), option.format(world.folder)])
    stderr = capsys.readouterr().err
    assert ended.value.code == 2
    assert stderr.startswith("error: ") and named in stderr
    assert len(stderr.splitlines()) == 1
    assert not (world.folder / "poly_eval.json").exists()


def test_help_has_an_example():
    command = [sys.executable, "-m", "pipelines.geowatch.evaluate_polygons", "--help"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "Example:" in done.stdout
