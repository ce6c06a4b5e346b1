"""From roots to ranked tables, with every question about something that is not there answered in one line."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kwdag.aggregation import aggregate, load_results
from kwdag.errors import KwdagError, ResultError

SPEC = {
    "nodes": {
        "prep": {
            "executable": "prep", "in_paths": ["src"], "out_paths": {"dst": "prep.json"},
            "algo_params": {"size": 1}, "tags": {"src": "dataset"},
        },
        "fit": {
            "executable": "fit", "in_paths": ["data"], "out_paths": {"dst": "fit.json"},
            "algo_params": {"lr": 1}, "perf_params": {"workers": 0},
            "metrics": [
                {"metric": "acc", "primary": True},
                {"metric": "loss", "objective": "minimize"},
            ],
        },
        "plot": {"executable": "plot", "in_paths": ["data"], "out_paths": {"dst": "plot.json"}},
    },
    "edges": ["prep.dst -> fit.data", "fit.dst -> plot.data"],
}  # fmt: skip


def write_job(root: Path, node: str, name: str, config: dict, result, state: str = "done") -> Path:
    dpath = root / node / f"{node}_id_{name}"
    dpath.mkdir(parents=True)
    status = {"schema": 1, "state": state, "exit_code": 0 if state == "done" else 1, "end": True}
    (dpath / "job_config.json").write_text(json.dumps(config))
    (dpath / "job_status.json").write_text(json.dumps(status))
    (dpath / f"{node}.json").write_text(result if isinstance(result, str) else json.dumps(result))
    return dpath


def write_root(root: Path, spec: dict = SPEC) -> Path:
    """Two data sets, three learning rates, one job failed; `plot` has not run."""
    for region in ("r1", "r2"):
        src = {"prep.src": f"{root.parent}/{region}.txt", "prep.size": 1}
        write_job(root, "prep", region, src, {"rows": 5})
        for lr in (1, 2, 3):
            result = {"metrics": {"acc": lr / 4, "loss": 10 * lr}}
            state = "failed" if (region, lr) == ("r2", 3) else "done"
            write_job(root, "fit", f"{region}{lr}", src | {"fit.lr": lr, "fit.workers": 4}, result, state)
    (root / "_kwdag").mkdir()
    record = {"schema": 1, "pipeline": spec, "workdir": str(root.parent)}
    (root / "_kwdag" / "pipeline.json").write_text(json.dumps(record))
    return root


@pytest.fixture
def root(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return write_root(tmp_path / "out put")


def test_done_jobs_are_ranked_best_last_and_nothing_is_printed(root, capsys):
    found = aggregate(root)
    assert list(found.tables) == ["fit"]
    table = found.tables["fit"]
    assert table["metrics.fit.acc"].tolist() == [0.25, 0.25, 0.5, 0.5, 0.75]
    assert table["region_id"].iloc[-1] == "r1"
    assert table["param_hashid"].nunique() == 3
    assert found.states == {"fit": {"done": 5, "failed": 1}}
    assert found.skipped == []
    assert capsys.readouterr() == ("", "")


def test_the_report_has_all_its_parts(root):
    report = aggregate(root).report
    assert "'params.prep.src': {\n        'r1.txt': 3,\n        'r2.txt': 2,\n" in report
    assert "Constant Params: {\n    'params.prep.size': 1,\n    'params.fit.workers': 4,\n}" in report
    assert "Top 3 / 3 for fit, r1" in report and "Top 2 / 2 for fit, r2" in report
    assert report.splitlines()[-1] == "Not ranked: 1 failed"


def test_the_report_is_only_made_when_asked_for(root):
    assert aggregate(root, stdout_report=False).report == ""
    assert "Top 1 / 3 for fit, r1" in aggregate(root, stdout_report={"top_k": 1}).report


def test_the_same_root_counts_once_whatever_ways_lead_to_it(root):
    link = root.parent / "link"
    link.symlink_to(root)
    found = aggregate([root, str(root) + "/", link, os.path.relpath(root), "out*"])
    assert len(found.tables["fit"]) == 5


def test_several_roots_are_joined(root, tmp_path):
    other = write_root(tmp_path / "other")
    found = aggregate([root, other])
    assert len(found.tables["fit"]) == 10
    assert found.tables["fit"]["param_hashid"].nunique() == 3


def test_a_pattern_names_several_roots(root, tmp_path):
    write_root(tmp_path / "out2")
    assert len(aggregate(str(tmp_path / "out*")).tables["fit"]) == 10


def test_broken_results_are_skipped_with_path_and_reason(root):
    bad = write_job(root, "fit", "bad", {"fit.lr": 9}, '{"metrics": {"acc"')
    empty = write_job(root, "fit", "empty", {"fit.lr": 9}, {})
    found = aggregate(root)
    assert len(found.tables["fit"]) == 5
    assert {path: reason.split(":")[0] for path, reason in found.skipped} == {
        str(bad): "its result is not JSON",
        str(empty): "its result holds no metrics",
    }
    assert found.report.splitlines()[-1] == "Not ranked: 1 failed, 2 skipped"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=60, deadline=None)
@given(
    metrics=st.lists(st.fixed_dictionaries({}, optional={"acc": JSON, "loss": JSON, "x": JSON}), min_size=1)
)
def test_whatever_a_result_holds_it_is_ranked_or_named(tmp_path_factory, metrics):
    root = tmp_path_factory.mktemp("root")
    for i, found in enumerate(metrics):
        write_job(root, "fit", f"{i:03}", {"fit.lr": i}, {"metrics": found})
    write_job(root, "fit", "good", {"fit.lr": "good"}, {"metrics": {"acc": 1, "loss": 0.5}})
    options = {"macro_analysis": 1, "analyze": 1, "show_csv": 1, "concise": 0, "reference_region": "final"}
    found = aggregate(
        root, pipeline=SPEC, stdout_report=options, export_tables=True, output_dpath=root / "csv"
    )
    assert len(found.tables["fit"]) + len(found.skipped) == len(metrics) + 1
    assert "fit_id_good" in set(found.tables["fit"]["job_id"])
    found.report.encode()


def test_rows_of_all_regions_are_grouped_where_the_first_node_reads_the_data(root):
    report = aggregate(root, stdout_report={"macro_analysis": 1}).report
    macro = report.split("Top 2 / 2 for fit, macro_2 (r1, r2)\n")[1].splitlines()
    # the third learning rate failed on r2; its mean cannot count
    assert [line.split()[2] for line in macro[1:3]] == ["0.250000", "0.500000"]
    assert macro[-2].startswith("Left out, for want of r2: ")


def test_a_minimised_metric_is_judged_as_minimised_over_regions(root):
    asked = [{"metric": "loss", "objective": "minimize"}]
    report = aggregate(
        root, primary_metric_cols=asked, stdout_report={"macro_analysis": 1, "analyze": 1}
    ).report
    best = report.split("for fit, macro_2 (r1, r2)\n")[1].splitlines()[2]
    assert best.split()[2] == "10.000000"  # of 10 and 20; the least is the last
    assert "Effects on loss (less is better)" in report


def test_a_root_whose_jobs_all_failed_has_an_empty_table(tmp_path):
    root = tmp_path / "out"
    write_job(root, "fit", "a", {}, {}, "failed")
    found = aggregate(root, pipeline=SPEC, primary_metric_cols="acc")
    assert found.tables["fit"].empty
    assert found.report == "No results of fit\nNot ranked: 1 failed\n"


def test_a_node_of_no_declared_metrics_is_ranked_when_it_reports_some(root):
    write_job(root, "plot", "a", {"fit.lr": 1}, {"metrics": {"ink": 3}})
    assert list(aggregate(root).tables) == ["fit", "plot"]
    assert list(aggregate(root, eval_nodes="plot").tables) == ["plot"]


def test_a_node_without_metrics_can_be_asked_for(root):
    table = aggregate(root, eval_nodes=["prep"]).tables["prep"]
    assert table["params.prep.size"].tolist() == [1, 1]


def test_load_results_gives_tables_in_order_of_job_ids(root):
    table = load_results(root)["fit"]
    assert isinstance(table, pd.DataFrame)
    assert table["job_id"].tolist() == sorted(table["job_id"])
    assert list(table) == [
        "region_id", "param_hashid", "node", "job_id", "dpath",
        "params.prep.src", "params.prep.size", "params.fit.lr", "params.fit.workers",
        "metrics.fit.acc", "metrics.fit.loss",
        "job.start", "job.stop", "job.wall", "job.cpu", "job.max_rss", "job.host", "job.backend",
    ]  # fmt: skip


def test_the_pipeline_can_be_given_instead_of_recorded(root):
    (root / "_kwdag" / "pipeline.json").unlink()
    assert len(aggregate(root, pipeline=SPEC).tables["fit"]) == 5


def test_a_recorded_file_is_found_from_another_folder(root, tmp_path, monkeypatch):
    (tmp_path / "pipe.yaml").write_text(json.dumps(SPEC))
    record = {"pipeline": "pipe.yaml", "workdir": str(tmp_path)}
    (root / "_kwdag" / "pipeline.json").write_text(json.dumps(record))
    monkeypatch.chdir("/")
    assert len(aggregate(root).tables["fit"]) == 5


def test_metrics_can_be_chosen(root):
    found = aggregate(root, primary_metric_cols="loss", display_metric_cols=["loss"])
    assert found.tables["fit"]["metrics.fit.loss"].tolist() == [30, 20, 20, 10, 10]
    assert "acc" not in found.report
    worst = aggregate(root, primary_metric_cols=[{"metric": "acc", "objective": "minimize"}])
    assert worst.tables["fit"]["metrics.fit.acc"].iloc[-1] == 0.25


def test_rows_can_be_chosen_by_region_and_by_query(root):
    assert set(aggregate(root, rois="r2").tables["fit"]["region_id"]) == {"r2"}
    assert len(aggregate(root, rois=" r1, r2 ").tables["fit"]) == 5
    assert len(aggregate(root, query="acc > 0.3 and prep.src == 'r1.txt'").tables["fit"]) == 2
    assert aggregate(root, query="acc > 9").report.startswith("No results of fit")


def test_a_hashid_is_the_same_whatever_else_is_loaded(root):
    whole = aggregate(root).tables["fit"].set_index("job_id")["param_hashid"]
    part = aggregate(root, rois="r2").tables["fit"].set_index("job_id")["param_hashid"]
    assert part.to_dict().items() <= whole.to_dict().items()


def test_tables_are_exported_as_csv(root, tmp_path):
    found = aggregate(root, export_tables=True, output_dpath=tmp_path / "a" / "b")
    assert found.exported == [tmp_path / "a" / "b" / "fit.csv"]
    assert (
        pd.read_csv(found.exported[0])["param_hashid"].tolist()
        == found.tables["fit"]["param_hashid"].tolist()
    )


REFUSED = {
    "no target": ({"target": []}, "no target is given"),
    "no such folder": ({"target": "out pot"}, "out pot: no such folder or table; did you mean 'out put'?"),
    "no runs": ({"target": "nothing"}, "nothing: no jobs below it"),
    "unknown node": ({"eval_nodes": ["fitt"]}, "eval_nodes: no node 'fitt'; did you mean 'fit'?"),
    "node without jobs": ({"eval_nodes": "plot"}, "node 'plot' has no job here; nodes with jobs: fit, prep"),
    "unknown metric": ({"primary_metric_cols": "accc"}, "no metric 'accc'; did you mean 'acc'?"),
    "unknown column": (
        {"display_metric_cols": ["los"]},
        "display_metric_cols: no metric 'los'; did you mean",
    ),
    "unknown region": ({"rois": "r1,r7"}, "rois: no region 'r7'; known: r1, r2"),
    "bad query": ({"query": "acd > 1"}, "query: no column 'acd'"),
    "unknown option": ({"stdout_report": {"topk": 1}}, "no option 'topk'; did you mean 'top_k'?"),
    "unknown format": ({"export_tables": "xls", "output_dpath": "o"}, "export_tables: cannot export 'xls'"),
    "export to nowhere": ({"export_tables": True}, "export_tables: needs a folder"),
    "export into a file": ({"export_tables": True, "output_dpath": "file/x"}, "cannot write"),
    "other pipeline": (
        {"pipeline": {"nodes": {"a": {"executable": "a"}}}},
        "its jobs are of fit, prep, which the pipeline does not have",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_not_there_is_refused_in_one_line(root, tmp_path, case):
    (tmp_path / "nothing").mkdir()
    (tmp_path / "file").touch()
    options, message = REFUSED[case]
    with pytest.raises(ResultError) as caught:
        aggregate(**{"target": root} | options)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "o").exists()


def test_a_root_without_record_asks_for_the_pipeline(root):
    (root / "_kwdag" / "pipeline.json").unlink()
    with pytest.raises(ResultError, match="no pipeline is recorded here; name it with --pipeline"):
        aggregate(root)
    (root / "_kwdag" / "pipeline.json").write_text("{")
    with pytest.raises(KwdagError, match="damaged"):
        aggregate(root)


def test_where_no_node_reports_metrics_the_nodes_must_be_named(tmp_path):
    write_job(tmp_path / "out", "prep", "a", {}, {"rows": 1})
    with pytest.raises(ResultError, match="no node reports metrics; name nodes with --eval_nodes"):
        aggregate(tmp_path / "out", pipeline=SPEC)
