"""Rows become columns that keep every value and its type."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kwdag.columns import OWN_COLUMNS, Columns


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
    assert list(Columns().table()) == list(OWN_COLUMNS)


def test_numbers_of_a_run_are_floats_and_its_texts_may_be_missing():
    table = columns({"job.wall": 2, "job.host": "a"}, {"job.wall": None, "job.host": None}, {})
    assert table["job.wall"].dtype == "float64"
    assert table["job.wall"].isna().tolist() == [False, True, True]
    assert table["job.host"].tolist() == ["a", None, None]


def test_columns_that_must_be_there_are_there_without_rows():
    assert list(Columns(always=("node", "job.wall")).table()) == ["node", "job.wall"]


def test_half_a_surrogate_pair_is_a_text_like_others():
    values = json.loads('["\\ud800", "a"]')
    assert columns(*({"params.a.x": value} for value in values))["params.a.x"].tolist() == values


VALUES = st.none() | st.booleans() | st.integers(-5, 5) | st.sampled_from([1.0, 0.0, "1", ""])


@given(st.lists(st.dictionaries(st.sampled_from("abcd"), VALUES), max_size=8))
def test_rows_of_any_names_in_any_order_come_back(rows):
    table = columns(*({f"params.n.{key}": value for key, value in row.items()} for row in rows))
    assert len(table) == len(rows)
    for name in "abcd":
        wanted = [row.get(name) for row in rows]
        if any(name in row for row in rows):
            found = table[f"params.n.{name}"].tolist()
            assert [(type(value), value) for value in found] == [(type(value), value) for value in wanted]
