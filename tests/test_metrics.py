"""Which metrics rank a table and which are shown."""

from __future__ import annotations

import math

import pandas as pd
import pytest

from kwdag.errors import ResultError
from kwdag.metrics import check_wanted, choose_metrics
from tests.result_tables import table

DECLARED = [
    {"metric": "loss", "objective": "minimize", "primary": True, "display": True},
    {"metric": "acc", "primary": False, "display": True},
    {"metric": "absent", "primary": True},
]


def names(metrics):
    return [metric.name for metric in metrics]


def test_declared_metrics_rank_and_show():
    chosen = choose_metrics("fit", DECLARED, table(acc=[1], loss=[2]))
    assert names(chosen.primary) == ["loss"] and not chosen.primary[0].maximize
    assert names(chosen.display) == ["loss", "acc"]


def test_where_nothing_is_declared_all_numbers_rank():
    rows = table(acc=[1], loss=[2]).assign(**{"metrics.fit.note": ["good"]})
    chosen = choose_metrics("fit", [], rows)
    assert names(chosen.primary) == ["acc", "loss"]
    assert names(chosen.display) == ["acc", "loss", "note"]


def test_one_odd_value_does_not_keep_a_metric_from_ranking():
    rows = table(acc=pd.Series([0.5, "n/a"], dtype=object))
    assert names(choose_metrics("fit", [], rows).primary) == ["acc"]


@pytest.mark.parametrize("name", ["acc", "metrics.fit.acc", {"metric": "acc", "objective": "minimize"}])
def test_metrics_are_asked_for_by_name(name):
    chosen = choose_metrics("fit", DECLARED, table(acc=[1], loss=[2]), primary=[name])
    assert names(chosen.primary) == ["acc"]
    assert chosen.primary[0].maximize == isinstance(name, str)


def test_an_unknown_metric_is_refused_with_the_nearest():
    with pytest.raises(ResultError, match=r"primary_metric_cols: no metric 'lost'; did you mean 'loss'\?"):
        check_wanted(["lost"], {"fit": table(acc=[1], loss=[1])}, "primary_metric_cols")


def test_an_unknown_objective_is_refused():
    with pytest.raises(ResultError, match="none of maximize, minimize"):
        choose_metrics("fit", [], table(acc=[1]), primary=[{"metric": "acc", "objective": "max"}])


@pytest.mark.parametrize(
    ("entry", "bounds"),
    [
        ({}, None),
        ({"bounds": [0, 1]}, (0.0, 1.0)),
        ({"range": [0, None]}, (0.0, math.inf)),
        ({"bounds": [None, 5], "range": [0, 1]}, (-math.inf, 5.0)),
    ],
)
def test_bounds_are_declared_or_those_of_the_contract(entry, bounds):
    chosen = choose_metrics("fit", [{"metric": "acc"} | entry], table(acc=[1]))
    assert chosen.primary[0].bounds == bounds


@pytest.mark.parametrize("bounds", [[1, 0], [1], 3, ["low", "high"], [math.nan, 1]])
def test_odd_bounds_are_refused(bounds):
    with pytest.raises(ResultError, match=r"metric metrics.fit.acc: bounds are \[lowest, highest\], not"):
        choose_metrics("fit", [], table(acc=[1]), primary=[{"metric": "acc", "bounds": bounds}])
