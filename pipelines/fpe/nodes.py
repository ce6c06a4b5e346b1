"""The nodes of Flow Photo Explorer: their parameters with defaults, and what they measure.

How nodes are connected stands in pipelines.py, what they run in the programs of this package.
"""

from __future__ import annotations

from kwdag import ProcessNode
from pipelines import node_parts
from pipelines.node_parts import metric


def program(name: str) -> str:
    return node_parts.program(f"pipelines.fpe.{name}")


def correlation(name: str, primary: bool = False) -> dict[str, object]:
    return metric(name, primary=primary, range=(-1, 1))


class OfDatabase(ProcessNode):
    """A node with the parameters `database` and `storage`."""

    def refuse(self, name: str, value: str) -> str | None:
        """A password: it would stand in job directories and in the list of processes."""
        from pipelines.fpe.settings import has_password

        if name in ("database", "storage") and has_password(value):
            return "has a password, which every job directory would show; it belongs into the environment"
        return None


class RankDataset(OfDatabase):
    """All images and annotations of a station, as the database has them when the job runs.

    The database is no input that kwdag watches: another ``dataset_code`` makes another dataset. Without
    `database` and `storage` these are where the environment says, or below `directory`.
    """

    name = "rank_dataset"
    # Overwrite: what a killed job left is its own.
    command_template = f"{program('rank_dataset')} --overwrite --dst={{dst}} {{flags}} -- {{dataset_code}}"
    out_paths = {"dst": "dataset"}
    algo_params = {
        "station_id": None, "variable": "FLOW_CFS", "maxgap": 65, "dataset_code": "RANK-FLOW",
        "directory": ".", "database": None, "storage": None,
    }  # fmt: skip
    tags = {"station_id": "dataset"}


class RankInput(ProcessNode):
    """What one model learns from and is tested on: hours and months are in the station's time zone."""

    name = "rank_input"
    command_template = f"{program('rank_input')} --overwrite --src={{src}} --dst={{dst}} {{flags}}"
    in_paths = ("src",)
    out_paths = {"dst": "input"}
    algo_params = {
        "train_frac": 0.8, "seed": 0, "min_hour": 7, "max_hour": 18, "min_month": 1, "max_month": 12,
        "images_start": None, "images_end": None, "annotations_start": None, "annotations_end": None,
        "annotations_max_n": None,
    }  # fmt: skip


class RunTrain(ProcessNode):
    """The network that ranks, taught by pairs."""

    name = "run_train"
    command_template = f"{program('run_train')} --input={{input}} --dst={{dst}} {{flags}}"
    in_paths = ("input", "weights")
    optional = ("weights",)
    out_paths = {"dst": "train"}
    algo_params = {
        "n_epochs": 20, "learning_rate": 0.001, "momentum": 0.9, "batch_size": 64, "unfreeze_after": 2,
        "seed": 1691, "body": "small", "input_size": 480, "decolorize": False, "augment": True,
        "normalize": True, "max_unreadable": 0.1,
    }  # fmt: skip
    perf_params = {"workers": None, "memory": None, "device": None}
    tags = {"weights": "model"}


class RunTransform(ProcessNode):
    """A score for every image."""

    name = "run_transform"
    command_template = (
        f"{program('run_transform')} --input={{input}} --model={{train}}/model.pth --dst={{dst}} {{flags}}"
    )
    in_paths = ("input", "train")
    out_paths = {"dst": "transform"}
    algo_params = {"max_unreadable": 0.1}
    perf_params = {"batch_size": None, "workers": None, "device": None}


class RunTransformMerge(ProcessNode):
    """The outputs of all images in tables of so many rows."""

    name = "run_transform_merge"
    command_template = (
        f"{program('run_transform_merge')} --input={{input}} --transform={{transform}}"
        " --dst={dst} {flags}"
    )
    in_paths = ("input", "transform")
    out_paths = {"dst": "merged"}
    algo_params = {"size": 5000}


class RunTransformPredictions(ProcessNode):
    """All tables as one."""

    name = "run_transform_predictions"
    executable = program("run_transform_predictions")
    in_paths = ("input", "merged")
    out_paths = {"dst": "predictions.csv"}


class Evaluate(ProcessNode):
    """How well the scores order images, by observations and by people's answers."""

    name = "evaluate"
    executable = program("evaluate")
    in_paths = ("input", "train", "predictions")
    out_paths = {"dst": "evaluation.json"}
    metrics = (
        correlation("tau_test_out", primary=True),
        correlation("tau_test_in"),
        correlation("tau_val"),
        correlation("tau_train"),
        correlation("tau_all"),
        correlation("tau_day_test_out"),
        correlation("tau_day_all"),
        correlation("rho_test_out"),
        metric("accuracy2_val"),
        metric("accuracy3_val"),
        metric("val_loss", "minimize", range=(0, float("inf"))),
        *(
            metric(name, "minimize", type="int", range=(0, float("inf")))
            for name in ("leaked_images", "missing_scores")
        ),
    )
    vantage_points = (
        {"metric1": "metrics.evaluate.tau_test_out", "metric2": "metrics.evaluate.accuracy2_val"},
    )


class Report(ProcessNode):
    """The page of diagnostics, named by the code under which a model is deployed."""

    name = "report"
    executable = program("report")
    in_paths = ("input", "train", "predictions")
    out_paths = {"dst": "report.html"}
    algo_params = {"model_code": "RANK-FLOW"}


class Deploy(OfDatabase):
    """The best model of a station goes to the database and the storage, and becomes its default."""

    name = "deploy"
    executable = program("deploy")
    in_paths = ("predictions", "report", "evaluation")
    out_paths = {"dst": "deploy.json"}
    algo_params = {
        "station_id": None, "variable": None, "model_type": "RANK", "model_code": None,
        "metric": "tau_test_out", "overwrite": False, "directory": None, "database": None, "storage": None,
    }  # fmt: skip
    flags = ("overwrite",)
