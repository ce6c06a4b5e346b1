"""The program `postprocess`: the outputs of a partition's windows as results of the partition.

How they are made does not belong here: see postprocessing.py.
"""

from __future__ import annotations

from pathlib import Path

import click

from pipelines.program import run, write_json


@click.command()
@click.option("--project_path", required=True, help="Project directory, with esrun.yaml.")
@click.option("--partition_dpath", required=True, help="Folder of the partition, partitions/<id>.")
@click.option("--dataset", required=True, help="Dataset that holds the partition's windows.")
@click.option(
    "--output", default=None, help="Dataset folder with their layer `output`.  [default: --dataset]"
)
@click.option("--dst", required=True, help="Folder for the results; may be that of the partition.")
@click.option("--allow_missing", type=bool, default=False, show_default=True,
              help="Go on without windows that have no output.")  # fmt: skip
@click.option("--summary_fpath", default=None, help="JSON of counts to write last.  [default: none]")
def command(
    project_path: str, partition_dpath: str, dataset: str, output: str | None, dst: str, allow_missing: bool,
    summary_fpath: str | None,
) -> None:  # fmt: skip
    """Make the result of a partition, as the strategies of the project say.

    Writes result.geojson or results_raster/*.tif, and results.json last.

    \b
    Example:
      python -m pipelines.esrun.postprocess --project_path=park --dataset=scratch/dataset_0 \\
        --partition_dpath=scratch/partitions/partition_0 --dst=scratch/partitions/partition_0
    """
    from pipelines.esrun.dataset import Dataset
    from pipelines.esrun.postprocessing import postprocess
    from pipelines.esrun.project import load_project
    from pipelines.esrun.scratch import Part, Results

    project = load_project(project_path)
    part = Part(Path(partition_dpath).absolute())
    source = Dataset(Path(dataset).absolute())
    target = source if output is None else Dataset(Path(output).absolute())
    results = Results(Path(dst).absolute())
    record = postprocess(project, part, source, target, results, allow_missing)
    if summary_fpath is not None:
        write_json(summary_fpath, record)


if __name__ == "__main__":
    run(command)
