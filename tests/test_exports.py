from __future__ import annotations

import io
import json
import math
import os

import openpyxl
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kwdag import exports
from kwdag.errors import ResultError
from kwdag.exports import export, read_parquet

NASTY = [
    "=cmd()|' /C calc'!A0",
    "#N/A",
    "a\nb",
    'say "hi", x',
    "Zürich 東京",
    " lead",
    "_x0041_",
    "a|b",
    "1e5",
    "-1",
]


MIXED = [1, 1.0, True, "1", None, [1, "x"], {"k": [None]}, 2**70, "", -0.0]


def nasty() -> pd.DataFrame:
    n = len(NASTY)
    return pd.DataFrame({
        "region_id": NASTY,
        "params.a.mixed": pd.Series(MIXED, dtype=object),
        "params.a.maybe": pd.Series([1, None] * (n // 2), dtype=object),
        "metrics.a.acc": [0.1 + 0.2, math.nan, math.inf, -math.inf, 1e-300, 1.0, 0.0, 3.0, 5e-324, 1 / 3],
        "metrics.a.n": pd.Series([1, None, 2**53 + 1, *range(7)], dtype="Int64"),
        "ok": [True, False] * (n // 2),
    })  # fmt: skip


def same(a, b) -> bool:
    """Equal values of equal types; NaN is NaN."""
    if isinstance(a, float) and isinstance(b, float):
        return a == b and math.copysign(1, a) == math.copysign(1, b) or (math.isnan(a) and math.isnan(b))
    return type(a) is type(b) and a == b


def cells(path) -> list[list]:
    sheet = openpyxl.load_workbook(path).active
    return [list(row) for row in sheet.iter_rows(values_only=True)]


def test_parquet_gives_every_value_back(tmp_path):
    table = nasty()
    (path,) = export({"a": table}, tmp_path, ["parquet"])
    back = read_parquet(path)
    assert list(back) == list(table) and (back.dtypes == table.dtypes).all()
    for name in table:
        pairs = zip(table[name].tolist(), back[name].tolist(), strict=True)
        assert all(a is b or same(a, b) for a, b in pairs), name


def test_parquet_of_a_stranger_is_read_as_pandas_does(tmp_path):
    pd.DataFrame({"x": [1, 2]}).to_parquet(tmp_path / "x.parquet")
    assert read_parquet(tmp_path / "x.parquet")["x"].tolist() == [1, 2]


def test_parquet_is_plain_to_others(tmp_path):
    (path,) = export({"a": nasty()}, tmp_path, ["parquet"])
    found = pd.read_parquet(path)
    assert found["region_id"].tolist() == NASTY
    assert json.loads(found["params.a.mixed"][6]) == {"k": [None]}
    assert found["params.a.maybe"][0] == 1  # a number, not text


def test_excel_gives_the_values_back(tmp_path):
    table = nasty()
    (path,) = export({"a": table}, tmp_path, ["xlsx"])
    head, *rows = cells(path)
    assert head == list(table)
    columns = dict(zip(head, map(list, zip(*rows, strict=True)), strict=True))
    assert columns["region_id"] == NASTY
    mixed = [1, 1.0, True, "1", None, '[1, "x"]', '{"k": [null]}', str(2**70), None, -0.0]
    assert all(map(same, columns["params.a.mixed"], mixed))
    assert columns["metrics.a.acc"] == [0.1 + 0.2, None, "inf", "-inf", 1e-300, 1.0, 0.0, 3.0, 5e-324, 1 / 3]
    assert columns["metrics.a.n"][:3] == [1, None, str(2**53 + 1)]


def test_no_text_is_a_formula(tmp_path):
    table = pd.DataFrame({"=SUM(A1)": ["=1+1", "=", "+1", "@x", "#REF!"]})
    (path,) = export({"a": table}, tmp_path, ["xlsx"])
    sheet = openpyxl.load_workbook(path).active
    assert {cell.data_type for row in sheet for cell in row} == {"s"}
    assert [row[0] for row in cells(path)] == ["=SUM(A1)", *table["=SUM(A1)"]]


def test_csv_is_what_pandas_writes_but_for_lists(tmp_path):
    table = nasty()
    (path,) = export({"a": table.drop(columns="params.a.mixed")}, tmp_path, ["csv"])
    stream = io.StringIO(newline="")
    table.drop(columns="params.a.mixed").to_csv(stream, index=False)
    assert path.read_bytes().decode() == stream.getvalue()
    (path,) = export({"a": table}, tmp_path, ["csv"])
    back = pd.read_csv(path, dtype=str, keep_default_na=False)
    assert back["region_id"].tolist() == NASTY
    assert json.loads(back["params.a.mixed"][5]) == [1, "x"]
    assert back["params.a.mixed"][7] == str(2**70)
    assert back["metrics.a.acc"].map(lambda t: float(t or "nan")).equals(table["metrics.a.acc"])


@pytest.mark.parametrize("form", ["csv", "parquet", "xlsx", "md", "tex"])
def test_half_of_a_surrogate_pair_is_written(tmp_path, form):
    table = pd.DataFrame({"params.a.x": pd.Series(["\ud800", "b", ["\udfff"]], dtype=object)})
    (path,) = export({"a": table}, tmp_path, [form])
    text = path.read_bytes()
    if form == "parquet":
        assert read_parquet(path).equals(table)
    elif form == "xlsx":
        assert [row[0] for row in cells(path)] == ["params.a.x", "\\ud800", "b", '["\\udfff"]']
    else:
        assert text.decode() and b"d800" in text


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.one_of(
            st.text(max_size=8), st.integers(), st.floats(), st.booleans(), st.none(),
            st.lists(st.text(max_size=3), max_size=2),
            st.dictionaries(st.text(max_size=3), st.integers(), max_size=2),
        ),
        min_size=1, max_size=8,
    )
)  # fmt: skip
def test_any_mixture_comes_back_from_parquet_and_as_text_from_excel(tmp_path, values):
    table = pd.DataFrame({"x": pd.Series(values, dtype=object)})
    one, two = export({"a": table}, tmp_path, ["parquet", "xlsx"])
    back = read_parquet(one)["x"].tolist()
    assert all(map(same, values, back))
    for value, (found,) in zip(values, cells(two)[1:] or [[None]] * len(values), strict=False):
        if isinstance(value, bool | float) and value == value and abs(value) != math.inf:
            assert same(value, found)
        elif isinstance(value, list | dict):
            assert isinstance(found, str)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.text(
        st.characters(exclude_characters="\r", exclude_categories=["Cs", "Cc", "Cn"]), min_size=1, max_size=20
    )
)
def test_any_printable_text_comes_back_from_excel(tmp_path, text):
    (path,) = export({"a": pd.DataFrame({"x": pd.Series([text], dtype=object)})}, tmp_path, ["xlsx"])
    assert cells(path)[1] == [text]


def test_markdown_renders_as_one_cell_a_value(tmp_path):
    from markdown_it import MarkdownIt

    texts = [
        *NASTY[:-1],
        "<img src=x onerror=alert(1)>",
        "**bold** _it_ `code`",
        "&lt; [a](b)",
        "~~x~~",
        "\\|",
    ]
    table = pd.DataFrame({"params.a.x_y": texts, "metrics.a.acc": [0.123456789] * len(texts)})
    (path,) = export({"a": table}, tmp_path, ["md"])
    tokens = MarkdownIt().enable(["table", "strikethrough"]).parse(path.read_text())
    inline = [token for token in tokens if token.type == "inline"]
    assert all({child.type for child in token.children} <= {"text", "text_special"} for token in inline)
    shown = ["".join(child.content for child in token.children) for token in inline]
    expected = [cell for text in texts for cell in (" ".join(text.split()), "0.123457")]
    assert shown == ["params.a.x_y", "metrics.a.acc", *expected]


def test_latex_is_escaped(tmp_path):
    table = pd.DataFrame({"params.a_b": ["50% & $x_1$ #{~^\\}", "a\nb"], "metrics.acc": [1 / 3, math.nan]})
    (path,) = export({"a": table}, tmp_path, ["latex"])
    assert path.name == "a.tex"
    lines = path.read_text().splitlines()
    assert lines[0] == r"\begin{tabular}{lr}" and lines[2] == r"params.a\_b & metrics.acc \\"
    assert lines[4] == (
        r"50\% \& \$x\_1\$ \#\{\textasciitilde \textasciicircum \textbackslash \} & 0.333333 \\"
    )
    assert lines[5] == r"a b &  \\"


@pytest.mark.parametrize("form", ["csv", "parquet", "xlsx", "md", "tex"])
def test_an_empty_table_has_its_heading(tmp_path, form):
    (path,) = export({"a": pd.DataFrame(columns=["node", "job_id"])}, tmp_path, [form])
    assert b"job" in path.read_bytes() or form == "xlsx" and cells(path) == [["node", "job_id"]]


@pytest.mark.parametrize(
    "asked, hint",
    [("parket", "did you mean 'parquet'?"), ("XLS", "did you mean 'xlsx'?"), ("pdf", "known: csv, ")],
)
def test_an_unknown_format(tmp_path, asked, hint):
    with pytest.raises(ResultError, match=f"cannot export '{asked}'") as caught:
        export({"a": nasty()}, tmp_path / "new", ["csv", asked])
    assert caught.value.hint.startswith(hint) and not (tmp_path / "new").exists()


def test_a_missing_library(tmp_path, monkeypatch):
    monkeypatch.setattr(exports.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ResultError, match="xlsx needs openpyxl; pip install 'kwdag\\[tables\\]'"):
        export({"a": nasty()}, tmp_path, ["xlsx"])


@pytest.mark.parametrize(
    "table, message",
    [
        (pd.DataFrame({"x": range(1_048_576)}), "1,048,577 rows, Excel has room for 1,048,576"),
        (pd.DataFrame([[0] * 16_385]), "16,385 columns, Excel has room for 16,384"),
        (pd.DataFrame({"x": ["a" * 32_768]}), "a value of x has 32,768 characters"),
        (pd.DataFrame({"x": [["\U0001f600" * 16_384]]}), "a value of x has 32,772 characters"),
    ],
)  # fmt: skip
def test_what_excel_has_no_room_for_is_refused_before_anything_is_written(tmp_path, table, message):
    with pytest.raises(ResultError, match=message) as caught:
        export({"a": pd.DataFrame({"x": [1]}), "b": table}, tmp_path / "new", ["csv", "xlsx"])
    assert caught.value.where == "b.xlsx" and not (tmp_path / "new").exists()


def test_a_longest_text_just_fits(tmp_path):
    text = "b" * 32_767
    (path,) = export({"a": pd.DataFrame({"x": [text]})}, tmp_path, ["xlsx"])
    assert cells(path)[1] == [text]


def test_no_half_file_is_left(tmp_path, monkeypatch):
    (path,) = export({"a": pd.DataFrame({"x": [1]})}, tmp_path, ["csv"])
    before = path.read_bytes()
    monkeypatch.setattr(
        os, "replace", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device"))
    )
    with pytest.raises(ResultError, match="cannot write: No space left on device"):
        export({"a": nasty()}, tmp_path, ["csv"])
    assert path.read_bytes() == before and [p.name for p in tmp_path.iterdir()] == ["a.csv"]


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ResultError, match="file: cannot write: File exists"):
        export({"a": nasty()}, tmp_path / "file", ["csv"])
