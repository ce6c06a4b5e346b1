"""An exported table is read back as it was, and what is none is refused with the column that it lacks."""

from __future__ import annotations

import math
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kwdag import exported
from kwdag.columns import Columns
from kwdag.errors import ResultError
from kwdag.exports import export
from kwdag.render import token
from kwdag.roles import Roles, param_hashid, with_identity

OWN = {"node": "fit", "job_id": "fit_id_a", "dpath": "/root/fit/fit_id_a"}
FORMATS = ["csv", "parquet", "xlsx"]


def table_of(*rows):
    columns = Columns()
    for number, row in enumerate(rows):
        columns.append({**OWN, "job_id": f"fit_id_{number}", **row})
    return with_identity(columns.table(), "fit", Roles())


def read_back(table, folder, name):
    (path,) = export({"fit": table}, folder, [name])
    return exported.read(path)


@pytest.mark.parametrize("name", FORMATS)
def test_rows_come_back_by_node(tmp_path, name):
    table = table_of(
        {"params.fit.lr": 0.1, "metrics.fit.acc": 0.5, "job.wall": 2.0, "job.host": "h"},
        {"params.fit.lr": 0.25, "metrics.fit.acc": float("nan"), "job.wall": None, "job.host": None},
    )
    (rows,) = read_back(table, tmp_path, name).values()
    again = Columns()
    for row in rows:
        again.append(row)
    pd.testing.assert_frame_equal(again.table()[list(table)], table, check_dtype=False)


VALUES = [
    1, 1.0, True, "1.0", "x", "True", None, [1, "a"], {"a": [1]}, 'a,b\n"c"', "1e5", "nan", "inf", 10**30,
    1e-300, "é", " 1", "1_000", "[1", "=1+1",
]  # fmt: skip


@pytest.mark.parametrize("name", FORMATS)
def test_a_value_reaches_the_program_as_before(tmp_path, name):
    table = table_of(*({"params.fit.x": value} for value in VALUES))
    (rows,) = read_back(table, tmp_path, name).values()
    found = [row["params.fit.x"] for row in rows]
    assert [token(value) for value in found] == [token(value) for value in VALUES]
    assert [row["param_hashid"] for row in rows] == [param_hashid({"fit.x": value}) for value in VALUES]
    assert [type(found[place]) for place in (0, 1, 2, 4)] == [int, float, bool, str]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(min_size=1),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(values=st.lists(JSON, min_size=1, max_size=5))
def test_identity_can_be_worked_out_again_from_csv(tmp_path, values):
    table = table_of(*({"params.fit.x": value} for value in values))
    (rows,) = read_back(table, tmp_path, "csv").values()
    for row in rows:
        restored = row["params.fit.x"]
        # a text that reads as a list or as a mapping is taken for one
        assert isinstance(restored, list | dict) or param_hashid({"fit.x": restored}) == row["param_hashid"]


def test_a_table_of_several_nodes_is_told_apart(tmp_path):
    table = pd.concat([table_of({}), table_of({"node": "score"})])
    table.to_csv(tmp_path / "t.csv", index=False)
    assert {node: len(rows) for node, rows in exported.read(tmp_path / "t.csv").items()} == {
        "fit": 1,
        "score": 1,
    }


def test_metrics_that_are_no_numbers_come_back(tmp_path):
    values = [float("inf"), float("-inf"), 3, "text", [0.5, 1]]
    table = table_of(*({"metrics.fit.m": value} for value in values))
    for name in FORMATS:
        (rows,) = read_back(table, tmp_path, name).values()
        assert [row["metrics.fit.m"] for row in rows] == values
    (rows,) = read_back(table_of({"metrics.fit.m": float("nan")}), tmp_path, "parquet").values()
    assert math.isnan(rows[0]["metrics.fit.m"])


def write(path, content):
    path.write_bytes(content) if isinstance(content, bytes) else path.write_text(content)
    return path


HEAD = "region_id,param_hashid,node,job_id,dpath\n"
REFUSED = {
    "a.csv": ("x,y\n1,2\n", "this is no exported table: no column 'region_id'; known: x, y"),
    "b.csv": (HEAD.replace("dpath", "dpaht"), "no column 'dpath'; did you mean 'dpaht'?"),
    "c.csv": ("", "no column 'region_id'; only what --export_tables wrote can be read"),
    "d.csv": (HEAD + "r,h,fit\n", "row 2 has 3 values for 5 columns"),
    "e.csv": (b"\xff\xfe\x00", "cannot read this table: 'utf-8' codec"),
    "f.csv": (HEAD + '"r,h', "cannot read this table: unexpected end of data"),
    "g.parquet": ("x", "cannot read this table: "),
    "h.xlsx": ("x", "cannot read this table: "),
    "i.parquet": (b"", "cannot read this table: "),
    "j.xlsx": (b"PK\x03\x04", "cannot read this table: "),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_table_of_ours_is_refused_by_name(tmp_path, name):
    content, message = REFUSED[name]
    path = write(tmp_path / name, content)
    with pytest.raises(ResultError) as caught:
        exported.read(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert message in str(caught.value)


@pytest.mark.parametrize("name", ["t.csv", "t.parquet", "t.xlsx"])
def test_a_foreign_table_names_the_missing_column(tmp_path, name):
    path = tmp_path / name
    table = pd.DataFrame({"acc": [1], "lr": [2]})
    {".csv": table.to_csv, ".parquet": table.to_parquet, ".xlsx": table.to_excel}[path.suffix](
        path, index=False
    )
    with pytest.raises(ResultError, match="no column 'region_id'; known: acc, lr"):
        exported.read(path)


def test_a_missing_library_is_one_sentence(tmp_path, monkeypatch):
    monkeypatch.setattr(exported.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ResultError, match=r"\.parquet needs pyarrow; pip install 'kwdag\[tables\]'"):
        exported.read(tmp_path / "t.parquet")


def test_an_empty_table_has_no_nodes(tmp_path):
    assert exported.read(write(tmp_path / "fit.csv", HEAD)) == {}


def test_the_real_path_of_a_job_directory(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    known = {}
    assert exported.real_dpath(f"{tmp_path}/link/fit/fit_id_a", known) == f"{tmp_path}/real/fit/fit_id_a"
    assert known == {f"{tmp_path}/link": f"{tmp_path}/real"}
    assert exported.real_dpath("/gone/fit/x", {}) == str(Path("/gone/fit/x"))
