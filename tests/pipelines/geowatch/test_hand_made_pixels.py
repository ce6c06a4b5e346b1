"""Pixel evaluation of heatmaps that a person can count: expected numbers written out, no other program.

Many pixels and many scores are test_evaluate_pixels.py's business, polygons test_evaluate_polygons.py's.
"""

from __future__ import annotations

import json

import kwcoco
import kwimage
import numpy as np
import pytest
import rasterio
from click.testing import CliRunner
from shapely.geometry import box

from pipelines.geowatch import coco_files, evaluate_pixels
from pipelines.geowatch.grids import Grid
from pipelines.geowatch.iarpa import PHASES
from pipelines.geowatch.nodes import BasPxlEval, ScPxlEval

GRID = Grid("EPSG:32652", (10.0, 0.0, 300000.0, 0.0, -10.0, 4100000.0), 60, 40)
PIXELS = 60 * 40
SITE = (10, 10, 20, 20)  # west, north, east, south: 100 pixels
OVER_THE_RIM = (-5, 10, 5, 20)  # 50 of them within the image
HALVES = ((10, 10, 14, 20), (16, 10, 20, 20))
CHANCE = 100 / PIXELS


def heat(*boxes, value=1.0):
    pixels = np.zeros((1, GRID.height, GRID.width), np.float32)
    for west, north, east, south in boxes:
        pixels[0, north:south, max(west, 0) : east] = value
    return pixels


def evaluate(folder, pixels, truth, channels="salient"):
    """The result of one image with heat ``pixels`` (bands, height, width) and ``truth``: {phase: box}."""
    with rasterio.open(
        folder / "heat.tif", "w", driver="GTiff", crs=GRID.crs, transform=GRID.affine, count=len(pixels),
        dtype="float32", height=GRID.height, width=GRID.width, nodata=np.nan,
    ) as image:  # fmt: skip
        image.write(pixels)
    asset = {"file_name": "heat.tif", "channels": channels, "width": 60, "height": 40}
    for name, annotated in (("true", truth), ("pred", {})):
        dataset = kwcoco.CocoDataset()
        dataset.fpath = str(folder / f"{name}.kwcoco.json")
        video = dataset.add_video(
            name="KR_R001", width=60, height=40, crs=GRID.crs, transform=list(GRID.transform)
        )
        gid = dataset.add_image(
            name="one", file_name=None, video_id=video, frame_index=0, width=60, height=40,
            date_captured="2020-01-10", auxiliary=[asset],
        )  # fmt: skip
        for phase, corners in annotated.items():
            shape = kwimage.MultiPolygon.from_shapely(box(*corners)).to_coco(style="new")
            category = dataset.ensure_category(phase)
            dataset.add_annotation(gid, category, bbox=[0, 0, 1, 1], segmentation=shape)
        coco_files.write_dataset(dataset, dataset.fpath)
    options = {
        "true_dataset": "true.kwcoco.json",
        "pred_pxl_fpath": "pred.kwcoco.json",
        "eval_fpath": "e.json",
    }
    words = [f"--{key}={folder / name}" for key, name in options.items()]
    result = CliRunner().invoke(
        evaluate_pixels.main, [*words, "--draw_curves=0", "--draw_heatmaps=0"], catch_exceptions=False
    )
    assert result.exit_code == 0, result.output
    return json.loads((folder / "e.json").read_text())["result"]


@pytest.mark.parametrize(
    ("pixels", "truth", "ap", "auc"),
    [
        pytest.param(heat(SITE), SITE, 1, 1, id="perfect"),
        pytest.param(heat(), SITE, CHANCE, 0.5, id="no prediction: all pixels alike"),
        # At the threshold 1 precision is 1 and recall 0.8; the rest of the site ranks with the background.
        pytest.param(heat(*HALVES), SITE, 0.8 + 0.2 * CHANCE, 0.8 + 0.2 / 2, id="split in two"),
        # At 1 as many right as wrong; of 100 x 2300 pairs 50 x 2250 in order, 50 x 50 + 50 x 2250 ties.
        pytest.param(heat((15, 10, 25, 20)), SITE, 0.5 * 0.5 + 0.5 * CHANCE, 1700 / 2300, id="moved by half"),
        pytest.param(heat(OVER_THE_RIM), OVER_THE_RIM, 1, 1, id="over the rim"),
        pytest.param(heat(), OVER_THE_RIM, CHANCE / 2, 0.5, id="over the rim, no prediction"),
        pytest.param(heat((5, 10, 15, 20)), OVER_THE_RIM, CHANCE / 2, 1125 / 2350, id="beside, at the rim"),
        pytest.param(heat(SITE), None, None, None, id="no truth"),
        pytest.param(heat(), None, None, None, id="empty region"),
        pytest.param(np.full((1, 40, 60), np.nan, np.float32), SITE, None, None, id="nodata alone"),
    ],
)
def test_saliency(tmp_path, pixels, truth, ap, auc):
    result = evaluate(tmp_path, pixels, {"Active Construction": truth} if truth else {})
    assert result["metrics"] == pytest.approx({"salient_AP": ap, "salient_AUC": auc})
    assert result["regions"]["KR_R001"] == result["metrics"]


def phase_heat(phase, *boxes):
    """Certain of ``phase`` in the boxes and of No Activity elsewhere."""
    pixels = np.zeros((len(PHASES), GRID.height, GRID.width), np.float32)
    pixels[PHASES.index(phase)] = heat(*boxes)[0]
    pixels[0] = 1 - pixels[PHASES.index(phase)]
    return pixels


# The means are over the classes in the truth: here No Activity, with a site also Active Construction.
@pytest.mark.parametrize(
    ("phase", "boxes", "truth", "m_ap", "m_auc", "coi_ap", "coi_auc"),
    [
        pytest.param("Active Construction", [SITE], SITE, 1, 1, 1, 1, id="perfect"),
        pytest.param(
            "Site Preparation", [SITE], SITE, (1 + CHANCE) / 2, 0.75, CHANCE, 0.5, id="another phase"
        ),
        pytest.param(
            "Active Construction", [], SITE, (2300 / 2400 + CHANCE) / 2, 0.5, CHANCE, 0.5, id="no prediction"
        ),
        pytest.param("Active Construction", [SITE], None, 1, None, None, None, id="no truth"),
        pytest.param("Active Construction", [], None, 1, None, None, None, id="empty region"),
    ],
)
def test_phases(tmp_path, phase, boxes, truth, m_ap, m_auc, coi_ap, coi_auc):
    annotated = {"Active Construction": truth} if truth else {}
    result = evaluate(tmp_path, phase_heat(phase, *boxes), annotated, "|".join(PHASES))
    expected = {"mAP": m_ap, "mAUC": m_auc, "coi_mAP": coi_ap, "coi_mAUC": coi_auc}
    assert result["metrics"] == pytest.approx(expected)


@pytest.mark.parametrize(
    ("node", "pixels", "channels", "primary"),
    [
        (BasPxlEval, heat(SITE), "salient", "salient_AP"),
        (ScPxlEval, phase_heat("Active Construction", SITE), "|".join(PHASES), "coi_mAP"),
    ],
)
def test_what_the_nodes_rank_by_is_reported(tmp_path, node, pixels, channels, primary):
    result = evaluate(tmp_path, pixels, {"Active Construction": SITE}, channels)
    assert {one["metric"] for one in node.metrics} == result["metrics"].keys()
    assert {one["metric"] for one in node.metrics if one["primary"]} == {primary}
    assert {one["objective"] for one in node.metrics} == {"maximize"}
