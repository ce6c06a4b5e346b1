"""The nodes of Cerulean: their parameters with defaults, and what they measure.

How nodes are connected stands in pipelines.py, what they run in the programs of this package.
"""

from __future__ import annotations

from typing import Any

from kwdag import ProcessNode
from pipelines import node_parts
from pipelines.node_parts import metric


def program(name: str) -> str:
    """The start of the command line of a program of this package."""
    return node_parts.program(f"pipelines.cerulean.{name}")


COUNT: dict[str, Any] = {"type": "int", "range": (0, float("inf"))}


class SplitScenes(ProcessNode):
    """Lists of scenes for training, validation and test."""

    name = "split_scenes"
    command_template = (
        f'{program("split_scenes")} --list={{list}} --dst="$(dirname {{train_list}})" {{flags}}'
        " && test -e {val_list} && test -e {test_list}"
    )
    in_paths = ("list",)
    out_paths = {
        "train_list": "splits/train.txt", "val_list": "splits/val.txt", "test_list": "splits/test.txt",
    }  # fmt: skip
    algo_params = {"val": 0.2, "test": 0.1, "seed": 4}
    tags = {"list": "dataset"}


class MakeDataset(ProcessNode):
    """The tiles of some scenes as a COCO dataset."""

    executable = program("make_coco_dataset")
    in_paths = ("list", "aux")
    optional = ("aux",)
    out_paths = {"dst": "dataset"}
    algo_params = {
        "tile_length": 512, "georeference": "polynomial", "drop_empty": False, "min_valid": None,
    }  # fmt: skip
    perf_params = {"workers": None}
    flags = ("drop_empty",)


class MakeTrain(MakeDataset):
    """Tiles to learn from."""

    name = "make_train"


class MakeVal(MakeDataset):
    """Tiles that choose the epoch."""

    name = "make_val"


class Train(ProcessNode):
    """A U-Net that gives each pixel a class."""

    name = "train"
    command_template = (
        f'mkdir -p "$(dirname {{metrics_fpath}})" && {program("train")}'
        ' --train={train} --val={val} --dst="$(dirname {model})" {flags}'
    )
    in_paths = ("train", "val")
    out_paths = {"metrics_fpath": "model/train.json", "model": "model/model.pt"}
    algo_params = {
        "channels": "vv,distance,density", "remap": "usual", "width": 12, "depth": 4, "epochs": 20,
        "lr": 0.01, "batch_size": 8, "scheduler": "cyclic", "crop": 0, "augment": True, "seed": 0,
    }  # fmt: skip
    perf_params = {"workers": None, "memory": None, "device": None}
    metrics = (
        metric("val_pixel_f1_slick", primary=True),
        metric("val_f1_mean"),
        metric("val_loss", "minimize", range=(0, float("inf"))),
    )


class Predict(ProcessNode):
    """The probabilities of the classes in every pixel of scenes."""

    name = "predict"
    executable = program("predict")
    in_paths = ("model", "list", "aux")
    optional = ("aux",)
    out_paths = {"dst": "pred"}
    algo_params = {"tile_length": None, "overlap": None, "georeference": "polynomial"}
    perf_params = {"batch_size": None, "device": None, "workers": None}
    tags = {"model": "model", "list": "dataset"}


class Postprocess(ProcessNode):
    """Polygons of slicks in each tile; `none` switches a threshold off."""

    name = "postprocess"
    executable = program("postprocess")
    in_paths = ("pred",)
    out_paths = {"dst": "polygons"}
    algo_params = {
        "bbox_score_thresh": 0.2, "pixel_score_thresh": 0.2, "pixel_nms_thresh": 0.4,
        "poly_score_thresh": 0.2, "conf_threshold": 0.2, "tile_length": 512, "offsets": "0,0.33,0.66",
        "georeference": "polynomial",
    }  # fmt: skip
    perf_params = {"workers": None}


class Merge(ProcessNode):
    """The polygons of all tiles as those of scenes: each slick once, none off the sea."""

    name = "merge"
    executable = program("merge")
    in_paths = ("polygons", "aux")
    optional = ("aux",)
    out_paths = {"dst": "merged"}
    algo_params = {
        "join_distance": 1000, "closing": 500, "poly_nms_thresh": 0.2, "nodata_margin": 500,
        "land_margin": 1000, "strong_thresh": "none", "trim_thresh": "none", "across_classes": False,
        "georeference": "polynomial",
    }  # fmt: skip
    perf_params = {"workers": None}


class Evaluate(ProcessNode):
    """Polygons against the layers of the test scenes, by pixel and by slick."""

    name = "evaluate"
    command_template = (
        f'{program("evaluate")} --polygons={{polygons}} --dst="$(dirname {{eval_fpath}})" {{flags}}'
    )
    in_paths = ("polygons", "aux")
    optional = ("aux",)
    out_paths = {"eval_fpath": "evaluation/evaluation.json"}
    algo_params = {"iou_thresh": 0.5, "dropped": None, "draw": None}
    metrics = (
        metric("pixel_f1_macro", primary=True),
        metric("pixel_f1_slick", display=True),
        metric("pixel_precision_slick"),
        metric("pixel_recall_slick"),
        metric("pixel_iou_macro"),
        metric("instance_f1_slick"),
        metric("instance_f1_macro"),
        metric("dice_pixels"),
        metric("iou_pixels"),
        metric("ap"),
        metric("ap_50"),
        *(
            metric(name, "minimize", **COUNT)
            for name in ("polygons_outside", "polygons_in_nodata", "polygons_on_land", "polygons_duplicated")
        ),
    )
    vantage_points = (
        {"metric1": "metrics.evaluate.pixel_f1_slick", "metric2": "metrics.evaluate.pixel_f1_macro"},
    )


class Visualize(ProcessNode):
    """A picture of each test scene, with the slicks that are there and those that were found."""

    name = "visualize"
    executable = program("visualize")
    in_paths = ("polygons",)
    out_paths = {"dst": "pictures"}
