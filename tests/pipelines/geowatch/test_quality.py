"""A model that was trained on made-up regions finds the sites of regions that it never saw."""

from __future__ import annotations

import subprocess
import sys

import pytest

from kwdag.aggregation import aggregate
from pipelines.geowatch.demo import FITS, GENERATE

pytestmark = pytest.mark.slow

PARAMS = """
trk.pxl.model: bas.pt
trk.pxl.data.test_dataset: test/data.kwcoco.json
trk.pxl.num_workers: 0
trk.poly.thresh: [0.1, 0.5, 0.9]
trk.poly.moving_window_size: 3
trk.poly.min_area_square_meters: 7200
"""


def run(here, program, *options):
    line = [sys.executable, "-m", f"pipelines.geowatch.{program}", *options]
    done = subprocess.run(line, cwd=here, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_threshold_in_the_middle_is_best_and_finds_the_sites(tmp_path):
    for name, first in (("train", 0), ("test", 2)):
        run(tmp_path, "generate", f"--dst={name}", "--regions=2", f"--first={first}", *GENERATE)
    run(tmp_path, "fit", "--dataset=train/data.kwcoco.json", "--dst=bas.pt", *FITS["bas.pt"])
    off = "--enable_viz_pred_trk_poly=0", "--enable_eval_trk_pxl=0"
    run(
        tmp_path, "schedule_evaluation", "--pipeline=bas", f"--params={PARAMS}", "--root_dpath=out",
        "--run=1", *off,
    )  # fmt: skip
    found = aggregate(tmp_path / "out", eval_nodes="bas_poly_eval", stdout_report=False)
    table = found.tables["bas_poly_eval"]
    assert found.metrics["bas_poly_eval"].primary[0].name == "bas_faa_f1"
    assert table["params.bas_poly.thresh"].tolist()[-1] == 0.5
    scores = table["metrics.bas_poly_eval.bas_faa_f1"].tolist()
    assert scores[-1] >= 0.8 and scores[-1] - scores[0] > 0.2
