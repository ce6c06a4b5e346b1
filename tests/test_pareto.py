"""The rows that no other row beats."""

from __future__ import annotations

import math
import time

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kwdag.metrics import Metric
from kwdag.pareto import pareto_front
from tests.result_tables import ACC, LOSS, table


def test_objectives_are_respected():
    rows = table(acc=[0.9, 0.5, 0.5, 0.1], loss=[3, 2, 1, 1])
    assert pareto_front(rows, [ACC, LOSS]).tolist() == [True, False, True, False]


def test_equal_rows_are_on_the_front_together():
    rows = table(acc=[0.9, 0.9, 0.1, 0.1], loss=[3, 3, 5, 5])
    assert pareto_front(rows, [ACC, LOSS]).tolist() == [True, True, False, False]


def test_a_row_that_lacks_a_metric_is_never_on_the_front_and_keeps_none_from_it():
    rows = table(acc=pd.Series([math.inf, 0.5, "n/a", 0.5], dtype=object), loss=[math.nan, 2, 1, 2])
    assert pareto_front(rows, [ACC, LOSS]).tolist() == [False, True, False, True]


def test_no_rows_no_metrics_and_no_values_have_no_front():
    rows = table(acc=[1.0, 2.0], loss=[math.nan] * 2)
    assert pareto_front(rows[:0], [ACC, LOSS]).tolist() == []
    assert pareto_front(rows, []).tolist() == [False, False]
    assert pareto_front(rows, [ACC, LOSS]).tolist() == [False, False]


NUMBERS = st.sampled_from([-math.inf, -1.0, 0.0, 0.5, 1.0, 2.0, 3.0, math.inf, math.nan])


@settings(max_examples=200, deadline=None)
@given(st.integers(1, 4).flatmap(lambda n: st.lists(st.tuples(*[NUMBERS] * n), max_size=30)), st.data())
def test_the_front_is_that_of_the_definition(rows, data):
    width = len(rows[0]) if rows else 2
    maximize = data.draw(st.tuples(*[st.booleans()] * width))
    metrics = [Metric(f"m{i}", f"m{i}", up) for i, up in enumerate(maximize)]
    frame = pd.DataFrame(rows, columns=[m.column for m in metrics])
    assert pareto_front(frame, metrics).tolist() == [on_front(row, rows, maximize) for row in rows]


def test_the_front_is_that_of_the_definition_in_a_large_table():
    rows = np.random.default_rng(0).integers(0, 40, (1500, 3)).astype(float)
    frame = pd.DataFrame(rows, columns=list("abc"))
    metrics = [Metric("a", "a"), Metric("b", "b", maximize=False), Metric("c", "c")]
    signed = rows * [1, -1, 1]
    beaten = (signed[None] >= signed[:, None]).all(axis=2) & (signed[None] > signed[:, None]).any(axis=2)
    assert (pareto_front(frame, metrics) == ~beaten.any(axis=1)).all()


def on_front(row, rows, maximize):
    return not any(map(math.isnan, row)) and not any(beats(other, row, maximize) for other in rows)


def beats(one, other, maximize):
    pairs = [(a, b) if up else (b, a) for a, b, up in zip(one, other, maximize, strict=True)]
    return all(a >= b for a, b in pairs) and any(a > b for a, b in pairs)


@pytest.mark.parametrize("n_metrics", [2, 3, 4])
@pytest.mark.parametrize("all_on_front", [False, True])
def test_twenty_thousand_rows_take_less_than_a_second(n_metrics, all_on_front):
    values = np.abs(np.random.default_rng(0).normal(size=(20_000, n_metrics)))
    if all_on_front:
        values /= np.linalg.norm(values, axis=1, keepdims=True)
    frame = pd.DataFrame(values, columns=list("abcd")[:n_metrics])
    start = time.perf_counter()
    found = pareto_front(frame, [Metric(name, name) for name in frame])
    assert time.perf_counter() - start < 1
    assert (found.sum() > 19_000) == all_on_front
