"""A bar appears on a terminal, after a while, and leaves nothing behind."""

from __future__ import annotations

import io
import os
import pty
import select
import threading
from contextlib import contextmanager

import pytest

from kwdag.report import bar


@contextmanager
def terminal():
    """A stream that is a terminal, and what reads its other end."""
    ours, theirs = pty.openpty()

    def seen():
        """All that was written; a terminal hands it on in pieces, and a little later."""
        text = b""
        while select.select([ours], [], [], 0.2)[0]:
            text += os.read(ours, 100_000)
        return text.decode()

    with os.fdopen(theirs, "w") as stream:
        yield stream, seen
    os.close(ours)


@pytest.fixture
def at_once(monkeypatch):
    monkeypatch.setattr(bar, "PATIENCE", 0.0)
    monkeypatch.setattr(bar, "PAUSE", 0.0)
    monkeypatch.setenv("TERM", "xterm")


def test_what_takes_long_is_drawn_and_vanishes(at_once):
    with terminal() as (stream, seen):
        threads = threading.active_count()
        with bar.PatientBar("reading results", stream) as progress:
            progress(7, 10)
            assert threading.active_count() == threads
            text = seen()
            assert "reading results" in text and "7/10" in text
            progress(9, 10)
            assert "9/10" in seen()
        assert "\x1b[2K" in seen()  # the line is erased


def test_what_is_quick_is_not_drawn():
    with terminal() as (stream, seen):
        with bar.PatientBar("reading results", stream) as progress:
            for n in range(10):
                progress(n, 10)
        assert seen() == ""


def test_nothing_is_drawn_where_there_is_no_terminal(at_once):
    stream = io.StringIO()
    with bar.PatientBar("reading results", stream) as progress:
        progress(7, 10)
    assert stream.getvalue() == ""
