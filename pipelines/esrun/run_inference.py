"""The program `run_inference`: a model over the windows of one partition.

Reading, scoring and writing do not belong here: see inference.py.
"""

from __future__ import annotations

from pathlib import Path

import click

from pipelines.program import run, write_json

EPILOG = """\b
Example:
  python -m pipelines.esrun.run_inference --project_path=project --threshold=0.5 \\
      --partition_dpath=scratch/partitions/partition_0 --dataset=scratch/dataset_0 --dst=scratch/dataset_0"""


@click.command(name="run_inference", epilog=EPILOG)
@click.option(
    "--project_path", required=True, help="Project directory: model.yaml, checkpoint.ckpt, esrun.yaml."
)
@click.option("--partition_dpath", required=True, help="Folder of the partition, partitions/<id>.")
@click.option("--dataset", required=True, help="Dataset with the partition's windows and their images.")
@click.option("--dst", required=True, help="Dataset folder to write the layer `output` in; may be the same.")
@click.option("--checkpoint_path", default=None, help="Weights.  [default: checkpoint.ckpt of the project]")
@click.option("--threshold", type=click.FloatRange(0, 1), default=0.0, show_default=True,
              help="A class less probable than this becomes nodata.")  # fmt: skip
@click.option("--batch_size", type=click.IntRange(1), default=None, help="Windows at once on a GPU.")
@click.option("--device", default="auto", show_default=True, help="auto, cpu, or the number of a GPU.")
@click.option("--workers", type=click.IntRange(0), default=0, show_default=True, help="Threads.")
@click.option("--allow_failed", type=bool, default=False, show_default=True,
              help="Go on without windows that fail.")  # fmt: skip
@click.option("--summary_fpath", default=None, help="JSON of counts to write last.  [default: none]")
def command(
    project_path: str, partition_dpath: str, dataset: str, dst: str, checkpoint_path: str | None,
    threshold: float, batch_size: int | None, device: str, workers: int, allow_failed: bool,
    summary_fpath: str | None,
) -> None:  # fmt: skip
    """Predict the layer `output` of every window of a partition.

    Windows whose output is there, made by the same model from the same pixels, are left alone. A window that
    fails does not stop the others; in the end the program complains of it.
    """
    from pipelines.esrun.dataset import Dataset
    from pipelines.esrun.inference import Settings, check, infer
    from pipelines.esrun.project import load_project
    from pipelines.esrun.scratch import Part

    checkpoint = None if checkpoint_path is None else Path(checkpoint_path)
    settings = Settings(checkpoint, threshold, batch_size, device, workers)
    part = Part(Path(partition_dpath).absolute())
    source, target = Dataset(Path(dataset).absolute()), Dataset(Path(dst).absolute())
    report = infer(load_project(project_path), part, source, target, settings)
    if not allow_failed:
        check(report, part)
    if summary_fpath is not None:
        write_json(summary_fpath, report.to_json())


if __name__ == "__main__":
    run(command)
