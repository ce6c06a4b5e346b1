"""Which roots and tables a person means, however they are named."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from kwdag.errors import ResultError
from kwdag.loading import ResultFile
from kwdag.node import ProcessNode
from kwdag.pipeline import Pipeline
from kwdag.targets import check_parameters, find_runs
from tests.jobs import write_job

FIT = {
    "executable": "fit", "in_paths": ["src"], "out_paths": {"dst": "out.json"}, "algo_params": {"lr": 1},
    "metrics": ["acc"],
}  # fmt: skip
SPEC = {"nodes": {"fit": FIT}}
HEAD = "region_id,param_hashid,node,job_id,dpath,params.fit.lr,metrics.fit.acc\n"


def write_root(root, *names):
    for name in names or ("a",):
        write_job(root, name)
    (root / "_kwdag").mkdir()
    (root / "_kwdag" / "pipeline.json").write_text(json.dumps({"pipeline": SPEC, "workdir": str(root)}))
    return root


def write_table(path, *names, root="/gone", node="fit"):
    rows = (
        f"r,abcdefghijkl,{node},{node}_id_{name},{root}/{node}/{node}_id_{name},1,0.5\n" for name in names
    )
    path.write_text(HEAD + "".join(rows))
    return path


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def found(target, **options):
    """(name of the place, jobs, rows) of each run."""
    runs = find_runs(target, **options)
    return [(run.root.name, *(sum(map(len, by.values())) for by in (run.jobs, run.rows))) for run in runs]


def test_roots_patterns_and_tables_in_any_mix(here):
    write_root(here / "out1", "a", "b")
    write_root(here / "out2")
    write_table(here / "t.csv", "c")
    (here / "out3.log").touch()
    assert found("out1") == [("out1", 2, 0)]
    assert found("out*") == [("out1", 2, 0), ("out2", 1, 0)]
    assert found(["t.csv", here / "out2"]) == [("t.csv", 0, 1), ("out2", 1, 0)]
    assert found(["*.csv", "out?"]) == [("t.csv", 0, 1), ("out1", 2, 0), ("out2", 1, 0)]


def test_a_place_counts_once_whatever_ways_lead_to_it(here):
    write_root(here / "out")
    write_table(here / "t.csv", "c")
    (here / "link").symlink_to("out")
    (here / "u.csv").symlink_to("t.csv")
    given = ["out", "./out/", "link", here / "out", "o*", "t.csv", "u.csv", str(here / "t.csv")]
    assert found(given) == [("out", 1, 0), ("t.csv", 0, 1)]


def test_tables_need_no_pipeline_and_take_one(here):
    write_table(here / "t.csv", "c")
    (run,) = find_runs("t.csv")
    assert dict(run.pipeline.nodes) == {} and run.nodes == {"fit"}
    (run,) = find_runs("t.csv", pipeline=SPEC)
    assert list(run.pipeline.nodes) == ["fit"]


def test_the_default_loader_is_the_declared_file_and_a_hook_stays_a_hook(here):
    class Own(ProcessNode):
        def load_result(self, node_dpath):
            return {}

    write_root(here / "out")
    (run,) = find_runs("out")
    assert run.jobs["fit"][0].load == ResultFile("fit", "out.json", "info", ("result.metrics", "metrics"))
    node = Own(name="fit", executable="fit", out_paths={"dst": "out.json"})
    (run,) = find_runs("out", pipeline=Pipeline([node]))
    assert run.jobs["fit"][0].load(Path("x")) == {}
    node = ProcessNode(name="fit", executable="fit", out_paths={"dst": "x"}, load_result="json.loads")
    (run,) = find_runs("out", pipeline=Pipeline([node]))
    assert run.jobs["fit"][0].load == node.load_result


REFUSED = {
    "nothing given": ([], "target: no target is given"),
    "nothing there": ("otu", "otu: no such folder or table; did you mean 'out'?"),
    "no such table": ("t.cvs", "t.cvs: no such folder or table; did you mean 't.csv'?"),
    "an unknown kind": ("notes.txt", "this is a file, not the root folder of a run; nor is it a table, which "
                        "would end in .csv, .parquet, .xlsx"),
    "a pattern of such": ("*.txt", "*.txt: this is a file, not the root folder of a run"),
    "an empty folder": ("empty", "/empty: no jobs below it"),
    "a folder of tables": ("tables", "/tables: no jobs below it; for the tables in it, say tables/*.csv"),
    "an empty table": ("empty.csv", "/empty.csv: no jobs below it"),
    "a pipe": ("pipe.csv", "pipe.csv: this is a file, not the root folder of a run"),
    "a foreign table": ("foreign.csv", "this is no exported table: no column 'region_id'; known: x"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_no_target_is_refused_in_one_line(here, case):
    write_root(here / "out")
    write_table(here / "t.csv", "c")
    write_table(here / "empty.csv")
    (here / "notes.txt").touch()
    (here / "foreign.csv").write_text("x\n1\n")
    (here / "empty").mkdir()
    (here / "tables").mkdir()
    (here / "tables" / "fit.csv").touch()
    os.mkfifo(here / "pipe.csv")
    target, message = REFUSED[case]
    with pytest.raises(ResultError) as caught:
        find_runs(target)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_pipeline_that_does_not_have_the_nodes_of_a_target_is_refused(here):
    write_root(here / "out")
    write_table(here / "t.csv", "c")
    other = {"nodes": {"score": {"executable": "score"}}}
    for target in ("out", "t.csv"):
        with pytest.raises(
            ResultError, match="its jobs are of fit, which the pipeline does not have; the pipeline has"
        ):
            find_runs(target, pipeline=other)


def test_parameters_that_the_pipeline_no_longer_has_are_refused(tmp_path):
    runs = find_runs(write_root(tmp_path / "out"))
    columns = ["params.fit.lr", "params.fit.src", "metrics.fit.acc"]
    check_parameters(runs, columns)
    with pytest.raises(ResultError, match="the parameter 'fit.rl', which .* did you mean 'fit.lr'?"):
        check_parameters(runs, [*columns, "params.fit.rl"])
    with pytest.raises(ResultError, match="the parameter 'prep.size'"):
        check_parameters(runs, ["params.prep.size"])
    check_parameters([*runs, *find_runs(write_table(tmp_path / "fit.csv", "b"))], ["params.fit.rl"])
    free = {"nodes": {"fit": FIT | {"extra_params": True}}}
    check_parameters(find_runs(tmp_path / "out", free), ["params.fit.rl"])
