"""What the nodes of BAS and SC share: programs with their ports and defaults.

The nodes themselves stand in nodes.py.
"""

from __future__ import annotations

from typing import Any

from kwdag import ProcessNode
from pipelines import node_parts
from pipelines.node_parts import metric


def program(name: str, *fixed: str) -> str:
    return node_parts.program(f"pipelines.geowatch.{name}", *fixed)


def vantage(node: str, first: str, second: str) -> dict[str, str]:
    return {"metric1": f"metrics.{node}.{first}", "metric2": f"metrics.{node}.{second}"}


COUNT: dict[str, Any] = {"type": "int", "range": (0, float("inf"))}
RATE: dict[str, Any] = {"range": (0, float("inf"))}

BAS_POLY_METRICS = (
    metric("bas_f1"),
    metric("bas_tpr"),
    metric("bas_ppv"),
    metric("bas_ffpa", "minimize"),
    metric("bas_tp", **COUNT),
    metric("bas_fp", "minimize", **COUNT),
    metric("bas_fn", "minimize", **COUNT),
    metric("bas_space_FAR", "minimize", **RATE),
    metric("bas_time_FAR", "minimize", **RATE),
)


class Predict(ProcessNode):
    """Heatmaps of a model over all images of a dataset."""

    executable = program("predict")
    in_paths = ("package_fpath", "test_dataset")
    out_paths = {"pred_pxl_fpath": "pred.kwcoco.zip"}
    algo_params = {
        "with_saliency": True,
        "with_class": False,
        "chip_dims": None,
        "chip_overlap": 0.3,
        "time_steps": None,
        "time_sampling": None,
        "window_space_scale": None,
        "input_space_scale": None,
        "output_space_scale": None,
        "tta_fliprot": 0,
        "tta_time": 0,
        "drop_unused_frames": False,
    }
    perf_params = {"num_workers": 2, "devices": None, "batch_size": 1}
    tags = {"package_fpath": "model", "test_dataset": "dataset"}


class PixelEval(ProcessNode):
    """Heatmaps against the truth in the dataset."""

    executable = program("evaluate_pixels")
    in_paths = ("true_dataset", "pred_pxl_fpath")
    out_paths = {"eval_fpath": "pxl_eval.json"}
    algo_params = {"score_space": "video", "viz_thresh": 0.2, "draw_curves": True, "draw_heatmaps": True}
    perf_params = {"workers": 2}
    tags = {"true_dataset": "dataset"}


class Track(ProcessNode):
    """Heatmaps over time to sites."""

    in_paths = ("pred_pxl_fpath", "boundary_region", "site_summary")
    optional = ("boundary_region", "site_summary")
    out_paths = {
        "sites_fpath": "sites_manifest.json",
        "sites_dpath": "sites",
        "site_summaries_fpath": "site_summaries_manifest.json",
        "site_summaries_dpath": "site_summaries",
        "poly_kwcoco_fpath": "poly.kwcoco.zip",
    }
    algo_params = {
        "thresh": 0.2,
        "time_thresh": 1,
        "moving_window_size": None,
        "agg_fn": "probs",
        "norm_ord": 1,
        "morph_kernel": 3,
        "min_area_square_meters": None,
        "max_area_square_meters": None,
        "max_area_behavior": "drop",
        "response_thresh": None,
        "inner_window_size": None,
        "inner_agg_fn": None,
        "poly_merge_method": None,
        "polygon_simplify_tolerance": None,
        "time_split_thresh": None,
        "boundary_behavior": "drop",
        "boundaries_as": None,
    }


class PolyEval(ProcessNode):
    """Sites against the true site and region models."""

    executable = program("evaluate_polygons")
    in_paths = ("true_site_dpath", "true_region_dpath", "sites_fpath")
    out_paths = {"eval_fpath": "poly_eval.json"}
    algo_params = {"regions": None, "tau": None, "rho": None}
    perf_params = {"enable_viz": False}


class PolyViz(ProcessNode):
    """Pictures and an animation of each region; the stamp is written when all are."""

    executable = program("visualize")
    in_paths = ("poly_kwcoco_fpath",)
    out_paths = {"stamp_fpath": "_viz.stamp"}
    perf_params = {"workers": 2}


class Crop(ProcessNode):
    """High-resolution images around each site, a video a site."""

    executable = program("crop")
    in_paths = ("crop_src_fpath", "regions")
    perf_params = {"img_workers": 2, "aux_workers": 0, "keep": None}
    tags = {"crop_src_fpath": "dataset"}
