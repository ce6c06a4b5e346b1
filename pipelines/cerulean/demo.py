"""A first run of Cerulean in a folder of its own: scenes, a dataset, models, a grid of thresholds, a ranking.

It only calls the programs, each by the command line that it prints.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import click

from pipelines import program
from pipelines.demo_parts import call, drawn, together, where_jobs_run

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
    split_scenes.list: sea/scenes.txt
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
    params = folder / "params.yaml"
    if not params.exists():
        params.write_text(PARAMS, encoding="utf-8")
    call(folder, [
        sys.executable, "-m", "kwdag", "schedule", "--params=params.yaml", "--root_dpath=out", "--run=1",
        "--print_commands=0", f"--backend={backend}", f"--queue_size={workers}",
        "--other_session_handler=ignore",
    ])  # fmt: skip
    call(folder, [
        sys.executable, "-m", "kwdag", "aggregate", "--target=out", "--output_dpath=report",
        "--eval_nodes=evaluate", "--stdout_report={concise: 1, top_k: 8}", *drawn(),
    ])  # fmt: skip
    _say_where(folder, time.monotonic() - started)


def _say_where(folder: Path, seconds: float) -> None:
    for page in sorted((folder / "report").glob("*.html")):
        click.echo(f"report      {page}")
    for pictures in sorted((folder / "out" / "visualize").glob("*/pictures")):
        click.echo(f"pictures    {pictures}")
    click.echo(f"it took     {seconds:.0f} s")


if __name__ == "__main__":
    program.run(command)
