"""The program `build_dataset`: the windows of a partition in rslearn's dataset, filled from dataset.json.

How they are filled does not belong here: see building.py.
"""

from __future__ import annotations

from pathlib import Path

import click

from pipelines.errors import BadInput
from pipelines.program import run, write_json


@click.command()
@click.option("--project_path", required=True, help="Project directory, with dataset.json.")
@click.option(
    "--partition_dpath",
    default=None,
    help="A folder partitions/<id> with windows.geojson.  [default: fill the windows that --dst has]",
)
@click.option("--dst", required=True, help="Dataset to make or to go on with.")
@click.option("--summary_fpath", default=None, help="JSON to write last: windows, and layers that they have.")
@click.option("--workers", type=click.IntRange(0), default=2, show_default=True, help="Threads.")
def command(
    project_path: str, partition_dpath: str | None, dst: str, summary_fpath: str | None, workers: int
) -> None:
    """Build the windows of a partition, or fill those of a dataset, from the sources in dataset.json.

    Layers that are complete are left as they are, so that a run that was stopped goes on where it was.

    \b
    Example:
      python -m pipelines.esrun.build_dataset --project_path=project \\
        --partition_dpath=scratch/partitions/partition_0 --dst=scratch/dataset_0 \\
        --summary_fpath=scratch/built.json
    """
    from pipelines.esrun import building
    from pipelines.esrun.dataset import Dataset
    from pipelines.esrun.project import load_project
    from pipelines.esrun.scratch import Part

    project, dataset = load_project(project_path), Dataset(Path(dst).absolute())
    if partition_dpath is not None:
        filled = building.build(project, Part(Path(partition_dpath).absolute()), dataset, workers)
    else:
        windows = list(dataset.windows())
        if not windows:
            raise BadInput("has no windows to fill", where=dataset.path)
        filled = building.fill(project, dataset, windows, workers)
    if summary_fpath is not None:
        write_json(summary_fpath, building.summary(filled))


if __name__ == "__main__":
    run(command)
