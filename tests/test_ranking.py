"""Which rows are best, and what their parameters are called."""

from __future__ import annotations

import itertools
import math

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kwdag import ranking
from kwdag.metrics import Metric
from tests.result_tables import ACC, LOSS, table

# -- what varies ---------------------------------------------------------------------------------------


def test_the_basis_tells_what_varies_and_what_does_not():
    basis = ranking.basis(table(a=[1, 2, 2], b=["x"] * 3, c=[[1], [1], None]))
    assert basis.varied == {"params.fit.a": [(2, 2), (1, 1)], "params.fit.c": [([1], 2), (None, 1)]}
    assert basis.constant == {"params.fit.b": "x"}


def test_the_lookup_keeps_the_order_asked_for():
    rows = table(param_hashid=["p", "q", "p"], a=[1, 2, 1])
    assert ranking.lookup(rows, ["params.fit.a"], ["q", "p"]) == {
        "q": {"params.fit.a": 2},
        "p": {"params.fit.a": 1},
    }


# -- order ---------------------------------------------------------------------------------------------


def test_the_best_row_is_last():
    ranked = ranking.rank(table(acc=[0.5, 0.9, 0.1], loss=[1, 2, 3]), [ACC, LOSS])
    assert ranked[ACC.column].tolist() == [0.1, 0.5, 0.9]


def test_minimised_metrics_are_judged_as_minimised():
    assert ranking.rank(table(loss=[1, 3, 2]), [LOSS])[LOSS.column].tolist() == [3, 2, 1]


def test_later_metrics_break_ties_and_then_the_hashid():
    rows = table(param_hashid=["d", "c", "b", "a"], acc=[1, 1, 1, 1], loss=[5, 5, 4, 6])
    assert ranking.rank(rows, [ACC, LOSS])["param_hashid"].tolist() == ["a", "c", "d", "b"]


@pytest.mark.parametrize("missing", [None, math.nan, "n/a", {}])
def test_a_missing_value_is_the_worst(missing):
    for metric, name in ((ACC, "acc"), (LOSS, "loss")):
        rows = table(
            param_hashid=["a", "b", "c"], **{name: pd.Series([-math.inf, missing, math.inf], dtype=object)}
        )
        assert ranking.rank(rows, [metric])["param_hashid"].tolist()[0] == "b"


def test_the_order_of_rows_does_not_matter():
    rows = table(param_hashid=list("abcd"), acc=[1, math.nan, 1, 0.5])
    orders = {
        tuple(ranking.rank(rows.iloc[list(order)], [ACC])["param_hashid"])
        for order in itertools.permutations(range(4))
    }
    assert orders == {("b", "d", "a", "c")}


@given(st.lists(st.tuples(st.floats() | st.none(), st.integers(-3, 3)), min_size=1))
def test_ranking_agrees_with_sorted(pairs):
    rows = table(acc=pd.Series([a for a, _ in pairs], dtype=object), loss=[b for _, b in pairs])
    ranked = ranking.rank(rows, [ACC, LOSS])

    def key(pair):
        acc, loss = pair
        missing = acc is None or math.isnan(acc)
        return (not missing, 0 if missing else acc, -loss)

    expected = sorted(pairs, key=key)
    got = list(zip(ranked[ACC.column], ranked[LOSS.column], strict=True))
    assert list(map(key, got)) == list(map(key, expected))


def test_top_k_takes_the_last_and_per_group_limits_each_group():
    ranked = table(net=["a", "b", "a", "a"], acc=[1, 2, 3, 4])
    assert ranking.top(ranked, 2)[ACC.column].tolist() == [3, 4]
    assert ranking.top(ranked, None, 1, ["params.fit.net"])[ACC.column].tolist() == [2, 4]
    assert ranking.top(ranked, 1, 1, ["params.fit.net"])[ACC.column].tolist() == [4]


# -- regions -------------------------------------------------------------------------------------------

REGIONS = table(
    region_id=["r1", "r2", "r1", "r2", "r1", "r2"],
    param_hashid=["a", "a", "b", "b", "c", "a"],
    acc=[0.0, 1.0, 0.6, math.nan, 1.0, 0.0],
    loss=[1, 2, 3, 5, 6, 2],
)


def test_macro_averages_what_was_measured_on_all_regions():
    rows = ranking.macro(REGIONS, [ACC, LOSS], ["r1", "r2"]).set_index("param_hashid")
    assert list(rows.index) == ["a", "b"]
    assert rows.loc["a", ACC.column] == 0.25
    assert math.isnan(rows.loc["b", ACC.column]) and rows.loc["b", LOSS.column] == 4
    assert set(rows["region_id"]) == {"macro_2"}


def test_macro_aggregates_as_the_metric_says():
    worst = Metric(LOSS.column, "loss", aggregator="max")
    assert ranking.macro(REGIONS, [worst], ["r1", "r2"])[LOSS.column].tolist() == [2, 5]


def test_macro_tells_the_spread_over_regions():
    rows = ranking.macro(REGIONS, [ACC, LOSS], ["r1", "r2"]).set_index("param_hashid")
    cells = REGIONS.groupby(["param_hashid", "region_id"])[LOSS.column].mean()
    assert rows.loc["b", ranking.spread_column(LOSS)] == cells["b"].std()
    assert rows.loc["a", ranking.spread_column(ACC)] == pd.Series([0.0, 0.5]).std()
    assert math.isnan(rows.loc["b", ranking.spread_column(ACC)])
    assert ranking.macro(REGIONS, [LOSS], ["r1"])[ranking.spread_column(LOSS)].isna().all()


def test_macro_names_what_it_leaves_out():
    assert ranking.macro_missing(REGIONS, ["r1", "r2", "r3"]) == {
        "a": ("r3",), "b": ("r3",), "c": ("r2", "r3"),
    }  # fmt: skip
    assert ranking.macro_missing(REGIONS, ["r1"]) == {}


def test_equal_rows_share_the_better_place():
    ranked = ranking.rank(table(acc=[1, 2, 2, 3, math.nan, math.nan], loss=[1, 1, 1, 1, 2, 2]), [ACC, LOSS])
    assert ranking.places(ranked, [ACC, LOSS]).tolist() == [5, 5, 4, 2, 2, 1]
    assert ranking.places(ranked, []).tolist() == [1] * 6
    assert ranking.places(ranked[:0], [ACC]).tolist() == []


@given(st.lists(st.sampled_from([0.0, 1.0, 2.0]), min_size=1, max_size=9))
def test_places_agree_with_pandas(values):
    ranked = ranking.rank(table(acc=values), [ACC])
    expected = ranked[ACC.column].rank(method="min", ascending=False)
    assert ranking.places(ranked, [ACC]).tolist() == expected.tolist()


def test_macro_without_a_common_hashid_is_empty():
    assert ranking.macro(REGIONS[4:5], [ACC], ["r1", "r2"]).empty


def test_macro_without_metrics_is_empty():
    assert ranking.macro(REGIONS, [], ["r1", "r2"]).empty


def test_an_effect_is_mean_and_best_of_each_value_best_last():
    rows = table(lr=[1, 1, 2, 2], loss=[1.0, 3.0, 8.0, math.nan])
    assert ranking.effect(rows, "params.fit.lr", LOSS) == [(2, 1, 8.0, 8.0), (1, 2, 2.0, 1.0)]
