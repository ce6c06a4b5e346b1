"""The program `fit`: the network of model.yaml trained on the labelled windows of a dataset.

Networks and the loop do not belong here: see networks.py and training.py.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pipelines import learning
from pipelines.program import run, write_json

if TYPE_CHECKING:
    from pipelines.esrun.dataset import Dataset
    from pipelines.esrun.project import Project

EPILOG = """\b
Example:
  python -m pipelines.esrun.fit --project_path=project --dataset=scratch/dataset \\
      --dst=project/checkpoint.ckpt --epochs=30 --seed=0"""


@click.command(name="fit", epilog=EPILOG)
@click.option("--project_path", required=True, help="Project directory: model.yaml and esrun.yaml.")
@click.option("--dataset", required=True, help="Dataset with labelled windows and their images.")
@click.option("--dst", required=True, help="Checkpoint to write.")
@click.option("--metrics_fpath", default=None, help="JSON of metrics.  [default: fit.json beside --dst]")
@click.option("--epochs", type=click.IntRange(1), default=None, help="Times over all windows.")
@click.option("--lr", type=click.FloatRange(0, min_open=True), default=None, help="Largest learning rate.")
@click.option("--batch_size", type=click.IntRange(1), default=None, help="Windows a step.")
@click.option("--patch", type=click.IntRange(1), default=None, help="Pixels of a window seen at once.")
@click.option("--seed", type=click.IntRange(0), default=None, help="Of weights, order and turns.")
@click.option("--device", default="cpu", show_default=True, help="auto, cpu, or the number of a GPU.")
def command(project_path: str, dataset: str, dst: str, metrics_fpath: str | None, device: str,
            **how: Any) -> None:  # fmt: skip
    """Train on the windows of the split `train`, and judge the last weights on `val` and `test`.

    Options that are not given are those of `fit:` in model.yaml. The same seed gives the same file.
    """
    from pipelines.esrun.dataset import Dataset
    from pipelines.esrun.project import load_project

    given = {key: value for key, value in how.items() if value is not None}
    metrics = fit(load_project(project_path), Dataset(Path(dataset).absolute()), Path(dst), device, **given)
    # The metrics come last: where they are, the checkpoint is.
    write_json(metrics_fpath or Path(dst).with_name("fit.json"), {"info": [], "result": {"metrics": metrics}})


def fit(project: Project, dataset: Dataset, dst: Path, device: str = "cpu", **how: Any) -> dict[str, Any]:
    """Train, and write the checkpoint.

    Args:
        how: fields of `model_config.Training` to use instead of model.yaml's.

    Returns:
        The metrics of `training.judge` as `val_<metric>` and `test_<metric>`, the last loss, the numbers of
        windows.

    Raises:
        BadInput: labels, windows or a model.yaml that do not fit together.
    """
    import torch
    from tqdm import tqdm

    from pipelines.esrun import checkpoint, scoring
    from pipelines.esrun.colours import legend
    from pipelines.esrun.model_config import load_model_config
    from pipelines.esrun.training import judge, majority_class, train
    from pipelines.esrun.training_data import SPLITS, normalisation, read_examples

    config = load_model_config(project, dataset.path)
    its, where = legend(project, config.classes), scoring.device_named(device)
    plan = replace(config.fit, **how)
    found = read_examples(project, dataset, config, its)
    normalise = config.normalise or normalisation(found["train"])
    with learning.repeatable("warn"), tqdm(total=plan.epochs, unit="epoch", desc="fit", disable=None) as bar:
        torch.manual_seed(plan.seed)
        model = scoring.prepared(config, config.network(len(its.labels)), normalise, its, where)
        losses = train(
            model.network, found["train"], normalise, len(its.labels), plan, model.stride, where, bar.update
        )
        majority = majority_class(found["train"])
        scores = {split: judge(model, found[split], majority) for split in SPLITS}
    checkpoint.save(dst, config, model.network, normalise, its.labels)
    return {
        **{f"{split}_{name}": value for split, its in scores.items() for name, value in its.items()},
        **{f"{split}_windows": len(found[split]) for split in SPLITS},
        "train_loss": losses[-1],
    }


if __name__ == "__main__":
    run(command)
