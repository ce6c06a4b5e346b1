"""The example of a user's own module runs as its README says, and as the seed document's commands do."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).parents[2] / "examples" / "user_module"


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A fresh copy of the example, with `kwdag` and `python` on PATH."""
    ignore = shutil.ignore_patterns("pipeline_output", "yaml_output", "__pycache__")
    folder = Path(shutil.copytree(EXAMPLE, tmp_path / "user module", ignore=ignore))
    monkeypatch.chdir(folder)
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    return folder


def run(*argv: str) -> str:
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout


@pytest.mark.every_backend
def test_the_two_commands_of_the_seed(here, backend):
    script = here / "run_pipeline.sh"
    script.write_text(script.read_text().replace("--backend=serial", f"--backend={backend.name}"))
    first = run("bash", "run_pipeline.sh")
    assert "16 done of 16 jobs" in first
    for section in ("Varied Basis: = {", "Constant Params: {", "Varied Parameter LUT: {",
                    "Top 8 / 8 for stage1_evaluate, unknown"):  # fmt: skip
        assert section in first.splitlines()
    scores = [float(line.split()[2]) for line in first.splitlines() if line.startswith("  unknown ")]
    assert len(scores) == 8 and scores == sorted(scores)  # the best is last
    for node, names in {
        "stage1_predict": {"invoke.sh", "job_config.json", "stage1_prediction.json"},
        "stage1_evaluate": {"invoke.sh", "job_config.json", "stage1_evaluation.json"},
    }.items():
        folders = list((here / "pipeline_output" / node).iterdir())
        assert len(folders) == 8
        for folder in folders:
            assert re.fullmatch(rf"{node}_id_[a-z0-9]+", folder.name)
            assert names <= {path.name for path in folder.iterdir()}
    assert "nothing to run: all 16 jobs are done" in run("bash", "run_pipeline.sh")


@pytest.mark.every_backend
def test_the_yaml_pipeline_with_its_gather(here, backend):
    schedule = ("kwdag", "schedule", "--params=params.yaml", "--root_dpath=yaml_output", "--run=1",
                *backend.words)  # fmt: skip
    assert "18 done of 18 jobs" in run(*schedule)
    assert "nothing to run: all 18 jobs are done" in run(*schedule)
    report = run("kwdag", "aggregate", "--target=yaml_output")
    assert "Top 2 / 2 for best_param, unknown" in report
    rows = [line.split() for line in report.partition("for best_param")[2].splitlines()]
    assert [row[3] for row in rows if row and row[0] == "unknown"] == ["4", "4"]


def test_the_programs_know_nothing_of_kwdag():
    programs = [
        path for path in (EXAMPLE / "example_user_module").glob("*.py") if path.name != "pipelines.py"
    ]
    assert len(programs) == 4
    assert not any(
        "import kwdag" in path.read_text() or "from kwdag" in path.read_text() for path in programs
    )
