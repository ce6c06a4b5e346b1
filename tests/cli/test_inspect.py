from __future__ import annotations

import json

import yaml


def test_the_report(kwdag, project, golden):
    found = kwdag("inspect", "pipe.yaml")
    assert (found.code, found.err) == (0, "")
    golden("inspect", found.out)


def test_the_params_template_runs_once_it_is_filled_in(kwdag, project):
    text = kwdag("inspect", "pipe.yaml").out.partition("# a params document to start from\n")[2]
    (project / "start.yaml").write_text(text.replace("FILL_IN", "a.txt"))
    assert kwdag("schedule", "--params=start.yaml", "--root_dpath=out", "--run=1").code == 0


def test_yaml_gives_the_pipeline_back(kwdag, project):
    (project / "same.yaml").write_text(kwdag("inspect", "pipe.yaml", "--yaml").out)
    assert kwdag("inspect", "same.yaml", "--yaml").out == (project / "same.yaml").read_text()
    assert yaml.safe_load((project / "same.yaml").read_text())["edges"] == [
        "predict.dst -> evaluate.pred",
        "predict.src -> evaluate.truth",
    ]


def test_the_json(kwdag, project):
    found = json.loads(kwdag("inspect", "pipe.yaml", "--json").out)
    assert (found["schema"], found["version"], found["order"]) == (
        "kwdag.inspect",
        1,
        ["predict", "evaluate"],
    )
    assert set(found["pipeline"]) == {"nodes", "edges"}
