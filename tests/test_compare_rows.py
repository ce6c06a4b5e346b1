from __future__ import annotations

import pytest

from kwdag.compare_rows import compare_rows
from kwdag.errors import ResultError
from kwdag.roles import Roles
from kwdag.tolerance import Tolerance
from tests.result_tables import table


def tables(**columns):
    n = len(columns["acc"])
    own = {"job_id": [f"fit_id_{i}" for i in range(n)], "dpath": ["/r/fit/x"] * n}
    return {"fit": table(**{**own, **columns})}


def test_parameters_and_metrics_side_by_side():
    found = tables(
        region_id=["a", "b", "a", "b"], param_hashid=["x", "x", "y", "y"], lr=[1, 1, 1.0, 1.0], wd=[0] * 4,
        acc=[0.1, 0.2, 0.3, 0.2],
    )  # fmt: skip
    (pair,) = compare_rows(found, "x", "y")
    assert (pair.node, pair.a, pair.b, pair.differs) == ("fit", "x", "y", True)
    assert pair.metrics == {"a": {"acc": (0.1, 0.3)}, "b": {"acc": (0.2, 0.2)}}
    assert not compare_rows(found, "x", "y", tolerance=Tolerance(absolute=0.3))[0].differs


def test_one_and_one_point_zero_are_two_values():
    import pandas as pd

    found = tables(region_id=["a"] * 2, param_hashid=["x", "y"], acc=[1.0, 1.0],
                   lr=pd.Series([1, 1.0], dtype=object), src=["p", "q"])  # fmt: skip
    (pair,) = compare_rows(found, "x", "y", Roles(unhashed=frozenset(["fit.src"])))
    assert pair.params == {"fit.lr": (1, 1.0)} and not pair.differs


def test_regions_that_one_lacks_and_several_jobs_of_one_row():
    found = tables(
        region_id=["a", "b", "a", "a"], param_hashid=["x", "x", "y", "y"], acc=[1.0, 2.0, 1.0, 4.0]
    )
    (pair,) = compare_rows(found, "x", "y")
    assert pair.metrics == {"a": {"acc": (1.0, 2.5)}, "b": {"acc": (2.0, None)}} and pair.differs


def test_a_row_against_itself():
    found = tables(region_id=["a"], param_hashid=["x"], acc=[float("nan")])
    assert not compare_rows(found, "x", "x")[0].differs


def test_names_that_mean_no_pair():
    found = tables(region_id=["a"], param_hashid=["xabc"], acc=[1.0])
    other = {"eval": found["fit"].assign(param_hashid="y", job_id="eval_id_q")}
    with pytest.raises(ResultError, match="compare: no row 'zabc'; did you mean 'xabc'"):
        compare_rows(found, "xabc", "zabc")
    with pytest.raises(ResultError, match="no node has rows of both xabc and y"):
        compare_rows({**found, **other}, "xabc", "y")
