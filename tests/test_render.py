"""From values to words: what the program receives, byte for byte."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kwdag.errors import PipelineError
from kwdag.node import ProcessNode
from kwdag.render import can_exec, command_words, token

ECHO = f"{sys.executable} -S -c 'import json, sys; print(json.dumps(sys.argv[1:]))'"
TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20)


def node(**fields):
    return ProcessNode(**{"name": "n", "executable": ECHO, "extra_params": True, **fields})


def argv(found, values):
    """What a program receives for a command line."""
    line = " \\\n    ".join(command_words(found, values))
    done = subprocess.run(["bash"], input=line.encode(), capture_output=True, check=True)
    return json.loads(done.stdout)


NASTY = [
    "",
    " ",
    "-x",
    "--",
    "$(date)",
    "`date`",
    "a'b",
    'a"b',
    "a\nb",
    "\\",
    "*",
    "~",
    "ä€𝄞",
    "!!",
    "{x}",
    "#",
    "&;|",
]


@pytest.mark.parametrize("style", ["--key=value", "--key value", "-key value", "key=value"])
def test_every_byte_arrives_in_every_style(style):
    values = {f"k{i}": text for i, text in enumerate(NASTY)}
    expected = {
        "--key=value": [f"--{k}={v}" for k, v in values.items()],
        "--key value": [word for k, v in values.items() for word in (f"--{k}", v)],
        "-key value": [word for k, v in values.items() for word in (f"-{k}", v)],
        "key=value": [f"{k}={v}" for k, v in values.items()],
    }
    assert argv(node(flag_style=style), values) == expected[style]


@settings(max_examples=25, deadline=None)
@given(st.lists(TEXT, min_size=1, max_size=20), TEXT)
def test_any_text_arrives_as_flag_list_and_placeholder(texts, text):
    template = f"{ECHO} {{pos}} {{flags}} end"
    found = argv(node(command_template=template), {"pos": text, "many": tuple(texts), "one": text})
    assert found == [text, "--many", *texts, f"--one={text}", "end"]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, []), (True, ["--k=True"]), (False, ["--k=False"]), (1e-7, ["--k=1e-07"]), (1.0, ["--k=1.0"]),
        ([1, "a b", None], ["--k", "1", "a b", "null"]), ([], ["--k"]),
        ({"a": [1, None], "ü": "x"}, ['--k={"a": [1, null], "ü": "x"}']),
        ([{"a": 1}, [2]], ["--k", '{"a": 1}', "[2]"]),
    ],
)  # fmt: skip
def test_values_as_the_program_gets_them(value, expected):
    assert argv(node(), {"k": token(value)}) == expected


def test_a_mapping_arrives_as_yaml_text():
    import yaml

    value = {"a": [1, 2.5, None, True], "b": {"c": "x: y"}}
    (found,) = argv(node(), {"k": token(value)})
    assert yaml.safe_load(found.removeprefix("--k=")) == value


def test_bare_flags():
    flags = node(flags=["v", "w"])
    assert argv(flags, {"v": "True", "w": "False", "x": "True"}) == ["--v", "--x=True"]


def test_a_template_names_ports_and_keeps_the_rest_for_flags():
    found = node(command_template="{executable} {src} ${{HOME:+set}} {{}} {flags}", executable=ECHO)
    assert argv(found, {"src": "a b", "x": "1"}) == ["a b", "set", "{}", "--x=1"]


def test_a_template_may_name_an_optional_input_that_is_not_there():
    found = node(command_template=f"{ECHO} a {{mask}} b", in_paths=["mask"], optional=["mask"])
    assert argv(found, {}) == ["a", "b"]


def test_a_template_that_names_what_the_node_does_not_have():
    found = node(command_template="prog {scr}", in_paths=["src"])
    with pytest.raises(PipelineError, match=r"names 'scr'.*did you mean 'src'"):
        command_words(found, {"src": "x"})


@pytest.mark.parametrize(
    ("executable", "expected"),
    [("python -m x", True), ("/usr/bin/env x", True), ("cd x", False), ("A=1 prog", False), ("a && b", False),
     ("time x", False), ("source x", False), ("$PROG", False), ("prog 'a'", False), (". x", False)],
)  # fmt: skip
def test_bash_is_replaced_only_by_a_plain_program(executable, expected):
    assert can_exec(node(executable=executable)) is expected


IDS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT,
    lambda x: st.lists(x, max_size=3) | st.dictionaries(TEXT, x, max_size=3),
)


@given(IDS)
def test_a_token_is_text_or_a_tuple_of_texts(value):
    found = token(value)
    assert found is None or isinstance(found, str) or all(isinstance(item, str) for item in found)
    assert (found is None) == (value is None)
