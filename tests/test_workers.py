"""Two real workers of pytest-xdist on a small project of tests, which use what the tests of kwdag share."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.workers import once

pytestmark = pytest.mark.xdist_group("workers")

CONFTEST = "from tests.workers import pytest_collection_modifyitems\n"
TESTS = """
import os, pathlib, time
import pytest
from tests.workers import once

NOTES = pathlib.Path(__file__).parent

def note(name):
    with (NOTES / name).open("a") as file:
        file.write(f"{os.getpid()}\\n")

@pytest.mark.xdist_group("one process")
@pytest.mark.parametrize("number", range(6))
def test_together(number):
    note("together")
    time.sleep(0.05)

def make(folder):
    note("made")
    time.sleep(0.5)
    (folder / "file").touch()

@pytest.mark.parametrize("number", range(6))
def test_made_once(number, tmp_path_factory):
    note("asked")
    assert (once(tmp_path_factory, "thing", make) / "file").exists()
    time.sleep(0.05)
"""


@pytest.fixture(scope="module")
def noted(tmp_path_factory):
    """What two workers noted: name -> process ids, one for each time."""
    here = tmp_path_factory.mktemp("workers")
    (here / "conftest.py").write_text(CONFTEST)
    (here / "test_it.py").write_text(TESTS)
    (here / "pytest.ini").write_text("[pytest]\naddopts = --import-mode=importlib\n")
    ours = ("PYTEST_", "PYTHONPATH")
    env = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    words = "-n2", "--dist=loadgroup", "-p", "no:cacheprovider", f"--basetemp={here / 'tmp'}"
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *words], cwd=here, capture_output=True, text=True, timeout=120,
        env={**env, "PYTHONPATH": str(Path(__file__).parents[1]), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
             "PYTEST_PLUGINS": "xdist.plugin"},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return {name: (here / name).read_text().split() for name in ("together", "made", "asked")}


def test_a_group_runs_in_one_worker(noted):
    assert len(noted["together"]) == 6 and len(set(noted["together"])) == 1


def test_what_is_made_once_serves_both_workers(noted):
    assert len(noted["asked"]) == 6 and len(set(noted["asked"])) == 2
    assert len(noted["made"]) == 1


def test_what_could_not_be_made_is_made_anew(tmp_path_factory):
    def fail(folder):
        (folder / "half").touch()
        raise OSError("no")

    with pytest.raises(OSError, match="no"):
        once(tmp_path_factory, "half_made", fail)
    found = once(tmp_path_factory, "half_made", lambda folder: (folder / "whole").touch())
    assert [path.name for path in found.iterdir()] == ["whole"]
