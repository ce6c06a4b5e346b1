"""The tracker as a program: real GeoTIFFs and kwcoco in, site models, summaries and polygons out."""

from __future__ import annotations

import hashlib
import math
import subprocess
import sys
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import kwcoco
import numpy as np
import pytest
import rasterio
import shapely
from click.testing import CliRunner
from rasterio.features import rasterize
from shapely.geometry import box

from pipelines.errors import BadInput
from pipelines.geowatch import coco_files, iarpa, track
from pipelines.geowatch.grids import LONLAT, Grid, reproject
from pipelines.geowatch.iarpa import PHASES, Region, SiteSummary

GRID = Grid("EPSG:32652", (10.0, 0.0, 300000.0, 0.0, -10.0, 4100000.0), 40, 30)
START = date(2020, 1, 10)
STEP = timedelta(days=30)


def make_dataset(folder: Path, heat, grid=GRID, channels="salient", name="KR_R001", **video) -> Path:
    """A kwcoco file whose frame t has the heatmap heat[t] of shape (bands, height, width)."""
    folder.mkdir(parents=True, exist_ok=True)
    dataset = kwcoco.CocoDataset()
    path = folder / "pred.kwcoco.zip"
    dataset.fpath = str(path)
    add_video(dataset, folder, heat, grid, channels, name, **video)
    coco_files.write_dataset(dataset, path)
    return path


def add_video(dataset, folder, heat, grid=GRID, channels="salient", name="KR_R001", **video):
    heat = np.asarray(heat, np.float32)
    video_id = dataset.add_video(
        name=name, width=grid.width, height=grid.height, crs=grid.crs,
        transform=list(grid.transform), target_gsd=grid.gsd, **video,
    )  # fmt: skip
    for t, pixels in enumerate(heat):
        day = START + t * STEP
        image = f"{name}_{day:%Y%m%d}_S2"
        write_heat(folder / f"{image}.tif", pixels, grid)
        asset = {"file_name": f"{image}.tif", "channels": channels, "width": grid.width,
                 "height": grid.height, "warp_aux_to_img": {"scale": 1.0}}  # fmt: skip
        dataset.add_image(
            name=image, file_name=None, video_id=video_id, frame_index=t, sensor_coarse="S2",
            date_captured=f"{day}T10:30:00", width=grid.width * 2, height=grid.height * 2,
            auxiliary=[asset], warp_img_to_vid={"scale": 0.5},
        )  # fmt: skip


def write_heat(path, pixels, grid):
    bands, height, width = pixels.shape
    with rasterio.open(
        path, "w", driver="GTiff", crs=grid.crs, transform=grid.affine, count=bands, dtype="float32",
        height=height, width=width, nodata=np.nan, tiled=True, blockxsize=16, blockysize=16,
    ) as image:  # fmt: skip
        image.write(pixels)


def one_site(levels, grid=GRID, box_=(10, 8, 18, 14), background=0.02):
    """Heat with a block of pixels (west, north, east, south) at a level per frame."""
    west, north, east, south = box_
    heat = np.full((len(levels), 1, grid.height, grid.width), background, np.float32)
    for t, level in enumerate(levels):
        heat[t, 0, north:south, west:east] = level
    return heat


def run(out: Path, pred: Path, *options: str) -> list[iarpa.Site]:
    """The sites that the program writes."""
    manifest = out / "sites_manifest.json"
    result = CliRunner().invoke(
        track.main,
        [f"--pred_pxl_fpath={pred}", f"--sites_fpath={manifest}", *options],
        catch_exceptions=False,
    )
    assert result.exit_code == 0, result.output
    return [iarpa.read_site(path) for path in iarpa.read_manifest(manifest)]


def refusal(out: Path, pred: Path, *options: str) -> str:
    with pytest.raises(BadInput) as caught:
        run(out, pred, *options)
    assert not out.exists() or not list(out.iterdir())
    return str(caught.value)


def on_ground(col0, row0, col1, row1, grid=GRID):
    return grid.to_lonlat(box(col0, row0, col1, row1))


def region_file(folder: Path, geometry, sites=(), region_id="KR_R001") -> Path:
    path = folder / f"{region_id}.geojson"
    iarpa.write_region(path, Region(region_id, geometry, date(2020, 1, 1), date(2021, 1, 1), "52SDG", sites))
    return path


def test_a_block_of_heat_becomes_a_site_with_its_period(tmp_path):
    pred = make_dataset(tmp_path / "in", one_site([0.0, 0.0, 0.8, 0.9, 0.7, 0.1]))
    (site,) = run(tmp_path / "out", pred, "--thresh=0.3")
    assert (site.site_id, site.region_id, site.status) == ("KR_R001_0001", "KR_R001", "system_confirmed")
    assert (site.start_date, site.end_date) == (START + 2 * STEP, START + 4 * STEP)
    assert [seen.phase for seen in site.observations] == [PHASES[1], PHASES[2], PHASES[2]]
    assert site.observations[0].source == "KR_R001_20200310_S2"
    assert site.score == pytest.approx(0.8, abs=1e-5)
    assert GRID.to_pixels(site.geometry).symmetric_difference(box(10, 8, 18, 14)).area < 0.01


def test_summaries_name_the_same_sites_as_the_site_models(tmp_path):
    pred = make_dataset(tmp_path / "in", one_site([0.5, 0.9]))
    bounds = region_file(tmp_path, on_ground(0, 0, 40, 30))
    sites = run(tmp_path / "out", pred, f"--boundary_region={bounds}")
    (summary,) = iarpa.read_manifest(tmp_path / "out" / "site_summaries_manifest.json")
    region = iarpa.read_region(summary)
    assert summary.name == "KR_R001.geojson"
    assert (region.start_date, region.mgrs) == (date(2020, 1, 1), "52SDG")
    assert [one.site_id for one in region.sites] == [site.site_id for site in sites]


def test_polygons_lie_on_the_pixels_of_each_image(tmp_path):
    pred = make_dataset(tmp_path / "in", one_site([0.5, 0.9]))
    run(tmp_path / "out", pred)
    tracked = kwcoco.CocoDataset(str(tmp_path / "out" / "poly.kwcoco.zip"))
    assert tracked.n_annots == 2
    for annotation in tracked.annots().objs:
        assert (annotation["track_id"], annotation["role"]) == ("KR_R001_0001", "pred")
        assert annotation["bbox"] == pytest.approx([20, 16, 16, 12], abs=0.01)  # images have 5 m pixels
    # The paths of the heatmaps hold from the new place.
    assert all(coco_files.asset_path(tracked, a).is_file()
               for image in tracked.imgs.values() for a in coco_files.assets(image))  # fmt: skip
    assert not tracked.validate(missing=True)["errors"]


@pytest.mark.parametrize("level, found", [(0.25, 0), (0.31, 1)])
def test_heat_below_the_threshold_is_no_site(tmp_path, level, found):
    pred = make_dataset(tmp_path / "in", one_site([level] * 3))
    assert len(run(tmp_path / "out", pred, "--thresh=0.3")) == found


def test_nothing_found_is_an_empty_manifest_and_a_region_without_sites(tmp_path):
    pred = make_dataset(tmp_path / "in", one_site([0.0, 0.0]))
    assert run(tmp_path / "out", pred) == []
    (summary,) = iarpa.read_manifest(tmp_path / "out" / "site_summaries_manifest.json")
    assert iarpa.read_region(summary).sites == ()


def test_a_dataset_without_videos_is_tracked_to_nothing(tmp_path):
    """The crop of a region in which BAS found no site."""
    dataset = kwcoco.CocoDataset()
    coco_files.write_dataset(dataset, tmp_path / "empty.kwcoco.zip")
    given = region_file(tmp_path, on_ground(0, 0, 40, 30))
    sites = run(tmp_path / "out", tmp_path / "empty.kwcoco.zip", "--mode=sc", f"--site_summary={given}")
    assert sites == []
    assert len(iarpa.read_manifest(tmp_path / "out" / "site_summaries_manifest.json")) == 1


def test_a_short_site_is_seen_by_the_maximum_and_by_a_moving_window(tmp_path):
    pred = make_dataset(tmp_path / "in", one_site([0.0, 0.0, 0.9, 0.9, 0.0, 0.0, 0.0, 0.0]))
    found = {
        how: len(run(tmp_path / f"out{i}", pred, "--thresh=0.5", *how))
        for i, how in enumerate(
            [(), ("--agg_fn=max",), ("--norm_ord=inf",), ("--moving_window_size=2",),
             ("--moving_window_size=6",), ("--inner_window_size=60d", "--agg_fn=max")]
        )
    }  # fmt: skip
    assert list(found.values()) == [0, 1, 1, 1, 0, 1]


def blocks(*boxes, levels=(0.9, 0.9)):
    return np.maximum.reduce([one_site(levels, box_=one) for one in boxes])


SHORT = one_site([0.0, 0.0, 0.9, 0.0, 0.0, 0.9])  # mean 0.3, as that of each half
APART = {gap: blocks((4, 4, 8, 8), (8 + gap, 4, 12 + gap, 8)) for gap in (2, 3)}
CORNER = blocks((4, 4, 8, 8), (8, 8, 12, 12))


@pytest.mark.parametrize(
    "heat, options, count",
    [
        (SHORT, "--agg_fn=probs", 0),
        (SHORT, "--agg_fn=probs --norm_ord=4", 1),  # (2/6)^(1/4) 0.9 = 0.68
        (SHORT, "--agg_fn=probs --norm_ord=inf", 1),
        (SHORT, "--agg_fn=mean --norm_ord=inf", 0),
        (SHORT, "--agg_fn=max --norm_ord=1", 1),
        (SHORT, "--agg_fn=max --inner_window_size=90d", 0),
        (SHORT, "--agg_fn=max --inner_window_size=60d", 0),  # 0.45
        (SHORT, "--agg_fn=max --inner_window_size=30d", 1),
        (SHORT, "--inner_window_size=90d --inner_agg_fn=max", 1),
        (APART[2], "--morph_kernel=0", 2),
        (APART[2], "--morph_kernel=3", 1),
        (APART[3], "--morph_kernel=3", 2),
        (APART[3], "--morph_kernel=5", 1),
        (CORNER, "--morph_kernel=0 --poly_merge_method=v1", 2),
        (CORNER, "--morph_kernel=0 --poly_merge_method=v2", 1),
    ],
)
def test_what_is_one_site_with_each_parameter(tmp_path, heat, options, count):
    pred = make_dataset(tmp_path / "in", heat)
    assert len(run(tmp_path / "out", pred, "--thresh=0.5", *options.split())) == count


@pytest.mark.parametrize("time_thresh, last", [(1, 1), (0.75, 2), (0.5, 3)])
def test_time_thresh_is_the_fraction_of_thresh_at_which_a_site_ends(tmp_path, time_thresh, last):
    """Hysteresis: 0.3 and 0.2 continue a site of at least 0.4; the 0.3 before it begins none."""
    pred = make_dataset(tmp_path / "in", one_site([0.3, 0.5, 0.3, 0.2, 0.1]))
    options = ("--thresh=0.4", "--agg_fn=max", f"--time_thresh={time_thresh}")
    (site,) = run(tmp_path / "out", pred, *options)
    assert (site.start_date, site.end_date) == (START + STEP, START + last * STEP)


@pytest.mark.parametrize("metres, corners", [(0, 8), (5, 8), (20, 4)])
def test_polygon_simplify_tolerance_is_in_metres(tmp_path, metres, corners):
    pred = make_dataset(tmp_path / "in", blocks((4, 4, 20, 14), (10, 3, 11, 14)))  # a tooth of one pixel
    (site,) = run(tmp_path / "out", pred, "--morph_kernel=0", f"--polygon_simplify_tolerance={metres}")
    assert len(site.geometry.exterior.coords) - 1 == corners


def test_given_sites_of_bas_say_where_to_look(tmp_path):
    given = region_file(tmp_path, on_ground(0, 0, 40, 30), (summary(box_=(2, 2, 14, 28)),))
    pred = make_dataset(tmp_path / "in", blocks((10, 8, 18, 14), (30, 4, 34, 8)))
    (site,) = run(tmp_path / "out", pred, f"--site_summary={given}")
    assert GRID.to_pixels(site.geometry).symmetric_difference(box(10, 8, 14, 14)).area < 0.01


def test_areas_are_in_square_metres(tmp_path):
    heat = np.maximum(one_site([0.9] * 2, box_=(2, 2, 4, 4)), one_site([0.9] * 2, box_=(10, 10, 20, 20)))
    pred = make_dataset(tmp_path / "in", heat)
    small, large = 2 * 2 * 100, 10 * 10 * 100
    sizes = [(small, large, 2), (small + 1, large, 1), (small, large - 1, 1), (small + 1, large - 1, 0)]
    for i, (least, most, count) in enumerate(sizes):
        options = (f"--min_area_square_meters={least}", f"--max_area_square_meters={most}")
        assert len(run(tmp_path / f"out{i}", pred, *options)) == count


def test_response_thresh_asks_for_more_heat_inside(tmp_path):
    pred = make_dataset(tmp_path / "in", one_site([0.3, 0.5]))
    assert len(run(tmp_path / "a", pred, "--response_thresh=0.39")) == 1
    assert len(run(tmp_path / "b", pred, "--response_thresh=0.41")) == 0


def test_boundary_keeps_clips_or_drops(tmp_path):
    heat = np.maximum(one_site([0.9] * 2, box_=(8, 4, 12, 8)), one_site([0.9] * 2, box_=(30, 4, 34, 8)))
    pred = make_dataset(tmp_path / "in", heat)
    bounds = region_file(tmp_path, on_ground(0, 0, 10, 30))  # through the first site, before the second
    (kept,) = run(tmp_path / "a", pred, f"--boundary_region={tmp_path}")
    (cut,) = run(tmp_path / "b", pred, f"--boundary_region={bounds}", "--boundary_behavior=clip")
    assert GRID.to_pixels(kept.geometry).area == pytest.approx(16, abs=0.01)
    assert GRID.to_pixels(cut.geometry).area == pytest.approx(8, abs=0.01)


def test_ids_follow_the_start_then_the_place(tmp_path):
    heat = np.maximum.reduce(
        [one_site([0.0, 0.9, 0.9], box_=(2, 2, 6, 6)), one_site([0.9] * 3, box_=(20, 20, 24, 24)),
         one_site([0.9] * 3, box_=(20, 2, 24, 6)), one_site([0.9] * 3, box_=(30, 2, 34, 6))]
    )  # fmt: skip
    sites = run(tmp_path / "out", make_dataset(tmp_path / "in", heat))
    assert [site.site_id[-4:] for site in sites] == ["0001", "0002", "0003", "0004"]
    west_north = [tuple(round(v) for v in GRID.to_pixels(site.geometry).bounds[:2]) for site in sites]
    assert west_north == [(20, 2), (30, 2), (20, 20), (2, 2)]


def test_a_pause_splits_a_site_only_if_asked(tmp_path):
    pred = make_dataset(tmp_path / "in", one_site([0.9, 0.9, 0.05, 0.05, 0.9, 0.9]))
    (whole,) = run(tmp_path / "a", pred)
    assert (whole.start_date, whole.end_date) == (START, START + 5 * STEP)
    first, second = run(tmp_path / "b", pred, "--time_split_thresh=0.1")
    assert (first.end_date, second.start_date) == (START + STEP, START + 4 * STEP)


def test_clouds_without_data_do_not_end_a_site_and_are_not_observed(tmp_path):
    heat = one_site([0.9] * 4)
    heat[1] = np.nan
    heat[2, 0, :, 10:15] = np.nan  # more than half of the site
    (site,) = run(tmp_path / "out", make_dataset(tmp_path / "in", heat), "--time_split_thresh=0.1")
    assert [seen.date for seen in site.observations] == [START, START + 2 * STEP, START + 3 * STEP]
    assert [seen.is_occluded for seen in site.observations] == [False, True, False]


@pytest.mark.parametrize("crs, corner", [
    ("EPSG:32652", (300000.0, 4100000.0)), ("EPSG:32719", (500000.0, 7400000.0)),
    ("EPSG:32633", (830000.0, 5300000.0)),  # beyond the eastern edge of its zone
    ("EPSG:32756", (250000.0, 6200000.0)),
])  # fmt: skip
def test_a_site_drawn_in_lonlat_comes_back_within_half_a_pixel(tmp_path, crs, corner):
    grid = Grid(crs, (10.0, 0.0, corner[0], 0.0, -10.0, corner[1]), 64, 64)
    truth = grid.to_lonlat(box(20.3, 18.6, 41.8, 33.2))  # as a person draws it: not on pixels
    mask = rasterize([grid.to_pixels(truth)], out_shape=(64, 64))
    heat = np.where(mask, 0.9, 0.0)[None, None].repeat(2, axis=0)
    (site,) = run(tmp_path / "out", make_dataset(tmp_path / "in", heat, grid))
    drawn, tracked = reproject(truth, LONLAT, crs), reproject(site.geometry, LONLAT, crs)
    assert max(abs(np.subtract(drawn.bounds, tracked.bounds))) <= 5.0 + 0.01
    assert drawn.centroid.distance(tracked.centroid) < 5.0


def test_heat_of_another_gsd_than_the_video(tmp_path):
    coarse = GRID.at_gsd(20)
    heat = one_site([0.9, 0.9], coarse, (5, 4, 9, 7))
    folder = tmp_path / "in"
    pred = make_dataset(folder, one_site([0.0, 0.0]))
    for path, pixels in zip(sorted(folder.glob("*.tif")), heat, strict=True):
        write_heat(path, pixels, coarse)
    (site,) = run(tmp_path / "out", pred)
    assert GRID.to_pixels(site.geometry).symmetric_difference(box(10, 8, 18, 14)).area < 0.01


def classes(path, grid=GRID, box_=(10, 8, 18, 14)):
    """Class heat in which a block goes through ``path`` (indices of PHASES), the rest stays 0."""
    west, north, east, south = box_
    heat = np.full((len(path), 4, grid.height, grid.width), 0.02, np.float32)
    heat[:, 0] = 0.94
    for t, state in enumerate(path):
        heat[t, :, north:south, west:east] = 0.1
        heat[t, state, north:south, west:east] = 0.7
    return heat


def summary(site_id="KR_R001_0003", box_=(10, 8, 18, 14), status="system_confirmed", grid=GRID):
    return SiteSummary(site_id, status, on_ground(*box_, grid=grid), date(2020, 1, 1), date(2021, 1, 1), 0.5)


SC = ("--mode=sc", "--thresh=0.3")
ALL = "|".join(PHASES)


def test_given_sites_keep_their_ids_and_gain_phases(tmp_path):
    given = region_file(tmp_path, on_ground(0, 0, 40, 30), (summary(),))
    pred = make_dataset(tmp_path / "in", classes([0, 1, 1, 2, 2, 3]), channels=ALL)
    (site,) = run(tmp_path / "out", pred, *SC, f"--site_summary={given}")
    assert site.site_id == "KR_R001_0003"
    assert [seen.phase for seen in site.observations] == [PHASES[1]] * 2 + [PHASES[2]] * 2
    assert (site.start_date, site.end_date) == (START + STEP, START + 4 * STEP)


def test_padding_adds_the_frames_around(tmp_path):
    given = region_file(tmp_path, on_ground(0, 0, 40, 30), (summary(),))
    pred = make_dataset(tmp_path / "in", classes([0, 1, 2, 3]), channels=ALL)
    pads = ("--time_pad_before=30d", "--time_pad_after=1y")
    (site,) = run(tmp_path / "out", pred, *SC, f"--site_summary={given}", *pads)
    assert [seen.phase for seen in site.observations] == list(PHASES)
    assert (site.start_date, site.end_date) == (START, START + 3 * STEP)  # not beyond the images


@pytest.mark.parametrize("option, expected", [
    ("--smoothing=1", [1, 1, 2, 2, 1, 2, 2]), ("--use_viterbi=1", [1, 1, 2, 2, 2, 2, 2]),
    ("--smoothing=3", [1, 1, 2, 2, 2, 2, 2]),
])  # fmt: skip
def test_phases_by_argmax_viterbi_and_smoothing(tmp_path, option, expected):
    given = region_file(tmp_path, on_ground(0, 0, 40, 30), (summary(),))
    pred = make_dataset(tmp_path / "in", classes([1, 1, 2, 2, 1, 2, 2]), channels=ALL)
    (site,) = run(tmp_path / "out", pred, *SC, f"--site_summary={given}", option)
    assert [PHASES.index(seen.phase) for seen in site.observations] == expected


def test_crops_of_single_sites_join_their_region(tmp_path):
    """As sc_crop writes them: a video per site, on its own finer grid."""
    folder = tmp_path / "in"
    folder.mkdir()
    dataset = kwcoco.CocoDataset()
    dataset.fpath = str(folder / "pred.kwcoco.zip")
    for number, corner in ((1, 2), (2, 20)):
        grid = replace(GRID.crop(corner, corner, 8, 8).at_gsd(4), width=20, height=20)
        add_video(dataset, folder, classes([1, 2], grid, (5, 5, 15, 15)), grid, ALL,
                  f"KR_R001_000{number}", region_id="KR_R001")  # fmt: skip
    coco_files.write_dataset(dataset, dataset.fpath)
    sites = tuple(
        summary(f"KR_R001_000{n}", (c + 2, c + 2, c + 6, c + 6)) for n, c in ((1, 2), (2, 20), (3, 9))
    )
    given = region_file(tmp_path, on_ground(0, 0, 40, 30), sites)
    found = run(tmp_path / "out", folder / "pred.kwcoco.zip", *SC, f"--site_summary={given}")
    assert [site.site_id for site in found] == ["KR_R001_0001", "KR_R001_0002"]
    assert [len(site.observations) for site in found] == [2, 2]
    (file,) = iarpa.read_manifest(tmp_path / "out" / "site_summaries_manifest.json")
    assert [site.site_id for site in iarpa.read_region(file).sites] == ["KR_R001_0001", "KR_R001_0002"]


def two_crops(folder: Path) -> tuple[str, tuple[SiteSummary, ...]]:
    """Crops around two sites of a region, of which the second starts first; and their summaries."""
    folder.mkdir()
    dataset = kwcoco.CocoDataset()
    dataset.fpath = str(folder / "pred.kwcoco.zip")
    summaries = []
    for number, corner, path in ((1, 2, [0, 1]), (2, 20, [1, 2, 2])):
        name, grid = f"KR_R001_000{number}", GRID.crop(corner, corner, 8, 8)
        add_video(dataset, folder, classes(path, grid, (2, 2, 6, 6)), grid, ALL, name, region_id="KR_R001")
        summaries.append(summary(name, (corner, corner, corner + 8, corner + 8)))
    coco_files.write_dataset(dataset, dataset.fpath)
    return dataset.fpath, tuple(summaries)


@pytest.mark.parametrize("how", ["bounds", "none", "no site_summary"])
def test_sites_looked_for_in_several_crops_are_numbered_over_their_region(tmp_path, how):
    pred, sites = two_crops(tmp_path / "in")
    given = region_file(tmp_path, on_ground(0, 0, 40, 30), sites)
    options = () if how.startswith("no ") else (f"--site_summary={given}", f"--boundaries_as={how}")
    found = run(tmp_path / "out", pred, *SC, *options)
    assert [site.site_id for site in found] == ["KR_R001_0001", "KR_R001_0002"]
    assert [round(GRID.to_pixels(site.geometry).bounds[0]) for site in found] == [22, 4]
    (file,) = iarpa.read_manifest(tmp_path / "out" / "site_summaries_manifest.json")
    region = iarpa.read_region(file)
    ends = (date(2020, 1, 1), date(2021, 1, 1)) if options else (START, START + 2 * STEP)
    assert (region.start_date, region.end_date) == ends
    area = GRID.to_pixels(region.geometry).area
    assert area == pytest.approx(40 * 30 if options else 2 * 8 * 8, abs=0.1)


def test_one_region_model_with_the_sites_of_two_regions(tmp_path):
    """As site validation writes them."""
    folder = tmp_path / "in"
    folder.mkdir()
    dataset = kwcoco.CocoDataset()
    dataset.fpath = str(folder / "pred.kwcoco.zip")
    far = GRID.crop(5000, 0, 40, 30)
    for grid, name in ((GRID, "KR_R001"), (far, "KR_R002")):
        add_video(dataset, folder, classes([1, 2]), grid, ALL, name)
    coco_files.write_dataset(dataset, dataset.fpath)
    sites = (summary(), summary("KR_R002_0001", grid=far))
    given = region_file(tmp_path, shapely.union(on_ground(0, 0, 40, 30), on_ground(0, 0, 40, 30, far)), sites)
    found = run(tmp_path / "out", folder / "pred.kwcoco.zip", *SC, f"--site_summary={given}")
    assert [(site.region_id, site.site_id) for site in found] == [
        ("KR_R001", "KR_R001_0003"), ("KR_R002", "KR_R002_0001"),
    ]  # fmt: skip


def test_rejected_cold_and_low_sites_are_left_out(tmp_path):
    sites = (summary("KR_R001_0001", status="system_rejected"), summary("KR_R001_0002"),
             summary("KR_R001_0003", (25, 20, 30, 25)))  # fmt: skip
    given = region_file(tmp_path, on_ground(0, 0, 40, 30), sites)
    pred = make_dataset(tmp_path / "in", classes([1, 2]), channels=ALL)
    (found,) = run(tmp_path / "a", pred, *SC, f"--site_summary={given}")
    assert found.site_id == "KR_R001_0002"
    colder = run(tmp_path / "c", pred, *SC, f"--site_summary={given}", "--thresh=0.03")
    assert [site.site_id for site in colder] == ["KR_R001_0002", "KR_R001_0003"]
    assert run(tmp_path / "b", pred, *SC, f"--site_summary={given}", "--site_score_thresh=0.9") == []


def test_given_sites_as_bounds_only_say_where(tmp_path):
    given = region_file(tmp_path, on_ground(0, 0, 40, 30), (summary(box_=(12, 8, 40, 30)),))
    pred = make_dataset(tmp_path / "in", classes([1, 2]), channels=ALL)
    (site,) = run(tmp_path / "a", pred, *SC, f"--site_summary={given}", "--boundaries_as=bounds")
    assert GRID.to_pixels(site.geometry).symmetric_difference(box(12, 8, 18, 14)).area < 0.01
    (site,) = run(tmp_path / "b", pred, *SC, f"--site_summary={given}", "--boundaries_as=none")
    assert GRID.to_pixels(site.geometry).symmetric_difference(box(10, 8, 18, 14)).area < 0.01


def test_the_same_bytes_from_run_to_run_and_nothing_left_of_an_earlier_run(tmp_path):
    pred = make_dataset(tmp_path / "in", one_site([0.9] * 3))
    run(tmp_path / "a", pred)
    run(tmp_path / "b", pred)
    assert digests(tmp_path / "a") == digests(tmp_path / "b")
    run(tmp_path / "a", pred, "--thresh=0.95")
    assert not list((tmp_path / "a" / "sites").iterdir())


def digests(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(f.relative_to(folder)): hashlib.sha256(f.read_bytes()).hexdigest() for f in files}


def test_bad_input_is_named_and_leaves_nothing(tmp_path):
    pred = make_dataset(tmp_path / "in", one_site([0.9] * 2))
    out = tmp_path / "out"
    elsewhere = region_file(tmp_path, on_ground(500, 500, 540, 530))
    other = region_file(tmp_path / "other", on_ground(0, 0, 40, 30), region_id="US_R001")
    assert "no such file" in refusal(out, tmp_path / "absent.kwcoco.zip")
    assert "no heatmaps with the channels 'No Activity|" in refusal(out, pred, "--mode=sc")
    assert "outside the images" in refusal(out, pred, f"--boundary_region={elsewhere}")
    assert "no model of region 'KR_R001'" in refusal(out, pred, f"--boundary_region={other}")
    assert "not a length of time" in refusal(out, pred, "--inner_window_size=soon")


def test_images_and_heatmaps_with_faults_are_named(tmp_path):
    def faulty(name, change) -> str:
        pred = make_dataset(tmp_path / name, one_site([0.9] * 2))
        dataset = coco_files.read_dataset(pred)
        change(dataset, tmp_path / name)
        coco_files.write_dataset(dataset, pred)
        return refusal(tmp_path / "out", pred)

    def untimed(dataset, folder):
        dataset.dataset["images"][1]["date_captured"] = None

    def corrupt(dataset, folder):
        path = sorted(folder.glob("*.tif"))[1]
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])

    def moved(dataset, folder):
        grid = Grid("EPSG:32651", GRID.transform, GRID.width, GRID.height)
        write_heat(sorted(folder.glob("*.tif"))[0], one_site([0.9])[0], grid)

    assert "image 'KR_R001_20200209_S2' has neither timestamp nor date_captured" in faulty("a", untimed)
    assert "KR_R001_20200209_S2.tif" in faulty("b", corrupt)
    assert "lies on EPSG:32651, its video 'KR_R001' on EPSG:32652" in faulty("c", moved)


def test_areas_of_images_in_degrees_are_in_square_metres_too(tmp_path):
    degree = 10 / 111_195  # metres per degree at the equator
    grid = Grid("EPSG:4326", (degree, 0.0, 30.0, 0.0, -degree, 0.0), 40, 30)
    pred = make_dataset(tmp_path / "in", one_site([0.9] * 2, grid), grid)
    assert len(run(tmp_path / "a", pred, "--min_area_square_meters=4790")) == 1  # 8 x 6 pixels of 10 m
    assert len(run(tmp_path / "b", pred, "--min_area_square_meters=4810")) == 0


def test_the_program_complains_in_one_line_and_exits_2(tmp_path):
    command = [sys.executable, "-m", "pipelines.geowatch.track", f"--sites_fpath={tmp_path}/out/sites.json"]
    done = subprocess.run(
        [*command, f"--pred_pxl_fpath={tmp_path}/absent.zip"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert done.stderr == f"error: {tmp_path}/absent.zip: no such file\n"
    assert not (tmp_path / "out").exists()


def test_scores_stay_numbers(tmp_path):
    pred = make_dataset(tmp_path / "in", one_site([0.9, math.nan, 0.9]))
    (site,) = run(tmp_path / "out", pred)
    assert 0 <= site.score <= 1 and all(0 <= seen.score <= 1 for seen in site.observations)
