from __future__ import annotations

import pytest
import yaml

from kwdag.request import prepare
from kwdag.resolve import build_plan
from pipelines import program
from pipelines.fpe import demo


def test_its_grid_has_a_row_for_each_way_at_each_station(tmp_path):
    request = prepare(yaml.safe_load(demo.PARAMS), tmp_path / "out")
    plan = build_plan(request.wiring, request.rows, "/root", workdir="/work")
    assert plan.n_rows == 16
    found = {name: len(jobs) for name, jobs in plan.by_node().items()}
    assert found["run_train"] == found["evaluate"] == 16
    assert found["rank_input"] == 4
    assert found["rank_dataset"] == found["deploy"] == 2


def test_a_step_that_fails_ends_it_with_one_line(tmp_path, monkeypatch, capfd):
    monkeypatch.setattr(demo, "STATIONS", ("--days=0",))
    with pytest.raises(SystemExit) as caught:
        program.run(demo.command, [str(tmp_path / "here")])
    assert caught.value.code == 2
    err = capfd.readouterr().err.splitlines()
    assert err[0].startswith("error: Invalid value for '--days'")
    assert err[1].endswith("generate --dst=seed ended with exit code 2; its lines above say why")
