"""A place that is called settled never changes, and one that is called open can."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kwdag import ranking
from kwdag.metrics import Metric
from kwdag.settled import settled, settled_macro
from tests.result_tables import ACC, LOSS, table

BOUNDED = Metric(ACC.column, "acc", bounds=(0, 1))
SMALL = Metric(LOSS.column, "loss", maximize=False, bounds=(0, 3))


def missing(*jobs):
    return pd.DataFrame(jobs, columns=["region_id", "param_hashid", "job_id"])


def ranked(rows, metrics):
    return ranking.rank(rows, metrics)


# -- within a region -----------------------------------------------------------------------------------


def three(**columns):
    return table(region_id="r1", param_hashid=["b", "c", "d"], job_id=["1", "2", "3"], **columns)


def test_everything_is_settled_when_nothing_is_missing():
    rows = ranked(three(acc=[0.1, 0.2, math.nan]), [ACC])
    assert settled(rows, None, [ACC]).all()
    assert settled(rows, missing(), [ACC]).all()


def test_nothing_but_a_perfect_row_is_settled_where_a_job_may_come_out_as_anything():
    rows = ranked(three(acc=[0.1, 0.2, 0.3]), [ACC])
    assert not settled(rows, missing(["r1", "a", "4"]), [ACC]).any()
    assert settled(rows, missing(["r2", "a", "4"]), [ACC]).all()


def test_bounds_settle_what_cannot_be_beaten():
    rows = ranked(three(acc=[0.1, 1.0, 0.3]), [BOUNDED])
    assert settled(rows, missing(["r1", "a", "4"]), [BOUNDED]).tolist() == [False, False, True]


def test_a_tie_at_the_bound_goes_by_hashid_and_then_by_job():
    rows = ranked(three(acc=[0.1, 1.0, 0.3]), [BOUNDED])
    assert not settled(rows, missing(["r1", "d", "4"]), [BOUNDED]).any()
    assert settled(rows, missing(["r1", "c", "1"]), [BOUNDED])[-1]
    assert not settled(rows, missing(["r1", "c", "4"]), [BOUNDED])[-1]


def test_minimised_metrics_are_judged_as_minimised():
    rows = ranked(three(loss=[0.0, 1.0, 3.0]), [SMALL])
    assert settled(rows, missing(["r1", "a", "4"]), [SMALL]).tolist() == [False, False, True]


def test_a_later_metric_settles_a_tie_in_the_first():
    rows = ranked(three(acc=[1.0, 1.0, 0.5], loss=[0.0, 1.0, 0.0]), [BOUNDED, SMALL])
    assert settled(rows, missing(["r1", "a", "4"]), [BOUNDED, SMALL]).tolist() == [False, False, True]


def test_a_job_of_no_known_region_or_hashid_may_be_any():
    rows = ranked(three(acc=[0.1, 1.0, 0.3]).assign(region_id=["r1", "r2", "r1"]), [BOUNDED])
    assert not settled(rows, missing([None, None, None]), [BOUNDED]).any()
    assert settled(rows, missing(["r1", None, None]), [BOUNDED]).tolist() == [False, False, True]


VALUES = st.sampled_from([0.0, 1.0, 2.0, 3.0, math.nan])
OUTCOMES = [0.0, 1.0, 2.0, 3.0, math.nan, None]


@settings(max_examples=40)
@given(st.lists(VALUES, min_size=1, max_size=4), st.integers(1, 2), st.permutations("abcdef"), st.booleans())
def test_open_places_can_change_and_settled_ones_cannot(values, n_missing, names, maximize):
    metric = Metric(ACC.column, "acc", maximize=maximize, bounds=(0, 3))
    rows = table(region_id="r", param_hashid=list(names[: len(values)]), job_id="j", acc=values)
    rows = ranked(rows, [metric])
    lost = missing(*(["r", name, "j"] for name in names[len(values) : len(values) + n_missing]))
    seen = [
        places_after(rows, lost, outcome, metric) for outcome in itertools.product(OUTCOMES, repeat=n_missing)
    ]
    stays = [len(set(places)) == 1 for places in zip(*seen, strict=True)]
    assert settled(rows, lost, [metric]).tolist() == stays


def places_after(rows, lost, outcome, metric):
    """The place of each of the ``rows`` once the lost jobs came out so; None: never."""
    came = lost.assign(**{metric.column: pd.Series(outcome, dtype=object)})[
        [one is not None for one in outcome]
    ]
    final = ranked(pd.concat([rows, came], ignore_index=True), [metric])
    order = final["param_hashid"].tolist()[::-1]
    return [order.index(name) for name in rows["param_hashid"]]


def test_ten_thousand_orders_of_completion_never_contradict_a_settled_place():
    """Each order is a region of its own, so that one call judges a moment in all of them."""
    random, n_orders, n_jobs = np.random.default_rng(0), 10_000, 8
    metrics = [BOUNDED, SMALL]
    end = pd.DataFrame({
        "region_id": np.repeat([f"order {i}" for i in range(n_orders)], n_jobs),
        "param_hashid": random.permuted(np.tile(list("abcdefgh"), (n_orders, 1)), axis=1).ravel(),
        "job_id": "j",
        # few values make many ties; some never come, some come without a value
        ACC.column: random.choice([0, 0.5, 1.0, math.nan], n_orders * n_jobs),
        LOSS.column: random.choice([0, 3, math.nan], n_orders * n_jobs),
        "comes": random.permuted(np.tile(np.arange(n_jobs), (n_orders, 1)), axis=1).ravel(),
        "fails": random.random(n_orders * n_jobs) < 0.1,
    })  # fmt: skip
    final = with_places(ranked(end[~end["fails"]], metrics))
    n_settled = 0
    for moment in range(1, n_jobs):
        here = (end["comes"] < moment) & ~end["fails"]
        now = with_places(ranked(end[here], metrics))
        sure = settled(now, end.loc[~here, ["region_id", "param_hashid", "job_id"]], metrics)
        both = now[sure].merge(final, on=["region_id", "param_hashid"], suffixes=("_now", "_final"))
        assert (both["place_now"] == both["place_final"]).all()
        n_settled += len(both)
    assert n_settled > 3_000


def with_places(rows):
    return rows.assign(place=rows[::-1].groupby("region_id").cumcount())


# -- over regions --------------------------------------------------------------------------------------


def macro(rows, metrics, regions=("r1", "r2")):
    return ranked(ranking.macro(rows, metrics, regions), metrics)


TWO = table(
    region_id=["r1", "r2"] * 2, param_hashid=list("bbcc"), job_id=list("1234"), acc=[0.2, 0.4, 0.9, 0.9]
)


def test_a_macro_place_is_settled_when_no_mean_can_pass_it():
    rows = pd.concat([TWO, table(region_id=["r1"], param_hashid=["a"], job_id=["5"], acc=[0.1])])
    late = missing(["r2", "a", "6"])  # a's mean can reach 0.55 at most
    assert settled_macro(macro(rows, [BOUNDED]), rows, late, [BOUNDED], ["r1", "r2"]).tolist() == [
        False,
        True,
    ]
    assert not settled_macro(macro(rows, [ACC]), rows, late, [ACC], ["r1", "r2"]).any()


def test_a_hashid_that_cannot_be_complete_does_not_matter():
    late = missing(["r1", "z", "6"])
    assert settled_macro(macro(TWO, [ACC]), TWO, late, [ACC], ["r1", "r2"]).all()


def test_a_row_whose_own_mean_may_change_is_open_where_that_could_move_it():
    late = missing(["r1", "b", "6"])
    found = settled_macro(macro(TWO, [ACC]), TWO, late, [ACC], ["r1", "r2"])
    assert not found.any()
    found = settled_macro(macro(TWO, [BOUNDED]), TWO, late, [BOUNDED], ["r1", "r2"])
    assert found.all()  # b's mean can reach (0.6 + 0.4) / 2 at most


def test_a_macro_over_regions_that_may_grow_is_open():
    late = missing(["r3", "b", "6"])
    rows = macro(TWO, [ACC])
    assert settled_macro(rows, TWO, late, [ACC], ["r1", "r2"]).all()
    assert not settled_macro(rows, TWO, late, [ACC], ["r1", "r2"], may_grow=True).any()
    assert not settled_macro(rows, TWO, missing([None, "b", "6"]), [ACC], ["r1", "r2"]).any()


@pytest.mark.parametrize(
    ("aggregator", "maximize"),
    [("mean", True), ("mean", False), ("median", True), ("min", False), ("max", True), ("sum", False)],
)
def test_open_macro_places_can_change_and_settled_ones_cannot(aggregator, maximize):
    """All outcomes of small grids, tried one by one."""
    metric = Metric(ACC.column, "acc", maximize, aggregator, bounds=(0, 3))
    kinds = set()
    for seed in range(4):
        rows, lost = small_grid(np.random.default_rng(seed))
        now = macro(rows, [metric])
        found = settled_macro(now, rows, lost, [metric], ["r1", "r2"])
        seen = [
            macro_places_after(now, rows, lost, outcome, metric)
            for outcome in itertools.product([0.0, 3.0, math.nan, None], repeat=len(lost))
        ]
        stays = [len(set(places)) == 1 for places in zip(*seen, strict=True)]
        # outcomes between those tried could still move a row, never the other way round
        assert all(one for one, sure in zip(stays, found, strict=True) if sure)
        kinds |= {(bool(sure), stay) for sure, stay in zip(found, stays, strict=True)}
    assert {(True, True), (False, False)} <= kinds


def small_grid(random):
    jobs = list(itertools.product(["r1", "r2"], "abcd", "12"))
    picked = random.permutation(len(jobs))[: random.integers(9, 14)]
    rows = missing(*(jobs[i] for i in picked))
    rows[ACC.column] = random.choice([0.0, 1.0, 2.0, 3.0, 3.0], len(rows))
    return rows[2:], rows.iloc[:2, :3].reset_index(drop=True)


def macro_places_after(now, rows, lost, outcome, metric):
    came = lost.assign(**{metric.column: pd.Series(outcome, dtype=object)})[
        [one is not None for one in outcome]
    ]
    final = macro(pd.concat([rows, came], ignore_index=True), [metric])
    order = final["param_hashid"].tolist()[::-1]
    return [order.index(name) for name in now["param_hashid"]]


def test_random_orders_never_contradict_a_settled_macro_place():
    random, n_settled = np.random.default_rng(1), 0
    for _ in range(120):
        jobs = missing(*itertools.product(["r1", "r2", "r3"], "abcde", "1"))
        jobs[ACC.column] = random.choice(
            [0, 0.3, 0.9, 1.0, math.nan], len(jobs), p=[0.05, 0.1, 0.1, 0.7, 0.05]
        )
        jobs = jobs.iloc[random.permutation(len(jobs))]
        moment, n_done = random.integers(6, len(jobs)), random.integers(12, len(jobs) + 1)
        n_done = max(moment, n_done)
        regions = ["r1", "r2", "r3"]
        now, final = (macro(jobs[:n], [BOUNDED], regions) for n in (moment, n_done))
        sure = settled_macro(now, jobs[:moment], jobs.iloc[moment:, :3], [BOUNDED], regions)
        places = [rows["param_hashid"].tolist()[::-1].index for rows in (now, final)]
        for name in now["param_hashid"][sure]:
            assert places[0](name) == places[1](name)
            n_settled += moment < n_done
    assert n_settled > 20
