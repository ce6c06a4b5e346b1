"""The sentences say what was found, how sure it is, and where the data cannot tell."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pandas as pd
import pytest

from kwdag.effects import effects
from kwdag.metrics import Metric, Metrics
from kwdag.report.effects_text import effect_lines, sentence
from kwdag.report.wording import wrapped
from kwdag.roles import Roles
from tests.grid_tables import METRICS, ROLES, grid_table
from tests.result_tables import ACC, LOSS


def grid(score, n_regions=4, **values):
    rows = list(itertools.product(range(n_regions), *values.values()))
    table = pd.DataFrame(rows, columns=["region_id", *(f"params.fit.{name}" for name in values)])
    table["region_id"] = "r" + table["region_id"].astype(str)
    noise = 0.01 * np.random.default_rng(1).normal(size=len(table))
    metric = [score(**dict(zip(values, row[1:], strict=True))) for row in rows]
    return table.assign(param_hashid="x", job_id="x", **{ACC.column: np.array(metric, dtype=float) + noise})


def sentences(table, metric=ACC):
    return {effect.column.removeprefix("params.fit."): sentence(effect) for effect in effects(table, metric)}


def lines(table, metrics=None, base=None, width=80, roles=None):
    return list(effect_lines(table, metrics or Metrics((ACC,), (ACC,)), roles or Roles(), base, width))


def paragraph(table, **options):
    """The report as one line."""
    return " ".join(" ".join(lines(table, **options)).split())


# -- sentences -----------------------------------------------------------------------------------------


def test_an_effect_of_two_values_is_told_in_pairs():
    told = sentences(grid(lambda lr, wd: lr, lr=[0.1, 0.01], wd=[0, 1, 2]))
    assert told["lr"] == (
        "fit.lr matters: 0.1 beats 0.01 in 12 of 12 pairs (p < 0.001 after Holm over 2 parameters, "
        "rank-biserial 1.00)"
    )
    assert told["wd"].startswith("the data cannot tell whether fit.wd matters (p = 0.")
    assert told["wd"].endswith(", 8 blocks)")


def test_an_effect_of_three_values_is_told_in_blocks():
    told = sentences(grid(lambda lr, wd: {1: 0, 2: 9, 3: 9.01}[lr], lr=[1, 2, 3], wd=[0, 1, 2]))["lr"]
    assert "fit.lr matters: 3 is best in " in told and " of 12 blocks, beats 2 in " in told
    assert "Kendall's W 0." in told


def test_too_few_pairs_are_told_as_such():
    told = sentences(grid(lambda lr: lr, n_regions=3, lr=[1, 2]))["lr"]
    assert told == "too few pairs (3) to tell whether fit.lr matters: the smallest p possible is 0.25"


def test_what_the_correction_takes_away_is_told():
    table = grid(lambda a, b, c, d: 0, n_regions=1, a=[1, 2], b=[1, 2], c=[1, 2], d=[1, 2])
    # seven of eight pairs agree, and the eighth differs least: 4 of 256 outcomes are as extreme
    table[ACC.column] = [0] * 8 + [-1, 8, 2, 5, 6, 3, 7, 4]
    told = sentences(table)["a"]
    assert told == (
        "the data cannot tell whether fit.a matters "
        "(p = 0.016, but 0.062 after Holm over 4 parameters, 8 pairs)"
    )


def test_parameters_that_vary_together_share_the_credit():
    table = grid(lambda lr, wd: lr, lr=[1, 2], wd=[0, 1, 2])
    table["params.fit.name"] = table["params.fit.lr"].map({1: "one", 2: "two"})
    assert sentences(table)["lr"].endswith("; it may as well be fit.name, always together with it")


def test_a_trend_is_told_by_its_direction():
    random = np.random.default_rng(0)
    x = random.random(60)
    table = pd.DataFrame({"region_id": "r", "param_hashid": "x", "params.fit.lr": x, LOSS.column: x})
    told = sentences(table, LOSS)["lr"]
    assert told == "fit.lr matters: less of it is better (p < 0.001, rank correlation -1.00, 60 rows)"


# -- the report ----------------------------------------------------------------------------------------


def test_mean_best_and_wins_of_each_value_are_tabled_best_last():
    table = grid(lambda lr, wd: lr, lr=[1, 3, 2], wd=[0, 1])
    report = lines(table)
    start = report.index("Effect of params.fit.lr on acc:")
    rows = [line.split() for line in report[start + 1 : start + 5]]
    assert rows[0] == ["value", "rows", "mean", "best", "wins"]
    assert [(row[0], row[1], row[4]) for row in rows[1:]] == [
        ("1", "8", "0/8"),
        ("2", "8", "0/8"),
        ("3", "8", "8/8"),
    ]
    assert float(rows[3][3]) == pytest.approx(table[ACC.column].max())


def test_the_two_strongest_are_tabled_together():
    report = paragraph(grid(lambda lr, wd: lr + (lr == wd), lr=[1, 2], wd=[1, 2], n_regions=8))
    assert "Mean acc by fit.lr (rows) and fit.wd (columns):" in report
    assert "the best fit.wd depends on fit.lr (p = 0." in report
    assert "on average it is 1 for 1, 2 for 2" in report
    report = paragraph(grid(lambda lr, wd: lr + 3 * wd, lr=[1, 2], wd=[1, 2], n_regions=8))
    assert "the data cannot tell whether the best" in report


def test_what_is_not_compared_is_named():
    table = grid(lambda lr, wd: lr, lr=[1, 2], wd=[0, 1])
    table["params.fit.data"] = table["region_id"] + ".json"
    roles = Roles(unhashed=frozenset({"fit.data"}))
    assert "not compared: fit.data" in paragraph(table, roles=roles)


@pytest.mark.parametrize(
    ("value", "text"),
    [(7.0, "acc is the same in all rows"), (math.nan, "no row has a number for acc")],
)
def test_a_metric_without_differences_is_told_in_one_line(value, text):
    table = grid(lambda lr: lr, lr=[1, 2]).assign(**{ACC.column: value})
    assert lines(table) == ["Effects on acc (more is better):", f"  {text}"]


def test_nothing_is_said_where_nothing_varies_or_ranks():
    table = grid(lambda lr: lr, lr=[1])
    assert lines(table) == []
    assert lines(table[:0]) == []
    assert lines(grid(lambda lr: lr, lr=[1, 2]), Metrics()) == []


def test_hundreds_of_values_are_summed_up():
    table = grid(lambda x: -x, n_regions=1, x=range(300)).astype({"params.fit.x": str})
    report = lines(table)
    assert "300 values in 300 rows are too many to compare one by one" in " ".join(" ".join(report).split())
    assert "... 294 more values with lower means" in report and len(report) < 15


@pytest.mark.parametrize("width", [80, 160])
@pytest.mark.parametrize("metric", METRICS.primary)
def test_a_large_grid_reads_well_at_its_width(width, metric):
    """Ten parameters, paths of 200 characters, lists, markup and a metric with gaps."""
    report = lines(grid_table(), Metrics((metric,), ()), "/data", width, ROLES)
    assert max(map(len, report)) <= width
    assert "…/resnet/epoch_9.pt" in "\n".join(report)
    assert sum(line.startswith("Effect of params.") for line in report) == 10
    text = " ".join(" ".join(report).split())
    assert text.count("unpaired, since") <= 2
    assert ("fit.lr matters: 0.01 is best" in text) == (metric.name == "acc")
    assert "fit.note matters:" not in text


def test_a_minimised_metric_is_announced_as_such():
    metric = Metric(ACC.column, "acc", maximize=False)
    report = lines(grid(lambda lr, wd: lr, lr=[1, 2], wd=[1, 2]), Metrics((metric,), ()))
    assert report[0] == "Effects on acc (less is better):"
    assert "1 beats 2 in 8 of 8 pairs" in report[1]


def test_a_p_is_never_torn_from_its_number():
    for width in range(20, 60):
        assert "p = 0.5" in "\n".join(wrapped("a sentence of some length (p = 0.5, 6 pairs)", width))
