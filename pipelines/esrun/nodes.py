"""The nodes of the earth-system runner: their parameters with defaults, and what they measure.

How nodes are connected stands in pipelines.py, what they run in the programs of this package.
"""

from __future__ import annotations

from kwdag import ProcessNode
from pipelines.esrun.node_parts import OfPartition, of_partition, program
from pipelines.node_parts import metric


class Partition(ProcessNode):
    """Cut a request into partitions, a branch each, and these into windows.

    Sizes that are given here stand in place of those in the project's esrun.yaml: `window_size`,
    `overlap_size` and `grid_size` (pixels) of the windows, `partition_grid_size` (degrees) of the partitions.
    """

    name = "partition"
    executable = program("partition")
    in_paths = ("project_path", "request_geometry_path")
    optional = ("request_geometry_path",)
    out_paths = {"dst": "partitions.json", "partitions_dpath": "partitions"}
    scatter = "dst"
    algo_params = {"window_size": None, "overlap_size": None, "grid_size": None, "partition_grid_size": None}


class BuildDataset(OfPartition):
    """Cut the images of a partition's windows out of the sources."""

    name = "build_dataset"
    command_template = of_partition("build_dataset", "--dst={dst} --summary_fpath={summary_fpath}")
    out_paths = {"summary_fpath": "summary.json", "dst": "dataset"}
    perf_params = {"workers": None}


class RunInference(OfPartition):
    """The model on every window of a partition."""

    name = "run_inference"
    command_template = of_partition(
        "run_inference", "--dataset={dataset} --dst={dst} --summary_fpath={summary_fpath}"
    )
    in_paths = (*OfPartition.in_paths, "dataset", "checkpoint_path")
    optional = ("checkpoint_path",)
    out_paths = {"summary_fpath": "summary.json", "dst": "output"}
    algo_params = {"partition_id": None, "threshold": None}
    perf_params = {"batch_size": None, "device": None, "workers": None}
    tags = {"checkpoint_path": "model"}


class Postprocess(OfPartition):
    """The outputs of a partition's windows as one result of the partition."""

    name = "postprocess"
    command_template = of_partition(
        "postprocess",
        "--dataset={dataset} --output={output} --dst={dst} --summary_fpath={summary_fpath}",
    )
    in_paths = (*OfPartition.in_paths, "dataset", "output")
    out_paths = {"summary_fpath": "summary.json", "dst": "results"}


class Combine(ProcessNode):
    """The results of all partitions as one."""

    name = "combine"
    executable = program("combine")
    in_paths = ("project_path", "results")
    out_paths = {"summary_fpath": "summary.json", "dst": "results"}


class Evaluate(ProcessNode):
    """The combined result against labels, how much of the request it covers, and whether its seams agree."""

    name = "evaluate"
    executable = program("evaluate")
    in_paths = (
        "project_path", "request_geometry_path", "results", "labels_fpath", "partitions_dpath", "outputs",
    )  # fmt: skip
    optional = ("request_geometry_path",)
    out_paths = {"eval_fpath": "evaluation.json", "confusion_fpath": "confusion_matrix.json"}
    algo_params = {"label_property": None}
    tags = {"labels_fpath": "dataset"}
    metrics = (
        metric("macro_f1", primary=True),
        metric("overall_accuracy"),
        metric("miou"),
        metric("coverage"),
        metric("seam_disagreement", "minimize"),
        metric("window_success_rate"),
    )
    vantage_points = (
        {"metric1": "metrics.evaluate.macro_f1", "metric2": "metrics.evaluate.seam_disagreement"},
    )


class Visualize(ProcessNode):
    """A picture of the combined result over the request, with the partitions' outlines and labels if any."""

    name = "visualize"
    executable = program("visualize")
    in_paths = ("project_path", "request_geometry_path", "results", "labels_fpath", "partitions_dpath")
    optional = ("request_geometry_path", "labels_fpath")
    out_paths = {"picture_fpath": "result.png"}
    algo_params = {"label_property": None}
    tags = {"labels_fpath": "dataset"}


class PrepareWindows(ProcessNode):
    """Labelled windows from annotations, in the splits that the project asks for, filled with images."""

    name = "prepare_windows"
    command_template = (
        f"{program('prepare_labeled_windows')} --project_path={{project_path}}"
        ' --scratch_path="$(dirname {dataset})" {flags} && '
        f"{program('build_dataset')} --project_path={{project_path}} --dst={{dataset}} {{flags}}"
    )
    in_paths = ("project_path",)
    out_paths = {"dataset": "dataset"}
    perf_params = {"workers": None}


class Fit(ProcessNode):
    """Train the model of model.yaml on labelled windows, judged on those of the splits `val` and `test`."""

    name = "fit"
    executable = program("fit")
    in_paths = ("project_path", "dataset")
    out_paths = {"metrics_fpath": "fit.json", "dst": "checkpoint.ckpt"}
    algo_params = {"epochs": None, "lr": None, "batch_size": None, "patch": None, "seed": None}
    perf_params = {"device": None}
    metrics = (
        metric("val_macro_f1", primary=True),
        metric("val_accuracy"),
        metric("val_miou"),
        metric("test_macro_f1"),
        metric("test_accuracy"),
        metric("test_miou"),
    )
