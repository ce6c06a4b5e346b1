"""The pipelines of this module. Name one as `example_user_module.pipelines.my_demo_pipeline()`."""

from __future__ import annotations

import shlex
from pathlib import Path

from kwdag import Pipeline, ProcessNode


def _program(name: str) -> str:
    """A program beside this file, by its path: so it is found from whatever folder kwdag is called."""
    return f"python {shlex.quote(str(Path(__file__).resolve().with_name(name)))}"


class Stage1Predict(ProcessNode):
    name = "stage1_predict"
    executable = _program("stage1_predict.py")
    in_paths = {"src_fpath"}
    out_paths = {"dst_fpath": "stage1_prediction.json"}
    algo_params = {"param1": 1}
    perf_params = {"workers": 0}


class Stage1Evaluate(ProcessNode):
    name = "stage1_evaluate"
    executable = _program("stage1_evaluate.py")
    in_paths = {"true_fpath", "pred_fpath"}
    out_paths = {"out_fpath": "stage1_evaluation.json"}
    perf_params = {"workers": 0}

    def default_metrics(self):
        return [
            {"metric": "accuracy", "objective": "maximize", "primary": True, "display": True},
            {"metric": "hamming_distance", "objective": "minimize", "primary": True, "display": True},
        ]


def my_demo_pipeline() -> Pipeline:
    """Predict from a file, and evaluate the prediction against the same file."""
    predict, evaluate = Stage1Predict(), Stage1Evaluate()
    predict.outputs["dst_fpath"].connect(evaluate.inputs["pred_fpath"])
    predict.inputs["src_fpath"].connect(evaluate.inputs["true_fpath"])
    return Pipeline([predict, evaluate])
