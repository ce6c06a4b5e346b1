from __future__ import annotations

import sys

import pytest

from pipelines import demo_parts, program
from pipelines.geowatch import demo
from pipelines.geowatch.schedule_evaluation import translate


def test_its_grid_has_twelve_rows_through_bas_and_sc():
    document = translate(demo.PARAMS, truth={"true_site_dpath": "/s", "true_region_dpath": "/r"})
    rows = document["include"]
    assert len(rows) == 12
    nodes = {key.partition(".")[0] for key in rows[0]}
    assert {"bas_pxl", "bas_poly", "bas_poly_eval", "sc_crop", "sc_pxl", "sc_poly", "sc_poly_eval"} <= nodes


def test_a_step_that_fails_ends_it_with_one_line(tmp_path, monkeypatch, capfd):
    monkeypatch.setattr(demo, "GENERATE", ("--frames=0",))
    with pytest.raises(SystemExit) as caught:
        program.run(demo.command, [str(tmp_path / "here")])
    assert caught.value.code == 2
    err = capfd.readouterr().err.splitlines()
    assert err[0].startswith("error: Invalid value for '--frames'")
    assert err[1].endswith("generate --dst=train ended with exit code 2; its lines above say why")


def test_what_it_calls_is_this_python(tmp_path, capfd):
    demo_parts.call(tmp_path, [sys.executable, "-c", "print('hello')"])
    out = capfd.readouterr().out
    assert f"$ cd {tmp_path} && python -c" in out and out.endswith("hello\n")
