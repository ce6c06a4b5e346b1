"""Conditions on the rows of a table."""

from __future__ import annotations

import pandas as pd
import pytest

from kwdag.errors import ResultError
from kwdag.query import rows_where

ACC = "metrics.fit.acc"
QUERIED = pd.DataFrame(
    {
        "region_id": ["r1", "r1", "r2"],
        ACC: [0.1, 0.5, 0.9],
        "params.fit.lr": [1, None, 3],
        "params.fit.src": ["/w/a.txt", "/w/b.txt", "c"],
        "params.fit.batch-size": [8, 16, 32],
    }
)


@pytest.mark.parametrize(
    ("query", "rows"),
    [
        ("metrics.fit.acc > 0.3", [1, 2]),
        ("acc > 0.3 and region_id == 'r1'", [1]),
        ("(acc > 0.3) & ~(region_id == 'r1')", [2]),
        ("not acc > 0.3 or acc * 2 >= 1.8", [0, 2]),
        ("0.1 < acc <= 0.5", [1]),
        ("region_id in ['r2', 'r3']", [2]),
        ("region_id not in ['r2']", [0, 1]),
        ("`params.fit.batch-size` == 16", [1]),
        ("fit.lr > 1", [2]),
        ("src == 'a.txt'", [0]),
        ("src != '/w/a.txt'", [1, 2]),
        ("-acc < -0.8", [2]),
    ],
)
def test_a_query_keeps_the_rows_it_is_true_of(query, rows):
    assert rows_where(QUERIED, query, "/w")[ACC].tolist() == QUERIED[ACC].iloc[rows].tolist()


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("acd > 1", "no column 'acd'"),
        ("metrics.fit.ac > 1", "did you mean 'metrics.fit.acc'?"),
        ("acc >", "invalid syntax"),
        ("acc", "not a condition"),
        ("acc + 1", "not a condition"),
        ("acc.to_csv('x')", "more than a condition"),
        ("__import__('os').system('x') == 0", "more than a condition"),
        ("acc.__class__ == 1", "no column"),
        ("[x for x in acc]", "more than a condition"),
        ("acc ** 2 > 1", "more than a condition"),
        ("'a' * 99999999999 == src", "more than a condition"),
        ("region_id < 3", "cannot evaluate"),
        ("acc is None", "compares with"),
        ("1 == 1", "not a condition"),
        ("3 in [3]", "cannot evaluate"),
        ("", "invalid syntax"),
        ("(" * 5000, "cannot evaluate"),
    ],
)
def test_a_query_that_is_no_condition_is_refused(query, message):
    with pytest.raises(ResultError) as caught:
        rows_where(QUERIED, query)
    assert message in str(caught.value)


def test_an_ambiguous_name_in_a_query_is_refused():
    rows = pd.DataFrame({"params.a.x": [1], "params.b.x": [2]})
    with pytest.raises(ResultError, match=r"may be any of params\.a\.x, params\.b\.x"):
        rows_where(rows, "x == 1")
