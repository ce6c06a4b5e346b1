"""Site validation: scores of planted sites, the rule that filters them, and what the two programs write."""

from __future__ import annotations

import json
from pathlib import Path

import kwcoco
import numpy as np
import pytest
import rasterio
from click.testing import CliRunner
from scipy.spatial.distance import mahalanobis
from shapely.geometry import box

from pipelines.errors import BadInput
from pipelines.geowatch import coco_files, filter_sites, iarpa, score_sites
from pipelines.geowatch.filter_sites import Rule, filter_region
from pipelines.geowatch.grids import Grid
from pipelines.geowatch.site_areas import SiteArea
from pipelines.geowatch.site_scores import composite, contrast, masks, score_site

REGION = "KR_R001"
GRID = Grid("EPSG:32652", (2.0, 0.0, 300000.0, 0.0, -2.0, 4100000.0), 160, 160)
PLACE = box(60, 60, 100, 100)  # pixels of GRID: 80 m wide
AREA = SiteArea(f"{REGION}_0001", REGION, GRID.to_lonlat(PLACE))


def make_crop(folder: Path, starts, ends, cloud=None, site=AREA.site_id) -> Path:
    """A crop of two bands; `starts` and `ends` are the site's levels in each frame on a ground of 300."""
    random = np.random.default_rng(5)
    texture = random.normal(0, 20, (160, 160))  # the ground is the same in all frames
    dataset = kwcoco.CocoDataset(bundle_dpath=str(folder))
    keys = {"width": 160, "height": 160, "crs": GRID.crs, "transform": list(GRID.transform)}
    video = dataset.add_video(name=site, **keys)
    for number, level in enumerate([*starts, *ends]):
        ground = 300 + 100 * (number % 2) + texture + random.normal(0, 5, (2, 160, 160))
        ground[:, 60:100, 60:100] += level
        if number == cloud:
            ground[:, 40:120, 40:120] = 4000
        folder.mkdir(exist_ok=True, parents=True)
        profile = {"driver": "GTiff", "count": 2, "dtype": "int16", "nodata": -9999, "crs": GRID.crs}
        name = f"{site}_{number}.tif"
        with rasterio.open(
            folder / name, "w", width=160, height=160, transform=GRID.affine, **profile
        ) as out:
            out.write(ground.astype("int16"))
        asset = {"file_name": name, "channels": "red|nir", "width": 160, "height": 160}
        image = {"frame_index": number, "timestamp": number, "width": 160, "height": 160}
        dataset.add_image(file_name=None, name=f"{number}", video_id=video, auxiliary=[asset], **image)
    coco_files.write_dataset(dataset, folder / "crop.kwcoco.zip")
    return folder / "crop.kwcoco.zip"


def score(tmp_path, starts, ends, **keys):
    dataset = coco_files.read_dataset(make_crop(tmp_path, starts, ends, **keys))
    (video,) = dataset.index.videos.values()
    return score_site(dataset, video, AREA, ())


class TestScores:
    def test_a_construction_stands_out_at_the_end_only(self, tmp_path):
        found = score(tmp_path, [0, 0, 0], [200, 200, 200])
        assert found.start_score < 0.02 and found.end_score > 0.9 and found.change_score > 0.9
        assert found.start_frames == ("0", "1", "2") and found.end_frames == ("3", "4", "5")

    def test_what_was_always_there_did_not_change(self, tmp_path):
        found = score(tmp_path, [200, 200, 200], [200, 200, 200])
        assert found.start_score > 0.9 and found.end_score > 0.9 and found.change_score < 0.02

    def test_nothing_is_nothing(self, tmp_path):
        found = score(tmp_path, [0, 0, 0], [0, 0, 0])
        assert max(found.start_score, found.end_score, found.change_score) < 0.02

    def test_one_cloudy_frame_of_three_does_not_matter(self, tmp_path):
        clear = score(tmp_path / "a", [0, 0, 0], [200, 200, 200])
        cloudy = score(tmp_path / "b", [0, 0, 0], [200, 200, 200], cloud=1)
        assert cloudy.start_score < 0.1 and cloudy.end_score == clear.end_score

    def test_few_frames_are_halved_and_one_says_nothing(self, tmp_path):
        assert score(tmp_path / "a", [0], [200]).start_frames == ("0",)
        assert score(tmp_path / "b", [0], []).end_score is None

    def test_contrast_is_the_bhattacharyya_distance(self):
        random = np.random.default_rng(0)
        image = random.normal(0, 1, (3, 60, 60)).astype(np.float32)
        inside, ring = np.zeros((2, 60, 60), dtype=bool)
        inside[20:40, 20:40] = True
        ring[5:15] = True
        image[:, inside] += np.array([[0.5], [1.0], [0.0]])
        image[0, 25, 25] = np.nan
        a = image[:, inside & np.isfinite(image[0])].astype(float).T
        b = image[:, ring].astype(float).T
        covariance = (np.cov(a.T) + np.cov(b.T)) / 2 + 0.05 * np.eye(3)
        distance = mahalanobis(a.mean(axis=0), b.mean(axis=0), np.linalg.inv(covariance))
        assert contrast(image, inside, ring) == pytest.approx(1 - np.exp(-(distance**2) / 8), abs=1e-5)

    def test_too_few_pixels_have_no_score(self):
        image = np.zeros((1, 20, 20), np.float32)
        inside, ring = np.zeros((2, 20, 20), dtype=bool)
        inside[0, :5] = ring[10:] = True
        assert contrast(image, inside, ring) is None
        ring[:], inside[5:15, 5:15] = False, True
        assert contrast(image, inside, ring) is None

    def test_a_flat_image_has_no_contrast(self):
        inside, ring = np.zeros((2, 20, 20), dtype=bool)
        inside[5:15, 5:15], ring[:3] = True, True
        assert contrast(composite([np.full((2, 20, 20), 7, np.float32)] * 3), inside, ring) == 0

    def test_the_ring_leaves_out_other_sites(self):
        other = GRID.to_lonlat(box(105, 60, 140, 100))
        inside, alone = masks(AREA.geometry, GRID)
        _, beside = masks(AREA.geometry, GRID, [other])
        assert not (inside & alone).any() and alone[80, 110] and not beside[80, 110]
        assert beside[80, 50] and inside.sum() == pytest.approx(35 * 35, rel=0.1)


@pytest.mark.parametrize("scores, left_out", [
    ((0.1, 0.6, 0.5), None), ((0.6, 0.6, 0.5), "start"), ((0.5, 0.2, 0.2), None), ((0.1, 0.1, 0.5), "end"),
    ((0.1, 0.6, 0.1), "change"), ((None, None, None), None), ((None, 0.6, 0.5), None),
])  # fmt: skip
def test_the_rule(scores, left_out):
    reason = Rule(0.5, 0.2, 0.2).reason(
        dict(zip(("start_score", "end_score", "change_score"), scores, strict=True))
    )
    assert (reason or "").split(" ")[0] == (left_out or "")
    assert Rule().reason({"start_score": 1.0, "end_score": 0.0, "change_score": 0.0}) is None


def make_models(folder: Path, regions=("KR_R001",)) -> tuple[Path, Path]:
    """Two sites a region: summaries manifest and sites manifest."""
    summaries, sites = [], []
    for region in regions:
        ids = [f"{region}_{n:04d}" for n in (1, 2)]
        found = tuple(iarpa.SiteSummary(i, "system_confirmed", AREA.geometry) for i in ids)
        summaries.append(folder / "summaries" / f"{region}.geojson")
        iarpa.write_region(summaries[-1], iarpa.Region(region, GRID.outline, sites=found))
        for site in ids:
            sites.append(folder / "sites" / f"{site}.geojson")
            iarpa.write_site(sites[-1], iarpa.Site(site, region, "system_confirmed", AREA.geometry))
    iarpa.write_manifest(folder / "summaries.json", summaries)
    iarpa.write_manifest(folder / "sites.json", sites)
    return folder / "summaries.json", folder / "sites.json"


def write_scores(path: Path, **ends: float) -> Path:
    sites = {k: {"start_score": 0.0, "end_score": end, "change_score": end} for k, end in ends.items()}
    path.write_text(json.dumps({"type": "site_scores", "sites": sites}))
    return path


def filtered(folder: Path, regions: Path, sites: Path, scores: Path):
    out = folder / "out"
    paths = {"regions": regions, "sites": sites, "scores_fpath": scores, "out_sites": out / "out_sites"}
    paths["out_region"] = out / "out_region.geojson"
    paths["out_site_manifest"] = out / "out_site_manifest.json"
    result = CliRunner().invoke(filter_sites.main, [f"--{key}={value}" for key, value in paths.items()])
    return result, out


class TestPrograms:
    def test_scores_then_filter(self, tmp_path):
        regions, sites = make_models(tmp_path)
        crops = make_crop(tmp_path / "crop", [0, 0, 0], [200, 200, 200])
        arguments = [f"--crop_fpath={crops}", f"--regions={regions}", f"--scores_fpath={tmp_path / 's.json'}"]
        result = CliRunner().invoke(score_sites.main, arguments)
        # Both sites lie on the same ground, so that neither has a ring.
        assert result.exception is None, result.output
        document = json.loads((tmp_path / "s.json").read_text())
        assert sorted(document["sites"]) == ["KR_R001_0001", "KR_R001_0002"]
        assert document["sites"]["KR_R001_0002"]["start_score"] is None

    def test_only_sites_that_stay_are_written(self, tmp_path):
        regions, sites = make_models(tmp_path)
        scores = write_scores(tmp_path / "s.json", KR_R001_0001=0.9, KR_R001_0002=0.01)
        result, out = filtered(tmp_path, regions, sites, scores)
        assert result.exit_code == 0 and "left out KR_R001_0002: end score 0.010" in result.output
        assert [p.name for p in iarpa.read_manifest(out / "out_site_manifest.json")] == [
            "KR_R001_0001.geojson"
        ]
        assert [p.name for p in (out / "out_sites").iterdir()] == ["KR_R001_0001.geojson"]
        region = iarpa.read_region(out / "out_region.geojson")
        assert (region.region_id, [s.site_id for s in region.sites]) == ("KR_R001", ["KR_R001_0001"])

    def test_another_threshold_in_the_same_folder_leaves_nothing_behind(self, tmp_path):
        regions, sites = make_models(tmp_path)
        filtered(tmp_path, regions, sites, write_scores(tmp_path / "s.json", KR_R001_0001=0.9))
        _, out = filtered(tmp_path, regions, sites, write_scores(tmp_path / "s.json", KR_R001_0001=0.0))
        assert [p.name for p in (out / "out_sites").iterdir()] == ["KR_R001_0002.geojson"]

    def test_of_several_regions_each_has_a_model(self, tmp_path):
        regions, sites = make_models(tmp_path, ("KR_R001", "BR_R002"))
        scores = write_scores(tmp_path / "s.json", KR_R001_0001=0.0)
        _, out = filtered(tmp_path, regions, sites, scores)
        assert len(iarpa.read_region(out / "out_region.geojson").sites) == 3
        each = [iarpa.read_region(p) for p in iarpa.read_manifest(out / "out_site_summaries_manifest.json")]
        assert [(r.region_id, len(r.sites)) for r in each] == [("BR_R002", 2), ("KR_R001", 1)]

    def test_all_left_out_is_an_empty_region(self, tmp_path):
        regions, sites = make_models(tmp_path)
        scores = write_scores(tmp_path / "s.json", KR_R001_0001=0.0, KR_R001_0002=0.0)
        result, out = filtered(tmp_path, regions, sites, scores)
        assert result.exit_code == 0 and iarpa.read_region(out / "out_region.geojson").sites == ()

    def test_crops_of_other_sites_are_refused(self, tmp_path):
        regions, _ = make_models(tmp_path)
        crops = make_crop(tmp_path / "crop", [0], [0], site="US_R001_0001")
        arguments = [f"--crop_fpath={crops}", f"--regions={regions}", f"--scores_fpath={tmp_path / 's.json'}"]
        result = CliRunner().invoke(score_sites.main, arguments)
        assert isinstance(result.exception, BadInput) and "KR_R001_0001" in str(result.exception)
        assert not (tmp_path / "s.json").exists()

    def test_a_file_that_holds_no_scores_is_refused(self, tmp_path):
        regions, sites = make_models(tmp_path)
        result, out = filtered(tmp_path, regions, sites, sites)
        assert isinstance(result.exception, BadInput) and not out.exists()


def test_one_region_keeps_its_own_keys():
    region = iarpa.Region(REGION, GRID.outline, mgrs="52SCG", sites=())
    assert filter_region([region], set()) == region
