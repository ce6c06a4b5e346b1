"""The nodes of the demo pipeline; the programs that they run are in programs.py."""

from __future__ import annotations

import shlex
import sys

from kwdag import Pipeline, ProcessNode

# The interpreter that runs kwdag can import this package; another `python` on PATH may not.
_PYTHON = shlex.quote(sys.executable)


class Stage1Predict(ProcessNode):
    """Turn a file and a parameter into a prediction."""

    name = "stage1_predict"
    executable = f"{_PYTHON} -m pipelines.demo.programs stage1_predict"
    in_paths = ("src_fpath",)
    out_paths = {"dst_fpath": "stage1_prediction.json"}
    algo_params = {"param1": 1}
    perf_params = {"workers": 0}


class Stage1Evaluate(ProcessNode):
    """Compare a prediction with the truth."""

    name = "stage1_evaluate"
    executable = f"{_PYTHON} -m pipelines.demo.programs stage1_evaluate"
    in_paths = ("true_fpath", "pred_fpath")
    out_paths = {"out_fpath": "stage1_evaluation.json"}
    perf_params = {"workers": 0}
    metrics = (
        {"metric": "accuracy", "objective": "maximize", "primary": True, "display": True,
         "type": "float", "range": (0, 1), "required": True},
        {"metric": "hamming_distance", "objective": "minimize", "primary": True, "display": True,
         "type": "int", "required": True},
    )  # fmt: skip
    vantage_points = (
        {
            "metric1": "metrics.stage1_evaluate.accuracy",
            "metric2": "metrics.stage1_evaluate.hamming_distance",
        },
    )


def my_demo_pipeline() -> Pipeline:
    """Predict, then evaluate; both read the same source file."""
    predict, evaluate = Stage1Predict(), Stage1Evaluate()
    predict.outputs["dst_fpath"].connect(evaluate.inputs["pred_fpath"])
    predict.inputs["src_fpath"].connect(evaluate.inputs["true_fpath"])
    return Pipeline([predict, evaluate])
