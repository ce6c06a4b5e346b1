"""Whether the best value of one parameter depends on another."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from kwdag.effects import effects
from kwdag.interactions import interaction, strongest_two
from tests.null_grids import full_grid, null_grid
from tests.result_tables import ACC


def test_an_interaction_is_found_and_the_best_value_of_each_row_told():
    grid = full_grid(lambda lr, wd: 1.0 * (lr == wd) + lr, noise=0.2, n_regions=6, lr=[1, 2, 3], wd=[1, 2, 3])
    found = interaction(grid, ACC, "params.fit.lr", "params.fit.wd")
    assert found.found and found.blocks == 6
    assert found.best == (1, 2, 3)
    expected = grid.pivot_table(index="params.fit.lr", columns="params.fit.wd", values=ACC.column)
    assert np.array(found.means) == pytest.approx(expected.to_numpy(float))


def test_two_effects_that_add_up_are_no_interaction():
    grid = full_grid(lambda lr, wd: 5 * lr + 3 * wd, noise=0.2, n_regions=6, lr=[1, 2, 3], wd=[1, 2])
    assert set(strongest_two(effects(grid, ACC))) == {"params.fit.lr", "params.fit.wd"}
    found = interaction(grid, ACC, "params.fit.lr", "params.fit.wd")
    assert found.p > 0.05 and found.best == (2, 2, 2)


def test_interactions_that_are_not_there_are_seldom_found():
    """Both parameters act, differently in each region; the noise has heavy tails or ties."""
    alarms = tested = 0
    for seed in range(0, 240, 2):
        table, random = null_grid(seed), np.random.default_rng(seed)
        one, two = (table[f"params.fit.p{i}"].to_numpy() for i in (0, 1))
        strength = random.normal(size=20)[table["region_id"].str[1:].astype(int)]
        table[ACC.column] += 5 * one + 3 * two * strength
        found = interaction(table, ACC, "params.fit.p0", "params.fit.p1")
        tested += found.p is not None
        alarms += found.found
    assert tested > 80
    # the test is exact: its rate is the nominal one, and around that a count scatters
    assert stats.binomtest(alarms, tested, 0.05, alternative="greater").pvalue > 0.05


def test_an_interaction_needs_blocks_that_have_every_pair():
    grid = full_grid(lambda lr, wd: lr * wd, n_regions=3, lr=[1, 2], wd=[1, 2])
    assert interaction(grid, ACC, "params.fit.lr", "params.fit.wd").smallest_p == 0.25
    found = interaction(grid[1:4], ACC, "params.fit.lr", "params.fit.wd")
    assert (found.p, found.blocks, found.smallest_p) == (None, 0, 1.0)
    assert math.isnan(found.means[0][0]) and found.best == (2, 2)


def test_the_eight_most_frequent_values_are_looked_at():
    table = full_grid(lambda lr, wd: lr, lr=range(12), wd=[[1], "x", None])
    table = table[(table["params.fit.lr"] > 3) | (table["region_id"] == "r0")]
    found = interaction(table, ACC, "params.fit.lr", "params.fit.wd")
    assert found.rows == tuple(range(4, 12)) and len(found.columns) == 3
    assert found.blocks == 3
