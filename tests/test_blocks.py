"""Rows of one block agree in all but what is compared."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from kwdag.blocks import REGION, cells, comparisons, grid
from kwdag.roles import Roles
from tests.null_grids import null_grid
from tests.result_tables import ACC, table


@pytest.mark.parametrize("seed", range(8))
def test_blocks_are_the_groups_of_all_other_columns(seed):
    rows = null_grid(seed)
    found = grid(rows, Roles())
    for column in found.columns:
        others = [name for name in (REGION, *found.columns) if name != column]
        expected = rows.groupby(others, sort=False).ngroup()
        assert pd.crosstab(found.blocks(column), expected).gt(0).sum().eq(1).all()
        assert len(np.unique(found.blocks(column))) == expected.nunique()


def test_a_column_that_another_decides_is_compared_across_it():
    rows = table(region_id=["r"] * 6, a=[1, 1, 2, 2, 3, 3], b=["x", "x", "x", "x", "y", "y"], c=[0, 1] * 3)
    found = grid(rows, Roles())
    assert found.inside["params.fit.b"] == {"params.fit.a"} and found.inside["params.fit.a"] == frozenset()
    assert found.blocks("params.fit.b").tolist() == [0, 1] * 3
    assert len(np.unique(found.blocks("params.fit.a"))) == 4


def test_columns_of_the_same_pattern_go_together():
    rows = table(region_id=["r"] * 4, a=[1, 1, 2, 2], b=["x", "x", "y", "y"], c=[0, 1] * 2, d=[5] * 4)
    found = grid(rows, Roles())
    assert found.columns == ["params.fit.a", "params.fit.b", "params.fit.c"]
    assert found.together("params.fit.a") == ("params.fit.b",) and found.together("params.fit.c") == ()


def test_a_region_may_decide_a_column():
    rows = table(region_id=["r1", "r1", "r2", "r3"], a=[1, 1, 1, 2], b=[1, 2, 1, 1])
    assert REGION in grid(rows, Roles()).inside["params.fit.a"]
    assert grid(rows, Roles()).inside["params.fit.b"] == frozenset()


def test_values_are_told_apart_as_the_program_receives_them():
    values = [1, 1.0, True, "1", None, math.nan, [1], {"a": 1}]
    rows = table(region_id=["r"] * 8, a=pd.Series(values, dtype=object), b=range(8))
    # 1 and '1' are one value
    assert grid(rows, Roles()).codes["params.fit.a"].tolist() == [0, 1, 2, 0, 3, 4, 5, 6]
    assert grid(rows[:1], Roles()).columns == [] == grid(rows[:0], Roles()).columns


def test_cells_are_means_of_rows_with_a_score():
    block, code = np.array([0, 0, 0, 1, 2, 2]), np.array([1, 1, 0, 1, 0, 1])
    score = np.array([1.0, 3.0, math.nan, 5.0, math.inf, 6.0])
    assert [one.tolist() for one in cells(block, code, score)] == [
        [0, 1, 2, 2],
        [1, 1, 0, 1],
        [2, 5, math.inf, 6],
    ]
    assert [one.tolist() for one in comparisons(block, code, score)] == [[2, 2], [0, 1], [math.inf, 6]]
    rows = null_grid(3)
    found = grid(rows, Roles())
    of, at, mean = cells(found.codes[REGION], found.codes["params.fit.p0"], rows[ACC.column].to_numpy())
    expected = rows.groupby([found.codes[REGION], found.codes["params.fit.p0"]])[ACC.column].mean()
    assert expected.index.tolist() == list(zip(of, at, strict=True))
    assert expected.tolist() == pytest.approx(mean.tolist())
