"""A first run of the earth-system runner in a folder of its own: a park, a model, a grid of maps, a ranking.

It only calls the programs, each by the command line that it prints.
"""

from __future__ import annotations

import time
from pathlib import Path

import click

from pipelines import program
from pipelines.demo_parts import aggregated, say_where, scheduled, together, where_jobs_run
from pipelines.esrun import sample

PACKAGE = "pipelines.esrun"
PARAMS = """\
# Windows of two sizes, side by side or overlapping; every pixel named, or those in doubt left out: 8 rows.
pipeline: pipelines.esrun.pipelines.esrun()
matrix:
    partition.project_path: park
    partition.grid_size: [32, 96]
    partition.overlap_size: [0, 16]
    run_inference.checkpoint_path: model/checkpoint.ckpt
    run_inference.threshold: [0.0, 0.6]
    evaluate.labels_fpath: park/truth.tif
"""

EPILOG = """\b
Example:
  python -m pipelines.esrun.demo my-first-map"""


@click.command(name="demo", epilog=EPILOG)
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path), default="esrun-demo")
@where_jobs_run
def command(folder: Path, workers: int, backend: str) -> None:
    """Map a national park in FOLDER by a model learned in its west, and rank eight ways by its east.

    What is there already is kept: the same command goes on where an earlier one was stopped.
    """
    started = time.monotonic()
    sample.examples()  # says so before anything is written if there is no data
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "park" / "esrun.yaml").exists():
        together(folder, PACKAGE, [["sample", "park"]])
    _learn(folder)
    scheduled(folder, PARAMS, workers, backend)
    aggregated(folder, "--stdout_report={concise: 1, top_k: 3}")
    say_where(folder, started, picture="out/visualize/*/*.png")


def _learn(folder: Path) -> None:
    """Labelled windows, their images, and the model that is fitted on them."""
    if (folder / "model" / "checkpoint.ckpt").exists():
        return
    together(folder, PACKAGE, [["prepare_labeled_windows", "--project_path=park", "--scratch_path=model"]])
    together(folder, PACKAGE, [["build_dataset", "--project_path=park", "--dst=model/dataset"]])
    together(folder, PACKAGE, [[
        "fit", "--project_path=park", "--dataset=model/dataset", "--dst=model/checkpoint.ckpt",
        "--metrics_fpath=model/fit.json",
    ]])  # fmt: skip


if __name__ == "__main__":
    program.run(command)
