"""Job directories become rows; damaged ones are named and never stop the rest."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from kwdag import results
from kwdag.results import Columns, Job

GOOD = json.dumps({"metrics": {"acc": 0.5}})


def load(dpath: Path) -> dict:
    data = json.loads((dpath / "out.json").read_text())
    return {f"metrics.fit.{name}": value for name, value in data["metrics"].items()}


@pytest.fixture
def job(tmp_path):
    """Writes one job directory by hand."""

    def write(name="fit_id_a", *, config="{}", state="done", status=None, result=GOOD, loader=load):
        dpath = tmp_path / "fit" / name
        dpath.mkdir(parents=True)
        files = {
            "job_config.json": config,
            "job_status.json": status
            or json.dumps({"schema": 1, "state": state, "exit_code": 0, "end": True}),
            "out.json": result,
        }
        for file, text in files.items():
            if text is not None:
                (dpath / file).write_text(text)
        return Job(name, str(dpath), loader)

    return write


def table_of(*jobs, **options):
    return results.load_node("fit", jobs, **options).columns.table()


def test_a_done_job_is_a_row_of_its_parameters_and_metrics(job):
    table = table_of(
        job(config='{"prep.size": 3, "fit.lr": 0.1}', result='{"metrics": {"acc": 1, "f1": 0.25}}')
    )
    assert list(table) == [
        *results.OWN_COLUMNS, "params.prep.size", "params.fit.lr", "metrics.fit.acc", "metrics.fit.f1",
    ]  # fmt: skip
    assert table.iloc[0].tolist()[3:] == [3, 0.1, 1, 0.25]
    assert table["job_id"].tolist() == ["fit_id_a"]


@pytest.mark.parametrize("state", ["failed", "interrupted", "running"])
def test_only_done_jobs_are_loaded(job, state):
    found = results.load_node("fit", [job("fit_id_a"), job("fit_id_b", state=state)])
    assert found.columns.n_rows == 1
    assert found.states == {"done": 1, state: 1}
    assert found.skipped == []


@pytest.mark.parametrize(("exit_code", "rows"), [(0, 1), (1, 0), (None, 0)])
def test_a_job_finished_by_hand_counts_by_its_exit_code(job, exit_code, rows):
    status = json.dumps({"state": "finished", "exit_code": exit_code, "end": True})
    assert results.load_node("fit", [job(status=status)]).columns.n_rows == rows


def test_a_job_without_status_is_unfinished(job, tmp_path):
    one = job()
    Path(one.dpath, "job_status.json").unlink()
    found = results.load_node("fit", [one])
    assert (found.columns.n_rows, found.states, found.skipped) == (0, {"unfinished": 1}, [])


def raises(error):
    def loader(_dpath):
        raise error

    return loader


BROKEN = {
    "cut status": ({"status": '{"state": "do'}, "job_status.json is damaged"),
    "status is a list": ({"status": "[]"}, "job_status.json is damaged"),
    "cut config": ({"config": '{"a.b": '}, "job_config.json is damaged"),
    "no config": ({"config": None}, "job_config.json is missing"),
    "config is a number": ({"config": "3"}, "job_config.json is damaged"),
    "no result": ({"result": None}, "no file out.json"),
    "empty result": ({"result": ""}, "its result is not JSON"),
    "cut result": ({"result": GOOD[:-3]}, "its result is not JSON"),
    "result nested too deep": ({"result": "[" * 100_000}, "RecursionError"),
    "result without the key": ({"result": "{}"}, "load_result raised KeyError: 'metrics'"),
    "no metrics": ({"result": '{"metrics": {}}'}, "its result holds no metrics"),
    "binary result": (
        {"loader": raises(UnicodeDecodeError("utf-8", b"\xff", 0, 1, "bad"))},
        "its result is not JSON",
    ),
    "loader returns a list": ({"loader": lambda dpath: [1]}, "load_result returned list, not a mapping"),
    "message of several lines": (
        {"loader": raises(ValueError("a\n b"))},
        "load_result raised ValueError: a b",
    ),
    "unreadable": ({"loader": raises(PermissionError(13, "Permission denied", "x"))}, "Permission denied: x"),
}


@pytest.mark.parametrize("case", BROKEN)
@pytest.mark.parametrize("workers", [0, 2])
def test_a_broken_result_is_named_and_the_rest_is_loaded(job, case, workers):
    fields, reason = BROKEN[case]
    jobs = [job("fit_id_a"), job("fit_id_b", **fields), job("fit_id_c")]
    found = results.load_node("fit", jobs, io_workers=workers)
    assert found.columns.lists["job_id"] == ["fit_id_a", "fit_id_c"]
    assert [path for path, _ in found.skipped] == [jobs[1].dpath]
    assert reason in found.skipped[0].reason
    assert "\n" not in found.skipped[0].reason


def test_a_result_cut_at_any_byte_is_named_or_read_right(job):
    text = json.dumps({"metrics": {"acc": 0.25, "n": 12}})
    jobs = [job(f"fit_id_{n:03}", result=text[:n]) for n in range(len(text) + 1)]
    found = results.load_node("fit", jobs)
    assert found.columns.lists["metrics.fit.acc"] == [0.25]
    assert len(found.skipped) == len(text)


def test_rows_come_in_order_of_job_ids_with_and_without_threads(job):
    jobs = [job(f"fit_id_{letter}") for letter in "cab"]
    for workers in (0, 3):
        assert table_of(*jobs, io_workers=workers)["job_id"].tolist() == ["fit_id_a", "fit_id_b", "fit_id_c"]


def test_without_need_of_metrics_a_result_without_any_is_a_row(job):
    assert len(table_of(job(result='{"metrics": {}}'), need_metrics=False)) == 1


def test_own_columns_and_parameters_win_over_what_a_result_says(job):
    lie = job(
        config='{"fit.lr": 1}', loader=lambda dpath: {"job_id": "x", "params.fit.lr": 2, "metrics.fit.a": 3}
    )
    row = table_of(lie).iloc[0]
    assert (row["job_id"], row["params.fit.lr"]) == ("fit_id_a", 1)


def test_reports_metrics_asks_the_first_readable_job(job):
    bad, good = job("fit_id_a", result="{"), job("fit_id_b")
    assert results.reports_metrics("fit", [bad, good])
    assert not results.reports_metrics("fit", [bad])
    assert not results.reports_metrics("fit", [job("fit_id_c", result='{"metrics": {}}'), good])


def columns(*rows):
    made = Columns()
    for row in rows:
        made.append(row)
    return made.table()


def test_a_key_that_a_row_lacks_is_missing_there():
    table = columns({"params.a.x": "u"}, {"metrics.a.m": 2}, {"params.a.x": "v"})
    assert table["params.a.x"].isna().tolist() == [False, True, False]
    assert table["metrics.a.m"].isna().tolist() == [True, False, True]


@pytest.mark.parametrize(
    ("values", "dtype"),
    [
        ([1, 2], "int64"), ([1, None], "Int64"), ([1, 0.5], "float64"), ([0.5, None], "float64"),
        ([True, False], "bool"), (["a", 1], "object"), ([{"a": 1}, None], "object"), ([2**80, 1], "object"),
        ([10**400, 0.5], "object"),
    ],
)  # fmt: skip
def test_metrics_keep_their_numbers(values, dtype):
    assert columns(*({"metrics.a.m": value} for value in values))["metrics.a.m"].dtype == dtype


def test_parameters_keep_their_types():
    values = [1, 1.0, True, "1", None, [1, 2], {"a": 1}]
    read = columns(*({"params.a.x": value} for value in values))["params.a.x"].tolist()
    assert [(type(value), value) for value in read] == [(type(value), value) for value in values]


def test_no_rows_are_a_table_without_rows():
    assert list(Columns().table()) == list(results.OWN_COLUMNS)
