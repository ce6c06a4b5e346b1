"""The nodes of the GeoWATCH pipelines: their parameters with defaults, and what they measure.

How nodes are connected stands in pipelines.py, what they run in the programs of this package.
"""

from __future__ import annotations

from kwdag import ProcessNode
from pipelines.geowatch.node_parts import (
    BAS_POLY_METRICS,
    Crop,
    PixelEval,
    PolyEval,
    PolyViz,
    Predict,
    Track,
    program,
    vantage,
)
from pipelines.node_parts import metric


class BasPxl(Predict):
    """Saliency: where may a site be."""

    name = "bas_pxl"


class ScPxl(Predict):
    """Class probabilities: which phase is a pixel in."""

    name = "sc_pxl"
    algo_params = {**Predict.algo_params, "with_saliency": False, "with_class": True}


class BasPxlEval(PixelEval):
    """Saliency against the pixels of sites under preparation or construction."""

    name = "bas_pxl_eval"
    metrics = (metric("salient_AP", primary=True), metric("salient_AUC"))
    vantage_points = (vantage("bas_pxl_eval", "salient_AP", "salient_AUC"),)


class ScPxlEval(PixelEval):
    """Class probabilities against the phases of the true sites; `coi` are the classes of interest."""

    name = "sc_pxl_eval"
    metrics = (
        metric("coi_mAP", primary=True),
        metric("coi_mAUC"),
        metric("mAP"),
        metric("mAUC"),
    )
    vantage_points = (vantage("sc_pxl_eval", "coi_mAP", "coi_mAUC"),)


class BasPoly(Track):
    """Sites from saliency."""

    name = "bas_poly"
    executable = program("track", "--mode=bas")


class ScPoly(Track):
    """Sites with phases from class probabilities, within the sites that BAS has found."""

    name = "sc_poly"
    executable = program("track", "--mode=sc")
    algo_params = {
        **Track.algo_params,
        "thresh": 0.07,
        "boundaries_as": "polys",
        "use_viterbi": 0,
        "smoothing": None,
        "site_score_thresh": None,
        "time_pad_before": None,
        "time_pad_after": None,
    }


class BasPolyEval(PolyEval):
    """How many sites were found, and how much else."""

    name = "bas_poly_eval"
    metrics = (metric("bas_faa_f1", primary=True), *BAS_POLY_METRICS)
    vantage_points = (
        vantage("bas_poly_eval", "bas_faa_f1", "bas_tpr"),
        vantage("bas_poly_eval", "bas_tpr", "bas_f1"),
    )


class ScPolyEval(PolyEval):
    """How well the phases of the sites that were found are told."""

    name = "sc_poly_eval"
    metrics = (
        metric("sc_macro_f1", primary=True),
        metric("bas_faa_f1", primary=True),
        metric("macro_f1_siteprep"),
        metric("macro_f1_active"),
        *BAS_POLY_METRICS,
    )
    vantage_points = (vantage("sc_poly_eval", "sc_macro_f1", "bas_faa_f1"),)


class BasPolyViz(PolyViz):
    """Saliency and sites over the images."""

    name = "bas_poly_viz"
    algo_params = {"channels": "red|green|blue,salient", "extra_header": None}


class ScPolyViz(PolyViz):
    """Phases and sites over the images."""

    name = "sc_poly_viz"
    algo_params = {
        "channels": "red|green|blue,No Activity|Site Preparation|Active Construction|Post Construction",
        "extra_header": None,
    }


class ScCrop(Crop):
    """All frames of each site, for SC."""

    name = "sc_crop"
    out_paths = {"crop_dst_fpath": "sitecrop.kwcoco.zip"}
    algo_params = {
        "target_gsd": 4,
        "context_factor": 1.5,
        "minimum_size": "128x128@10GSD",
        "force_nodata": -9999,
        "include_channels": None,
        "exclude_sensors": None,
        "convexify_regions": True,
    }


class SvCrop(Crop):
    """The first and the last frames of each site, for site validation."""

    name = "sv_crop"
    out_paths = {"crop_dst_fpath": "svcrop.kwcoco.zip"}
    algo_params = {
        **ScCrop.algo_params,
        "target_gsd": 2,
        "context_factor": 1.3,
        "num_start_frames": 3,
        "num_end_frames": 3,
    }


class SvScore(ProcessNode):
    """How much each site looks like a building at the start and at the end of its period."""

    name = "sv_score"
    executable = program("score_sites")
    in_paths = ("crop_fpath", "regions")
    out_paths = {"scores_fpath": "site_scores.json"}
    algo_params = {"num_frames": 3}


class SvFilter(ProcessNode):
    """The sites whose scores speak for a construction; the others are left out."""

    name = "sv_filter"
    executable = program("filter_sites")
    in_paths = ("regions", "sites", "scores_fpath")
    out_paths = {
        "out_site_manifest": "out_site_manifest.json",
        "out_region": "out_region.geojson",
        "out_sites": "out_sites",
        "out_site_summaries": "out_site_summaries_manifest.json",
    }
    algo_params = {"start_thresh": None, "end_thresh": None, "change_thresh": 0.1}


class Fit(ProcessNode):
    """A small model, trained; the package file holds all that prediction needs."""

    name = "fit"
    executable = program("fit")
    in_paths = ("dataset",)
    out_paths = {"metrics_fpath": "fit.json", "dst": "model.pt"}
    algo_params = {
        "task": "saliency",
        "channels": "blue|green|red|nir",
        "epochs": 20,
        "lr": 0.01,
        "width": 12,
        "seed": 0,
        "gsd": "10GSD",
        "time_steps": 5,
        "time_sampling": "uniform",
        "window": 64,
        "batch_size": 8,
        "max_windows": 400,
    }
    perf_params = {"devices": None}
    tags = {"dataset": "dataset"}
    metrics = (
        metric("AP", primary=True),
        metric("val_loss", "minimize", range=(0, float("inf"))),
        metric("best_val_loss", "minimize", range=(0, float("inf"))),
    )
