"""Every named pipeline with its real programs, from training to the phases of sites, on the smallest data.

All share one root, as somebody would who tries them in turn: what one has made another takes as it is.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from kwdag.aggregation import aggregate
from pipelines.geowatch.pipelines import NAMED

# one process: the models that all use take longest
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("named pipelines")]

SMALLEST = ("--regions=1", "--frames=4", "--size=64")
FIT = {
    "fit.dataset": "data/data.kwcoco.json",
    "fit.epochs": 1,
    "fit.window": 32,
    "fit.max_windows": 8,
    "fit.width": 4,
}
TRUTH = {
    "bas_poly_eval.true_site_dpath": "data/site_models",
    "bas_poly_eval.true_region_dpath": "data/region_models",
}
SC_TRUTH = {
    "act.poly.true_site_dpath": "data/site_models",
    "act.poly.true_region_dpath": "data/region_models",
}
BAS = {
    "trk.pxl.model": "saliency.pt",
    "trk.pxl.data.test_dataset": "data/data.kwcoco.json",
    "trk.pxl.num_workers": 0,
    "trk.pxl.draw_heatmaps": False,
    "trk.poly.thresh": 0.3,
}
SC = {"act.pxl.model": "classes.pt", "act.pxl.num_workers": 0, "act.pxl.draw_heatmaps": False}
CROP = {
    "crop.src": "data/data.kwcoco.json",
    "crop.minimum_size": "32x32@10GSD",
    "crop.target_gsd": 10,
    "act.pxl.data.test_dataset": "crop.dst",
}
CROPPED = "crops/sitecrop.kwcoco.zip"
NO_PICTURES = ("--enable_viz_pred_trk_poly=0", "--enable_viz_pred_act_poly=0")
NO_PIXELS = ("--enable_eval_act_pxl=0", *NO_PICTURES)

#: Pipeline -> its matrix, what is switched off, the jobs that are left to do, and of which node is the table
#: to which they add how many rows.
RUNS = {
    "train": (FIT | {"fit.task": ["saliency", "classes"]}, (), 2, "fit", 2),
    "train_bas": (
        FIT | TRUTH | {"bas_pxl.test_dataset": "data/data.kwcoco.json", "bas_poly.thresh": 0.3},
        (), 5, "bas_poly_eval", 1,
    ),
    "joint_bas_sv_sc": (
        BAS | SC | CROP | {"sv_crop.minimum_size": "32x32@10GSD"}, (), 14, "sc_poly_eval", 1,
    ),
    "bas": (BAS | {"trk.poly.thresh": [0.3, 0.99]}, NO_PICTURES, 2, "bas_poly_eval", 1),
    "joint_bas_sc": (BAS | SC | CROP, NO_PIXELS, 4, "sc_poly_eval", 1),
    "joint_bas_sc_nocrop": (
        BAS | SC | {"act.pxl.data.test_dataset": "data/data.kwcoco.json"}, NO_PIXELS, 3, "sc_poly_eval", 1,
    ),
    "crop_sc": (SC | CROP | {"crop.regions": "truth"}, NO_PIXELS, 4, "sc_poly_eval", 1),
    "sc": (
        SC | SC_TRUTH | {"act.pxl.data.test_dataset": CROPPED, "act.poly.smoothing": [1, 3]},
        NO_PIXELS, 5, "sc_poly_eval", 2,
    ),
}  # fmt: skip
#: They need no more than what the first three have made.
AT_ONCE = list(RUNS)[3:]


def python(here, *words):
    line = [sys.executable, "-m", *words]
    alone = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(line, cwd=here, env=alone, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def schedule(here, name):
    """Run a pipeline by the program that takes it; gives what it says."""
    matrix, off, *_ = RUNS[name]
    params = f"--params={json.dumps({'matrix': matrix})}"
    words, root = ["pipelines.geowatch.schedule_evaluation", f"--pipeline={name}", *off], "out"
    if name.startswith("train"):
        root = "trained"
        words = ["kwdag", "schedule", f"--pipeline=pipelines.geowatch.{name}()"]
    return python(here, *words, params, f"--root_dpath={root}", "--run=1", "--print_commands=0")


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """Pipeline -> what its run said, and the rows that it added to the table of its last node."""
    here = tmp_path_factory.mktemp("named")
    python(here, "pipelines.geowatch.generate", "--dst=data", *SMALLEST)
    said = {"train": schedule(here, "train")}
    for row in table(here / "trained", "train_bas", "fit"):
        shutil.copy(f"{row['dpath']}/model.pt", here / f"{row['params.fit.task']}.pt")
    said |= {name: schedule(here, name) for name in ("train_bas", "joint_bas_sv_sc")}
    (crops,) = (here / "out/sc_crop").glob("*/sitecrop.kwcoco.zip")
    (here / "crops").symlink_to(crops.parent)
    with ThreadPoolExecutor(2) as pool:
        said |= zip(AT_ONCE, pool.map(lambda name: schedule(here, name), AT_ONCE), strict=True)
    # A table is of one pipeline, and this one has the nodes of all but training.
    tables = [table(here / "trained", "train_bas", node) for node in ("fit", "bas_poly_eval")]
    tables += [table(here / "out", "joint_bas_sv_sc", node) for node in ("bas_poly_eval", "sc_poly_eval")]
    rows = [row for one in tables for row in one]
    return {
        name: (text, [row for row in rows if row["node"] == RUNS[name][3] and row["job_id"] in text])
        for name, text in said.items()
    }


def table(root, pipeline, node):
    found = aggregate(root, pipeline=f"pipelines.geowatch.{pipeline}()", eval_nodes=node, stdout_report=False)
    return found.tables[node].to_dict("records")


@pytest.mark.parametrize("name", NAMED)
def test_all_jobs_are_done_and_ranked(ran, name):
    _, _, jobs, node, count = RUNS[name]
    said, rows = ran[name]
    assert said.splitlines()[-1] == f"{jobs} done of {jobs} jobs"
    assert len(rows) == count
    primary = NAMED[name]().nodes[node].metrics[0]["metric"]
    assert all(0 <= row[f"metrics.{node}.{primary}"] <= 1 for row in rows)


def test_rows_say_which_parameters_made_them(ran):
    assert [row["params.fit.width"] for row in ran["train_bas"][1]] == [4]
    assert [row["params.bas_poly.thresh"] for row in ran["bas"][1]] == [0.99]
    assert {row["params.fit.task"] for row in ran["train"][1]} == {"saliency", "classes"}
    assert {row["params.sc_poly.smoothing"] for row in ran["sc"][1]} == {1, 3}
    (validated,), (unvalidated,) = ran["joint_bas_sv_sc"][1], ran["joint_bas_sc"][1]
    assert validated["params.sv_filter.change_thresh"] == 0.1
    assert unvalidated.get("params.sv_filter.change_thresh") != 0.1
