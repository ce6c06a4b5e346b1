"""Partitions as jobs, on every backend: one that dies leaves the others, a re-run does only what is missing,
and the map is the same, byte for byte, as the runner's."""

from __future__ import annotations

import json
from collections import Counter

import pytest

from kwdag import schedule
from pipelines.esrun import EsPredictRunner
from tests.pipelines.esrun.runner_projects import DEADLY, make_project
from tests.pipelines.esrun.sample_runs import files

pytestmark = pytest.mark.slow


def grid(project, root, backend):
    matrix = {"partition.project_path": str(project), "evaluate.labels_fpath": str(project / "truth.tif")}
    engine = {"backend": backend.name, **backend.options}
    return schedule(matrix, pipeline="pipelines.esrun.pipelines.esrun()", root_dpath=root, run=True, **engine)


def attempts(root):
    """How often each job has begun, by node."""
    found = {}
    for path in root.glob("*/*_id_*"):
        found.setdefault(path.parent.name, []).append(len(list(path.glob(".claim-*"))))
    return {name: sorted(counts) for name, counts in found.items()}


@pytest.mark.every_backend
def test_a_partition_that_dies_leaves_the_others_and_is_made_up_for(tmp_path, backend):
    project, flag, root = make_project(tmp_path / "project"), tmp_path / "deadly", tmp_path / "out"
    (project / "deadly.py").write_text(DEADLY.format(flag=str(flag)))
    model = (project / "model.yaml").read_text().replace("brightest_band.Brightest", "deadly.Deadly")
    (project / "model.yaml").write_text(model)
    flag.touch()
    assert grid(project, root, backend).counts == {"done": 5, "failed": 1, "blocked": 4}
    (kept,) = (root / "postprocess").glob("*/results/results.json")
    assert json.loads(kept.read_text())["partition_id"] == "partition_1"
    flag.unlink()
    before = attempts(root)
    done = grid(project, root, backend)
    assert done.complete and _ended(done) == {
        "run_inference": 1, "postprocess": 1, "combine": 1, "evaluate": 1, "visualize": 1,
    }  # fmt: skip
    for name in ("partition", "build_dataset"):
        assert attempts(root)[name] == before[name]
    runner = EsPredictRunner(project, tmp_path / "scratch")
    for step in (runner.build_dataset, runner.run_inference, runner.postprocess, runner.combine):
        step(runner.partition())
    (combined,) = (root / "combine").glob("*/results")
    assert files(combined) == files(tmp_path / "scratch/results")
    (evaluated,) = (root / "evaluate").glob("*/evaluation.json")
    metrics = json.loads(evaluated.read_text())["result"]["metrics"]
    assert metrics["macro_f1"] == metrics["window_success_rate"] == 1.0
    assert metrics["seam_disagreement"] == 0.0 and metrics["coverage"] > 0.98
    assert grid(project, root, backend).ended == ()


def _ended(done):
    return Counter(event.job.node.name for event in done.ended)
