"""A first run of Flow Photo Explorer in a folder of its own: two streams, a grid of models, a ranking.

It only calls the programs, each by the command line that it prints.
"""

from __future__ import annotations

import time
from pathlib import Path

import click

from pipelines import program
from pipelines.demo_parts import aggregated, say_where, scheduled, together, where_jobs_run

PACKAGE = "pipelines.fpe"
STATIONS = ("--stations=2", "--days=60", "--images-per-day=12", "--size=96x72", "--start=2023-03-01")
PARAMS = """\
# By day or with night, two learning rates, with and without augmentation, at two stations: 16 rows.
pipeline: pipelines.fpe.pipelines.fpe()
matrix:
    rank_dataset.directory: fpe
    rank_dataset.station_id: [29, 30]
    run_train.learning_rate: [0.001, 0.02]
    run_train.augment: [true, false]
    run_train.n_epochs: 10
    run_train.batch_size: 16
    run_train.input_size: 60
    run_train.unfreeze_after: 0
    run_train.workers: 1
zip:
    rank_input.min_hour: [7, 0]
    rank_input.max_hour: [18, 23]
"""

EPILOG = """\b
Example:
  python -m pipelines.fpe.demo my-first-streams"""


@click.command(name="demo", epilog=EPILOG)
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path), default="fpe-demo")
@where_jobs_run
def command(folder: Path, workers: int, backend: str) -> None:
    """Make photographs of two streams in FOLDER, rank models of them, and deploy the best of each.

    What is there already is kept: the same command goes on where an earlier one was stopped.
    """
    started = time.monotonic()
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "seed").exists():
        together(folder, PACKAGE, [["generate", "--dst=seed", *STATIONS]])
    together(folder, PACKAGE, [["import_seed", "--data=seed", "--root=fpe"]])
    scheduled(folder, PARAMS, workers, backend)
    aggregated(folder, "--eval_nodes=evaluate", "--stdout_report={concise: 1, top_k: 8, macro_analysis: 1}")
    say_where(folder, started, deployed="fpe/storage/models/*/*.html")


if __name__ == "__main__":
    program.run(command)
