from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kwdag.symptoms import LONGEST, masked, symptom

TRACEBACK = 'Traceback (most recent call last):\n  File "x.py", line 3, in <module>\n    f()\n'


def told(log: str, reason: str = "exit code 1", cause: str | None = "exit", **config) -> str:
    return symptom({"reason": reason, "cause": cause}, log.splitlines(), config)[0]


@pytest.mark.parametrize(
    "log, expected",
    [
        (TRACEBACK + "ValueError: bad\n", "ValueError: bad"),
        (TRACEBACK + "a.b.OwnTrouble: bad\n", "a.b.OwnTrouble: bad"),
        (TRACEBACK + "KeyError: 'x'\n\nDuring handling of the above exception, another one occurred:\n\n"
         + TRACEBACK + "RuntimeError: no x\nTip: add x\n", "RuntimeError: no x"),
        (TRACEBACK + "ValueError: bad\nsrun: error: node: task 0: Exited\n", "ValueError: bad"),
        ("    return f(x)\nValueError: cut\ndone with cleaning\n", "ValueError: cut"),
        ("[rank3]: " + TRACEBACK.replace("\n", "\n[rank3]: ") + "OSError: x\n", "OSError: x"),
        ("\x1b[31mError: red\x1b[0m\n", "Error: red"),
        ("run.sh: line 3: foo: command not found\n", "run.sh: line <n>: foo: command not found"),
        ("Exception in thread main java.io.IOException: gone\n\tat a.b.Error.x(Y.java:3)\n",
         "Exception in thread main java.io.IOException: gone"),
        ("thread 'main' panicked at src/main.rs:2:5:\nindex out of bounds\n",
         "thread 'main' panicked at <path>:<n>...:"),
        ("Error in f(3) : object 'x' not found\nExecution halted\n",
         "Error in f(<n>) : object 'x' not found"),
        ("a: a.c:3: main: Assertion `x > 3' failed.\n", "a: a.c:<n>: main: Assertion `x > <n>' failed."),
        ("run.sh: line 3: 1234 Segmentation fault      (core dumped) prog --in=/a/b\n", "Segmentation fault"),
        ("epoch 3 validation error 0.25\nno errors, 0 errors\nthe end is near\n", "the end is near"),
        ("level 22 is too high\n}\n", "level <n> is too high"),
        ("}\n", "}"),
        ("", "exit code 1"),
    ],
)  # fmt: skip
def test_the_line_that_tells_most(log, expected):
    assert told(log) == expected


@pytest.mark.parametrize(
    "log, reason, cause, expected",
    [
        ("Error: whatever\n", "timeout after 60 s", "time", "timeout after <span>"),
        ("Error: whatever\n", "out of memory", "memory", "out of memory"),
        ("fine\n", "invalid result: metric 'acc' is 1.5, outside [0, 1]", None,
         "invalid result: metric 'acc' is <n>, outside [<n>...]"),
        ("epoch 3\nvalidation error 0.5\n", "killed by SIGSEGV", "exit", "killed by SIGSEGV"),
        ("x/invoke.sh: line 5: 99 Killed      prog --x\n", "killed by SIGKILL", "exit", "killed by SIGKILL"),
        ("terminate called after throwing 'std::bad_alloc'\n", "killed by SIGABRT", "exit",
         "killed by SIGABRT: terminate called after throwing 'std::bad_alloc'"),
    ],
)  # fmt: skip
def test_a_recorded_reason_counts_more_than_the_log(log, reason, cause, expected):
    assert told(log, reason, cause) == expected


def test_whether_the_log_says_so():
    assert symptom({"reason": "exit code 1"}, ["Error: x"], {}) == ("Error: x", True)
    assert symptom({"reason": "exit code 1"}, [], {}) == ("exit code 1", False)
    assert symptom({}, [], {}) == ("no reason is recorded", False)


@pytest.mark.parametrize(
    "a, b",
    [
        ("Tried to allocate 2.00 GiB (GPU 0)", "Tried to allocate 512.00 MiB (GPU 3)"),
        ("cannot open '/data/a b.tif'", "cannot open '/mnt/x/y b.tif'"),
        ("bad tile data/x/1.png", "bad tile 00017.png"),
        ("job fit_id_abcdefgh23456 died", "job fit_id_zzzzzzzz23456 died"),
        ("request 550e8400-e29b-41d4-a716-446655440000", "request 550e8400-e29b-41d4-a716-44665544ffff"),
        ("<Thing object at 0x7f1a2b3c> failed", "<Thing object at 0xdeadbeef> failed"),
        ("at 2026-11-21T13:54:15.123Z: broken", "at 2025-01-01 00:00:00,001: broken"),
        ("took 3.5 s, 80%", "took 12 minutes, 3%"),
        ("shape (3, 4)", "shape (3, 4, 5, 6)"),
        ("loss -1.5e-3 at step 1,234", "loss 0.25 at step 7"),
        ("region KR_R001", "region US_R0032"),
        ("https://a.org/x?y=1 is gone", "https://b.org/z is gone"),
        ("commit 3f2a9b8c7d1e", "commit 00ff00ff00ff"),
    ],
)
def test_what_differs_from_job_to_job_is_masked(a, b):
    assert masked(a) == masked(b)


@pytest.mark.parametrize(
    "a, b",
    [
        ("KeyError: 'lr'", "KeyError: 'wd'"),
        ("numpy.linalg.LinAlgError: Singular matrix", "numpy.linalg.LinAlgError: SVD did not converge"),
        ("No module named 'foo_bar'", "No module named 'foo_baz'"),
        ("expected float32", "expected int64"),
        ("train.py: error: argument --lr", "train.py: error: argument --wd"),
        ("N/A is no number", "n/b is no number"),
    ],
)
def test_what_tells_causes_apart_is_kept(a, b):
    assert masked(a) != masked(b)


def test_the_jobs_own_values_are_masked_where_they_are_quoted():
    assert told("no model 'unet' to train", **{"fit.model": "unet"}) == "no model '<value>' to train"
    assert (
        told("model=unet, mode=train: failed", **{"fit.model": "unet"}) == "model=<value>, mode=train: failed"
    )
    assert told("the train loss is bad", **{"fit.split": "train"}) == "the train loss is bad"


@given(st.text(max_size=300), st.text(max_size=10))
def test_any_text_gives_one_short_line(text, value):
    found = told(text, **{"fit.x": value})
    assert found == found.strip() and len(found) <= LONGEST and len(found.splitlines()) <= 1
