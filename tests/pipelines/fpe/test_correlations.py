"""Rank correlations and the accuracy on pairs: against scipy, by hand, and where they are not defined."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from pipelines.errors import BadInput
from pipelines.fpe import correlations
from pipelines.fpe.correlations import Correlation, by_split, correlation, of_days, pair_accuracy

numbers = st.lists(st.tuples(st.integers(-4, 4), st.integers(-4, 4)), min_size=2, max_size=12)


def frame(rows, names=("split", "timestamp", "value", "score")):
    return pd.DataFrame(rows, columns=list(names))


def tau_by_hand(pairs):
    """Kendall's tau-b, from the signs of all pairs (Kendall 1945)."""
    signs = [(np.sign(a[0] - b[0]), np.sign(a[1] - b[1])) for a, b in itertools.combinations(pairs, 2)]
    untied = math.sqrt(sum(x != 0 for x, _ in signs) * sum(y != 0 for _, y in signs))
    return sum(x * y for x, y in signs) / untied if untied else None


@given(numbers)
@settings(max_examples=60, deadline=None)
def test_tau_is_that_of_its_definition(pairs):
    found, wanted = correlation(*zip(*pairs, strict=True)).tau, tau_by_hand(pairs)
    assert found is wanted is None or found == pytest.approx(wanted)


def test_correlations_are_those_of_scipy():
    chance = np.random.default_rng(0)
    value = chance.normal(size=200)
    score = value + chance.normal(size=200)
    found = correlation(value, score)
    assert found.tau == stats.kendalltau(value, score).statistic
    # Spearman's rho is Pearson's r of the ranks.
    assert found.rho == pytest.approx(np.corrcoef(stats.rankdata(value), stats.rankdata(score))[0, 1])


@pytest.mark.parametrize(
    ("values", "scores", "n"),
    [
        ([], [], 0),
        ([1.0], [2.0], 1),
        ([3.0, 3.0, 3.0], [1.0, 2.0, 3.0], 3),
        ([1.0, 2.0, 3.0], [5.0, 5.0, 5.0], 3),
        ([None, math.nan, 1.0], [1.0, 2.0, 3.0], 1),
        ([1.0, 2.0], [math.nan, math.inf], 0),
    ],
)
def test_what_is_not_defined_is_null_and_not_nan(values, scores, n, recwarn):
    assert correlation(values, scores) == Correlation(None, None, n)
    assert not recwarn.list


def test_each_split_is_measured_by_itself():
    rows = frame(
        [
            ("train", "", 1, 1),
            ("train", "", 2, 2),
            ("val", "", 1, 2),
            ("val", "", 2, 1),
            ("test-in", "", 1, 1),
        ]
    )
    found = by_split(rows)
    assert {name: one.tau for name, one in found.items()} == {
        "train": 1.0, "val": -1.0, "test-in": None, "test-out": None, "all": correlation([1, 2, 1, 2, 1],
                                                                                       [1, 2, 2, 1, 1]).tau,
    }  # fmt: skip
    assert found["all"].n == 5


def test_days_are_those_of_the_station():
    # 02:00 UTC is the evening before in New York; taken for UTC, the three days would be ordered otherwise.
    rows = frame(
        [
            ("val", "2022-07-02T02:00:00Z", 1.0, 1.0),
            ("val", "2022-07-01T16:00:00Z", 3.0, 5.0),
            ("val", "2022-07-02T16:00:00Z", 6.0, 6.0),
            ("val", "2022-07-03T16:00:00Z", 7.0, None),
        ]
    )
    days = correlations.daily(rows, "America/New_York")
    assert [(str(one.date), one.value, one.score) for one in days.itertuples()] == [
        ("2022-07-01", 2.0, 3.0),
        ("2022-07-02", 6.0, 6.0),
    ]
    found = of_days(rows, "America/New_York")
    assert (found["val"].tau, found["val"].n) == (1.0, 2)
    assert found["val"] == found["all"]
    assert len(correlations.daily(rows, "UTC")) == 2
    assert correlations.daily(rows, "UTC")["value"].tolist() == [3.0, 3.5]


def test_a_day_in_two_splits_is_one_day_of_all():
    rows = frame([("train", "2022-07-01T16:00:00Z", 1, 1), ("val", "2022-07-01T17:00:00Z", 3, 3)])
    found = of_days(rows, "UTC")
    assert (found["train"].n, found["val"].n, found["all"].n) == (1, 1, 1)


def test_an_unknown_zone_and_a_time_that_is_none_are_told():
    rows = frame([("train", "2022-07-01T16:00:00Z", 1, 1)])
    with pytest.raises(BadInput, match="Mars/Olympus"):
        of_days(rows, "Mars/Olympus")
    with pytest.raises(BadInput, match="yesterday"):
        of_days(rows.assign(timestamp="yesterday"), "UTC")


def pairs(*rows):
    return pd.DataFrame(rows, columns=["image_id_1", "image_id_2", "label"])


def test_pairs_by_hand():
    scores = {"a": 2.0, "b": 1.0, "c": 0.9}
    said = pairs(("a", "b", 1), ("b", "c", 1), ("c", "b", 0), ("a", "c", -1), ("a", "x", 1))
    # a - b = 1.0 -> 0.731 LEFT, right; b - c = 0.1 -> 0.525 SAME: greater, but not by enough;
    # c - b = -0.1 -> 0.475 SAME, right; a - c = 1.1 -> 0.750 LEFT, wrong; x has no score.
    found = pair_accuracy(said, scores)
    assert found.two == pytest.approx(2 / 3)
    assert found.three == pytest.approx(2 / 4)


def test_equal_scores_agree_with_no_order():
    assert pair_accuracy(pairs(("a", "b", 1), ("b", "a", -1)), {"a": 1.0, "b": 1.0}).two == 0


def test_no_pairs_and_no_scores_are_null():
    for found in (pair_accuracy(pairs(), {}), pair_accuracy(pairs(("a", "b", 1)), {"a": math.nan, "b": 1.0})):
        assert (found.two, found.three) == (None, None)
    only_same = pair_accuracy(pairs(("a", "b", 0)), {"a": 1.0, "b": 1.0})
    assert (only_same.two, only_same.three) == (None, 1.0)


def test_the_classes_have_the_limits_of_the_logistic_function():
    limits = [math.log(0.66 / 0.34), math.log(0.33 / 0.67)]
    assert correlations.classes(np.array(limits) + [1e-9, -1e-9]).tolist() == [1, -1]
    assert correlations.classes(np.array(limits) - [1e-9, -1e-9]).tolist() == [0, 0]


def test_a_leaked_image_is_in_pairs_of_both_splits():
    said = pairs(("a", "b", 1), ("c", "b", 1), ("d", "e", 0)).assign(split=["train", "val", "val"])
    assert correlations.leaked_images(said) == 1
