"""The front end and the real programs together, on the smallest data that there is."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

from kwdag.aggregation import aggregate
from tests.pipelines.geowatch.test_schedule_evaluation import FILES, OPTIONS, SEED
from tests.workers import once

pytestmark = pytest.mark.slow

PARAMS = """
trk.pxl.model: {model}
trk.pxl.data.test_dataset: data/data.kwcoco.json
trk.pxl.num_workers: 0
trk.poly.thresh: [0.2, 0.9]
"""


def python(here, *words):
    line = [sys.executable, "-m", *words]
    return subprocess.run(line, cwd=here, capture_output=True, text=True, timeout=300)


def make(folder):
    """Data, a model, and in `out` what the pipeline makes of them."""
    options = "--regions=1", "--frames=4", "--size=48", "--sensors=S2"
    made = python(folder, "pipelines.geowatch.generate", "--dst=data", *options)
    assert (made.returncode, made.stderr) == (0, "")
    fitted = python(folder, "pipelines.geowatch.fit", "--dataset=data/data.kwcoco.json", "--dst=bas.pt",
                    "--epochs=1", "--window=32", "--max_windows=4")  # fmt: skip
    assert fitted.returncode == 0, fitted.stderr
    found = schedule(folder, "bas.pt", "out")
    assert found.returncode == 0, found.stdout + found.stderr
    assert "6 done of 6 jobs" in found.stdout


@pytest.fixture
def here(tmp_path_factory):
    """A folder that the workers share: a test writes only what no other one does."""
    return once(tmp_path_factory, "end_to_end", make)


def schedule(here, model, root, *more):
    options = "--pipeline=bas", f"--root_dpath={root}", "--run=1", "--enable_viz_pred_trk_poly=0", *more
    params = f"--params={PARAMS.format(model=model)}"
    return python(here, "pipelines.geowatch.schedule_evaluation", params, *options)


#: Files in job directories that are results; the datasets name files below the root and differ with it.
RESULTS = ("*.tif", "*.geojson", "*_eval.json", "sites_manifest.json")


def results(root: Path) -> dict[str, str]:
    files = sorted(path for pattern in RESULTS for path in root.glob(f"[!_]*/*/**/{pattern}"))
    return {str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.mark.every_backend
def test_results_are_the_same_bytes_wherever_they_are_made(here, backend):
    found = schedule(here, "bas.pt", f"again_{backend.name}", *backend.words)
    assert found.returncode == 0, found.stdout + found.stderr
    first = results(here / "out")
    assert {Path(name).suffix for name in first} == {".tif", ".geojson", ".json"}
    assert results(here / f"again_{backend.name}") == first


def test_bas_runs_and_is_ranked(here):
    ranked = python(here, "kwdag", "aggregate", "--target=out", "--json=1")
    assert ranked.returncode == 0, ranked.stderr
    text = json.dumps(json.loads(ranked.stdout))
    for metric in ("bas_pxl_eval.salient_AP", "bas_poly_eval.bas_faa_f1", "bas_poly_eval.bas_ffpa"):
        assert metric in text


def test_a_broken_model_is_a_failed_job_with_a_line(here):
    (here / "broken.pt").write_text("no model")
    found = schedule(here, "broken.pt", "bad")
    assert found.returncode == 1
    status = python(here, "kwdag", "status", "bad")
    assert "error: " in status.stdout and "broken.pt" in status.stdout
    assert "Traceback" not in status.stdout + found.stdout


def test_the_whole_command_of_the_seed_runs(here):
    """As the user typed it, twice; only the program, the paths, `--run` and the environment are others."""
    places = {FILES[0]: "bas.pt", FILES[3]: "data/data.kwcoco.json"}
    params = SEED.format(expt="expt", data="data")
    for name, mine in places.items():
        params = params.replace(name, mine)
    words = f"--params={params}", *OPTIONS.replace("--run=0", "--run=1").split()
    command = "pipelines.geowatch.schedule_evaluation", *words, f"--virtualenv_cmd=touch {here}/activated"
    found = python(here, *command)
    assert found.returncode == 0, found.stdout + found.stderr
    assert "14 done of 14 jobs" in found.stdout and (here / "activated").exists()
    tables = aggregate(here / "kwdag_output", stdout_report=False).tables
    assert sorted(tables["bas_poly_eval"]["params.bas_poly.thresh"]) == [0.07, 0.1, 0.12, 0.175]
    assert set(tables["bas_poly_eval"]["params.bas_pxl.window_space_scale"]) == {"15GSD"}
    assert len(list((here / "kwdag_output/bas_poly_viz").glob("*/*.gif"))) == 4
    again = python(here, *command)
    assert again.returncode == 0 and "nothing to run: all 14 jobs are done" in again.stdout
