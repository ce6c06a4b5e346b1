from __future__ import annotations

import contextlib
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kwdag.errors import ResultError
from kwdag.filters import Filters, filtered, moment
from tests.result_tables import ACC, table

DONE = table(
    region_id=["a", "b", "b"], param_hashid=["x", "x", "y"], job_id=["1", "2", "3"], lr=[1, 1, 2],
    acc=[0.1, 0.2, 0.3],
).assign(**{"job.stop": [100.0, 200.0, None]})  # fmt: skip
ABSENT = table(
    region_id=["a", "c"], param_hashid=["y", "y"], job_id=["4", "5"], lr=[2, 3], state=["failed", "pending"]
).rename(columns={"params.fit.state": "state"})


def kept(**asked):
    rows, absent = filtered({"fit": DONE}, {"fit": ABSENT}, Filters(**asked))
    return [*rows["fit"]["job_id"]], [*absent["fit"]["job_id"]]


def test_without_filters_all_done_jobs_are_rows():
    assert kept() == (["1", "2", "3"], ["4", "5"])


def test_a_region_may_have_no_row_yet():
    assert kept(rois=["b"]) == (["2", "3"], [])
    assert kept(rois=["c"]) == ([], ["5"])
    with pytest.raises(ResultError, match="no region 'd'"):
        kept(rois=["d"])


def test_a_condition_on_parameters_also_drops_absent_jobs():
    assert kept(query="lr == 2") == (["3"], ["4"])


def test_a_condition_on_metrics_drops_no_absent_job():
    assert kept(query="acc > 0.15") == (["2", "3"], ["4", "5"])
    assert kept(query="acc > 0.15 and lr == 1") == (["2"], ["4", "5"])


def test_rows_by_state():
    assert kept(states=["failed"])[0] == ["4"]
    assert kept(states=["done", "pending"])[0] == ["1", "2", "3", "5"]
    rows, _ = filtered({"fit": DONE}, {"fit": ABSENT}, Filters(states=["done", "failed"]))
    assert rows["fit"]["state"].tolist() == ["done"] * 3 + ["failed"]
    assert rows["fit"][ACC.column].isna().tolist() == [False, False, False, True]
    with pytest.raises(ResultError, match="no state 'faild'; did you mean 'failed'"):
        kept(states=["faild"])


def test_rows_by_date():
    assert kept(since=150.0)[0] == ["2"]
    assert kept(until=150.0)[0] == ["1"]
    assert kept(since=100.0, until=200.0)[0] == ["1", "2"]


def test_dates():
    assert moment("since", None) is None
    assert moment("since", "1970-01-01T00:01:00+00:00") == 60
    assert moment("since", "2026-11-21") == time.mktime((2026, 11, 21, 0, 0, 0, 0, 0, -1))
    assert moment("since", "90m", now=6000.0) == 600
    for text in ("yesterday", "", "2026-13-01", "2w"):
        with pytest.raises(ResultError, match="is no date"):
            moment("since", text)


@given(st.text(max_size=12))
def test_any_other_text_is_refused(text):
    with contextlib.suppress(ResultError):
        assert isinstance(moment("since", text), float)
