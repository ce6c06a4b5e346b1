"""A first run of GeoWATCH in a folder of its own: data, two models, a grid through BAS and SC, a ranking.

It only calls the programs, each by the command line that it prints.
"""

from __future__ import annotations

import time
from pathlib import Path

import click

from pipelines import program
from pipelines.demo_parts import aggregated, say_where, together, where_jobs_run

PARAMS = """\
# Three ways to find sites, four ways to tell their phases: 12 rows.
matrix:
    trk.pxl.model: bas.pt
    trk.pxl.data.test_dataset: test/data.kwcoco.json
    trk.poly.thresh: [0.1, 0.5, 0.9]
    trk.poly.moving_window_size: 3
    trk.poly.min_area_square_meters: 7200
    crop.src: test/data.kwcoco.json
    crop.regions: trk.poly.output
    crop.minimum_size: 48x48@10GSD
    act.pxl.model: sc.pt
    act.pxl.data.test_dataset: crop.dst
    act.poly.use_viterbi: [0, 1]
    act.poly.smoothing: [1, 3]
"""

PACKAGE = "pipelines.geowatch"
GENERATE = ("--frames=8", "--size=96")
FITS = {
    "bas.pt": ("--task=saliency", "--gsd=10GSD", "--epochs=20"),
    "sc.pt": ("--task=classes", "--gsd=4GSD", "--epochs=8", "--max_windows=100"),
}

EPILOG = """\b
Example:
  python -m pipelines.geowatch.demo my-first-sites"""


@click.command(name="demo", epilog=EPILOG)
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path), default="geowatch-demo")
@where_jobs_run
def command(folder: Path, workers: int, backend: str) -> None:
    """Make images with known sites in FOLDER, learn to find them, and rank twelve ways to do it.

    What is there already is kept: the same command goes on where an earlier one was stopped.
    """
    started = time.monotonic()
    folder.mkdir(parents=True, exist_ok=True)
    params = folder / "params.yaml"
    if not params.exists():
        params.write_text(PARAMS)
    for name, first in (("train", 0), ("test", 2)):
        if not (folder / name / "data.kwcoco.json").exists():
            generate = ["generate", f"--dst={name}", "--regions=2", f"--first={first}", *GENERATE]
            together(folder, PACKAGE, [generate])
    together(folder, PACKAGE, [
        ["fit", "--dataset=train/data.kwcoco.json", f"--dst={name}", f"--metrics_fpath={name}.json", *options]
        for name, options in FITS.items() if not (folder / name).exists()
    ])  # fmt: skip
    together(folder, PACKAGE, [[
        "schedule_evaluation", "--params=params.yaml", "--root_dpath=out", "--run=1", "--print_commands=0",
        "--enable_viz_pred_act_poly=0", f"--backend={backend}", f"--queue_size={workers}",
        "--other_session_handler=ignore",
    ]])  # fmt: skip
    aggregated(folder, "--stdout_report={concise: 1, top_k: 3}")
    say_where(folder, started, animation="out/bas_poly_viz/*/*.gif")


if __name__ == "__main__":
    program.run(command)
