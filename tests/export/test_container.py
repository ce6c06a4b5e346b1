from __future__ import annotations

import re
import shlex
import subprocess
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kwdag.errors import PlanError
from kwdag.export.container import ENTRYPOINT, LONGEST, MOST, arguments

JOB = SimpleNamespace(id="predict_id_aaaaaaaaaaaaa")
TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=600)


def said(script):
    """What a script prints when it reaches bash by way of container arguments."""
    return subprocess.run([*ENTRYPOINT, *arguments(JOB, script)], capture_output=True, check=True).stdout


@settings(max_examples=60)
@given(TEXT | st.text("\\n'\n\r\t$%x07\x1b\u2028", max_size=600))
def test_a_script_arrives_byte_for_byte(text):
    assert said(f"printf %s {shlex.quote(text)}\n") == text.encode()


@given(TEXT)
def test_arguments_are_what_sagemaker_takes(text):
    pieces = arguments(JOB, text or "true")
    assert len(pieces) <= MOST
    assert all(len(piece) <= LONGEST and re.fullmatch(r".+", piece) for piece in pieces)
    assert not any(piece.splitlines()[1:] for piece in pieces)


def test_each_line_is_an_argument():
    assert arguments(JOB, "cd x\nexec it \\\n    --a='\\n'\n") == [
        "cd x\\n",
        "exec it \\\\\\n",
        "    --a='\\\\n'\\n",
    ]


def test_many_lines_share_arguments():
    lines = [f"echo {n}" for n in range(1000)]
    assert len(arguments(JOB, "\n".join(lines))) <= 50
    assert said("\n".join(lines)).split() == [str(n).encode() for n in range(1000)]


def test_a_script_has_no_positional_parameters():
    assert said('printf \'%s|%s|%s\' $# "${1-none}" "$*"\n') == b"0|none|"


@pytest.mark.parametrize("text, complaint", [
    ("x" * 25_601, "is too long for a container: 25,601 characters, gathered paths counted, do not fit 100"),
    ("cat \udcff", "is no UTF-8, which a service cannot hold"),
])  # fmt: skip
def test_what_no_container_takes(text, complaint):
    with pytest.raises(PlanError, match=complaint):
        arguments(JOB, text)
