from __future__ import annotations

import itertools
import json
import time
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from kwdag.errors import MatrixError
from kwdag.matrix import count_rows, expand, load_params


def rows_of(source):
    return expand(load_params(source)).rows


def points(rows, *keys):
    return [tuple(row.get(key) for key in keys) for row in rows]


# --- the rules, by example


def test_the_last_key_varies_fastest():
    rows = rows_of("matrix: {a.x: [1, 2], a.y: [3, 4], b.c.d: z}")
    assert [list(row) for row in rows] == [["a.x", "a.y", "b.c.d"]] * 4
    assert points(rows, "a.x", "a.y", "b.c.d") == [(1, 3, "z"), (1, 4, "z"), (2, 3, "z"), (2, 4, "z")]


EXAMPLES = [
    # source, rows
    ("a.x: [1, 2]", [{"a.x": 1}, {"a.x": 2}]),
    ("{a.x: 3, pipeline: p, slurm_options: {mem: 1}}", [{"a.x": 3}]),
    ("a.x:", [{"a.x": None}]),
    ("a.x: {k: [1, 2]}", [{"a.x": {"k": [1, 2]}}]),
    ("a.x: [[1, 2], {k: 1}]", [{"a.x": [1, 2]}, {"a.x": {"k": 1}}]),
    ("{matrix: {a.x: 1, __slurm_options__: {mem: 2}}}", [{"a.x": 1, "__slurm_options__": {"mem": 2}}]),
    ("{a.x: 1, a.__enabled__: redo}", [{"a.x": 1, "a.__enabled__": "redo"}]),
    ("{zip: {a.x: [1, 2], a.y: [3, 4]}}", [{"a.x": 1, "a.y": 3}, {"a.x": 2, "a.y": 4}]),
    ("{zip: {a.y: [3, 4]}, matrix: {a.x: [1]}}", [{"a.x": 1, "a.y": 3}, {"a.x": 1, "a.y": 4}]),
    ("matrices: [{a.x: 1}, {matrix: {a.x: 2}, include: [{a.x: 2, a.y: 1}]}]",
     [{"a.x": 1}, {"a.x": 2, "a.y": 1}]),
    ("include: [{a.x: [1, 2]}, {a.x: 2}]", [{"a.x": [1, 2]}, {"a.x": 2}]),
    ("{matrix: {a.x: [1, 2]}, include: [{a.z: 5}]}", [{"a.x": 1, "a.z": 5}, {"a.x": 2, "a.z": 5}]),
    ("{matrix: {a.x: [1]}, include: [{a.z: 5}, {a.x: 1, a.z: 6}]}", [{"a.x": 1, "a.z": 6}]),
    ("{matrix: {a.x: [1]}, include: [{a.x: 7}, {a.x: 7, a.z: 6}]}",
     [{"a.x": 1}, {"a.x": 7}, {"a.x": 7, "a.z": 6}]),
    ("{matrix: {a.x: [1, 2], exclude: [{a.x: 1}]}}", [{"a.x": 2}]),
    ("{matrix: {a.x: [1, 1.0, true, '1']}, exclude: [{a.x: 1}]}",
     [{"a.x": 1.0}, {"a.x": True}, {"a.x": "1"}]),
    ("{matrix: {a.x: [[1, 2], 3]}, exclude: [{a.x: [1, 2]}]}", [{"a.x": 3}]),
    ("{matrix: {a.x: [1, 2]}, include: [{a.x: 1, a.y: 3}], exclude: [{a.y: 3}]}", [{"a.x": 2}]),
    ("{matrix: {a.x: [1, 2]}, include: [{a.x: 3}], exclude: [{a.x: 3}, {a.x: 1}]}", [{"a.x": 2}, {"a.x": 3}]),
    ("{matrix: {a.x: [1, 2]}, submatrices: [{a.x: 1, a.y: [3, 4]}]}",
     [{"a.x": 1, "a.y": 3}, {"a.x": 1, "a.y": 4}, {"a.x": 2}]),
    ("submatrices: [{a.x: [1, 2]}, {a.y: 3}]", [{"a.x": 1}, {"a.x": 2}, {"a.y": 3}]),
    ("{matrix: {a.x: 1}, submatrices10: [{a.z: [5, 6]}], submatrices2: [{a.y: [3, 4]}]}",
     [{"a.x": 1, "a.y": y, "a.z": z} for y in (3, 4) for z in (5, 6)]),
]  # fmt: skip


@pytest.mark.parametrize(("source", "rows"), EXAMPLES)
def test_examples(source, rows):
    params = load_params(source)
    assert expand(params).rows == rows
    assert count_rows(params) >= len(rows)


@pytest.mark.parametrize(
    ("source", "warning"),
    [
        ("matrix: {a.x: 1}\nexclude:\n- {a.x: 2}", "params, line 3: this 'exclude' entry matches no row"),
        ("matrix: {a.x: 1}\ninclude:\n- {a.x: 2}", "params, line 3: this 'include' entry extends no row"),
        (
            "matrix: {a.x: 1}\nsubmatrices:\n- {a.x: 2}",
            "params, line 3: this 'submatrices' entry matches no row",
        ),
    ],
)
def test_what_has_no_effect_is_warned_of(source, warning):
    (found,) = expand(load_params(source)).warnings
    assert found.startswith(warning)


@pytest.mark.parametrize(
    "source", ["include: [{a.x: 2}]", "{matrix: {a.x: 1}, include: [{a.y: 2}], exclude: []}"]
)
def test_what_works_is_not_warned_of(source):
    assert expand(load_params(source)).warnings == []


# --- bad input

BAD = [
    # source, in the message
    ("[1, 2]", "the params must be a mapping, not [1, 2]"),
    ("hello", "no such params file 'hello'"),
    ("", "the params must be a mapping, not None"),
    ("pipeline: p", "the matrix is empty"),
    ("pipeline: p\nmatrix: {}", "params, line 2: the matrix is empty"),
    ("matrix:", "the matrix is empty"),
    ("exclude: [{a.x: 1}]", "the matrix is empty"),
    ("submatrices: []", "the matrix is empty"),
    ("matrices: []", "'matrices' is empty"),
    ("pipeline: p\nmatrices: 3", "params, line 2: 'matrices' must be a list of mappings, not 3"),
    ("matrices: [3]", "a matrix must be a mapping, not 3"),
    ("matrices: [{a.x: 1}]\nmatrix: {a.x: 1}", "params, line 2: 'matrix' cannot stand beside 'matrices'"),
    ("matrix: 3", "params, line 1: 'matrix' must be a mapping, not 3"),
    ("matrix: [1]", "'matrix' must be a mapping"),
    ("pipeline: 3", "'pipeline' must be a name or a mapping, not 3"),
    ("{a.x: 1, slurm_options: 3}", "'slurm_options' must be a mapping, not 3"),
    ("a.x: []", "there are no values for 'a.x'"),
    ("matirx: {a.x: 1}", "no node in key 'matirx'; did you mean 'matrix'?"),
    ("matirx: {a.x: 1}\ninclude: []", "unknown key 'matirx'; did you mean 'matrix'?"),
    ("matrix: {a.x: 1}\nb.y: 2", "params, line 2: unknown key 'b.y'; put it under 'matrix'"),
    ("matrix:\n  x: 1", "params, line 2: no node in key 'x'; a key is <node>.<param>"),
    ("matrix: {a.x: 1, 3: 1}", "no node in key 3"),
    ("matrix: {.x: 1}", "the key '.x' has an empty part"),
    ("matrix: {a.x: 1}\ninclude:\n- {a.y: 1, y: 1}", "params, line 3: no node in key 'y'"),
    ("matrix: {a.x: 1}\ninclude: 3", "params, line 2: 'include' must be a list of mappings, not 3"),
    ("matrix: {a.x: 1}\nexclude: [3]", "item 1 of 'exclude' must be a mapping, not 3"),
    ("matrix: {a.x: 1}\nexclude: [{}]", "item 1 of 'exclude' is empty"),
    ("matrix: {a.x: 1, exclude: []}\nexclude: []", "'exclude' cannot stand inside 'matrix' here"),
    ("matrix: {a.x: [1, 2]}\nexclude: [{a.x: 1}, {a.x: 2}]", "'exclude' takes out every row"),
    ("zip: {a.x: [1, 2], a.y: 3}", "differ in length: 'a.x' has 2, 'a.y' has 1"),
    ("zip: [1]", "'zip' must be a mapping, not [1]"),
    ("{matrix: {a.x: 1}, zip: {a.x: 1}}", "the key 'a.x' is in both 'matrix' and 'zip'"),
    ("{matrix: {a.x: 1}, sample: 3}", "'sample' must be a mapping, not 3"),
    ("{matrix: {a.x: 1}, sample: {m: 3}}", "unknown key 'm' in 'sample'"),
    ("{matrix: {a.x: 1}, sample: {n: 0}}", "'sample' needs 'n'"),
    ("{matrix: {a.x: 1}, sample: {n: two}}", "'n' of 'sample' must be a whole number, not 'two'"),
    ("{matrix: {a.x: 1}, sample: {n: 1, seed: true}}", "'seed' of 'sample' must be a whole number"),
    ("{a.x: 1, a.x: 2}", "the key 'a.x' is given twice"),
    ("a.x: [{__include__: nowhere.yaml}]", "no such file to include: 'nowhere.yaml'"),
    ("a.x: [{__include__: a, b: 1}]", "'__include__' takes a file name and stands alone"),
    ("{matrix: {a.x: 1}, include: [{a.y: {__include__: f}}]}", "works only where lists are expanded"),
    ("nowhere.yaml", "no such params file 'nowhere.yaml'"),
    (Path("nowhere"), "no such params file 'nowhere'"),
    ({"a.x": {1, 2}}, "of type 'set' has no form in YAML"),
    ({"a.x": 1, 2: 3}, "no node in key 2"),
]  # fmt: skip


@pytest.mark.parametrize(("source", "message"), BAD, ids=[str(source) for source, _ in BAD])
def test_bad_params_are_one_error_that_names_the_place(source, message):
    with pytest.raises(MatrixError) as caught:
        expand(load_params(source))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_told_its_neighbour(tmp_path):
    (tmp_path / "params.yaml").write_text("a.x: 1")
    with pytest.raises(MatrixError, match=r"did you mean '.*params\.yaml'\?"):
        load_params(tmp_path / "parms.yaml")


# --- sources


def test_file_text_json_and_mapping_agree(tmp_path):
    data = {"matrix": {"a.x": [1, "yes", None, {"k": [1.5]}]}}
    path = tmp_path / "p.yaml"
    path.write_text(json.dumps(data))
    sources = [path, str(path), json.dumps(data), data]
    assert all(rows_of(source) == rows_of(data) for source in sources)
    assert load_params(path).name == str(path)


def test_a_mapping_may_hold_python_values():
    numpy = pytest.importorskip("numpy")
    values = (Path("a/b"), range(2), numpy.float64(0.5), numpy.arange(2), "data.yaml")
    found = points(rows_of({"a.x": values}), "a.x")
    assert found == [("a/b",), ([0, 1],), (0.5,), ([0, 1],), ("data.yaml",)]


def test_one_line_of_yaml_may_end_like_a_file_name():
    assert rows_of("a.x: data.yaml") == [{"a.x": "data.yaml"}]


def test_keys_name_their_places(tmp_path):
    path = tmp_path / "p.yaml"
    path.write_text("matrix:\n  a.x: 1\n  __slurm_options__: {}\ninclude:\n- a.x: 1\n  b.y: 2\n")
    assert load_params(path).keys() == {"a.x": f"{path}, line 2", "b.y": f"{path}, line 6"}


def test_included_files_are_relative_to_the_file_that_names_them(tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "p.yaml").write_text("a.x: [0, {__include__: sub/one.yaml}, 9]")
    (tmp_path / "sub" / "one.yaml").write_text("[1, {__include__: [two.json, three.yaml]}]")
    (tmp_path / "sub" / "two.json").write_text("[2, [3]]")
    (tmp_path / "sub" / "three.yaml").write_text("k: 4")
    assert points(rows_of(tmp_path / "p.yaml"), "a.x") == [(0,), (1,), (2,), ([3],), ({"k": 4},), (9,)]


def test_a_file_that_includes_itself(tmp_path):
    path = tmp_path / "loop.yaml"
    path.write_text(f"[{{__include__: {path.name}}}]")
    with pytest.raises(MatrixError, match="includes itself"):
        load_params({"a.x": {"__include__": str(path)}})


# --- the rules, by a naive reference


def same(a, b):
    return type(a) is type(b) and a == b


def agrees(entry, row, keys):
    return all(same(entry[key], row[key]) for key in entry if key in keys)


def naive_product(table):
    columns = [value if isinstance(value, list) else [value] for value in table.values()]
    return [dict(zip(table, values, strict=True)) for values in itertools.product(*columns)]


def naive_rows(doc):
    """The rules as one would write them down, row by row."""
    zipped = doc["zip"]
    lines = [dict(zip(zipped, values, strict=True)) for values in zip(*zipped.values(), strict=True)] or [{}]
    grid = [row | line for row in naive_product(doc["matrix"]) for line in lines]
    original = {*doc["matrix"], *zipped}
    rows = [(row, row) for row in grid]
    for group in ("submatrices", "submatrices2"):
        extended = []
        for base, row in rows:
            new = [v for entry in doc[group] for v in naive_product(entry) if agrees(v, base, original)]
            extended += [(base, row | v) for v in new or [{}]]
        rows = extended
    added = []
    for entry in doc["include"]:
        hit = [agrees(entry, base, original) for base, _ in rows]
        rows = [(b, row | entry if h else row) for (b, row), h in zip(rows, hit, strict=True)]
        added += [] if any(hit) else [entry]
    kept = [row for _, row in rows if not any(is_part(entry, row) for entry in doc["exclude"])]
    return kept, added


def is_part(entry, row):
    return all(key in row and same(entry[key], row[key]) for key in entry)


VALUES = st.sampled_from([0, 1, 2, 1.0, True, "1", None])
LISTS = st.lists(VALUES, min_size=1, max_size=3, unique_by=lambda v: (type(v), v))
KEYS = ["a.x", "a.y", "b.z", "b.w"]


def entries(values, keys=("a.x", "a.y", "z.p", "b.z", "b.w")):
    table = st.dictionaries(st.sampled_from(keys), values, min_size=1, max_size=3)
    return st.lists(table, max_size=3)


@st.composite
def documents(draw):
    columns = draw(st.lists(st.tuples(VALUES, VALUES), min_size=1, max_size=3))
    zipped = {"z.p": [p for p, _ in columns], "z.q": [q for _, q in columns]}
    return {
        "matrix": draw(st.dictionaries(st.sampled_from(KEYS[:3]), LISTS, min_size=1)),
        "zip": draw(st.sampled_from([{}, zipped])),
        "submatrices": draw(entries(LISTS | VALUES)),
        "submatrices2": draw(entries(LISTS | VALUES)),
        "include": draw(entries(VALUES)),
        "exclude": draw(entries(VALUES)),
    }


def typed(rows):
    return [{key: (type(value), value) for key, value in row.items()} for row in rows]


@given(documents())
def test_rows_are_those_of_the_naive_rules(doc):
    kept, added = naive_rows(doc)
    assume(kept or added)
    params = load_params(doc)
    assert typed(expand(params).rows) == typed(kept + added)
    before, _ = naive_rows(doc | {"exclude": []})
    assert count_rows(params) == len(before) + len(added)


@given(documents(), st.integers(1, 20), st.integers())
def test_a_sample_is_a_subset_in_order(doc, n, seed):
    kept, added = naive_rows(doc)
    assume(kept or added)
    params = load_params(doc | {"sample": {"n": n, "seed": seed}})
    rows = typed(expand(params).rows)
    split = len(rows) - len(added)
    assert rows[split:] == typed(added)
    assert split == min(n, len(kept))
    rest = iter(typed(kept))
    assert all(row in rest for row in rows[:split])  # a subsequence


@given(documents(), st.integers(1, 20), st.integers(0, 9))
def test_a_sample_drawn_by_index_is_the_one_drawn_from_the_rows(doc, n, seed):
    plain = {"matrix": doc["matrix"], "zip": doc["zip"], "sample": {"n": n, "seed": seed}}
    idle = plain | {"exclude": [{"a.x": "nowhere"}]}
    assert typed(rows_of(plain)) == typed(rows_of(idle))


# --- samples and sizes


def test_a_sample_is_the_same_for_ever():
    rows = rows_of("{matrix: {a.x: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]}, sample: {n: 4, seed: 0}}")
    other = rows_of("{matrix: {a.x: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]}, sample: {n: 4, seed: 1}}")
    assert points(rows, "a.x") == [(2,), (3,), (5,), (6,)]
    assert rows != other


def test_a_sample_of_a_huge_grid_is_drawn_at_once():
    params = load_params({"matrix": {f"a.k{i}": list(range(10)) for i in range(400)}, "sample": {"n": 50}})
    rows = expand(params, max_rows=50).rows
    assert len(rows) == count_rows(params) == 50
    assert len({tuple(row.values()) for row in rows}) == 50


def test_too_many_rows_are_counted_and_refused_unbuilt():
    entries = [{"a.k0": i, "a.y": [1, 2, 3]} for i in range(5)]
    params = load_params({"matrix": {f"a.k{i}": list(range(10)) for i in range(9)}, "submatrices": entries})
    assert count_rows(params) == 10**8 * (5 * 3 + 5)
    with pytest.raises(MatrixError, match="has 2,000,000,000 rows, more than the limit of 100,000"):
        expand(params, max_rows=100_000)


def test_expansion_is_fast():
    params = load_params({f"a.k{i}": list(range(10)) for i in range(5)} | {"a.z": 1})
    start = time.process_time()
    assert len(expand(params).rows) == 100_000
    assert time.process_time() - start < 1  # measured 0.1; the margin is for slow machines


class TestIncludedKeys:
    """`__include__` beside the keys of a matrix: groups of settings that stand in files of their own."""

    @pytest.fixture(autouse=True)
    def groups(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        for name, text in {
            "model/small.yaml": "a.width: 8\na.depth: [1, 2]",
            "model/large.yaml": "__include__: small.yaml\na.width: 64",
            "trainer.yaml": "a.lr: 0.1\na.depth: 3",
        }.items():
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).write_text(text)

    def rows(self, text):
        return [dict(row) for row in expand(load_params(text)).rows]

    def test_own_keys_win_and_then_the_later_file(self):
        text = "matrix: {__include__: [model/large.yaml, trainer.yaml], a.lr: 0.5}"
        assert self.rows(text) == [{"a.width": 64, "a.depth": 3, "a.lr": 0.5}]
        text = "matrix: {__include__: [trainer.yaml, model/large.yaml]}"
        assert [row["a.depth"] for row in self.rows(text)] == [1, 2]

    def test_without_the_word_matrix(self):
        assert self.rows("__include__: trainer.yaml\na.x: [1, 2]") == [
            {"a.lr": 0.1, "a.depth": 3, "a.x": 1}, {"a.lr": 0.1, "a.depth": 3, "a.x": 2},
        ]  # fmt: skip

    def test_groups_take_turns_in_submatrices(self):
        text = """
            matrix: {a.group: [small, quick]}
            submatrices:
            - {a.group: small, __include__: model/small.yaml}
            - {a.group: quick, __include__: trainer.yaml}
        """
        assert [(row["a.group"], row["a.depth"]) for row in self.rows(text)] == [
            ("small", 1), ("small", 2), ("quick", 3),
        ]  # fmt: skip

    def test_a_file_of_a_package(self, tmp_path, monkeypatch):
        (tmp_path / "mypkg" / "groups").mkdir(parents=True)
        (tmp_path / "mypkg" / "__init__.py").touch()
        (tmp_path / "mypkg" / "groups" / "a.yaml").write_text("a.lr: 7")
        monkeypatch.syspath_prepend(tmp_path)
        monkeypatch.chdir("/")
        assert self.rows("__include__: mypkg:groups/a.yaml") == [{"a.lr": 7}]

    def test_a_file_with_a_colon_in_its_name(self, tmp_path):
        (tmp_path / "a:b.yaml").write_text("a.lr: 8")
        assert self.rows("__include__: a:b.yaml") == [{"a.lr": 8}]

    @pytest.mark.parametrize("text, complaint", [
        ("__include__: trainre.yaml", "no such file to include: 'trainre.yaml'; did you mean 'trainer.yaml'"),
        ("__include__: 3", "takes a file name or a list of them, not 3"),
        ("__include__: no_such_package:a.yaml", "no package 'no_such_package' to include a file of"),
        ("__include__: list.yaml", "list.yaml: the file included by 'matrix' must be a mapping"),
        ("__include__: bad.yaml", "bad.yaml, line 2: no node in key 'lr'"),
        ("__include__: self.yaml", "the file 'self.yaml' includes itself"),
    ])  # fmt: skip
    def test_what_is_no_group(self, text, complaint, tmp_path):
        (tmp_path / "list.yaml").write_text("[1, 2]")
        (tmp_path / "bad.yaml").write_text("a.x: 1\nlr: 2")
        (tmp_path / "self.yaml").write_text("__include__: self.yaml")
        with pytest.raises(MatrixError) as caught:
            load_params(text + "\na.y: 1")
        assert complaint in str(caught.value)
