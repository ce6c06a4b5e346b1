"""The report says what biases the ranking of survivors, and ranks what can be compared."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest

from kwdag.metrics import Metrics
from kwdag.report.support_text import bias_lines
from kwdag.roles import Roles
from tests.result_tables import ACC


@pytest.fixture
def grid():
    rows = list(itertools.product(["r1", "r2", "r3"], [0.1, 0.01], [0, 1, 2, 3], ["a", "b"]))
    table = pd.DataFrame(rows, columns=["region_id", "params.fit.lr", "params.fit.wd", "params.fit.net"])
    hashid = table.drop(columns="region_id").astype(str).agg("-".join, axis=1)
    return table.assign(param_hashid=hashid, **{ACC.column: np.arange(len(table)) / 48})


def report(grid, lost, metrics=None, width=80):
    absent = grid[lost].drop(columns=ACC.column).assign(state="failed")
    return list(bias_lines(grid[~lost], absent, metrics or Metrics((ACC,), ()), Roles(), None, width))


def test_a_guilty_value_is_named_and_its_parameter_ranked_on_common_support(grid):
    lost = (grid["params.fit.lr"] == 0.1) & (grid["params.fit.wd"] > 0)
    lines = report(grid, lost)
    text = " ".join(" ".join(lines).split())
    assert text.startswith(
        "Failures depend on fit.lr: 18 of 24 jobs with fit.lr=0.1 have no result, 0 of 24 others "
        "(p < 0.001 after Holm over 4 parameters); ranking the survivors is biased"
    )
    assert "where, all else equal, every value of fit.lr has a result (12 of 30 rows):" in text
    support = grid[grid["params.fit.wd"] == 0]
    means = support.groupby("params.fit.lr")[ACC.column].mean()
    ranked = [line.split()[:3] for line in lines if line.split()[0] in ("0.1", "0.01")]
    assert ranked == [[str(lr), "6", f"{means[lr]:.6f}"] for lr in means.sort_values().index]
    assert max(map(len, lines)) <= 80


def test_a_value_without_any_result_is_named(grid):
    text = " ".join(" ".join(report(grid, grid["params.fit.lr"] == 0.1)).split())
    assert "no job with fit.lr=0.1 has a result: nothing can be said of it" in text
    assert "no common support" not in text


def test_where_nothing_is_common_that_is_said(grid):
    odd = (grid["params.fit.net"] == "a") & (grid["params.fit.wd"] == 0)
    lost = odd == (grid["params.fit.lr"] == 0.01)
    text = " ".join(" ".join(report(grid, lost)).split())
    assert "no common support: nowhere, all else equal" in text


def test_a_guilty_region_leads_to_those_that_all_have(grid):
    lost = (grid["region_id"] == "r2") & (grid["params.fit.wd"] > 0)
    lines = report(grid, lost)
    text = " ".join(" ".join(lines).split())
    assert text.startswith("Failures depend on region_id: 12 of 16 jobs with region_id=r2 have no result")
    assert (
        "mean acc over the regions in which all configurations have results (r1, r3), the best last:" in text
    )
    means = grid[grid["region_id"] != "r2"].groupby("param_hashid")[ACC.column].mean()
    assert lines[-1].split() == [means.idxmax(), f"{means.max():.6f}"]
    lost[[0, 33]] = True  # one configuration in r1, another in r3
    assert "no common support: there is no region" in " ".join(" ".join(report(grid, lost)).split())


def test_failures_by_chance_are_not_mentioned(grid):
    assert report(grid, grid.index % 9 == 4) == []
    assert list(bias_lines(grid, None, Metrics((ACC,), ()), Roles())) == []


def test_without_a_metric_the_bias_is_still_told(grid):
    lines = report(grid, grid["params.fit.lr"] == 0.1, Metrics())
    assert lines[0].startswith("Failures depend on fit.lr") and "all else equal" not in " ".join(lines)
