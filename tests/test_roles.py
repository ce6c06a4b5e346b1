"""What identifies the parameters of a row, and the region it was measured on."""

from __future__ import annotations

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kwdag.node import ProcessNode
from kwdag.results import Columns
from kwdag.roles import Roles, param_hashid, telling_apart, with_identity
from tests.result_tables import table


def test_a_hashid_is_twelve_lower_case_letters_and_always_the_same():
    assert param_hashid({"fit.lr": 0.1, "prep.src": "/a/b"}) == "zugxatwtyklv"


def test_a_hashid_does_not_know_the_order_of_keys():
    assert param_hashid({"a.x": 1, "b.y": 2}) == param_hashid({"b.y": 2, "a.x": 1})


def test_values_differ_as_the_program_sees_them():
    same = [1, "1"]
    different = [1, 1.0, True, "x", [1], ["1", "2"], {"a": 1}, ""]
    assert len({param_hashid({"a.x": value}) for value in same}) == 1
    assert len({param_hashid({"a.x": value}) for value in different}) == len(different)


def test_a_parameter_without_a_value_is_as_good_as_none():
    assert param_hashid({"a.x": 1, "a.y": None}) == param_hashid({"a.x": 1})


VALUES = st.none() | st.booleans() | st.integers() | st.floats() | st.text()


@given(st.dictionaries(st.text(min_size=1), VALUES))
def test_any_parameters_have_a_hashid(params):
    hashid = param_hashid(params)
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
    assert param_hashid({"fit.lr": 1} | extra, roles) == param_hashid({"fit.lr": 1}, roles)


def test_a_renamed_parameter_keeps_its_hashid_and_its_column(roles):
    old, new = table(speed=[3], dpath=["/r/fit/a"]), table(rate=[3], dpath=["/r/fit/b"])
    both = with_identity(pd.concat([old, new]), "fit", roles)
    assert both["param_hashid"].nunique() == 1
    assert both["params.fit.rate"].tolist() == [3, 3]
    assert "params.fit.speed" not in both


@given(st.lists(st.dictionaries(st.sampled_from(["lr", "src", "net"]), VALUES, max_size=3), min_size=1))
def test_a_hashid_does_not_depend_on_the_other_rows(rows):
    def hashids(rows):
        columns = Columns()
        for row in rows:
            columns.append({"dpath": "/r/fit/a"} | {f"params.fit.{key}": value for key, value in row.items()})
        return with_identity(columns.table(), "fit", Roles())["param_hashid"].tolist()

    assert hashids(rows) == [hashids([row])[0] for row in rows]


def test_an_input_below_the_root_moves_with_it(roles):
    rows = table(src=["/a/in.txt", "/b/in.txt"], dpath=["/a/fit/x", "/b/fit/x"])
    assert with_identity(rows, "fit", roles)["param_hashid"].nunique() == 1


# -- region_id -----------------------------------------------------------------------------------------


def test_the_region_is_the_stem_of_the_dataset(roles):
    rows = table(data=["/d/KR_R001.json", None, ["/d/a.csv", "/d/b.csv"]], dpath=["/r/fit/a"] * 3)
    assert with_identity(rows, "fit", roles)["region_id"].tolist() == ["KR_R001", "unknown", "a+b"]


def test_without_a_dataset_the_region_is_unknown():
    rows = with_identity(table(lr=[1], dpath=["/r/fit/a"]), "fit", Roles())
    assert rows["region_id"].tolist() == ["unknown"]


def test_a_node_takes_its_ancestors_dataset_unless_it_has_its_own():
    nodes = [
        ProcessNode(name=name, executable="x", in_paths=["data"], tags={"data": "dataset"})
        for name in ("prep", "fit")
    ]
    rows = pd.DataFrame({"params.prep.data": ["/d/p.json"] * 2, "params.fit.data": ["/d/f.json", None]})
    roles = Roles.of(nodes)
    assert with_identity(rows[:1], "fit", roles)["region_id"].tolist() == ["f"]
    assert with_identity(rows[["params.prep.data"]], "fit", roles)["region_id"].tolist() == ["p", "p"]


def test_a_row_that_has_an_identity_keeps_it():
    rows = table(x=[1, 2], region_id=["r", None], param_hashid=[None, "abcdefghijkl"])
    found = with_identity(rows, "fit", Roles())
    assert found["region_id"].tolist() == ["r", "unknown"]
    assert found["param_hashid"].tolist() == [param_hashid({"fit.x": 1}), "abcdefghijkl"]


def test_a_region_that_is_no_utf8_is_a_region():
    rows = table(x=pd.Series(["/data/\udcff.txt", "b"], dtype=object))
    roles = Roles(dataset=frozenset({"fit.x"}))
    assert with_identity(rows, "fit", roles)["region_id"].tolist() == ["\udcff", "b"]


MIXED = st.sampled_from([1, 1.0, True, "1", None, [1], "é"])


@given(st.lists(st.dictionaries(st.sampled_from(["b", "a", "old", "n"]), MIXED), min_size=1, max_size=6))
def test_a_row_is_hashed_in_a_table_as_it_is_alone(rows):
    roles = Roles(neutral={"fit.n": 1}, renamed={"fit.zzz": "fit.old"}, unhashed=frozenset({"fit.b"}))
    columns = {name: [row.get(name) for row in rows] for name in ("b", "a", "old", "n")}
    whole = table(**{name: pd.Series(values, dtype=object) for name, values in columns.items()})
    alone = [param_hashid({f"fit.{key}": value for key, value in row.items()}, roles) for row in rows]
    assert with_identity(whole, "fit", roles)["param_hashid"].tolist() == alone


def test_datasets_of_one_stem_are_told_apart(roles):
    paths = ["/d/north/x.json", "/d/south/x.json", "/d/y.json"]
    rows = table(data=[*paths, ["/d/north/x.json", "/d/y.json"]], dpath=["/r/fit/a"] * 4)
    found = with_identity(rows, "fit", telling_apart(roles, [rows]))["region_id"].tolist()
    assert found == ["north/x", "south/x", "y", "north/x+y"]


def test_one_dataset_may_lie_elsewhere_below_another_root(roles):
    rows = table(data=["/here/x.json", "/there/x.json"], dpath=["/r/fit/a", "/s/fit/a"])
    found = with_identity(rows, "fit", telling_apart(roles, [rows]))["region_id"].tolist()
    assert found == ["x", "x"]
