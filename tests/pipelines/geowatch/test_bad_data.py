"""Data that no program can work with: a failed job, whose one line stands in `kwdag status`."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys

import pytest
import rasterio

from pipelines.geowatch import package
from pipelines.geowatch.model import TemporalUNet

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("bad data")]

SMALLEST = ("--regions=1", "--frames=2", "--size=48", "--sensors=S2")
TIMES = ("timestamp", "date_captured")
REGION = ("boundary_region",)
BANDS = ("blue", "green", "red", "nir")
GOOD = {"package_fpath": "four.pt", "test_dataset": "data.kwcoco.json"}
#: What is wrong -> how its row differs, the node that fails, what its line says.
BAD = {
    "missing band": ({"test_dataset": "band.json"}, "bas_pxl", r"\S+/band\.json: .*no band 'nir'"),
    "unknown CRS": ({"test_dataset": "crs.json"}, "bas_pxl", r"\S+/crs\.json: video .*unusable crs"),
    "CRS of another zone": ({"test_dataset": "zone.json"}, "bas_pxl", r"\S+/zone\.tif: .*wrong CRS"),
    "corrupt GeoTIFF": ({"test_dataset": "corrupt.json"}, "bas_pxl", r"\S+/corrupt\.tif: cannot be read"),
    "no timestamps": ({"test_dataset": "time.json"}, "bas_pxl", r"\S+/time\.json: .*no.* date_captured"),
    "another channel count": ({"package_fpath": "five.pt"}, "bas_pxl", r".*no band 'swir16'"),
    "region outside the images": (
        {"boundary_region": "far.geojson"}, "bas_poly",
        r"\S+/far\.geojson: region .* lies outside the images",
    ),
}  # fmt: skip


def python(here, *words):
    line = [sys.executable, "-m", *words]
    alone = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.run(line, cwd=here, env=alone, capture_output=True, text=True, timeout=300)


def model(path, *bands):
    recipe = package.Recipe(
        task="saliency", channels=bands, normalisation={"*": dict.fromkeys(bands, (0.0, 1.0))}, gsd=10.0,
        time_steps=2, time_sampling="uniform", window=16, width=2,
    )  # fmt: skip
    package.save(path, recipe, TemporalUNet(len(bands), 1, 2))


def change(here, name, edit):
    """A copy of the dataset in which the first image, the video and all assets may be changed."""
    document = json.loads((here / "data.kwcoco.json").read_text())
    assets = [asset for image in document["images"] for asset in image["auxiliary"]]
    edit(document["images"][0], document["videos"][0], assets)
    (here / name).write_text(json.dumps(document))
    return here / str(assets[0]["file_name"])


def spoil(here):
    """All that a row of BAD names."""
    model(here / "four.pt", *BANDS)
    model(here / "five.pt", *BANDS, "swir16")
    change(here, "crs.json", lambda image, video, assets: video.update(crs="EPSG:999999"))
    change(here, "time.json", lambda image, video, assets: [image.pop(key) for key in TIMES])
    change(here, "corrupt.json", lambda image, video, assets: assets[0].update(file_name="corrupt.tif"))
    change(here, "zone.json", lambda image, video, assets: assets[0].update(file_name="zone.tif"))
    first = change(
        here,
        "band.json",
        lambda image, video, assets: [asset.update(channels="blue|green|red|swir16") for asset in assets],
    )
    (here / "corrupt.tif").write_bytes(first.read_bytes()[:2000])
    with rasterio.open(first) as source, rasterio.open(here / "zone.tif", "w", **source.profile) as file:
        file.write(source.read())
        file.crs = "EPSG:32733"
    (region,) = (here / "region_models").glob("*.geojson")
    far = json.loads(region.read_text())
    far["features"] = far["features"][:1]
    far["features"][0]["geometry"]["coordinates"] = [[[0, 0], [0.1, 0], [0.1, 0.1], [0, 0.1], [0, 0]]]
    (here / "far.geojson").write_text(json.dumps(far))


@pytest.fixture(scope="module")
def status(tmp_path_factory):
    """What `kwdag schedule` and `kwdag status` say of a grid with a row for each of BAD, and a good one."""
    here = tmp_path_factory.mktemp("bad") / "data"
    made = python(here.parent, "pipelines.geowatch.generate", "--dst=data", *SMALLEST)
    assert made.returncode == 0, made.stderr
    spoil(here)
    rows = [GOOD, *(GOOD | changed for changed, _, _ in BAD.values())]
    named = [{f"{'bas_poly' if key in REGION else 'bas_pxl'}.{key}": row[key] for key in row} for row in rows]
    off = [f"--enable_{flag}=0" for flag in ("eval_trk_pxl", "eval_trk_poly", "viz_pred_trk_poly")]
    params = f"--params={json.dumps({'include': named})}"
    ran = python(here, "pipelines.geowatch.schedule_evaluation", "--pipeline=bas", params, "--run=1", *off)
    assert ran.returncode == 1, ran.stdout + ran.stderr
    told = python(here, "kwdag", "status", "kwdag_output")
    assert "Traceback" not in told.stdout + ran.stdout
    return ran.stdout, told.stdout


def test_only_the_bad_rows_fail(status):
    assert f"2 done, {len(BAD)} failed, 6 blocked of 15 jobs" in status[0]
    assert len(re.findall(r"(?m)^\S+ failed: exit code 2$", status[1])) == len(BAD)


@pytest.mark.parametrize("wrong", BAD)
def test_bad_data_is_a_failed_job_with_one_line(status, wrong):
    _, node, line = BAD[wrong]
    failed = rf"(?m)^{node}_id_\w+ failed: exit code 2\n  \| error: {line}.*\n  again: bash "
    assert re.search(failed, status[1]), status[1]
