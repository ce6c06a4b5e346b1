"""Which rows are best, and what their parameters are called."""

from __future__ import annotations

import itertools
import math

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kwdag import ranking
from kwdag.errors import ResultError
from kwdag.node import ProcessNode
from kwdag.ranking import Metric, Roles
from kwdag.results import Columns

ACC = Metric("metrics.fit.acc", "acc")
LOSS = Metric("metrics.fit.loss", "loss", maximize=False)


def table(**columns):
    """Columns by short names: `acc` and `loss` are metrics, other unknown names parameters of fit."""
    own = ("param_hashid", "region_id", "job_id", "dpath")
    names = {"acc": ACC.column, "loss": LOSS.column} | {name: name for name in own}
    return pd.DataFrame({names.get(name, f"params.fit.{name}"): values for name, values in columns.items()})


# -- param_hashid --------------------------------------------------------------------------------------


def test_a_hashid_is_twelve_lower_case_letters_and_always_the_same():
    assert ranking.param_hashid({"fit.lr": 0.1, "prep.src": "/a/b"}) == "zugxatwtyklv"


def test_a_hashid_does_not_know_the_order_of_keys():
    assert ranking.param_hashid({"a.x": 1, "b.y": 2}) == ranking.param_hashid({"b.y": 2, "a.x": 1})


def test_values_differ_as_the_program_sees_them():
    same = [1, "1"]
    different = [1, 1.0, True, "x", [1], ["1", "2"], {"a": 1}, ""]
    assert len({ranking.param_hashid({"a.x": value}) for value in same}) == 1
    assert len({ranking.param_hashid({"a.x": value}) for value in different}) == len(different)


def test_a_parameter_without_a_value_is_as_good_as_none():
    assert ranking.param_hashid({"a.x": 1, "a.y": None}) == ranking.param_hashid({"a.x": 1})


VALUES = st.none() | st.booleans() | st.integers() | st.floats() | st.text()


@given(st.dictionaries(st.text(min_size=1), VALUES))
def test_any_parameters_have_a_hashid(params):
    hashid = ranking.param_hashid(params)
    assert len(hashid) == 12 and hashid.isascii() and hashid.isalpha() and hashid.islower()


@pytest.fixture
def roles():
    node = ProcessNode(
        name="fit",
        executable="fit",
        in_paths=["data", "src"],
        out_paths={"dst": "out.json"},
        algo_params={"lr": 1, "seed": 0, "augment": "none", "rate": 1, "net": "small"},
        perf_params={"workers": 0},
        tags={"data": "dataset", "seed": "volatile", "net": "model"},
        neutral={"augment": "none"},
        renamed={"speed": "rate"},
    )
    return Roles.of([node])


@pytest.mark.parametrize(
    "extra", [{"fit.workers": 8}, {"fit.data": "/d/r1.json"}, {"fit.seed": 3}, {"fit.augment": "none"}]
)
def test_what_does_not_change_the_result_stays_out_of_the_hashid(roles, extra):
    assert ranking.param_hashid({"fit.lr": 1} | extra, roles) == ranking.param_hashid({"fit.lr": 1}, roles)


def test_a_renamed_parameter_keeps_its_hashid_and_its_column(roles):
    old, new = table(speed=[3], dpath=["/r/fit/a"]), table(rate=[3], dpath=["/r/fit/b"])
    both = ranking.with_identity(pd.concat([old, new]), "fit", roles)
    assert both["param_hashid"].nunique() == 1
    assert both["params.fit.rate"].tolist() == [3, 3]
    assert "params.fit.speed" not in both


@given(st.lists(st.dictionaries(st.sampled_from(["lr", "src", "net"]), VALUES, max_size=3), min_size=1))
def test_a_hashid_does_not_depend_on_the_other_rows(rows):
    def hashids(rows):
        columns = Columns()
        for row in rows:
            columns.append({"dpath": "/r/fit/a"} | {f"params.fit.{key}": value for key, value in row.items()})
        return ranking.with_identity(columns.table(), "fit", Roles())["param_hashid"].tolist()

    assert hashids(rows) == [hashids([row])[0] for row in rows]


def test_an_input_below_the_root_moves_with_it(roles):
    rows = table(src=["/a/in.txt", "/b/in.txt"], dpath=["/a/fit/x", "/b/fit/x"])
    assert ranking.with_identity(rows, "fit", roles)["param_hashid"].nunique() == 1


# -- region_id -----------------------------------------------------------------------------------------


def test_the_region_is_the_stem_of_the_dataset(roles):
    rows = table(data=["/d/KR_R001.json", None, ["/d/a.csv", "/d/b.csv"]], dpath=["/r/fit/a"] * 3)
    assert ranking.with_identity(rows, "fit", roles)["region_id"].tolist() == ["KR_R001", "unknown", "a+b"]


def test_without_a_dataset_the_region_is_unknown():
    rows = ranking.with_identity(table(lr=[1], dpath=["/r/fit/a"]), "fit", Roles())
    assert rows["region_id"].tolist() == ["unknown"]


def test_a_node_takes_its_ancestors_dataset_unless_it_has_its_own():
    nodes = [
        ProcessNode(name=name, executable="x", in_paths=["data"], tags={"data": "dataset"})
        for name in ("prep", "fit")
    ]
    rows = pd.DataFrame({"params.prep.data": ["/d/p.json"] * 2, "params.fit.data": ["/d/f.json", None]})
    roles = Roles.of(nodes)
    assert ranking.with_identity(rows[:1], "fit", roles)["region_id"].tolist() == ["f"]
    assert ranking.with_identity(rows[["params.prep.data"]], "fit", roles)["region_id"].tolist() == ["p", "p"]


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


# -- metrics -------------------------------------------------------------------------------------------

DECLARED = [
    {"metric": "loss", "objective": "minimize", "primary": True, "display": True},
    {"metric": "acc", "primary": False, "display": True},
    {"metric": "absent", "primary": True},
]


def names(metrics):
    return [metric.name for metric in metrics]


def test_declared_metrics_rank_and_show():
    chosen = ranking.choose_metrics("fit", DECLARED, table(acc=[1], loss=[2]))
    assert names(chosen.primary) == ["loss"] and not chosen.primary[0].maximize
    assert names(chosen.display) == ["loss", "acc"]


def test_where_nothing_is_declared_all_numbers_rank():
    rows = table(acc=[1], loss=[2]).assign(**{"metrics.fit.note": ["good"]})
    chosen = ranking.choose_metrics("fit", [], rows)
    assert names(chosen.primary) == ["acc", "loss"]
    assert names(chosen.display) == ["acc", "loss", "note"]


def test_one_odd_value_does_not_keep_a_metric_from_ranking():
    rows = table(acc=pd.Series([0.5, "n/a"], dtype=object))
    assert names(ranking.choose_metrics("fit", [], rows).primary) == ["acc"]


@pytest.mark.parametrize("name", ["acc", "metrics.fit.acc", {"metric": "acc", "objective": "minimize"}])
def test_metrics_are_asked_for_by_name(name):
    chosen = ranking.choose_metrics("fit", DECLARED, table(acc=[1], loss=[2]), primary=[name])
    assert names(chosen.primary) == ["acc"]
    assert chosen.primary[0].maximize == isinstance(name, str)


def test_an_unknown_metric_is_refused_with_the_nearest():
    with pytest.raises(ResultError, match=r"primary_metric_cols: no metric 'lost'; did you mean 'loss'\?"):
        ranking.check_wanted(["lost"], {"fit": table(acc=[1], loss=[1])}, "primary_metric_cols")


def test_an_unknown_objective_is_refused():
    with pytest.raises(ResultError, match="none of maximize, minimize"):
        ranking.choose_metrics("fit", [], table(acc=[1]), primary=[{"metric": "acc", "objective": "max"}])


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


def test_macro_without_a_common_hashid_is_empty():
    assert ranking.macro(REGIONS[4:5], [ACC], ["r1", "r2"]).empty


def test_macro_without_metrics_is_empty():
    assert ranking.macro(REGIONS, [], ["r1", "r2"]).empty


def test_an_effect_is_mean_and_best_of_each_value_best_last():
    rows = table(lr=[1, 1, 2, 2], loss=[1.0, 3.0, 8.0, math.nan])
    assert ranking.effect(rows, "params.fit.lr", LOSS) == [(2, 1, 8.0, 8.0), (1, 2, 2.0, 1.0)]
