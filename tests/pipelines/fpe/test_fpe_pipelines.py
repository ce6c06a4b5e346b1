"""The pipeline as kwdag sees it: which jobs there are, what they read, and that programs take it."""

from __future__ import annotations

import importlib
import re
import subprocess
import sys

import click
import pytest

from kwdag.resolve import build_plan
from pipelines.fpe.pipelines import ALL, fpe

ROW = {"rank_dataset.station_id": 29, "rank_dataset.directory": "data"}


def plan(*rows):
    return build_plan(fpe().wiring(), list(rows), "/root", workdir="/work")


def count(found):
    return {name: len(jobs) for name, jobs in found.by_node().items()}


def test_rows_share_what_they_have_in_common():
    rows = [
        {**ROW, "rank_input.min_hour": hour, "run_train.learning_rate": rate}
        for hour in (0, 7)
        for rate in (0.001, 0.02)
    ]
    assert count(plan(*rows)) == {
        "rank_dataset": 1, "rank_input": 2, "run_train": 4, "run_transform": 4, "run_transform_merge": 4,
        "run_transform_predictions": 4, "evaluate": 4, "report": 4, "deploy": 1,
    }  # fmt: skip


def test_deploy_reads_all_models_of_one_station_in_one_order():
    rows = [
        {**ROW, "rank_dataset.station_id": station, "run_train.learning_rate": rate}
        for station in (29, 30)
        for rate in (0.001, 0.005, 0.01, 0.02)
    ]
    jobs = plan(*rows).by_node()["deploy"]
    assert sorted(job.sources["station_id"].value for job in jobs) == ["29", "30"]
    for job in jobs:
        chains = [
            [
                member.job if port == "predictions" else _read_by(member.job)
                for member in job.sources[port].members
            ]
            for port in ("predictions", "report", "evaluation")
        ]
        assert chains[0] == chains[1] == chains[2]
        assert len(chains[0]) == 4
        assert job.sources["directory"].value == "data"


def _read_by(job):
    return next(up for up in job.predecessors() if up.node.name == "run_transform_predictions")


def test_another_model_code_makes_only_another_report_and_deployment():
    before, after = (set(plan({**ROW, "report.model_code": code}).jobs) for code in "ab")
    assert sorted(one.split("_id_")[0] for one in after - before) == ["deploy", "report"]


@pytest.mark.parametrize("node", ALL, ids=lambda node: node.name)
def test_the_program_of_a_node_has_its_ports_as_options(node):
    one = node()
    text = one.command_template or one.executable
    (name,) = re.findall(r"-m pipelines\.fpe\.(\w+)", text)
    options = _options(name)
    named = set(re.findall(r"\{(\w+)\}", one.command_template or ""))
    assert {*one.in_paths, *one.out_paths, *one.algo_params, *one.perf_params} - named <= options
    assert set(re.findall(r"--(\w+)=", one.command_template or "")) <= options


def _options(name):
    command = importlib.import_module(f"pipelines.fpe.{name}").command
    spelled = {word for one in command.params if isinstance(one, click.Option) for word in one.opts}
    return {word.lstrip("-").replace("-", "_") for word in spelled}


@pytest.mark.parametrize("url", ["postgresql://me:Wr0ng@host/fpe", "postgresql://host/fpe?password=Wr0ng"])
@pytest.mark.parametrize("node", ["rank_dataset", "deploy"])
def test_a_password_among_the_params_is_refused_before_anything_is_written(tmp_path, node, url):
    lines = ["pipeline: pipelines.fpe.pipelines.fpe()", "matrix:", "    rank_dataset.station_id: 29"]
    (tmp_path / "params.yaml").write_text("\n".join([*lines, f"    {node}.database: {url}\n"]))
    done = subprocess.run(
        [sys.executable, "-m", "kwdag", "schedule", "--params=params.yaml", "--root_dpath=out", "--run=1"],
        cwd=tmp_path, capture_output=True, text=True,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        f"kwdag: params.yaml, line 4: {node}.database has a password, which every job directory would show;"
        " it belongs into the environment\n"
    )
    assert [path.name for path in tmp_path.iterdir()] == ["params.yaml"]
