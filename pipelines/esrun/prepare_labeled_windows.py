"""The program `prepare_labeled_windows`: annotations of a project become labelled windows of a dataset.

How they are made stands in labelled.py.
"""

from __future__ import annotations

import click

from pipelines.program import run


@click.command()
@click.option("--project_path", required=True, help="Project directory, with esrun.yaml and annotations.")
@click.option("--scratch_path", required=True, help="The dataset is made in `dataset` below it.")
@click.option("--workers", type=click.IntRange(0), default=0, show_default=True, help="Threads; 0: one.")
def command(project_path: str, scratch_path: str, workers: int) -> None:
    """Make labelled windows of a project's annotations, for fine-tuning.

    Reads annotation_task_features.geojson and annotation_features.geojson and works as `window_prep` of
    esrun.yaml says. Running it again adds nothing; changed annotations replace their labels.

    \b
    Example:
      python -m pipelines.esrun prepare_labeled_windows \\
        --project_path=esrun_data/sample --scratch_path=/tmp/scratch
    """
    from pipelines.esrun.fine_tune_runner import EsFineTuneRunner

    runner = EsFineTuneRunner(project_path, scratch_path)
    count = runner.prepare_labeled_windows(workers)
    click.echo(f"{count} labelled windows in {runner.dataset.path}")


if __name__ == "__main__":
    run(command)
