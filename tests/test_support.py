"""Failures that go with a parameter are found, and what survives everywhere is compared."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from kwdag import support
from kwdag.roles import Roles
from tests.result_tables import ACC, table


def jobs(n_regions=5, **values):
    rows = list(itertools.product([f"r{i}" for i in range(n_regions)], *values.values()))
    grid = pd.DataFrame(rows, columns=["region_id", *(f"params.fit.{name}" for name in values)])
    hashid = grid.drop(columns="region_id").astype(str).agg("-".join, axis=1)
    return grid.assign(param_hashid=hashid, **{ACC.column: np.arange(len(grid), dtype=float)})


def split(grid, lost, state="failed"):
    """(table, absent)"""
    return grid[~lost].reset_index(drop=True), grid[lost].drop(columns=ACC.column).assign(state=state)


def test_the_guilty_value_is_named_with_its_counts():
    grid = jobs(lr=[0.1, 0.01], wd=[0, 1, 2, 4])
    lost = (grid["params.fit.lr"] == 0.1) & (np.arange(len(grid)) % 7 != 0)
    found = support.failure_links(*split(grid, lost))
    worst = found[0]
    assert (worst.column, worst.value) == ("params.fit.lr", 0.1)
    assert (worst.failed, worst.jobs, worst.others_failed, worst.others) == (lost.sum(), 20, 0, 20)
    assert worst.p == pytest.approx(stats.fisher_exact([[lost.sum(), 20 - lost.sum()], [0, 20]]).pvalue)
    assert worst.p_adjusted == pytest.approx(3 * worst.p) and worst.family == 3
    assert [link.column for link in found if link.found] == ["params.fit.lr"]


def test_a_region_may_be_guilty():
    grid = jobs(n_regions=4, lr=[1, 2, 3], wd=[0, 1])
    found = support.failure_links(*split(grid, grid["region_id"] == "r2", "blocked"))[0]
    assert (found.column, found.value, found.failed, found.found) == ("region_id", "r2", 6, True)


def test_only_failed_and_blocked_jobs_are_failures():
    grid = jobs(lr=[1, 2], wd=[0, 1])
    rows, absent = split(grid, grid["params.fit.lr"] == 1, "pending")
    assert support.failure_links(rows, absent) == []
    assert support.failure_links(rows, None) == [] == support.failure_links(rows[:0], absent)


def test_a_table_of_many_values_agrees_with_the_chi_square():
    grid = jobs(n_regions=40, lr=[1, 2, 3, 4], wd=[0, 1])
    random = np.random.default_rng(3)
    lost = random.random(len(grid)) < 0.1 * grid["params.fit.lr"] ** 0.4
    link = next(one for one in support.failure_links(*split(grid, lost)) if one.column == "params.fit.lr")
    counts = pd.crosstab(grid["params.fit.lr"], lost)
    assert link.p == pytest.approx(stats.chi2_contingency(counts).pvalue, abs=0.04)


def test_failures_by_chance_are_seldom_blamed():
    alarms = 0
    for seed in range(60):
        grid = jobs(n_regions=4, lr=[1, 2, 3], wd=[0, 1], net=["a", "b"])
        lost = pd.Series(np.random.default_rng(seed).random(len(grid)) < 0.2)
        alarms += any(link.found for link in support.failure_links(*split(grid, lost)))
    assert alarms <= 3


def test_parameters_that_vary_together_are_blamed_together():
    grid = jobs(lr=[1, 2], wd=[0, 1, 2])
    grid["params.fit.name"] = "run-" + grid["params.fit.lr"].astype(str)
    found = support.failure_links(*split(grid, grid["params.fit.lr"] == 1))
    assert found[0].together == ("params.fit.name",)
    assert [link.column for link in found].count("params.fit.name") == 0


def test_jobs_that_tell_no_parameters_do_no_harm():
    grid = jobs(lr=[1, 2], wd=[0, 1])
    rows, absent = split(grid, grid["params.fit.lr"] == 1)
    found = support.failure_links(rows, absent[["region_id", "param_hashid", "state"]])
    assert all(link.column != "params.fit.lr" or link.value is None for link in found)


# -- common support ------------------------------------------------------------------------------------


def test_common_support_keeps_blocks_with_all_values():
    grid = jobs(n_regions=2, lr=[1, 2, 3], wd=[0, 1])
    gone = (grid["params.fit.lr"] == 3) & (grid["params.fit.wd"] == 0)
    rows = grid[~gone & ~((grid["region_id"] == "r0") & (grid["params.fit.lr"] == 1))]
    common = support.common_support(rows, "params.fit.lr")
    assert common[["region_id", "params.fit.wd"]].drop_duplicates().to_numpy().tolist() == [["r1", 1]]
    assert sorted(common["params.fit.lr"]) == [1, 2, 3]


def test_common_support_agrees_with_a_pivot_table():
    random = np.random.default_rng(0)
    for _ in range(20):
        grid = jobs(n_regions=3, lr=[1, 2], wd=[0, 1, 2])
        rows = grid[random.random(len(grid)) < 0.7]
        counts = rows.pivot_table(
            index=["region_id", "params.fit.wd"], columns="params.fit.lr", values=ACC.column, aggfunc="size"
        )
        assert len(support.common_support(rows, "params.fit.lr")) == 2 * len(counts.dropna())


def test_survivors_rank_a_value_best_that_is_not():
    """lr=1 fails on all the hard data: its mean is the best, and on common support it is the worst."""
    rows = table(
        region_id=["easy", "easy", "hard", "hard"], param_hashid=["a", "b", "b", "c"], lr=[1, 2, 2, 3],
        acc=[0.8, 0.9, 0.1, 0.2],
    )  # fmt: skip
    assert support.ranked_values(rows, "params.fit.lr", ACC) == ([], 0)
    rows = rows[rows["params.fit.lr"] < 3]
    ranked, n = support.ranked_values(rows, "params.fit.lr", ACC)
    assert [value for value, *_ in ranked] == [1, 2] and n == 2
    assert rows.groupby("params.fit.lr")[ACC.column].mean().idxmax() == 1


def test_a_row_without_the_metric_supports_nothing():
    rows = table(region_id=["r"] * 2, param_hashid=["a", "b"], lr=[1, 2], acc=[0.8, float("nan")])
    assert [value for value, *_ in support.ranked_values(rows, "params.fit.lr", ACC)[0]] == [1]


def test_values_that_never_had_a_result_are_named():
    grid = jobs(lr=[1, 2, [3]])
    rows, absent = split(grid, grid["params.fit.lr"].map(str) == "[3]")
    assert support.without_result(rows, absent, "params.fit.lr") == [[3]]
    assert support.without_result(rows, absent, "params.fit.other") == []


def test_regions_that_all_have_are_common():
    rows = table(region_id=["r1", "r2", "r1", "r3"], param_hashid=["a", "a", "b", "b"], acc=[1, 2, 3, 4])
    assert support.common_regions(rows) == ["r1"]
    assert support.common_regions(rows[1:3]) == []


def test_regions_are_supported_by_configurations_that_are_in_all():
    grid = jobs(n_regions=2, lr=[1, 2], wd=[0, 1])
    common = support.common_support(grid[1:], "region_id", Roles())
    assert sorted(common["param_hashid"].unique()) == sorted(set(grid["param_hashid"][1:4]))
