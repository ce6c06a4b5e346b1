"""The backend of one's own in the examples, found through its entry point."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from kwdag.errors import BackendError

EXAMPLE = Path(__file__).parents[2] / "examples" / "own_backend"


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """As pip would leave it: the module, and a dist-info that names the entry point."""
    site = tmp_path / "site"
    info = site / "polite_backend-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: polite-backend\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[kwdag.backends]\npolite = polite_backend:make\n")
    (site / "polite_backend.py").write_text((EXAMPLE / "polite_backend.py").read_text())
    monkeypatch.syspath_prepend(str(site))
    monkeypatch.setattr(os, "getloadavg", lambda: (0.0, 0.0, 0.0))  # or it waits for the other tests
    yield
    sys.modules.pop("polite_backend", None)


def test_it_runs_a_grid(installed, chain):
    found = chain.schedule({"a.src": "in.txt", "a.x": [1, 2]}, backend="polite")
    assert found.complete and chain.ran() == ["a", "a", "b", "b"]


def test_a_failure_blocks_what_is_behind_it(installed, chain):
    chain.node("a", "false", ins=["src"], algo_params={"x": 1})
    found = chain.schedule({"a.src": "in.txt"}, backend="polite")
    assert found.counts == {"failed": 1, "blocked": 1}


def test_without_it_the_name_is_unknown(chain):
    with pytest.raises(BackendError, match="'polite' is unknown"):
        chain.schedule({"a.src": "in.txt"}, backend="polite")
