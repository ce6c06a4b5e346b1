"""Observed values at the times of images: lines between near neighbours, nothing across gaps."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.fpe.interpolation import averaged, interpolate

START = pd.Timestamp("2023-06-01T12:00Z")


def times(minutes):
    return pd.Series(pd.to_datetime([START + pd.Timedelta(minutes=float(one)) for one in minutes], utc=True))


def observed(*rows):
    return pd.DataFrame(
        {"timestamp": times([minute for minute, _ in rows]), "value": [one for _, one in rows]}
    )


def at(rows, minute, maxgap=65):
    return interpolate(observed(*rows), times([minute]), maxgap)[0]


@pytest.mark.parametrize(
    ("rows", "minute", "expected"),
    [
        ([(0, 10), (60, 20)], 15, 12.5),
        ([(60, 20), (0, 10)], 15, 12.5),  # in any order
        ([(0, 10), (0, 30), (60, 40)], 30, 30),  # two at one time count as their mean
        ([(0, 10), (60, math.nan), (65, 75)], 60, 70),  # what is no number is no observation
        ([(0, 10), (130, 20)], 65, 15),  # 65 minutes on both sides
        ([(0, 10), (100, 20)], 90, None),  # too far before: the original looks only ahead
        ([(0, 10), (100, 20)], 10, None),  # too far after
        ([(0, 10), (500, 20), (1000, 30)], 500, 20),  # its own observation
        ([(0, 10)], 0, 10),
        ([(0, 10), (60, 20)], 61, None),  # nothing after it
        ([(0, 10), (60, 20)], -1, None),
        ([], 0, None),
    ],
)
def test_the_value_at_one_time(rows, minute, expected):
    found = at(rows, minute)
    assert np.isnan(found) if expected is None else found == pytest.approx(expected)


def test_the_limit_is_an_option():
    assert np.isnan(at([(0, 10), (60, 20)], 31, maxgap=30))
    assert at([(0, 10), (60, 20)], 30, maxgap=30) == 15


def test_averaged_has_each_time_once_and_in_order():
    table = averaged(observed((60, 4), (0, 1), (60, 8), (30, math.inf)))
    assert list(table["timestamp"]) == list(times([0, 60]))
    assert list(table["value"]) == [1, 6]


@given(
    st.dictionaries(st.integers(0, 400), st.integers(-50, 50), min_size=1, max_size=12),
    st.integers(-20, 420),
    st.integers(0, 120),
)
def test_agrees_with_a_search_by_hand(values, minute, maxgap):
    before = [one for one in values if one <= minute]
    after = [one for one in values if one >= minute]
    found = at(list(values.items()), minute, maxgap)
    if not before or not after or minute - max(before) > maxgap or min(after) - minute > maxgap:
        assert np.isnan(found)
        return
    low, high = max(before), min(after)
    share = 0 if low == high else (minute - low) / (high - low)
    assert found == pytest.approx(values[low] + share * (values[high] - values[low]), abs=1e-6)
