from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kwdag.errors import MatrixError
from kwdag.yamlio import load_yaml, read_yaml

SCALARS = {
    "yes": "yes", "no": "no", "on": "on", "off": "off", "y": "y", "TRUE": True, "false": False,
    "tRue": "tRue",
    "1e-3": 0.001, "1.": 1.0, ".5": 0.5, "-1.5E+3": -1500.0, "5e2": 500.0, ".inf": math.inf,
    "-.INF": -math.inf,
    "12:30": "12:30", "2020-01-01": "2020-01-01", "007": "007", "-007": "-007", "0": 0, "-12": -12, "+3": 3,
    "0x1F": 31, "0o17": 15, "0b11": "0b11", "1_000": "1_000", "1,2": "1,2", "~": None, "null": None, "": None,
    "'1'": "1", '"true"': "true", "!!str 1": "1", "!!float 1": 1.0, "!!int '3'": 3, "1.2.3": "1.2.3",
    "<<": "<<",
}  # fmt: skip


@pytest.mark.parametrize(("text", "value"), SCALARS.items())
def test_scalars_follow_yaml_1_2(text, value):
    found = load_yaml(f"a: {text}", "p").data["a"]
    assert (type(found), found) == (type(value), value)


BAD = {
    "a: 1\na: 2": "p, line 2: the key 'a' is given twice, first in line 1",
    "a: {b: 1, 'b': 2}": "p, line 1: the key 'b' is given twice",
    "a: [1": "line 2: malformed YAML",
    "a: b: c": "p, line 1: malformed YAML: mapping values are not allowed",
    "a: 1\nb: \0": "p, line 2: malformed YAML: control characters",
    "a: 1\nb: \ud800": "p, line 2: malformed YAML: surrogates",
    "a: !!python/object:os.system {}": "p, line 1: the tag '!!python/object:os.system' is not allowed",
    "a: !!python/name:os.system ''": "is not allowed",
    "a: !foo [1]": "the tag '!foo' is not allowed",
    "a: !!int x": "'x' does not fit its tag '!!int'",
    "a: *b": "the alias '*b' has no anchor",
    "a: &a [*a]": "the alias '*a' has no anchor",
    "- 1\n---\n- 2": "p, line 2: there must be one YAML document",
    "? [a]\n: 1": "a key must be a single word",
    "<<: 1": "'<<' needs a mapping",
    "- " * 200_000: "nested deeper than 100 levels",
    "[" * 200_000: "nested deeper than 100 levels",
    "a: " + "9" * 5000: "too many digits",
    "a0: &a0 [x]\n" + "\n".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 9)):
        "expands to more than 1,000,000 values",
    '{"a": "\\ud83d\\ude00", "a": 1}': "p: the key 'a' is given twice",
}  # fmt: skip


@pytest.mark.parametrize(("text", "message"), BAD.items(), ids=range(len(BAD)))
def test_a_bad_document_is_one_error_with_its_line(text, message):
    with pytest.raises(MatrixError) as caught:
        load_yaml(text, "p")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_lines_of_keys():
    doc = load_yaml("a:\n  b.c: 1\n  d:\n  - e: 2\n", "p.yaml")
    assert doc.lines == {("a",): 1, ("a", "b.c"): 2, ("a", "d"): 3, ("a", "d", 0, "e"): 4}
    assert doc.where("a", "d", 0, "nowhere") == "p.yaml, line 3"
    assert doc.where() == doc.where("nowhere") == "p.yaml"


def test_aliases_and_merge_keys():
    doc = load_yaml("x: &x {p: 1, q: 2}\ny:\n  q: 3\n  <<: *x\nz:\n  <<: [{p: 5}, *x]\nw: *x", "p")
    assert doc.data["y"] == {"p": 1, "q": 3}
    assert doc.data["z"] == {"p": 5, "q": 2}
    assert doc.data["w"] == doc.data["x"]


@pytest.mark.parametrize("text", ["", "# nothing", "---", "null"])
def test_an_empty_document_is_none(text):
    assert load_yaml(text, "p").data is None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)


@given(st.dictionaries(st.text(), JSON, max_size=4), st.booleans())
def test_json_is_read_as_json(data, ascii_only):
    found = load_yaml(json.dumps(data, ensure_ascii=ascii_only), "p").data
    assert json.dumps(found) == json.dumps(data)


@given(st.text())
def test_any_text_is_read_or_refused_in_one_line(text):
    try:
        load_yaml(text, "p")
    except MatrixError as error:
        assert error.where.startswith("p")


def test_a_file_is_named_as_given(tmp_path):
    path = tmp_path / "p.yaml"
    path.write_bytes("\ufeffa: é\n".encode())
    doc = read_yaml(path)
    assert (doc.data, doc.name) == ({"a": "é"}, str(path))


@pytest.mark.parametrize(("content", "message"), [(None, "cannot read"), (b"\xff", "not UTF-8")])
def test_an_unreadable_file(tmp_path, content, message):
    path = tmp_path / "p.yaml"
    if content:
        path.write_bytes(content)
    with pytest.raises(MatrixError, match=message):
        read_yaml(path)
