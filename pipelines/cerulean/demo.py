"""A first run of Cerulean in a folder of its own: scenes, a dataset, models, a grid of thresholds, a ranking.

It only calls the programs, each by the command line that it prints.
"""

from __future__ import annotations

import time
from pathlib import Path

import click

from pipelines import program
from pipelines.demo_parts import aggregated, say_where, scheduled, together, where_jobs_run

PACKAGE = "pipelines.cerulean"
SCENES = ("--scenes=30", "--size=512x384")
PARAMS = """\
# Without and with the distance to platforms and the density of ships, the classes as they are annotated or
# those of vessels as one, and two thresholds of confidence: 8 rows.
pipeline: pipelines.cerulean.pipelines.cerulean()
matrix:
    __include__:
    - pipelines.cerulean:configs/data/overview.yaml
    - pipelines.cerulean:configs/model/unet_small.yaml
    - pipelines.cerulean:configs/scheduler/cyclic.yaml
    - pipelines.cerulean:configs/trainer/quick.yaml
    - pipelines.cerulean:configs/logger/pictures.yaml
    split_scenes.list: sea/scenes
    make_train.aux: sea/aux
    train.channels: [vv, 'vv,distance,density']
    train.remap: [usual, none]
    postprocess.conf_threshold: [0.2, 0.5]
"""


@click.command(name="demo")
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path), default="cerulean-demo")
@where_jobs_run
def command(folder: Path, workers: int, backend: str) -> None:
    """Make radar scenes in FOLDER, learn to find oil in some, and rank eight ways to find it in others.

    What is there already is kept: the same command goes on where an earlier one was stopped.

    \b
    Example:
      python -m pipelines.cerulean.demo my-first-slicks
    """
    started = time.monotonic()
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "sea").exists():
        together(folder, PACKAGE, [["generate", "--dst=sea", *SCENES]])
    scheduled(folder, PARAMS, workers, backend)
    aggregated(folder, "--eval_nodes=evaluate", "--stdout_report={concise: 1, top_k: 8}")
    say_where(folder, started, pictures="out/visualize/*/pictures")


if __name__ == "__main__":
    program.run(command)
